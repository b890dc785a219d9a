"""Reads what reports show from the counters: one object per account and selection, so that every page asks in the same way."""

import asyncio
from dataclasses import dataclass

from estafette.config import Tracking
from estafette.facts import Axis, Resolution, Slice, Timing
from estafette.stats.periods import pieces
from estafette.stats.rates import Figures, figures_of_counters
from estafette.store.seam import Store
from estafette.store.statistics import Selection
from estafette.web.report import Part, Period, added, figures_over_time, parts


@dataclass(frozen=True, slots=True)
class Measured:
    """What is counted of an account's mail: its own word over the installation's."""

    opens: bool
    clicks: bool


async def measured(store: Store, account_id: int, defaults: Tracking) -> Measured:
    """Asked anew for each page: rates and "not measured" depend on it."""
    policy = await store.privacy.policy(account_id)
    return Measured(policy.has_opens(defaults.opens), policy.has_clicks(defaults.clicks))


@dataclass(frozen=True, slots=True)
class Survey:
    """The figures of a period, of the equal period before it, and of its slices."""

    total: Figures
    persons: Figures  # the same without what machines opened and clicked
    before: Figures
    series: list[Figures]


@dataclass(frozen=True, slots=True)
class FiguresDesk:
    """Figures of an account, of all its mail or of one door or campaign."""

    store: Store
    account_id: int
    has_opens: bool  # whether open tracking is on: a click then implies an opening
    door: str | None = None
    campaign_id: int | None = None

    def _selection(self, timing: Timing = Timing.MESSAGE) -> Selection:
        if self.campaign_id is not None:
            return Selection(self.account_id, Axis.CAMPAIGN, (str(self.campaign_id),), timing, self.door)
        return Selection(self.account_id, timing=timing, door=self.door)

    async def counts(self, period: Period) -> dict[str, int]:
        """Summed counters: `facts.COUNTS`."""
        return added(await self.store.statistics.sums(self._selection(), pieces(period.since, period.until)))

    async def total(self, period: Period) -> Figures:
        """Figures of the mail of a period, what is under way included."""
        return (await self.totals(period))[0]

    async def totals(self, period: Period) -> tuple[Figures, Figures]:
        """The same twice: with what machines opened and clicked, and without."""
        flying = await self.store.statistics.in_flight(self.account_id, period.since, period.until, self.campaign_id, self.door)
        counts = await self.counts(period)
        made = [figures_of_counters(counts, click_implies_open=self.has_opens, without_machines=without, in_flight=flying) for without in (False, True)]
        return made[0], made[1]

    async def survey(self, period: Period) -> "Survey":
        """Everything that a report begins with. The counters of the period are read once: what its slices add up to is the whole."""
        if period.since % period.width or period.until % period.width:  # slices at the ends hold more than the period
            totals, series, before = await asyncio.gather(self.totals(period), self.series(period), self.total(period.before))
            return Survey(*totals, before, series)
        slices, flying, before = await asyncio.gather(
            self.store.statistics.slices(self._selection(), period.resolution, period.since, period.until),
            self.store.statistics.in_flight(self.account_id, period.since, period.until, self.campaign_id, self.door),
            self.total(period.before),
        )
        counts, implies = added(slices), self.has_opens
        made = [figures_of_counters(counts, click_implies_open=implies, without_machines=without, in_flight=flying) for without in (False, True)]
        return Survey(made[0], made[1], before, figures_over_time(period, slices, click_implies_open=implies))

    async def series(self, period: Period, timing: Timing = Timing.MESSAGE) -> list[Figures]:
        """Figures per slice."""
        found = await self.store.statistics.slices(self._selection(timing), period.resolution, period.buckets[0], period.until)
        return figures_over_time(period, found, click_implies_open=self.has_opens)

    async def hours(self, period: Period) -> list[Slice]:
        """Hourly counters by the time when things happened."""
        return await self.store.statistics.slices(self._selection(Timing.EVENT), Resolution.HOUR, period.since, period.until)

    async def providers(self, period: Period) -> list[Part]:
        """One per mailbox provider."""
        return parts(await self.store.statistics.by_provider(self._selection(), pieces(period.since, period.until)), click_implies_open=self.has_opens)

    async def campaigns(self, ids: list[int], period: Period) -> dict[int, Figures]:
        """Figures of each of these campaigns."""
        of = Selection(self.account_id, Axis.CAMPAIGN, tuple(map(str, ids)))
        found = await self.store.statistics.sums(of, pieces(period.since, period.until)) if ids else []
        return {int(one.label): figures_of_counters(one.counts, click_implies_open=self.has_opens) for one in found}

    async def senders(self, period: Period) -> list[Part]:
        """One per author address."""
        sources = await self.store.screens.sources(self.account_id, Axis.SENDER.value)
        found = await self.store.statistics.sums(Selection(self.account_id, Axis.SENDER, tuple(sources), door=self.door), pieces(period.since, period.until))
        return parts(found, click_implies_open=self.has_opens)
