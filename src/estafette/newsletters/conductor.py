"""Conducts newsletters: starts those that are due, makes their audience messages piece by piece, and sees when nobody waits any more.

One worker does it at a time (a lease that saves work); that nobody is lost or doubled is the cursor's doing: it moves in the transaction that writes
the messages, and only from where the writer saw it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from estafette import maillog
from estafette.clock import DAY_US, SECOND_US, Clock
from estafette.model import EventKind
from estafette.newsletters.audience import Segment, kinds_of, piece_size, selected, submission_of
from estafette.newsletters.life import Order, State, after
from estafette.newsletters.segment_language import SegmentError, check, parse
from estafette.nouns import Member, Newsletter
from estafette.prepare.personal import Source
from estafette.store.seam import Store

JOB: Final = "newsletters"
PIECE: Final = 2000
POLL_S: Final = 0.5
LEASE_S: Final = 3.0
VISITS_SINCE_DAYS: Final = 400


class Conductor:
    """One per worker process. `next_id` makes message ids, `wake` tells the engine that there is mail, `may_send` whether an account's bulk mail is free of
    the reputation guard's orders."""

    def __init__(self, store: Store, clock: Clock, worker_id: int, next_id: Callable[[int], int], wake: Callable[[], None], keep_for_s: float,
                 may_send: Callable[[int], bool] = lambda account_id: True) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._next_id = next_id
        self._wake = wake
        self._keep_for_us = int(keep_for_s * SECOND_US)
        self._may_send = may_send

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                now = self._clock.now_us()
                if await self._store.statistics.lease(JOB, self._worker_id, now, now + int(LEASE_S * SECOND_US)):
                    while await self.step():
                        now = self._clock.now_us()
                        if not await self._store.statistics.lease(JOB, self._worker_id, now, now + int(LEASE_S * SECOND_US)):
                            break
            except Exception as fault:  # outermost frame: the cursor stands where it stood, go on
                maillog.fault("newsletters", "", fault)
            await asyncio.sleep(POLL_S)

    async def step(self) -> bool:
        """One step for each newsletter that is under way; True when there is more to do at once."""
        is_busy = False
        for newsletter in await self._store.newsletters.open():
            match State(newsletter.state):
                case State.FREEZING | State.SENDING if not self._may_send(newsletter.account_id):
                    await self._turn(newsletter, Order.PAUSE)  # a person resumes it, when the guard's order is lifted
                    maillog.newsletter_paused(newsletter.id, newsletter.account_id, "the reputation guard slows or stops bulk mail")
                case State.SCHEDULED if (newsletter.start_at or 0) <= self._clock.now_us():
                    is_busy |= await self._turn(newsletter, Order.START)
                case State.FREEZING:
                    is_busy |= await self._freeze(newsletter)
                case State.SENDING if not await self._store.newsletters.is_waiting(newsletter.submission_id):
                    await self._turn(newsletter, Order.SETTLED)
                case _:
                    pass
        return is_busy

    async def _turn(self, newsletter: Newsletter, order: Order) -> bool:
        state = after(State(newsletter.state), order)
        assert state is not None  # step() asks only for what is in the table
        now = self._clock.now_us()
        is_over = state is State.FINISHED
        return await self._store.newsletters.turn(newsletter, state.value, now, start_at=newsletter.start_at, ended_at=now if is_over else None)

    async def _freeze(self, newsletter: Newsletter) -> bool:
        """The next piece of the audience; True when there may be more."""
        shelf, now = self._store.newsletters, self._clock.now_us()
        size = piece_size(newsletter, PIECE)
        members = await shelf.audience(newsletter.list_id, newsletter.cursor, size)
        if not members:
            await self._turn(newsletter, Order.FROZEN)
            self._wake()
            return False
        try:
            chosen = await select(self._store, newsletter, members, now)
        except SegmentError as error:  # changed or deleted since it was checked: a person has to look
            maillog.fault("newsletters", f"newsletter {newsletter.id}: its segment", error)
            await self._turn(newsletter, Order.PAUSE)
            return False
        source = msgspec.json.decode(newsletter.letter, type=Source)
        submission = submission_of(newsletter, source, chosen, self._next_id, now, newsletter.started_at or now, self._keep_for_us)
        is_ours = await shelf.freeze(newsletter, members[-1].contact_id, submission)
        self._wake()
        return is_ours


async def select(store: Store, newsletter: Newsletter, members: list[Member], now: int) -> list[Member]:
    """Those of a piece of the list who belong to the newsletter's segment. Raises SegmentError."""
    if not newsletter.segment_id:
        return members
    segment = await read_segment(store, newsletter.account_id, newsletter.segment_id)
    keys = [member.address_key for member in members]
    since = now - VISITS_SINCE_DAYS * DAY_US
    opens = clicks = dict[str, int]()
    if segment.asks_for_visits:
        opens = await store.newsletters.last_visits(newsletter.account_id, keys, EventKind.OPENED.value, since)
        clicks = await store.newsletters.last_visits(newsletter.account_id, keys, EventKind.CLICKED.value, since)
    return selected(members, segment, opens, clicks, now)


async def read_segment(store: Store, account_id: int, segment_id: int) -> Segment:
    """A segment of an account, read and checked. Raises SegmentError, also when there is none."""
    found = next((s for s in await store.contacts.segments(account_id) if s.id == segment_id), None)
    if found is None:
        raise SegmentError("the segment does not exist any more", 0)
    kinds, names = kinds_of(await store.contacts.properties(account_id))
    tree = parse(found.expression)
    check(tree, kinds)
    return Segment(tree, kinds, names)
