"""Works jobs on many contacts off, one at a time per worker process: take the oldest, do it piece by piece, close it.

A piece and its progress are one transaction; a job whose worker died is taken up by another behind the last piece that was done.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec

from estafette import maillog
from estafette.audience import ContactChange, ContactJob, ContactProperty, JobStatus, ListAction, PropertyKind, Trace
from estafette.clock import DAY_US, SECOND_US, Clock
from estafette.newsletters.contact_values import MAX_PROPERTIES, is_name
from estafette.newsletters.import_rows import CHUNK, ImportReader
from estafette.newsletters.job_entries import Piece, read_entries, read_rows
from estafette.newsletters.table_files import Row
from estafette.store.seam import Store

PIECE: Final = 500
LEASE_S: Final = 60
POLL_S: Final = 1.0
KEEP_UPLOADS_US: Final = 7 * DAY_US


class Spoilt(Exception):
    """The job as a whole cannot be done; the text says why."""


class Jobber:
    """One per worker process."""

    def __init__(self, store: Store, clock: Clock, worker_id: int) -> None:
        self._store = store
        self._clock = clock
        self._worker_id = worker_id

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if not await self.work():
                    await asyncio.sleep(POLL_S)
            except Exception as fault:  # outermost frame of the loop: the lease runs out and the job is taken up again
                maillog.fault("jobs", str(self._worker_id), fault)
                await asyncio.sleep(POLL_S)

    async def work(self, job_id: int | None = None) -> bool:
        """One job (that of an id) from where it stands to its end; False when there is none to do."""
        now = self._clock.now_us()
        job = await self._store.contact_jobs.claim(self._worker_id, now, now + LEASE_S * SECOND_US, job_id)
        if job is None:
            return False
        try:
            is_over = await self._do(job)
        except Spoilt as spoilt:
            await self._store.contact_jobs.end(job.id, self._worker_id, JobStatus.FAILED, str(spoilt), self._clock.now_us())
        else:
            if is_over:
                await self._store.contact_jobs.end(job.id, self._worker_id, JobStatus.COMPLETED, "", self._clock.now_us())
        await self._store.contact_jobs.forget_uploads(self._clock.now_us() - KEEP_UPLOADS_US)
        return True

    async def _do(self, job: ContactJob) -> bool:
        """False when it is no longer ours to close (aborted, or another worker has it)."""
        lists = {number: ListAction(action) for number, action in job.orders.lists}
        trace = Trace("import" if job.kind == "csv" else "job", f"job {job.id}", words=job.orders.statement)
        total = job.total
        async for done, piece in self._pieces(job):
            now = self._clock.now_us()
            total = max(total, done)
            errors = await self._store.contact_jobs.advance(job, self._worker_id, piece.changes, lists, trace, piece.errors, done, total, now,
                                                            now + LEASE_S * SECOND_US)  # fmt: skip
            if errors is None:
                await self._see_why(job, lists)
                return False
            if job.orders.max_errors and errors > job.orders.max_errors:
                raise Spoilt(f"more than {job.orders.max_errors} entries could not be taken")
            job = replace(job, done=done, total=total)
        return True

    async def _see_why(self, job: ContactJob, lists: dict[int, ListAction]) -> None:
        """A piece was not written: spoilt when one of its lists is gone, else the job is no longer ours."""
        for number in lists:
            found = await self._store.contacts.find_list(job.account_id, number)
            if found is None or found.deleted_at is not None:
                raise Spoilt(f"list {number} is not there any more")

    def _pieces(self, job: ContactJob) -> AsyncIterator[tuple[int, Piece]]:
        match job.kind:
            case "csv":
                return self._of_file(job)
            case "list":
                return self._of_list(job)
            case _:
                return self._of_entries(job)

    async def _known(self, job: ContactJob) -> dict[str, ContactProperty]:
        return {one.name.lower(): one for one in await self._store.contacts.properties(job.account_id)}

    async def _upload(self, job: ContactJob) -> bytes:
        data = await self._store.contact_jobs.uploaded(job.account_id, job.upload_id)
        if data is None:
            raise Spoilt("the uploaded data is not there")
        return data

    async def _of_entries(self, job: ContactJob) -> AsyncIterator[tuple[int, Piece]]:
        entries: list[object] = msgspec.json.decode(await self._upload(job), type=list)
        known = await self._known(job)
        for start in range(job.done, len(entries), PIECE):
            piece = entries[start : start + PIECE]
            yield start + len(piece), read_entries(piece, start + 1, known, job.orders.excludes)

    async def _of_list(self, job: ContactJob) -> AsyncIterator[tuple[int, Piece]]:
        """By the contacts' ids; those before the place where the job stands are passed over once."""
        after, done = 0, 0
        while True:
            page = await self._store.contacts.of_list(job.account_id, job.orders.source_list, after=after, limit=PIECE, is_unsubscribed=False)
            if not page:
                return
            after, done = page[-1].id, done + len(page)
            if done > job.done:
                yield done, Piece([ContactChange(one.address, one.address_key) for one in page])

    async def _of_file(self, job: ContactJob) -> AsyncIterator[tuple[int, Piece]]:
        reader = ImportReader(job.orders)
        known: dict[str, ContactProperty] | None = None
        done, waiting = 0, list[Row]()
        async for octets in self._octets(job):
            waiting += await asyncio.to_thread(reader.finish if octets is None else partial(reader.feed, octets))
            if not reader.names:
                continue
            if known is None:
                known = await self._made_known(job, [name for number, name in enumerate(reader.names) if number != reader.column])
            while len(waiting) >= PIECE or (octets is None and waiting):
                rows, waiting = waiting[:PIECE], waiting[PIECE:]
                done += len(rows)
                if done > job.done:
                    yield done, await asyncio.to_thread(read_rows, rows, reader.column, reader.names, done - len(rows) + 1, known, job.orders.excludes)
        if not reader.names:
            raise Spoilt("the file has no header row")

    async def _octets(self, job: ContactJob) -> AsyncIterator[bytes | None]:
        """The uploaded file, None behind its end."""
        piece, position = await self._upload(job), 0
        while piece:
            for start in range(0, len(piece), CHUNK):
                yield piece[start : start + CHUNK]
            position += 1
            piece = await self._store.contact_jobs.piece(job.account_id, job.upload_id, position) or b""
        yield None

    async def _made_known(self, job: ContactJob, names: list[str]) -> dict[str, ContactProperty]:
        """The account's properties, those that the header names and that were not there made as texts."""
        known = await self._known(job)
        for name in names:
            if name not in known and is_name(name) and len(known) < MAX_PROPERTIES:
                await self._store.contacts.add_property(job.account_id, name, PropertyKind.STR, self._clock.now_us())
                known = await self._known(job)
        return known

