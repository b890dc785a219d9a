"""From which of our addresses a message leaves: pools of weighted sources, and sources that are set aside. Pure.

The source of a message follows from its own key (its submission and recipient), not from a turn: the same message comes from the same address at
every attempt, as greylisting wants it, and over many messages each source gets the share of its weight. When a source cannot be used, only its
own messages move to others.
"""

import fnmatch
import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from estafette.mail.reply_rules import Verdict

ASIDE_S: Final = (60.0, 300.0, 900.0, 3600.0)
"""How long a source rests that mail could not be sent from, after the first, second, ... failure in a row; the last one repeats."""
BLAMED_S: Final = 3600.0
"""How long a source rests at one site after a reply there held its address against it."""
BLAMES_ADDRESS: Final = frozenset({"ip_listed"})
"""Categories of rules/replies.toml that speak of the address mail comes from; another one of ours may be welcome."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """A source in a pool."""

    address: str  # "" = the machine's choice
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Pool:
    """Sources that take turns, and whose mail they carry. Names may hold * for anything."""

    name: str
    sources: tuple[Pooled, ...]
    accounts: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    where: str = "configuration"


@dataclass(frozen=True, slots=True)
class Aside:
    """What is known of the health of a source, or of a source at one site."""

    failures: int = 0
    until_s: float = 0.0  # monotonic
    why: str = ""

    def is_aside(self, now_s: float) -> bool:
        """True while it should not be used."""
        return now_s < self.until_s


def default_pool(addresses: Sequence[str]) -> Pool:
    """The pool of all configured sources, when the shaping file names none."""
    return Pool("default", tuple(Pooled(address) for address in addresses))


def pool_for(pools: Sequence[Pool], fallback: Pool, account: str, stream: str = "", campaign: str = "") -> Pool:
    """The pool of a message: one that names its campaign, else its stream, else its account, else the fallback (a pool called default wins over it)."""
    for name, wanted in ((campaign, "campaigns"), (stream, "streams"), (account, "accounts")):
        for pool in pools:
            if name and any(fnmatch.fnmatchcase(name, pattern) for pattern in getattr(pool, wanted)):
                return pool
    return next((pool for pool in pools if pool.name == "default"), fallback)


def by_preference(pool: Pool, key: str) -> list[str]:
    """The sources of a pool in the order in which a message with this key tries them (weighted rendezvous hashing)."""
    if len(pool.sources) == 1:
        return [source.address for source in pool.sources if source.weight > 0]
    ranked = sorted(((_score(key, source), source.address) for source in pool.sources if source.weight > 0), reverse=True)
    return [address for _, address in ranked]


def choose(pool: Pool, key: str, is_usable: Callable[[str], bool] = lambda address: True) -> str | None:
    """The source for a message: the first by preference that may be used now; None when none may."""
    return next((address for address in by_preference(pool, key) if is_usable(address)), None)


def fits(source: str, address: str) -> bool:
    """True when mail can go from a source to a peer's address: both IPv4 or both IPv6."""
    return not source or (":" in source) == (":" in address)


def after_failure(aside: Aside, now_s: float, why: str) -> Aside:
    """Mail cannot be sent from this source (the address is not ours any more): longer rests with every failure."""
    if aside.is_aside(now_s):  # attempts that were under way when it was set aside
        return aside
    failures = aside.failures + 1
    return Aside(failures, now_s + ASIDE_S[min(failures, len(ASIDE_S)) - 1], why)


def after_blame(aside: Aside, now_s: float, why: str, wait_hint_s: float = 0.0) -> Aside:
    """A reply held the address of a source against it: it rests at that site."""
    return replace(aside, until_s=max(aside.until_s, now_s + max(BLAMED_S, wait_hint_s)), why=why)


def blames_source(verdict: Verdict) -> bool:
    """True when a reply holds our address, not the mail or its recipient, against us."""
    return verdict.scope == "path" and verdict.category in BLAMES_ADDRESS


def defers_elsewhere(verdict: Verdict, pool: Pool, refused: Collection[str]) -> bool:
    """True when a reply that blames the source should not end the message: a source of its pool is left that was not `refused` at this site."""
    return blames_source(verdict) and any(source.address not in refused for source in pool.sources if source.weight > 0)


def _score(key: str, source: Pooled) -> float:
    digest = hashlib.blake2b(f"{key}|{source.address}".encode(), digest_size=8).digest()
    share = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)  # in (0, 1)
    return -source.weight / math.log(share)
