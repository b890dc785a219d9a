"""The messages of a path that are ready to go: lane by lane, in each as they came. Pure.

What came straight from the door stands in the same lanes as what was claimed, so that transactional mail never waits behind a campaign.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from estafette.model import LANES


class _Claim(Protocol):
    @property
    def lane(self) -> int: ...


class Waiting(Protocol):
    """What stands here: a claimed message and since when (monotonic seconds)."""

    since_s: float

    @property
    def claim(self) -> _Claim: ...


W = TypeVar("W", bound=Waiting)


def is_filled(rooms: Sequence[int], taken: Sequence[int]) -> bool:
    """True when so many were taken (their lanes) that the queue may hold more of some lane than there was room for."""
    return any(sum(lane <= last for lane in taken) >= room for last, room in enumerate(rooms))


def rooms_for(counts: Iterable[Sequence[int]], target: int) -> tuple[int, ...]:
    """How many more may come of each lane, those of the lanes before it counted in, when so many stand there (`Ready.counts` of each path): a lane has
    room for `target` whatever waits behind it, so that a site full of bulk still asks for transactional mail, and one full of retries for first attempts."""
    ahead, rooms = 0, []
    for lane in zip(*counts, strict=True):
        ahead += sum(lane)
        rooms.append(max(0, target - ahead))
    return tuple(rooms)


class Ready(Generic[W]):
    """See the module."""

    def __init__(self) -> None:
        self._lanes: list[deque[W]] = [deque() for _ in range(LANES)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def counts(self) -> list[int]:
        """How many stand in each lane."""
        return [len(lane) for lane in self._lanes]

    def add(self, items: Iterable[W]) -> None:
        """At the end of their lanes."""
        for item in items:
            self._lanes[item.claim.lane].append(item)
            self._count += 1

    def put_back(self, item: W) -> None:
        """To the head of its lane: it was taken and not tried."""
        self._lanes[item.claim.lane].appendleft(item)
        self._count += 1

    def take(self) -> W:
        """The next to go. Raises IndexError when there is none."""
        lane = next((lane for lane in self._lanes if lane), self._lanes[0])
        item = lane.popleft()
        self._count -= 1
        return item

    def take_all(self) -> list[W]:
        """Everything."""
        items = [item for lane in self._lanes for item in lane]
        for lane in self._lanes:
            lane.clear()
        self._count = 0
        return items

    def take_older(self, than_s: float) -> list[W]:
        """What stands here since before a moment."""
        items: list[W] = []
        for lane in self._lanes:
            while lane and lane[0].since_s < than_s:
                items.append(lane.popleft())
        self._count -= len(items)
        return items
