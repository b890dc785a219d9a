"""Where mail for a domain goes, from what the DNS said: pure (RFC 5321 5.1, RFC 7505).

A route is a list of MX hosts in the order in which they are tried, and the site that they make up. Addresses of hosts are looked up when a
connection is needed, not before.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from estafette.deliver.answers import Answer, AnswerKind, Mx
from estafette.queue.paths import site_name

MAX_HOSTS: Final = 20
MAX_ADDRESSES: Final = 16


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts by preference: groups are tried in order, hosts within a group in any order."""

    site: str
    groups: tuple[tuple[str, ...], ...]
    is_literal: bool = False  # the one host is an IP address
    is_implicit: bool = False  # no MX: the domain itself is the host
    is_authentic: bool = False  # the DNS server has verified it (DNSSEC)

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts, best first."""
        return tuple(host for group in self.groups for host in group)


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Mail for the domain cannot go anywhere; `fault` is a key of the rules for faults."""

    fault: str  # dns_servfail, dns_timeout, dns_nxdomain, null_mx, no_mx_host
    text: str


def literal_route(domain: str) -> Route | None:
    """The route of an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]; None for names."""
    if not domain.startswith("["):
        return None
    host = str(ipaddress.ip_address(domain[1:-1].removeprefix("IPv6:")))
    return Route(domain, ((host,),), is_literal=True)


def route_by_mx(domain: str, answer: Answer) -> Route | NoRoute | None:
    """What an MX answer means; None: there is no MX, and the addresses of the domain itself decide."""
    if answer.kind is AnswerKind.FAILED:
        return NoRoute(answer.fault, f"MX of {domain}: {answer.why}")
    if answer.kind is AnswerKind.NXDOMAIN:
        return NoRoute("dns_nxdomain", f"the domain {domain} does not exist")
    if answer.kind is AnswerKind.NODATA:
        return None
    records = sorted((r for r in answer.records if isinstance(r, Mx)), key=lambda r: r.preference)
    if not [r for r in records if r.host]:
        return NoRoute("null_mx", f"the domain {domain} accepts no mail (null MX)")
    groups: dict[int, list[str]] = {}
    for record in [r for r in records if r.host][:MAX_HOSTS]:
        group = groups.setdefault(record.preference, [])
        if not any(record.host in other for other in groups.values()):
            group.append(record.host)
    return Route(site_name([h for g in groups.values() for h in g]), tuple(tuple(g) for g in groups.values() if g), is_authentic=answer.is_authentic)


def route_by_address(domain: str, answers: Sequence[Answer]) -> Route | NoRoute:
    """The implicit MX: a domain without MX that has an address (RFC 5321 5.1)."""
    kinds = {answer.kind for answer in answers}
    if AnswerKind.FOUND in kinds:
        is_authentic = all(answer.is_authentic for answer in answers if answer.kind is AnswerKind.FOUND)
        return Route(site_name([domain]), ((domain,),), is_implicit=True, is_authentic=is_authentic)
    if AnswerKind.FAILED in kinds:
        failed = next(a for a in answers if a.kind is AnswerKind.FAILED)
        return NoRoute(failed.fault, f"addresses of {domain}: {failed.why}")
    return NoRoute("no_mx_host", f"the domain {domain} has neither MX nor address")


def in_order(route: Route, chance: Callable[[], float]) -> list[str]:
    """The hosts as one connection tries them: better preferences first, equal ones shuffled (RFC 5321 5.1)."""
    ordered: list[str] = []
    for group in route.groups:
        ordered += sorted(group, key=lambda _: chance())
    return ordered


def usable_addresses(addresses: Sequence[str], port: int, *, ipv4: bool, ipv6: bool) -> list[str]:
    """The addresses of a host that may be connected to, IPv6 and IPv4 in turn so that one broken family costs one try.

    Never: unspecified and multicast addresses; loopback on port 25, which is this machine and would be a loop.
    """
    v4, v6 = [], []
    for text in addresses:
        ip = ipaddress.ip_address(text)
        if ip.is_unspecified or ip.is_multicast or (ip.is_loopback and port == 25):
            continue
        if ip.version == 4 and ipv4:
            v4.append(text)
        elif ip.version == 6 and ipv6:
            v6.append(text)
    mixed = [address for pair in zip(v6, v4, strict=False) for address in pair]
    mixed += v6[len(v4) :] + v4[len(v6) :]
    return mixed[:MAX_ADDRESSES]
