"""The segment language (contract 5.4): text → a tree, and every mistake with its place. Pure.

    (age >= 18) AND (not (Contains(city, "Par"))) OR (hasopenedsince(30))

Precedence: not, AND, XOR, OR; parentheses wherever the writer wants them. A name is a property of the contact; words and functions are read in any
case. What a tree means is in `segment_meaning.py` (one contact) and `store/segments.py` (all contacts, as SQL): both say the same.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 10_000
MAX_DEPTH: Final = 50
MAX_NODES: Final = 500


class SegmentError(ValueError):
    """The expression cannot be understood; `at` is the offset of the place in it."""

    def __init__(self, text: str, at: int) -> None:
        super().__init__(f"{text} (at character {at + 1})")
        self.at = at


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Property:
    name: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS`, by its name in lower case."""

    name: str
    args: "tuple[Value, ...]"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    """`op` is one of = != < <= > >=."""

    op: str
    left: "Value"
    right: "Value"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Logic:
    """`op` is and, or, xor."""

    op: str
    left: "Condition"
    right: "Condition"


@dataclass(frozen=True, slots=True)
class Not:
    inner: "Condition"


Value = Literal | Property | Call
Condition = Compare | Call | Logic | Not


@dataclass(frozen=True, slots=True)
class Function:
    """Kinds of the arguments: p property, s text, n number, d date (a value), v anything; `is_condition`: true or false, else a value of `kind`."""

    args: str
    is_condition: bool = True
    kind: str = "bool"


