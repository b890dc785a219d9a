"""How a path finds its speed: within its ceilings, down at once, up by steps, and a separate eye for the dead."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.queue.rate import NO_LIMIT, Meter, take
from estafette.queue.shaping import Limits
from estafette.queue.window import (
    DEAD_AFTER,
    FORGET_S,
    SLOWEST_PER_S,
    STEP_S,
    Flow,
    answered,
    is_forgettable,
    limited,
    opened,
    refused_connection,
    rested,
    slowed,
    unreachable,
)

FREE = Limits(20, NO_LIMIT, 100, NO_LIMIT, 1)
PAUSES = [30.0, 60.0, 120.0]


def busy(flow: Flow, from_s: float, to_s: float, per_s: float = 10.0) -> Flow:
    """Mail goes all the time, over as many connections as are allowed."""
    for n in range(int((to_s - from_s) * per_s)):
        flow = answered(flow, from_s + n / per_s, flow.size)
    return flow


def test_a_new_path_opens_quickly() -> None:
    flow = opened(FREE)
    assert flow.size == 5
    assert busy(flow, 0, 2).size == 20


def test_an_idle_path_does_not_grow() -> None:
    flow = opened(FREE)
    for n in range(100):
        flow = answered(flow, n, 1)
    assert flow.size == 5


def test_it_slows_down_at_once_in_connections_and_messages() -> None:
    flow = busy(opened(FREE), 0, 20)
    flow = slowed(flow, 20.0, began_s=19.9)
    assert flow.size == 10
    assert flow.rate == pytest.approx(5.0, rel=0.1)


def test_the_echo_of_a_slow_down_counts_once() -> None:
    flow = busy(opened(FREE), 0, 20)
    flow = slowed(flow, 20.0, began_s=19.9)
    for _ in range(19):
        flow = slowed(flow, 20.1, began_s=19.95)
    assert flow.size == 10
    assert slowed(flow, 21.0, began_s=20.5).size == 5


def test_it_recovers_by_steps() -> None:
    flow = slowed(busy(opened(FREE), 0, 20), 20.0, began_s=19.9)
    sizes = {}
    for second in range(20, 20 + 12 * int(STEP_S)):
        flow = busy(flow, second, second + 1)
        sizes[second] = flow.size
    grown = [b - a for a, b in zip(list(sizes.values())[:-1], list(sizes.values())[1:], strict=True)]
    assert max(grown) == 1
    assert sizes[20 + int(STEP_S) - 2] == 10, "not before the first step"
    assert flow.size == 20
    assert flow.rate == pytest.approx(5.0 + 11 * 1.0, rel=0.2), "the rate came back by a tenth at a time"


def test_a_server_that_never_stops_complaining_is_still_asked() -> None:
    flow = opened(FREE)
    for n in range(200):
        flow = slowed(flow, float(n), began_s=float(n))
    assert (flow.size, flow.rate) == (1, SLOWEST_PER_S)


def test_a_pause_that_the_server_named_is_not_ended_by_an_answer() -> None:
    flow = slowed(opened(FREE), 10.0, began_s=9.0, wait_hint_s=60.0)
    assert flow.is_paused(69.0)
    assert answered(flow, 11.0, 1).is_paused(69.0)
    assert not flow.is_paused(70.0)


def test_one_failed_round_is_not_death() -> None:
    flow = busy(opened(FREE), 0, 5)
    flow = unreachable(flow, 6.0, began_s=5.0, pauses_s=PAUSES)
    assert (flow.size, flow.is_dead, flow.is_paused(6.0)) == (1, False, False)
    assert unreachable(flow, 6.1, began_s=5.5, pauses_s=PAUSES) == flow, "connections that failed together are one round"


def test_the_dead_are_probed_at_longer_and_longer_intervals_and_come_back() -> None:
    flow, now, pauses = busy(opened(FREE), 0, 5), 10.0, []
    for _ in range(6):
        flow = unreachable(flow, now, began_s=now, pauses_s=PAUSES)
        pauses.append(flow.paused_until_s - now if flow.is_paused(now) else 0.0)
        now = max(now, flow.paused_until_s) + 1
    assert pauses == [0.0, 30.0, 60.0, 120.0, 120.0, 120.0]
    assert flow.is_dead and flow.failures == 6 > DEAD_AFTER
    flow = answered(flow, now, 1)
    assert (flow.failures, flow.is_dead, flow.is_paused(now)) == (0, False, False)
    flow = busy(flow, now, now + 5)
    assert flow.size == 10, "quickly to half of what it was ..."
    assert busy(flow, now + 5, now + 5 + 2 * STEP_S).size in (11, 12), "... and by steps from there"


def test_a_connection_too_many_is_no_slow_down() -> None:
    flow = refused_connection(busy(opened(FREE), 0, 5), 5.0, 7)
    assert (flow.size, flow.rate) == (7, NO_LIMIT)
    assert busy(flow, 5, 5 + STEP_S - 1).size == 7
    assert refused_connection(flow, 6.0, 0).size == 1


def test_lower_ceilings_hold_at_once_and_higher_ones_are_grown_into() -> None:
    flow = busy(opened(FREE), 0, 5)
    narrow = limited(flow, Limits(2, NO_LIMIT, 100, 1.0, 1), 10.0)
    assert (narrow.size, narrow.rate) == (2, 1.0)
    wide = limited(narrow, FREE, 100.0)
    assert (wide.size, wide.rate) == (2, 1.0)
    assert busy(wide, 100, 100 + STEP_S - 1).size == 2
    after = busy(wide, 100, 100 + 3 * STEP_S)
    assert 3 <= after.size <= 5 and 1.0 < after.rate < 2.0


def test_after_a_suspension_it_begins_with_one() -> None:
    flow = rested(busy(opened(FREE), 0, 20), 20.0, until_s=3620.0)
    assert flow.is_paused(3619.0) and not flow.is_paused(3620.0)
    assert answered(flow, 21.0, 5).is_paused(3000.0), "what was under way does not end it"
    flow = busy(flow, 3620, 3620 + 2 * STEP_S)
    assert 1 <= flow.size <= 3


def test_what_was_learnt_is_not_forgotten_soon() -> None:
    assert is_forgettable(opened(FREE), 0.0)
    flow = slowed(opened(FREE), 10.0, began_s=9.0)
    assert not is_forgettable(flow, 20.0)
    assert is_forgettable(flow, 11.0 + FORGET_S)
    assert not is_forgettable(unreachable(opened(FREE), 1.0, 0.0, PAUSES), 1e9)


def test_it_settles_near_what_a_server_takes() -> None:
    """A server that answers 421 to everything beyond four messages a second, for an hour: most of what it takes is used, and few replies are complaints."""
    flow, meter, theirs = opened(FREE), Meter(), Meter()
    now, taken, refused = 0.0, 0, 0
    while now < 3600:
        meter, wait_s = take(meter, now, min(flow.rate, flow.size * 2.0))  # half a second per message and connection
        if wait_s:
            now += wait_s + 1e-6
            continue
        theirs, too_fast = take(theirs, now, 4.0, burst=8)
        if too_fast:
            refused += 1
            flow = slowed(flow, now + 0.5, began_s=now)
        else:
            taken += 1
            flow = answered(flow, now + 0.5, flow.size)
    assert taken > 0.6 * 4 * 3600
    assert refused < 0.02 * taken


limits = st.builds(Limits, st.integers(1, 50), st.just(NO_LIMIT), st.integers(1, 1000), st.one_of(st.just(NO_LIMIT), st.floats(1, 1000)), st.integers(1, 10))
steps = st.lists(
    st.tuples(
        st.sampled_from(["answer", "slow", "dead", "refused", "limit", "rest"]), st.floats(0, 30), st.floats(0, 40), st.integers(0, 60), limits,
        st.floats(0, 1000),
    ),
    max_size=60,
)  # fmt: skip


@given(limits, steps)
def test_whatever_happens_it_stays_within_its_bounds(first: Limits, story: list[tuple[str, float, float, int, Limits, float]]) -> None:
    flow, now = opened(first), 1000.0
    for what, later, ago, open_, other, hint in story:
        now += later
        before = flow
        if what == "answer":
            flow = answered(flow, now, open_)
            assert flow.size <= before.size + 1
            if before.size >= before.eager_to and now - before.step_at_s < STEP_S:
                assert (flow.size, flow.rate) == (before.size, before.rate), "no step before its time"
            assert flow.rate <= before.rate + before.rate_step
        elif what == "slow":
            flow = slowed(flow, now, now - ago, hint)
            assert flow.size <= before.size and flow.rate <= before.rate
            if now - ago >= before.slowed_at_s:
                assert flow.size == max(1, before.size // 2)
        elif what == "dead":
            flow = unreachable(flow, now, now - ago, PAUSES)
            assert flow.paused_until_s <= max(before.paused_until_s, now + max(PAUSES))
        elif what == "refused":
            flow = refused_connection(flow, now, open_)
            assert flow.size <= before.size
        elif what == "limit":
            flow = limited(flow, other, now)
            assert flow.size <= before.size and flow.rate <= before.rate
        else:
            flow = rested(flow, now, now + hint)
            assert flow.size == 1 and flow.rate <= before.rate
        assert 1 <= flow.size <= flow.limits.connections
        assert 0 < flow.rate <= flow.limits.messages_per_s
        assert not math.isnan(flow.rate)
