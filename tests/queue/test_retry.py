"""When the next attempt is due, and when there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.clock import SECOND_US
from estafette.model import LANES
from estafette.queue.lanes import HIGH_RETRIES, LOW_RETRIES, lane_of, retry_lane
from estafette.queue.retry import RetryPlan, next_attempt_at

NOW = 1_790_000_000 * SECOND_US
PLAN = RetryPlan((300.0, 900.0, 3600.0), 0.0)


def in_s(at: int | None) -> float | None:
    return None if at is None else (at - NOW) / SECOND_US


@pytest.mark.parametrize(
    ("attempts", "left_s", "hint_s", "expected"),
    [
        (1, 86_400, 0, 300),
        (2, 86_400, 0, 900),
        (3, 86_400, 0, 3600),
        (9, 86_400, 0, 3600),  # the last pause repeats
        (0, 86_400, 0, 300),
        (1, 86_400, 600, 600),  # a hint lengthens
        (2, 86_400, 600, 900),  # and never shortens
        (3, 3600, 0, 3599),  # drawn forward to just before the deadline
        (3, 1801, 0, 1800),
        (3, 1800, 0, None),  # less than half of the pause would have passed
        (1, 0, 0, None),
        (1, -100, 0, None),
    ],
)
def test_the_plan(attempts: int, left_s: float, hint_s: float, expected: float | None) -> None:
    assert in_s(next_attempt_at(PLAN, attempts, NOW, NOW + int(left_s * SECOND_US), 0.5, hint_s)) == expected


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 270), (0.5, 300), (0.999999, 330)])
def test_jitter(chance: float, expected: float) -> None:
    at = next_attempt_at(RetryPlan((300.0,), 0.1), 1, NOW, NOW + 10**12, chance)
    assert in_s(at) == pytest.approx(expected, abs=0.01)


@given(st.integers(1, 50), st.floats(0, 0.999), st.floats(0, 90_000), st.floats(-10, 400_000))
def test_never_in_the_past_and_never_behind_the_deadline(attempts: int, chance: float, hint_s: float, left_s: float) -> None:
    deadline_at = NOW + int(left_s * SECOND_US)
    at = next_attempt_at(RetryPlan((300.0, 7200.0), 0.5), attempts, NOW, deadline_at, chance, hint_s)
    assert at is None or NOW < at < deadline_at


def test_lanes_keep_classes_apart() -> None:
    first = [lane_of(p) for p in (3, 2, 1, 0)]
    assert first == sorted(first) and len(set(first)) == 4 and max(first) < LANES
    assert [retry_lane(lane_of(p)) for p in (3, 2)] == [HIGH_RETRIES] * 2 and [retry_lane(lane_of(p)) for p in (1, 0)] == [LOW_RETRIES] * 2
    assert lane_of(2) < HIGH_RETRIES < lane_of(1) and lane_of(0) < LOW_RETRIES < LANES
    assert retry_lane(HIGH_RETRIES) == HIGH_RETRIES and retry_lane(LOW_RETRIES) == LOW_RETRIES
