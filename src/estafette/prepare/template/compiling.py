"""Compiles a source to a list of closures, and renders it. Pure.

    compiled = compile_template(source, is_html=True)        raises Halted: its `error` says where the source cannot be read
    rendered = render(compiled, facts)                       rendered.error: what could not be evaluated

Blocks are read with a stack of their own, so that a source cannot exhaust Python's; the closures of blocks inside each other are at most
`MAX_NESTED` deep.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from estafette.prepare.template.expressions import KEYWORDS, Unreadable, constant_tag, read_expression, told_by
from estafette.prepare.template.legacy import split_legacy
from estafette.prepare.template.running import (
    MAX_STEPS,
    NEAR,
    Evaluate,
    Execute,
    Facts,
    Failed,
    Halted,
    Place,
    Printed,
    Run,
    Spent,
    TemplateError,
    Told,
    Value,
)
from estafette.prepare.template.values import is_true, kind_of, printed

MAX_SOURCE: Final = 1_000_000
MAX_TAGS: Final = 20_000
MAX_NESTED: Final = 24
MAX_TAG: Final = 10_000
_TAG: Final = re.compile(r"""\{(?P<kind>[{%])(?P<inside>(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[^"'}%]|%(?!\})|\}(?!\}))*+)[}%]\}""", re.S)
_BEGIN: Final = re.compile(r"\{[{%]")
_KEYWORD: Final = re.compile(r"\s*([a-z]+)\b(.*)", re.S | re.I)
_SET: Final = re.compile(r"\s*([^\W\d]\w*(?:-\w+)*)\s*=(?!=)(.*)", re.S)
_FOR: Final = re.compile(r"\s*([^\W\d]\w*(?:-\w+)*)\s+in\s+(.*)", re.S)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template that can be rendered as often as wanted."""

    pieces: tuple[Execute, ...]
    size: int  # characters of the source


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text, and the first thing that could not be evaluated."""

    text: str  # with an error: the text without the tags that failed
    error: TemplateError | None = None
    steps: int = 0  # what it took


@dataclass(slots=True)
class _Block:
    """A block that is still open."""

    keyword: str  # "", if, for
    place: Place
    pieces: list[Execute] = field(default_factory=list)  # of the branch that is being read
    branches: list[tuple[Evaluate | None, Place, list[Execute]]] = field(default_factory=list)  # if: condition (None = else)
    name: str = ""  # for
    over: Evaluate | None = None
    source: str = ""  # for: the expression as written
    has_else: bool = False


def compile_template(source: str, *, is_html: bool = False, has_legacy: bool = False) -> Compiled:
    """Raises Halted. `is_html`: editors write `&quot;` and `&gt;` inside of tags; they are read as what they stand for. `has_legacy`: the tags of `legacy` are
    read as well."""
    if len(source) > MAX_SOURCE:
        raise Halted(TemplateError(f"the template is longer than {MAX_SOURCE} characters", Place(1, 1, ""), is_syntax=True))
    blocks = [_Block("", Place(1, 1, ""))]
    for number, (text, kind, inside, place) in enumerate(_parts(source)):
        if number > MAX_TAGS:
            raise Halted(TemplateError(f"the template has more than {MAX_TAGS} tags", place, is_syntax=True))
        if text:
            blocks[-1].pieces += [_text(piece) if isinstance(piece, str) else piece for piece in (split_legacy(text) if has_legacy else (text,)) if piece]
        try:
            inside = html.unescape(inside) if is_html and "&" in inside else inside
            if kind == "{":
                blocks[-1].pieces.append(_output(inside, place))
            elif kind:
                _statement(inside, place, blocks)
        except (Unreadable, Failed) as error:
            raise Halted(TemplateError(str(error), place, is_syntax=True)) from None
    if len(blocks) > 1:
        raise Halted(TemplateError(f"{blocks[-1].keyword} has no end{blocks[-1].keyword}", blocks[-1].place, is_syntax=True))
    return Compiled(tuple(blocks[0].pieces), len(source))


def render(compiled: Compiled, facts: Facts, *, is_lenient: bool = False) -> Rendered:
    """`is_lenient`: a tag that fails is left out and the rest rendered, unless the budget is spent."""
    run = run_through(compiled, facts, is_lenient=is_lenient)
    return Rendered("".join(run.out), run.error, MAX_STEPS - run.steps)


def run_through(compiled: Compiled, facts: Facts, *, is_lenient: bool = False) -> Run:
    """As `render`; the text comes in pieces (`out`): the template's own are the same objects in every run, what tags printed is `Printed`."""
    run = Run(facts, is_lenient=is_lenient)
    try:
        for piece in compiled.pieces:
            piece(run)
    except Halted as halted:
        run.error = halted.error
    except Spent as spent:  # of a text outside of any tag: there is no better place than the beginning
        run.error = run.error or TemplateError(spent.text, Place(1, 1, ""))
    return run


def _parts(source: str) -> Iterator[tuple[str, str, str, Place]]:
    """(text before, kind of tag, what is inside, its place); the kind of the last is ""."""
    at, line, line_start = 0, 1, 0
    while True:
        found = _BEGIN.search(source, at)
        if found is None:
            yield source[at:], "", "", Place(line, 1, "")
            return
        start = found.start()
        newlines = source.count("\n", at, start)
        if newlines:
            line, line_start = line + newlines, source.rindex("\n", at, start) + 1
        match = _TAG.match(source, start, start + MAX_TAG)
        end = match.end() if match else start + NEAR
        place = Place(line, start - line_start + 1, source[start : min(end, start + NEAR)])
        if match is None or match[0][-2] != ("}" if match["kind"] == "{" else "%"):
            raise Halted(TemplateError("the tag is not closed", place, is_syntax=True))
        yield source[at:start], match["kind"], match["inside"], place
        at = match.end()
        newlines = source.count("\n", start, at)
        if newlines:
            line, line_start = line + newlines, source.rindex("\n", start, at) + 1


# -- pieces -------------------------------------------------------------------------------------------------------------------


def _text(text: str) -> Execute:
    return lambda run: run.write(text)


def _guarded(execute: Execute, place: Place) -> Execute:
    """What fails inside is known by its place."""

    def guarded(run: Run) -> None:
        try:
            run.spend()
            execute(run)
        except Failed as failed:
            run.fail(failed, place)

    return guarded


def _output(inside: str, place: Place) -> Execute:
    """Raises Unreadable."""
    if tag := constant_tag(inside):
        return _guarded(lambda run: run.write(tag), place)
    evaluate, is_told = read_expression(inside), told_by(inside)
    if is_told is None:
        return _guarded(lambda run: run.write(Printed(printed(evaluate(run)))), place)
    return _guarded(lambda run: run.write((Told if is_told(run) else Printed)(printed(evaluate(run)))), place)


def _statement(inside: str, place: Place, blocks: list[_Block]) -> None:
    """Raises Unreadable."""
    match = _KEYWORD.fullmatch(inside)
    keyword, rest = (match[1].lower(), match[2]) if match else ("", inside)
    if keyword == "else" and (nested := _KEYWORD.fullmatch(rest)) and nested[1].lower() == "if":
        keyword, rest = "elseif", nested[2]
    block = blocks[-1]
    match keyword:
        case "set":
            block.pieces.append(_assignment(rest, place))
        case "if" | "for":
            if len(blocks) > MAX_NESTED:
                raise Unreadable(f"more than {MAX_NESTED} blocks inside each other")
            blocks.append(_opened(keyword, rest, place))
        case "elseif" | "else":
            _next_branch(block, keyword, rest, place)
        case "endif" | "endfor":
            if block.keyword != keyword[3:] or rest.strip():
                raise Unreadable(f"{keyword} without {keyword[3:]}" if not rest.strip() else f"unexpected {rest.strip()[:20]!r} after {keyword}")
            blocks.pop()
            blocks[-1].pieces.append(_conditional(block) if keyword == "endif" else _loop(block))
        case _:
            raise Unreadable(f"there is no statement {(keyword or inside.strip())[:20]!r}")


def _opened(keyword: str, rest: str, place: Place) -> _Block:
    if keyword == "if":
        block = _Block("if", place)
        block.branches.append((read_expression(rest), place, block.pieces))
        return block
    match = _FOR.fullmatch(rest)
    if match is None or match[1] in KEYWORDS:
        raise Unreadable("for must be written: for name in array")
    return _Block("for", place, name=match[1], over=read_expression(match[2]), source=match[2].strip())


def _next_branch(block: _Block, keyword: str, rest: str, place: Place) -> None:
    if block.keyword != "if" or block.has_else:
        raise Unreadable(f"{keyword} without if" if block.keyword != "if" else f"{keyword} after else")
    if keyword == "else" and rest.strip():
        raise Unreadable(f"unexpected {rest.strip()[:20]!r} after else")
    block.has_else = keyword == "else"
    block.pieces = []
    block.branches.append((None if block.has_else else read_expression(rest), place, block.pieces))


def _assignment(rest: str, place: Place) -> Execute:
    match = _SET.fullmatch(rest)
    if match is None or match[1] in KEYWORDS:
        raise Unreadable("set must be written: set name = value")
    name, evaluate = match[1], read_expression(match[2])

    def assign(run: Run) -> None:
        run.names[name] = evaluate(run)

    return _guarded(assign, place)


def _conditional(block: _Block) -> Execute:
    branches = [(_condition(condition, place), tuple(pieces)) for condition, place, pieces in block.branches]

    def choose(run: Run) -> None:
        for is_chosen, pieces in branches:
            if is_chosen(run):
                for piece in pieces:
                    piece(run)
                return

    return choose


def _condition(evaluate: Evaluate | None, place: Place) -> Callable[[Run], bool]:
    """A condition that fails is false, where the run goes on at all."""
    if evaluate is None:
        return lambda run: True

    def is_chosen(run: Run) -> bool:
        try:
            run.spend()
            return is_true(evaluate(run))
        except Failed as failed:
            run.fail(failed, place)
            return False

    return is_chosen


def _loop(block: _Block) -> Execute:
    name, over, source, place, pieces = block.name, block.over, block.source, block.place, tuple(block.pieces)
    assert over is not None

    def rounds(run: Run) -> Sequence[Value]:
        value = over(run)
        if isinstance(value, dict):
            return list(value.values())
        if not isinstance(value, list):
            raise Failed(f'"{source[:NEAR]}" is not an array value, but {kind_of(value)}', source[:NEAR])
        return value

    def loop(run: Run) -> None:
        try:
            values = rounds(run)
        except Failed as failed:
            run.fail(failed, place)
            return
        outer = run.names.get(name)
        for value in values:
            try:
                run.spend()
            except Failed as failed:
                run.fail(failed, place)
            run.names[name] = value
            for piece in pieces:
                piece(run)
        run.names[name] = outer

    return loop
