"""The resolver and the router against the scripted server: the four kinds of answers, what is remembered, and which mail may go where."""

import asyncio
from collections.abc import AsyncIterator

import dns.message
import dns.rrset
import pytest

from estafette.clock import ManualClock
from estafette.deliver.answers import Answer, AnswerKind, Mx, read_response
from estafette.deliver.dns import DnsResolver
from estafette.deliver.route import NoRoute, Route
from estafette.deliver.router import Router
from tests.world.dns import Behaviour, DnsServer, How

ZONE = {
    ("a.test", "MX"): ["10 mx1.a.test", "20 MX2.a.test", "10 mx3.a.test"],
    ("alias.test", "CNAME"): ["a.test"],
    ("circle1.test", "CNAME"): ["circle2.test"],
    ("circle2.test", "CNAME"): ["circle1.test"],
    ("nowhere.test", "CNAME"): ["missing.test"],
    ("null.test", "MX"): ["0 ."],
    ("odd.test", "MX"): ["0 .", "10 mx1.a.test"],
    ("implicit.test", "A"): ["192.0.2.1"],
    ("implicit6.test", "AAAA"): ["2001:db8::1"],
    ("nothing.test", "TXT"): ['"v=spf1 -all"'],
    ("long.test", "TXT"): ['"a" "b"'],
}


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer(ZONE) as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def resolver(server: DnsServer, clock: ManualClock, timeout_s: float = 0.5) -> DnsResolver:
    return DnsResolver([(server.address, server.port)], timeout_s, clock)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("A.test.", "MX", AnswerKind.FOUND),
        ("alias.test", "MX", AnswerKind.FOUND),
        ("a.test", "A", AnswerKind.NODATA),
        ("nothing.test", "MX", AnswerKind.NODATA),
        ("missing.test", "MX", AnswerKind.NXDOMAIN),
        ("nowhere.test", "A", AnswerKind.NXDOMAIN),
        ("circle1.test", "A", AnswerKind.FAILED),
        ("a..test", "MX", AnswerKind.NXDOMAIN),
        ("x" * 64 + ".test", "MX", AnswerKind.NXDOMAIN),
    ],
)
async def test_kinds_of_answers(server: DnsServer, clock: ManualClock, name: str, kind: str, expected: AnswerKind) -> None:
    assert (await resolver(server, clock).ask(name, kind)).kind is expected


async def test_records(server: DnsServer, clock: ManualClock) -> None:
    r = resolver(server, clock)
    assert set((await r.ask("alias.test", "MX")).records) == {Mx(10, "mx1.a.test"), Mx(20, "mx2.a.test"), Mx(10, "mx3.a.test")}
    assert (await r.ask("null.test", "MX")).records == (Mx(0, ""),)
    assert (await r.ask("long.test", "TXT")).records == ("ab",)
    assert (await r.ask("implicit6.test", "AAAA")).records == ("2001:db8::1",)


@pytest.mark.parametrize(
    ("how", "kind", "is_ours"),
    [
        (How.SERVFAIL, AnswerKind.FAILED, False),
        (How.REFUSED, AnswerKind.FAILED, False),
        (How.TIMEOUT, AnswerKind.FAILED, True),
        (How.GARBAGE, AnswerKind.FAILED, True),
        (How.WRONG_ID, AnswerKind.FAILED, True),
        (How.TRUNCATED, AnswerKind.FOUND, False),
        (How.NXDOMAIN, AnswerKind.NXDOMAIN, False),
        ([How.TIMEOUT, How.ANSWER], AnswerKind.FOUND, False),
        ([How.SERVFAIL, How.ANSWER], AnswerKind.FOUND, False),
        ([How.GARBAGE, How.ANSWER], AnswerKind.FOUND, False),
    ],
)
async def test_servers_that_misbehave(server: DnsServer, clock: ManualClock, how: How | list[Behaviour | How], kind: AnswerKind, is_ours: bool) -> None:
    server.behaviours["a.test"] = how
    async with asyncio.timeout(30):
        answer = await resolver(server, clock).ask("a.test", "MX")
    assert answer.kind is kind
    assert answer.is_ours is is_ours


async def test_an_answer_that_nobody_asked_for_does_not_spoil_the_right_one(server: DnsServer, clock: ManualClock) -> None:
    """A stranger's datagram with a wrong id comes first; the right one is waited for."""
    server.behaviours["a.test"] = [How.WRONG_ID, How.ANSWER]
    assert (await resolver(server, clock).ask("a.test", "MX")).kind is AnswerKind.FOUND


async def test_the_second_server_is_asked(server: DnsServer, clock: ManualClock) -> None:
    async with DnsServer(ZONE, {"a.test": How.SERVFAIL}) as first:
        r = DnsResolver([(first.address, first.port), (server.address, server.port)], 1.0, clock)
        assert (await r.ask("a.test", "MX")).kind is AnswerKind.FOUND


