"""Hosts in their order and addresses that may be connected to."""

import pytest

from estafette.deliver.answers import Answer, AnswerKind, Mx
from estafette.deliver.route import MAX_ADDRESSES, MAX_HOSTS, NoRoute, Route, in_order, literal_route, route_by_address, route_by_mx, usable_addresses


def mx(*records: tuple[int, str]) -> Answer:
    return Answer(AnswerKind.FOUND, tuple(Mx(*r) for r in records), 60.0)


@pytest.mark.parametrize(
    ("answer", "groups"),
    [
        (mx((20, "b"), (10, "a")), (("a",), ("b",))),
        (mx((10, "a"), (10, "b"), (5, "c")), (("c",), ("a", "b"))),
        (mx((10, "a"), (20, "a"), (20, "b")), (("a",), ("b",))),  # a host named twice is tried once, at its best
        (mx((0, ""), (10, "a")), (("a",),)),  # the null MX counts only alone (RFC 7505 3)
    ],
)
def test_groups_of_hosts(answer: Answer, groups: tuple[tuple[str, ...], ...]) -> None:
    route = route_by_mx("x.test", answer)
    assert isinstance(route, Route) and route.groups == groups and not route.is_implicit
    assert route.site == ",".join(sorted(route.hosts))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (mx((0, "")), "null_mx"),
        (Answer(AnswerKind.NXDOMAIN), "dns_nxdomain"),
        (Answer(AnswerKind.FAILED), "dns_servfail"),
        (Answer(AnswerKind.FAILED, is_ours=True), "dns_timeout"),
    ],
)
def test_no_route(answer: Answer, fault: str) -> None:
    route = route_by_mx("x.test", answer)
    assert isinstance(route, NoRoute) and route.fault == fault and "x.test" in route.text


def test_without_mx_the_address_decides() -> None:
    assert route_by_mx("x.test", Answer(AnswerKind.NODATA)) is None
    found, nodata, failed = Answer(AnswerKind.FOUND, ("192.0.2.1",)), Answer(AnswerKind.NODATA), Answer(AnswerKind.FAILED)
    for answers in ([found, nodata], [failed, found]):
        route = route_by_address("x.test", answers)
        assert isinstance(route, Route) and route.hosts == ("x.test",) and route.is_implicit
    for answers, fault in (([failed, nodata], "dns_servfail"), ([nodata, nodata], "no_mx_host"), ([], "no_mx_host")):
        route = route_by_address("x.test", answers)
        assert isinstance(route, NoRoute) and route.fault == fault


def test_better_hosts_first_equal_ones_in_any_order() -> None:
    route = Route("s", (("a", "b", "c"), ("d",)))
    chances = iter([0.9, 0.1, 0.5, 0.0] * 2)
    assert in_order(route, lambda: next(chances)) == ["b", "c", "a", "d"]
    assert len(set(route.hosts)) == 4


def test_hosts_are_bounded() -> None:
    route = route_by_mx("x.test", mx(*((n, f"h{n:03}") for n in range(100, 0, -1))))
    assert isinstance(route, Route) and route.hosts == tuple(f"h{n:03}" for n in range(1, MAX_HOSTS + 1))


@pytest.mark.parametrize(
    ("addresses", "port", "flags", "expected"),
    [
        (["192.0.2.1", "2001:db8::1", "192.0.2.2"], 25, (True, True), ["2001:db8::1", "192.0.2.1", "192.0.2.2"]),
        (["2001:db8::1", "2001:db8::2", "192.0.2.1"], 25, (True, True), ["2001:db8::1", "192.0.2.1", "2001:db8::2"]),
        (["192.0.2.1", "2001:db8::1"], 25, (True, False), ["192.0.2.1"]),
        (["192.0.2.1", "2001:db8::1"], 25, (False, True), ["2001:db8::1"]),
        (["127.0.0.1", "::1"], 25, (True, True), []),  # this machine: a loop
        (["127.0.0.1"], 2525, (True, True), ["127.0.0.1"]),
        (["0.0.0.0", "::", "224.0.0.1", "ff02::1"], 2525, (True, True), []),
        ([f"192.0.2.{n}" for n in range(1, 100)], 25, (True, True), [f"192.0.2.{n}" for n in range(1, MAX_ADDRESSES + 1)]),
    ],
)
def test_addresses(addresses: list[str], port: int, flags: tuple[bool, bool], expected: list[str]) -> None:
    assert usable_addresses(addresses, port, ipv4=flags[0], ipv6=flags[1]) == expected


def test_address_literals() -> None:
    assert literal_route("x.test") is None
    route = literal_route("[IPv6:2001:db8::1]")
    assert route is not None and route.hosts == ("2001:db8::1",) and route.is_literal
