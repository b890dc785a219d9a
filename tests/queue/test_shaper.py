"""The shaper of a worker: every limit at once, over a life of connections, messages, replies and reloads."""

import math
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from estafette.mail.reply_rules import classify
from estafette.queue.pools import ASIDE_S, BLAMED_S, default_pool
from estafette.queue.reactions import Heard
from estafette.queue.shaper import FULL, Shaper, Wait, Way
from estafette.queue.shaping import Caps, Table, limits_for
from estafette.queue.shaping_file import read, shipped

A, B = "192.0.2.1", "192.0.2.9"
SITE = ("mx.big.example", ("mx.big.example",))
PROVIDER = '[provider.big]\nmx = ["big.example"]\n'


def shaper_with(text: str = "", sources: tuple[str, ...] = (A, B), caps: Caps = Caps()) -> Shaper:
    return Shaper(read(PROVIDER + text, "f.toml", shipped()), default_pool(sources), caps)


def heard(way: Way, at_s: float, code: int, text: str, account: str = "1", campaign: str = "") -> Heard:
    verdict = classify(code, "", text, "mail")
    return Heard(at_s, way.source, way.site, way.effective.provider, way.hosts[0], account, campaign, code, "", text, verdict.category, "mail")


def refuse(shaper: Shaper, way: Way, at_s: float, code: int, text: str, account: str = "1", began_s: float | None = None) -> None:
    shaper.failed(way, classify(code, "", text, "mail"), heard(way, at_s, code, text, account), at_s if began_s is None else began_s)


def test_connections_are_counted_by_way_and_by_named_limit() -> None:
    shaper = shaper_with("connections = 4\ntotal_connections = 5\n")
    one, other = shaper.way(*SITE, A), shaper.way("mx2.big.example", ["mx2.big.example"], A)
    assert [shaper.open(one, 0.0) for _ in range(5)] == [0, 0, 0, 0, FULL]
    assert [shaper.open(other, 0.0) for _ in range(2)] == [0, FULL], "five over all sites of the provider"
    assert shaper.open(shaper.way(*SITE, B), 0.0) == 0, "each source for itself"
    shaper.closed(one)
    assert shaper.open(other, 0.0) == 0
    assert shaper.open(one, 0.0) == FULL


def test_new_connections_keep_their_rate() -> None:
    shaper = shaper_with('connections = 2\nconnection_rate = "60/min"\n')
    way = shaper.way(*SITE, A)
    assert [shaper.open(way, 0.0) for _ in range(2)] == [0, 0]
    shaper.closed(way)
    wait_s = shaper.open(way, 0.0)
    assert wait_s == pytest.approx(1.0)
    assert shaper.open(way, wait_s + 1e-6) == 0


def test_messages_keep_the_rate_of_the_way_and_of_what_it_shares() -> None:
    shaper = shaper_with('message_rate = "10/s"\ntotal_message_rate = "2/s"\n')
    one, other = shaper.way(*SITE, A), shaper.way("mx2.big.example", ["mx2.big.example"], A)
    assert shaper.send(one, "x.example", 0.0) is None
    assert shaper.send(other, "x.example", 0.0) == Wait(0.5, False)
    assert shaper.send(other, "x.example", 0.6) is None


def test_a_limit_on_a_domain_holds_only_its_messages() -> None:
    shaper = shaper_with('[limit.one]\ndomains = ["slow.example"]\nmessage_rate = "1/min"\n')
    way = shaper.way(*SITE, A)
    assert shaper.send(way, "slow.example", 0.0) is None
    assert shaper.send(way, "sub.slow.example", 0.0) == Wait(60.0, True)
    assert shaper.send(way, "fast.example", 0.0) is None
    assert shaper.send(shaper.way("else.example", ["else.example"], B), "slow.example", 0.0) == Wait(60.0, True), "wherever it goes"


def test_a_suspended_account_waits_alone() -> None:
    shaper = shaper_with('[[rule]]\nname = "a"\ntext = ["your customer"]\nsuspend = "account"\nfor = "10m"\n')
    way = shaper.way(*SITE, A)
    refuse(shaper, way, 0.0, 451, "your customer again", account="7")
    assert shaper.send(way, "x.example", 60.0, account="7") == Wait(540.0, True)
    assert shaper.send(way, "x.example", 60.0, account="8") is None
    assert shaper.open(way, 60.0) == 0


