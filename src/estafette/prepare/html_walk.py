"""An HTML text from beginning to end, piece by piece, by the rules of `html_spans`: what is text, what a tag, what nobody sees. Pure, linear.

    text_of_html(html)              # the text part of a newsletter that was written in HTML only
    contexts_of(html, words)        # where words stand, and so how values in their place have to be written
"""

import re
from collections.abc import Generator, Iterator
from enum import Enum
from html import unescape
from typing import Final, NamedTuple

from estafette.prepare.html_spans import ATTRIBUTE, BOGUS, COMMENT_END, CONDITION, RAW, TAG, raw_end
from estafette.prepare.links import FLAGS, SWITCHES

_LINE, _PARAGRAPH = "\x01", "\x02"  # where a line and where a paragraph begins or ends, while the text is being made
_LINES: Final = frozenset({"div", "tr", "li", "ul", "ol", "dl", "dt", "dd", "section", "article", "header", "footer", "center", "body"})
_PARAGRAPHS: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "pre", "hr"})
_SPACES: Final = frozenset({"td", "th", "img"})
_BLANKS: Final = re.compile(r"[ \t\n\f\r\u00a0\x01\x02]+")
_GAP: Final = re.compile(r" *[\n\x01\x02][ \n\x01\x02]*| {2,}")
_ADDRESSES: Final = frozenset({"href", "src", "background", "action", "cite", "poster", "longdesc", "xlink:href"})
_SETTLES: Final = frozenset({"html", "base"})  # elements whose attributes hold for the whole text
_UNFINISHED: Final = re.compile(r"</?[a-zA-Z]")


class Kind(Enum):
    TEXT = 1
    RAW = 2  # the content of an element that holds no markup
    TAG = 3
    UNSEEN = 4  # comments, what begins or ends a conditional one, a DOCTYPE; and everything after a tag or comment that does not end


class Piece(NamedTuple):
    """From `start` to `end`."""

    kind: Kind
    start: int
    end: int
    tag: "re.Match[str] | None" = None  # of TAG, and of the element of RAW
    is_conditional: bool = False  # only Outlook sees it


def walk(text: str) -> Iterator[Piece]:
    """All of a text. Takes anything and raises nothing."""
    yield from _walk(text, 0, len(text), False)


def _walk(text: str, start: int, end: int, is_conditional: bool) -> Iterator[Piece]:
    position = text_from = start
    while (at := text.find("<", position, end)) >= 0:
        tag = TAG.match(text, at, end)
        if tag is None and not BOGUS.match(text, at, end) and not _UNFINISHED.match(text, at, end):
            position = at + 1  # a sign like any other
            continue
        if text_from < at:
            yield Piece(Kind.TEXT, text_from, at, None, is_conditional)
        if tag is not None:
            yield Piece(Kind.TAG, at, tag.end(), tag, is_conditional)
            position = tag.end()
            name = tag[2].lower()
            if not tag[1] and name in RAW:
                position = raw_end(text, name, tag.end(), end)
                if position > 0:
                    yield Piece(Kind.RAW, tag.end(), position, tag, is_conditional)
            elif not tag[1] and name == "plaintext":
                position = 0
            at = tag.end()
        elif text.startswith("<!--", at):
            position = yield from _comment(text, at, end, is_conditional)
        else:
            position = 0 if _UNFINISHED.match(text, at, end) else text.find(">", at + 2, end) + 1
            if position > 0:
                yield Piece(Kind.UNSEEN, at, position)
        if position <= 0:
            yield Piece(Kind.UNSEEN, at, end)
            return
        text_from = position
    if text_from < end:
        yield Piece(Kind.TEXT, text_from, end, None, is_conditional)


def _comment(text: str, at: int, end: int, is_conditional: bool) -> Generator[Piece, None, int]:
    """Returns where the reading goes on; 0 when the comment does not end."""
    if text.startswith((">", "->"), at + 4):
        after = text.index(">", at + 4) + 1
        if after <= end:
            yield Piece(Kind.UNSEEN, at, after)
        return after if after <= end else 0
    closing = COMMENT_END.search(text, at + 4, end)
    inside_end = closing.start() if closing else end
    condition = CONDITION.match(text, at, inside_end)
    if condition is not None and not is_conditional:  # one that does not end goes to the end of the text, and what is in it counts (html_spans.py)
        yield Piece(Kind.UNSEEN, at, condition.end())
        yield from _walk(text, condition.end(), inside_end, True)
        if closing is None:
            return end
        yield Piece(Kind.UNSEEN, closing.start(), closing.end())
    elif closing is None:
        return 0
    else:
        yield Piece(Kind.UNSEEN, at, closing.end())
    return closing.end()


def text_of_html(text: str) -> str:
    """What a reader of the page sees, as lines. Runs of blanks are one, as on the page."""
    out: list[str] = []
    for piece in walk(text):
        if piece.is_conditional:
            continue
        if piece.kind is Kind.TEXT:
            out.append(_BLANKS.sub(" ", unescape(text[piece.start : piece.end])))
        elif piece.tag is not None and piece.kind is Kind.TAG:
            name = piece.tag[2].lower()
            out.append("\n" if name == "br" else _PARAGRAPH if name in _PARAGRAPHS else _LINE if name in _LINES else " " if name in _SPACES else "")
    return _GAP.sub(_gap, "".join(out)).strip(" \n")


def _gap(match: re.Match[str]) -> str:
    """Lines end once, paragraphs with an empty line, and there is never more than one of these."""
    ends = match[0].count("\n")
    return "\n\n" if ends > 1 or _PARAGRAPH in match[0] else "\n" if ends or _LINE in match[0] else " "


class Context(Enum):
    """Where a value stands in an HTML text."""

    TEXT = 1
    ATTRIBUTE = 2  # between quotes
    ADDRESS = 3  # at the beginning of an address between quotes: it may be the whole of it
    PATH = 4  # inside of an address
    QUERY = 5  # in its query or fragment
    ODD = 6  # anywhere else: a value may change what the text around it is


def contexts_of(text: str, words: re.Pattern[str]) -> list[Context]:
    """The contexts of everything that `words` finds, in order."""
    found: list[Context] = []
    for piece in walk(text):
        for match in words.finditer(text, piece.start, piece.end):
            if piece.kind in (Kind.TEXT, Kind.RAW):
                found.append(Context.TEXT)
            elif piece.kind is Kind.TAG and piece.tag is not None and not piece.tag[1]:
                found.append(_in_tag(text, piece.tag, match.start()))
            else:
                found.append(Context.ODD)
    return found


def _in_tag(text: str, tag: re.Match[str], at: int) -> Context:
    if tag[2].lower() in _SETTLES:
        return Context.ODD
    for attribute in ATTRIBUTE.finditer(text, tag.end(2), tag.end() - 1):
        group = attribute.lastindex or 1
        if group not in (2, 3) or not attribute.start(group) <= at < attribute.end(group):
            continue
        name = attribute[1].lower()
        if name in FLAGS or name in SWITCHES:
            return Context.ODD
        if name not in _ADDRESSES:
            return Context.ATTRIBUTE
        before = text[attribute.start(group) : at]
        return Context.QUERY if "?" in before or "#" in before else Context.PATH if before.strip() else Context.ADDRESS
    return Context.ODD
