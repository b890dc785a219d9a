"""What a peer has sent and the session has not looked at yet: gives command lines within limits, or octets of content."""

from typing import Final

from estafette.mail.smtp.grammar import Refusal
from estafette.mail.smtp.replies import Reply, reply

MAX_COMMAND_OCTETS: Final = 2048  # with CRLF; RFC 5321 4.5.3.1.4 says 512, extensions lengthen MAIL and RCPT
MAX_AUTH_OCTETS: Final = 12_288  # RFC 4954 4

_TOO_LONG: Final = reply(500, "5.5.2", "Line too long")
_AUTH_TOO_LONG: Final = reply(500, "5.5.6", "Authentication exchange line is too long")
_LF_ALONE: Final = reply(500, "5.5.2", "A command ends with CRLF, not with LF alone")


class CommandInput:
    """A buffer with a reading position: pipelined commands are cut out without copying what follows them."""

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0  # everything before was read
        self._skipping: Reply | None = None  # inside a line that is too long: its beginning is dropped already, this will be said at its end

    def __len__(self) -> int:
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """More octets from the peer."""
        self._buffer = self._buffer[self._at :] + data if len(self) else data
        self._at = 0

    def clear(self) -> None:
        """Drop everything, also the memory of a half line."""
        self._buffer, self._at, self._skipping = b"", 0, None

    def take(self, most: int) -> bytes:
        """Up to `most` octets, whatever they are."""
        taken = self._buffer[self._at : self._at + most]
        self._at += len(taken)
        return taken

    def line(self, *, is_auth: bool) -> bytes | None:
        """The next line without its CRLF; None when it is not complete. Raises Refusal for one that is too long or ends with LF alone (it is gone then).

        A line without end is held up to its limit only, and how the octets were cut on their way never changes the answer.
        """
        is_auth = is_auth or self._buffer[self._at : self._at + 5].upper() == b"AUTH "
        limit, too_long = (MAX_AUTH_OCTETS, _AUTH_TOO_LONG) if is_auth else (MAX_COMMAND_OCTETS, _TOO_LONG)
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            if self._skipping is None and len(self) >= limit:
                self._skipping = too_long
            if self._skipping is not None:
                self._buffer, self._at = b"", 0
            return None
        line, self._at = self._buffer[self._at : end + 1], end + 1
        if self._skipping is not None or len(line) > limit:
            answer, self._skipping = self._skipping or too_long, None
            raise Refusal(answer)
        if not line.endswith(b"\r\n"):
            raise Refusal(_LF_ALONE)
        return line[:-2]