async def test_what_was_said_is_remembered_as_long_as_it_may_be(server: DnsServer, clock: ManualClock) -> None:
    r = resolver(server, clock)
    for _ in range(3):
        await r.ask("a.test", "MX")
    assert server.asked("a.test", "MX") == 1
    clock.advance(61)  # the server's TTL is 60 s
    await r.ask("a.test", "MX")
    assert server.asked("a.test", "MX") == 2
    await asyncio.gather(*(r.ask("implicit.test", "A") for _ in range(50)))
    assert server.asked("implicit.test", "A") == 1
    server.behaviours["nothing.test"] = [How.SERVFAIL, How.SERVFAIL, How.ANSWER]
    assert (await r.ask("nothing.test", "TXT")).kind is AnswerKind.FAILED
    clock.advance(6)  # a failure is remembered for a moment only
    assert (await r.ask("nothing.test", "TXT")).kind is AnswerKind.FOUND


async def test_one_who_stops_waiting_does_not_stop_the_others(server: DnsServer, clock: ManualClock) -> None:
    server.behaviours["a.test"] = Behaviour(delay_s=0.1)
    r = resolver(server, clock)
    first, second = asyncio.create_task(r.ask("a.test", "MX")), asyncio.create_task(r.ask("a.test", "MX"))
    await asyncio.sleep(0.02)
    first.cancel()
    assert (await second).kind is AnswerKind.FOUND


async def test_a_bug_of_ours_is_a_failed_answer(server: DnsServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ask` never raises: whoever waits for it holds messages."""

    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("estafette.deliver.dns.read_response", broken)
    answer = await resolver(server, clock).ask("a.test", "MX")
    assert answer.kind is AnswerKind.FAILED and answer.is_ours


def test_the_best_of_very_many_hosts_are_kept() -> None:
    response = dns.message.make_response(dns.message.make_query("a.test", "MX"), recursion_available=True)
    hosts = [f"{500 - n} mx{n}.a.test." for n in range(500)]
    response.answer.append(dns.rrset.from_text_list("a.test.", 60, "IN", "MX", hosts))
    parsed = dns.message.from_wire(response.to_wire())
    assert isinstance(parsed, dns.message.QueryMessage)
    answer, _ = read_response(parsed, "MX")
    assert sorted(record.preference for record in answer.records if isinstance(record, Mx)) == list(range(1, 65))


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("a.test", Route("mx1.a.test,mx2.a.test,mx3.a.test", (("mx1.a.test", "mx3.a.test"), ("mx2.a.test",)))),
        ("alias.test", Route("mx1.a.test,mx2.a.test,mx3.a.test", (("mx1.a.test", "mx3.a.test"), ("mx2.a.test",)))),
        ("odd.test", Route("mx1.a.test", (("mx1.a.test",),))),
        ("implicit.test", Route("implicit.test", (("implicit.test",),), is_implicit=True)),
        ("implicit6.test", Route("implicit6.test", (("implicit6.test",),), is_implicit=True)),
        ("[192.0.2.9]", Route("[192.0.2.9]", (("192.0.2.9",),), is_literal=True)),
        ("[IPv6:2001:db8::9]", Route("[IPv6:2001:db8::9]", (("2001:db8::9",),), is_literal=True)),
        ("null.test", "null_mx"),
        ("nothing.test", "no_mx_host"),
        ("missing.test", "dns_nxdomain"),
        ("nowhere.test", "dns_nxdomain"),
        ("servfail.test", "dns_servfail"),
        ("silent.test", "dns_timeout"),
        ("addresses.servfail.test", "dns_servfail"),
    ],
)
async def test_routes(server: DnsServer, clock: ManualClock, domain: str, expected: Route | str) -> None:
    server.behaviours |= {"servfail.test": How.SERVFAIL, "silent.test": How.TIMEOUT}
    server.zone["addresses.servfail.test", "TXT"] = ['"x"']
    server.behaviours["addresses.servfail.test"] = [How.ANSWER, How.SERVFAIL]
    router = Router(resolver(server, clock), clock, port=25)
    assert router.known(domain) is None
    route = await router.route(domain)
    if isinstance(expected, str):
        assert isinstance(route, NoRoute) and route.fault == expected
        assert router.known(domain) is None
    else:
        assert route == (expected if len(expected.groups) == 1 else Route(expected.site, route.groups))  # type: ignore[union-attr]
        assert isinstance(route, Route) and {frozenset(g) for g in route.groups} == {frozenset(g) for g in expected.groups}
        assert router.known(domain) == route


async def test_a_route_is_forgotten_with_its_records(server: DnsServer, clock: ManualClock) -> None:
    router = Router(resolver(server, clock), clock, port=25)
    await router.route("a.test")
    clock.advance(61)
    assert router.known("a.test") is None


@pytest.mark.parametrize("answer", [Answer(AnswerKind.FAILED, is_ours=True), Answer(AnswerKind.FAILED)])
def test_whose_fault_a_failure_is(answer: Answer) -> None:
    assert answer.fault == ("dns_timeout" if answer.is_ours else "dns_servfail")
