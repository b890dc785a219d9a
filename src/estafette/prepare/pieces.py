"""Octets as constant pieces with slots between them: per recipient only the slots are filled. Pure.

A slot gives what stands in its place on the wire, from the values of one message; which value it is, is told by a number. What slots give is
in canonical form for DKIM, so the pieces can be brought into it once (RFC 6376 3.4.4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from estafette.mail.dkim import canonical_body

Slot = Callable[[Sequence[bytes]], bytes]
"""Takes all values of a message, gives what stands in this place."""
Item = str | int
"""Of a text: a constant, or the number of a value."""
Place = tuple[int, int, list[Item]]
"""Of a text: what stands from the first offset to the second instead."""
_MARK: Final = b"\0"


@dataclass(frozen=True, slots=True)
class Template:
    """One piece more than slots, alternating."""

    pieces: tuple[bytes, ...]
    slots: tuple[Slot, ...] = ()

    def filled(self, values: Sequence[bytes]) -> list[bytes]:
        """What stands in the slots."""
        return [slot(values) for slot in self.slots]


def weave(pieces: Sequence[bytes], filled: Sequence[bytes]) -> bytes:
    """Pieces and what stands between them as one."""
    out = [b""] * (len(pieces) + len(filled))
    out[::2] = pieces
    out[1::2] = filled
    return b"".join(out)


def template_of(items: Sequence[bytes | Slot]) -> Template:
    """Constants in a row become one piece."""
    pieces: list[bytes] = []
    slots: list[Slot] = []
    run: list[bytes] = []
    for item in items:
        if isinstance(item, bytes):
            run.append(item)
        else:
            pieces.append(b"".join(run))
            slots.append(item)
            run = []
    return Template((*pieces, b"".join(run)), tuple(slots))


def canonical_pieces(pieces: Sequence[bytes]) -> tuple[bytes, ...]:
    """The pieces of a body in relaxed canonicalisation; a slot counts as something that is no blank and no line end."""
    whole = _MARK.join(pieces)
    if len(pieces) == 1:
        return (canonical_body(whole),)
    if whole.count(_MARK) == len(pieces) - 1:  # always, because `accept` takes no NUL; in one go it takes a third of the time
        return tuple(canonical_body(whole).split(_MARK))
    first, *between, last = pieces
    return (canonical_body(first + b"x")[:-3], *[canonical_body(b"x" + piece + b"x")[1:-3] for piece in between], canonical_body(b"x" + last)[1:])


def plain(number: int) -> Slot:
    """A slot that gives the value as it is."""
    return lambda values: values[number]


def settled(places: Sequence[Place]) -> list[Place]:
    """In order, and without those that begin inside of the one before."""
    kept: list[Place] = []
    for place in sorted(places, key=lambda p: p[:2]):
        if not kept or place[0] >= kept[-1][1]:
            kept.append(place)
    return kept


def items_of(text: str, places: Sequence[Place]) -> list[Item]:
    """A text with its `settled` places, constants in a row as one."""
    items: list[Item] = []
    run: list[str] = []
    kept_from = 0
    for start, end, inside in places:
        run.append(text[kept_from:start])
        for item in inside:
            if isinstance(item, str):
                run.append(item)
            else:
                items += ("".join(run), item)
                run = []
        kept_from = end
    return [*items, "".join([*run, text[kept_from:]])]
