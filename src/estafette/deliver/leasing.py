"""Which sites this worker works, wholly or in part: the leases of its sites, and the shares of those that are too busy for one worker (decision 50).

    leases.take(names)       # begin those that are ours and nobody else's
    leases.keep()            # every beat: prolong; begin to leave what is another's now
    leases.look(due)         # every round: share a busy site out, take our part of another's, take over and pass on what servers told the holders
    leases.let_go()          # what was left and is at rest

A site is shared out by its first holder, the worker that has it alone otherwise: it writes into its lease among how many, after it has withdrawn into
its own part. The others take theirs then; a lease is written only where no other holder has any of it, so that the parts never overlap, whoever
thinks what of whom. Whoever must grow waits until the other has gone from there.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.deliver.contracts import Engine
from estafette.deliver.membership import Membership
from estafette.deliver.site import Site
from estafette.model import Lease
from estafette.queue.paths import by_preference
from estafette.queue.shaper import Shaper
from estafette.queue.shares import Pressure, Share, Word, share_for
from estafette.store.seam import Store

LOOK_S: Final = 0.2
"""How often the shared sites are looked at while one of ours is busy or mail waits at others."""
MAX_PATHS: Final = 5000
MAX_WORDS: Final = 16
WORDS_S: Final = 60.0
"""What was said before then is no news to a worker that joins; a measure is until it ends."""


class Leases:
    """See the module. `pauses_s` are those of the retry plan; `left` is given what a site that is left has not begun."""

    def __init__(self, engine: Engine, store: Store, clock: Clock, membership: Membership, shaper: Shaper, worker_id: int, lease_s: float, share_after: int,
                 pauses_s: Sequence[float], left: Callable[[Site], None], hint: Callable[[], None]) -> None:  # fmt: skip
        self.sites: dict[str, Site] = {}
        self._engine = engine
        self._store = store
        self._clock = clock
        self._membership = membership
        self._shaper = shaper
        self._worker_id = worker_id
        self._lease_us = int(lease_s * SECOND_US)
        self._share_after = share_after
        self._pauses_s = pauses_s
        self._left = left
        self._hint = hint  # tells the other workers of this machine
        self._parts: dict[str, Lease] = {}  # our lease of each site that is shared, as it was written last
        self._pressures: dict[str, Pressure] = {}
        self._words: dict[str, list[Word]] = {}  # that servers told us, by site
        self._heard: dict[str, set[Word]] = {}  # that other holders were told
        self._is_news = False  # words that are not written yet
        self._looked_s = 0.0

    def is_elsewhere(self, name: str) -> bool:
        """True when a site is not ours to work, nor any part of it."""
        return name not in self._parts and self._membership.is_elsewhere(name)

    # -- whole sites ------------------------------------------------------------------------------------------------------

    async def take(self, names: Iterable[str]) -> None:
        """Begin the sites of these that should be ours. Raises StoreFault."""
        wanted = [name for name in names if name not in self.sites and not self._membership.is_elsewhere(name)]
        if wanted:
            now = self._clock.now_us()
            for name in await self._store.lease_paths(self._worker_id, wanted, now, now + self._lease_us):
                if name not in self.sites:
                    self.sites[name] = Site(self._engine, name)

    async def try_take(self, name: str) -> None:
        """The same; never raises: the next round tries again."""
        try:
            await self.take([name])
        except Exception as fault:
            maillog.fault("leases", name, fault)

    async def keep(self) -> None:
        """Prolong what we hold; begin to leave what is another's now. A site is let go of when it is at rest. Raises StoreFault."""
        now, now_s, names = self._clock.now_us(), self._clock.monotonic(), list(self.sites)
        held = set(await self._store.lease_paths(self._worker_id, names, now, now + self._lease_us))
        self._shaper.share_with(self._membership.delivering)
        too_many = max(0, len(self.sites) - MAX_PATHS)
        for name in names:
            site = self.sites.get(name)
            if site is None:
                continue
            is_leaving = name not in held or self.is_elsewhere(name)
            if not is_leaving and too_many and site.is_at_rest and self._shaper.forget(name, now_s):  # the oldest that have no trouble to remember
                is_leaving, too_many = True, too_many - 1
            if is_leaving and not site.is_leaving:
                self._leave(site)
            site.is_leaving = is_leaving

    def _leave(self, site: Site) -> None:
        self._parts.pop(site.name, None)
        self._left(site)

    async def let_go(self) -> None:
        """Give back the leases of the sites that were left and are at rest. Raises StoreFault."""
        gone = [name for name, site in self.sites.items() if site.is_leaving and site.is_at_rest]
        for name in gone:
            del self.sites[name]
            for known in (self._parts, self._pressures, self._words, self._heard):
                known.pop(name, None)
            self._shaper.forget(name, self._clock.monotonic(), is_lost=True)
        if gone:
            await self._store.release_paths(self._worker_id, gone)
            self._hint()

    # -- shared sites -----------------------------------------------------------------------------------------------------

    def say(self, name: str, words: Iterable[Word]) -> None:
        """A server told us something: the other holders of the site must know."""
        if name in self._parts:
            self._words[name] = [*self._words.get(name, ()), *words][-MAX_WORDS:]
            self._is_news = True
            self._engine.is_low()  # look now

    async def look(self, due: Sequence[str]) -> None:
        """`due`: sites with messages that may go now. Raises StoreFault."""
        now_s = self._clock.monotonic()
        waiting = set(due)
        for name, site in self.sites.items():
            pressure = self._pressures.get(name) or self._pressures.setdefault(name, Pressure(self._share_after))
            pressure.look(now_s, site.is_pressed(name in waiting), site.begun)
        others = [name for name in due if name not in self.sites and self._membership.is_elsewhere(name)]
        busy = [name for name, pressure in self._pressures.items() if pressure.is_high and name not in self._parts]
        if not (self._parts or others or busy) or (now_s - self._looked_s < LOOK_S and not self._is_news):
            return
        self._looked_s, self._is_news = now_s, False
        if self._membership.delivering == 1 and not self._parts:
            return
        rows: dict[str, list[Lease]] = {}
        for lease in await self._store.shared_paths():
            rows.setdefault(lease.path, []).append(lease)
        for name in {*self._parts, *busy}:
            held = self.sites.get(name)
            if held is not None and not held.is_leaving:
                await self._hold(held, rows.get(name, ()))
        for name in others:
            if name in rows:
                await self._join(name, rows[name])

    async def _hold(self, site: Site, rows: Sequence[Lease]) -> None:
        """One of our sites that is shared, or is to be: withdraw, grow, leave, tell and hear."""
        name, now_s = site.name, self._clock.monotonic()
        rank, holders = self._standing(name, rows)
        if rank == 0:
            holders = self._wanted(site, now_s)
            if holders == 1 and name not in self._parts:
                return
        mine = self._parts.get(name) or Lease(name, self._worker_id, 0)
        part, target = Share(mine.low, mine.high), share_for(rank, holders) if rank < holders else None
        left = part.meet(target) if target is not None else None
        if target is None or left is None:
            self._leave(site)
            return
        if left != part:
            self._shaper.share(name, left, now_s)
            site.narrow()
            if not self._shaper.is_within(name) or not await self._write(name, left, holders):
                return
            part = left
            self._hint()
        if part != target and await self._write(name, target, holders):
            self._shaper.share(name, target, now_s)
            site.take_up_again()
            if target.is_whole:
                for known in (self._parts, self._words, self._heard):
                    known.pop(name, None)
                maillog.site_shared(name, 1)
                return
        elif (mine.holders, mine.words) != (holders, self._spoken(name)):
            await self._write(name, part, holders)
            self._hint()
        if holders != mine.holders and rank == 0:
            maillog.site_shared(name, holders)
        self._hear(site, rows)

    async def _join(self, name: str, rows: Sequence[Lease]) -> None:
        """Take our part of a site that another worker shares out."""
        rank, holders = self._standing(name, rows)
        if 0 < rank < holders and await self._write(name, share_for(rank, holders), holders):
            self._shaper.share(name, share_for(rank, holders), self._clock.monotonic())
            site = self.sites[name] = Site(self._engine, name)
            self._hear(site, rows)

    def _standing(self, name: str, rows: Sequence[Lease]) -> tuple[int, int]:
        """(our place among those that work a site, how many they are): the lease of the first of them says how many."""
        order = by_preference(self._shaper.home(name), self._membership.members)
        first = next((lease for lease in rows if order and lease.owner == order[0]), None)
        return order.index(self._worker_id) if self._worker_id in order else len(order), first.holders if first is not None else 1

    def _wanted(self, site: Site, now_s: float) -> int:
        """Among how many a site of ours should be shared."""
        pressure, is_shared = self._pressures.setdefault(site.name, Pressure(self._share_after)), site.name in self._parts
        if (is_shared and pressure.is_calm(now_s)) or not (is_shared or pressure.is_high):
            return 1
        return self._shaper.most_holders(site.name, self._membership.delivering, now_s, is_shared=is_shared)

    async def _write(self, name: str, share: Share, holders: int) -> bool:
        now = self._clock.now_us()
        lease = Lease(name, self._worker_id, now + self._lease_us, share.low, share.high, 1 if share.is_whole else holders, self._spoken(name))
        if not await self._store.share_path(self._worker_id, lease, now):
            return False
        self._parts[name] = lease
        return True

    def _spoken(self, name: str) -> str:
        words = self._words.get(name)
        return msgspec.json.encode(words).decode() if words else ""

    def _hear(self, site: Site, rows: Sequence[Lease]) -> None:
        """What servers told the other holders counts here too, once."""
        now, now_s = self._clock.now_us(), self._clock.monotonic()
        said = [word for lease in rows if lease.owner != self._worker_id and lease.words for word in msgspec.json.decode(lease.words, type=list[Word])]
        heard = self._heard.get(site.name, set())
        for word in said:
            age_s = (now - word.at) / SECOND_US
            if word in heard or (age_s > WORDS_S and word.until <= now):
                continue
            if word.kind == "dead" and site.is_connected(word.source):
                continue
            self._shaper.hears(site.name, site.hosts, word, now, now_s, self._pauses_s)
        self._heard[site.name] = set(said)
