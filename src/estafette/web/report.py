"""What a report shows of a period: slices of time, the chart over them with its table, and the sentence that says the finding. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from estafette.clock import DAY_US, SECOND_US
from estafette.facts import COUNTS, Resolution, Slice
from estafette.stats.rates import Figures, figures_of_counters
from estafette.web.charts import Lines, Stacked, lines, nice_top, stacked
from estafette.web.choosing import HOUR_US, PERIODS, read_day
from estafette.web.formats import Formats
from estafette.web.languages import marked_count as _c

MAX_DAYS: Final = 400
KEYS: Final = (
    ("delivered", _c("count", "Delivered")),
    ("sent", _c("count", "Awaiting answer")),
    ("soft_error", _c("count", "Temporary errors")),
    ("hard_error", _c("count", "Permanent errors")),
    ("blocked", _c("count", "Blocked")),
    ("queued", _c("count", "Queued")),
)
"""The parts of the bars, from the bottom up: each message is in one."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` until before `until`."""

    key: str  # 24h, 7d, ..., or "" for dates of one's own
    since: int
    until: int

    @property
    def is_daily(self) -> bool:
        """Slices are days from a week on, hours below."""
        return self.until - self.since >= 7 * DAY_US

    @property
    def before(self) -> "Period":
        """The equal period before."""
        return Period("", 2 * self.since - self.until, self.since)

    @property
    def width(self) -> int:
        """Of a slice."""
        return DAY_US if self.is_daily else HOUR_US

    @property
    def resolution(self) -> Resolution:
        """Of the counters that it is read from."""
        return Resolution.DAY if self.is_daily else Resolution.HOUR

    @property
    def buckets(self) -> list[int]:
        """The beginnings of its slices."""
        first = self.since - self.since % self.width
        return list(range(first, self.until, self.width))


def read_period(values: Mapping[str, str], now: int, default: str = "7d") -> Period:
    """The period that an address asks for; days are whole, the current hour or day is the last slice."""
    since, until = read_day(values.get("from", "")), read_day(values.get("to", ""))
    if since and since <= now:
        end = min(until + DAY_US if until >= since else now, now + DAY_US)
        return Period("", max(since, end - MAX_DAYS * DAY_US), end)
    key = values.get("period", "")
    key = key if key in PERIODS else default
    width = HOUR_US if key == "24h" else DAY_US
    end = now - now % width + width
    return Period(key, end - PERIODS[key], end)


def added(slices: Sequence[Slice]) -> dict[str, int]:
    """The sum of counters."""
    total = dict.fromkeys(COUNTS, 0)
    for one in slices:
        for name, value in one.counts.items():
            total[name] += value
    return total


def figures_over_time(period: Period, slices: Sequence[Slice], *, click_implies_open: bool) -> list[Figures]:
    """One per slice of the period, also for those in which nothing happened."""
    by_bucket: dict[int, list[Slice]] = {}
    for one in slices:
        by_bucket.setdefault(one.bucket, []).append(one)
    return [figures_of_counters(added(by_bucket.get(at, [])), click_implies_open=click_implies_open) for at in period.buckets]


@dataclass(frozen=True, slots=True)
class Row:
    """A slice in the table beside a chart."""

    at: int  # seconds since 1970
    label: str
    tick: str  # the same, short
    counts: tuple[int, ...]
    error_rate: str
    spam_rate: str


@dataclass(frozen=True, slots=True)
class TimeChart:
    """A chart with its table."""

    bars: Stacked
    rates: Lines
    keys: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    peak_at: str  # "" when nothing happened
    peak: int


def time_chart(period: Period, series: Sequence[Figures], formats: Formats) -> TimeChart:
    """Bars of what became of the mail of every slice; below, error and spam rate with their limits."""
    columns = [_column(f) for f in series]
    totals = [sum(count for _, count in column) for column in columns]
    top = nice_top(max(totals, default=0))
    labels = [formats.tick(at, is_daily=period.is_daily) for at in period.buckets]
    values = [(0.0, "0"), (top / 2, formats.number(round(top / 2)) if top >= 2 else ""), (top, formats.number(round(top)))]
    errors = [(f.soft_errors + f.hard_errors) / f.sent if f.sent else None for f in series]
    spam = [f.spam / f.sent if f.sent else None for f in series]
    high = max(0.10, *(nice_top(value) for value in (*errors, *spam) if value is not None)) if any(v is not None for v in errors) else 0.10
    rates = lines([("errors", errors), ("spam", spam)], [("amber", 0.04, formats.limit(0.04)), ("red", 0.08, formats.limit(0.08))],
                  [(0.0, "0"), (high, formats.limit(high))])  # fmt: skip
    rows = tuple(
        Row(at // SECOND_US, formats.slot(at, is_daily=period.is_daily), formats.tick(at, is_daily=period.is_daily), tuple(count for _, count in column),
            formats.share(f.soft_errors + f.hard_errors, f.sent), formats.share(f.spam, f.sent, is_fine=True))
        for at, column, f in zip(period.buckets, columns, series, strict=True)
    )  # fmt: skip
    peak = max(totals, default=0)
    peak_at = formats.slot(period.buckets[totals.index(peak)], is_daily=period.is_daily) if peak else ""
    return TimeChart(stacked(columns, labels, values), rates, KEYS, rows, peak_at, peak)


def _column(f: Figures) -> list[tuple[str, int]]:
    return [("delivered", f.delivered), ("sent", f.in_flight), ("soft_error", f.soft_errors), ("hard_error", f.hard_errors), ("blocked", f.blocked),
            ("queued", f.queued)]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """Figures of a part of the mail: a provider, a campaign, a sender."""

    label: str
    figures: Figures
    delay_us: int = 0  # from acceptance to delivery, on average


def parts(slices: Sequence[Slice], *, click_implies_open: bool) -> list[Part]:
    """One per label, the most mail first; what was never attempted has no label and is left out."""
    found = []
    for one in slices:
        f = figures_of_counters(one.counts, click_implies_open=click_implies_open)
        delay = one.counts["delivery_delay_s"] * SECOND_US // one.counts["delivered"] if one.counts["delivered"] > 0 else 0
        if one.label and f.sent:
            found.append(Part(one.label, f, max(0, delay)))
    return sorted(found, key=lambda part: (-part.figures.sent, part.label))


def week_grid(slices: Sequence[Slice]) -> list[list[int]]:
    """Deliveries per weekday (Monday first) and hour of the day, UTC, from hourly slices."""
    grid = [[0] * 24 for _ in range(7)]
    for one in slices:
        day, hour = (one.bucket // DAY_US + 3) % 7, one.bucket % DAY_US // HOUR_US
        grid[day][hour] += one.counts["delivered"]
    return grid
