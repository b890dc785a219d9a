"""Time slices: in which one a moment lies, and how a period is read from the widest slices that fit. Pure."""

from typing import Final

from estafette.clock import DAY_US, SECOND_US
from estafette.facts import Piece, Resolution

WIDTH_US: Final = {Resolution.FIVE_MINUTES: 300 * SECOND_US, Resolution.HOUR: 3600 * SECOND_US, Resolution.DAY: DAY_US}


def bucket_of(at: int, resolution: Resolution) -> int:
    """The beginning of the slice (UTC) that a moment lies in."""
    return at - at % WIDTH_US[resolution]


def pieces(since: int, until: int) -> list[Piece]:
    """A period as the fewest stretches of whole slices, in order: five minutes and hours at its ends, days between.

    The period is widened to whole five minutes: nothing finer is counted.
    """
    width = WIDTH_US[Resolution.FIVE_MINUTES]
    since, until = since - since % width, until + -until % width
    return _split(since, until, (Resolution.DAY, Resolution.HOUR, Resolution.FIVE_MINUTES))


def _split(since: int, until: int, resolutions: tuple[Resolution, ...]) -> list[Piece]:
    if since >= until:
        return []
    widest, *finer = resolutions
    width = WIDTH_US[widest]
    begin, end = since + -since % width, until - until % width
    if begin >= end:
        return _split(since, until, tuple(finer)) if finer else []
    middle = [Piece(widest, begin, end)]
    if not finer:
        return middle
    return [*_split(since, begin, tuple(finer)), *middle, *_split(end, until, tuple(finer))]
