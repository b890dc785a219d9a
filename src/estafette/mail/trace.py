"""Trace and identity fields: Received (RFC 5321 4.4), Date and Message-ID (RFC 5322 3.6), and the headers that are ours to take off."""

from datetime import UTC, datetime
from typing import Final

from estafette.mail.header import Field, Header

MAX_RECEIVED: Final = 100  # RFC 5321 6.3: a loop guard of at least 100
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_date(at_us: int) -> str:
    """RFC 5322 3.3 in UTC: `Mon, 23 Nov 2026 18:02:26 +0000`."""
    t = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return f"{_DAYS[t.weekday()]}, {t.day:02} {_MONTHS[t.month - 1]} {t.year} {t.hour:02}:{t.minute:02}:{t.second:02} +0000"


def received(hello: str, address: str, hostname: str, protocol: str, submission_id: int, at_us: int) -> bytes:
    """Our Received field. `protocol` is ESMTPSA and the like (RFC 3848), or HTTP. Without `address` it says nothing of the client (RFC 6409 8.1 lets a
    submission server protect it): the clause `from` is left out."""
    rest = f"by {hostname} with {protocol} id {submission_id:x};\r\n\t{format_date(at_us)}\r\n"
    if not address:
        return f"Received: {rest}".encode()
    hello = "".join(c for c in hello if c.isascii() and (c.isalnum() or c in ".-_[]:"))[:100] or "unknown"
    literal = f"IPv6:{address}" if ":" in address else address  # RFC 5321 4.1.3
    return f"Received: from {hello} ([{literal}])\r\n\t{rest}".encode()


def has_loop(header: Header) -> bool:
    """True when the mail has passed so many hops that it must be going round (5.4.6)."""
    return sum(f.key == "received" for f in header) >= MAX_RECEIVED


def is_ours_to_strip(field: Field) -> bool:
    """Headers that speak to the platform and never leave it; Bcc must not either, and Return-Path is the last hop's to write."""
    key = field.key
    return key.startswith(("x-mailjet-", "x-mj-", "x-estafette-")) or key in ("bcc", "resent-bcc", "return-path")
