"""The figures of a report are read once: its slices add up to its total, whether the period is whole days, whole hours or neither."""

import pytest

from estafette.clock import DAY_US, SECOND_US
from estafette.facts import COUNTS, Axis, CounterKey, Fold, Resolution, Timing
from estafette.stats.periods import WIDTH_US, bucket_of
from estafette.store.statistics import START
from estafette.web.figures import FiguresDesk
from estafette.web.report import Period, read_period
from tests.web.conftest import Site

HOUR_US = 3600 * SECOND_US
PERIODS = [{"period": "24h"}, {"period": "7d"}, {"period": "90d"}, {"from": "2026-01-01", "to": "2026-01-02"}]


@pytest.mark.parametrize("has_opens", [True, False])
async def test_slices_add_up_to_the_total_that_is_read_for_itself(inside: Site, has_opens: bool) -> None:
    now, account_id, chance = inside.clock.now_us(), inside.account.id, inside.clock.random
    counters: dict[CounterKey, list[int]] = {}
    for number in range(400):
        at = now - int(chance() * 200 * DAY_US)
        door, provider = ("smtp", "http")[number % 2], ("gmail", "orange", "")[number % 3]
        made = [number % (5 + place) for place in range(len(COUNTS))]
        for resolution in WIDTH_US:
            key = CounterKey(account_id, Axis.ACCOUNT, "", Timing.MESSAGE, resolution, bucket_of(at, resolution), door, provider)
            counters[key] = [a + b for a, b in zip(counters.get(key, [0] * len(COUNTS)), made, strict=True)]
    assert await inside.store.statistics.add(START, (0, 1), Fold(counters, []))
    read = [read_period(values, now) for values in PERIODS]
    read += [Period("", now - 9 * DAY_US + HOUR_US, now - 7 * SECOND_US), Period("", bucket_of(now, Resolution.DAY) - 20 * DAY_US, now)]
    filled = 0
    for period in read:
        for door in (None, "smtp"):
            desk = FiguresDesk(inside.store, account_id, has_opens, door)
            survey = await desk.survey(period)
            assert (survey.total, survey.persons) == await desk.totals(period), period
            assert survey.before == await desk.total(period.before)
            assert survey.series == await desk.series(period)
            filled += survey.total.processed > 0
    assert filled >= 6, "periods with mail in them"
