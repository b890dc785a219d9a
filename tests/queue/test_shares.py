"""A site in parts: whoever holds which, together they never do more than one worker with the whole would."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from estafette.mail.reply_rules import classify
from estafette.model import WHOLE
from estafette.queue.pools import default_pool
from estafette.queue.rate import NO_LIMIT
from estafette.queue.reactions import Heard
from estafette.queue.shaper import FULL, Shaper, Wait, Way
from estafette.queue.shaping import Limits
from estafette.queue.shaping_file import read, shipped
from estafette.queue.shares import ALL, Pressure, Share, Word, limits_of, most_holders, share_for, words_of

A = "192.0.2.1"
SITE = ("mx.big.example", ["mx.big.example"])
INTERVALS = st.lists(st.integers(0, WHOLE), min_size=2, max_size=8, unique=True).map(sorted)


def shaper(text: str) -> Shaper:
    return Shaper(read(text, "f.toml", shipped()), default_pool([A]))


@given(INTERVALS, st.integers(1, 500), st.integers(1, 100), st.floats(0.1, 1e5))
def test_parts_that_do_not_overlap_sum_up_to_no_more_than_the_whole(cuts: list[int], connections: int, burst: int, rate: float) -> None:
    limits = Limits(connections, rate, 100, rate, burst)
    parts = [limits_of(limits, Share(low, high)) for low, high in pairwise(cuts)]
    assert sum(part.connections for part in parts) <= connections
    assert sum(part.messages_per_s for part in parts if part.connections) <= rate * (1 + 1e-9)
    assert sum(part.burst for part in parts if part.connections) <= burst
    assert sum(part.connections_per_s for part in parts) <= rate * (1 + 1e-9)


@given(st.integers(1, 64), st.integers(1, 300), st.integers(1, 300), st.sampled_from([NO_LIMIT, 30.0, 100.0, 2000.0]))
def test_who_shares_a_site_has_something_of_everything_and_nothing_is_left_over(workers: int, connections: int, burst: int, rate: float) -> None:
    limits = Limits(connections, NO_LIMIT, 100, rate, burst)
    holders = most_holders([limits], workers)
    parts = [limits_of(limits, share_for(rank, holders)) for rank in range(holders)]
    assert 1 <= holders <= workers
    assert sum(part.connections for part in parts) == connections and min(part.connections for part in parts) >= min(2, connections)
    if rate != NO_LIMIT:
        assert sum(part.burst for part in parts) == burst
        assert sum(part.messages_per_s for part in parts) == pytest.approx(rate)


def test_mail_that_must_go_exactly_spaced_is_one_workers() -> None:
    assert most_holders([Limits(20, NO_LIMIT, 100, 500.0, 1)], 8) == 1
    assert most_holders([Limits(20, NO_LIMIT, 100, NO_LIMIT, 1), Limits(4, NO_LIMIT, 100, NO_LIMIT, 1)], 8) == 2
    assert most_holders([Limits(1, NO_LIMIT, 100, NO_LIMIT, 1)], 8) == 1


STEPS = st.lists(st.tuples(st.sampled_from(["a", "b", "split", "merge"]), st.integers(1, 400)), min_size=5, max_size=120)


@given(STEPS)
@example([("a", 1), ("split", 400), ("b", 1), ("a", 400), ("b", 1), ("merge", 1), ("a", 1)])
@example([("a", 400), ("split", 1), ("b", 1), ("a", 1)])
def test_over_any_time_two_holders_send_and_connect_no_more_than_one_might(steps: list[tuple[str, int]]) -> None:
    """Two shapers hand parts to and fro in the way `deliver/leasing.py` does: who gives withdraws first, who takes gets it afterwards."""
    text = '[default]\nconnections = 6\nmessage_rate = "100/s"\nburst = 8\n'
    both = {"a": shaper(text), "b": shaper(text)}
    shares: dict[str, Share | None] = {"a": ALL, "b": None}
    now, sent = 0.0, []
    ways: dict[str, list[Way]] = {"a": [], "b": []}
    for what, pause_ms in steps:
        now += pause_ms / 1000
        if what == "split" and shares["b"] is None:
            shares["a"], shares["b"] = share_for(0, 2), share_for(1, 2)
            both["a"].share(SITE[0], shares["a"], now)
            while ways["a"] and not both["a"].is_within(SITE[0]):
                both["a"].closed(ways["a"].pop())
            both["b"].share(SITE[0], shares["b"], now)
        elif what == "merge" and shares["b"] is not None:
            for way in ways["b"]:
                both["b"].closed(way)
            ways["b"].clear()
            both["b"].forget(SITE[0], now, is_lost=True)
            shares["a"], shares["b"] = ALL, None
            both["a"].share(SITE[0], ALL, now)
        elif what in both and shares[what] is not None:
            way = both[what].way(*SITE, A, now)
            while both[what].open(way, now) == 0:
                ways[what].append(way)
            while both[what].send(way, "x.example", now) is None:
                sent.append(now)
                both[what].answered(way, now)
        assert len(ways["a"]) + len(ways["b"]) <= 6
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            assert last - first + 1 <= 8 + (sent[last] - sent[first]) * 100 + 1e-6


def test_a_larger_part_is_used_soon_unless_a_server_asked_us_to_slow_down() -> None:
    one = shaper("[default]\nconnections = 8\n")
    way = one.way(*SITE, A)
    one.share(SITE[0], share_for(0, 2), 0.0)
    for _ in range(20):
        if one.open(way, 1.0) == 0:
            one.answered(way, 1.0)
    assert way.open == 4 and one.open(way, 1.0) == FULL
    one.share(SITE[0], ALL, 2.0)
    while one.open(way, 2.0) == 0 or way.flow.size < 8:
        one.answered(way, 2.0)
    assert way.open == 8
    one.share(SITE[0], share_for(0, 2), 3.0)
    assert not one.is_within(SITE[0]) and way.most == 4


def refusal(code: int, text: str, at_s: float) -> tuple[Heard, str]:
    verdict = classify(code, "", text, "rcpt")
    return Heard(at_s, A, SITE[0], "", SITE[0], "acme", "", code, "", text, verdict.category, "rcpt"), text


def test_what_one_holder_is_told_slows_the_other_once() -> None:
    text = '[default]\nconnections = 20\n[[rule]]\nname = "enough"\ntext = ["that is enough"]\nsuspend = "site"\nfor = "10m"\n'
    one, other = shaper(text), shaper(text)
    for each, rank in ((one, 0), (other, 1)):
        each.share(SITE[0], share_for(rank, 2), 0.0)
    way, their = one.way(*SITE, A), other.way(*SITE, A)
    before = their.flow.size
    heard, said = refusal(421, "too many connections, slow down", 10.0)
    verdict = classify(421, "", said, "rcpt")
    assert verdict.slow_down
    one.failed(way, verdict, heard, 9.0)
    words = words_of(verdict, said, A, [], 1_000_000, 10.0, True)
    assert [word.kind for word in words] == ["slow"]
    for word in words:
        other.hears(*SITE, word, 1_500_000, 10.5, (60.0,))
    assert their.flow.size == before // 2
    other.hears(*SITE, Word(1_900_000, A, "slow"), 2_000_000, 11.0, (60.0,))
    assert their.flow.size == before // 2, "said about the same moment"
    heard, said = refusal(450, "that is enough", 20.0)
    measures = one.failed(way, classify(450, "", said, "rcpt"), heard, 19.0)
    for word in words_of(classify(450, "", said, "rcpt"), said, A, measures, 20_000_000, 20.0, False):
        other.hears(*SITE, word, 21_000_000, 21.0, (60.0,))
    assert other.rest_s(their, 21.0) == pytest.approx(599.0)
    assert other.send(their, "x.example", 21.0) == Wait(pytest.approx(599.0), False)
    assert len(other.measures(21.0)) == 1
    other.hears(*SITE, Word(22_000_000, A, "dead"), 22_000_000, 22.0, (60.0,))
    other.hears(*SITE, Word(24_000_000, A, "dead"), 24_000_000, 24.0, (60.0,))
    assert their.flow.is_dead


def test_a_site_under_a_providers_counter_or_in_trouble_is_not_shared_out() -> None:
    text = '[provider.big]\nmx = ["big.example"]\ntotal_connections = 9\n'
    one = shaper(text)
    one.way(*SITE, A)
    assert one.most_holders(SITE[0], 4, 0.0, is_shared=False) == 1
    one = shaper("[default]\nconnections = 20\n")
    way = one.way(*SITE, A)
    assert one.most_holders(SITE[0], 4, 0.0, is_shared=False) == 4
    one.unreachable(way, 0, 1.0, 0.5, (60.0,))
    assert one.most_holders(SITE[0], 4, 1.0, is_shared=False) == 1
    assert one.most_holders(SITE[0], 4, 1.0, is_shared=True) == 4


def test_a_site_is_too_much_for_one_when_much_went_and_more_was_waiting() -> None:
    slow, quick = Pressure(100), Pressure(100)
    for tenth in range(100):
        slow.look(tenth / 10, True, tenth)  # ten a second: its server's pace, no help needed
        quick.look(tenth / 10, tenth % 3 == 0, 50 * tenth)  # it is empty for a moment now and then
    assert not slow.is_high and quick.is_high
    for second in range(10, 60):
        quick.look(second, False, 5000)
    assert not quick.is_high and quick.is_calm(59.0) and not quick.is_calm(35.0)
