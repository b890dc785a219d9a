"""The rates of a period by either family of definitions, each with its numerator and its denominator in words. Pure.

The status page's family is everywhere the default; the API's guides divide otherwise (stats/api_rates.py). A test compares both tables with the functions.
"""

from dataclasses import dataclass
from typing import Final

from estafette.stats.api_rates import Definitions
from estafette.stats.rates import Figures
from estafette.web.formats import Formats
from estafette.web.languages import marked_count as _c
from estafette.web.tiles import BASES, MEASURES, amount

API: Final = (
    ("delivered", _c("count", "Delivered"), "delivered", "processed"),
    ("opened", _c("count", "Opened"), "opened", "delivered"),
    ("clicked", _c("count", "Clicked, of those who opened"), "clicked", "opened"),
    ("clicked_of_delivered", _c("count", "Clicked, of delivered"), "clicked", "delivered"),
    ("unsubscribed", _c("count", "Unsubscribes"), "unsubscribed", "delivered"),
    ("spam", _c("count", "Spam"), "spam", "delivered"),
    ("soft_bounced", _c("count", "Temporary errors, retries exhausted"), "exhausted", "processed"),
    ("hard_bounced", _c("count", "Permanent errors"), "hard_errors", "processed"),
    ("deferred", _c("count", "Temporary errors, being retried"), "deferred", "processed"),
    ("blocked", _c("count", "Blocked"), "blocked", "processed"),
)
"""Key of `API_RATES`, word, numerator, denominator."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate with what it is made of."""

    key: str
    word: str
    part: int
    base: int
    base_word: str
    share: str


def rates_table(f: Figures, definitions: Definitions, formats: Formats) -> list[Rate]:
    """All rates of a family."""
    if definitions is Definitions.API:
        rows = [(key, word, part, base) for key, word, part, base in API]
    else:
        rows = [(m.key, m.word, m.part, m.base) for m in MEASURES]
    return [Rate(key, word, amount(f, part), amount(f, base), BASES[base], formats.share(amount(f, part), amount(f, base), is_fine=key == "spam"))
            for key, word, part, base in rows]  # fmt: skip
