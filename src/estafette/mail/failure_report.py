"""Writes a delivery status notification (RFC 3464 in the envelope of RFC 6522) to the submitter of a mail. Pure; the mail that comes out is 7-bit.

    raw = write_report(notice, "relay.example.com", randomness)

Three parts: words for a person, the fields for a program, the header of the mail that it is about (or all of it, when RET=FULL was asked for and it
is small and 7-bit).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from estafette.mail.header import make_field, make_raw_field
from estafette.mail.mime_edit import encode_quoted
from estafette.mail.trace import format_date

MAX_RETURNED: Final = 100_000
"""A larger mail is not returned as a whole, nor a longer header: RFC 3461 4.3 leaves room for that."""
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_CONTROL = re.compile(r"[^ -~]+")
_WORDS: Final = {
    "failed": ("Undelivered mail", "The mail that you sent could not be delivered to this recipient, and no further attempt will be made:"),
    "relayed": ("Mail was handed over", "The mail that you sent was taken by the recipient's mail server. What becomes of it there will not be reported:"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What there is to tell."""

    action: str  # failed, relayed
    reverse_path: str  # whom to tell
    recipient: str
    orcpt: str  # ORCPT as given, "" = none
    envid: str  # ENVID as given, "" = none
    status: str  # enhanced code, "" = not known
    host: str  # the receiving server, "" = none was reached
    reply: str
    at: int  # of the outcome
    accepted_at: int
    returned: bytes  # the mail that it is about; b"" = not kept
    is_full: bool  # RET=FULL


def write_report(notice: Notice, hostname: str, randomness: bytes) -> bytes:
    """The mail, without Date, Message-ID and Received. `randomness`: what the boundary is derived from."""
    kind, body = _returned(notice)
    parts = [
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + _words(notice, hostname),
        b"Content-Type: message/delivery-status\r\n\r\n" + _fields(notice, hostname),
        *([kind + b"\r\n" + body] if kind else []),
    ]
    boundary = _boundary(parts, randomness)
    head = b"".join([
        make_raw_field("From", f"Mail Delivery System <mailer-daemon@{hostname}>"),
        make_raw_field("To", f"<{notice.reverse_path}>"),
        make_field("Subject", _WORDS[notice.action][0]),
        make_raw_field("Auto-Submitted", "auto-replied"),  # RFC 3834 5
        make_raw_field("MIME-Version", "1.0"),
        make_raw_field("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"'),
    ])  # fmt: skip
    delimiter = f"--{boundary}".encode()
    return b"".join([head, b"\r\n", *(delimiter + b"\r\n" + part.removesuffix(b"\r\n") + b"\r\n" for part in parts), delimiter, b"--\r\n"])


def status_of(notice: Notice) -> str:
    """RFC 3463: the code of the reply when it belongs to the action."""
    wanted = "2" if notice.action == "relayed" else "45"
    return notice.status if notice.status[:1] and notice.status[:1] in wanted else "2.0.0" if notice.action == "relayed" else "5.0.0"


def _words(notice: Notice, hostname: str) -> bytes:
    said = f"They said ({notice.host}):" if notice.host else "The reason:"
    lines = [f"This is the mail system at {hostname}.", "", _WORDS[notice.action][1], "", f"    {_ascii(notice.recipient)}", "", said, ""]
    return "\r\n".join([*lines, *(f"    {line}" for line in _wrapped(_ascii(notice.reply))), ""]).encode("ascii")


def _fields(notice: Notice, hostname: str) -> bytes:
    """RFC 3464 2.2 and 2.3."""
    message = [("Reporting-MTA", f"dns; {hostname}"), ("Arrival-Date", format_date(notice.accepted_at))]
    if notice.envid:
        message.insert(0, ("Original-Envelope-Id", _from_xtext(notice.envid)))
    recipient = [("Final-Recipient", _typed(notice.recipient)), ("Action", notice.action), ("Status", status_of(notice))]
    if notice.orcpt:
        kind, _, address = notice.orcpt.partition(";")
        recipient.insert(0, ("Original-Recipient", f"{_ascii(kind)}; {_ascii(_from_xtext(address))}"))
    if notice.host:
        recipient += [("Remote-MTA", f"dns; {_ascii(notice.host)}"), ("Diagnostic-Code", f"smtp; {_ascii(notice.reply)}")]
    recipient.append(("Last-Attempt-Date", format_date(notice.at)))
    return b"\r\n".join(b"".join(make_raw_field(name, value) for name, value in group) for group in (message, recipient))


def _returned(notice: Notice) -> tuple[bytes, bytes]:
    """(the fields of the third part, its body); nothing when the mail is not kept."""
    mail = notice.returned
    if not mail:
        return b"", b""
    if notice.is_full and notice.action == "failed" and len(mail) <= MAX_RETURNED and mail.isascii():
        return b"Content-Type: message/rfc822\r\n", mail
    header = mail[: mail.find(b"\r\n\r\n") + 2] if b"\r\n\r\n" in mail else mail
    header = header[: header.rfind(b"\r\n", 0, MAX_RETURNED) + 2]
    if header.isascii():
        return b"Content-Type: text/rfc822-headers\r\n", header
    fields = b"Content-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"  # RFC 6522 4, RFC 6533 5
    return fields, encode_quoted(header, b"\r\n")


def _typed(recipient: str) -> str:
    """RFC 3464 2.1.2; other than ASCII as RFC 6533 3 writes it where only 7 bits are to be had."""
    if recipient.isascii():
        return f"rfc822; {recipient}"
    return "utf-8; " + "".join(c if c.isascii() and c not in "\\+=" else f"\\x{{{ord(c):02X}}}" for c in recipient)


def _from_xtext(text: str) -> str:
    """RFC 3461 4; what decodes to a control character stays away."""
    return _ascii(_XTEXT.sub(lambda match: chr(int(match[1], 16)), text))


def _ascii(text: str) -> str:
    return _CONTROL.sub(lambda match: "?" if match[0].strip() else " ", text).strip()


def _wrapped(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) >= 72:
            lines.append(line)
            line = ""
        line = f"{line} {word[:500]}" if line else word[:500]
    return [*lines, line]


def _boundary(parts: list[bytes], randomness: bytes) -> str:
    number = 0
    while any((boundary := f"=_{hashlib.sha256(b'%d ' % number + randomness).hexdigest()[:32]}").encode() in part for part in parts):
        number += 1
    return boundary
