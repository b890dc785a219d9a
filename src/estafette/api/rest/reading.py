"""Reads the query of a list and the body of a change by a resource's description (contract 5.1). Pure.

Names are read in any case, the first of a repeated name counts, unknown names are passed over. A value that cannot be read is an error with its name.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from estafette.api.errors import CallRefused, Problem
from estafette.api.rest.resource import Filter, Kind, Listing, Property, Resource, Values
from estafette.clock import SECOND_US, to_datetime
from estafette.mail.address import AddressError, parse
from estafette.model import MAX_MESSAGE_ID

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 1000
MAX_OFFSET: Final = 10_000_000
MAX_FILTER: Final = 4000
"""Characters of a filter's value."""
MAX_DEPTH: Final = 20
_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false", ""})
_INT: Final = re.compile(r"-?\d{1,16}", re.ASCII)
_FLOAT: Final = re.compile(r"-?\d{1,16}(\.\d{1,16})?", re.ASCII)
_LAST_US: Final = 4_102_444_800 * SECOND_US  # 2100


class Unreadable(ValueError):
    """A value that its kind does not take; the text says what is expected."""


def date(at_us: int | None) -> str:
    """RFC 3339 in UTC, whole seconds, as the contract's dates are; "" when unset."""
    return "" if at_us is None else to_datetime(at_us - at_us % SECOND_US).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_listing(resource: Resource, pairs: Iterable[tuple[str, str]]) -> Listing:
    """What a list is asked for. Raises CallRefused."""
    given: dict[str, str] = {}
    for name, value in pairs:
        given.setdefault(name.lower(), value)
    limit = _whole(given, "Limit", DEFAULT_LIMIT, 10**9)
    sort, is_descending = _sort(resource, given.get("sort", ""))
    filters = {}
    for one in resource.filters:
        text = given.get(one.name.lower(), given.get(one.alias.lower()) if one.alias else None)
        if text is None:
            if one.is_required:
                raise CallRefused(Problem("", 400, f'The filter "{one.name}" is mandatory.'))
            continue
        filters[one.name] = _filter(one, text)
    return Listing(
        limit=min(limit, MAX_LIMIT) or MAX_LIMIT, offset=_whole(given, "Offset", 0, MAX_OFFSET), sort=sort, is_descending=is_descending,
        filters=filters, is_count_only=_flag(given, "countOnly"), wants_total=_flag(given, "countRecords"),
    )  # fmt: skip


def read_body(properties: Iterable[Property], body: bytes, *, is_creation: bool) -> Values:
    """The properties that a body gives, each by its proper name. Raises CallRefused with all that is wrong."""
    given = {name.lower(): value for name, value in _object(body).items()}
    values: Values = {}
    wrong: dict[str, str] = {}
    for one in properties:
        if not (one.on_create if is_creation else one.on_update):
            continue
        name = next((n for n in _names(one) if n in given), None)
        if name is None:
            if one.is_required and is_creation:
                wrong[one.name] = "mandatory property is missing"
            continue
        try:
            values[one.name] = _value(one.kind, given[name], one.choices, one.max_length)
        except Unreadable as error:
            wrong[one.name] = str(error)
            continue
        if one.is_required and is_creation and values[one.name] == "":
            wrong[one.name] = "mandatory property is empty"
    if wrong:
        raise invalid(wrong)
    return values


def invalid(wrong: Mapping[str, str]) -> CallRefused:
    """The error of properties: which, and why each."""
    return CallRefused(Problem("", 400, "Object properties invalid"), info=dict(wrong))


def taken(resource: str, name: str, value: object) -> CallRefused:
    """Another one has the name."""
    return CallRefused(Problem("", 400, f'MJ18 A {resource} resource with value "{str(value)[:200]}" for {name} already exists.'))


