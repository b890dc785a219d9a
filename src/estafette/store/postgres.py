"""PostgreSQL driver: units over asyncpg, one transaction each; PostgreSQL itself groups the syncs of concurrent commits.

`synchronous_commit` is on (or `off` for a unit that may be undone by a power cut). `?statement_cache_size=0` in the URL is for PgBouncer in
transaction mode: no statement is prepared for longer than a transaction, and no setting is made for a session. A unit that lost to a
concurrent one (serialisation, deadlock, a key that the other wrote first) runs again from the start, a few times.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import asyncpg

from estafette.store import days, migrate, queries
from estafette.store.batch import Unavailable
from estafette.store.days import Day
from estafette.store.seam import StoreFault
from estafette.store.unit import MakeUnit, Many, Statement

T = TypeVar("T")
ATTEMPTS = 10
"""Of a unit that loses to concurrent ones: as many as may want the same row at once, and a few."""
COLUMNS = "unnest($1::"
"""In the text of a statement for many rows: it takes them all at once, as one array per column."""
MIGRATION_LOCK = 0x65737461  # "esta": one process migrates at a time
COMMAND_TIMEOUT_S = 60.0
SILENT_S = 5
"""So long a process may say nothing within a transaction; then PostgreSQL ends it: one that is stopped or cut off keeps no row locked for the others."""

PARTITIONS = r"""
SELECT name, (part).b[1], (part).b[2] FROM (
  SELECT c.relname AS name, regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''?(\d+)''?\) TO \(''?(\d+)''?\)') AS b
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1)) part WHERE b IS NOT NULL"""
"""The days of a table: name, first id, end. The partition of what was there before, and the rest, have no two numbers."""
PARTITION_MADE = "violates partition constraint"
"""A row was on its way into the rest of a table while its day's partition was made: the next attempt finds that."""
STILL_NEEDED = {
    "content": "SELECT EXISTS (SELECT 1 FROM queue WHERE submission_id >= $1 AND submission_id < $2)",
    "event": "SELECT EXISTS (SELECT 1 FROM message WHERE id >= $1 AND id < $2)",
}
"""Whether a day must stay although it is past."""

_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.UniqueViolationError)
_FULL = (asyncpg.DiskFullError, asyncpg.OutOfMemoryError)
_READ_ONLY = (asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError)
_ITEMS_OWN = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""What is wrong with one item of a batch; everything else is the database's trouble."""
FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError, TimeoutError)


