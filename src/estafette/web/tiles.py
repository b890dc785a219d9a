"""The eight tiles and the flow of the first screen and of reports: every rate with its numerator and its denominator. Pure.

Denominators are those of the status page: *total sent* for delivered, spam and errors, *delivered* for opened and clicked, *opened* for
unsubscribed; blocked is not sent, its share is of everything processed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from estafette.stats.rates import Figures
from estafette.web.formats import Formats
from estafette.web.languages import marked as _
from estafette.web.languages import marked_count as _c

BASES: Final = {"sent": _("sent"), "delivered": _("delivered"), "opened": _("opened"), "processed": _("processed")}
"""What stands behind "of" in "9,216 of 9,600 sent"."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A rate: what is divided by what."""

    key: str
    word: str
    icon: str
    part: str  # attribute of Figures
    base: str  # attribute of Figures; "" = a count without a rate
    filter: str  # status filter of the message log
    is_fine: bool = False  # shown with two decimals
    is_bad: bool = False  # more is worse
    amber: float = 0.0
    red: float = 0.0


MEASURES: Final = (
    Measure("sent", _c("count", "Sent"), "hourglass", "sent", "processed", "all_sent"),
    Measure("delivered", _c("count", "Delivered"), "tick", "delivered", "sent", "delivered"),
    Measure("opened", _c("count", "Opened"), "open", "opened", "delivered", "opened"),
    Measure("clicked", _c("count", "Clicked"), "pointer", "clicked", "delivered", "clicked"),
    Measure("unsubscribed", _c("count", "Unsubscribes"), "door", "unsubscribed", "opened", "unsubscribed", is_bad=True),
    Measure("spam", _c("count", "Spam"), "flag", "spam", "sent", "spam", is_fine=True, is_bad=True, amber=0.0008, red=0.001),
    Measure("errors", _c("count", "Errors"), "cross", "errors", "sent", "errors", is_bad=True, amber=0.04, red=0.08),
    Measure("blocked", _c("count", "Blocked"), "block", "blocked", "processed", "blocked", is_bad=True, amber=0.10, red=0.30),
)
"""In the order of the status page."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One measure of a period."""

    measure: Measure
    part: int
    base: int
    base_word: str
    share: str
    change: str  # in points against the period before; "" = nothing to compare with
    is_worse: bool
    health: str  # "", amber, red
    note: str = ""
    line: tuple[int, ...] = ()  # the sparkline
    is_off: bool = False  # tracking is off: nothing is measured


def amount(figures: Figures, name: str) -> int:
    """A number of a Figures by name; `errors` are those of both kinds."""
    if name == "errors":
        return figures.soft_errors + figures.hard_errors
    value: int = getattr(figures, name)
    return value


def tiles(now: Figures, before: Figures | None, series: Sequence[Figures], formats: Formats, *, has_opens: bool, has_clicks: bool) -> list[Tile]:
    """The tiles of a period. `before` is the equal period before it, `series` the period in slices."""
    return [_tile(m, now, before, series, formats, is_off=not {"opened": has_opens, "clicked": has_clicks}.get(m.key, True)) for m in MEASURES]


def _tile(m: Measure, now: Figures, before: Figures | None, series: Sequence[Figures], formats: Formats, *, is_off: bool) -> Tile:
    part, base = amount(now, m.part), amount(now, m.base)
    change, is_worse = "", False
    if before is not None:
        part_before, base_before = amount(before, m.part), amount(before, m.base)
        change = formats.points(part, base, part_before, base_before)
        rose = base and base_before and part * base_before > part_before * base
        is_worse = bool(change) and change[0] in "+−" and bool(rose) is m.is_bad
    health = ""
    if base and m.red:
        health = "red" if part / base >= m.red else "amber" if part / base >= m.amber else ""
    note = ""
    if m.key == "unsubscribed" and part > base:
        note = _("more unsubscribes than recorded opens")
    return Tile(m, part, base, BASES[m.base], formats.share(part, base, is_fine=m.is_fine), change, is_worse, health, note,
                tuple(amount(f, m.part) for f in series), is_off)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a bar: from `start` with `width`, both in thousandths of the whole."""

    key: str  # status, for colour and link
    word: str
    count: int
    share: str
    start: float
    width: float
    filter: str


def partition(f: Figures, formats: Formats) -> list[Piece]:
    """Everything processed as parts of one whole: they add up, so that stacking them is honest."""
    parts = (
        ("delivered", _c("count", "Delivered"), f.delivered, "delivered"),
        ("sent", _c("count", "Awaiting answer"), f.in_flight, "sent"),
        ("soft_error", _c("count", "Temporary errors"), f.soft_errors, "soft_error"),
        ("hard_error", _c("count", "Permanent errors"), f.hard_errors, "hard_error"),
        ("blocked", _c("count", "Blocked"), f.blocked, "blocked"),
        ("queued", _c("count", "Queued"), f.queued, "queued"),
    )
    found, start = [], 0.0
    for key, word, count, chosen in parts:
        width = 1000 * count / f.processed if f.processed else 0.0
        if count:
            found.append(Piece(key, word, count, formats.share(count, f.processed), start, width, chosen))
        start += width
    return found


@dataclass(frozen=True, slots=True)
class Nested:
    """A bar drawn to the width of its own base."""

    key: str
    word: str
    count: int
    base: int
    base_word: str
    share: str
    base_width: float  # thousandths of everything delivered
    width: float


def nested(f: Figures, formats: Formats) -> list[Nested]:
    """Opened and clicked inside delivered, unsubscribed inside opened."""
    whole = f.delivered or 1
    bars = (
        ("opened", _c("count", "Opened"), f.opened, f.delivered, "delivered"),
        ("clicked", _c("count", "Clicked"), f.clicked, f.delivered, "delivered"),
        ("unsubscribed", _c("count", "Unsubscribed"), f.unsubscribed, f.opened, "opened"),
    )
    return [Nested(key, word, count, base, BASES[base_name], formats.share(count, base), 1000 * base / whole, min(1000.0, 1000 * count / whole))
            for key, word, count, base, base_name in bars]  # fmt: skip
