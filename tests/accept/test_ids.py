"""Message ids: ordered by time, never twice, readable by JavaScript."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.accept.ids import EPOCH_MS, IdMaker
from estafette.model import MAX_MESSAGE_ID

NOW = (EPOCH_MS + 10_000_000_000) * 1000


def test_larger_than_all_before_whatever_the_clock_does() -> None:
    maker = IdMaker(3)
    made = [maker.next(NOW + shift) for shift in (0, 0, 1000, 5, -10**12, 10**9, 10**9, 0)]
    assert made == sorted(set(made))


def test_more_than_fit_into_a_millisecond_borrow_from_the_next() -> None:
    maker = IdMaker(0)
    made = [maker.next(NOW) for _ in range(1000)]
    assert len(set(made)) == 1000 and made == sorted(made)
    assert made[-1] >> 12 == (NOW // 1000 - EPOCH_MS) + 15


def test_two_slots_never_meet() -> None:
    one, two = IdMaker(0), IdMaker(63)
    assert not {one.next(NOW) for _ in range(500)} & {two.next(NOW) for _ in range(500)}


def test_the_newest_id_of_the_store_is_the_floor() -> None:
    floor = IdMaker(5).next(NOW)
    for slot in (0, 5, 63):
        assert IdMaker(slot, floor).next(NOW - 10**12) > floor  # the clock went back


@given(st.integers(0, 63), st.integers(0, (1 << 41) - 1))
def test_ids_stay_below_two_to_the_53(slot: int, ms: int) -> None:
    assert 0 < IdMaker(slot).next((EPOCH_MS + ms) * 1000) <= MAX_MESSAGE_ID


@pytest.mark.parametrize("slot", [-1, 64])
def test_there_are_64_slots(slot: int) -> None:
    with pytest.raises(AssertionError):
        IdMaker(slot)
