"""Values of contact properties: what each kind takes from outside, and how it is shown. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from estafette.audience import ContactProperty, PropertyKind, PropertyValue
from estafette.clock import SECOND_US, to_datetime

MAX_TEXT: Final = 10_000
MAX_PROPERTIES: Final = 200
MAX_INT: Final = 2**53
NAME: Final = re.compile(r"[^\W\d][\w.-]{0,99}")
_TRUE: Final = frozenset({"true", "1", "yes", "y", "oui"})
_FALSE: Final = frozenset({"false", "0", "no", "n", "non"})
_INT: Final = re.compile(r"[+-]?\d{1,16}", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?\d{1,16}(?:\.\d{1,16})?(?:[eE][+-]?\d{1,2})?", re.ASCII)


class WrongValue(ValueError):
    """A value that a property does not take; the text says why."""


def is_name(text: str) -> bool:
    """Whether a property may be called so: what the segment language reads as a name."""
    return NAME.fullmatch(text) is not None and text.lower() not in ("and", "or", "xor", "not", "true", "false")


def read_value(kind: PropertyKind, value: object) -> PropertyValue | None:
    """The value as it is kept; None for null and for the empty text of a kind that is none. Raises WrongValue."""
    if value is None or (isinstance(value, str) and not value.strip() and kind is not PropertyKind.STR):
        return None
    match kind:
        case PropertyKind.STR:
            return _text(value)
        case PropertyKind.BOOL:
            return _bool(value)
        case PropertyKind.DATETIME:
            return _time(value)
        case PropertyKind.INT:
            if isinstance(value, str) and _INT.fullmatch(value.strip()):
                value = int(value)
            if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_INT:
                value = int(value)
            if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INT:
                raise WrongValue("a whole number is expected")
            return value
        case PropertyKind.FLOAT:
            if isinstance(value, str) and _FLOAT.fullmatch(value.strip().replace(",", ".")):
                value = float(value.strip().replace(",", "."))
            if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
                raise WrongValue("a number is expected")
            return float(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise WrongValue("a text is expected")
    if len(value) > MAX_TEXT or "\0" in value:
        raise WrongValue(f"a text of at most {MAX_TEXT} characters is expected")
    return value


def _bool(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise WrongValue("true or false is expected")
    return text in _TRUE


def _time(value: object) -> int:
    """Microseconds since 1970 from ISO 8601 (UTC when it names no zone) or Unix seconds."""
    try:
        if isinstance(value, str) and not _INT.fullmatch(value.strip()):
            read = datetime.fromisoformat(value.strip())
            return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * SECOND_US)
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise WrongValue("a date is expected")
        at = int(value) * SECOND_US
        to_datetime(at)
    except (ValueError, OverflowError, OSError):
        raise WrongValue("a date is expected, as 2026-11-24T03:22:09Z") from None
    return at


def shown_value(kind: PropertyKind, value: PropertyValue) -> str:
    """As the API shows every value: a text."""
    if kind is PropertyKind.BOOL:
        return "true" if value else "false"
    if kind is PropertyKind.DATETIME and isinstance(value, int):
        return to_datetime(value - value % SECOND_US).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def read_values(given: Mapping[str, object], known: Mapping[str, ContactProperty]) -> dict[int, PropertyValue | None]:
    """Values by property number; `known`: definitions by their names in lower case. Raises WrongValue, naming the property."""
    found: dict[int, PropertyValue | None] = {}
    for name, value in given.items():
        definition = known.get(name.lower())
        if definition is None:
            raise WrongValue(f'there is no contact property "{name[:100]}"')
        try:
            found[definition.id] = read_value(definition.kind, value)
        except WrongValue as error:
            raise WrongValue(f'"{name[:100]}": {error}') from None
    return found
