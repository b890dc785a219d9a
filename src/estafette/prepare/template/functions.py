"""The functions of the template language (contract 6.2), by their names in lower case: they are found in any case. Pure."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from urllib.parse import quote

from babel.core import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from estafette.prepare.template.running import Failed, Run, Value
from estafette.prepare.template.values import number, printed

_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}")
_PATTERN: Final = re.compile(r"[#0,. ]{1,40}")
_MAX_DECIMALS: Final = 15


@dataclass(frozen=True, slots=True)
class Function:
    """One function with the number of values that it takes."""

    call: Callable[[Run, Sequence[Value]], Value]
    least: int
    most: int


def _text(run: Run, value: Value) -> str:
    return run.spend_on(printed(value))


def _decimals(value: Value) -> int:
    found = number(value)
    if not isinstance(found, int) or not 0 <= found <= _MAX_DECIMALS:
        raise Failed(f"decimals must be a whole number from 0 to {_MAX_DECIMALS}")
    return found


def _round(run: Run, given: Sequence[Value]) -> Value:
    value = number(given[0])
    places = _decimals(given[1]) if len(given) > 1 else 0
    if isinstance(value, int):
        return value
    if abs(value) >= 1e12:  # there is nothing behind the point that could be meant
        return value
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)  # as people round, not half to even
    return float(rounded) if places else int(rounded)


def _int(run: Run, given: Sequence[Value]) -> Value:
    value = given[0]
    if isinstance(value, str):
        try:
            value = float(value.strip()[:40])
        except ValueError:
            raise Failed("Int takes a number or a text that is one") from None
    return int(number(value))


def _capitalize(run: Run, given: Sequence[Value]) -> Value:
    text = _text(run, given[0])
    return text[:1].upper() + text[1:]


def _has_since(name: str, days_of: Callable[[Run], float | None]) -> Callable[[Run, Sequence[Value]], Value]:
    def ask(run: Run, given: Sequence[Value]) -> Value:
        days = number(given[0])
        since = days_of(run)
        return since is not None and since <= days

    return ask


def _format_number(run: Run, given: Sequence[Value]) -> Value:
    """(number[, decimals or pattern][, locale]): what is what is told by its form."""
    value, pattern, locale = number(given[0]), None, "en_US"
    for option in given[1:]:
        if isinstance(option, str) and _LOCALE.fullmatch(option):
            locale = option.replace("-", "_")
        elif isinstance(option, str) and _PATTERN.fullmatch(option):
            pattern = option
        else:
            places = _decimals(option)
            pattern = "#,##0" + ("." + "0" * places if places else "")
    try:
        return format_decimal(value, format=pattern, locale=Locale.parse(locale))
    except (UnknownLocaleError, ValueError, ArithmeticError):
        raise Failed("FormatNumberLocale takes a number, then decimals or a pattern like #,##0.00, and a locale like fr_FR") from None


FUNCTIONS: Final[dict[str, Function]] = {
    "upper": Function(lambda run, given: _text(run, given[0]).upper(), 1, 1),
    "lower": Function(lambda run, given: _text(run, given[0]).lower(), 1, 1),
    "capitalize": Function(_capitalize, 1, 1),
    "round": Function(_round, 1, 2),
    "int": Function(_int, 1, 1),
    "urlencode": Function(lambda run, given: run.spend_on(quote(_text(run, given[0]).encode("utf-8", "replace"), safe="")), 1, 1),
    "escape": Function(lambda run, given: run.spend_on(html.escape(_text(run, given[0]))), 1, 1),
    "formatnumberlocale": Function(_format_number, 1, 3),
    "hasopenedsince": Function(_has_since("HasOpenedSince", lambda run: run.facts.days_since_open), 1, 1),
    "hasclickedsince": Function(_has_since("HasClickedSince", lambda run: run.facts.days_since_click), 1, 1),
}
