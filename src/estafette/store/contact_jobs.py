"""Shelf: work on many contacts, done piece by piece. A piece's changes and the progress that it makes are one write, so a job that is taken up
again by another worker goes on exactly where it stood."""

from collections.abc import Mapping, Sequence

import msgspec

from estafette.audience import ContactChange, ContactJob, JobError, JobOrders, JobStatus, ListAction, Trace
from estafette.store.contacts import apply
from estafette.store.driver import Driver
from estafette.store.unit import Many, Row, Rows, Unit


class ContactJobs:
    """`store.contact_jobs`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def upload(self, account_id: int, list_id: int, data: bytes, now: int) -> int:
        """Keep a file for a job to come; its id."""
        return await self._driver.write(lambda: _upload(account_id, list_id, data, now))

    async def uploaded(self, account_id: int, upload_id: int) -> bytes | None:
        """The file; None when there is none, or no longer."""
        return await self._driver.read(lambda: _uploaded(account_id, upload_id))

    async def add_piece(self, upload_id: int, position: int, data: bytes) -> None:
        """A further piece of a file, from 1 on."""
        await self._driver.write(lambda: _add_piece(upload_id, position, data))

    async def piece(self, account_id: int, upload_id: int, position: int) -> bytes | None:
        """A further piece of a file; None behind the last."""
        return await self._driver.read(lambda: _piece(account_id, upload_id, position))

    async def forget_uploads(self, before: int) -> None:
        """Drop files that are older and that no unfinished job needs."""
        await self._driver.write(lambda: _forget(before))

    async def create(self, job: ContactJob, now: int, data: bytes = b"") -> ContactJob:
        """A new job, with the file that it reads when it is not uploaded yet."""
        return await self._driver.write(lambda: _create(job, now, data))

    async def find(self, account_id: int, job_id: int) -> ContactJob | None:
        """By its id."""
        return await self._driver.read(lambda: _find(account_id, job_id))

    async def page(self, account_id: int, kind: str | None = None, after: int = 0, limit: int = 1000) -> list[ContactJob]:
        """By id upward."""
        return await self._driver.read(lambda: _page(account_id, kind, after, limit))

    async def newest(self, account_id: int, limit: int) -> list[ContactJob]:
        """By id downward."""
        return await self._driver.read(lambda: _newest(account_id, limit))

    async def claim(self, worker_id: int, now: int, until: int, job_id: int | None = None) -> ContactJob | None:
        """Take the oldest job that nobody works on, or the one of that id; None when there is none."""
        return await self._driver.write(lambda: _claim(worker_id, now, until, job_id))

    async def advance(self, job: ContactJob, worker_id: int, changes: Sequence[ContactChange], lists: Mapping[int, ListAction], trace: Trace,
                      errors: Sequence[JobError], done: int, total: int, now: int, until: int) -> int | None:  # fmt: skip
        """One piece of a job: its changes, its errors, and that `done` entries are behind it. The number of errors so far; None, and nothing is written,
        when the job is no longer this worker's, was aborted, or one of the lists is gone."""
        return await self._driver.write(lambda: _advance(job, worker_id, changes, lists, trace, errors, done, total, now, until))

    async def end(self, job_id: int, worker_id: int, status: JobStatus, problem: str, now: int) -> bool:
        """Close a job; False when it is no longer this worker's."""
        return await self._driver.write(lambda: _end(job_id, worker_id, status, problem, now))

    async def abort(self, account_id: int, job_id: int, now: int) -> bool:
        """Stop it before its next piece; False when there is none that is unfinished."""
        return await self._driver.write(lambda: _abort(account_id, job_id, now))

    async def pause(self, account_id: int, job_id: int, *, is_paused: bool) -> bool:
        """Let it wait before its next piece, or go on; False when it is over, or does so already."""
        return await self._driver.write(lambda: _pause(account_id, job_id, int(is_paused)))

    async def errors(self, account_id: int, job_id: int, after: int = 0, limit: int = 10_000) -> list[JobError]:
        """Entries that were not taken, by position."""
        return await self._driver.read(lambda: _errors(account_id, job_id, after, limit))


