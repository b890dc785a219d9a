"""The reputation guard at work: judges the streams of every account by their counters, and sees to it that its orders hold.

One process at a time. Judging writes orders; holding is repeated, because retries come back into the queue. Mail that an order slows down is let go
in even portions.
"""

import asyncio
from typing import Final

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.facts import Axis, Cause, GuardOrder, Resolution, Step, Stream
from estafette.stats import guard_rules as rules
from estafette.stats.periods import WIDTH_US, pieces
from estafette.stats.rates import Figures, figures_of_counters
from estafette.stats.statcounters import added
from estafette.store.guard import RECOVERED
from estafette.store.seam import Store
from estafette.store.statistics import Selection

NAME: Final = "guard"
POLL_S: Final = 5.0
LEASE_S: Final = 30.0
HOUR_US: Final = 3600 * SECOND_US
RELEASED_AT_ONCE: Final = 10_000
ALL_CAMPAIGNS: Final = 100_000
_SLICE_US: Final = WIDTH_US[Resolution.FIVE_MINUTES]


class Watch:
    """One per worker process; only the one that has the lease works."""

    def __init__(self, store: Store, clock: Clock, worker_id: int) -> None:
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._portions: dict[int, float] = {}  # SLOW order → messages that may go
        self._portioned_s = clock.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self.turn()
                except Exception as fault:  # outermost frame: orders stand, go on
                    maillog.fault("guard", "", fault)
                await asyncio.sleep(POLL_S)
        finally:
            await self._store.statistics.release(NAME, self._worker_id)

    async def turn(self) -> None:
        """Judge, then hold and let go."""
        now = self._clock.now_us()
        if not await self._store.statistics.lease(NAME, self._worker_id, now, now + int(LEASE_S * SECOND_US)):
            return
        for account_id in await self._store.guard.active(now - rules.UNANSWERED_TO_H * HOUR_US):
            await self._judge(account_id, now)
        await self._enforce(await self._store.guard.running())

    # -- judging --------------------------------------------------------------------------------------------------------

    async def _judge(self, account_id: int, now: int) -> None:
        forgiven = await self._store.guard.forgiven(account_id)
        running = {(order.stream, order.cause): order for order in await self._store.guard.running(account_id)}
        known: dict[tuple[int, int], dict[Stream, Figures]] = {}
        for stream in Stream:
            for cause in Cause:
                since, until = now - rules.WINDOW_HOURS * HOUR_US, now + _SLICE_US
                if cause is Cause.UNANSWERED:
                    since, until = now - rules.UNANSWERED_TO_H * HOUR_US, now - rules.UNANSWERED_FROM_H * HOUR_US
                since = max(since, forgiven.get((stream, cause), 0) + _SLICE_US)
                if since >= until:
                    continue
                if (since, until) not in known:
                    known[since, until] = await self._figures(account_id, since, until)
                await self._decide(account_id, stream, cause, known[since, until][stream], running.get((stream, cause)), now)

    async def _figures(self, account_id: int, since: int, until: int) -> dict[Stream, Figures]:
        whole = added(one.counts for one in await self._store.statistics.sums(Selection(account_id), pieces(since, until)))
        bulk = added(one.counts for one in await self._store.statistics.sums_of_all(account_id, Axis.CAMPAIGN, pieces(since, until), ALL_CAMPAIGNS))
        rest = {name: whole[name] - bulk[name] for name in whole}
        return {stream: figures_of_counters(counts, click_implies_open=False)
                for stream, counts in ((Stream.BULK, bulk), (Stream.TRANSACTIONAL, rest))}  # fmt: skip

    async def _decide(self, account_id: int, stream: Stream, cause: Cause, f: Figures, running: GuardOrder | None, now: int) -> None:
        measure = {Cause.SPAM: rules.spam_measure, Cause.HARD_ERRORS: rules.error_measure, Cause.UNANSWERED: rules.unanswered_measure}[cause](f)
        order, is_over = rules.decide(account_id, stream, measure, running, now)
        if order is not None:
            why = rules.explained(order)
            await self._store.guard.order(order, why, [running.id] if running is not None else [])
            maillog.guard_ordered(account_id, order.step.value, order.cause.value, why)
        elif is_over and running is not None:
            await self._store.guard.lift(running.id, now, RECOVERED)
            maillog.guard_lifted(account_id, running.step.value, running.cause.value, RECOVERED)

    # -- holding --------------------------------------------------------------------------------------------------------

    async def _enforce(self, orders: list[GuardOrder]) -> None:
        stopped: dict[int, set[Stream]] = {}
        slowed: dict[int, dict[Stream, GuardOrder]] = {}
        for order in orders:
            if order.step is Step.STOP:
                stopped.setdefault(order.account_id, set()).add(order.stream)
            elif order.step is Step.SLOW:
                known = slowed.setdefault(order.account_id, {}).setdefault(order.stream, order)
                if order.per_hour < known.per_hour:
                    slowed[order.account_id][order.stream] = order
        for account_id, streams in stopped.items():
            await self._store.guard.hold(account_id, sorted(streams))
        elapsed_s, self._portioned_s = self._clock.monotonic() - self._portioned_s, self._clock.monotonic()
        for account_id, by_stream in slowed.items():
            for stream, order in by_stream.items():
                if stream not in stopped.get(account_id, ()):
                    await self._portion(order, elapsed_s)
        for account_id in await self._store.guard.held():
            free = [s for s in Stream if s not in stopped.get(account_id, ()) and s not in slowed.get(account_id, {})]
            await self._store.guard.release(account_id, free, RELEASED_AT_ONCE)

    async def _portion(self, order: GuardOrder, elapsed_s: float) -> None:
        """Let go what the limit allows since the last time. What waited when the order came is held first; later mail comes in held."""
        if order.id not in self._portions:
            await self._store.guard.hold(order.account_id, [order.stream])
            self._portions[order.id] = 0.0
        may_go = min(self._portions[order.id] + order.per_hour * elapsed_s / 3600, float(order.per_hour))
        count = int(may_go)
        if count:
            await self._store.guard.release(order.account_id, [order.stream], count)
        self._portions[order.id] = may_go - count
