"""What the providers and their users send back: late bounces in several forms, complaints (ARF), auto-replies. Pure.

Each is made from the mail as it came, the way the software that it imitates makes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from estafette.demo.providers import chance

UNKNOWN: Final = "550 5.1.1 The email account that you tried to reach does not exist"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail on its way back."""

    sender: str  # reverse-path, "" = null
    recipient: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that a provider took in."""

    recipient: str
    return_path: str
    content: bytes
    host: str  # the MX that took it
    date: str  # RFC 5322

    @property
    def header(self) -> bytes:
        """Its header block."""
        return self.content.partition(b"\r\n\r\n")[0] + b"\r\n"

    def field(self, name: str) -> str:
        """One field, unfolded; "" when it is missing."""
        for part in self.header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
            key, _, value = part.partition(b":")
            if key.lower() == name.lower().encode():
                return value.decode("utf-8", "replace").strip()
        return ""


def _top(mail: Received, author: str, subject: str, kind: str) -> bytes:
    return (f"From: {author}\r\nTo: <{mail.return_path}>\r\nSubject: {subject}\r\nDate: {mail.date}\r\n"
            f"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n").encode()  # fmt: skip


def _rfc3464(mail: Received) -> bytes:
    """Postfix."""
    return _top(mail, f"Mail Delivery System <MAILER-DAEMON@{mail.host}>", "Undelivered Mail Returned to Sender",
                'multipart/report; report-type=delivery-status; boundary="=_b"') + (
        f"--=_b\r\nContent-Type: text/plain\r\n\r\nThis is the mail system at host {mail.host}.\r\n\r\n"
        f"I'm sorry to have to inform you that your message could not\r\nbe delivered to one or more recipients. "
        f"It's attached below.\r\n\r\n<{mail.recipient}>: host said: {UNKNOWN}\r\n\r\n"
        f"--=_b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; {mail.host}\r\nArrival-Date: {mail.date}\r\n\r\n"
        f"Final-Recipient: rfc822; {mail.recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; {UNKNOWN}\r\n\r\n"
        f"--=_b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    ).encode() + mail.header + b"\r\n--=_b--\r\n"  # fmt: skip


def _qmail(mail: Received) -> bytes:
    """qmail-send's plain text."""
    return _top(mail, f"MAILER-DAEMON@{mail.host}", "failure notice", "text/plain") + (
        f"Hi. This is the qmail-send program at {mail.host}.\r\nI'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
        f"This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n<{mail.recipient}>:\r\n"
        f"Sorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <{mail.return_path}>\r\n"
    ).encode() + mail.header  # fmt: skip


def _exim(mail: Received) -> bytes:
    """Exim's text, with its header field."""
    return f"X-Failed-Recipients: {mail.recipient}\r\n".encode() + _top(
        mail, f"Mail Delivery System <Mailer-Daemon@{mail.host}>", "Mail delivery failed: returning message to sender", "text/plain") + (
        "This message was created automatically by mail delivery software.\r\n\r\nA message that you sent could not be delivered to one or more of its\r\n"
        f"recipients. This is a permanent error. The following address(es) failed:\r\n\r\n  {mail.recipient}\r\n"
        f"    SMTP error from remote mail server after RCPT TO:<{mail.recipient}>:\r\n    {UNKNOWN}\r\n\r\n"
        "------ This is a copy of the message, including all the headers. ------\r\n\r\n"
    ).encode() + mail.header  # fmt: skip


BOUNCES: Final[tuple[Callable[[Received], bytes], ...]] = (_rfc3464, _qmail, _exim)


def late_bounce(seed: int, mail: Received) -> Letter:
    """A bounce after the mail was taken in, in one of the forms."""
    form = BOUNCES[int(chance(seed, "form", mail.recipient) * len(BOUNCES))]
    return Letter("", mail.return_path, form(mail))


def complaint(mail: Received, to: str) -> Letter:
    """A feedback-loop report (RFC 5965) to the address that was agreed on."""
    content = (
        f"From: Feedback <fbl@{mail.host}>\r\nTo: <{to}>\r\nSubject: complaint about message\r\nDate: {mail.date}\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="=_f"\r\n\r\n'
        "--=_f\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n\r\n"
        "--=_f\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: DemoFBL/1.0\r\nVersion: 1\r\n"
        f"Original-Mail-From: <{mail.return_path}>\r\nArrival-Date: {mail.date}\r\n\r\n"
        f"--=_f\r\nContent-Type: message/rfc822\r\n\r\nReturn-Path: <{mail.return_path}>\r\n"
    ).encode() + mail.content + b"\r\n--=_f--\r\n"  # fmt: skip
    return Letter(f"fbl@{mail.host}", to, content)


def auto_reply(mail: Received) -> Letter:
    """Out of office, to the return path as vacation programs do (RFC 3834)."""
    subject = f"Absence: {mail.field('Subject')}" if chance(0, mail.recipient) < 0.5 else f"Out of office: {mail.field('Subject')}"
    text = _top(mail, f"<{mail.recipient}>", subject, "text/plain; charset=utf-8") + "I am away until Monday. Je suis absent jusqu'à lundi.\r\n".encode()
    return Letter("", mail.return_path, f"In-Reply-To: {mail.field('Message-ID')}\r\n".encode() + text)
