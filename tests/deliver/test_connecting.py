"""Which host and address a connection goes to, and what a search may cost."""

from collections.abc import AsyncIterator

import pytest

from estafette.clock import ManualClock
from estafette.deliver import connecting
from estafette.deliver.connecting import Connector, Nowhere
from estafette.deliver.connection import Connection, Policy
from estafette.deliver.dns import DnsResolver
from estafette.deliver.route import Route
from estafette.deliver.router import Router
from tests.world import Moment
from tests.world.dns import DnsServer, How
from tests.world.mx import MxServer

POLICY = Policy("relay.test", 2.0, 2.0, 2.0)


class Ground:
    """A DNS server, an MX on every loopback address of one port, and a connector between them."""

    def __init__(self, dns: DnsServer, mx: MxServer) -> None:
        self.dns, self.mx, self.clock = dns, mx, ManualClock()
        self.router = Router(DnsResolver([(dns.address, dns.port)], 1.0, self.clock), self.clock, port=mx.port, ipv6=False)

    def connector(self, policy: Policy = POLICY) -> Connector:
        return Connector(self.router, self.clock, policy, self.mx.port)

    async def route(self, domain: str) -> Route:
        route = await self.router.route(domain)
        assert isinstance(route, Route)
        return route


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with DnsServer() as dns, MxServer(address="0.0.0.0") as mx:
        yield Ground(dns, mx)


def host(ground: Ground, domain: str, *hosts: tuple[int, str, list[str]]) -> None:
    ground.dns.zone[domain, "MX"] = [f"{preference} {name}" for preference, name, _ in hosts]
    for _, name, addresses in hosts:
        ground.dns.zone[name, "A"] = addresses


async def test_the_next_address_and_the_next_host_are_tried(ground: Ground) -> None:
    ground.mx.replies = {"connect": lambda m: "554 go away" if m.connection < 3 else None}
    host(ground, "a.test", (10, "mx1.a.test", ["127.0.0.21", "127.0.0.22"]), (20, "mx2.a.test", ["127.0.0.23"]))
    found = await ground.connector().connect(await ground.route("a.test"))
    assert isinstance(found, Connection) and found.link.address == "127.0.0.23" and found.link.host == "mx2.a.test"
    found.quit()
    assert ground.mx.connections == 3


async def test_a_search_is_bounded_in_number(ground: Ground) -> None:
    ground.mx.replies = {"connect": "554 go away"}
    host(ground, "a.test", *((n, f"mx{n}.a.test", [f"127.0.{n}.{i}" for i in range(1, 17)]) for n in range(1, 21)))
    found = await ground.connector().connect(await ground.route("a.test"))
    assert isinstance(found, Nowhere) and found.reply is not None and found.reply.code == 554 and found.stage == "connect"
    assert ground.mx.connections == connecting.MAX_TRIES


async def test_a_search_is_bounded_in_time_but_two_addresses_are_always_tried(ground: Ground) -> None:
    def slow(moment: Moment) -> str:
        ground.clock.advance(connecting.SEARCH_S + 1)
        return "421 busy"

    ground.mx.replies = {"connect": slow}
    host(ground, "a.test", (1, "mx.a.test", [f"127.0.0.{i}" for i in range(1, 9)]))
    assert isinstance(await ground.connector().connect(await ground.route("a.test")), Nowhere)
    assert ground.mx.connections == 2


async def test_broken_tls_is_tried_again_after_a_while(ground: Ground) -> None:
    ground.mx.tls_fault = "garbage"
    host(ground, "a.test", (1, "mx.a.test", ["127.0.0.1"]))
    connector, route = ground.connector(), await ground.route("a.test")
    for after_s, connections in ((0.0, 2), (connecting.CLEAR_S - 1, 3), (2.0, 5)):  # garbage and clear; clear; garbage and clear
        ground.clock.advance(after_s)
        found = await connector.connect(route)
        assert isinstance(found, Connection) and found.tls == "" and ground.mx.connections == connections
        found.quit()


async def test_required_tls_never_falls_back(ground: Ground) -> None:
    ground.mx.tls_fault = "garbage"
    host(ground, "a.test", (1, "mx.a.test", ["127.0.0.1"]))
    found = await ground.connector(Policy("relay.test", 2.0, 2.0, 2.0, "require")).connect(await ground.route("a.test"))
    assert isinstance(found, Nowhere) and (found.fault, found.stage) == ("tls", "tls")
    assert ground.mx.connections == 1


async def test_a_connection_leaves_from_the_source_that_is_asked_for(ground: Ground) -> None:
    host(ground, "a.test", (1, "mx.a.test", ["127.0.0.1"]))
    connector, route = ground.connector(), await ground.route("a.test")
    found = await connector.connect(route, "127.0.0.5")
    assert isinstance(found, Connection) and found.source == "127.0.0.5"
    found.quit()
    unfit = await connector.connect(route, "2001:db8::1")
    assert isinstance(unfit, Nowhere) and unfit.is_sources and unfit.link is None


async def test_a_source_that_is_not_ours_is_no_failure_of_theirs(ground: Ground) -> None:
    host(ground, "a.test", (1, "mx.a.test", ["127.0.0.1"]))
    found = await ground.connector().connect(await ground.route("a.test"), "192.0.2.77")
    assert isinstance(found, Nowhere) and found.fault == "no_source" and found.is_sources


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ([], How.SERVFAIL, "dns_servfail"),  # what may change weighs more than what is for good
        (How.SERVFAIL, [], "dns_servfail"),
        ([], [], "no_mx_host"),
        (["0.0.0.0"], ["224.0.0.1"], "no_mx_host"),
    ],
)
async def test_no_address_at_all(ground: Ground, first: How | list[str], second: How | list[str], fault: str) -> None:
    host(ground, "a.test", (1, "mx1.a.test", []), (2, "mx2.a.test", []))
    for name, what in (("mx1.a.test", first), ("mx2.a.test", second)):
        if isinstance(what, How):
            ground.dns.behaviours[name] = what
        else:
            ground.dns.zone[name, "A"] = what
    found = await ground.connector().connect(await ground.route("a.test"))
    assert isinstance(found, Nowhere) and (found.fault, found.stage, found.link) == (fault, "dns", None)


async def test_a_host_of_the_family_that_we_do_not_use_is_unreachable_and_not_a_dead_domain(ground: Ground) -> None:
    """Its address must not be blocked for what is our configuration."""
    ground.dns.zone["a.test", "MX"] = ["10 mx.a.test"]
    ground.dns.zone["mx.a.test", "AAAA"] = ["2001:db8::1"]
    found = await ground.connector().connect(await ground.route("a.test"))
    assert isinstance(found, Nowhere) and found.fault == "unreachable"
    ground.dns.zone["implicit.test", "AAAA"] = ["2001:db8::1"]
    found = await ground.connector().connect(await ground.route("implicit.test"))
    assert isinstance(found, Nowhere) and found.fault == "unreachable"