def test_a_suspended_path_waits_and_its_mail_finds_another_source() -> None:
    shaper = shaper_with('[[rule]]\nname = "a"\ntext = ["not you again"]\nsuspend = "path"\nfor = "10m"\n')
    key = next(str(n) for n in range(100) if shaper.source_for(*SITE, str(n), 0.0) == A)
    way = shaper.way(*SITE, A)
    refuse(shaper, way, 0.0, 451, "not you again")
    assert shaper.open(way, 60.0) == 540.0
    assert shaper.send(way, "x.example", 60.0) == Wait(540.0, False)
    assert shaper.source_for(*SITE, key, 60.0) == B
    assert shaper.source_for("else.example", ["else.example"], key, 60.0) == A
    assert shaper.source_for(*SITE, key, 601.0) == A
    assert way.flow.size == 1, "and it begins with one connection"


def test_a_rule_lowers_and_gives_back_gradually() -> None:
    shaper = shaper_with('[[rule]]\nname = "a"\ntext = ["less please"]\nconnections = 1\nmessage_rate = "1/min"\nfor = "10m"\n')
    way = shaper.way(*SITE, A)
    refuse(shaper, way, 0.0, 451, "less please")
    assert [shaper.open(way, 1.0) for _ in range(2)] == [0, FULL]
    assert shaper.send(way, "x.example", 1.0) is None
    assert shaper.send(way, "x.example", 2.0) == Wait(59.0, False)
    assert shaper.open(way, 601.0) == FULL, "when it is over the window is still one"
    for n in range(5):
        shaper.answered(way, 602.0 + 20 * n)
    assert way.flow.size > 1


def test_a_source_that_is_blamed_rests_at_that_site_only() -> None:
    shaper = shaper_with()
    way = shaper.way(*SITE, A)
    refuse(shaper, way, 0.0, 550, "5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org")
    assert all(shaper.source_for(*SITE, str(n), 10.0) == B for n in range(20))
    assert {shaper.source_for("else.example", ["else.example"], str(n), 10.0) for n in range(20)} == {A, B}
    assert list(shaper.set_aside(10.0)) == [(A, SITE[0])]
    assert {shaper.source_for(*SITE, str(n), BLAMED_S + 1) for n in range(20)} == {A, B}


def test_a_source_that_fails_is_set_aside_everywhere_and_forgiven_after_a_mail() -> None:
    shaper = shaper_with()
    assert shaper.cannot_leave(A, 0.0, "cannot bind").failures == 1
    assert all(shaper.source_for("else.example", ["else.example"], str(n), 1.0) == B for n in range(20))
    shaper.cannot_leave(B, 1.0, "cannot bind")
    assert shaper.source_for(*SITE, "x", 2.0) is None
    assert shaper.source_for(*SITE, "x", ASIDE_S[0] + 2) is not None
    assert shaper.cannot_leave(A, 100.0, "cannot bind").failures == 2
    shaper.answered(shaper.way(*SITE, A), 1000.0)
    assert shaper.cannot_leave(A, 1001.0, "cannot bind").failures == 1


def test_a_refused_source_can_be_left_out() -> None:
    shaper = shaper_with()
    assert {shaper.source_for(*SITE, str(n), 0.0, refused=[A]) for n in range(20)} == {B}
    assert shaper.source_for(*SITE, "x", 0.0, refused=[A, B]) is None


def test_a_source_that_warms_up_stops_at_its_cap_and_warm_ones_go_on() -> None:
    shaper = shaper_with(f'[warmup."{B}"]\nstarted = 2026-11-24\nfirst_day = 3\n')
    keys = [str(n) for n in range(200) if shaper_with().source_for(*SITE, str(n), 0.0) == B]
    sources = []
    for key in keys[:5]:
        source = shaper.source_for(*SITE, key, 0.0)
        assert source is not None
        assert shaper.send(shaper.way(*SITE, source), "x.example", 0.0) is None
        sources.append(source)
    assert sources == [B, B, B, A, A]
    assert shaper.source_for("else.example", ["else.example"], keys[0], 0.0) == B, "another provider has a cap of its own"
    shaper.warm_up(B, "big", math.inf)
    assert shaper.source_for(*SITE, keys[0], 0.0) == B


