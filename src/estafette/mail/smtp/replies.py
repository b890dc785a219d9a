"""SMTP replies: made for the peer (RFC 5321 4.2, RFC 2034), and read from a peer piece by piece within limits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_LINE_OCTETS: Final = 4096  # RFC 5321 4.5.3.1.5 says 512; peers are wordier
MAX_LINES: Final = 200
_LINE = re.compile(rb"([2-5][0-9][0-9])(?![0-9])([ -]?)(.*)", re.S)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


class LocalProtocolError(Exception):
    """We were about to say what SMTP does not allow: a bug of ours, found before an octet went out."""


class RemoteProtocolError(Exception):
    """The peer said what SMTP does not allow. The session is over."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `enhanced` is "" or "c.s.d" (RFC 3463) and stands on every line when it is sent."""

    code: int
    enhanced: str = ""
    lines: tuple[str, ...] = ("",)

    @property
    def text(self) -> str:
        """All lines as one, single-spaced."""
        return " ".join(line for line in self.lines if line)

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)

    def encode(self) -> bytes:
        """Octets for the peer, no line longer than 512 (RFC 5321 4.5.3.1.5). The text may quote the peer: what is not printable ASCII becomes `?`."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        last = len(self.lines) - 1
        made = "".join(f"{self.code}{' ' if i == last else '-'}{prefix}{_printable(line)[:480]}\r\n" for i, line in enumerate(self.lines))
        return made.encode("ascii", "replace")


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    """`reply(250, "2.1.0", "Ok")`."""
    return Reply(code, enhanced, lines or ("",))


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text.replace("\t", " "))


class ReplyReader:
    """Collects a peer's replies from arbitrary pieces; multi-line replies are joined, endless ones refused."""

    def __init__(self) -> None:
        self._buffer = b""
        self._code = 0
        self._lines: list[str] = []

    def feed(self, data: bytes) -> None:
        """More octets from the peer; `replies` gives what they complete."""
        self._buffer += data

    def replies(self) -> Iterator[Reply]:
        """Take the replies that are complete. Raises RemoteProtocolError for what is no reply, after the replies before it were given."""
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[:end].rstrip(b"\r"), self._buffer[end + 1 :]
            done = self._line(line)
            if done is not None:
                yield done
        if len(self._buffer) > MAX_LINE_OCTETS:
            raise RemoteProtocolError("reply line without end")

    def _line(self, line: bytes) -> Reply | None:
        if len(line) > MAX_LINE_OCTETS:
            raise RemoteProtocolError("reply line without end")
        match = _LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(f"not an SMTP reply: {line[:80].decode('utf-8', 'replace')!r}")
        code = int(match[1])
        if self._lines and code != self._code:
            raise RemoteProtocolError(f"reply code changes from {self._code} to {code} inside a reply")
        self._code = code
        self._lines.append(_printable(match[3].decode("utf-8", "replace")).strip())
        if match[2] == b"-":
            if len(self._lines) >= MAX_LINES:
                raise RemoteProtocolError("reply with too many lines")
            return None
        lines, self._lines = self._lines, []
        return _parsed(code, lines)


def _parsed(code: int, lines: list[str]) -> Reply:
    first = _ENHANCED.match(lines[0])
    if first is None or first[1][0] != str(code)[0]:
        return Reply(code, "", tuple(lines))
    enhanced = first[1]
    return Reply(code, enhanced, tuple(line.removeprefix(enhanced).lstrip() if line.split(" ", 1)[0] == enhanced else line for line in lines))
