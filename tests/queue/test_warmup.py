"""Warm-up: caps that follow from results."""

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.clock import DAY_US
from estafette.model import Event, EventKind
from estafette.queue.shaping import Provider, Table
from estafette.queue.warmup import Day, Plan, Ramp, done_on, first, forecast, judge, next_day, replay, room
from estafette.queue.warmup_days import Diary

RAMP = Ramp(first_day=100, growth=2.0, warm_at=1000)


@pytest.mark.parametrize(
    ("day", "verdict"),
    [
        (Day(100), "good"),
        (Day(50), "good"),
        (Day(49), "too little: 49 of 100 sent"),
        (Day(0), "too little: 0 of 100 sent"),
        (Day(100, deferred=4), "good"),
        (Day(100, deferred=5), "doubtful: 5.0% deferred"),
        (Day(100, deferred=20), "bad: 20.0% deferred"),
        (Day(100, bounced=5), "doubtful: 5.0% bounced"),
        (Day(100, bounced=10), "bad: 10.0% bounced"),
        (Day(100, complained=1), "bad: 1.0% complained"),
        (Day(3, deferred=1), "too little"),  # one of three is an accident
        (Day(3, deferred=2), "bad: 66.7% deferred"),
        (Day(100, deferred=5, complained=1), "bad: 1.0% complained"),
    ],
)
def test_a_day_is_judged_by_shares(day: Day, verdict: str) -> None:
    assert judge(RAMP, 100, day).startswith(verdict)


def test_it_rises_with_good_days_holds_with_doubtful_ones_and_goes_back_after_bad_ones() -> None:
    days = [Day(100), Day(200), Day(400, deferred=30), Day(400, deferred=100), Day(200), Day(10)]
    caps = [replay(RAMP, days[:n]).cap for n in range(len(days) + 1)]
    assert caps == [100, 200, 400, 400, 200, 400, 400]


def test_a_warm_source_has_no_cap_until_it_misbehaves() -> None:
    stage = replay(RAMP, [Day(100), Day(200), Day(400), Day(800)])
    assert stage.is_warm and room(stage, 10**9) == math.inf
    assert next_day(RAMP, stage, Day(5)).is_warm
    again = next_day(RAMP, stage, Day(600, bounced=100))
    assert (again.is_warm, again.cap) == (False, 300)
    assert room(again, 250) == 50 and room(again, 400) == 0


days = st.builds(Day, st.integers(0, 5000), st.integers(0, 500), st.integers(0, 500), st.integers(0, 20))


@given(st.lists(days, max_size=40), st.floats(1.01, 3), st.integers(1, 500))
def test_whatever_happens_the_cap_moves_by_one_step_and_stays_in_its_bounds(story: list[Day], growth: float, start: int) -> None:
    ramp = Ramp(first_day=start, growth=growth, warm_at=5000)
    stage = first(ramp)
    for day in story:
        before, stage = stage, next_day(ramp, stage, day)
        assert start <= stage.cap <= 5000
        assert stage.cap <= max(math.ceil(before.cap * growth), before.cap)
        if not before.is_warm and judge(ramp, before.cap, day) != "good":
            assert stage.cap <= before.cap and not stage.is_warm


def test_the_forecast_says_when_and_what_goes_elsewhere() -> None:
    rows = forecast(RAMP, first(RAMP), 350)
    assert [(r.day, r.carried, r.overflow) for r in rows] == [(1, 100, 250), (2, 200, 150), (3, 350, 0)]
    assert [r.carried for r in forecast(RAMP, first(RAMP), 10_000)] == [100, 200, 400, 800, 10_000]
    assert len(forecast(Ramp(), first(Ramp()), 10**6, max_days=5)) == 5


@given(st.integers(1, 100_000), st.integers(1, 400))
def test_a_forecast_accounts_for_every_message(volume: int, days_: int) -> None:
    rows = forecast(RAMP, first(RAMP), volume, days_)
    assert all(r.carried + r.overflow == volume and r.carried <= r.cap for r in rows)
    assert [r.day for r in rows] == list(range(1, len(rows) + 1))


def test_when_a_mailing_is_out() -> None:
    ramps, stages = {"a": RAMP, "b": RAMP, "c": RAMP}, {"a": first(RAMP), "b": first(RAMP), "c": first(RAMP)}
    assert done_on(ramps, stages, {"a": 100, "b": 301, "c": 0}, max_days=30) == {"a": 1, "b": 3, "c": 1}
    assert done_on({"a": Ramp()}, {"a": first(Ramp())}, {"a": 10**6}, max_days=3) == {"a": 0}


def test_the_days_are_counted_from_events() -> None:
    start = datetime.date(2026, 11, 1)
    at = int(datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC).timestamp()) * 1_000_000
    plan = Plan("192.0.2.9", start)
    diary = Diary(Table((Provider("big", ("big.example",)),), warmups=(plan,)))

    def event(message: int, kind: EventKind, day: int, source: str = "192.0.2.9", host: str = "mx.big.example", **data: str) -> Event:
        return Event(message, 1, message, at + day * DAY_US, kind, data={"source": source, "host": host, **data} if kind is not EventKind.COMPLAINED else {})

    for e in (
        event(1, EventKind.DELIVERED, 0), event(2, EventKind.DELIVERED, 0), event(3, EventKind.DEFERRED, 0, scope="path"),
        event(4, EventKind.DEFERRED, 0, scope="message"), event(5, EventKind.HARD_BOUNCED, 0, scope="recipient"),
        event(6, EventKind.DELIVERED, 0, source="192.0.2.1"), event(7, EventKind.DELIVERED, 0, host="mx.other.example"),
        event(8, EventKind.DELIVERED, -1), event(9, EventKind.DELIVERED, 2), event(1, EventKind.COMPLAINED, 1), event(6, EventKind.COMPLAINED, 1),
        event(8, EventKind.COMPLAINED, 1),  # about a mail from before the start
    ):  # fmt: skip
        diary.hear(e)
    today = start + datetime.timedelta(2)
    assert diary.days(plan, "big", today) == [Day(5, 1, 1, 0), Day(0, 0, 0, 1)]
    assert diary.days(plan, "other", today) == [Day(1), Day(0)]
    assert diary.sent_today(plan, "big", today) == 1
    assert diary.stage(plan, "big", today).cap == plan.ramp.first_day