def test_a_dead_site_is_probed_and_a_busy_one_is_not_dead() -> None:
    shaper = shaper_with()
    way = shaper.way(*SITE, A)
    shaper.unreachable(way, 3, 1.0, 0.5, [30.0])
    assert (way.flow.size, way.flow.failures) == (3, 0)
    shaper.unreachable(way, 0, 2.0, 1.5, [30.0])
    shaper.unreachable(way, 0, 3.0, 2.5, [30.0])
    assert way.flow.is_dead and shaper.is_paused(way, 4.0) and shaper.open(way, 4.0) == 29.0
    assert not shaper.forget(SITE[0], 100.0), "it is remembered that it is dead"
    assert [shaper.open(way, 33.0) for _ in range(2)] == [0, FULL], "one probe"
    shaper.answered(way, 34.0)
    assert not way.flow.failures


def test_forgetting_gives_back_what_was_counted() -> None:
    shaper = shaper_with("total_connections = 1\n")
    assert shaper.open(shaper.way(*SITE, A), 0.0) == 0
    assert not shaper.forget(SITE[0], 0.0)
    assert shaper.forget(SITE[0], 0.0, is_lost=True)
    assert shaper.ways() == []
    assert shaper.open(shaper.way(*SITE, A), 0.0) == 0


def test_a_reload_holds_at_once_and_keeps_what_is_open_counted() -> None:
    shaper = shaper_with()
    way = shaper.way(*SITE, A)
    assert [shaper.open(way, 0.0) for _ in range(3)] == [0, 0, 0]
    shaper.reload(read(PROVIDER + "connections = 2\ntotal_connections = 4\n", "f.toml", shipped()), 1.0)
    assert way.open == 3 and shaper.open(way, 1.0) == FULL
    other = shaper.way("mx2.big.example", ["mx2.big.example"], A)
    assert [shaper.open(other, 1.0) for _ in range(2)] == [0, FULL], "three and one are four"
    for _ in range(3):
        shaper.closed(way)
    assert shaper.open(way, 2.0) == 0


def test_homes_follow_the_table() -> None:
    shaper = shaper_with()
    assert shaper.home("mx1.big.example") == "mx1.big.example"
    shaper.reload(read(PROVIDER + "total_connections = 4\n", "f.toml", shipped()), 1.0)
    assert shaper.home("mx1.big.example") == shaper.home("mx2.big.example") == "provider big"


def test_the_configuration_caps() -> None:
    shaper = shaper_with("connections = 4\n", caps=Caps(1, 7))
    way = shaper.way(*SITE, A)
    assert [shaper.open(way, 0.0), shaper.open(way, 0.0)] == [0, FULL]
    assert shaper.messages_per_connection(way) == 7


TABLES = [
    "", "connections = 3\n", 'total_connections = 2\nmessage_rate = "5/s"\nburst = 2\n',
    'total_message_rate = "3/s"\n[[rule]]\nname = "a"\ntext = ["slower"]\nconnections = 1\nfor = "1m"\n',
    '[limit.all]\nmx = ["big.example", "small.example"]\nconnections = 4\n[[rule]]\nname = "a"\ntext = ["slower"]\nsuspend = "path"\nfor = "1m"\n',
]  # fmt: skip
PLACES = [("mx1.big.example", A), ("mx2.big.example", A), ("mx1.big.example", B), ("mx.small.example", A)]


