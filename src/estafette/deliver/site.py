"""A site that this worker has leased: which of our sources each of its messages leaves from, and one path for each of them.

    site.add(items)        # each to the path of its source; a message that no source may carry now goes back to the queue
    site.rooms             # how many more messages it would like to be given, lane by lane

Messages of a paused or slow path wait for it alone; the others of the site go on.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from estafette.deliver.contracts import Engine
from estafette.deliver.holdings import Item
from estafette.deliver.path import DIRECT, READ_AHEAD, Path
from estafette.model import LANES
from estafette.queue.ready import rooms_for
from estafette.queue.shaping import hosts_of
from estafette.queue.shares import Word

NO_SOURCE_S: Final = 60.0
"""Until a message without a usable source looks again, when nothing names a better moment."""


class Site:
    """See the module."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self.hosts = tuple(hosts_of(name))
        self.paths: dict[str, Path] = {}  # by source
        self.has_more = False  # the queue held more than was claimed
        self.is_leaving = False  # the site is another worker's now: nothing new comes in
        self.read_ahead = READ_AHEAD
        self.begun = 0  # messages that left the ready ones, ever
        self._engine = engine
        self._unfit: dict[str, None] = {}  # sources of a family (IPv4, IPv6) that no host of the site has
        self._is_stopping = False

    # -- the engine's side ----------------------------------------------------------------------------------------------

    @property
    def rooms(self) -> tuple[int, ...]:
        """How many more messages the site would like to be given (`Ready.rooms`): little while it is slow or probes a site that did not answer. () for none."""
        if self._is_stopping or self.is_leaving:
            return ()
        paths = [path for path in self.paths.values() if not path.is_paused]
        if not paths:
            return () if self.paths else (self.read_ahead,) * LANES
        appetite = min(sum(path.appetite for path in paths), max(self.read_ahead, 2 * sum(path.way.flow.size for path in paths)))
        return rooms_for((path.ready.counts() for path in paths), appetite - sum(path.in_flight for path in paths))

    @property
    def has_room(self) -> bool:
        """True when it would take a message of any lane."""
        return bool(rooms := self.rooms) and rooms[-1] > 0

    @property
    def takes_direct(self) -> bool:
        """True when mail may come straight from the door: in any other case the queue keeps the order."""
        if self._is_stopping or self.is_leaving or self.has_more:
            return False
        return all(not path.is_paused and not path.way.flow.failures and path.load < min(DIRECT, path.at_most) for path in self.paths.values())

    @property
    def is_at_rest(self) -> bool:
        """True when nothing is under way."""
        return all(path.is_at_rest for path in self.paths.values())

    @property
    def has_trouble(self) -> bool:
        """True while a path of it does not answer: worth remembering."""
        return any(path.way.flow.failures for path in self.paths.values())

    def add(self, items: Iterable[Item]) -> None:
        """More messages to send."""
        found: dict[Path, list[Item]] = {}
        for item in items:
            path = self._path_for(item)
            if path is not None:
                found.setdefault(path, []).append(item)
        for path, some in found.items():
            path.add(some)

    def work(self) -> None:
        """Wake idle senders, start new ones."""
        for path in list(self.paths.values()):
            path.work()

    def is_pressed(self, is_due: bool) -> bool:
        """True when more waits than is under way: in the queue (`is_due`), or ready here."""
        return self.has_more or (is_due and not self.has_room) or any(path.waiting > path.in_flight for path in self.paths.values())

    def is_connected(self, source: str) -> bool:
        """True when a server has greeted us from this source and the connection is open."""
        return source in self.paths and self.paths[source].greeted > 0

    def narrow(self) -> None:
        """Fewer connections are allowed: those that do nothing are closed, the others after their message."""
        for path in self.paths.values():
            path.narrow()

    def take_up_again(self) -> None:
        """Other limits hold from now on."""
        self.read_ahead = READ_AHEAD
        for path in self.paths.values():
            path.rings()

    def leave(self) -> list[Item]:
        """Take nothing more; what no sender has begun with goes back."""
        self.is_leaving = True
        return [item for path in self.paths.values() for item in path.leave()]

    def take_stale(self) -> list[Item]:
        """What has waited here for too long: the queue keeps it better, under its deadline and the block list. The site reads less ahead from now on."""
        stale = [item for path in self.paths.values() for item in path.take_stale()]
        if stale:
            self.read_ahead = max(1, self.read_ahead // 2)
        return stale

    async def stop(self, within_s: float) -> None:
        """Begin nothing new; wait for what is under way, then cut it."""
        self._is_stopping = True
        for path in self.paths.values():
            path.stop_taking()
        await asyncio.gather(*(path.stop(within_s) for path in self.paths.values()))

    # -- the paths' side --------------------------------------------------------------------------------------------------

    def say(self, words: Iterable[Word]) -> None:
        """A server told a path something that other holders of the site must know."""
        self._engine.leases.say(self.name, words)

    def went_low(self, path: Path) -> None:
        """A path has little left: more may be claimed."""
        self.begun += 1
        if self.has_more and len(path.ready) < self.read_ahead // 2 + 1:
            if not path.ready:
                self.read_ahead = min(READ_AHEAD, 2 * self.read_ahead)
            self._engine.is_low()

    def is_unfit(self, source: str) -> bool:
        """No host of the site has an address that can be reached from a source: True when another source is left to try."""
        self._unfit[source] = None
        pools = [self._engine.shaper.pool_for(), *self._engine.shaper.table.pools]
        return any(pooled.address not in self._unfit for pool in pools for pooled in pool.sources)

    def _path_for(self, item: Item) -> Path | None:
        claim, shaper, now_s = item.claim, self._engine.shaper, self._engine.clock.monotonic()
        source = shaper.source_for(self.name, self.hosts, str(claim.message_id), now_s, claim.account, claim.stream, claim.campaign, tuple(self._unfit))
        if source is None:
            wait_s = shaper.no_source_s(self.name, now_s, claim.account, claim.stream, claim.campaign) or NO_SOURCE_S
            self._engine.release_later([item], self.name, now_s + wait_s)
            return None
        path = self.paths.get(source)
        if path is None:
            path = self.paths[source] = Path(self._engine, self, shaper.way(self.name, self.hosts, source, now_s))
            if self._is_stopping:
                path.stop_taking()
        return path
