"""Reads one expression and makes a closure of it. Pure.

    or ─► and ─► not ─► comparison ─► + - ─► * / div mod ─► unary ─► primary        each level a chain that is evaluated in a loop

Precedence from weak to strong; `xor` is as weak as `or`. Depth is counted while reading, so that no template can exhaust the stack; a long chain
is a list, not a tower of closures.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from estafette.prepare.template.functions import FUNCTIONS
from estafette.prepare.template.running import Evaluate, Failed, Json, Run, Value
from estafette.prepare.template.values import OPERATORS, is_true, number

MAX_DEPTH: Final = 24
"""Parentheses, arguments and prefixes inside each other."""
MAX_TOKENS: Final = 2_000
_WORD: Final = r"[^\W\d]\w*(?:-\w+)*"
_STEP: Final = r"\w+(?:-\w+)*"
_TOKEN: Final = re.compile(
    rf"""\s*(?:
    (?P<reference>(?:var|data|mj|segment):{_STEP}(?:\.{_STEP})*(?P<default>:(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|-?\d+(?:\.\d+)?|true\b|false\b))?)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<text>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')
    |(?P<word>{_WORD}(?:\.{_STEP})*)
    |(?P<sign>===|==|=|!=|<>|>=|<=|>|<|\+|-|\*|/|\(|\)|,|!|&&|\|\|)
    )""",
    re.X | re.S,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.S)
_SAME: Final = {"==": "=", "===": "=", "<>": "!=", "&&": "and", "||": "or", "!": "not"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}
_UNSUBSCRIBE: Final = re.compile(r"(unsub|preferences)_link(?:_([a-z]{2}))?")
_TAGS: Final = {"permalink": "[[PERMALINK]]", **{f"share_{site}": f"[[SHARE_{site.upper()}]]" for site in ("twitter", "google", "facebook", "linkedin")}}
KEYWORDS: Final = frozenset({"and", "or", "xor", "not", "div", "mod", "true", "false", "in"})


class Unreadable(ValueError):
    """The expression cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # reference, number, text, word, sign, end
    text: str
    default: str = ""  # of a reference, with its colon


def tokens_of(source: str) -> list[_Token]:
    """Raises Unreadable."""
    found: list[_Token] = []
    at, end = 0, len(source.rstrip())
    while at < end:
        match = _TOKEN.match(source, at)
        if match is None or len(found) >= MAX_TOKENS:
            raise Unreadable(f"unexpected {source[at:].strip()[:20]!r}" if match is None else f"more than {MAX_TOKENS} words in one tag")
        kind = match.lastgroup if match.lastgroup != "default" else "reference"
        text = match[kind or ""]
        default = match["default"] or ""
        if kind == "word" and text.lower() in KEYWORDS:
            kind, text = "sign", text.lower()
        if kind == "reference":
            text = text.removesuffix(default)
        found.append(_Token(kind or "", _SAME.get(text, text) if kind == "sign" else text, default))
        at = match.end()
    return [*found, _Token("end", "")]


def read_expression(source: str) -> Evaluate:
    """The closure of a whole expression. Raises Unreadable."""
    reader = _Reader(tokens_of(source))
    if reader.next.kind == "end":
        raise Unreadable("the tag is empty")
    evaluate = reader.disjunction()
    if reader.next.kind != "end":
        raise Unreadable(f"unexpected {reader.next.text!r}")
    return evaluate


def constant_tag(source: str) -> str:
    """The tag of the platform that an expression stands for and nothing else, the same for everybody; "" for any other expression. Raises Unreadable."""
    tokens = tokens_of(source)
    is_alone = len(tokens) == 2 and tokens[0].kind == "reference" and tokens[0].text.startswith("mj:")
    return _platform_tag(tokens[0].text[3:]) if is_alone else ""


def told_by(source: str) -> Callable[[Run], bool] | None:
    """For an expression that only names something known of the recipient (`data:x`, `mj:contact.name`): whether that has a value, so that it is not the
    default which is printed. None for any other expression. Raises Unreadable."""
    tokens = tokens_of(source)
    if len(tokens) != 2 or tokens[0].kind != "reference" or not tokens[0].text.startswith(("data:", "mj:contact.")):
        return None
    namespace, _, path = tokens[0].text.partition(":")
    first, *further = path.split(".")
    known = _KNOWN[namespace]

    def is_told(run: Run) -> bool:
        value = known(run).get(first)
        for step in further:
            value = _inside(value, step)
        return value is not None

    return is_told


