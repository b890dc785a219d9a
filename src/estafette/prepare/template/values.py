"""How JSON values are printed, compared, added and asked for truth. Pure.

A bool is no number. Numbers are 64-bit integers and floats; what leaves that range fails. A text is compared with a text only.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from estafette.prepare.template.running import CHARACTERS_PER_STEP, Failed, Run, Value

LIMIT: Final = 1 << 63
_NAMES: Final = {"bool": "true or false", "int": "a number", "float": "a number", "str": "a text", "list": "an array", "dict": "an object"}


def printed(value: Value) -> str:
    """As a tag writes it. Raises Failed."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(number(value))
        case float():
            return _printed_float(number(value))
        case _:
            return msgspec.json.encode(value).decode()


def is_true(value: Value) -> bool:
    """Empty and zero are false."""
    return bool(value)


def number(value: Value) -> int | float:
    """Raises Failed for what is none, or is too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Failed(f"{kind_of(value)} where a number is expected")
    if isinstance(value, int) and not -LIMIT <= value < LIMIT:
        value = float(value) if abs(value) < 1 << 1000 else math.inf
    if isinstance(value, float) and not math.isfinite(value):
        raise Failed("a number is too large")
    return value


def kind_of(value: Value) -> str:
    """What a value is, in words."""
    return _NAMES.get(type(value).__name__, "nothing")


def is_equal(run: Run, a: Value, b: Value) -> bool:
    """Values of different kinds are different. Raises Failed for arrays and objects."""
    if isinstance(a, list | dict) or isinstance(b, list | dict):
        raise Failed("arrays and objects cannot be compared")
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    _pay_for_comparing(run, a, b)
    return a == b


def _pay_for_comparing(run: Run, a: Value, b: Value) -> None:
    if isinstance(a, str) and isinstance(b, str):
        run.spend(min(len(a), len(b)) // CHARACTERS_PER_STEP)


def _add(run: Run, a: Value, b: Value) -> Value:
    if isinstance(a, str) and isinstance(b, str):
        return run.spend_on(a + b)
    return number(number(a) + number(b))


def _divide(run: Run, a: Value, b: Value) -> Value:
    return number(number(a) / _divisor(b))


def _divide_whole(run: Run, a: Value, b: Value) -> Value:
    divisor = _divisor(b)
    quotient = abs(number(a)) // abs(divisor)
    return int(quotient if (number(a) < 0) == (divisor < 0) else -quotient)


def _remainder(run: Run, a: Value, b: Value) -> Value:
    x, y = number(a), _divisor(b)
    if isinstance(x, int) and isinstance(y, int):
        return abs(x) % abs(y) * (-1 if x < 0 else 1)
    return math.fmod(x, y)


def _divisor(value: Value) -> int | float:
    divisor = number(value)
    if not divisor:
        raise Failed("division by zero")
    return divisor


def _ordered(is_right: Callable[[object, object], bool]) -> Callable[[Run, Value, Value], Value]:
    def compare(run: Run, a: Value, b: Value) -> Value:
        _pay_for_comparing(run, a, b)
        if isinstance(a, str) and isinstance(b, str):
            return is_right(a, b)
        return is_right(number(a), number(b))

    return compare


OPERATORS: Final[dict[str, Callable[[Run, Value, Value], Value]]] = {
    "+": _add,
    "-": lambda run, a, b: number(number(a) - number(b)),
    "*": lambda run, a, b: number(number(a) * number(b)),
    "/": _divide,
    "div": _divide_whole,
    "mod": _remainder,
    "=": lambda run, a, b: is_equal(run, a, b),
    "!=": lambda run, a, b: not is_equal(run, a, b),
    "<": _ordered(lambda a, b: a < b),  # type: ignore[operator]
    ">": _ordered(lambda a, b: a > b),  # type: ignore[operator]
    "<=": _ordered(lambda a, b: a <= b),  # type: ignore[operator]
    ">=": _ordered(lambda a, b: a >= b),  # type: ignore[operator]
}
"""`and`, `or` and `xor` are not here: they ask for truth, not for values."""


def _printed_float(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15g}" if float(f"{value:.15g}") == value or abs(value) < 1e15 else repr(value)
