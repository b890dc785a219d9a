"""Uncertain attempts in the store: what becomes of a message that the receiving server may have, and the shelf of those that wait for a person."""

from collections.abc import Iterable, Sequence

from estafette.model import AfterUncertain, EventKind, Flight, State
from estafette.store.driver import Driver
from estafette.store.mail_in import encode_data
from estafette.store.mail_out import as_found, ways
from estafette.store.reports import report_row
from estafette.store.seam import HeldMessage, Policy
from estafette.store.unit import Many, Row, Rows, Unit

GIVEN_UP = "dropped by a person: whether the receiving server took it is not known"
ARRIVED = "a person says that it arrived"
BATCH = 500
SKIPPED_IDS = 1_000_000


class Held:
    """See `seam.HeldShelf` for what each verb promises."""

    def __init__(self, driver: Driver, policy: Policy) -> None:
        self._driver = driver
        self._policy = policy

    async def list(self, account_id: int | None = None, after: int = 0, limit: int = 1000) -> list[HeldMessage]:
        return await self._driver.read(lambda: held(account_id, after, limit))

    async def release(self, message_ids: Sequence[int], now: int) -> int:
        return await self._driver.write(lambda: release(message_ids, now))

    async def drop(self, message_ids: Sequence[int], now: int, *, is_delivered: bool) -> int:
        return await self._driver.write(lambda: drop(message_ids, now, is_delivered, self._policy))


    async def hold_restored(self, now: int) -> int:
        count = 0
        await self._driver.write(forget_workers)
        while held_now := await self._driver.write(lambda: hold_some(now, self._policy)):
            count += held_now
        return count


def held(account_id: int | None, after: int, limit: int) -> Unit[list[HeldMessage]]:
    return [HeldMessage(*row) for row in (yield Rows("held_list", (after, account_id, limit)))]


def release(message_ids: Sequence[int], now: int) -> Unit[int]:
    rows = yield Rows("held_release", (sorted(message_ids), now))
    if rows:
        yield Many("event_put", [(account_id, m, now, EventKind.REQUEUED.value, 1, "", "") for m, account_id in rows])
    return len(rows)


def drop(message_ids: Sequence[int], now: int, is_delivered: bool, policy: Policy) -> Unit[int]:
    rows = yield Rows("held_drop", (sorted(message_ids),))
    site_of = yield from _sites(row[0] for row in rows)
    kind, reply = (EventKind.DELIVERED, ARRIVED) if is_delivered else (EventKind.SOFT_BOUNCED, GIVEN_UP)
    related_to, error = ("", "") if is_delivered else ("system", "system issue")
    settled, events, reports = [], [], []
    for message_id, account_id, attempts in rows:
        after, site = policy.next_state(State.DEFERRED, kind, attempts), site_of[message_id]
        assert after is not None
        data = evidence("person", attempts, site) | {"error_related_to": related_to, "error": error}
        settled.append((message_id, after.value, related_to, error, attempts, now, site))
        events.append((account_id, message_id, now, kind.value, 1, reply, encode_data(data)))
        if not is_delivered:
            reports.append(report_row(message_id, now, "4.4.7", "", reply))
    for name, batch in (("message_settle", settled), ("event_put", events), ("report_put", reports)):
        if batch:
            yield Many(name, batch)
    return len(rows)


def evidence(known_by: str, attempts: int, site: str) -> dict[str, str | int]:
    """What an event tells that settles a waiting message without an attempt of its own."""
    return {"attempt": attempts, "stage": "evidence", "known_by": known_by, **as_found(State.DEFERRED, attempts, site, site)}


def _sites(message_ids: Iterable[int]) -> Unit[dict[int, str]]:
    ids = sorted(message_ids)
    return dict((yield Rows("message_sites", (ids,)))) if ids else {}


