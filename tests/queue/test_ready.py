"""The messages ready on a path."""

from dataclasses import dataclass

import pytest

from estafette.queue.ready import Ready, is_filled, rooms_for


@dataclass
class Claim:
    lane: int


@dataclass
class Waiting:
    claim: Claim
    since_s: float


def waiting(lane: int, since_s: float = 0.0) -> Waiting:
    return Waiting(Claim(lane), since_s)


def test_lane_by_lane_and_in_each_as_they_came() -> None:
    items = [waiting(5), waiting(1), waiting(0), waiting(1), waiting(3)]
    ready: Ready[Waiting] = Ready()
    ready.add(items)
    assert len(ready) == 5
    assert [ready.take() for _ in range(5)] == [items[2], items[1], items[3], items[4], items[0]]
    assert len(ready) == 0
    with pytest.raises(IndexError):
        ready.take()
    assert len(ready) == 0


def test_what_was_put_back_is_the_next_of_its_lane() -> None:
    one, two, urgent = waiting(3, 1.0), waiting(3, 2.0), waiting(0, 3.0)
    ready: Ready[Waiting] = Ready()
    ready.add([one, two])
    ready.put_back(ready.take())
    ready.add([urgent])
    assert [ready.take() for _ in range(3)] == [urgent, one, two]


def test_what_is_too_old_goes_and_the_rest_stays() -> None:
    items = [waiting(lane, since_s) for lane in (0, 4) for since_s in (1.0, 2.0, 3.0)]
    ready: Ready[Waiting] = Ready()
    ready.add(items)
    assert ready.take_older(0.5) == []
    assert ready.take_older(2.5) == [items[0], items[1], items[3], items[4]]
    assert len(ready) == 2 and ready.take_all() == [items[2], items[5]]
    assert len(ready) == 0 and ready.take_all() == []


@pytest.mark.parametrize(
    ("lanes", "target", "rooms"),
    [
        ([], 4, (4, 4, 4, 4, 4, 4)),
        ([4, 4, 4, 4, 4], 4, (4, 4, 4, 4, 0, 0)),  # full of bulk: there is room for everything ahead of it
        ([5, 5, 3], 3, (3, 3, 3, 2, 2, 0)),  # retries leave room for first attempts
        ([0, 0], 2, (0, 0, 0, 0, 0, 0)),
        ([1], -3, (0, 0, 0, 0, 0, 0)),  # more is under way than wanted
    ],
)
def test_a_lane_has_room_whatever_waits_behind_it(lanes: list[int], target: int, rooms: tuple[int, ...]) -> None:
    ready: Ready[Waiting] = Ready()
    ready.add(waiting(lane) for lane in lanes)
    assert rooms_for([ready.counts()], target) == rooms


@pytest.mark.parametrize(
    ("rooms", "taken", "filled"),
    [
        ((2, 2, 2), [0], False),
        ((2, 2, 2), [0, 2], True),
        ((2, 2, 1), [2], True),
        ((2, 2, 0), [], True),  # nothing was asked for of the last lane: the queue may hold some
        ((3, 1, 1), [0, 0], True),
    ],
)
def test_what_filled_the_room_may_have_left_more(rooms: tuple[int, ...], taken: list[int], *, filled: bool) -> None:
    assert is_filled(rooms, taken) is filled
