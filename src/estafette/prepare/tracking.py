"""What is put into the mails of a submission beside their content: the settings of installation and account, and what the mail itself asks for. Pure."""

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final

from estafette.mail.token import Keyring
from estafette.model import Options
from estafette.prepare.tokens import OpenMode


class Offer(IntEnum):
    """How unsubscribing is offered, from less to more."""

    NONE = 0  # tags stay as they are
    TAGS = 1  # where the mail has a tag for it: there, and then in the header too
    HEADER = 2  # always in the header (RFC 2369, RFC 8058)
    LINK = 3  # and in the body: a footer where no tag is


class LeftOff(StrEnum):
    """Why a mail that was to be tracked is not, for its timeline."""

    PROTECTED = "protected"  # signed, encrypted or enclosed: a change would break it
    SUBMITTER_SIGNED = "submitter_signed"  # carries a DKIM or ARC signature, and we have no key to sign it anew
    NO_HTML = "no_html"  # nothing that links and pixels could be put into
    CHARSET = "charset"  # UTF-16 and the like, or octets that would not survive
    ENCODING = "encoding"  # a transfer encoding that nobody knows
    CUT_OFF = "cut_off"  # the HTML ends inside a tag or a comment: nothing can be put at its end
    TOO_LARGE = "too_large"  # a text longer than is read
    MALFORMED = "malformed"  # more parts, levels or fields than are read


@dataclass(frozen=True, slots=True)
class Consent:
    """What one recipient agrees to; asked again when a pixel or link is used."""

    opens: bool = True
    clicks: bool = True


CONSENT: Final = Consent()


@dataclass(frozen=True, slots=True)
class Tracking:
    """The defaults of one account. `wanted` says what holds for one submission."""

    url: str  # what links begin with: "https://links.example.com", no slash at its end
    keyring: Keyring
    opens: OpenMode = OpenMode.OFF
    clicks: bool = False
    text_links: bool = False  # also the links of text/plain parts
    shown_addresses: bool = False  # also links whose visible text is itself an address: mail readers warn when the two differ
    offer: Offer = Offer.TAGS
    unsubscribe_domain: str = ""  # domain of the addresses to unsubscribe by mail; "" = only by https
    list_id: int = 0  # the list that the unsubscribing is from; 0 = none
    language: str = ""  # of the footer: "fr", "en"; "" = that of the HTML, else English
    sender_id: str = ""  # last part of Feedback-ID (5 to 15 characters that stand for this installation); "" = no such field
    url_tags: str = field(default="")  # "utm_source=may": added to the query of every link


def wanted(tracking: Tracking, options: Options) -> Tracking:
    """What holds for one submission: its own word before the account's.

    A mail that asks for openings where the account keeps the last date only gets that: it asks to be counted, not for less privacy.
    """
    opens = tracking.opens
    if options.track_opens is not None:
        opens = (opens or OpenMode.FULL) if options.track_opens else OpenMode.OFF
    clicks = tracking.clicks if options.track_clicks is None else options.track_clicks
    offer = Offer.LINK if options.list_id else max(tracking.offer, Offer.HEADER) if options.campaign else tracking.offer
    return replace(tracking, opens=opens, clicks=clicks, offer=offer, url_tags=options.url_tags or tracking.url_tags,
                   list_id=options.list_id or tracking.list_id, language=options.locale or tracking.language)  # fmt: skip
