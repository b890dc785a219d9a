"""The meter of rates: exact spacing, bursts, and never more than was promised."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.queue.rate import NO_LIMIT, Meter, Pace, take, take_all, written


def passed(rate: float, burst: int, asked_at: list[float]) -> list[float]:
    meter, gone = Meter(), []
    for at in asked_at:
        meter, wait_s = take(meter, at, rate, burst)
        if not wait_s:
            gone.append(at)
    return gone


def test_without_a_burst_the_spacing_is_exact() -> None:
    meter, times, now = Meter(), [], 100.0
    for _ in range(5):
        meter, wait_s = take(meter, now, 4.0)
        while wait_s:
            now += wait_s
            meter, wait_s = take(meter, now, 4.0)
        times.append(now)
    assert times == pytest.approx([100.0, 100.25, 100.5, 100.75, 101.0], abs=1e-6)


def test_a_burst_goes_at_once_and_comes_back_one_by_one() -> None:
    assert passed(1.0, 3, [0.0] * 5 + [0.5, 1.0, 1.0, 10.0, 10.0, 10.0, 10.0]) == [0.0, 0.0, 0.0, 1.0, 10.0, 10.0, 10.0]


def test_no_limit_lets_everything_pass() -> None:
    assert len(passed(NO_LIMIT, 1, [0.0] * 1000)) == 1000


def test_a_faster_rate_does_not_sit_out_the_wait_of_a_slower_one() -> None:
    meter, _ = take(Meter(), 0.0, 1 / 3600)
    _, slow = take(meter, 1.0, 1 / 3600)
    _, fast = take(meter, 1.0, 10.0)
    assert slow == pytest.approx(3599)
    assert fast == pytest.approx(0.1, abs=1e-3)


def test_several_meters_all_or_none() -> None:
    meters, wait_s = take_all([Meter(), Meter()], 5.0, [Pace(1.0), Pace(0.1)])
    assert wait_s == 0
    again, wait_s = take_all(meters, 5.0, [Pace(1.0), Pace(0.1)])
    assert wait_s == pytest.approx(10.0)
    assert again == meters, "nothing was taken from the one that had room"
    half, wait_s = take_all(meters, 6.0, [Pace(1.0), Pace(0.1)])
    assert (half, wait_s) == (meters, pytest.approx(9.0))


rates = st.floats(1 / 86_400, 10_000)
moments = st.lists(st.floats(0, 50), min_size=1, max_size=80).map(sorted)


@given(rates, st.integers(1, 20), moments)
def test_never_more_than_rate_and_burst_in_any_span(rate: float, burst: int, asked_at: list[float]) -> None:
    gone = passed(rate, burst, asked_at)
    for i, start in enumerate(gone):
        for j in range(i, len(gone)):
            assert j - i + 1 <= burst + (gone[j] - start) * rate + 1e-4


@given(st.lists(rates, min_size=2, max_size=4), st.integers(1, 20), moments, st.randoms())
def test_a_rate_that_changes_never_lets_more_pass_than_its_fastest(fast: list[float], burst: int, asked_at: list[float], random: Random) -> None:
    meter, gone = Meter(), []
    for at in asked_at:
        meter, wait_s = take(meter, at, random.choice(fast), burst)
        if not wait_s:
            gone.append(at)
    for i, start in enumerate(gone):
        for j in range(i, len(gone)):
            assert j - i + 1 <= burst + (gone[j] - start) * max(fast) + 1e-4


def test_a_slower_rate_gives_no_second_burst() -> None:
    meter = Meter()
    for _ in range(3):
        meter, wait_s = take(meter, 0.0, 10.0, 3)
        assert not wait_s
    assert take(meter, 0.0, 1.0, 3)[1] == pytest.approx(1.0)


@given(rates, st.integers(1, 20), moments)
def test_who_waits_as_told_passes(rate: float, burst: int, asked_at: list[float]) -> None:
    meter = Meter()
    for at in asked_at:
        after, wait_s = take(meter, at, rate, burst)
        assert wait_s >= 0
        if wait_s:
            assert after == meter
            assert take(meter, at + wait_s + 1e-6, rate, burst)[1] == 0
        meter = after


@given(rates, st.integers(1, 20))
def test_a_full_rest_gives_the_whole_burst_and_no_more(rate: float, burst: int) -> None:
    assert len(passed(rate, burst, [7.0] * (burst + 3))) == burst


@pytest.mark.parametrize(("rate", "text"), [(NO_LIMIT, "none"), (10.0, "10/s"), (100 / 60, "100/min"), (1 / 60, "1/min"), (50 / 86_400, "50/d"), (2.0, "2/s"),
                                            (1000 / 3600, "1000/h"), (0.5 / 86_400, "0.5/d")])  # fmt: skip
def test_rates_are_written_as_people_do(rate: float, text: str) -> None:
    assert written(rate) == text
