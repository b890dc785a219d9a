"""What every recipient of a newsletter brings to the mail that is compiled for all: values in its texts, links with values in them, fields of its header. Pure.

While the mail is compiled, words stand for the values (`frames.Words`). What a link with values is taken for is told by the values of one recipient, the
sample; whoever brings values with which it would be another thing is `NotAlike`, and gets a mail compiled alone.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from estafette.prepare.html_spans import Link
from estafette.prepare.links import MAX_SHOWN, Rules, judge
from estafette.prepare.pieces import Place


class NotAlike(Exception):
    """This recipient's mail differs in more than its values."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one recipient brings. Values of the HTML as they are written there."""

    html: Sequence[str]
    text: Sequence[str]
    message_id: int
    head: Sequence[bytes]  # values of fields, each as it stands in the mail and in canonical form


Maker = Callable[[Given], bytes]
Check = Callable[[Given], bool]


@dataclass(frozen=True, slots=True)
class Fluid:
    """A link with values in its address, or in what it shows: constants and numbers of values, alternating."""

    link: Link
    written: Sequence[str | int]
    content: Sequence[str | int]

    @property
    def is_own_address(self) -> bool:
        return len(self.written) > 1

    def judged(self, given: Given, base: str, rules: Rules) -> tuple[str, bool] | None:
        """As `links.judge`."""
        return judge(_filled(self.written, given.html), _filled(self.content, given.html)[:MAX_SHOWN], self.link, base, rules)

    def address(self, given: Given, base: str, rules: Rules, *, is_tracked: bool) -> str:
        """Raises NotAlike."""
        judged = self.judged(given, base, rules)
        if judged is None or judged[1] != is_tracked:
            raise NotAlike
        return judged[0]


@dataclass(slots=True)
class Own:
    """The words of one mail, and what is found out about them while it is compiled. Numbers from `first_text` are those of the text part's own values;
    lower ones stand for the values of the HTML, also in a text part that was made from it."""

    words: re.Pattern[str]
    octets: re.Pattern[bytes]  # the same in octets
    first_text: int
    first_head: int
    sample: Given
    makers: list[Maker] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    placed: set[tuple[bool, int]] = field(default_factory=set)  # (in the HTML, number) of what has found its place

    def add(self, maker: Maker) -> int:
        """The number of one more value."""
        self.makers.append(maker)
        return -len(self.makers)

    def fluid(self, text: str, link: Link) -> Fluid | None:
        """None for a link without values. What the element shows is looked at as far as it is with any values."""
        written = _cut(text[link.start : link.end], self.words)
        content = _cut(text[link.content_start : min(link.content_end, link.content_start + 2 * MAX_SHOWN)], self.words)
        if len(written) == len(content) == 1:
            return None
        self.placed.update((True, item) for item in written if isinstance(item, int))
        return Fluid(link, written, content)

    def places(self, text: str, taken: Sequence[tuple[int, int]], *, is_html: bool) -> list[Place]:
        """The values that stand in a text by themselves: in none of the places that are `taken`."""
        ends = iter(sorted(taken))
        start = end = -1
        found: list[Place] = []
        for match in self.words.finditer(text):
            while end <= match.start() and (following := next(ends, None)) is not None:
                start, end = following
            if not start <= match.start() < end:
                found.append((match.start(), match.end(), [self._value(int(match[1]), is_html)]))
        return found

    def _value(self, number: int, is_html: bool) -> int:
        self.placed.add((is_html, number))
        if is_html:
            return self.add(lambda given: given.html[number].encode())
        at = number - self.first_text if number >= self.first_text else number
        return self.add(lambda given: given.text[at].encode())

    def in_head(self, number: int, is_canonical: bool) -> int:
        """A value of a field."""
        at = 2 * (number - self.first_head) + is_canonical
        return self.add(lambda given: given.head[at])

    def values(self, given: Given) -> list[bytes]:
        """What the recipient brings, in the order of the numbers. Raises NotAlike."""
        if not all([check(given) for check in self.checks]):
            raise NotAlike
        return [make(given) for make in self.makers]


def _cut(text: str, words: re.Pattern[str]) -> list[str | int]:
    pieces = words.split(text)
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]


def _filled(pieces: Sequence[str | int], values: Sequence[str]) -> str:
    return "".join([values[piece] if isinstance(piece, int) else piece for piece in pieces])
