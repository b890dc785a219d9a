"""The mailbox providers of the simulated Internet, as data, and the fate of every mail that comes to them. Pure.

What becomes of a mail follows from the seed, the address and how many mails that address has got before: the same seed gives the same world.
Some local parts always have the same fate, so that every status can be asked for by name: see `NAMED`.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Act(StrEnum):
    """What happens after a mail was taken in."""

    LATE_BOUNCE = "late_bounce"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    OPEN = "open"
    PROXY_OPEN = "proxy_open"  # a privacy proxy fetches the pixel although nobody has read the mail
    CLICK = "click"
    SCAN = "scan"  # a security scanner follows every link
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Provider:
    """Shares are of all mails that come in (refusals) or of those that were taken (what follows)."""

    name: str
    domains: tuple[str, ...]
    unknown: float = 0.01
    full: float = 0.005
    spam: float = 0.002
    greylists: bool = False
    max_connections: int = 50  # the next is told 421
    tarpit_s: float = 0.0
    tls: str = "good"  # good, none, broken
    late_bounces: float = 0.0
    complaints: float = 0.0005
    auto_replies: float = 0.01
    opens: float = 0.35
    clicks: float = 0.2  # of those who open
    unsubscribes: float = 0.005
    proxy: str = ""  # user agent of a proxy that fetches images: gmail, apple, yahoo
    scans: float = 0.0
    is_dead: bool = False  # its name is in the DNS, nobody listens


PROVIDERS: Final = (
    Provider("Gmail-like", ("gmail.test",), tls="good", proxy="gmail", unknown=0.008, complaints=0.0),
    Provider("Outlook-like", ("outlook.test", "hotmail.test"), scans=0.05, complaints=0.001, max_connections=10),
    Provider("Yahoo-like", ("yahoo.test", "aol.test"), proxy="yahoo", complaints=0.001, max_connections=5),
    Provider("iCloud-like", ("icloud.test", "me.test"), proxy="apple", opens=0.3),
    Provider("Orange-like", ("orange.test", "wanadoo.test"), full=0.02, max_connections=4),
    Provider("Free-like", ("free.test",), greylists=True),
    Provider("La Poste-like", ("laposte.test",), late_bounces=0.02, tls="good"),
    Provider("GMX-like", ("gmx.test", "web.test"), unknown=0.02),
    Provider("a company", ("corp.test",), scans=0.5, auto_replies=0.05, late_bounces=0.01),
    Provider("a university", ("uni.test",), late_bounces=0.03, tls="none", auto_replies=0.03),
    Provider("an old server", ("old.test",), tls="broken", unknown=0.05),
    Provider("a tarpit", ("slow.test",), tarpit_s=1.0, max_connections=3),
    Provider("a dead server", ("dead.test",), is_dead=True),
)
"""Domains end in .test; every other domain that is asked for is taken in by `ANY`, and names that begin with `nxdomain` do not exist."""

ANY: Final = Provider("any other domain", ("*",), unknown=0.0, full=0.0, spam=0.0, opens=0.0, clicks=0.0, unsubscribes=0.0, auto_replies=0.0, complaints=0.0)

NAMED: Final = {
    "nobody": ("550 5.1.1 <{to}>: user unknown", ""),
    "full": ("452 4.2.2 <{to}>: mailbox full", ""),
    "grey": ("451 4.7.1 Greylisted, please try again in 5 seconds", "once"),
}
"""Local part → reply to RCPT, and whether only the first time."""
FOLLOWED: Final = {
    "late": (Act.LATE_BOUNCE,), "complain": (Act.OPEN, Act.COMPLAINT), "away": (Act.AUTO_REPLY,), "open": (Act.OPEN,), "click": (Act.OPEN, Act.CLICK),
    "unsub": (Act.OPEN, Act.UNSUBSCRIBE), "scan": (Act.SCAN,), "proxy": (Act.PROXY_OPEN,),
}  # fmt: skip
"""Local part → what always follows."""
TEMPORARY_TRIES: Final = 2
"""A full mailbox has room again after so many tries, unless it is the address `full@`."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What a provider does with one mail to one address."""

    rcpt: str = ""  # refusal, "" = taken
    body: str = ""
    later: tuple[Act, ...] = ()


def provider_of(domain: str) -> Provider:
    """Who serves a domain."""
    return next((p for p in PROVIDERS if domain.lower() in p.domains), ANY)


def chance(seed: int, *words: object) -> float:
    """A number in [0, 1) that depends on nothing but the words."""
    text = "|".join([str(seed), *map(str, words)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def fate_of(seed: int, recipient: str, mail_id: str, tries: int) -> Fate:
    """The fate of a mail. `mail_id` tells mails to one address apart; `tries` counts how often this mail was offered, from 1."""
    local, _, domain = recipient.lower().rpartition("@")
    who = provider_of(domain)
    if local in NAMED:
        words, when = NAMED[local]
        return Fate(rcpt=words.format(to=recipient)) if not when or tries == 1 else Fate()
    if local == "spam":
        return Fate(body="554 5.7.1 Message content rejected: this looks like spam")
    if local in FOLLOWED:
        return Fate(later=FOLLOWED[local])
    if chance(seed, "unknown", recipient) < who.unknown:  # an address exists or does not, whatever mail comes
        return Fate(rcpt=f"550 5.1.1 <{recipient}>: Recipient address rejected: User unknown")
    if chance(seed, "full", recipient, mail_id) < who.full and tries <= TEMPORARY_TRIES:
        return Fate(rcpt=f"452 4.2.2 <{recipient}>: mailbox full")
    if who.greylists and tries == 1:
        return Fate(rcpt="451 4.7.1 Greylisting in action, please come back in 5 seconds")
    if chance(seed, "spam", mail_id) < who.spam:
        return Fate(body="554 5.7.1 Message rejected under suspicion of spam")
    return Fate(later=_later(seed, who, recipient, mail_id))


def _later(seed: int, who: Provider, recipient: str, mail_id: str) -> tuple[Act, ...]:
    def happens(what: str, share: float) -> bool:
        return chance(seed, what, recipient, mail_id) < share

    if happens("late", who.late_bounces):
        return (Act.LATE_BOUNCE,)
    acts = [Act.SCAN] if happens("scan", who.scans) else []
    acts += [Act.AUTO_REPLY] if happens("auto", who.auto_replies) else []
    acts += [Act.PROXY_OPEN] if who.proxy == "apple" else []
    if happens("open", who.opens):
        acts.append(Act.OPEN)
        acts += [Act.CLICK] if happens("click", who.clicks) else []
        acts += [Act.UNSUBSCRIBE] if happens("unsub", who.unsubscribes) else []
        acts += [Act.COMPLAINT] if happens("complain", who.complaints / max(who.opens, 0.01)) else []
    return tuple(acts)
