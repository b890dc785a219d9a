"""Sites and who works them. Pure.

A *site* is the set of MX hosts that a domain resolves to, folded to one name, so that a thousand domains on one provider share one set of
limits. A *path* is one source address to one site; how fast it goes stands in `queue/window.py`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

START: Final = 5
MAX_PAUSE_S: Final = 300.0
MAX_SITE_NAME: Final = 250
PARKED: Final = "@"
"""Before the name of a domain: where messages stand whose destination a person has stopped. When it goes on they are routed anew."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message belongs, as far as a worker knows without asking anybody."""

    site: str  # "" = the domain has not been routed yet
    is_ours: bool  # this process works the site's path and has room now


def site_name(hosts: Sequence[str]) -> str:
    """One name for a set of MX hosts, whatever their order: the hosts, sorted; a digest stands for the tail of a very long list."""
    name = ",".join(sorted(set(hosts)))
    if len(name) <= MAX_SITE_NAME:
        return name
    return f"{name[: MAX_SITE_NAME - 17]}#{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def parked(domain: str) -> str:
    """The place in the queue of messages to a destination that is stopped."""
    return PARKED + domain


def is_unrouted(site: str) -> bool:
    """True for messages that must be routed before they go anywhere: new ones, and those that were parked."""
    return not site or site.startswith(PARKED)


def preferred_worker(site: str, workers: Sequence[int]) -> int:
    """Which of the living workers should hold the paths of a site (rendezvous hashing: few sites move when a worker comes or goes)."""
    return max(workers, key=lambda worker: _preference(site, worker), default=0)


def by_preference(site: str, workers: Sequence[int]) -> list[int]:
    """All of them, the preferred one first: those that share a site stand at the head."""
    return sorted(workers, key=lambda worker: _preference(site, worker), reverse=True)


def _preference(site: str, worker: int) -> bytes:
    return hashlib.blake2b(f"{worker}|{site}".encode(), digest_size=8).digest()
