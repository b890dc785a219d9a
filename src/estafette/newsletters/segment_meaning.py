"""What a segment says of one contact, and why. Pure.

Two rules make the meaning the same here and in SQL: a comparison with a property that the contact does not have is false (and so its `not` is true), and
texts are compared without regard to case. Times are compared as instants; a text or a number that stands for one is read as ISO 8601 or as Unix seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from estafette.newsletters.segment_language import FUNCTIONS, Call, Compare, Condition, Literal, Logic, Not, Property, Value, kind_of

Fact = str | int | float | bool | datetime
PATTERNS: Final = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
"""What the patterns of FormatDateTime are made of."""


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one contact. Property names in lower case; times aware."""

    properties: Mapping[str, Fact] = field(default_factory=dict)
    last_open: datetime | None = None
    last_click: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One comparison of the expression and whether it holds."""

    text: str
    holds: bool


def matches(tree: Condition, person: Person, kinds: Mapping[str, str], now: datetime) -> bool:
    """Whether the contact belongs to the segment. `tree` has been through `check` with the same `kinds`."""
    match tree:
        case Logic("and", left, right):
            return matches(left, person, kinds, now) and matches(right, person, kinds, now)
        case Logic("or", left, right):
            return matches(left, person, kinds, now) or matches(right, person, kinds, now)
        case Logic(_, left, right):
            return matches(left, person, kinds, now) != matches(right, person, kinds, now)
        case Not(inner):
            return not matches(inner, person, kinds, now)
        case Compare():
            return _compares(tree, person, kinds, now)
        case Call():
            return _holds(tree, person, kinds, now)


def reasons(tree: Condition, person: Person, kinds: Mapping[str, str], now: datetime) -> list[Reason]:
    """Every comparison in the order of the text: why in, why out."""
    match tree:
        case Logic(_, left, right):
            return [*reasons(left, person, kinds, now), *reasons(right, person, kinds, now)]
        case Not(inner):
            return reasons(inner, person, kinds, now)
        case _:
            return [Reason(text_of(tree), matches(tree, person, kinds, now))]


def text_of(node: Condition | Value) -> str:
    """The expression in its plainest spelling."""
    match node:
        case Logic(op, left, right):
            return f"({text_of(left)}) {op.upper()} ({text_of(right)})"
        case Not(inner):
            return f"not ({text_of(inner)})"
        case Compare(op, left, right):
            return f"{text_of(left)} {op} {text_of(right)}"
        case Call(name, args):
            return f"{name}({', '.join(map(text_of, args))})"
        case Property(name):
            return name
        case Literal(bool() as value):
            return str(value).lower()
        case Literal(str() as value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Literal(value):
            return str(value)


def _compares(node: Compare, person: Person, kinds: Mapping[str, str], now: datetime) -> bool:
    one, other = _value(node.left, person, kinds, now), _value(node.right, person, kinds, now)
    if "datetime" in (kind_of(node.left, kinds), kind_of(node.right, kinds)):
        one, other = instant(one), instant(other)
    if one is None or other is None:
        return False
    if isinstance(one, str) and isinstance(other, str):
        one, other = one.casefold(), other.casefold()
    if isinstance(one, datetime) and isinstance(other, datetime):
        return _in_order(node.op, (one > other) - (one < other))
    if isinstance(one, str) or isinstance(other, str) or isinstance(one, datetime) or isinstance(other, datetime):
        return isinstance(one, str) and isinstance(other, str) and _in_order(node.op, (one > other) - (one < other))
    return _in_order(node.op, (one > other) - (one < other))


def _in_order(op: str, sign: int) -> bool:
    return {"=": sign == 0, "!=": sign != 0, "<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[op]


def _holds(call: Call, person: Person, kinds: Mapping[str, str], now: datetime) -> bool:
    assert FUNCTIONS[call.name].is_condition
    args: Sequence[Fact | None] = [_value(arg, person, kinds, now) for arg in call.args]
    subject = args[0]
    match call.name:
        case "hasopenedsince":
            return _within(person.last_open, now - _days(subject), now)
        case "hasclickedsince":
            return _within(person.last_click, now - _days(subject), now)
        case "isprovided":
            return subject is not None and subject != ""
        case "startswith" | "endswith" | "contains":
            whole, part = str(subject or "").casefold(), str(args[1]).casefold()
            return subject is not None and {"startswith": whole.startswith(part), "endswith": whole.endswith(part), "contains": part in whole}[call.name]
        case "isbetweennumbers":
            return isinstance(subject, int | float) and _number(args[1]) <= subject <= _number(args[2])
        case "between":
            return _within(instant(subject), instant(args[1]), instant(args[2]))
        case "isinnextdays":
            return _within(instant(subject), now, now + _days(args[1]))
        case _:
            return _within(instant(subject), now - _days(args[1]), now)


def _value(node: Value, person: Person, kinds: Mapping[str, str], now: datetime) -> Fact | None:
    match node:
        case Literal(value):
            return value
        case Property(name):
            return person.properties.get(name.lower())
        case Call("datetimenow"):
            return now
        case Call("todate", args):
            return instant(_value(args[0], person, kinds, now))
        case Call(_, args):
            moment = instant(_value(args[1], person, kinds, now))
            shift = _number(_value(args[2], person, kinds, now)) if len(args) > 2 else 0.0
            return None if moment is None else moment.astimezone(UTC).__add__(timedelta(hours=max(-24.0, min(24.0, shift)))).strftime(pattern_of(str(
                _value(args[0], person, kinds, now))))  # fmt: skip


def pattern_of(text: str) -> str:
    """A pattern of FormatDateTime (yyyy-MM-dd HH:mm:ss) for strftime; other characters stand for themselves."""
    text = text.replace("%", "%%")
    for ours, theirs in PATTERNS.items():
        text = text.replace(ours, theirs)
    return text


def instant(value: Fact | None) -> datetime | None:
    """A time from what stands for one: an aware time, Unix seconds, or ISO 8601 (UTC when it names no zone); None when it is none."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(value.strip())
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _within(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    return moment is not None and start is not None and end is not None and start <= moment <= end


def _days(value: Fact | None) -> timedelta:
    return timedelta(days=max(-36_500.0, min(36_500.0, _number(value))))


def _number(value: Fact | None) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
