"""The flight log of a worker: which transactions are past the final dot and not yet recorded, in a buffer that outlives the process. Pure.

    log.begin(claim)                # before the first octet of the final dot leaves
    log.answered(claim, outcome)    # the server said that it took the mail
    log.end(claim)                  # the outcome is in the store, or the server certainly does not have the mail

The buffer is a file mapped into memory (`flight_files.py`): what was written is there for whoever looks after a kill -9, without a system call
or a sync. It tells nothing after a power cut, and need not: the file names the boot that it belongs to. Slots are written so that a process that
is killed between two octets leaves a slot that is either empty or whole: the message id, one aligned word, is written last and cleared first.
"""

import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from estafette.model import Claimed, Flight, Outcome

HEADER_BYTES: Final = 128
SLOT_BYTES: Final = 256
_MAGIC: Final = b"estafette flights 1\n"
_SLOT: Final = struct.Struct("<QQQH")  # message id, turn, when answered, length of the facts
_WORD: Final = struct.Struct("<Q")
_MAX_FACTS: Final = SLOT_BYTES - _SLOT.size


class FlightLog:
    """See the module. The buffer must be zero at first; `SLOT_BYTES` times the number of slots behind the header."""

    def __init__(self, buffer: memoryview, boot: str) -> None:
        self._buffer = buffer
        header = _MAGIC + boot.encode()[:64] + b"\n"
        buffer[: len(header)] = header
        slots = (len(buffer) - HEADER_BYTES) // SLOT_BYTES
        self._free = [HEADER_BYTES + SLOT_BYTES * n for n in reversed(range(slots))]
        self._used: dict[tuple[int, int], int] = {}

    def begin(self, claim: Claimed) -> bool:
        """Note that the final dot is about to be sent; False when the log is full: then it must not be."""
        if not self._free:
            return False
        at = self._used[claim.message_id, claim.turn] = self._free.pop()
        _SLOT.pack_into(self._buffer, at, 0, claim.turn, 0, 0)
        _WORD.pack_into(self._buffer, at, claim.message_id)
        return True

    def answered(self, claim: Claimed, outcome: Outcome) -> None:
        """The server took the mail: whoever finds the slot writes this outcome."""
        at = self._used.get((claim.message_id, claim.turn))
        if at is None:
            return
        facts = (outcome.host, outcome.address, outcome.reply)
        packed = msgspec.json.encode(facts)
        while len(packed) > _MAX_FACTS:
            facts = (facts[0][:80], facts[1], facts[2][: len(facts[2]) // 2])
            packed = msgspec.json.encode(facts)
        self._buffer[at + _SLOT.size : at + _SLOT.size + len(packed)] = packed
        struct.pack_into("<H", self._buffer, at + 24, len(packed))
        _WORD.pack_into(self._buffer, at + 16, outcome.at)

    def end(self, claim: Claimed) -> None:
        """Nothing about this transaction is uncertain any more."""
        at = self._used.pop((claim.message_id, claim.turn), None)
        if at is not None:
            _WORD.pack_into(self._buffer, at, 0)
            self._free.append(at)

    def has(self, claim: Claimed) -> bool:
        """Whether the final dot of this claim may have left."""
        return (claim.message_id, claim.turn) in self._used

    def flights(self) -> list[Flight]:
        """What is under way now."""
        return _read(self._buffer)


def read_flights(data: bytes, boot: str) -> Sequence[Flight] | None:
    """What a worker that is gone had under way; None when the log is of another boot or none of ours: then nothing is known."""
    header, newline, _ = data[:HEADER_BYTES].removeprefix(_MAGIC).partition(b"\n")
    if not data.startswith(_MAGIC) or not newline or header.decode("ascii", "replace") != boot[:64]:
        return None
    try:
        return _read(memoryview(data))
    except msgspec.MsgspecError:  # not as we wrote it
        return None


def _read(buffer: memoryview) -> list[Flight]:
    found = []
    for at in range(HEADER_BYTES, len(buffer) - SLOT_BYTES + 1, SLOT_BYTES):
        message_id, turn, answered_at, length = _SLOT.unpack_from(buffer, at)
        if message_id:
            facts = buffer[at + _SLOT.size : at + _SLOT.size + length]
            host, address, reply = msgspec.json.decode(facts, type=tuple[str, str, str]) if answered_at else ("", "", "")
            found.append(Flight(message_id, turn, answered_at, host, address, reply))
    return found
