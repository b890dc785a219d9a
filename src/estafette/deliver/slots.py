"""The connections that one process may have open, over all its paths, and who waits for one.

    if slots.take(path): ...            # else the path's work() is called when there is one
    slots.give_back(path)
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from estafette.queue.shaper import Way


class Waiting(Protocol):
    """What a path is here."""

    way: Way

    @property
    def has_idle(self) -> bool:
        """True when a connection is open and unused."""

    def close_idle(self) -> None:
        """Close one of those."""

    def work(self) -> None:
        """Open connections if there is something to send."""


class Slots:
    """See the module."""

    def __init__(self, limit: int, paths: Callable[[], Iterable[Waiting]]) -> None:
        self._limit = limit
        self._paths = paths
        self.taken = 0
        self._waiting: dict[Waiting, None] = {}  # would open a connection when there is one
        self._sharing: dict[Waiting, None] = {}  # would open one when a shared limit has room

    def take(self, path: Waiting) -> bool:
        """Reserve a connection; when there is none an unused one of another path is closed."""
        if self.taken < self._limit:
            self.taken += 1
            return True
        self._waiting[path] = None
        for other in self._paths():
            if other is not path and other.has_idle:
                other.close_idle()
                break
        return False

    def wants_shared(self, path: Waiting) -> None:
        """The path is called again when a connection that counts towards a shared limit is over."""
        self._sharing[path] = None

    def give_back(self, path: Waiting) -> None:
        """A reserved connection is over: whoever waits longest for one and can use it gets it."""
        self.taken -= 1
        if self._sharing and path.way.effective.named:
            waiting, self._sharing = self._sharing, {}
            for other in waiting:
                other.work()
        while self._waiting and self.taken < self._limit:
            other = next(iter(self._waiting))
            del self._waiting[other]
            other.work()
