"""A small outside world on loopback: what Estafette talks to, scripted, over real sockets and independent of src/; here, the words of its scripts.

Scripts of an MX are given per stage:

    MxServer(replies={
        "rcpt": {"bob@x.test": "550 5.1.1 no such user", "eve@x.test": ["450 4.2.0 later", None]},   # a list: one per time, the last one stays
        "mail": lambda moment: "451 4.7.1 again over TLS" if moment.tls is None else None,           # None: what it would say anyway
        "body": Act("250 2.0.0 taken", lost=True),                                                   # accepted, but the reply never arrives
    })

A dictionary is looked up by recipient (rcpt; at data, content and body: any recipient that was accepted) or reverse-path (mail). The stages in order:
connect, ehlo, helo, starttls, mail, rcpt, data (before 354; also each BDAT but the last), content (its first octets came), body (the end of the mail
came), and rset, noop, quit.
"""

import re
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import trustme

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "STARTTLS", "SIZE", "ENHANCEDSTATUSCODES")
STAGES = ("connect", "ehlo", "helo", "starttls", "mail", "rcpt", "data", "content", "body", "rset", "noop", "quit")


@dataclass(frozen=True, slots=True)
class Act:
    """What to do at a stage."""

    reply: str | None = None  # None: what it would say anyway. Lines end with \n; they go out verbatim
    delay_s: float = 0.0  # before the reply
    close: bool = False  # end the connection: after the reply when one is given, else without a word
    silent: bool = False  # never answer, keep the connection
    lost: bool = False  # do what the reply says, but cut the connection (RST) instead of sending it


@dataclass(frozen=True, slots=True)
class Moment:
    """What a callable script is asked about."""

    stage: str
    argument: str  # recipient, reverse-path, the words after the command; empty at data, content and body
    connection: int
    number: int  # how often this stage was reached with this argument, from 1, over all connections
    tls: str | None
    reverse_path: str | None
    recipients: tuple[str, ...]  # accepted so far
    content: bytes  # only at body
    client: str = ""  # address it comes from


Step = str | Act | None
Script = Step | Sequence[Step] | Callable[[Moment], Step]
Replies = Mapping[str, Script | Mapping[str, Script]]


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that was answered with 2xx (whether or not the answer was sent)."""

    content: bytes  # as it came, dots unstuffed, without the final dot
    reverse_path: str
    recipients: tuple[str, ...]
    connection: int  # from 1
    place: int  # which mail of its connection, from 1
    client: str  # address it came from
    helo: str
    tls: str | None  # "TLSv1.3", or None for clear
    chunked: bool  # by BDAT
    parameters: tuple[str, ...]  # of MAIL
    recipient_parameters: tuple[tuple[str, ...], ...]


class Play:
    """Reads scripts and remembers how often each of their places was reached."""

    def __init__(self) -> None:
        self._reached: Counter[tuple[str, str]] = Counter()

    def act(
        self,
        script: Script | Mapping[str, Script],
        stage: str,
        argument: str,
        connection: int,
        tls: str | None,
        reverse_path: str | None,
        recipients: tuple[str, ...],
        content: bytes,
        client: str = "",
    ) -> Act:
        """What the script of a stage wants done."""
        if isinstance(script, Mapping):
            # a stage without an argument of its own concerns the recipients: the first one that the script names
            key = argument or next((recipient for recipient in recipients if recipient in script), "")
            script = script.get(key)
        else:
            key = argument if callable(script) else ""
        self._reached[stage, key] += 1
        number = self._reached[stage, key]
        if callable(script):
            script = script(Moment(stage, argument, connection, number, tls, reverse_path, recipients, content, client))
        elif isinstance(script, Sequence) and not isinstance(script, str):
            script = script[min(number, len(script)) - 1]
        return Act(script) if isinstance(script, str) else (script or Act())


def faults_of(content: bytes, parameters: Sequence[str], addresses: Sequence[str]) -> list[str]:
    """What RFC 5321 (sections 2.3.8, 4.5.3.1.6), RFC 6152 and RFC 6531 do not allow in a mail with these parameters of MAIL."""
    found = []
    bare = re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    if bare:
        found.append(f"a bare CR or LF near {content[max(0, bare.start() - 20) : bare.start() + 20]!r}")
    if any(len(line) > 998 for line in content.split(b"\r\n")):
        found.append("a line of more than 998 octets")
    words = {word.upper() for word in parameters}
    if not content.isascii() and not words & {"BODY=8BITMIME", "SMTPUTF8"}:
        found.append("8-bit content without BODY=8BITMIME")
    if "SMTPUTF8" not in words and not all(address.isascii() for address in addresses):
        found.append("an address in UTF-8 without SMTPUTF8")
    return found


@lru_cache(maxsize=1)
def authority() -> trustme.CA:
    """Who signed the certificates of all servers of this process."""
    return trustme.CA()


@lru_cache(maxsize=64)
def certificate(identities: tuple[str, ...]) -> trustme.LeafCert:
    """What a server that goes by these names shows."""
    return authority().issue_cert(*identities)


@lru_cache(maxsize=64)
def server_context(identities: tuple[str, ...]) -> ssl.SSLContext:
    """TLS as a server that goes by these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate(identities).configure_cert(context)
    return context
