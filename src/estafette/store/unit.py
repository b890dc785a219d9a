"""How one verb runs on both databases: a *unit* is a generator that yields statements and is sent their rows.

    def account_by_name(name):                      # a unit: no I/O, no await, testable with plain `send`
        rows = yield Rows("account_by_name", (name,))
        return rows[0] if rows else None

The SQLite driver runs units synchronously inside its writer thread (one thread hop per transaction, never per statement); the PostgreSQL
driver awaits asyncpg between the yields. So every verb is written once, and both drivers stay about as long as this sentence suggests.
A unit is one transaction or a part of one; it may run again from the start when its transaction is retried, so it must not touch
anything but its arguments.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Row = tuple[Any, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    """Run a named query once; sent back: its rows. A list parameter stands where the query says `{ints:$n}` or `{texts:$n}`."""

    name: str
    params: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Many:
    """Run a named statement for each row of parameters, in one go; nothing is sent back."""

    name: str
    rows: Sequence[Sequence[Any]]


Statement = Rows | Many
Unit = Generator[Statement, Any, T]
MakeUnit = Callable[[], Unit[T]]


class Runner(Protocol):
    """What a shelf needs of a driver."""

    async def write(self, make_unit: MakeUnit[T], *, is_synced: bool = True) -> T: ...
    async def read(self, make_unit: MakeUnit[T]) -> T: ...
