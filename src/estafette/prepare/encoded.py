"""A text with slots in the transfer encoding of its part (RFC 2045 6). Pure; quoted-printable is in `quoted.py`.

* Unencoded: the values stand in the lines. When a line may grow too long the part becomes quoted-printable.
* Base64: the lines that a value touches (a `Region`) are encoded anew for every recipient, all others once: values have a fixed size, so nothing moves. After
  a value whose size is not fixed everything up to the end of the part is one region.
"""

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from estafette.mail.header import MAX_LINE_OCTETS
from estafette.mail.mime_edit import IDENTITY
from estafette.prepare.pieces import Item, Slot, plain, weave
from estafette.prepare.quoted import quote_items

_LINE: Final = 76  # characters of base64 (RFC 2045 6.8)
_OCTETS: Final = _LINE // 4 * 3
MAX_VALUE: Final = 384  # octets of a value whose size is not fixed: an address, quoted for an URL, or the end of a token that holds one


@dataclass(frozen=True, slots=True)
class Region:
    """Whole lines of base64 that hold values; no line end at its end."""

    pieces: tuple[bytes, ...]
    numbers: tuple[int, ...]

    def __call__(self, values: Sequence[bytes]) -> bytes:
        return base64_lines(weave(self.pieces, [values[number] for number in self.numbers]))


def base64_lines(octets: bytes) -> bytes:
    """Lines of 76, CRLF between them and none at the end."""
    text = binascii.b2a_base64(octets, newline=False)
    return b"\r\n".join([text[i : i + _LINE] for i in range(0, len(text), _LINE)])


def encode_items(items: Sequence[Item], charset: str, codec: str, encoding: str, sizes: Sequence[int]) -> tuple[list[bytes | Slot], str]:
    """(what stands in the mail, the encoding that its header must name). `sizes`: octets of every value, 0 = not fixed.

    An unencoded text becomes quoted-printable when a line may grow past what SMTP carries (RFC 5321 4.5.3.1.6).
    """
    if encoding == "base64":
        return _in_base64([item.encode(codec, "surrogateescape") if isinstance(item, str) else item for item in items], sizes), encoding
    if encoding in IDENTITY:
        octets = [item.encode(codec, "surrogateescape") if isinstance(item, str) else item for item in items]
        longest = b"".join(item if isinstance(item, bytes) else b"x" * (sizes[item] or MAX_VALUE) for item in octets)
        if max(map(len, longest.split(b"\r\n"))) <= MAX_LINE_OCTETS:
            return [item if isinstance(item, bytes) else plain(item) for item in octets], encoding
    return quote_items(items, charset, sizes), "quoted-printable"


def _in_base64(items: Sequence[bytes | int], sizes: Sequence[int]) -> list[bytes | Slot]:
    flat = b"".join(item if isinstance(item, bytes) else bytes(sizes[item]) for item in items)
    regions = _regions(items, sizes, len(flat))
    out: list[bytes | Slot] = []
    position = 0
    for start, end, places in regions:
        if position < start:
            out += (base64_lines(flat[position:start]), b"\r\n")
        cuts = [start, *[edge for at, number in places for edge in (at, at + sizes[number])], end]
        pieces = tuple(flat[cuts[i] : cuts[i + 1]] for i in range(0, len(cuts), 2))
        out.append(Region(pieces, tuple(number for _, number in places)))
        if end < len(flat):
            out.append(b"\r\n")
        position = end
    if position < len(flat):
        out.append(base64_lines(flat[position:]))
    return out


def _regions(items: Sequence[bytes | int], sizes: Sequence[int], total: int) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """(start, end, [(offset, number of the value)]): whole lines around the values, those that share a line together."""
    found: list[tuple[int, int, list[tuple[int, int]]]] = []
    position = 0
    for item in items:
        if isinstance(item, bytes):
            position += len(item)
            continue
        start = position - position % _OCTETS
        end = min(-(-(position + sizes[item]) // _OCTETS) * _OCTETS, total) if sizes[item] else total
        if found and (found[-1][1] > start or found[-1][1] == total):
            start, last_end, places = found.pop()
            found.append((start, max(end, last_end), [*places, (position, item)]))
        else:
            found.append((start, end, [(position, item)]))
        position += sizes[item]
    return found
