"""Warm-up of a new source: how many messages it may carry to each provider per day. Pure.

A receiving side trusts an address that it has seen behave. The cap of a day follows from the results of the days before: it grows after a good
day, stays after a doubtful one or one with too little mail to tell, and goes a step back after a bad one. What is above the cap goes out from
warm sources of the pool. Nothing is stored: the stage of today is a fold over the results of the days, which are in the event table.
"""

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

OTHER: Final = "other"
"""The group of all sites that belong to no known provider."""
MIN_SAMPLE: Final = 20
MIN_USE: Final = 0.5
"""A day tells something when at least so many messages, and this share of its cap, were sent."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """How the cap of one source to one provider grows."""

    first_day: int = 50
    growth: float = 1.3  # 50 becomes 50,000 in four weeks of good days
    warm_at: int = 50_000  # a cap that reaches this is no cap any more
    hold_deferred: float = 0.05  # share of messages deferred with a reply that speaks of us: from here on the cap does not grow
    stop_deferred: float = 0.20  # and from here on it goes back
    hold_bounced: float = 0.05  # hard bounces; SES puts senders under review at 5 %, and may pause them at 10 %
    stop_bounced: float = 0.10
    hold_complained: float = 0.001  # Google and Yahoo: stay below 0.1 % and never reach 0.3 %
    stop_complained: float = 0.003


@dataclass(frozen=True, slots=True)
class Plan:
    """The warm-up of one source."""

    source: str
    started: datetime.date
    ramp: Ramp = Ramp()
    ramps: tuple[tuple[str, Ramp], ...] = ()  # per provider, where it differs
    where: str = ""

    def ramp_for(self, provider: str) -> Ramp:
        """The ramp towards a provider, or `OTHER`."""
        return dict(self.ramps).get(provider, self.ramp)


@dataclass(frozen=True, slots=True)
class Day:
    """What became of the messages that one source sent to one provider on one day."""

    sent: int = 0
    deferred: int = 0  # by replies about us: rate, reputation
    bounced: int = 0  # for good
    complained: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a source stands with a provider."""

    cap: int  # messages on this day
    is_warm: bool = False  # no cap
    verdict: str = "first day"  # how the day before was judged, for people


def first(ramp: Ramp) -> Stage:
    """The stage of the first day."""
    return _stage(ramp, ramp.first_day, "first day")


def judge(ramp: Ramp, cap: int, day: Day) -> str:
    """How a day went: "bad", "doubtful", "too little", or "good", with the reason after a colon where there is one."""
    sent = max(day.sent, 1)
    shares = (
        ("deferred", day.deferred, ramp.hold_deferred, ramp.stop_deferred),
        ("bounced", day.bounced, ramp.hold_bounced, ramp.stop_bounced),
        ("complained", day.complained, ramp.hold_complained, ramp.stop_complained),
    )
    found = [(what, count / sent, hold, stop) for what, count, hold, stop in shares if count > 1 or sent >= MIN_SAMPLE]  # one of three is an accident
    for what, share, _, stop in found:
        if share >= stop and share:
            return f"bad: {share:.1%} {what}, {stop:.1%} or more is too much"
    for what, share, hold, _ in found:
        if share >= hold and share:
            return f"doubtful: {share:.1%} {what}, less than {hold:.1%} is wanted"
    if day.sent < min(MIN_SAMPLE, cap) or day.sent < cap * MIN_USE:
        return f"too little: {day.sent} of {cap} sent"
    return "good"


def next_day(ramp: Ramp, stage: Stage, day: Day) -> Stage:
    """The stage after a day with these results."""
    verdict = judge(ramp, stage.cap, day)
    if stage.is_warm:  # a warm source that misbehaves is warmed up again from half of what it sent
        return _stage(ramp, max(ramp.first_day, day.sent // 2), verdict) if verdict.startswith("bad") else replace(stage, verdict=verdict)
    if verdict == "good":
        return _stage(ramp, math.ceil(stage.cap * ramp.growth), verdict)
    if verdict.startswith("bad"):
        return _stage(ramp, max(ramp.first_day, int(stage.cap / ramp.growth)), verdict)
    return replace(stage, verdict=verdict)


def replay(ramp: Ramp, days: Sequence[Day]) -> Stage:
    """The stage of today, from the results of all days since the start, oldest first."""
    stage = first(ramp)
    for day in days:
        stage = next_day(ramp, stage, day)
    return stage


def room(stage: Stage, sent_today: int) -> float:
    """How many more messages may go today; infinite for a warm source."""
    return math.inf if stage.is_warm else max(0, stage.cap - sent_today)


@dataclass(frozen=True, slots=True)
class Expected:
    """One row of a forecast."""

    day: int  # 1 = today
    cap: float  # infinite = warm
    carried: int  # by the source that warms up
    overflow: int  # by warm sources


def forecast(ramp: Ramp, stage: Stage, per_day: int, max_days: int = 365, share: float = 1.0) -> list[Expected]:
    """What to expect if all days are good and `per_day` messages go to this provider: until the source is warm or carries its `share` of everything."""
    rows: list[Expected] = []
    wanted = math.ceil(per_day * share)
    for number in range(1, max_days + 1):
        cap = room(stage, 0)
        carried = int(min(cap, wanted))
        rows.append(Expected(number, cap, carried, per_day - carried))
        if carried >= wanted:
            break
        stage = next_day(ramp, stage, Day(sent=carried))
    return rows


def done_on(ramps: Mapping[str, Ramp], stages: Mapping[str, Stage], amounts: Mapping[str, int], max_days: int = 365) -> dict[str, int]:
    """On which day (1 = today) a mailing is out when only the source that warms up carries it: provider → day; 0 when not within `max_days`."""
    days: dict[str, int] = {}
    for provider, amount in amounts.items():
        stage, left, days[provider] = stages[provider], amount, 0
        for number in range(1, max_days + 1):
            sent = int(min(room(stage, 0), left))
            left -= sent
            if not left:
                days[provider] = number
                break
            stage = next_day(ramps[provider], stage, Day(sent=sent))
    return days


def _stage(ramp: Ramp, cap: int, verdict: str) -> Stage:
    return Stage(min(cap, ramp.warm_at), cap >= ramp.warm_at, verdict)
