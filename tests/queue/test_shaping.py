"""Which limits hold, where each comes from, and what they let through."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.queue.paths import site_name
from estafette.queue.rate import NO_LIMIT
from estafette.queue.shaping import (
    DEFAULT,
    FIELDS,
    PROVIDER,
    SITE,
    Caps,
    Change,
    Layer,
    NamedLimit,
    Provider,
    Table,
    counter_of,
    home_of,
    hosts_of,
    limits_for,
    part_of,
    provider_of,
    throughput,
)
from estafette.queue.shaping_file import shipped

SOURCE = "192.0.2.1"
HOSTS = ["mx1.big.example", "mx2.big.example"]
LEVELS = [(DEFAULT, "", ""), (DEFAULT, "", SOURCE), (PROVIDER, "big", ""), (PROVIDER, "big", SOURCE), (SITE, "big.example", ""), (SITE, "big.example", SOURCE)]
ORDER = [(level, is_operators) for level in LEVELS for is_operators in (False, True)]
"""Weakest first."""


def table_with(*layers: Layer, named: tuple[NamedLimit, ...] = ()) -> Table:
    return Table((Provider("big", ("big.example",)), Provider("small", ("small.example", "tiny.big.example"))), layers, named)


def layer(place: tuple[tuple[str, str, str], bool], value: float | None, field: str = "connections") -> Layer:
    (kind, name, source), is_operators = place
    return Layer(kind, name, source, (Change(field, value, f"{kind} {source} {is_operators}"),), is_operators)


@given(st.dictionaries(st.sampled_from(ORDER), st.integers(1, 1000), min_size=1), st.randoms())
def test_the_most_specific_layer_wins_and_the_operators_file_within_one_kind(given_: dict[tuple[tuple[str, str, str], bool], int], random: object) -> None:
    layers = [layer(place, value) for place, value in given_.items()]
    random.shuffle(layers)  # type: ignore[attr-defined]
    effective = limits_for(HOSTS, "x.example", table_with(*layers), SOURCE)
    strongest = max(given_, key=ORDER.index)
    assert effective.limits.connections == given_[strongest]
    origin = next(o for o in effective.origins if o.field == "connections")
    assert origin.where == f"{strongest[0][0]} {strongest[0][2]} {strongest[1]}"
    assert len(origin.replaced) == len(given_) - 1


@given(st.dictionaries(st.sampled_from(ORDER), st.integers(1, 1000)), st.integers(1, 1000))
def test_the_configuration_only_lowers(given_: dict[tuple[tuple[str, str, str], bool], int], cap: int) -> None:
    table = table_with(*(layer(place, value) for place, value in given_.items()))
    free = limits_for(HOSTS, "x.example", table, SOURCE).limits
    capped = limits_for(HOSTS, "x.example", table, SOURCE, Caps(connections=cap)).limits
    assert capped.connections == min(free.connections, cap)
    assert capped.messages_per_connection == free.messages_per_connection


def test_layers_of_other_sources_providers_and_sites_do_not_count() -> None:
    table = table_with(
        layer(((DEFAULT, "", ""), False), 7),
        layer(((PROVIDER, "small", ""), True), 1),
        layer(((SITE, "other.example", ""), True), 1),
        layer(((SITE, "mx1.big.example", ""), True), 1),  # only one of the two hosts
        layer(((DEFAULT, "", "192.0.2.77"), True), 1),
    )
    assert limits_for(HOSTS, "x.example", table, SOURCE).limits.connections == 7


def test_a_site_can_be_named_as_a_whole_and_the_longer_name_wins() -> None:
    table = table_with(layer(((SITE, "mx1.big.example,mx2.big.example", ""), True), 3), layer(((SITE, "big.example", ""), True), 2))
    assert limits_for(HOSTS, "x.example", table).limits.connections == 3


def test_default_as_a_value_goes_back_to_the_default() -> None:
    table = table_with(layer(((DEFAULT, "", ""), False), 9), layer(((PROVIDER, "big", ""), False), 2), layer(((PROVIDER, "big", ""), True), None))
    effective = limits_for(HOSTS, "x.example", table)
    assert effective.limits.connections == 9
    assert effective.origins[0].layer == "provider big: as the default"


@pytest.mark.parametrize(
    ("hosts", "provider"),
    [
        (["mx.big.example"], "big"),
        (["big.example"], "big"),
        (["notbig.example"], ""),
        (["mx.big.example", "mx.elsewhere.example"], ""),
        (["a.tiny.big.example"], "small"),
        (["a.tiny.big.example", "mx.big.example"], "big"),  # only one provider has both
        (["192.0.2.1"], ""),
    ],
)
def test_all_hosts_must_be_the_providers_and_the_longest_name_decides(hosts: list[str], provider: str) -> None:
    assert provider_of(hosts, table_with()) == provider


@pytest.mark.parametrize(
    ("hosts", "provider"),
    [
        (["gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"], "google"),
        (["aspmx.l.google.com", "aspmx2.googlemail.com"], "google"),
        (["hotmail-com.olc.protection.outlook.com"], "microsoft"),
        (["contoso-com.mail.protection.outlook.com"], "microsoft365"),
        (["contoso-com.x-v1.mx.microsoft"], "microsoft365"),
        (["mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net"], "yahoo"),
        (["mx-aol.mail.gm0.yahoodns.net"], "yahoo"),
        (["mx01.mail.icloud.com", "mx02.mail.icloud.com"], "icloud"),
        (["smtp-in.orange.fr"], "orange"),
        (["mx1.free.fr", "mx2.free.fr"], "free"),
        (["smtp-in.sfr.fr"], "sfr"),
        (["smtpz4.laposte.net"], "laposte"),
        (["mx0.mail.ovh.net", "mx1.mail.ovh.net"], "ovh"),
        (["mx00.ionos.fr", "mx01.ionos.fr"], "ionos"),
        (["mx00.gmx.net", "mx01.gmx.net"], "gmx"),
        (["mx-ha02.web.de", "mx-ha03.web.de"], "gmx"),
        (["mxs.mail.ru"], "mailru"),
        (["mx.yandex.ru"], "yandex"),
        (["mx1.qq.com", "mx2.qq.com", "mx3.qq.com"], "qq"),
        (["mxbiz1.qq.com"], "qq"),
        (["mx1.naver.com"], "naver"),
        (["mx1a1.comcast.net", "mx2a1.comcast.net"], "comcast"),
        (["mail.protonmail.ch", "mailsec.protonmail.ch"], "proton"),
        (["mx.zoho.eu", "mx2.zoho.eu"], "zoho"),
        (["eu-smtp-inbound-1.mimecast.com"], "mimecast"),
        (["mx0a-00123.pphosted.com"], "proofpoint"),
        (["d12345.a.ess.barracudanetworks.com"], "barracuda"),
        (["vps123.vps.ovh.net"], ""),  # a customer's machine, not the mail service
        (["lfbn-1-2.w90-1.abo.wanadoo.fr"], ""),
        (["c-1-2-3-4.hsd1.ca.comcast.net"], ""),
        (["mx.demo.invalid"], ""),
    ],
)
def test_the_shipped_table_knows_who_runs_a_site(hosts: list[str], provider: str) -> None:
    assert provider_of(hosts, shipped()) == provider


def test_named_limits_count_where_all_their_conditions_hold() -> None:
    named = (
        NamedLimit("provider big", 8, provider="big", is_per_source=True),
        NamedLimit("provider small", 8, provider="small"),
        NamedLimit("to us", messages_per_s=1.0, domains=("us.example",)),
        NamedLimit("cold", messages_per_s=0.1, sources=("192.0.2.9",)),
        NamedLimit("hosts", 3, mx=("mx1.big.example",)),
    )
    table = table_with(named=named)

    def names(domain: str, source: str) -> list[str]:
        return [n.name for n in limits_for(HOSTS, domain, table, source).named]

    assert names("x.example", SOURCE) == ["provider big"]
    assert names("mail.us.example", SOURCE) == ["provider big", "to us"]
    assert names("x.example", "192.0.2.9") == ["provider big", "cold"]
    assert counter_of(named[0], SOURCE) != counter_of(named[0], "192.0.2.9")
    assert counter_of(named[2], SOURCE) == counter_of(named[2], "192.0.2.9")


def test_sites_that_share_a_counter_have_one_home() -> None:
    table = table_with(named=(NamedLimit("provider big", 8, provider="big"),))
    assert home_of("mx.a.big.example", table) == home_of("mx.b.big.example,mx.c.big.example", table) == "provider big"
    for lone in ("mx.lone.example", "mx.small.example", "mx.a.big.example,mx.lone.example", "[192.0.2.1]"):
        assert home_of(lone, table) == lone


@given(st.lists(st.from_regex(r"mx[0-9]{1,3}\.[a-z]{3,20}\.example", fullmatch=True), min_size=1, max_size=25))
def test_the_hosts_of_a_site_are_in_its_name(hosts: list[str]) -> None:
    site = site_name(hosts)
    assert set(hosts_of(site)) <= set(hosts)
    assert "#" in site or set(hosts_of(site)) == set(hosts)


@given(st.integers(1, 500), st.floats(0.001, 1000), st.integers(1, 64))
def test_the_parts_of_the_workers_never_come_to_more_than_the_whole(connections: int, rate: float, workers: int) -> None:
    part = part_of(NamedLimit("x", connections, rate), workers)
    assert part.messages_per_s * workers <= rate * 1.000001
    assert part.connections * workers <= max(connections, workers)  # everybody may have one
    assert part_of(NamedLimit("x"), workers).connections == math.inf


@pytest.mark.parametrize(
    ("changes", "first", "rate"),
    [
        ({}, "connections", 20 * 100 / (1 + 100 * 0.5)),
        ({"messages_per_s": 5.0}, "message_rate", 5.0),
        ({"connections_per_s": 0.1}, "connection_rate × messages_per_connection", 10.0),
        ({"messages_per_connection": 1}, "connections", 20 / 1.5),
    ],
)
def test_the_tightest_bound_comes_first(changes: dict[str, float], first: str, rate: float) -> None:
    table = table_with(Layer(DEFAULT, changes=tuple(Change(k, v, "x") for k, v in changes.items())))
    bounds = throughput(limits_for(HOSTS, "x", table), connect_s=1.0, message_s=0.5)
    assert (bounds[0].what, bounds[0].messages_per_s) == (first, pytest.approx(rate))
    assert all(bound.messages_per_s != NO_LIMIT for bound in bounds)


def test_the_window_and_shared_limits_are_bounds_too() -> None:
    effective = limits_for(HOSTS, "x", table_with(named=(NamedLimit("provider big", 2, provider="big"),)))
    assert [b.what for b in throughput(effective, 0.0, 1.0, window=1)][:2] == ["window", "provider big: connections"]


def test_every_value_of_the_shipped_table_has_an_origin() -> None:
    for provider in shipped().providers:
        effective = limits_for([provider.mx[0]], "x.example", shipped())
        assert [o.field for o in effective.origins] == list(FIELDS)
        assert effective.provider == provider.name
        assert {o.where for o in effective.origins} == {"shipped"}
        assert 1 <= effective.limits.connections <= 20
