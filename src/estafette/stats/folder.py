"""Keeps the counters up with the event table: one folder at a time reads on behind running transactions, folds, adds.

The lease saves work only. That every event is counted once is the position's doing: it moves in the transaction that writes the sums, and only
from where the folder stood when it read.
"""

import asyncio
from typing import Final

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.facts import Position
from estafette.stats.folding import fold
from estafette.store.seam import Store
from estafette.store.statistics import FOLLOWER

BATCH: Final = 2000
POLL_S: Final = 0.5
LEASE_S: Final = 10.0


async def catch_up(store: Store, batch: int = BATCH) -> int:
    """Fold what is there, in batches; returns the number of events. Ends early when somebody else folds too."""
    shelf, done = store.statistics, 0
    position = await shelf.position(FOLLOWER)
    while True:
        views, after = await shelf.views(position, batch)
        if not views or not await shelf.add(position, after, fold(views)):
            return done
        position, done = after, done + len(views)


async def rebuild(store: Store) -> int:
    """Empty the counters and fold every event again; returns how many were folded here (a running worker takes its share). What happens meanwhile is
    counted too."""
    await store.statistics.forget()
    done = 0
    while not await is_level(store):
        done += await catch_up(store)
    return done


async def is_level(store: Store) -> bool:
    """Whether every event that can be read is counted."""
    position: Position = await store.statistics.position(FOLLOWER)
    return not (await store.statistics.views(position, 1))[0]


class Folder:
    """One per worker process; only the one that has the lease works."""

    def __init__(self, store: Store, clock: Clock, worker_id: int) -> None:
        self._store = store
        self._clock = clock
        self._worker_id = worker_id

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self._turn()
                except Exception as fault:  # outermost frame: the position stands where it stood, go on
                    maillog.fault("statistics", "", fault)
                await asyncio.sleep(POLL_S)
        finally:
            await self._store.statistics.release(FOLLOWER, self._worker_id)

    async def _turn(self) -> None:
        now = self._clock.now_us()
        if await self._store.statistics.lease(FOLLOWER, self._worker_id, now, now + int(LEASE_S * SECOND_US)):
            await catch_up(self._store)
