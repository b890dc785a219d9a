"""What this worker holds: every message from the moment it is claimed until its outcome is written, and nothing beside.

    holdings.hold(claims); await holdings.settle(item, outcome); await holdings.release(items, site)

Now and then it asks the store what the store believes us to hold. Whatever we know nothing of (a claim or an accept that was committed although
we were told that it failed, a bug) goes back to the queue: nothing can stay claimed by a living worker and be forgotten.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.deliver.contents import Contents, Held
from estafette.deliver.flights import FlightLog
from estafette.deliver.outcome import released
from estafette.model import Claimed, Outcome, OutcomeKind, Settlement
from estafette.store.seam import Store

SETTLE_AGAIN_S: Final = 1.0
MAX_SETTLE_AGAIN_S: Final = 5.0
LOOKS: Final = 3
"""So many looks in a row must find a message unknown here: one that was just committed may not have reached us yet."""


@dataclass(slots=True)
class Item:
    """A claimed message on its way through a path."""

    claim: Claimed
    since_s: float  # monotonic: when it was claimed, or accepted and handed over; the block list was asked then
    held: Held | None = None  # its content when that is in memory already
    was_retried: bool = False  # an idle connection was closed under it; no attempt was counted


class Holdings:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, worker_id: int, contents: Contents, flights: FlightLog) -> None:
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._contents = contents
        self._flights = flights
        self._ours: dict[int, Claimed] = {}  # the newest claim of each message
        self._unknown: dict[int, int] = {}  # messages that the store says are ours → looks that found them so
        self._unwritten: dict[int, Settlement] = {}  # outcomes that the store did not take so far
        self._is_cut = False

    def hold(self, claims: Iterable[Claimed]) -> None:
        """These are ours now."""
        self._ours.update((claim.message_id, claim) for claim in claims)

    def name_site(self, items: Iterable[Item], site: str) -> None:
        """Their site is known now; what is written of them later says so (message.site, and with it the provider in every figure)."""
        for item in items:
            if item.claim.site != site and self._ours.get(item.claim.message_id) is item.claim:
                item.claim = self._ours[item.claim.message_id] = replace(item.claim, site=site)

    async def settle(self, item: Item, outcome: Outcome) -> None:
        """Write an outcome; never raises. While the store cannot, we keep it and try again: what a server answered must not be forgotten."""
        settlement = Settlement(item.claim, outcome)
        pause_s = SETTLE_AGAIN_S
        while not self._is_cut:
            try:
                was_held = await self._store.settle(settlement)
            except Exception as fault:
                maillog.fault("settle", str(item.claim.message_id), fault)
                self._unwritten[item.claim.message_id] = settlement
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_SETTLE_AGAIN_S)
                continue
            self._unwritten.pop(item.claim.message_id, None)
            self._flights.end(item.claim)
            if self._ours.get(item.claim.message_id) is item.claim:  # it may have been claimed again before this answer came
                del self._ours[item.claim.message_id]
            tell(item.claim, outcome, was_held)
            break
        if item.held is not None:
            self._contents.give_back(item.held)
            item.held = None

    async def release(self, items: Sequence[Item], site: str | None, until_s: float = 0.0) -> None:
        """Back into the queue, nothing was tried; `until_s` (monotonic): not before then."""
        now = self._clock.now_us()
        retry_at = now + int((until_s - self._clock.monotonic()) * SECOND_US) if until_s else 0
        await asyncio.gather(*(self.settle(item, released(now, retry_at, site)) for item in items))

    async def look_for_forgotten(self) -> None:
        """Give back what the store says is ours and we do not know. Never while a claim of ours is under way. Raises StoreFault."""
        strange = [m for m in await self._store.held_by(self._worker_id) if m not in self._ours]
        self._unknown = {m: self._unknown.get(m, 0) + 1 for m in strange}
        forgotten = [m for m, looks in self._unknown.items() if looks >= LOOKS]
        if forgotten:
            maillog.reclaimed(await self._store.reclaim(self._worker_id, forgotten, self._clock.now_us()))

    def cut(self) -> None:
        """The end: what is not written now stays unwritten, and is told of. Whoever retires this worker gives its messages back."""
        self._is_cut = True
        for settlement in self._unwritten.values():
            tell(settlement.claim, settlement.outcome, was_held=False)
        self._unwritten.clear()


def tell(claim: Claimed, o: Outcome, was_held: bool) -> None:
    """The log line of an outcome."""
    if not was_held:
        maillog.claim_lost(claim.message_id, o.kind.value)
    elif o.kind is OutcomeKind.DELIVERED:
        maillog.delivered(claim.message_id, claim.recipient, o.host, o.source, o.tls, o.reply, claim.attempts + 1, o.duration_ms)
    elif o.kind is OutcomeKind.DEFERRED:
        maillog.deferred(claim.message_id, claim.recipient, o.host, o.stage, o.category, o.reply, claim.attempts + 1, (o.retry_at - o.at) / SECOND_US)
    elif o.kind is OutcomeKind.BOUNCED:
        maillog.bounced(claim.message_id, claim.recipient, o.host, o.stage, o.category, o.reply, claim.attempts + 1, o.is_permanent)
    elif o.kind is OutcomeKind.BLOCKED:
        maillog.blocked(claim.message_id, claim.recipient, o.reason.related_to, o.reason.error)
