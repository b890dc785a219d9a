"""The texts of a newsletter as they are for all who take the same way through its conditions and loops: constants, and values between them. Pure.

Only what tags printed differs between two people with the same frame. What was told of a person is written as its place asks for (`escaped`), so that a name
can neither open a tag nor cut an address; what the author says (`var:`, functions, the template's own text) stands as it is.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import quote

from estafette.prepare.html_walk import Context, contexts_of
from estafette.prepare.template.running import Told

Way = tuple[str | type, ...]
"""What a text consists of: the template's own texts, and the kinds of the values between them."""
_ENDS: Final = "z"
_UNFIT: Final = re.compile(r"[\[\]{}\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff]|  |\A | \Z|%[57]|\A\Z")
_MARKUP: Final = re.compile(r"[<>&\"'`]")
MAX_PLAIN: Final = 500  # characters


class Words:
    """Words that stand for values in a text that is compiled: none of them occurs in it."""

    def __init__(self, texts: Iterable[str]) -> None:
        whole, number = "\n".join(texts).lower(), 0
        while (stem := f"q{number}w") in whole:
            number += 1
        self._stem = stem
        self.pattern = re.compile(rf"{stem}(\d+){_ENDS}")
        self.octets = re.compile(self.pattern.pattern.encode("ascii"))

    def word(self, number: int) -> str:
        return f"{self._stem}{number}{_ENDS}"


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with places for values."""

    constants: tuple[str, ...]  # one more than there are values
    kinds: tuple[type, ...]  # of the values, Printed or Told
    contexts: tuple[Context, ...] = ()  # of the values; empty: this is no HTML

    def with_words(self, words: Words, first: int = 0) -> str:
        return self.filled([words.word(first + i) for i in range(len(self.kinds))])

    def written(self, values: Sequence[str]) -> list[str]:
        """The values as they stand in the text."""
        if not self.contexts:
            return list(values)
        return [escaped(value, context) if kind is Told else value for value, kind, context in zip(values, self.kinds, self.contexts, strict=True)]

    def filled(self, written: Sequence[str]) -> str:
        out = [""] * (2 * len(written) + 1)
        out[::2] = self.constants
        out[1::2] = written
        return "".join(out)

    def is_plain(self, values: Sequence[str], written: Sequence[str]) -> bool:
        """Whether the values change nothing of what the text around them is: no markup, no part of a tag, no blanks that are lost, no controls."""
        for value, kind, shown in zip(values, self.kinds, written, strict=True):
            if len(value) > MAX_PLAIN or _UNFIT.search(value) or (shown is not value and ("%5" in shown or "%7" in shown)):
                return False
            if self.contexts and kind is not Told and _MARKUP.search(value):
                return False
        return True


def way_of(pieces: Iterable[str]) -> tuple[Way, list[str]]:
    """(the way, the values) of the pieces of one rendering. An empty value is a way of its own."""
    way: list[str | type] = []
    values: list[str] = []
    for piece in pieces:
        if type(piece) is str:
            way.append(piece)
        elif piece:
            way.append(type(piece))
            values.append(piece)
    return tuple(way), values


def mark(way: Way, *, is_html: bool) -> Marked:
    """The text of a way."""
    constants: list[list[str]] = [[]]
    kinds: list[type] = []
    for piece in way:
        if isinstance(piece, str):
            constants[-1].append(piece)
        else:
            kinds.append(piece)
            constants.append([])
    marked = Marked(tuple(["".join(run) for run in constants]), tuple(kinds))
    if not is_html:
        return marked
    words = Words(marked.constants)
    return Marked(marked.constants, marked.kinds, tuple(contexts_of(marked.with_words(words), words.pattern)))


def escaped(value: str, context: Context) -> str:
    """A value that was told, as it is written in this place of an HTML text."""
    if context is Context.QUERY:
        return quote(value, safe="", errors="replace")
    if context is Context.PATH:
        return quote(value, safe="/", errors="replace")
    return escape(value)


# Before and after a value: what may become another thing together with it. The second of each pair counts in HTML only.
_BEFORE: Final = re.compile(r"(?:%[57]?|(?:\[\[|\{\{|%5b%5b|%7b%7b)[^<>\[\]{}]{0,80})\Z", re.I)
_BEFORE_HTML: Final = re.compile(r"(?:&[#\w]{0,40}|</?[a-zA-Z!-]{0,40})\Z")
_AFTER: Final = re.compile(r"\[\[|\{\{|%[57]|[57][bd]", re.I)
_AFTER_HTML: Final = re.compile(r"-?!?>")


def is_odd(marked: Marked) -> bool:
    """Whether a value may change more of its text than its place, however plain it is."""
    if Context.ODD in marked.contexts:
        return True
    before, after = [text[-100:] for text in marked.constants[:-1]], marked.constants[1:]
    if any(_BEFORE.search(text) for text in before) or any(_AFTER.match(text) for text in after):
        return True
    return bool(marked.contexts) and (any(_BEFORE_HTML.search(text) for text in before) or any(_AFTER_HTML.match(text) for text in after))
