"""Sources that warm up: follows the recorded events and tells the shaper, every minute, how much each of them may still carry today.

Nothing is stored: what a source did on each day since its start is counted from the events (`queue/warmup_days.py`). Of what is left each worker has
an equal part; what one does not use is shared out again a minute later.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from estafette import maillog
from estafette.clock import Clock, to_datetime
from estafette.queue.shaper import Shaper
from estafette.queue.shaping import Table
from estafette.queue.warmup import OTHER, room
from estafette.queue.warmup_days import Diary
from estafette.store.seam import Store

EVERY_S: Final = 60.0
PAGE: Final = 5000


class Warming:
    """See the module. `workers` says how many share the work."""

    def __init__(self, store: Store, clock: Clock, shaper: Shaper, workers: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._shaper = shaper
        self._workers = workers
        self._table: Table | None = None
        self._diary: Diary | None = None
        self._cursor = (0, 0)

    async def run(self) -> None:
        """Follow, for ever."""
        while True:
            try:
                if self._shaper.table.warmups:
                    await self.look()
            except Exception as fault:  # outermost frame: until it is known better a source carries what it carries on its first day
                maillog.fault("warm-up", "", fault)
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Read what happened since the last look, and tell the shaper."""
        table = self._shaper.table
        if self._diary is None or self._table is not table:
            self._diary, self._table, self._cursor = Diary(table), table, (0, 0)
        while True:
            page, self._cursor = await self._store.events(self._cursor, PAGE)
            for event in page:
                self._diary.hear(event)
            if len(page) < PAGE:
                break
        today = to_datetime(self._clock.now_us()).date()
        for plan in table.warmups:
            for provider in (*(provider.name for provider in table.providers), OTHER):
                left = room(self._diary.stage(plan, provider, today), self._diary.sent_today(plan, provider, today))
                self._shaper.warm_up(plan.source, provider, left / max(1, self._workers()))