def number_of(text: str) -> int:
    """An id as it stands in a path or a filter; 0 for what cannot be one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= MAX_MESSAGE_ID else 0


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise CallRefused(Problem("", 400, "Invalid JSON input: the body cannot be read.")) from None
    if isinstance(read, list) and len(read) == 1:  # some clients wrap
        read = read[0]
    if not isinstance(read, dict):
        raise CallRefused(Problem("", 400, "Invalid JSON input: an object is expected."))
    _look_through(read, 0)
    return read


def _look_through(value: object, depth: int) -> None:
    """No deep nesting, no NUL (PostgreSQL keeps none), no number that is none."""
    if depth > MAX_DEPTH:
        raise CallRefused(Problem("", 400, f"Invalid JSON input: nested more than {MAX_DEPTH} deep."))
    match value:
        case str():
            if "\0" in value:
                raise CallRefused(Problem("", 400, "Invalid JSON input: NUL is no character of a text."))
        case dict():
            for name, inner in value.items():
                _look_through(name, depth)
                _look_through(inner, depth + 1)
        case list():
            for inner in value:
                _look_through(inner, depth + 1)


def _names(one: Property) -> list[str]:
    """The 2026 schema of the contract names references without `ID`; both are accepted."""
    names = [one.name.lower()]
    if one.name.endswith("ID") and len(one.name) > 2:
        names.append(one.name[:-2].lower())
    return [*names, one.alias.lower()] if one.alias else names


def _filter(one: Filter, text: str) -> Any:
    if len(text) > MAX_FILTER or "\0" in text:
        raise CallRefused(Problem("", 400, f'Invalid value for "{one.name}": at most {MAX_FILTER} characters are expected.'))
    try:
        if one.is_several:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            return tuple(_from_text(one.kind, part, one.choices) for part in parts)
        return _from_text(one.kind, text.strip(), one.choices)
    except Unreadable as error:
        raise CallRefused(Problem("", 400, f'Invalid value for "{one.name}": {error}.')) from None


def _from_text(kind: Kind, text: str, choices: tuple[str, ...]) -> Any:
    if kind is Kind.INT:
        if not _INT.fullmatch(text):
            raise Unreadable("a whole number is expected")
        return int(text)
    if kind is Kind.BOOL:
        if text.lower() not in _TRUE | _FALSE:
            raise Unreadable("true, false, 1 or 0 is expected")
        return text.lower() in _TRUE
    return _value(kind, text, choices, MAX_FILTER)


def _value(kind: Kind, value: Any, choices: tuple[str, ...], max_length: int) -> Any:
    match kind:
        case Kind.INT:
            if isinstance(value, str) and _INT.fullmatch(value.strip()):
                value = int(value)
            if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_MESSAGE_ID:
                raise Unreadable("a whole number is expected")
        case Kind.FLOAT:
            if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
                value = float(value)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise Unreadable("a number is expected")
        case Kind.BOOL:
            if isinstance(value, int) and value in (0, 1):
                value = bool(value)
            if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
                value = value.lower() in _TRUE
            if not isinstance(value, bool):
                raise Unreadable("true or false is expected")
        case Kind.DATE:
            return read_date(value)
        case Kind.ADDRESS | Kind.ADDRESSES:
            return _address(kind, value)
        case Kind.STR:
            return _text(value, choices, max_length)
        case Kind.LIST if not isinstance(value, list):
            raise Unreadable("an array is expected")
        case Kind.OBJECT if not isinstance(value, dict):
            raise Unreadable("an object is expected")
    return value


def _text(value: Any, choices: tuple[str, ...], max_length: int) -> str:
    if not isinstance(value, str):
        raise Unreadable("a text is expected")
    if choices:
        found = next((choice for choice in choices if choice.lower() == value.strip().lower()), None)
        if found is None:
            raise Unreadable(f"one of {', '.join(choices)} is expected")
        return found
    if len(value) > max_length:
        raise Unreadable(f"at most {max_length} characters are expected")
    return value


def _address(kind: Kind, value: Any) -> Any:
    if not isinstance(value, str):
        raise Unreadable("an e-mail address is expected")
    try:
        if kind is Kind.ADDRESSES and value.strip().startswith("*@"):
            return "*@" + parse("a" + value.strip()[1:]).domain
        found = parse(value.strip())
    except AddressError as error:
        raise Unreadable(f'"{value[:254]}" is an invalid email address: {error}') from None
    return str(found) if kind is Kind.ADDRESSES else found


def read_date(value: Any) -> int:
    """Microseconds since 1970 from RFC 3339, with or without zone, or Unix seconds. Raises Unreadable."""
    try:
        if isinstance(value, str) and _INT.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            at = value * SECOND_US
        else:
            read = datetime.fromisoformat(value.strip().replace(" ", "+") if value.strip().count(" ") and "T" in value else value.strip())
            read = read if read.tzinfo else read.replace(tzinfo=UTC)
            at = int(read.timestamp() * SECOND_US)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise Unreadable("a date of RFC 3339 is expected, as 2026-11-24T03:22:09Z") from None
    if not 0 <= at <= _LAST_US:
        raise Unreadable("a date from 1970 to 2100 is expected")
    return at


def _sort(resource: Resource, text: str) -> tuple[str, bool]:
    """`Prop`, `Prop DESC`, `Prop ASC`; the plus of `Prop+DESC` has become a space when it was written as the contract says."""
    name, _, direction = text.strip().partition(" ")
    found = next((one for one in resource.sorts if one.lower() == name.lower()), None)
    if not text.strip():
        return "", False
    if found is None or direction.strip().lower() not in ("", "asc", "desc"):
        raise CallRefused(Problem("", 400, f"Unexpected error during GET: Invalid sort specification: Cannot sort on field {text.strip()[:100]}"))
    return found, direction.strip().lower() == "desc"


def _whole(given: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = given.get(name.lower(), "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= highest):
        raise CallRefused(Problem("", 400, f'Invalid value for "{name}": a whole number from 0 to {highest} is expected.'))
    return int(text)


def _flag(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name.lower(), "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise CallRefused(Problem("", 400, f'Invalid value for "{name}": true, false, 1 or 0 is expected.'))
    return text in _TRUE
