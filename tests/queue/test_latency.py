"""How long mail takes, by stream, and what people have stopped."""

import pytest

from estafette.model import Claimed
from estafette.nouns import Hold
from estafette.queue.holds import Stops
from estafette.queue.latency import MAX_STREAMS, OTHERS, SPAN_S, Latencies, Objective, stream_of


def claim(lane: int = 1, stream: str = "") -> Claimed:
    return Claimed(1, 1, 7, "a@x.example", "x.example", "mx", lane, 0, 0, 0, 0, 1, stream=stream, account="acme", campaign="news")


def test_a_stream_is_what_its_sender_named_or_the_class_of_its_lane() -> None:
    assert [stream_of(claim(lane)) for lane in range(6)] == ["transactional"] * 3 + ["bulk"] * 3
    assert stream_of(claim(5, "receipts")) == "receipts"


def test_shares_are_told_and_the_late_ones_counted() -> None:
    latencies = Latencies()
    for n in range(1, 101):
        latencies.add("receipts", n / 10, 100.0)
    (report,) = latencies.report([Objective("receipts", 9.0)])
    assert (report.delivered, report.objective_s) == (100, 9.0)
    assert report.p50_s == pytest.approx(5.0, rel=0.2) and report.p99_s == pytest.approx(9.9, rel=0.2)
    assert 1 <= report.late <= 20
    assert [r.stream for r in latencies.report([Objective("silent", 1.0)])] == ["receipts", "silent"]


def test_the_past_is_forgotten_and_the_number_of_streams_bounded() -> None:
    latencies = Latencies()
    latencies.add("old", 1.0, 0.0)
    latencies.add("new", 1.0, SPAN_S + 1)
    assert [r.stream for r in latencies.report([])] == ["new", "old"]
    latencies.add("new", 1.0, 5 * SPAN_S)
    assert [r.stream for r in latencies.report([])] == ["new"]
    for n in range(2 * MAX_STREAMS):
        latencies.add(f"s{n}", 1.0, 5 * SPAN_S)
    reports = latencies.report([])
    assert len(reports) <= MAX_STREAMS + 1 and OTHERS in [r.stream for r in reports]


def hold(account_id: int = 0, campaign: str = "", domain: str = "", *, is_purge: bool = False) -> Hold:
    return Hold(1, account_id, "acme" if account_id else "", campaign, domain, is_purge, 0, "")


@pytest.mark.parametrize(
    ("holds", "is_stopped"),
    [
        ([], False),
        ([hold(7)], True),
        ([hold(8)], False),
        ([hold(7, "news")], True),
        ([hold(7, "other")], False),
        ([hold(domain="x.example")], True),
        ([hold(domain="y.example")], False),
        ([hold(7, domain="x.example")], True),
        ([hold(7, domain="y.example")], False),
        ([hold(8, domain="x.example")], False),
    ],
)
def test_what_stops_a_message(holds: list[Hold], is_stopped: bool) -> None:
    assert (Stops(holds).of_claim(claim()) is not None) is is_stopped


def test_a_purge_weighs_more_than_a_pause() -> None:
    both = [hold(7), hold(7, is_purge=True)]
    found = Stops(both).of_claim(claim())
    assert found is not None and found.is_purge and Stops(both).has_purge and not Stops([hold(7)]).has_purge
