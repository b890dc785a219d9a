"""Numbers, shares, times and sizes as people read them in French and English. Pure; the only way a figure reaches a page."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal

from estafette.clock import DAY_US, SECOND_US, to_datetime

LANGUAGES: Final = ("en", "fr")
NOTHING: Final = {"en": "n/a", "fr": "n. d."}
_UNITS: Final = {"en": ("B", "kB", "MB", "GB"), "fr": ("o", "ko", "Mo", "Go")}
_TOO_SMALL: Final = Decimal("0.0001")
_TWO_DIGITS_BELOW: Final = Decimal("0.001")


@cache
def _locale(language: str) -> Locale:
    """English dates with the day first and a 24-hour clock: the dashboard is read next to logs."""
    return Locale.parse("fr_FR" if language == "fr" else "en_GB")


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats of one language."""

    language: str

    def number(self, value: int) -> str:
        """9 216 or 9,216. By hand, as `_percent`: Babel takes a hundred times as long, and a page has a thousand numbers."""
        return f"{value:,}".replace(",", "\u202f") if self.language == "fr" else f"{value:,}"

    def share(self, part: int, whole: int, *, is_fine: bool = False) -> str:
        """A rate: one decimal, two when `is_fine` or below 0.1 %; never 0 % of something, never a rate of nothing."""
        if not whole:
            return NOTHING[self.language]
        value = Decimal(part) / Decimal(whole)
        if part and value < _TOO_SMALL:
            return "< " + self._percent(_TOO_SMALL, 2)
        return self._percent(value, 2 if is_fine or (part and value < _TWO_DIGITS_BELOW) else 1)

    def ratio(self, part: int, whole: int) -> str:
        """How many of these per one of those, two decimals."""
        return format_decimal(Decimal(part) / whole, format="#,##0.00", locale=_locale(self.language)) if whole else NOTHING[self.language]

    def points(self, part: int, whole: int, part_before: int, whole_before: int) -> str:
        """Change in points of percent, signed; "" where either rate is of nothing."""
        if not whole or not whole_before:
            return ""
        change = (Decimal(part) / whole - Decimal(part_before) / whole_before) * 100
        rounded = change.quantize(Decimal("0.1"), ROUND_HALF_UP)
        sign = "+" if rounded > 0 else "−" if rounded < 0 else "±"
        return f"{sign}{format_decimal(abs(rounded), format='0.0', locale=_locale(self.language))}"

    def limit(self, value: float) -> str:
        """A threshold: 0.08 %."""
        return self._percent(Decimal(str(value)), 2 if value < 0.01 else 0)

    def _percent(self, value: Decimal, digits: int) -> str:
        text = f"{(value * 100).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,f}"
        return text.replace(",", "\u202f").replace(".", ",") + "\u202f%" if self.language == "fr" else f"{text}%"

    def when(self, at: int) -> str:
        """27 Nov 2026, 12:45:53 (UTC)."""
        return format_datetime(to_datetime(at), "d MMM y, HH:mm:ss", locale=_locale(self.language))

    def day(self, at: int) -> str:
        """27 November 2026."""
        return format_date(to_datetime(at), "d MMMM y", locale=_locale(self.language))

    def short(self, at: int, now: int) -> str:
        """The time of day for today's, the day for what is older."""
        when = to_datetime(at)
        if to_datetime(now).date() == when.date():
            return format_time(when, "HH:mm:ss", locale=_locale(self.language))
        return format_datetime(when, "d MMM HH:mm" if now - at < 300 * DAY_US else "d MMM y", locale=_locale(self.language))

    @lru_cache(4096)  # noqa: B019 - there is one object of each language
    def tick(self, at: int, *, is_daily: bool) -> str:
        """A label of a time axis."""
        return format_datetime(to_datetime(at), "d MMM" if is_daily else "HH:mm", locale=_locale(self.language))

    @lru_cache(4096)  # noqa: B019 - as above
    def slot(self, at: int, *, is_daily: bool) -> str:
        """A row label of a time table."""
        return format_datetime(to_datetime(at), "EEE d MMM y" if is_daily else "EEE d MMM, HH:mm", locale=_locale(self.language))

    def iso(self, at: int) -> str:
        """For `<time datetime>`."""
        return to_datetime(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def weekday(self, number: int) -> str:
        """Monday is 0."""
        return format_date(datetime(2024, 1, 1 + number, tzinfo=UTC), "EEE", locale=_locale(self.language))

    def duration(self, microseconds: int) -> str:
        """320 ms, 12 s, 5 min, 3 h 20, 12 d: two units at most."""
        ms = max(0, microseconds) // 1000
        if ms < 1000:
            return f"{ms} ms"
        seconds = ms // 1000
        if seconds < 60:
            return f"{format_decimal(Decimal(ms) / 1000, format='0.#', locale=_locale(self.language))} s" if seconds < 10 else f"{seconds} s"
        if seconds < 3600:
            return f"{seconds // 60} min" + (f" {seconds % 60} s" if seconds % 60 and seconds < 600 else "")
        if seconds < 86_400:
            return f"{seconds // 3600} h" + (f" {seconds % 3600 // 60:02d}" if seconds % 3600 >= 60 else "")
        hours = f" {seconds % 86_400 // 3600} h" if seconds < 864_000 and seconds % 86_400 >= 3600 else ""
        return f"{self.number(seconds // 86_400)} {'j' if self.language == 'fr' else 'd'}{hours}"

    def size(self, octets: int) -> str:
        """413 B, 12.4 kB."""
        value, units = Decimal(octets), _UNITS[self.language]
        step = 0
        while value >= 1000 and step < len(units) - 1:
            value, step = value / 1000, step + 1
        return f"{format_decimal(value, format='0.#' if step and value < 100 else '0', locale=_locale(self.language))} {units[step]}"


def whole_seconds(at: int) -> int:
    """Unix time of a stored time."""
    return at // SECOND_US
