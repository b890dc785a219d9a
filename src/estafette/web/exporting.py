"""Exports: a form orders a file, a worker makes it part by part, a page shows how far it is, and the file is streamed when it is done."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import parse_qsl

from starlette.responses import Response, StreamingResponse

from estafette import maillog
from estafette.clock import DAY_US, SECOND_US, Clock
from estafette.config import Tracking
from estafette.store.screens import NEWEST
from estafette.store.seam import Store, StoreFault
from estafette.views import ExportJob
from estafette.web.choosing import choice_of, read_filters
from estafette.web.desk import HEADERS, NOT_FOUND, Refused, Visit
from estafette.web.figures import FiguresDesk, measured
from estafette.web.report import read_period
from estafette.web.rows import block_row, encoded, figures_row, message_row

PART: Final = 1000
LEASE_US: Final = 60 * SECOND_US
LOOK_EVERY_S: Final = 5.0
KEEP_US: Final = 7 * DAY_US
KINDS: Final = ("messages", "blocks", "statistics")
FORMATS: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class Exporter:
    """Makes the files, one at a time. One per worker process; workers share the jobs out by leases."""

    def __init__(self, store: Store, clock: Clock, tracking: Tracking) -> None:
        self._store = store
        self._tracking = tracking  # what accounts measure that say nothing of it
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was ordered here."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled, between two parts or while it waits; the next worker goes on at the same place."""
        while True:
            self._woken.clear()
            try:
                job = await self._store.exports.claim(self._clock.now_us(), self._clock.now_us() + LEASE_US)
                while job is not None:
                    job = await self._advance(job)
            except StoreFault as fault:
                maillog.fault("export", "", fault)
            except Exception as fault:  # outermost frame of the loop
                maillog.fault("export", "", fault)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _advance(self, job: ExportJob) -> ExportJob | None:
        """One part more; the job as it stands then, None when it is done or somebody else has it."""
        try:
            rows, cursor = await self._rows(job)
        except ValueError as fault:
            maillog.fault("export", str(job.id), fault)
            await self._store.exports.fail(job.id, self._clock.now_us())
            return None
        now = self._clock.now_us()
        data = encoded(job.kind, job.format, rows, is_first=job.parts == 0)
        if not await self._store.exports.advance(job, cursor, data, len(rows), now + LEASE_US, None if cursor else now):
            return None
        return await self._store.exports.find(job.account_id, job.id) if cursor else None

    async def _rows(self, job: ExportJob) -> tuple[list[tuple[str | int | None, ...]], int]:
        """(rows of the next part, where the one after it begins; 0 = nowhere)."""
        if job.kind == "blocks":
            blocks = await self._store.screens.blocks(job.account_id, job.created_at, before=job.cursor, limit=PART)
            return [block_row(b) for b in blocks], blocks[-1].id if len(blocks) == PART else 0
        pairs = parse_qsl(job.query)
        if job.kind == "statistics":
            period = read_period(dict(pairs), job.created_at, "30d")
            opens = (await measured(self._store, job.account_id, self._tracking)).opens
            desk = FiguresDesk(self._store, job.account_id, opens, dict(pairs).get("source") or None)
            return [figures_row(at, f) for at, f in zip(period.buckets, await desk.series(period), strict=True)], 0
        filters = read_filters(dict(pairs), [value for name, value in pairs if name == "status"], job.created_at)
        log = await self._store.screens.log(job.account_id, choice_of(filters), before=job.cursor, limit=PART)
        return [message_row(line) for line in log.lines], log.older or 0


async def order(visit: Visit) -> Response:
    """A new job; its page opens."""
    kind, format_ = visit.given("kind"), visit.given("format")
    if kind not in KINDS or format_ not in FORMATS:
        raise Refused(400)
    query = visit.given("query", 2000)
    job = await visit.store.exports.order(visit.account_id, visit.user_name, kind, format_, query, NEWEST, visit.now, KEEP_US)
    await visit.note("export", f"{kind}.{format_}", query)
    visit.desk.wake_exports()
    return visit.go(visit.url(f"exports/{job.id}"))


async def exports(visit: Visit) -> Response:
    """The jobs of the last days."""
    return visit.page("exports.html", jobs=await visit.store.exports.newest(visit.account_id))


async def export(visit: Visit) -> Response:
    """One job: how far it is, then the file."""
    return visit.page("export.html", job=await _found(visit))


async def download(visit: Visit) -> Response:
    """The file of a job that is done."""
    job = await _found(visit)
    if job.state != "done":
        raise Refused(NOT_FOUND)
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="estafette-{job.kind}-{job.id}.{job.format}"', "Content-Length": str(job.size_bytes)}
    return StreamingResponse(_parts(visit.store, job), 200, headers, FORMATS[job.format])


async def _parts(store: Store, job: ExportJob) -> AsyncIterator[bytes]:
    for number in range(1, job.parts + 1):
        part = await store.exports.part(job.id, number)
        if part is None:  # forgotten meanwhile: the length tells the browser that the file is not whole
            return
        yield part


async def _found(visit: Visit) -> ExportJob:
    job = await visit.store.exports.find(visit.account_id, int(visit.request.path_params["id"]))
    if job is None:
        raise Refused(NOT_FOUND)
    return job
