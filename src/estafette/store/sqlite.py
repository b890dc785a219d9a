"""SQLite driver: one writer thread that runs whole units, a few reader threads, and group commit.

The writer takes every unit that is waiting, runs them in one transaction (each in a savepoint of its own, so that one unit's fault is its
alone) and commits once: many accepts share a disk sync, a lone one waits for nobody. `journal_mode=WAL`, `synchronous=FULL`: a returned
commit is on stable storage. A transaction made of *unsynced* units only (claims, heartbeats) commits without a sync; the next synced
commit carries it along, and a power cut can only undo it.

Several processes write one file. SQLite's own waiting for the write lock is a sleep that grows to 100 ms and knows no turns, so writers take
turns by `flock` on `<file>.lock` first.
"""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from estafette.store import migrate, queries
from estafette.store.batch import Unavailable
from estafette.store.days import Day
from estafette.store.seam import StoreFault
from estafette.store.unit import MakeUnit, Many, Statement

T = TypeVar("T")
GROUP_LIMIT = 256
READERS = 2
BUSY_TIMEOUT_S = 10.0
WHO_MUST_WRITE = "; the user that Estafette runs as must be able to write this file and to make others beside it"
_READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_UNAVAILABLE = (
    *_READ_ONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
)


@dataclass(slots=True)
class _Job:
    make_unit: MakeUnit[Any]
    is_synced: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class SqliteDriver:
    """Runs units on one SQLite file. Built by `opening.open_store`."""

    dialect = "sqlite"

    def __init__(self, path: str, now_us: Callable[[], int]) -> None:
        self._path = path
        self._sql = queries.load("sqlite")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        with self._faults():
            self._lock_fd = os.open(path + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self.syncs = 0  # synced commits so far: what the benchmarks divide by
        try:
            with self._faults(), self._turn():
                connection = self._connect()
                self._migrate(connection, now_us)
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._writer = threading.Thread(target=self._write_loop, args=(connection,), name="sqlite-writer", daemon=True)
        self._writer.start()
        self._local = threading.local()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._open_readers: list[sqlite3.Connection] = []

    async def write(self, make_unit: MakeUnit[T], *, is_synced: bool = True) -> T:
        """One unit, one transaction (shared with whoever is waiting too)."""
        loop = asyncio.get_running_loop()
        job = _Job(make_unit, is_synced, loop, loop.create_future())
        self._jobs.put(job)
        result: T = await job.future
        return result

    async def read(self, make_unit: MakeUnit[T]) -> T:
        """One unit on a reader connection: a consistent snapshot, never waiting for the writer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, make_unit)

    async def keep_days(self, wanted: Sequence[Day], contents_before: int, history_before: int) -> tuple[int, int]:
        """SQLite has no partitions: (0, 0)."""
        return 0, 0

    async def close(self) -> None:
        """Run what is waiting, then close."""
        self._jobs.put(None)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.join)
        self._readers.shutdown(wait=True)
        for connection in self._open_readers:
            connection.close()
        os.close(self._lock_fd)

    # -- threads --------------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-32768")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        return connection

    def _migrate(self, connection: sqlite3.Connection, now_us: Callable[[], int]) -> None:
        connection.execute(migrate.CREATE_RECORD)
        applied = connection.execute("SELECT number, sha256 FROM migration").fetchall()
        for step in migrate.pending(migrate.load("sqlite"), applied):
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement in step.statements:
                    connection.execute(statement)
                connection.execute("INSERT INTO migration VALUES (?, ?, ?, ?)", (step.number, step.name, step.sha256, now_us()))
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _faults(self) -> Generator[None, None, None]:
        """Map SQLite's errors to the room's one, with the file and what a person can do."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            is_read_only = code in _READ_ONLY
            kind = Unavailable if code in _UNAVAILABLE else StoreFault
            raise kind(
                f"SQLite {self._path}: {error}{WHO_MUST_WRITE if is_read_only else ''}", is_full=code == sqlite3.SQLITE_FULL, is_read_only=is_read_only
            ) from error
        except OSError as error:
            is_read_only = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
            text = f"SQLite {error.filename or self._path}: {error.strerror or error}{WHO_MUST_WRITE if is_read_only else ''}"
            raise Unavailable(text, is_full=error.errno in (errno.ENOSPC, errno.EDQUOT), is_read_only=is_read_only) from error

    @contextlib.contextmanager
    def _turn(self) -> Generator[None, None, None]:
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _write_loop(self, connection: sqlite3.Connection) -> None:
        is_open = True
        while is_open:
            job = self._jobs.get()
            if job is None:
                break
            with self._turn():  # those who come while we wait for our turn join this group
                group = [job]
                while len(group) < GROUP_LIMIT:
                    try:
                        job = self._jobs.get_nowait()
                    except queue.Empty:
                        break
                    if job is None:
                        is_open = False
                        break
                    group.append(job)
                answers = self._commit(connection, group)
            _tell(answers)
        connection.close()

    def _commit(self, connection: sqlite3.Connection, group: list[_Job]) -> list[tuple[_Job, Any, BaseException | None]]:
        answers: list[tuple[_Job, Any, BaseException | None]] = []
        is_synced = any(job.is_synced for job in group)
        try:
            with self._faults():
                if not is_synced:
                    connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute("BEGIN IMMEDIATE")
            for job in group:
                answers.append(self._run_guarded(connection, job, is_alone=len(group) == 1))
            with self._faults():
                connection.execute("COMMIT")
            self.syncs += is_synced
        except BaseException as fault:
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            return [(job, None, fault) for job in group]
        finally:
            if not is_synced:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("PRAGMA synchronous=FULL")
        return answers

    def _run_guarded(self, connection: sqlite3.Connection, job: _Job, *, is_alone: bool) -> tuple[_Job, Any, BaseException | None]:
        """A unit in its savepoint. A fault that ended the whole transaction (disk full) is raised, any other is the unit's own."""
        if is_alone:
            with self._faults():
                return job, self._run(connection, job.make_unit), None
        connection.execute("SAVEPOINT unit")
        try:
            with self._faults():
                result = self._run(connection, job.make_unit)
        except BaseException as fault:
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            return job, None, fault
        connection.execute("RELEASE unit")
        return job, result, None

    def _read(self, make_unit: MakeUnit[T]) -> T:
        with self._faults():
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._connect()
                self._open_readers.append(connection)
                connection.execute("PRAGMA query_only=ON")
                self._local.connection = connection
            connection.execute("BEGIN")
            try:
                return self._run(connection, make_unit)
            finally:
                connection.execute("COMMIT")

    def _run(self, connection: sqlite3.Connection, make_unit: MakeUnit[T]) -> T:
        unit = make_unit()
        try:
            statement = next(unit)
            while True:
                statement = unit.send(self._execute(connection, statement))
        except StopIteration as end:
            result: T = end.value
            return result

    def _execute(self, connection: sqlite3.Connection, statement: Statement) -> Any:
        sql = self._sql[statement.name]
        if isinstance(statement, Many):
            connection.executemany(sql, statement.rows)
            return None
        params = [json.dumps(p) if isinstance(p, list) else p for p in statement.params]
        return connection.execute(sql, params).fetchall()


def _tell(answers: list[tuple[_Job, Any, BaseException | None]]) -> None:
    """Hand results to the event loops, one wake-up per loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, BaseException | None]]] = {}
    for job, result, fault in answers:
        by_loop.setdefault(job.loop, []).append((job.future, result, fault))
    for loop, ready in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, ready)


def _resolve(ready: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, fault in ready:
        if future.cancelled():
            continue
        if fault is None:
            future.set_result(result)
        else:
            future.set_exception(fault)
