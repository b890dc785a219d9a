"""What a worker looks at every second beside the mail: deadlines, what people stopped, the shaping file; and what it tells about itself.

    sweeper = Sweeper(...); await sweeper.run()      # until cancelled
    sweeper.stops                                     # what is stopped now
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from estafette import maillog
from estafette.clock import DAY_US, SECOND_US, Clock
from estafette.deliver.reporting import Shown, path_reports
from estafette.deliver.shaping_watch import ShapingWatch
from estafette.model import Claimed, Outcome, OutcomeKind
from estafette.nouns import TlsResult, WorkerReport
from estafette.queue.holds import Stops
from estafette.queue.latency import Latencies, stream_of
from estafette.queue.shaper import Shaper
from estafette.store.seam import Store

EVERY_S: Final = 1.0
REPORT_S: Final = 2.0
EXPIRE_LIMIT: Final = 500


class Sweeper:
    """See the module. `reshaped` is called when other limits hold, `woken` when there may be something to do."""

    def __init__(self, store: Store, clock: Clock, worker_id: int, shaper: Shaper, shaping: ShapingWatch, tls_results: Counter[TlsResult],
                 paths: Callable[[], Iterable[Shown]], reshaped: Callable[[], None]) -> None:  # fmt: skip
        self.stops = Stops()
        self.shaping = shaping
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._shaper = shaper
        self._tls_results = tls_results
        self._paths = paths
        self._reshaped = reshaped
        self._latencies = Latencies()
        self._told_s = 0.0

    def note(self, claim: Claimed, outcome: Outcome) -> None:
        """An outcome was written: how long first attempts take is part of what is told."""
        if outcome.kind is OutcomeKind.DELIVERED and not claim.attempts:
            self._latencies.add(stream_of(claim), (outcome.at - claim.due_at) / SECOND_US, self._clock.monotonic())

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            try:
                await self._look()
            except Exception as fault:  # outermost frame: what could not be looked at now is looked at in a second
                maillog.fault("sweep", str(self._worker_id), fault)
            await asyncio.sleep(EVERY_S)

    async def _look(self) -> None:
        if self.shaping.look():
            self._shaper.reload(self.shaping.table, self._clock.monotonic())
            self._reshaped()
        self.stops = Stops(await self._store.holds.all())
        purged = self.stops.has_purge
        while purged:
            purged = bool(await self._store.holds.work(self._clock.now_us(), EXPIRE_LIMIT))
        while given_up := await self._store.expire(self._clock.now_us(), EXPIRE_LIMIT):
            maillog.given_up(given_up)
        if self._clock.monotonic() - self._told_s >= REPORT_S:
            self._told_s = self._clock.monotonic()
            await self._store.standing.put(self._worker_id, self._report())
            if self._tls_results:
                counts = dict(self._tls_results)
                self._tls_results.clear()
                await self._store.tls.count(self._clock.now_us() // DAY_US, counts)

    def _report(self) -> WorkerReport:
        now, now_s = self._clock.now_us(), self._clock.monotonic()
        return WorkerReport(str(self._worker_id), now, tuple(path_reports(self._paths(), self._shaper, now, now_s)),
                            tuple(self._latencies.report(self._shaper.table.objectives)), self.shaping.problems)  # fmt: skip
