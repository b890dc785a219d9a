"""Message ids: integers below 2^53, ordered by time, made without asking anybody.

    (milliseconds since 2026-01-01) << 12 | worker slot (6 bits) << 6 | sequence (6 bits)

41 bits of milliseconds last until 2095. A worker that makes more than 64 ids in a millisecond borrows from the next ones. The id of a
submission is the id of its first message.
"""

from typing import Final

EPOCH_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
_SEQUENCE_BITS: Final = 6
_SLOT_BITS: Final = 6


def first_id_at(at_us: int) -> int:
    """The smallest id that a message of this moment, or of a later one, can have."""
    return max(0, at_us // 1000 - EPOCH_MS) << (_SLOT_BITS + _SEQUENCE_BITS)


class IdMaker:
    """The ids of one worker. `floor` is an id that must not be reached again (the newest in the store): the clock may have gone back."""

    def __init__(self, slot: int, floor: int = 0) -> None:
        assert 0 <= slot < 1 << _SLOT_BITS
        self._slot = slot
        self._ms = (floor >> (_SLOT_BITS + _SEQUENCE_BITS)) + 1
        self._sequence = -1

    def next(self, now_us: int) -> int:
        """A new id, larger than all before."""
        ms = now_us // 1000 - EPOCH_MS
        if ms > self._ms:
            self._ms, self._sequence = ms, 0
        elif self._sequence + 1 < 1 << _SEQUENCE_BITS:
            self._sequence += 1
        else:
            self._ms, self._sequence = self._ms + 1, 0
        return (self._ms << _SLOT_BITS | self._slot) << _SEQUENCE_BITS | self._sequence