class PostgresDriver:
    """Runs units on one PostgreSQL database. Built by `opening.open_store`."""

    dialect = "postgres"

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._sql = queries.load("postgres")
        self.syncs = 0

    @classmethod
    async def open(cls, url: str, now_us: int, connections: int = 8) -> "PostgresDriver":
        """Connect, migrate under an advisory lock, and return a driver."""
        try:
            pool = await asyncpg.create_pool(**connection_options(url), min_size=1, max_size=connections, command_timeout=COMMAND_TIMEOUT_S, reset=_nothing)
        except FAULTS as error:
            raise _fault(error) from error
        try:
            async with pool.acquire() as connection:
                async with connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
                    if await connection.fetchval("SELECT to_regclass('migration')") is None:  # a read-only database can still be read
                        await connection.execute(migrate.CREATE_RECORD)
                    applied = [tuple(r) for r in await connection.fetch("SELECT number, sha256 FROM migration")]
                    for step in migrate.pending(migrate.load("postgres"), applied):
                        for statement in step.statements:
                            await connection.execute(statement)
                        await connection.execute("INSERT INTO migration VALUES ($1, $2, $3, $4)", step.number, step.name, step.sha256, now_us)
        except BaseException as error:
            pool.terminate()
            if isinstance(error, FAULTS):
                raise _fault(error) from error
            raise
        return cls(pool)

    async def write(self, make_unit: MakeUnit[T], *, is_synced: bool = True) -> T:
        """One unit, one transaction."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    if not is_synced:
                        await connection.execute("SET LOCAL synchronous_commit = off")
                    result = await self._run(connection, make_unit)
                self.syncs += is_synced
                return result
            except (*_AGAIN, asyncpg.CheckViolationError) as error:
                if isinstance(error, asyncpg.CheckViolationError) and PARTITION_MADE not in str(error):
                    raise _fault(error) from error
                if attempt == ATTEMPTS:
                    raise StoreFault(f"PostgreSQL: {error}") from error
            except FAULTS as error:
                raise _fault(error) from error
        raise AssertionError("unreachable")

    async def read(self, make_unit: MakeUnit[T]) -> T:
        """One unit in one snapshot."""
        try:
            async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
                return await self._run(connection, make_unit)
        except FAULTS as error:
            raise _fault(error) from error

    async def keep_days(self, wanted: Sequence[Day], contents_before: int, history_before: int) -> tuple[int, int]:
        """Make the partitions of the `wanted` days that are missing, and drop the days that are past and that nothing waits for: contents of ids before
        `contents_before`, events before `history_before` of which no message is left. Returns (made, dropped).

        Each is a transaction of its own that waits for a lock a second at most: what does not get it is done in the next round.
        """
        made = dropped = 0
        try:
            async with self._pool.acquire() as connection:
                for table, before in (("content", contents_before), ("event", history_before)):
                    bounds = [(name, int(first), int(end)) for name, first, end in await connection.fetch(PARTITIONS, table)]
                    for day in days.missing(table, (name for name, _, _ in bounds), wanted):
                        made += await _within_a_second(connection, days.creation(table, day))
                    for day in days.past(table, bounds, before):
                        if not await connection.fetchval(STILL_NEEDED[table], day.first, day.end):
                            dropped += await _within_a_second(connection, [f"DROP TABLE {days.partition(table, day)}"])
        except FAULTS as error:
            raise _fault(error) from error
        return made, dropped

    async def close(self) -> None:
        """Let running units end, then disconnect."""
        try:
            await asyncio.wait_for(self._pool.close(), 10)
        except TimeoutError:
            self._pool.terminate()

    async def _run(self, connection: Any, make_unit: MakeUnit[T]) -> T:
        unit = make_unit()
        try:
            statement = next(unit)
            while True:
                statement = unit.send(await self._execute(connection, statement))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _execute(self, connection: Any, statement: Statement) -> Any:
        sql = self._sql[statement.name]
        if isinstance(statement, Many):
            if COLUMNS in sql:
                if statement.rows:
                    await connection.execute(sql, *zip(*statement.rows, strict=True))
            elif len(statement.rows) == 1:
                await connection.execute(sql, *statement.rows[0])
            else:
                await connection.executemany(sql, statement.rows)
            return None
        return [tuple(row) for row in await connection.fetch(sql, *statement.params)]


async def _nothing(_connection: Any) -> None:
    """Done with a connection that goes back to the pool: no unit leaves a setting, a lock or a cursor behind, so nothing has to be taken back (asyncpg's own
    reset is one more round trip for each transaction)."""


async def _within_a_second(connection: Any, statements: list[str]) -> bool:
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '1s'")
            for statement in statements:
                await connection.execute(statement)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.DuplicateTableError):  # the last: another worker was quicker
        return False
    return True


def connection_options(url: str) -> dict[str, Any]:
    """Arguments of asyncpg for a URL. What it does not know itself it would send to the server as a setting of the session."""
    address, _, query = url.partition("?")
    pairs = dict(parse_qsl(query))
    if (cache := pairs.pop("statement_cache_size", None)) is not None:
        return {"dsn": f"{address}?{urlencode(pairs)}", "statement_cache_size": int(cache)}
    return {"dsn": url, "server_settings": {"idle_in_transaction_session_timeout": f"{SILENT_S}s"}}


def _fault(error: BaseException) -> StoreFault:
    kind = StoreFault if isinstance(error, _ITEMS_OWN) else Unavailable
    words = str(error) or type(error).__name__  # a timeout says nothing of itself
    return kind(f"PostgreSQL: {words}", is_full=isinstance(error, _FULL), is_read_only=isinstance(error, _READ_ONLY))