def _job(row: Row) -> ContactJob:
    orders = msgspec.json.decode(row[3], type=JobOrders)
    return ContactJob(row[0], row[1], row[2], orders, row[4], JobStatus(row[5]), row[6], row[7], row[8], row[9], row[10], row[11], row[12], bool(row[13]))


def _upload(account_id: int, list_id: int, data: bytes, now: int) -> Unit[int]:
    number: int = (yield Rows("upload_put", (account_id, list_id, data, now)))[0][0]
    return number


def _uploaded(account_id: int, upload_id: int) -> Unit[bytes | None]:
    rows = yield Rows("upload_get", (account_id, upload_id))
    return bytes(rows[0][0]) if rows else None


def _add_piece(upload_id: int, position: int, data: bytes) -> Unit[None]:
    yield Many("upload_piece_put", [(upload_id, position, data)])


def _piece(account_id: int, upload_id: int, position: int) -> Unit[bytes | None]:
    rows = yield Rows("upload_piece_get", (account_id, upload_id, position))
    return bytes(rows[0][0]) if rows else None


def _forget(before: int) -> Unit[None]:
    yield Many("upload_pieces_forget", [(before,)])
    yield Many("uploads_forget", [(before,)])


def _create(job: ContactJob, now: int, data: bytes) -> Unit[ContactJob]:
    upload_id = job.upload_id
    if data:
        upload_id = (yield Rows("upload_put", (job.account_id, 0, data, now)))[0][0]
    rows = yield Rows("job_put", (job.account_id, job.kind, msgspec.json.encode(job.orders).decode(), upload_id, job.total, now))
    return _job(rows[0])


def _find(account_id: int, job_id: int) -> Unit[ContactJob | None]:
    rows = yield Rows("job_get", (account_id, job_id))
    return _job(rows[0]) if rows else None


def _page(account_id: int, kind: str | None, after: int, limit: int) -> Unit[list[ContactJob]]:
    return [_job(row) for row in (yield Rows("jobs", (account_id, after, kind, limit)))]


def _newest(account_id: int, limit: int) -> Unit[list[ContactJob]]:
    return [_job(row) for row in (yield Rows("jobs_newest", (account_id, limit)))]


def _claim(worker_id: int, now: int, until: int, job_id: int | None) -> Unit[ContactJob | None]:
    rows = yield Rows("job_claim", (worker_id, now, until, job_id))
    return _job(rows[0]) if rows else None


def _advance(job: ContactJob, worker_id: int, changes: Sequence[ContactChange], lists: Mapping[int, ListAction], trace: Trace, errors: Sequence[JobError],
             done: int, total: int, now: int, until: int) -> Unit[int | None]:  # fmt: skip
    rows = yield Rows("job_move", (job.id, worker_id, job.done, done, total, len(errors), until))
    if not rows:
        return None
    if (yield from apply(job.account_id, changes, lists, trace, now, job.orders.keeps_known)) is None:
        yield Many("job_move_back", [(job.id, job.done, len(errors))])
        return None
    yield Many("job_error_put", [(job.id, error.position, error.entry, error.reason) for error in errors])
    total_errors: int = rows[0][0]
    return total_errors


def _end(job_id: int, worker_id: int, status: JobStatus, problem: str, now: int) -> Unit[bool]:
    return bool((yield Rows("job_end", (job_id, worker_id, status.value, problem, now))))


def _abort(account_id: int, job_id: int, now: int) -> Unit[bool]:
    return bool((yield Rows("job_abort", (account_id, job_id, now))))


def _pause(account_id: int, job_id: int, is_paused: int) -> Unit[bool]:
    return bool((yield Rows("job_pause", (account_id, job_id, is_paused))))


def _errors(account_id: int, job_id: int, after: int, limit: int) -> Unit[list[JobError]]:
    return [JobError(*row) for row in (yield Rows("job_errors", (account_id, job_id, after, limit)))]
