"""The shelf of statistics: followers read the event table in its order, what they make of it is added up, and sums are read.

A follower moves only from where it stood when it read, in the transaction that writes what it made: every event is counted once, whoever reads it
and whatever dies. These writes are not synced: a power cut takes the position back together with the sums.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from estafette.clock import DAY_US
from estafette.facts import COUNTS, Axis, EventView, Fold, Piece, Position, Reach, ReachKey, Resolution, Slice, Sum, Timing
from estafette.model import Event, EventKind, State
from estafette.store.driver import Driver
from estafette.store.options import decode_options
from estafette.store.people import event_of_row
from estafette.store.unit import Many, Row, Rows, Unit

FOLLOWER: Final = "statistics"
START: Final[Position] = (0, 0)
NEVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class Selection:
    """Of which mail figures are read."""

    account_id: int
    axis: Axis = Axis.ACCOUNT
    sources: tuple[str, ...] = ("",)
    timing: Timing = Timing.MESSAGE
    door: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class RecipientCount:
    """Messages to one address in one state with the same marks."""

    address_key: str
    state: State
    marks: int
    count: int
    last_at: int


class Statistics:
    """See the module."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    # -- following the event table --------------------------------------------------------------------------------------

    async def views(self, after: Position, limit: int, account_id: int | None = None) -> tuple[list[EventView], Position]:
        """Events from a position on in the order in which they count, of one account or of all, and the position to go on from."""
        return await self._driver.read(lambda: views(after, limit, account_id))

    async def position(self, follower: str) -> Position:
        """How far a follower has come."""
        return await self._driver.read(lambda: position(follower))

    async def lease(self, follower: str, owner: int, now: int, until: int) -> bool:
        """Take or keep the right to follow; False while another has it. Unsynced."""
        return await self._driver.write(lambda: _lease(follower, owner, now, until), is_synced=False)

    async def release(self, follower: str, owner: int) -> None:
        """Give the right back. Unsynced."""
        await self._driver.write(lambda: _run("follower_release", [(follower, owner)]), is_synced=False)

    # -- the counters ---------------------------------------------------------------------------------------------------

    async def add(self, before: Position, after: Position, fold: Fold) -> bool:
        """Add what the events between two positions make; False when somebody else has counted from `before` on. Unsynced."""
        return await self._driver.write(lambda: _add(before, after, fold), is_synced=False)

    async def forget(self) -> None:
        """Empty all counters that there are events for, and begin again with the first event."""
        await self._driver.write(_forget)

    async def slices(self, of: Selection, resolution: Resolution, since: int, until: int) -> list[Slice]:
        """One per source and time slice that begins from `since` on and before `until`, where anything was counted; label: the source."""
        return await self._driver.read(lambda: _slices(of, resolution, since, until))

    async def sums(self, of: Selection, pieces: Sequence[Piece]) -> list[Slice]:
        """One per source with anything counted, over all pieces; label: the source."""
        return await self._driver.read(lambda: _sums("counter_sums", pieces, of.account_id, of.axis.value, list(of.sources), of.timing.value,
                                                     tail=(of.door, of.provider)))  # fmt: skip

    async def sums_of_all(self, account_id: int, axis: Axis, pieces: Sequence[Piece], limit: int = 10_000) -> list[Slice]:
        """The same for every source of an axis, by MESSAGE timing."""
        return await self._driver.read(lambda: _sums("counter_sums_all", pieces, account_id, axis.value, Timing.MESSAGE.value, tail=(limit,)))

    async def by_provider(self, of: Selection, pieces: Sequence[Piece]) -> list[Slice]:
        """One per provider; label: the provider, "" for what was never attempted."""
        return await self._driver.read(lambda: _sums("counter_by_provider", pieces, of.account_id, of.axis.value, list(of.sources), of.timing.value,
                                                     tail=(of.door,)))  # fmt: skip

    async def in_flight(self, account_id: int, since: int, until: int, campaign_id: int | None = None, door: str | None = None) -> tuple[int, int]:
        """Messages sent in a period whose first, and whose later attempt is under way at this moment."""
        rows = await self._driver.read(lambda: _rows("in_flight", (account_id, campaign_id, door, since, until)))
        return int(rows[0][0]), int(rows[0][1])

    async def reach(self, account_id: int, campaign_id: int, kind: Reach, *, is_click: bool, since: int, until: int, limit: int = 1000) -> list[Sum]:
        """Links, programs or countries, most events first. `campaign_id` as `facts.ReachKey` says."""
        rows = await self._driver.read(lambda: _rows("reach_sums", (account_id, campaign_id, kind.value, int(is_click), since, until, limit)))
        return [Sum(name, detail, int(messages), int(events)) for name, detail, messages, events in rows]

    async def happenings(self, account_id: int, kinds: Sequence[EventKind], since: int, until: int, limit: int, message_id: int | None = None,
                         campaign_id: int | None = None) -> list[EventView]:  # fmt: skip
        """Openings, clicks or bounces after `since` until `until`, oldest first."""
        params = (account_id, [kind.value for kind in kinds], since, until, message_id, campaign_id, limit)
        return [event_view(row) for row in await self._driver.read(lambda: _rows("happenings", params))]

    async def recipients(self, account_id: int, address_keys: Sequence[str], campaign_id: int | None = None) -> list[RecipientCount]:
        """What became of the messages to these addresses: counted from the messages themselves, at most a page of addresses at a time."""
        rows = await self._driver.read(lambda: _rows("recipient_counts", (account_id, list(address_keys), campaign_id)))
        return [RecipientCount(key, State(state), marks, count, last_at) for key, state, marks, count, last_at in rows]