def given_back(rows: Sequence[Row], worker_id: int, now: int, flights: Sequence[Flight] | None, policy: Policy) -> Unit[None]:
    """The rows (message, account, attempts, turn, due, site) of a worker that is gone: what it had not begun to hand over is tried again safely, what
    the server took is delivered, and of the rest it is not known."""
    known = None if flights is None else {(f.message_id, f.turn): f for f in flights}
    safe: list[Row] = []
    taken: list[tuple[Row, Flight]] = []
    unknown: list[Row] = []
    for row in rows:
        flight = known.get((row[0], row[3])) if known is not None else None
        if flight is not None and flight.answered_at:
            taken.append((row, flight))
        else:
            (unknown if known is None or flight is not None else safe).append(row)
    if safe:
        yield Many("reclaim_state", [(m, (State.DEFERRED if attempts else State.QUEUED).value, now) for m, _, attempts, *_ in safe])
        yield Many("event_put", [(account_id, m, now, EventKind.RECLAIMED.value, 1, "", encode_data({"worker": worker_id})) for m, account_id, *_ in safe])
    if taken or unknown:
        site_of = yield from _sites(row[0] for row in rows)
        yield from _taken(taken, site_of, policy)
        way_of = yield from ways(row[0] for row in unknown)
        yield from _uncertain(unknown, site_of, way_of, {"worker": worker_id, "guess": int(known is None) or ""}, now, policy)


def _taken(found: Sequence[tuple[Row, Flight]], site_of: dict[int, str], policy: Policy) -> Unit[None]:
    after = policy.next_state(State.SENT, EventKind.DELIVERED, 0)
    assert after is not None
    settled, events = [], []
    for (message_id, account_id, attempts, _, _, queue_site), flight in found:
        before = site_of[message_id]
        site = before or queue_site
        data: dict[str, str | int] = {"attempt": attempts + 1, "host": flight.host, "address": flight.address, "known_by": "flight log"}
        settled.append((message_id, after.value, "", "", attempts + 1, flight.answered_at, site))
        events.append((account_id, message_id, flight.answered_at, EventKind.DELIVERED.value, 1, flight.reply,
                       encode_data(data | as_found(State.SENT, attempts, before, site))))  # fmt: skip
    for name, batch in (("queue_remove", [(row[0],) for row, _ in found]), ("message_settle", settled), ("event_put", events)):
        yield Many(name, batch)


def _uncertain(rows: Sequence[Row], site_of: dict[int, str], way_of: dict[int, AfterUncertain], facts: dict[str, str | int], now: int,
               policy: Policy) -> Unit[None]:  # fmt: skip
    queue, settled, events = [], [], []
    for message_id, account_id, attempts, _, due_at, queue_site in rows:
        way, before = way_of[message_id], site_of[message_id]
        site = before or queue_site
        owner, again_at = policy.resume(way, now, due_at)
        data = {"attempt": attempts + 1, **facts, "way": way.value, "retry_at": again_at}
        queue.append((message_id, owner, attempts + 1, again_at))
        settled.append((message_id, State.DEFERRED.value, "", "", attempts + 1, now, site))
        events.append((account_id, message_id, now, EventKind.UNCERTAIN.value, 1, "", encode_data(data | as_found(State.SENT, attempts, before, site))))
    for name, batch in (("queue_uncertain", queue), ("message_settle", settled), ("event_put", events)):
        yield Many(name, batch)


def forget_workers() -> Unit[None]:
    """Of a database that was restored: nobody whom it knows is alive, and the numbers that were given out since are not given again."""
    yield Many("worker_forget", [()])
    yield Many("worker_skip_ids", [(SKIPPED_IDS,)])


def hold_some(now: int, policy: Policy) -> Unit[int]:
    """Hold the next messages of a restored queue; 0: there are no more."""
    rows = yield Rows("queue_not_held", (BATCH,))
    if rows:
        site_of = yield from _sites(row[0] for row in rows)
        yield from _uncertain(rows, site_of, dict.fromkeys((row[0] for row in rows), AfterUncertain.HOLD), {"restored": 1}, now, policy)
    return len(rows)