class Life(RuleBasedStateMachine):
    """A worker that does whatever it likes; its own books are kept beside the shaper's."""

    @initialize(number=st.integers(0, len(TABLES) - 1))
    def begin(self, number: int) -> None:
        self.now = 100.0
        self.table: Table = read(PROVIDER + TABLES[number], "f.toml", shipped())
        self.shaper = Shaper(self.table, default_pool([A, B]))
        self.open: dict[tuple[str, str], int] = defaultdict(int)
        self.sent: dict[tuple[str, str], list[float]] = defaultdict(list)

    def way(self, place: tuple[str, str]) -> Way:
        return self.shaper.way(place[0], [place[0]], place[1])

    @rule(later=st.floats(0, 100))
    def time_passes(self, later: float) -> None:
        self.now += later

    @rule(place=st.sampled_from(PLACES))
    def connect(self, place: tuple[str, str]) -> None:
        way = self.way(place)
        effective = limits_for([place[0]], "", self.table, place[1])
        wait_s = self.shaper.open(way, self.now)
        assert wait_s >= 0
        if wait_s == 0:
            self.open[place] += 1
            assert self.open[place] <= min(effective.limits.connections, way.flow.size)
            for limit in effective.named:
                same = [p for p in self.open if limit in limits_for([p[0]], "", self.table, p[1]).named and (p[1] == place[1] or not limit.is_per_source)]
                assert sum(self.open[p] for p in same) <= limit.connections
        elif wait_s != FULL:
            assert self.shaper.is_paused(way, self.now) or effective.limits.connections_per_s != math.inf

    @precondition(lambda self: any(self.open.values()))
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from([p for p, count in self.open.items() if count]))
        self.open[place] -= 1
        self.shaper.closed(self.way(place))

    @rule(place=st.sampled_from(PLACES))
    def send(self, place: tuple[str, str]) -> None:
        way = self.way(place)
        wait = self.shaper.send(way, "x.example", self.now)
        if wait is None:
            assert not self.shaper.is_paused(way, self.now)
            self.sent[place].append(self.now)
        else:
            assert wait.seconds > 0 and not wait.is_own

    @rule(place=st.sampled_from(PLACES))
    def good_answer(self, place: tuple[str, str]) -> None:
        self.shaper.answered(self.way(place), self.now)

    @rule(place=st.sampled_from(PLACES), ago=st.floats(0, 10), code=st.sampled_from([421, 451, 550]),
          text=st.sampled_from(["slower", "user unknown", "too many connections"]))  # fmt: skip
    def bad_answer(self, place: tuple[str, str], ago: float, code: int, text: str) -> None:
        refuse(self.shaper, self.way(place), self.now, code, text, began_s=self.now - ago)

    @rule(place=st.sampled_from(PLACES), working=st.integers(0, 3))
    def nobody_there(self, place: tuple[str, str], working: int) -> None:
        self.shaper.unreachable(self.way(place), working, self.now, self.now, [5.0, 60.0])

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "shaper"):
            assert {(way.site, way.source): way.open for way in self.shaper.ways() if way.open} == {p: n for p, n in self.open.items() if n}

    @invariant()
    def rates_are_kept(self) -> None:
        if not hasattr(self, "shaper"):
            return
        for place, times in self.sent.items():
            limits = limits_for([place[0]], "", self.table, place[1]).limits
            for i, start in enumerate(times[-8:]):
                within = len(times[-8:]) - i
                assert within <= limits.burst + (times[-1] - start) * limits.messages_per_s + 1e-4 if limits.messages_per_s != math.inf else True


TestLife = Life.TestCase


@given(st.lists(st.sampled_from(range(len(TABLES))), min_size=1, max_size=6), st.lists(st.sampled_from(PLACES), max_size=20))
def test_any_number_of_reloads_keeps_the_books(numbers: list[int], places: list[tuple[str, str]]) -> None:
    shaper = shaper_with()
    opened: dict[tuple[str, str], int] = defaultdict(int)
    for number in numbers:
        for place in places:
            if shaper.open(shaper.way(place[0], [place[0]], place[1]), 1.0) == 0:
                opened[place] += 1
        shaper.reload(read(PROVIDER + TABLES[number], "f.toml", shipped()), 1.0)
        for place, count in opened.items():
            assert shaper.way(place[0], [place[0]], place[1]).open == count
    for place, count in opened.items():
        for _ in range(count):
            shaper.closed(shaper.way(place[0], [place[0]], place[1]))
    assert all(counter.open == 0 for counter in shaper._counters.values())


def test_a_verdict_that_is_about_the_recipient_slows_nothing() -> None:
    shaper = shaper_with()
    way = shaper.way(*SITE, A)
    before = way.flow
    refuse(shaper, way, 5.0, 550, "5.1.1 user unknown")
    assert (way.flow.size, way.flow.rate) == (before.size, before.rate)
    assert replace(way.flow, answers=0, counted=0, counted_from_s=before.counted_from_s) == before, "it is an answer like any other"