def event_view(row: Row) -> EventView:
    event: Event = event_of_row(row)
    recipient, submission_id, door, author, subject, campaign_id, campaign, custom_id, options, sent_at = row[9:]
    if submission_id is None:
        return EventView(event)
    payload = "" if options == "{}" else decode_options(options).event_payload
    return EventView(event, recipient, submission_id, door, author, subject, campaign_id, campaign, custom_id, payload, sent_at)


def views(after: Position, limit: int, account_id: int | None) -> Unit[tuple[list[EventView], Position]]:
    name, tail = ("event_views", ()) if account_id is None else ("event_views_of", (account_id,))
    rows = yield Rows(name, (after[1], after[0], limit, *tail))
    return [event_view(row) for row in rows], ((rows[-1][8], rows[-1][0]) if rows else after)


def position(follower: str) -> Unit[Position]:
    rows = yield Rows("follower_get", (follower,))
    return (rows[0][0], rows[0][1]) if rows else START


def move(follower: str, before: Position, after: Position) -> Unit[bool]:
    """Part of the unit that writes what a follower made; False: it is no longer there, and nothing may be written."""
    yield Many("follower_start", [(follower,)])
    return bool((yield Rows("follower_move", (follower, *before, *after))))


def _lease(follower: str, owner: int, now: int, until: int) -> Unit[bool]:
    return bool((yield Rows("follower_lease", (follower, owner, now, until))))


def _run(name: str, rows: Sequence[Row]) -> Unit[None]:
    yield Many(name, rows)


def _rows(name: str, params: Sequence[Any]) -> Unit[list[Row]]:
    rows: list[Row] = yield Rows(name, params)
    return rows


def _add(before: Position, after: Position, fold: Fold) -> Unit[bool]:
    if not (yield from move(FOLLOWER, before, after)):
        return False
    accounts = {key.account_id for key in fold.counters} | {s.key.account_id for s in fold.sightings}
    floors = dict((yield Rows("counter_floors", (sorted(accounts),)))) if accounts else {}
    counters = {key: row for key, row in fold.counters.items() if key.bucket >= floors.get(key.account_id, 0)} if floors else fold.counters
    if counters:
        yield Many("counter_add", [
            (k.account_id, k.axis.value, k.source, k.timing.value, k.resolution.value, k.bucket, k.door, k.provider, *row) for k, row in sorted(
                counters.items(), key=lambda item: (item[0].account_id, item[0].axis, item[0].source, item[0].timing, item[0].resolution,
                                                         item[0].bucket, item[0].door, item[0].provider))])  # fmt: skip
    if fold.sightings:
        yield from _sight(fold, floors)
    return True


def _sight(fold: Fold, floors: dict[int, int]) -> Unit[None]:
    seen = {(m, digest) for m, digest in (yield Rows("reach_seen_among", (sorted({s.message_id for s in fold.sightings}),)))}
    fresh: list[Row] = []
    sums: dict[ReachKey, list[int]] = {}
    for s in fold.sightings:
        mark = (s.message_id, _digest(s.key))
        row = sums.setdefault(s.key, [0, 0])
        row[1] += 1
        if mark not in seen:
            seen.add(mark)
            fresh.append(mark)
            row[0] += 1
    if fresh:
        yield Many("reach_seen_put", fresh)
    yield Many("reach_add", [
        (k.account_id, k.campaign_id, k.kind.value, k.bucket, _digest(k), int(k.is_click), k.name, k.detail, *row) for k, row in sums.items()
        if k.bucket >= floors.get(k.account_id, 0)])  # fmt: skip


def _digest(key: ReachKey) -> str:
    """What a message is counted once under, whatever the day."""
    text = "\0".join((str(key.campaign_id), key.kind.value, str(int(key.is_click)), key.name, key.detail))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _forget() -> Unit[None]:
    begins = yield Rows("counters_begin")
    known = dict((yield Rows("counter_floors", ([account_id for account_id, _, _ in begins],)))) if begins else {}
    for account_id, counted, kept in begins:
        floor = known.get(account_id, 0)
        if counted is not None and kept is None:
            floor = NEVER  # nothing is left to make them of
        elif counted is not None and counted < kept - kept % DAY_US:
            floor = max(floor, kept - kept % DAY_US + DAY_US)  # of the day of the oldest a part may be gone
        if floor and floor != NEVER:
            yield Many("counter_floor_put", [(account_id, floor)])
        yield Many("counters_forget", [(account_id, floor)])
        yield Many("reach_forget", [(account_id, floor)])
    yield Rows("reach_seen_forget")
    yield Rows("follower_reset", (FOLLOWER,))


def _counts(columns: Sequence[Any]) -> dict[str, int]:
    return {name: int(value) for name, value in zip(COUNTS, columns, strict=True)}


def _slices(of: Selection, resolution: Resolution, since: int, until: int) -> Unit[list[Slice]]:
    rows = yield Rows("counter_slices", (of.account_id, of.axis.value, list(of.sources), of.timing.value, resolution.value, since, until, of.door, of.provider))
    return [Slice(source, bucket, _counts(columns)) for source, bucket, *columns in rows]


def _sums(query: str, pieces: Sequence[Piece], *head: Any, tail: Sequence[Any]) -> Unit[list[Slice]]:
    found: dict[str, dict[str, int]] = {}
    for piece in pieces:
        for label, *columns in (yield Rows(query, (*head, piece.resolution.value, piece.since, piece.until, *tail))):
            known = found.setdefault(label, dict.fromkeys(COUNTS, 0))
            for name, value in _counts(columns).items():
                known[name] += value
    since = pieces[0].since if pieces else 0
    return [Slice(label, since, counts) for label, counts in found.items()]
