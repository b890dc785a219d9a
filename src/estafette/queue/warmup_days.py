"""The days of a warm-up, counted from recorded events. Pure."""

import datetime
from typing import Final

from estafette.clock import to_datetime
from estafette.model import Event, EventKind
from estafette.queue.shaping import Table, provider_of
from estafette.queue.warmup import OTHER, Day, Plan, Stage, replay

MAX_REMEMBERED: Final = 500_000
"""Delivered messages whose complaint is still waited for; the oldest is forgotten."""


class Diary:
    """Hears events, oldest first; knows what each source that warms up sent to each provider on each day."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._plans = {plan.source: plan for plan in table.warmups}
        self._days: dict[tuple[str, str, datetime.date], list[int]] = {}  # sent, deferred, bounced, complained
        self._delivered: dict[int, tuple[str, str]] = {}  # message → where it went

    def hear(self, event: Event) -> None:
        """One event more."""
        day = to_datetime(event.at).date()
        if event.kind is EventKind.COMPLAINED:
            if (went := self._delivered.pop(event.message_id, None)) is not None:
                self._count(went, day, 3)
            return
        source, host = str(event.data.get("source") or ""), str(event.data.get("host") or "")
        if source not in self._plans or not host or day < self._plans[source].started:
            return
        went = source, provider_of([host], self._table) or OTHER
        if event.kind is EventKind.DELIVERED:
            self._count(went, day, 0)
            self._delivered[event.message_id] = went
            if len(self._delivered) > MAX_REMEMBERED:
                del self._delivered[next(iter(self._delivered))]
        elif event.kind is EventKind.HARD_BOUNCED:
            self._count(went, day, 0, 2)
        elif event.kind in (EventKind.DEFERRED, EventKind.UNCERTAIN, EventKind.SOFT_BOUNCED):
            self._count(went, day, 0, *((1,) if event.data.get("scope") == "path" else ()))

    def _count(self, went: tuple[str, str], day: datetime.date, *columns: int) -> None:
        row = self._days.setdefault((*went, day), [0, 0, 0, 0])
        for column in columns:
            row[column] += 1

    def days(self, plan: Plan, provider: str, today: datetime.date) -> list[Day]:
        """Every day from the start of a plan to yesterday, also those without mail."""
        rows = (self._days.get((plan.source, provider, plan.started + datetime.timedelta(n)), [0] * 4) for n in range((today - plan.started).days))
        return [Day(*row) for row in rows]

    def stage(self, plan: Plan, provider: str, today: datetime.date) -> Stage:
        """Where a source stands with a provider today."""
        return replay(plan.ramp_for(provider), self.days(plan, provider, today))

    def sent_today(self, plan: Plan, provider: str, today: datetime.date) -> int:
        """What counts towards the cap of today."""
        return self._days.get((plan.source, provider, today), [0])[0]
