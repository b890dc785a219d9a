"""Quoted-printable with slots (RFC 2045 6.7): values and what is new stand on lines of their own, between soft line breaks. Pure.

A body that is written as the standard says is edited in place: the octets that nobody asked to change keep the very spelling in which they came,
and are neither decoded one by one nor encoded again. Others are decoded leniently and encoded anew.
"""

import binascii
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from estafette.mail.mime_edit import encode_quoted, encode_text
from estafette.mail.smtp.data import has_bare_newline
from estafette.prepare.pieces import Item, Place, Slot

_SOFT: Final = b"=\r\n"
_SIMPLE: Final = re.compile(rb"(?!--|From )[!-<>-~](?:[ -<>-~]*[!-<>-~])?")  # stands for itself on a line of its own
_LINE: Final = 76
_CUT: Final = 72  # octets of a line that we write: room for the soft break, and for a first octet that becomes three


@dataclass(slots=True)
class Quoted:
    """A body in place, as the stretches between its soft line breaks: where each begins in the body, and how many octets are said before it."""

    body: bytes
    octets: bytes  # what it says
    at: list[int]
    starts: list[int]
    last: tuple[int, int] = (0, 0)  # (octets said, place) of the question before: the next one is a later one

    def place(self, offset: int) -> int:
        """Where an octet stands in the body; after the soft line break when there is one before it. To be asked in ascending order."""
        i = bisect_right(self.starts, offset) - 1
        said, place = max((self.starts[i], self.at[i]), self.last)
        while (rest := offset - said) > 0:  # what is encoded takes more room than it says: each step goes as far as it is sure to be needed
            end = place + rest
            if self.body[end - 1] == 0x3D:
                end += 2
            elif self.body[end - 2] == 0x3D:
                end += 1
            said += end - place - 2 * self.body.count(b"=", place, end)
            place = end
        self.last = (said, place)
        return place


def read_quoted(body: bytes) -> Quoted | None:
    """A body that can be edited in place; None for one with anything that the standard does not allow or that gets lost on the way."""
    if b" \r\n" in body or b"\t\r\n" in body or body.endswith((b" ", b"\t")) or has_bare_newline(body):
        return None
    octets = binascii.a2b_qp(body)
    stretches = body.split(_SOFT)
    starts = list(accumulate([len(stretch) - 2 * stretch.count(b"=") for stretch in stretches], initial=0))
    if starts.pop() != len(octets):
        return None  # an equals sign that encodes nothing: each one leaves more octets than were counted
    at = list(accumulate([len(stretch) + len(_SOFT) for stretch in stretches[:-1]], initial=0))
    return Quoted(body, octets, at, starts)


def quoted(number: int) -> Slot:
    """A value of fixed size, at the beginning of a line, where "--" might be taken for a delimiter."""

    def fill(values: Sequence[bytes]) -> bytes:
        value = values[number]
        return b"=2D" + value[1:] if value.startswith(b"--") else value

    return fill


def quoted_any(number: int) -> Slot:
    """A value of any size, also at the beginning of a line."""

    def fill(values: Sequence[bytes]) -> bytes:
        value = values[number]
        return value if len(value) <= _CUT and _SIMPLE.fullmatch(value) else encode_quoted(value, b"\r\n")

    return fill


@dataclass(slots=True)
class _Lines:
    """What is written so far, and whether the next octet stands at the beginning of a line."""

    out: list[bytes | Slot] = field(default_factory=list)
    is_start: bool = True

    def constant(self, octets: bytes) -> None:
        """Octets that are encoded for the beginning of a line."""
        if not octets:
            return
        if not self.is_start and not octets.startswith(b"\r\n"):
            self._break()
            octets = _at_start(octets)
        self.out.append(octets)
        self.is_start = octets.endswith(b"\r\n")

    def slot(self, slot: Slot) -> None:
        if not self.is_start:
            self._break()
        self.out.append(slot)
        self.is_start = False

    def _break(self) -> None:
        last = self.out[-1]
        if isinstance(last, bytes) and len(last) - last.rfind(b"\n") - 1 >= _LINE:  # no room for the soft break's own sign
            cut = len(last) - (3 if last[-3:-2] == b"=" else 1)
            self.out[-1] = last[:cut] + _SOFT + last[cut:]
        self.out.append(_SOFT)


def edit_quoted(quoted_body: Quoted, text: str, places: Sequence[Place], codec: str, sizes: Sequence[int]) -> list[bytes | Slot]:
    """A body in place with its `settled` places. `text` is what its octets say in the charset, which encodes piece by piece."""
    lines = _Lines()
    kept_from = position = octets = 0
    for start, end, inside in places:
        octets += len(text[position:start].encode(codec, "surrogateescape"))
        lines.constant(quoted_body.body[kept_from : quoted_body.place(octets)])
        _put(lines, inside, sizes, "")
        octets += len(text[start:end].encode(codec, "surrogateescape"))
        kept_from, position = quoted_body.place(octets), end
    lines.constant(quoted_body.body[kept_from:])
    return lines.out


def quote_items(items: Sequence[Item], charset: str, sizes: Sequence[int]) -> list[bytes | Slot]:
    """A text encoded anew."""
    lines = _Lines()
    _put(lines, items, sizes, charset)
    return lines.out


def _put(lines: _Lines, items: Sequence[Item], sizes: Sequence[int], charset: str) -> None:
    for item in items:
        if isinstance(item, int):
            lines.slot(quoted(item) if sizes[item] else quoted_any(item))
        elif item.isascii() and item.isprintable() and "=" not in item and not item.endswith(" "):
            lines.constant(_SOFT.join([_at_start(item[i : i + _CUT].encode("ascii")) for i in range(0, len(item), _CUT)]))  # the address of a link
        else:
            lines.constant(encode_text(item, charset, "quoted-printable").body)


def _at_start(octets: bytes) -> bytes:
    """Octets for the beginning of a line, where some might be taken for a delimiter, or for the "From " of an mbox."""
    return b"=%02X" % octets[0] + octets[1:] if octets.startswith((b"--", b"From ")) else octets
