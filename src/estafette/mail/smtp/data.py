"""The one place that knows what ends a line and what ends a mail.

* A mail sent by DATA ends with CRLF.CRLF and nothing else (RFC 5321 4.1.1.4). `LF.LF`, `CR.CR`, `LF.CRLF` … are content,
  and content with a bare CR or LF is refused (or, in mode "fix", normalised to CRLF): so no second mail can be smuggled in,
  and none can be smuggled out by us.
* Leading dots are doubled on the way out and one is taken off on the way in (RFC 5321 4.5.2).

Everything works on whole pieces with `find`, `count` and `replace`: no loop over lines.
"""

import re
from typing import Final, Literal

BareNewlines = Literal["refuse", "fix"]
_END: Final = b"\r\n.\r\n"
_ANY_NEWLINE = re.compile(rb"\r\n|\r|\n")


def has_bare_newline(data: bytes) -> bool:
    """True when a CR or LF stands alone. `data` must not begin or end inside a CRLF pair."""
    pairs = data.count(b"\r\n")
    return data.count(b"\n") != pairs or data.count(b"\r") != pairs


def normalise_newlines(data: bytes) -> bytes:
    """Every line end as CRLF."""
    return _ANY_NEWLINE.sub(b"\r\n", data) if has_bare_newline(data) else data


def dot_stuff(data: bytes) -> bytes:
    """Content as it goes out after 354, with the final dot. Content must have CRLF line ends; a missing last one is added."""
    if b"\r\n." in data:
        data = data.replace(b"\r\n.", b"\r\n..")
    if data[:1] == b".":
        data = b"." + data
    return data + (b".\r\n" if data.endswith(b"\r\n") or not data else b"\r\n.\r\n")


class DataDecoder:
    """Takes what the peer sends after 354, in any pieces; gives content chunks and, at the end, what follows it."""

    def __init__(self, bare_newlines: BareNewlines = "refuse") -> None:
        self._mode = bare_newlines
        self._carry = b"\r\n"  # the line before the first is thought to have ended, so that a dot in the first line counts
        self._skip = 2  # and is not part of the content
        self.has_bare_newlines = False
        self.rest: bytes | None = None  # set at the end of data: the octets after it

    def feed(self, data: bytes) -> bytes:
        """Content that is now certain. `rest` is not None once the end of data was seen."""
        data = self._carry + data
        end = data.find(_END)
        if end >= 0:
            self.rest = data[end + 5 :]
            self._carry = b""
            return self._content(data[: end + 2])
        kept = _suffix_that_may_end(data)
        self._carry = data[len(data) - kept :]
        return self._content(data[: len(data) - kept])

    def _content(self, data: bytes) -> bytes:
        if b"\r\n." in data:
            data = data.replace(b"\r\n.", b"\r\n")
        if self._skip:
            taken = min(self._skip, len(data))
            data, self._skip = data[taken:], self._skip - taken
        if has_bare_newline(data):
            self.has_bare_newlines = True
            if self._mode == "fix":
                data = _ANY_NEWLINE.sub(b"\r\n", data)
        return data


def _suffix_that_may_end(data: bytes) -> int:
    """How many octets at the end of `data` could be the beginning of the end of data."""
    for length in (4, 3, 2, 1):
        if data.endswith(_END[:length]):
            return length
    return 0


class ChunkDecoder:
    """BDAT content (RFC 3030): counted octets, no dots. The same rule for bare newlines, since the mail goes on by DATA."""

    def __init__(self, bare_newlines: BareNewlines = "refuse") -> None:
        self._mode = bare_newlines
        self._carry = b""  # a CR that may be half of a CRLF
        self.has_bare_newlines = False

    def feed(self, data: bytes) -> bytes:
        """Content that is now certain."""
        data = self._carry + data
        self._carry = b"\r" if data.endswith(b"\r") else b""
        return self._content(data[:-1] if self._carry else data)

    def finish(self) -> bytes:
        """The last octets, at the end of the last chunk."""
        data, self._carry = self._carry, b""
        return self._content(data)

    def _content(self, data: bytes) -> bytes:
        if has_bare_newline(data):
            self.has_bare_newlines = True
            if self._mode == "fix":
                data = _ANY_NEWLINE.sub(b"\r\n", data)
        return data
