"""What a `ServerSession` is told once (its options) and what it tells its shell (its events)."""

from dataclasses import dataclass

from estafette.mail.smtp.data import BareNewlines
from estafette.mail.smtp.grammar import MailParameters, RcptParameters


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the listener offers and demands; the same for all its sessions."""

    hostname: str
    max_size: int = 26_214_400
    max_recipients: int = 1000
    offers_starttls: bool = False
    offers_auth: bool = True  # only while TLS is active or `plain_auth` is set
    plain_auth: bool = False
    requires_auth: bool = True
    offers_dsn: bool = False
    has_postmaster: bool = False  # `RCPT TO:<postmaster>`, without a domain, is put to the shell instead of being refused (RFC 5321 4.5.1)
    bare_newlines: BareNewlines = "refuse"
    max_errors: int = 20  # without a mail accepted in between


def may_authenticate(options: ServerOptions, *, tls_active: bool) -> bool:
    """Passwords travel only inside TLS, unless the operator wants it otherwise (RFC 4954 4)."""
    return options.offers_auth and (tls_active or options.plain_auth)


def extensions(options: ServerOptions, *, tls_active: bool) -> list[str]:
    """The lines of the EHLO reply behind the host name."""
    lines = ["PIPELINING", f"SIZE {options.max_size}", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES"]
    if options.offers_dsn:
        lines.append("DSN")
    if options.offers_starttls and not tls_active:
        lines.append("STARTTLS")
    if may_authenticate(options, tls_active=tls_active):
        lines.append("AUTH PLAIN LOGIN")
    return lines


@dataclass(frozen=True, slots=True)
class Hello:
    """EHLO or HELO was said. It ends a transaction under way like RSET (RFC 5321 4.1.4)."""

    name: str
    is_extended: bool


@dataclass(frozen=True, slots=True)
class StartTls:
    """Answer 220 to go on with the handshake, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login to be checked: answer 235, or 535 for wrong ones. The password never shows in a repr, so that no log can hold it."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, …)"


@dataclass(frozen=True, slots=True)
class MailFrom:
    """A transaction begins."""

    reverse_path: str  # "" = null
    parameters: MailParameters


@dataclass(frozen=True, slots=True)
class RcptTo:
    """One more recipient, when the answer is positive."""

    recipient: str
    parameters: RcptParameters


@dataclass(frozen=True, slots=True)
class Chunk:
    """Content as it arrives; the shell keeps it unless `session.is_discarding`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfMail:
    """All content was given; the answer 250 is a promise."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The transaction is over without a mail: forget what was collected."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Send the output and close."""


Event = Hello | StartTls | Credentials | MailFrom | RcptTo | Chunk | EndOfMail | Reset | Closed
