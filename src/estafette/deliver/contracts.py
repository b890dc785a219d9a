"""What a path asks of the engine and of its site. Protocols only, so that each of them can be read, and tested, alone."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from estafette.deliver.attempt import Bench
from estafette.deliver.connecting import Connector
from estafette.deliver.holdings import Item
from estafette.deliver.router import Router
from estafette.deliver.slots import Slots
from estafette.deliver.sts import PolicyKeeper
from estafette.model import Outcome
from estafette.queue.shaper import Shaper
from estafette.queue.shares import Word

if TYPE_CHECKING:
    from estafette.deliver.path import Path  # which asks what stands here


class Engine(Bench, Protocol):
    """What a path needs of its engine."""

    router: Router
    connector: Connector
    policies: PolicyKeeper
    shaper: Shaper
    slots: Slots

    @property
    def leases(self) -> "Spreading":
        """Where words for the other holders of a site go."""

    async def settle(self, item: Item, outcome: Outcome) -> None:
        """Write an outcome; returns when it is durable, never raises."""

    def may_connect(self, path: "Path") -> bool:
        """Reserve a connection of the process; False: the path is called again when there is one."""

    def is_low(self) -> None:
        """A path could take more messages."""

    def release_later(self, items: list[Item], site: str, until_s: float) -> None:
        """Back into the queue, not before a moment (monotonic)."""


class Spreading(Protocol):
    """What a site needs of the leases."""

    def say(self, name: str, words: Iterable[Word]) -> None:
        """A server told us something: the other holders of the site must know."""


class Home(Protocol):
    """What a path needs of its site."""

    name: str
    is_leaving: bool

    def add(self, items: list[Item]) -> None:
        """Messages that may leave from another source."""

    def say(self, words: Iterable[Word]) -> None:
        """A server told the path something that other holders of the site must know."""

    def went_low(self, path: "Path") -> None:
        """A message was taken."""

    def is_unfit(self, source: str) -> bool:
        """No host has an address for a source; True when another one is left."""
