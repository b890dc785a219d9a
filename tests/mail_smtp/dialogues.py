r"""Reads tests/dialogues/*.smtp: what a client says and what it must hear, one line each.

    # comment: what is shown and the RFC section that rules it
    O: max_size=100 plain_auth=yes   options of the session (besides: hostname mx.example, no AUTH required)
    C: EHLO client.example           the client sends this line and CRLF; consecutive C and R lines go out together (pipelining)
    R: MAIL FROM:<a@b.example>\n     raw: exactly these octets
    S: 250 mx.example                one whole reply, its lines joined by blanks, begins with this
    S+: STARTTLS                     the reply before has a line that begins with this
    S-: AUTH                         … has no such line
    T:                               the client does the TLS handshake
    M: a@b.example -> c@d.example = content\r\n     a mail that was accepted, in order; "<>" for the null reverse-path
    X:                               the server has closed the connection (else it has not)

Escapes in C, R and M: \r \n \t \\ \xHH, and \{5000*x} for x 5000 times; everything else is UTF-8.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from estafette.mail.smtp.server import ServerOptions
from tests.mail_smtp.shell import Accepted

FOLDER = Path(__file__).parents[1] / "dialogues"
FILES = sorted(FOLDER.glob("*.smtp"))
_LINE = re.compile(r"(O|C|R|S|S\+|S-|T|M|X):(?: (.*))?")
_ESCAPE = re.compile(r"\\(?:\{(\d+)\*([^}]+)\}|x([0-9A-Fa-f]{2})|([rnt\\]))")
_PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


@dataclass
class Expected:
    """One reply."""

    start: str
    has: list[str] = field(default_factory=list)
    has_not: list[str] = field(default_factory=list)
    line: int = 0


@dataclass
class Turn:
    """The client says `octets` (nothing in the first turn), then hears the replies, then perhaps begins TLS."""

    octets: bytes = b""
    replies: list[Expected] = field(default_factory=list)
    then_tls: bool = False


@dataclass
class Dialogue:
    """One file."""

    options: ServerOptions
    turns: list[Turn]
    mails: list[Accepted]
    is_closed: bool


def read(path: Path) -> Dialogue:
    """Parse a file; what cannot be understood is an error."""
    settings: dict[str, object] = {"requires_auth": False}
    dialogue = Dialogue(ServerOptions("mx.example"), [Turn()], [], False)
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        assert match, f"{path.name}:{number}: {text!r}"
        kind, rest = match[1], match[2] or ""
        turn = dialogue.turns[-1]
        assert not dialogue.is_closed or kind == "M", f"{path.name}:{number}: after X only M"
        if kind == "O":
            settings |= dict(_option(word) for word in rest.split())
        elif kind in ("C", "R"):
            if turn.replies or turn.then_tls:
                dialogue.turns.append(turn := Turn())
            turn.octets += unescaped(rest) + (b"\r\n" if kind == "C" else b"")
        elif kind == "S":
            assert not turn.then_tls, f"{path.name}:{number}: nothing is said right after a handshake"
            turn.replies.append(Expected(rest, line=number))
        elif kind in ("S+", "S-"):
            (turn.replies[-1].has if kind == "S+" else turn.replies[-1].has_not).append(rest)
        elif kind == "T":
            turn.then_tls = True
        elif kind == "M":
            dialogue.mails.append(_mail(rest))
        else:
            dialogue.is_closed = True
    dialogue.options = ServerOptions("mx.example", **settings)  # type: ignore[arg-type]
    return dialogue


def unescaped(text: str) -> bytes:
    """The octets that a C, R or M line stands for."""
    made, at = b"", 0
    for match in _ESCAPE.finditer(text):
        made += text[at : match.start()].encode()
        if match[1]:
            made += match[2].encode() * int(match[1])
        else:
            made += bytes.fromhex(match[3]) if match[3] else _PLAIN[match[4]]
        at = match.end()
    return made + text[at:].encode()


def split_replies(output: bytes) -> list[list[str]]:
    """Our own output as replies, each a list of lines; strict about what RFC 5321 4.2 asks of a server."""
    assert output == b"" or output.endswith(b"\r\n"), output
    replies: list[list[str]] = []
    is_open = False
    for line in output.decode("ascii").split("\r\n")[:-1]:
        assert re.fullmatch(r"[2-5][0-5][0-9][ -][ -~]*", line), line
        assert len(line) <= 510, "RFC 5321 4.5.3.1.5"
        if is_open:
            assert line[:3] == replies[-1][0][:3], "RFC 5321 4.2.1: the same code on every line"
            replies[-1].append(line)
        else:
            replies.append([line])
        is_open = line[3] == "-"
    assert not is_open, output
    return replies


def check(expected: Expected, lines: list[str], where: str) -> None:
    """Does the reply fit?"""
    joined = f"{lines[0][:3]} {' '.join(line[4:] for line in lines)}"
    assert joined.startswith(expected.start), f"{where}:{expected.line}: expected {expected.start!r}, got {joined!r}"
    words = [line[4:] for line in lines]
    for word in expected.has:
        assert any(line.startswith(word) for line in words), f"{where}:{expected.line}: no line {word!r} in {words}"
    for word in expected.has_not:
        assert not any(line.startswith(word) for line in words), f"{where}:{expected.line}: a line {word!r} in {words}"


def _option(word: str) -> tuple[str, object]:
    name, _, value = word.partition("=")
    return name, {"yes": True, "no": False}.get(value, int(value) if value.isdigit() else value)


def _mail(text: str) -> Accepted:
    envelope, _, content = text.partition(" = ")
    reverse_path, arrow, recipients = envelope.partition(" -> ")
    assert arrow, text
    addresses = ["" if address == "<>" else unescaped(address).decode() for address in (reverse_path, *recipients.split(", "))]
    return Accepted(addresses[0], tuple(addresses[1:]), unescaped(content))
