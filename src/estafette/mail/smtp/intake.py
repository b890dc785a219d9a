"""The content of one mail while a session receives it, by DATA or by BDAT: what of it is kept, and whether it can be taken at all."""

from dataclasses import dataclass

from estafette.mail.smtp.data import BareNewlines, ChunkDecoder, DataDecoder
from estafette.mail.smtp.replies import Reply, reply
from estafette.mail.smtp.states import ServerState


class Intake:
    """One per transaction."""

    def __init__(self, max_size: int, bare_newlines: BareNewlines) -> None:
        self._max_size = max_size
        self._mode = bare_newlines
        self._data = DataDecoder(bare_newlines)
        self._chunks = ChunkDecoder(bare_newlines)
        self.size_bytes = 0  # so far, as RFC 1870 counts: CRLF is two, dots that were doubled are one

    def data(self, piece: bytes) -> tuple[bytes, bytes | None]:
        """Octets after 354 → (content that is now certain, what follows the end of data; None when it was not seen)."""
        content = self._data.feed(piece)
        self.size_bytes += len(content)
        return content, self._data.rest

    def chunk(self, piece: bytes, *, is_last: bool) -> bytes:
        """Octets of a BDAT chunk → content that is now certain. `is_last`: they are the last of the mail."""
        content = self._chunks.feed(piece)
        if is_last:
            content += self._chunks.finish()
        self.size_bytes += len(content)
        return content

    @property
    def refusal(self) -> Reply | None:
        """What will be said at the end of the mail whatever follows; None while it may still be taken."""
        if self.size_bytes > self._max_size:
            return reply(552, "5.3.4", f"Message size exceeds the limit of {self._max_size} octets")
        if self._mode == "refuse" and (self._data.has_bare_newlines or self._chunks.has_bare_newlines):
            return reply(550, "5.6.0", "A line ends with CR or LF alone; lines must end with CRLF (RFC 5321 2.3.8)")
        return None


@dataclass(slots=True)
class Bdat:
    """A BDAT command whose octets are arriving."""

    size_bytes: int
    left: int  # octets to come
    is_last: bool
    refusal: Reply | None  # the command cannot be obeyed: its octets are dropped, then this is said (RFC 3030 2)
    state_before: ServerState