FUNCTIONS: Final[Mapping[str, Function]] = {
    "isbetweennumbers": Function("pnn"),
    "isprovided": Function("p"),
    "startswith": Function("ps"),
    "endswith": Function("ps"),
    "contains": Function("ps"),
    "between": Function("pdd"),
    "isinnextdays": Function("pn"),
    "isinpreviousdays": Function("pn"),
    "hasopenedsince": Function("n"),
    "hasclickedsince": Function("n"),
    "todate": Function("n", is_condition=False, kind="datetime"),
    "datetimenow": Function("", is_condition=False, kind="datetime"),
    "formatdatetime": Function("sp", is_condition=False, kind="str"),
    "formatdatetimetz": Function("spn", is_condition=False, kind="str"),
}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<op><>|<=|>=|!=|==|=|<|>)
    | (?P<mark>[(),])
    | (?P<name>[^\W\d][\w.-]*)
    )""",
    re.X,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Condition:
    """The tree of an expression. Raises SegmentError."""
    if len(text) > MAX_LENGTH:
        raise SegmentError(f"longer than {MAX_LENGTH} characters", MAX_LENGTH)
    return _Parser(_tokens(text)).whole()


def properties_of(tree: Condition) -> dict[str, int]:
    """The properties that an expression names, and where it does first."""
    found: dict[str, int] = {}

    def walk(node: Condition | Value) -> None:
        match node:
            case Property(name, at):
                found.setdefault(name.lower(), at)
            case Compare(_, left, right) | Logic(_, left, right):
                walk(left)
                walk(right)
            case Call(_, args):
                for arg in args:
                    walk(arg)
            case Not(inner):
                walk(inner)
            case _:
                pass

    walk(tree)
    return found


def check(tree: Condition, kinds: Mapping[str, str]) -> None:
    """See that every property exists and is compared with what it can be compared with. `kinds`: name in lower case → str, int, float, datetime, bool.
    Raises SegmentError with the first mistake."""
    for name, at in properties_of(tree).items():
        if name not in kinds:
            raise SegmentError(f"there is no contact property {name!r}", at)
    _check(tree, kinds)


def kind_of(value: Value, kinds: Mapping[str, str]) -> str:
    """str, number, datetime or bool."""
    match value:
        case Literal(bool()):
            return "bool"
        case Literal(str()):
            return "str"
        case Literal():
            return "number"
        case Property(name):
            return {"int": "number", "float": "number"}.get(kinds[name.lower()], kinds[name.lower()])
        case Call(name):
            return FUNCTIONS[name].kind


def _check(node: Condition | Value, kinds: Mapping[str, str]) -> None:
    match node:
        case Compare(op, left, right, at):
            one, other = kind_of(left, kinds), kind_of(right, kinds)
            if (one != other and "datetime" not in (one, other)) or {one, other} == {"datetime", "bool"}:
                raise SegmentError(f"{one} cannot be compared with {other}", at)
            if op not in ("=", "!=") and "bool" in (one, other):
                raise SegmentError(f"true and false have no order: {op} does not apply", at)
            _check(left, kinds)
            _check(right, kinds)
        case Logic(_, left, right):
            _check(left, kinds)
            _check(right, kinds)
        case Not(inner):
            _check(inner, kinds)
        case Call(name, args, at):
            for wanted, arg in zip(FUNCTIONS[name].args, args, strict=True):
                _check_argument(name, wanted, arg, at, kinds)
        case _:
            pass


_ARGUMENT: Final = {"s": ("str",), "n": ("number",), "d": ("datetime", "str", "number")}
_SUBJECT: Final = {"isbetweennumbers": "number", "startswith": "str", "endswith": "str", "contains": "str", "between": "datetime", "isinnextdays": "datetime",
                   "isinpreviousdays": "datetime", "formatdatetime": "datetime", "formatdatetimetz": "datetime"}  # fmt: skip
"""What the property of a function must be; the others take any."""


def _check_argument(name: str, wanted: str, arg: Value, at: int, kinds: Mapping[str, str]) -> None:
    kind = kind_of(arg, kinds)
    if wanted == "p":
        if not isinstance(arg, Property):
            raise SegmentError(f"{name} wants the name of a property here", at)
        if name in _SUBJECT and kind != _SUBJECT[name]:
            raise SegmentError(f"{name} wants a property of kind {_SUBJECT[name]}, and {arg.name} is {kind}", at)
    elif kind not in _ARGUMENT[wanted]:
        raise SegmentError(f"{name} wants {' or '.join(_ARGUMENT[wanted])} here, not {kind}", at)
    elif isinstance(arg, Property):
        raise SegmentError(f"{name} wants a constant here, not the property {arg.name}", at)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise SegmentError(f"{text[start]!r} is not understood here", start)
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        if len(tokens) > MAX_NODES:
            raise SegmentError(f"more than {MAX_NODES} words and signs", tokens[MAX_NODES].at)

    def whole(self) -> Condition:
        tree = self._or()
        if self._token.kind != "end":
            raise SegmentError(f"AND, OR or the end was expected, not {self._token.text!r}", self._token.at)
        return tree

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _is(self, text: str) -> bool:
        token = self._token
        return token.kind in ("name", "mark") and token.text.lower() == text

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _expect(self, text: str) -> None:
        if not self._is(text):
            raise SegmentError(f"{text!r} was expected" + (f", not {self._token.text!r}" if self._token.text else ""), self._token.at)
        self._next += 1

    def _logic(self, op: str, part: Callable[[], Condition]) -> Condition:
        left = part()
        while self._is(op):
            self._next += 1
            left = Logic(op, left, part())
        return left

    def _or(self) -> Condition:
        return self._logic("or", lambda: self._logic("xor", lambda: self._logic("and", self._not)))

    def _not(self) -> Condition:
        if not self._is("not"):
            return self._condition()
        self._next += 1
        depth = self._deeper()
        inner = Not(self._not())
        self._depth = depth - 1
        return inner

    def _deeper(self) -> int:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SegmentError(f"more than {MAX_DEPTH} levels of parentheses", self._token.at)
        return self._depth

    def _condition(self) -> Condition:
        if self._is("("):
            self._next += 1
            depth = self._deeper()
            inner = self._or()
            self._depth = depth - 1
            self._expect(")")
            return inner
        at = self._token.at
        left = self._value()
        if self._token.kind == "op":
            op = self._take().text
            return Compare({"<>": "!=", "==": "="}.get(op, op), left, self._value(), at)
        if isinstance(left, Call) and FUNCTIONS[left.name].is_condition:
            return left
        raise SegmentError("a comparison was expected: =, !=, <, <=, > or >=", self._token.at)

    def _value(self) -> Value:
        token = self._take()
        match token.kind:
            case "number":
                return Literal(float(token.text) if "." in token.text else int(token.text))
            case "text":
                return Literal(re.sub(r"\\(.)", r"\1", token.text[1:-1]))
            case "name" if token.text.lower() in ("true", "false"):
                return Literal(token.text.lower() == "true")
            case "name" if self._is("("):
                return self._call(token)
            case "name" if token.text.lower() not in ("and", "or", "xor", "not"):
                return Property(token.text, token.at)
            case _:
                raise SegmentError("a property, a value or a function was expected" + (f", not {token.text!r}" if token.text else ""), token.at)

    def _call(self, token: _Token) -> Call:
        name = token.text.lower()
        if name not in FUNCTIONS:
            raise SegmentError(f"there is no function {token.text!r}; there are {', '.join(FUNCTIONS)}", token.at)
        self._expect("(")
        args: list[Value] = []
        while not self._is(")"):
            if args:
                self._expect(",")
            args.append(self._value())
        self._expect(")")
        if len(args) != len(FUNCTIONS[name].args):
            raise SegmentError(f"{token.text} takes {len(FUNCTIONS[name].args)} arguments, not {len(args)}", token.at)
        return Call(name, tuple(args), token.at)
