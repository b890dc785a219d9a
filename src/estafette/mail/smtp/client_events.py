"""What a `ClientSession` is given (a transaction), what it learns of its peer (capabilities), and what it tells its shell (events)."""

from dataclasses import dataclass

from estafette.mail.smtp.replies import Reply
from estafette.mail.smtp.states import Step


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the peer offered in its EHLO reply."""

    keywords: frozenset[str] = frozenset()
    size_limit: int = 0  # 0 = unknown

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords


@dataclass(frozen=True, slots=True)
class Transaction:
    """One mail. `content` has CRLF line ends and is not dot-stuffed."""

    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes
    is_8bit: bool = False
    smtputf8: bool = False
    rcpt_parameters: str = ""  # " NOTIFY=... ORCPT=..." as it goes on the wire, "" = none
    mail_parameters: str = ""  # " RET=... ENVID=..."


def capabilities_of(answer: Reply) -> Capabilities:
    """What an EHLO reply offers. `AUTH=` stands for `AUTH`, as old servers write it; a SIZE that is no number is none."""
    keywords, size = set(), 0
    for line in answer.lines[1:]:
        words = line.upper().replace("=", " ").split()
        if words:
            keywords.add(words[0])
            if words[0] == "SIZE" and len(words) > 1 and words[1].isascii() and words[1].isdigit() and len(words[1]) < 16:
                size = int(words[1])
    return Capabilities(frozenset(keywords), size)


@dataclass(frozen=True, slots=True)
class Ready:
    """Greeted (again, after TLS): transactions may be sent."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class TlsReady:
    """The peer answered STARTTLS with 220: do the handshake, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class TlsRefused:
    """The peer will not begin TLS; the session goes on in clear if the shell wants it."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class RecipientResult:
    """The reply that decided one recipient's mail; 2xx only ever to the end of the content."""

    recipient: str
    step: Step  # which command the reply answers
    reply: Reply


@dataclass(frozen=True, slots=True)
class Done:
    """A transaction is over; one result per recipient, in order."""

    results: tuple[RecipientResult, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer will not talk to us now: greeting or EHLO refused, or 421 between transactions."""

    step: Step
    reply: Reply


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over; close the connection."""


Event = Ready | TlsReady | TlsRefused | Done | Refused | Closed
