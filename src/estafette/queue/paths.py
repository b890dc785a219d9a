"""Paths: one source address × one site, and how many connections may be open on one. Pure.

A *site* is the set of MX hosts that a domain resolves to, folded to one name, so that a thousand domains on one provider share one set of
limits. A path's window begins small, grows by one for every mail that was accepted while it was full, and is halved when the receiving
side asks to slow down (RFC 5321 4.5.4.1; additive increase, multiplicative decrease as in TCP).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

START: Final = 5
MAX_PAUSE_S: Final = 300.0
MAX_SITE_NAME: Final = 250


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message belongs, as far as a worker knows without asking anybody."""

    site: str  # "" = the domain has not been routed yet
    is_ours: bool  # this process works the site's path and has room now


@dataclass(frozen=True, slots=True)
class Window:
    """How many connections a path may have now, and when it may have any."""

    limit: int  # the ceiling from the configuration
    size: int = START
    failures: int = 0  # connection failures in a row
    paused_until_s: float = 0.0  # monotonic

    def is_paused(self, now_s: float) -> bool:
        """True while the path rests after a failure."""
        return now_s < self.paused_until_s


def opened(limit: int) -> Window:
    """The window of a path that nothing is known about."""
    return Window(limit, min(START, limit))


def after_success(window: Window, open_connections: int) -> Window:
    """A mail was answered for good or ill by a server that works; the window grows only when it was the limit. A pause that the server asked for stays,
    and while more connections are open than that left us their answers are its echo."""
    size = min(window.limit, window.size + 1) if open_connections == window.size else window.size
    if size == window.size and not window.failures:
        return window
    return replace(window, size=size, failures=0, paused_until_s=0.0 if window.failures else window.paused_until_s)


def after_slow_down(window: Window, now_s: float, wait_hint_s: float = 0.0) -> Window:
    """The server asked us to slow down (421, rate replies): half the connections at once, and a pause when it named one."""
    return replace(window, size=max(1, window.size // 2), paused_until_s=max(window.paused_until_s, now_s + min(wait_hint_s, MAX_PAUSE_S)))


def after_refused_connection(window: Window, open_connections: int) -> Window:
    """One more connection was not wanted while others work: what works is the limit."""
    return replace(window, size=max(1, min(window.size, open_connections)))


def after_dead(window: Window, now_s: float, pauses_s: Sequence[float]) -> Window:
    """No host of the site could be reached: rest, then probe with one connection. The pauses are those of the retry plan, at most 5 minutes."""
    failures = window.failures + 1
    pause = min(pauses_s[min(failures, len(pauses_s)) - 1], MAX_PAUSE_S)
    return replace(window, size=1, failures=failures, paused_until_s=now_s + pause)


def site_name(hosts: Sequence[str]) -> str:
    """One name for a set of MX hosts, whatever their order: the hosts, sorted; a digest stands for the tail of a very long list."""
    name = ",".join(sorted(set(hosts)))
    if len(name) <= MAX_SITE_NAME:
        return name
    return f"{name[: MAX_SITE_NAME - 17]}#{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def preferred_worker(site: str, workers: Sequence[int]) -> int:
    """Which of the living workers should hold the paths of a site (rendezvous hashing: few sites move when a worker comes or goes)."""
    return max(workers, key=lambda worker: hashlib.blake2b(f"{worker}|{site}".encode(), digest_size=8).digest(), default=0)
