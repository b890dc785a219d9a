"""Complaints: feedback reports (RFC 5965, RFC 6590, RFC 6591) and the loops that forward the mail without one.

`abuse` and its kin are complaints; `not-spam` (RFC 6430) takes one back and `auth-failure` (RFC 6591, DMARC) is about the sender's set-up: both are
reports, not complaints. `opt-out` is a complaint as well (RFC 5965 7.3), mild enough to be taken for an unsubscription by whoever acts.
"""

from dataclasses import dataclass
from typing import Final

from estafette.mail.report_address import find_address, find_addresses
from estafette.mail.report_dsn import read_fields
from estafette.mail.report_kinds import find_sign
from estafette.mail.report_parts import Letter
from estafette.mail.report_text import fold

NOT_COMPLAINTS: Final = frozenset({"auth-failure", "not-spam", "dmarc", "dkim", "spf"})
_RECIPIENT_FIELDS: Final = ("original-rcpt-to", "removal-recipient", "original-recipient", "redacted-address")
_RETURNED_FIELDS: Final = ("x-hmxmroriginalrecipient", "x-original-to", "x-rcpt-to", "x-envelope-to", "delivered-to", "to")


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a feedback report says."""

    feedback_type: str
    is_complaint: bool
    recipients: tuple[str, ...]
    rule: str


def read_feedback(letter: Letter) -> Feedback | None:
    """The complaint (or other feedback) that a mail carries; None when it is none."""
    if letter.feedback:
        fields: dict[str, list[str]] = {}
        for name, value in read_fields(letter.feedback):
            fields.setdefault(name, []).append(value)
        kind = (fields.get("feedback-type") or ["abuse"])[0].strip().lower().split(" ")[0]
        said = [find_address(value) for name in _RECIPIENT_FIELDS for value in fields.get(name, ())]
        return Feedback(kind, kind not in NOT_COMPLAINTS, _known(said) or _returned_to(letter), f"feedback_{kind}")
    titled = find_sign("complaint", fold(letter.first("subject")))
    if titled and letter.returned:
        return Feedback("abuse", True, _returned_to(letter), titled)
    return None


def _known(addresses: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for address in addresses if address and not address.startswith("redacted")))


def _returned_to(letter: Letter) -> tuple[str, ...]:
    """Whom the returned mail was for, when it says one address."""
    for name in _RETURNED_FIELDS:
        found = [address for value in letter.returned.get(name, ()) for address, _start, _end in find_addresses(value, 5)]
        if found:
            return _known(found[:1]) if len(set(found)) == 1 else ()
    return ()
