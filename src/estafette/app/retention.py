"""Takes away what is older than an account wants kept: contents first, messages with their events much later. Counters and blocks stay.

One worker does it, once an hour, in small transactions with a breath between them, so that no mail waits for it.
"""

import asyncio
from typing import Final

from estafette import maillog
from estafette.clock import DAY_US, SECOND_US, Clock
from estafette.config import Retention
from estafette.store.privacy import AccountPolicy
from estafette.store.seam import Store

JOB: Final = "retention"
EVERY_S: Final = 3600.0
BATCH: Final = 200
BREATH_S: Final = 0.05
MAX_BATCHES: Final = 2000
"""Of one account and round: what is left waits for the next hour."""


async def sweep(store: Store, clock: Clock, defaults: Retention) -> tuple[int, int]:
    """One round over all accounts: (contents, messages) that were deleted."""
    contents = messages = 0
    for account in await store.accounts():
        policy = await store.privacy.policy(account.id)
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
                    if contents or messages:
                        maillog.swept(contents, messages)
            except Exception as fault:  # outermost frame: nothing is lost, the next round goes on
                maillog.fault("retention", "", fault)
            await asyncio.sleep(EVERY_S / 2)
