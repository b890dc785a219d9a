"""Shelf: files that people asked for. A job is made part by part; a worker that dies is followed by another at the same cursor."""

import zlib

from estafette.store.driver import Driver
from estafette.store.unit import Many, Rows, Unit
from estafette.views import ExportJob


class Exports:
    """`store.exports`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def order(self, account_id: int, user_name: str, kind: str, format_: str, query: str, cursor: int, now: int, keep_us: int) -> ExportJob:
        """A new job; those older than `keep_us` are forgotten with their files."""
        return await self._driver.write(lambda: _order(account_id, user_name, kind, format_, query, cursor, now, keep_us))

    async def find(self, account_id: int, job_id: int) -> ExportJob | None:
        """One job of an account."""
        rows = await self._driver.read(lambda: _rows("export_get", (account_id, job_id)))
        return rows[0] if rows else None

    async def newest(self, account_id: int, limit: int = 20) -> list[ExportJob]:
        """The newest jobs of an account."""
        return await self._driver.read(lambda: _rows("export_list", (account_id, limit)))

    async def claim(self, now: int, until: int) -> ExportJob | None:
        """The oldest job that waits and that nobody works on. Unsynced."""
        rows = await self._driver.write(lambda: _rows("export_claim", (now, until)), is_synced=False)
        return rows[0] if rows else None

    async def advance(self, job: ExportJob, cursor: int, data: bytes, rows: int, until: int, finished_at: int | None) -> bool:
        """Put a part that was made from `job.cursor` on; False when somebody else was faster."""
        state = "waiting" if finished_at is None else "done"
        return await self._driver.write(lambda: _advance(job.id, job.cursor, cursor, data, rows, until, state, finished_at))

    async def fail(self, job_id: int, now: int) -> None:
        """It cannot be made."""
        await self._driver.write(lambda: _run("export_fail", (job_id, now)))

    async def part(self, job_id: int, number: int) -> bytes | None:
        """One part of the file, from 1 on."""
        return await self._driver.read(lambda: _part(job_id, number))


def _rows(query: str, params: tuple[object, ...]) -> Unit[list[ExportJob]]:
    return [ExportJob(*row) for row in (yield Rows(query, params))]


def _run(query: str, params: tuple[object, ...]) -> Unit[None]:
    yield Many(query, [params])


def _order(account_id: int, user_name: str, kind: str, format_: str, query: str, cursor: int, now: int, keep_us: int) -> Unit[ExportJob]:
    yield Many("export_parts_forget", [(now - keep_us,)])
    yield Many("export_forget", [(now - keep_us,)])
    return ExportJob(*(yield Rows("export_put", (account_id, user_name, kind, format_, query, cursor, now)))[0])


def _advance(job_id: int, before: int, after: int, data: bytes, rows: int, until: int, state: str, finished_at: int | None) -> Unit[bool]:
    found = yield Rows("export_advance", (job_id, before, after, rows, len(data), until, state, finished_at))
    if found:
        yield Many("export_part_put", [(job_id, found[0][0], zlib.compress(data, 6))])
    return bool(found)


def _part(job_id: int, number: int) -> Unit[bytes | None]:
    rows = yield Rows("export_part_get", (job_id, number))
    return zlib.decompress(bytes(rows[0][0])) if rows else None
