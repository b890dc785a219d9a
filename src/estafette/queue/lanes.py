"""Lanes: the order in which waiting messages of one site are claimed. A lower lane is emptied first.

First attempts never wait behind retries of their class, and transactional mail (priority 2 and 3) never waits behind bulk (0 and 1).
"""

from typing import Final

_OF_PRIORITY: Final = {3: 0, 2: 1, 1: 3, 0: 4}
HIGH_RETRIES: Final = 2
LOW_RETRIES: Final = 5


def lane_of(priority: int) -> int:
    """Lane of a first attempt, for a contract priority 0-3 (section 3.3: 3 jumps ahead of 2, 1 ahead of 0)."""
    return _OF_PRIORITY[priority]


def retry_lane(lane: int) -> int:
    """Lane of the retries of a message that began in `lane`."""
    return HIGH_RETRIES if lane <= HIGH_RETRIES else LOW_RETRIES
