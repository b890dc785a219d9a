"""A database in memory that real units write with real SQL, and that can lose power: `Disk` is the machine's, `SimulatedDriver` one process's.

Every committed transaction is kept in a redo log. `Disk.crash()` goes back to the last synced commit, or to any commit after it, as a
write-ahead log does. A trigger refuses to let a final state change (invariant I2), except delivered to hard_bounced, as a report may say.
"""

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from estafette.store import migrate, queries
from estafette.store.batch import Unavailable
from estafette.store.days import Day
from estafette.store.seam import StoreFault
from estafette.store.unit import MakeUnit, Many, Statement
from tests.simulation.loop import START_US, Process, SimulatedLoop

T = TypeVar("T")
Entry = tuple[str, Any, bool]  # query name, parameters, is many
CHECKPOINT = 400
SQL = queries.load("sqlite")
READS = {name for name, text in SQL.items() if text.startswith(("SELECT", "WITH"))}

FINAL = "('delivered', 'soft_bounced', 'hard_bounced', 'blocked')"
GUARD = f"""CREATE TEMP TRIGGER final_is_final BEFORE UPDATE OF state ON main.message
WHEN OLD.state IN {FINAL} AND NEW.state <> OLD.state AND NOT (OLD.state = 'delivered' AND NEW.state = 'hard_bounced')
BEGIN SELECT RAISE(ABORT, 'I2: a final state was to change'); END"""


@dataclass(frozen=True, slots=True)
class StoreFaults:
    """How bad the database is."""

    latency_s: float = 0.002
    fault: float = 0.0  # share of calls that fail, nothing stored
    unknown: float = 0.0  # share of writes that are stored and fail all the same (connection lost during COMMIT)


@dataclass(slots=True)
class Disk:
    """See the module."""

    loop: SimulatedLoop
    faults: StoreFaults
    violated: Callable[[str], None]
    chance: random.Random = field(init=False)
    connection: sqlite3.Connection = field(init=False)
    is_gone: bool = False  # nothing answers
    is_full: bool = False
    is_lying: bool = False  # says that it synced, and did not
    commits: int = 0
    syncs: int = 0
    sql: dict[str, str] = field(default_factory=lambda: SQL)
    written: Callable[[list[Entry]], None] = lambda entries: None
    _base: bytes = b""
    _log: list[list[Entry]] = field(default_factory=list)
    _synced: int = 0  # so many transactions of the log survive a power cut

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.loop.seed}/disk")
        self.connection = _connect()
        self._base = _empty()
        self.connection.deserialize(self._base)
        self.connection.execute("PRAGMA foreign_keys=ON")
        self.connection.execute(GUARD)

    def run(self, make_unit: MakeUnit[T], *, is_write: bool, is_synced: bool) -> T:
        """One transaction, now."""
        entries: list[Entry] = []
        if not is_write:  # nobody else runs meanwhile
            return self._steps(make_unit, entries)
        self.connection.execute("BEGIN")
        try:
            try:
                result = self._steps(make_unit, entries)
            except sqlite3.Error as error:
                raise StoreFault(f"SQLite: {error}") from error
            self.connection.execute("COMMIT")
        except BaseException as fault:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if "I2:" in str(fault):
                self.violated(f"{fault}: {entries[-1]}")
            raise
        if entries:
            self._keep(entries, is_synced=is_synced)
        return result

    def _steps(self, make_unit: MakeUnit[T], entries: list[Entry]) -> T:
        unit = make_unit()
        try:
            statement: Statement = next(unit)
            while True:
                if isinstance(statement, Many):
                    entries.append((statement.name, list(statement.rows), True))
                    self.connection.executemany(self.sql[statement.name], statement.rows)
                    statement = unit.send(None)
                else:
                    params = [json.dumps(p) if isinstance(p, list) else p for p in statement.params]
                    if statement.name not in READS:
                        entries.append((statement.name, params, False))
                    statement = unit.send(self.connection.execute(self.sql[statement.name], params).fetchall())
        except StopIteration as end:
            result: T = end.value
            return result

    def _keep(self, entries: list[Entry], *, is_synced: bool) -> None:
        self.commits += 1
        self._log.append(entries)
        if is_synced and not self.is_lying:
            self.syncs += 1
            self._synced = len(self._log)
            if len(self._log) >= CHECKPOINT:
                self._base, self._log, self._synced = self.connection.serialize(), [], 0
        self.loop.note(f"commit {' '.join(name for name, _, _ in entries)}")
        self.written(entries)

    def crash(self) -> int:
        """The power fails: keep what was synced and any part of the rest; returns how many transactions were lost."""
        kept = self.chance.randint(self._synced, len(self._log))
        lost = len(self._log) - kept
        self.connection.close()
        self.connection = _connect()
        self.connection.deserialize(self._base)
        self.connection.execute("PRAGMA foreign_keys=ON")
        del self._log[kept:]
        for entries in self._log:
            self.connection.execute("BEGIN")
            for name, params, is_many in entries:
                if is_many:
                    self.connection.executemany(self.sql[name], params)
                else:
                    self.connection.execute(self.sql[name], params).fetchall()
            self.connection.execute("COMMIT")
        self._synced = kept
        self.connection.execute(GUARD)
        return lost

    def ask(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """For the observer: at once, and seen by nobody."""
        return self.connection.execute(sql, params).fetchall()


class SimulatedDriver:
    """`store.database.Driver` of one process."""

    dialect = "sqlite"

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._process = process
        self.syncs = 0

    async def write(self, make_unit: MakeUnit[T], *, is_synced: bool = True) -> T:
        await self._wait()
        disk = self._disk
        if disk.is_full and is_synced:
            raise Unavailable("simulated: disk full", is_full=True)
        result = disk.run(make_unit, is_write=True, is_synced=is_synced)
        self.syncs += is_synced
        await self._answer()
        if disk.faults.unknown and disk.chance.random() < disk.faults.unknown:
            raise Unavailable("simulated: the connection was lost during COMMIT")
        return result

    async def read(self, make_unit: MakeUnit[T]) -> T:
        await self._wait()
        return self._disk.run(make_unit, is_write=False, is_synced=False)

    async def keep_days(self, wanted: Sequence[Day], contents_before: int, history_before: int) -> tuple[int, int]:
        """As SQLite, which is what runs here."""
        return 0, 0

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _wait(self) -> None:
        disk = self._disk
        await disk.loop.nap(disk.chance.uniform(0.1, 1.0) * disk.faults.latency_s)
        if disk.is_gone:
            await asyncio.sleep(disk.chance.choice((0.0, 0.0, 1.0)))
            raise Unavailable("simulated: the database does not answer")
        if disk.faults.fault and disk.chance.random() < disk.faults.fault:
            raise StoreFault("simulated: a fault")

    async def _answer(self) -> None:
        """Committed, and the caller does not know yet."""
        await self._disk.loop.nap(self._disk.chance.uniform(0.1, 1.0) * self._disk.faults.latency_s)


@cache
def _empty() -> bytes:
    """A new database, migrated."""
    connection = _connect()
    connection.execute(migrate.CREATE_RECORD)
    for step in migrate.load("sqlite"):
        for statement in step.statements:
            connection.execute(statement)
        connection.execute("INSERT INTO migration VALUES (?, ?, ?, ?)", (step.number, step.name, step.sha256, START_US))
    try:
        return connection.serialize()
    finally:
        connection.close()


def _connect() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=256)
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA foreign_keys=ON")
    return connection
