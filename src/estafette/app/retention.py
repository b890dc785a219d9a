"""Takes away what is older than an account wants kept: contents first, messages with their events much later. Counters and blocks stay.

One worker does it, once an hour, in small transactions with a breath between them, so that no mail waits for it. On PostgreSQL the days that are
past for every account go as a whole first, and the next days' partitions are made (store/days.py).
"""

import asyncio
from typing import Final

from estafette import maillog
from estafette.accept.ids import first_id_at
from estafette.clock import DAY_US, SECOND_US, Clock, to_iso
from estafette.config import Retention
from estafette.store.days import Day
from estafette.store.privacy import AccountPolicy
from estafette.store.seam import Store

JOB: Final = "retention"
EVERY_S: Final = 3600.0
BATCH: Final = 200
BREATH_S: Final = 0.05
MAX_BATCHES: Final = 2000
"""Of one account and round: what is left waits for the next hour."""
DAYS_AHEAD: Final = 7
"""So long mail finds its day's partition when nobody sweeps."""


async def sweep(store: Store, clock: Clock, defaults: Retention) -> tuple[int, int]:
    """One round over all accounts: (contents, messages) that were deleted."""
    contents = messages = 0
    accounts = await store.accounts()
    policies = {account.id: await store.privacy.policy(account.id) for account in accounts}
    await _days_of_the_table(store, clock.now_us(), list(policies.values()), defaults)
    for account in accounts:
        policy = policies[account.id]
        before = clock.now_us() - _days(policy.content_days, defaults.content_days) * DAY_US
        after = 0
        for _ in range(MAX_BATCHES):
            count, after = await store.privacy.drop_contents(account.id, before, after, BATCH)
            contents += count
            if count < BATCH:
                break
            await asyncio.sleep(BREATH_S)
        messages += await _history(store, clock, account.id, policy, defaults)
    return contents, messages


async def forget_requests(store: Store, clock: Clock) -> int:
    """Subscriptions that nobody confirmed, and counts of windows that are over; how many of the former."""
    gone = 0
    for _ in range(MAX_BATCHES):
        count = await store.consents.prune(clock.now_us())
        gone += count
        if not count and not await store.sign_ups.prune(clock.now_us()):
            break
        await asyncio.sleep(BREATH_S)
    return gone


async def _history(store: Store, clock: Clock, account_id: int, policy: AccountPolicy, defaults: Retention) -> int:
    before = clock.now_us() - _days(policy.event_days, defaults.event_days) * DAY_US
    gone = 0
    for _ in range(MAX_BATCHES):
        count = await store.privacy.drop_history(account_id, before, BATCH)
        gone += count
        if not count:
            break
        await asyncio.sleep(BREATH_S)
    return gone


async def _days_of_the_table(store: Store, now: int, policies: list[AccountPolicy], defaults: Retention) -> None:
    longest_content = max([defaults.content_days, *(p.content_days for p in policies if p.content_days is not None)])
    longest_history = max([defaults.event_days, *(p.event_days for p in policies if p.event_days is not None)])
    today = now - now % DAY_US
    wanted = [calendar_day(today + n * DAY_US) for n in range(-1, DAYS_AHEAD + 1)]
    await store.privacy.keep_days(wanted, first_id_at(now - longest_content * DAY_US), first_id_at(now - longest_history * DAY_US))


def calendar_day(midnight_us: int) -> Day:
    """The ids of the day (UTC) that begins then."""
    return Day(to_iso(midnight_us)[:10].replace("-", ""), first_id_at(midnight_us), first_id_at(midnight_us + DAY_US))


def _days(own: int | None, default: int) -> int:
    return default if own is None else own


class Sweeper:
    """One per worker process; only the one that has the lease works."""

    def __init__(self, store: Store, clock: Clock, worker_id: int, defaults: Retention) -> None:
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._defaults = defaults

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                now = self._clock.now_us()
                if await self._store.statistics.lease(JOB, self._worker_id, now, now + int(EVERY_S * SECOND_US)):
                    contents, messages = await sweep(self._store, self._clock, self._defaults)
                    await forget_requests(self._store, self._clock)
                    if contents or messages:
                        maillog.swept(contents, messages)
            except Exception as fault:  # outermost frame: nothing is lost, the next round goes on
                maillog.fault("retention", "", fault)
            await asyncio.sleep(EVERY_S / 2)
