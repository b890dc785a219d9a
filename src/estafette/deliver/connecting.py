"""A way to a site: its hosts in order, the addresses of each, TLS or not; the first that greets is taken.

What one search may cost is bounded, however many hosts a domain names: at least two addresses are tried (RFC 5321 5.1), at most `MAX_TRIES`, and
no further one after `SEARCH_S`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from estafette.clock import Clock, to_datetime
from estafette.deliver.connection import Connection, Fault, Link, Policy, Security, open_connection
from estafette.deliver.demand import MAY, MUST, NEVER, PROVED, Demand, allows_host, outcome_of
from estafette.deliver.route import Route, in_order
from estafette.deliver.router import Router
from estafette.mail.dane import Tlsa, usable
from estafette.mail.smtp.replies import Reply
from estafette.nouns import TlsResult
from estafette.queue.pools import fits

MIN_TRIES: Final = 2
MAX_TRIES: Final = 10
SEARCH_S: Final = 300.0
CLEAR_S: Final = 3600.0
"""How long a host whose TLS is broken is talked to in clear before TLS is tried again."""
MAX_RESULTS: Final = 20_000
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

    def __init__(self, router: Router, clock: Clock, policy: Policy, port: int, *, dane: bool = False) -> None:
        self._router = router
        self._clock = clock
        self._policy = policy
        self._port = port
        self._dane = dane
        self.results: Counter[TlsResult] = Counter()  # sessions to domains with a policy, until somebody takes them
        self._clear_until_s: dict[str, float] = {}

    async def connect(self, route: Route, source: str = "", demand: Demand | None = None, domain: str = "") -> Connection | Nowhere:
        """A greeted connection from one of our addresses ("" = the machine's choice) to the best host that answers and is allowed to have the mail."""
        demand = demand or Demand(self._policy.tls_level)
        started_s = self._clock.monotonic()
        nowhere = Nowhere("no_mx_host", f"{route.site} has no host that can be reached")
        tries = 0
        for host in in_order(route, self._clock.random):
            if not allows_host(demand, host):
                nowhere = Nowhere("tls", f"{host} is not in the policy that {demand.said_by} is about", "tls")
                self._count(domain, demand, host, source, "certificate-host-mismatch")
                continue
            addresses = await self._router.addresses(route, host)
            if not addresses.found and nowhere.link is None and nowhere.fault == "no_mx_host":  # what may change weighs more than what is for good
                nowhere = Nowhere(addresses.fault, addresses.why)
            fitting = [address for address in addresses.found if fits(source, address)]
            if addresses.found and not fitting and nowhere.link is None:
                nowhere = Nowhere("unreachable", f"{host} has no address that can be reached from {source}", is_sources=True)
            security = await self._security(route, host, demand, domain) if fitting else None
            for address in fitting:
                if tries >= MAX_TRIES or (tries >= MIN_TRIES and self._clock.monotonic() - started_s > SEARCH_S):
                    return nowhere
                tries += 1
                link = Link(host, address, self._port, source)
                try:
                    assert security is not None
                    connection = await self._open(link, security)
                except Fault as fault:
                    nowhere = Nowhere(fault.fault, fault.text, fault.stage, link, fault.reply, fault.fault == "no_source")
                    if fault.stage == "tls":
                        self._count(domain, demand, host, source, outcome_of(fault.text))
                    if nowhere.is_sources:
                        return nowhere
                else:
                    self._count(domain, demand, host, source, "" if connection.trust else "starttls-not-supported", is_dane=bool(security.tlsa))
                    return connection
        return nowhere

    async def _security(self, route: Route, host: str, demand: Demand, domain: str) -> Security:
        """DANE where the resolver vouches for the answers (RFC 7672 2.2), else what the domain and the operator ask for."""
        if not self._dane or not route.is_authentic or demand.level == NEVER:
            return Security(demand.level)
        answer = await self._router.tlsa(host, self._port)
        records = [record for record in answer.records if isinstance(record, Tlsa)]
        if not answer.is_authentic or not records:
            return Security(demand.level)
        found = tuple(usable(records))
        return Security(PROVED if found else MUST, found, (host, domain), to_datetime(self._clock.now_us()))

    async def _open(self, link: Link, security: Security) -> Connection:
        """Broken TLS is tried once more in clear, and remembered for a while, unless TLS is required."""
        is_clear = security.level == MAY and self._clear_until_s.get(link.host, 0.0) > self._clock.monotonic()
        try:
            return await open_connection(link, self._policy, Security(NEVER) if is_clear else security)
        except Fault as fault:
            if not fault.is_tls_broken or security.level != MAY:
                raise
        self._clear_until_s.pop(link.host, None)
        if len(self._clear_until_s) >= CLEAR_HOSTS:
            del self._clear_until_s[next(iter(self._clear_until_s))]
        self._clear_until_s[link.host] = self._clock.monotonic() + CLEAR_S
        return await open_connection(link, self._policy, Security(NEVER))

    def _count(self, domain: str, demand: Demand, host: str, source: str, outcome: str, *, is_dane: bool = False) -> None:
        """For the reports of RFC 8460, which are about domains that have a policy."""
        if (demand.policy or is_dane) and len(self.results) < MAX_RESULTS:
            kind = "tlsa" if is_dane else demand.policy_type
            self.results[TlsResult(domain, kind, demand.policy if not is_dane else "", host, source, outcome)] += 1
