"""The days by which PostgreSQL keeps what only grows: contents and events, each in a partition per day of its message's id.

A day that is past goes as a whole, which costs nothing per row and leaves nothing to vacuum. Rows that come before their day's partition exists
(the first seconds of a new database, a clock that jumped) wait in the partition `…_rest` and move when it is made. SQLite has no partitions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

TABLES: Final = {"content": "submission_id", "event": "message_id"}
"""Each table that is partitioned, and the column whose ids are dated."""


@dataclass(frozen=True, slots=True)
class Day:
    """The ids from `first` to before `end`, named by the date: `20261127`."""

    name: str
    first: int
    end: int


def partition(table: str, day: Day) -> str:
    """The name of a day's partition."""
    return f"{table}_{day.name}"


def missing(table: str, existing: Iterable[str], days: Sequence[Day]) -> list[Day]:
    """The days for which there is no partition yet."""
    known = set(existing)
    return [day for day in days if partition(table, day) not in known]


def creation(table: str, day: Day) -> list[str]:
    """The statements of one transaction that makes a day's partition and moves there what waited in the rest. Only the rest is locked: mail of days that have
    their partition is written meanwhile."""
    name, column = partition(table, day), TABLES[table]
    return [
        f"LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE",
        f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        f"WITH moved AS (DELETE FROM {table}_rest WHERE {column} >= {day.first} AND {column} < {day.end} RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({day.first}) TO ({day.end})",
    ]


def past(table: str, bounds: Iterable[tuple[str, int, int]], before: int) -> list[Day]:
    """Of the partitions (name, first id, end) of a table, the days that end at `before` or earlier. The first partition and the rest are no days."""
    return [Day(name.removeprefix(f"{table}_"), first, end) for name, first, end in bounds if name[len(table) + 1 :].isdigit() and end <= before]
