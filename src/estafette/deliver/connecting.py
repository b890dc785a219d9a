"""A way to a site: its hosts in order, the addresses of each, TLS or not; the first that greets is taken.

What one search may cost is bounded, however many hosts a domain names: at least two addresses are tried (RFC 5321 5.1), at most `MAX_TRIES`, and
no further one after `SEARCH_S`.
"""

from dataclasses import dataclass
from typing import Final

from estafette.clock import Clock
from estafette.deliver.connection import Connection, Fault, Link, Policy, open_connection
from estafette.deliver.route import Route, in_order
from estafette.deliver.router import Router
from estafette.mail.smtp.replies import Reply
from estafette.queue.pools import fits

MIN_TRIES: Final = 2
MAX_TRIES: Final = 10
SEARCH_S: Final = 300.0
CLEAR_S: Final = 3600.0
"""How long a host whose TLS is broken is talked to in clear before TLS is tried again."""
CLEAR_HOSTS: Final = 10_000
"""Remembered hosts whose TLS is broken; the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No host took a connection: what the last one said or did; without a `link` there was not even an address."""

    fault: str  # a key of the rules for faults
    text: str
    stage: str = "dns"
    link: Link | None = None
    reply: Reply | None = None
    is_sources: bool = False  # nothing can be sent from this source of ours, or nothing to a host of the site


class Connector:
    """Opens connections for all paths of a process."""

    def __init__(self, router: Router, clock: Clock, policy: Policy, port: int) -> None:
        self._router = router
        self._clock = clock
        self._policy = policy
        self._port = port
        self._clear_until_s: dict[str, float] = {}

    async def connect(self, route: Route, source: str = "") -> Connection | Nowhere:
        """A greeted connection from one of our addresses ("" = the machine's choice) to the best host that answers."""
        started_s = self._clock.monotonic()
        nowhere = Nowhere("no_mx_host", f"{route.site} has no host that can be reached")
        tries = 0
        for host in in_order(route, self._clock.random):
            addresses = await self._router.addresses(route, host)
            if not addresses.found and nowhere.link is None and nowhere.fault == "no_mx_host":  # what may change weighs more than what is for good
                nowhere = Nowhere(addresses.fault, addresses.why)
            fitting = [address for address in addresses.found if fits(source, address)]
            if addresses.found and not fitting and nowhere.link is None:
                nowhere = Nowhere("unreachable", f"{host} has no address that can be reached from {source}", is_sources=True)
            for address in fitting:
                if tries >= MAX_TRIES or (tries >= MIN_TRIES and self._clock.monotonic() - started_s > SEARCH_S):
                    return nowhere
                tries += 1
                link = Link(host, address, self._port, source)
                try:
                    return await self._open(link)
                except Fault as fault:
                    nowhere = Nowhere(fault.fault, fault.text, fault.stage, link, fault.reply, fault.fault == "no_source")
                    if nowhere.is_sources:
                        return nowhere
        return nowhere

    async def _open(self, link: Link) -> Connection:
        """Broken TLS is tried once more in clear, and remembered for a while, unless TLS is required."""
        until_s = self._clear_until_s.get(link.host, 0.0)
        try:
            return await open_connection(link, self._policy, use_tls=until_s <= self._clock.monotonic())
        except Fault as fault:
            if not fault.is_tls_broken or self._policy.tls == "require":
                raise
        self._clear_until_s.pop(link.host, None)
        if len(self._clear_until_s) >= CLEAR_HOSTS:
            del self._clear_until_s[next(iter(self._clear_until_s))]
        self._clear_until_s[link.host] = self._clock.monotonic() + CLEAR_S
        return await open_connection(link, self._policy, use_tls=False)