class _Reader:
    """A recursive descent over the tokens of one expression."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *signs: str) -> str:
        """The next token when it is one of these signs, and go on; "" otherwise."""
        token = self.next
        if token.kind != "sign" or token.text not in signs:
            return ""
        self._at += 1
        return token.text

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise Unreadable(f"{sign!r} expected" + (f" before {self.next.text!r}" if self.next.text else ""))

    # -- levels, weak to strong

    def disjunction(self) -> Evaluate:
        first = self._conjunction()
        rest = []
        while sign := self._take("or", "xor"):
            rest.append((sign == "or", self._conjunction()))
        if not rest:
            return first

        def evaluate(run: Run) -> Value:
            value = is_true(first(run))
            for is_or, operand in rest:
                run.spend()
                value = value or is_true(operand(run)) if is_or else value != is_true(operand(run))
            return value

        return evaluate

    def _conjunction(self) -> Evaluate:
        parts = [self._negation()]
        while self._take("and"):
            parts.append(self._negation())
        if len(parts) == 1:
            return parts[0]

        def evaluate(run: Run) -> Value:
            run.spend(len(parts))
            return all(is_true(part(run)) for part in parts)

        return evaluate

    def _negation(self) -> Evaluate:
        if not self._take("not"):
            return self._chain(self._sum, ("=", "!=", "<", ">", "<=", ">="))
        self._enter()
        operand = self._negation()
        self._depth -= 1
        return lambda run: not is_true(operand(run))

    def _sum(self) -> Evaluate:
        return self._chain(self._product, ("+", "-"))

    def _product(self) -> Evaluate:
        return self._chain(self._unary, ("*", "/", "div", "mod"))

    def _chain(self, operand: Callable[[], Evaluate], signs: tuple[str, ...]) -> Evaluate:
        first = operand()
        rest = []
        while sign := self._take(*signs):
            rest.append((OPERATORS[sign], operand()))
        if not rest:
            return first

        def evaluate(run: Run) -> Value:
            value = first(run)
            for operate, right in rest:
                run.spend()
                value = operate(run, value, right(run))
            return value

        return evaluate

    def _unary(self) -> Evaluate:
        if not self._take("-"):
            return self._primary()
        self._enter()
        operand = self._unary()
        self._depth -= 1
        return lambda run: number(-number(operand(run)))

    def _primary(self) -> Evaluate:
        token = self.next
        if self._take("("):
            self._enter()
            inner = self.disjunction()
            self._depth -= 1
            self._expect(")")
            return inner
        if self._take("not"):  # `1 = !x`: as tight as a function
            self._enter()
            operand = self._primary()
            self._depth -= 1
            return lambda run: not is_true(operand(run))
        if word := self._take("true", "false"):
            return lambda run, value=word == "true": value  # type: ignore[misc]
        self._at += 1
        match token.kind:
            case "number" | "text":
                return lambda run, value=literal(token.text): value  # type: ignore[misc]
            case "reference":
                return reference(token.text, token.default)
            case "word" if self._take("("):
                return self._call(token.text)
            case "word":
                return reference(token.text, "")
        raise Unreadable(f"unexpected {token.text!r}" if token.text else "the expression ends too early")

    def _call(self, name: str) -> Evaluate:
        function = FUNCTIONS.get(name.lower())
        if function is None:
            raise Unreadable(f"there is no function {name}")
        arguments: list[Evaluate] = []
        self._enter()
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self.disjunction())
        self._depth -= 1
        if not function.least <= len(arguments) <= function.most:
            raise Unreadable(f"{name} takes {function.least if function.least == function.most else f'{function.least} to {function.most}'} values")
        call = function.call

        def evaluate(run: Run) -> Value:
            run.spend()
            return call(run, [argument(run) for argument in arguments])

        return evaluate

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"more than {MAX_DEPTH} parentheses or prefixes inside each other")


def literal(text: str) -> Value:
    """The value of a quoted text, a number, true or false. Raises Unreadable."""
    if text[:1] in "\"'":
        return _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    if len(text) > 30:
        raise Unreadable("a number of more than 30 digits")
    return number(float(text) if "." in text else int(text))


def reference(name: str, default: str) -> Evaluate:
    """What a name stands for: `var:a.b`, `data:x`, `mj:contact.email`, `segment:vip`, or a name that the template made."""
    namespace, _, path = name.rpartition(":")
    first, *further = path.split(".")
    known = _KNOWN[namespace]
    otherwise: Value = literal(default[1:]) if default else None
    if namespace == "segment":
        return lambda run: _segment(run, path, name)
    if namespace == "mj" and (tag := _platform_tag(path)):
        return lambda run: tag

    def evaluate(run: Run) -> Value:
        run.spend()
        value = known(run).get(first)
        for step in further:
            value = _inside(value, step)
        if value is None:
            if default:
                return otherwise
            raise Failed(f"Unknown identifier: {name}", name)
        return value

    return evaluate


_KNOWN: Final[dict[str, Callable[[Run], Json]]] = {
    "": lambda run: run.names,
    "var": lambda run: run.facts.var,
    "data": lambda run: run.facts.data,
    "mj": lambda run: run.facts.mj,
    "segment": lambda run: {},
}


def _inside(value: Value, step: str) -> Value:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isascii() and step.isdecimal() and len(step) < 7 and int(step) < len(value):
        return value[int(step)]
    return None


def _segment(run: Run, path: str, name: str) -> Value:
    if path not in run.facts.segments:
        raise Failed(f"Unknown identifier: {name}", name)
    return run.facts.segments[path]


def _platform_tag(path: str) -> str:
    """The tag that `prepare` fills in for each recipient; "" for everything else."""
    if match := _UNSUBSCRIBE.fullmatch(path):
        return f"[[{match[1].upper()}_LINK_{(match[2] or 'en').upper()}]]"
    return _TAGS.get(path, "")
