"""Routes of domains: asks the resolver, remembers what `route.py` makes of the answers, and finds the addresses of a host."""

import asyncio
from dataclasses import dataclass
from typing import Final

from estafette.clock import Clock
from estafette.deliver.answers import Answer, AnswerKind
from estafette.deliver.dns import Resolver
from estafette.deliver.route import NoRoute, Route, literal_route, route_by_address, route_by_mx, usable_addresses

CACHE_ENTRIES: Final = 50_000


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of one host, best first; when there are none, the fault and why."""

    found: tuple[str, ...]
    fault: str = "no_mx_host"
    why: str = ""


class Router:
    """See the module."""

    def __init__(self, resolver: Resolver, clock: Clock, *, port: int, ipv4: bool = True, ipv6: bool = True) -> None:
        self.resolver = resolver
        self._clock = clock
        self._port = port
        self._ipv4 = ipv4
        self._ipv6 = ipv6
        self._known: dict[str, tuple[Route, float]] = {}

    def known(self, domain: str) -> Route | None:
        """The route of a domain when it is known now; asks nobody."""
        entry = self._known.get(domain)
        return entry[0] if entry is not None and entry[1] > self._clock.monotonic() else None

    async def route(self, domain: str) -> Route | NoRoute:
        """The route of a domain. Never raises."""
        if (known := self.known(domain)) is not None:
            return known
        literal = literal_route(domain)
        if literal is not None:
            return self._keep(domain, literal, 3600.0)
        answer = await self.resolver.ask(domain, "MX")
        route = route_by_mx(domain, answer)
        if route is None:
            answers = await self._ask_addresses(domain)
            route = route_by_address(domain, answers)
            answer = next((a for a in answers if a.kind is AnswerKind.FOUND), answer)
        return self._keep(domain, route, answer.ttl_s) if isinstance(route, Route) else route

    async def addresses(self, route: Route, host: str) -> Addresses:
        """The addresses of one host of a route."""
        answers = [] if route.is_literal else await self._ask_addresses(host)
        texts = [host] if route.is_literal else [r for answer in answers for r in answer.records if isinstance(r, str)]
        usable = usable_addresses(texts, self._port, ipv4=self._ipv4, ipv6=self._ipv6)
        if usable:
            return Addresses(tuple(usable))
        failed = next((a for a in answers if a.kind is AnswerKind.FAILED), None)
        if failed is not None:
            return Addresses((), failed.fault, f"addresses of {host}: {failed.why}")
        if usable_addresses(texts, self._port, ipv4=True, ipv6=True):  # there is a way, but not for us
            return Addresses((), "unreachable", f"{host} has only addresses of a family (IPv4, IPv6) that is not used here")
        return Addresses((), why=f"{host} has only addresses that mail may not be sent to" if texts else f"{host} has no address")

    async def tlsa(self, host: str, port: int) -> Answer:
        """What a host promises about its certificate (RFC 7672 3)."""
        return await self.resolver.ask(f"_{port}._tcp.{host}", "TLSA")

    async def _ask_addresses(self, name: str) -> list[Answer]:
        """Both families, also the one that is not used here: a domain without any address is something else than one that we cannot reach."""
        return list(await asyncio.gather(*(self.resolver.ask(name, kind) for kind in ("AAAA", "A"))))

    def _keep(self, domain: str, route: Route, ttl_s: float) -> Route:
        while len(self._known) >= CACHE_ENTRIES:
            del self._known[next(iter(self._known))]
        self._known.pop(domain, None)
        self._known[domain] = (route, self._clock.monotonic() + ttl_s)
        return route
