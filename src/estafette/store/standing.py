"""Shelf: what workers say of themselves, and what people ask about the queue beside it."""

import msgspec

from estafette.nouns import DomainBacklog, StreamBacklog, WorkerReport
from estafette.store.unit import Many, Rows, Runner, Unit

_DECODER = msgspec.json.Decoder(WorkerReport)


class Standing:
    """`store.standing`."""

    def __init__(self, driver: Runner) -> None:
        self._driver = driver

    async def put(self, worker_id: int, report: WorkerReport) -> None:
        """Replace the report of a worker. Unsynced."""
        data = msgspec.json.encode(report).decode()
        await self._driver.write(lambda: _put(worker_id, report.at, data), is_synced=False)

    async def all(self) -> list[WorkerReport]:
        """Of the workers that are registered; each says when it was made."""
        return await self._driver.read(_all)

    async def of_domain(self, domain: str, now: int) -> list[DomainBacklog]:
        """What waits for a destination, by site. For people: it looks at the whole queue."""
        return await self._driver.read(lambda: _of_domain(domain, now))

    async def by_stream(self, now: int) -> list[StreamBacklog]:
        """What waits, by kind of mail. For people: it looks at the whole queue."""
        return await self._driver.read(lambda: _by_stream(now))


def _put(worker_id: int, at: int, data: str) -> Unit[None]:
    yield Many("worker_reports_forget", [()])
    yield Many("worker_report_put", [(worker_id, at, data)])


def _all() -> Unit[list[WorkerReport]]:
    return [_DECODER.decode(data) for _, _, data in (yield Rows("worker_reports"))]


def _of_domain(domain: str, now: int) -> Unit[list[DomainBacklog]]:
    return [DomainBacklog(*row) for row in (yield Rows("backlog_of_domain", (domain, now)))]


def _by_stream(now: int) -> Unit[list[StreamBacklog]]:
    return [StreamBacklog(*row) for row in (yield Rows("backlog_by_stream", (now,)))]
