"""Uncertain attempts on SQLite and on PostgreSQL: what is known is written, what is not is marked, and account or submission say what happens then."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.model import (
    LANES,
    Account,
    AfterUncertain,
    Door,
    EventKind,
    Flight,
    Mark,
    NewMessage,
    Options,
    Outcome,
    OutcomeKind,
    Reason,
    Record,
    Settlement,
    State,
    Submission,
)
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Audit, Want

NOW = 1_790_000_000 * SECOND_US
HOUR_US = 3600 * SECOND_US
LATER = NOW + 60 * SECOND_US
BROKEN = Outcome(OutcomeKind.DEFERRED, LATER, reply="connection lost", stage="body", is_uncertain=True, retry_at=LATER + SECOND_US)
A, U, D, Q = EventKind.ACCEPTED, EventKind.UNCERTAIN, EventKind.DELIVERED, EventKind.REQUEUED


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(evidence_wait_s=3600.0), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


async def put(store: Database, account: Account, *numbers: int, way: str = "") -> None:
    messages = tuple(NewMessage(n, f"r{n}@example.net", f"r{n}@example.net", "example.net", State.QUEUED, site="mx") for n in numbers)
    await store.accept(Submission(messages[0].id, account.id, Door.SMTP, "back@acme.test", "news@acme.test", "Hello", Options(after_uncertain=way), NOW, NOW,
                                  NOW + 3 * DAY_US, b"Subject: Hello\r\n\r\nBody\r\n", messages))  # fmt: skip


async def broken(store: Database, account: Account, *numbers: int, way: str = "") -> None:
    """Messages whose only attempt ended without an answer to the final dot."""
    await put(store, account, *numbers, way=way)
    worker = await store.join("w", NOW, NOW + DAY_US)
    for claim in await store.claim(worker.id, [Want("mx", (10,) * LANES)], NOW):
        assert await store.settle(Settlement(claim, BROKEN))
    await store.retire(worker.id, LATER, ())


async def kinds(store: Database, message_id: int) -> list[EventKind]:
    return [event.kind for event in await store.timeline(message_id)]


async def states(store: Database) -> dict[int, State]:
    return {m.id: m.state for m in await store.messages()}


async def claimable(store: Database, now: int) -> list[int]:
    worker = await store.join("heir", now, now + DAY_US)
    claimed = [c.message_id for c in await store.claim(worker.id, [Want("mx", (100,) * LANES)], now)]
    await store.retire(worker.id, now, ())
    return sorted(claimed)


async def test_of_a_worker_that_is_gone_exactly_what_was_in_the_air_is_uncertain(store: Database, account: Account) -> None:
    await put(store, account, 1, 2, 3, 4)
    gone = await store.join("gone", NOW, NOW + SECOND_US)
    turns = {c.message_id: c.turn for c in await store.claim(gone.id, [Want("mx", (10,) * LANES)], NOW)}
    flights = [Flight(1, turns[1]), Flight(2, turns[2], LATER - 5, "mx.example.net", "192.0.2.1", "250 ok"), Flight(3, turns[3] + 1), Flight(99, 1)]
    assert await store.retire(gone.id, LATER, flights) == 4
    assert await states(store) == {1: State.DEFERRED, 2: State.DELIVERED, 3: State.QUEUED, 4: State.QUEUED}
    assert [await kinds(store, n) for n in (1, 2, 3, 4)] == [[A, U], [A, D], [A, EventKind.RECLAIMED], [A, EventKind.RECLAIMED]]
    told = (await store.timeline(2))[-1]
    assert (told.at, told.reply) == (LATER - 5, "250 ok")
    assert told.data == {"attempt": 1, "host": "mx.example.net", "address": "192.0.2.1", "known_by": "flight log", "site": "mx"}
    unknown = (await store.timeline(1))[-1]
    assert unknown.data == {"attempt": 1, "worker": gone.id, "way": "repeat", "retry_at": NOW, "site": "mx"}
    assert [(m.id, m.attempts) for m in await store.messages()] == [(1, 1), (2, 1), (3, 0), (4, 0)]
    assert await claimable(store, LATER) == [1, 3, 4]
    assert await store.audit() == Audit(4, 1, 3)


async def test_of_a_worker_whose_log_is_not_here_nothing_is_known(store: Database, account: Account) -> None:
    await put(store, account, 1, 2)
    gone = await store.join("gone", NOW, NOW + SECOND_US)
    await store.claim(gone.id, [Want("mx", (10,) * LANES)], NOW)
    assert await store.retire(gone.id, LATER, None) == 2
    assert [await kinds(store, n) for n in (1, 2)] == [[A, U], [A, U]]
    assert (await store.timeline(1))[-1].data["guess"] == 1


async def test_an_attempt_without_an_answer_is_repeated_by_default(store: Database, account: Account) -> None:
    await broken(store, account, 1)
    assert await kinds(store, 1) == [A, U]
    assert await states(store) == {1: State.DEFERRED}
    assert await claimable(store, LATER) == [] and await claimable(store, LATER + SECOND_US) == [1]
    assert await store.held.list() == []


@pytest.mark.parametrize("by", ["account", "submission"])
async def test_held_until_a_person_decides(store: Database, account: Account, by: str) -> None:
    if by == "account":
        assert (await store.configure_account(account.id, after_uncertain=AfterUncertain.HOLD)).after_uncertain is AfterUncertain.HOLD
    await broken(store, account, 1, 2, 3, way="hold" if by == "submission" else "")
    assert await claimable(store, LATER + DAY_US) == []
    held = await store.held.list(account.id)
    assert [(m.message_id, m.recipient, m.subject, m.attempts, m.uncertain, m.since) for m in held] == [
        (n, f"r{n}@example.net", "Hello", 1, 1, LATER) for n in (1, 2, 3)]  # fmt: skip
    assert await store.held.list(account.id, after=2) == held[2:] and await store.held.list(account.id + 1) == []
    assert await store.retry_now(LATER, message_id=1) == 0
    assert [(b.waiting, b.in_flight) for b in await store.backlog(LATER)] == [(3, 0)]
    assert await store.held.release([1, 99], LATER) == 1
    assert await store.held.drop([2], LATER, is_delivered=True) == 1
    assert await store.held.drop([1, 3], LATER, is_delivered=False) == 1
    assert await claimable(store, LATER) == [1]
    assert await states(store) == {1: State.DEFERRED, 2: State.DELIVERED, 3: State.SOFT_BOUNCED}
    assert [(await kinds(store, n))[:3] for n in (1, 2, 3)] == [[A, U, Q], [A, U, D], [A, U, EventKind.SOFT_BOUNCED]]
    assert await store.audit() == Audit(3, 2, 1)
    assert await store.blocks(account.id, LATER) == []


async def test_a_submission_may_ask_for_less_than_its_account(store: Database, account: Account) -> None:
    await store.configure_account(account.id, after_uncertain=AfterUncertain.HOLD)
    await broken(store, account, 1, way="repeat")
    assert await claimable(store, LATER + SECOND_US) == [1]


async def test_what_is_held_does_not_outlive_its_deadline(store: Database, account: Account) -> None:
    await broken(store, account, 1, way="hold")
    assert await store.expire(NOW + 3 * DAY_US - 1, 10) == 0
    assert await store.expire(NOW + 3 * DAY_US, 10) == 1
    assert await states(store) == {1: State.SOFT_BOUNCED}


async def test_waiting_for_evidence_and_none_comes(store: Database, account: Account) -> None:
    await broken(store, account, 1, way="wait")
    assert await claimable(store, LATER + HOUR_US - 1) == [] and await claimable(store, LATER + HOUR_US) == [1]


@pytest.mark.parametrize("way", ["wait", "repeat", "hold"])
@pytest.mark.parametrize(("kind", "mark", "state"), [
    (EventKind.OPENED, Mark.OPENED, State.DELIVERED), (EventKind.COMPLAINED, Mark.SPAM, State.DELIVERED),
    (EventKind.HARD_BOUNCED, 0, State.HARD_BOUNCED),
])  # fmt: skip
async def test_evidence_that_it_arrived(store: Database, account: Account, way: str, kind: EventKind, mark: int, state: State) -> None:
    await broken(store, account, 1, 2, way=way)
    record = Record(1, kind, LATER + 5, "they said", marks=mark, account_id=account.id)
    assert [r.state for r in await store.record_many([replace(record, account_id=account.id + 1), record])] == [None, state]
    assert await kinds(store, 1) == [A, U, D, kind]
    assert (await store.timeline(1))[2].data == {"attempt": 1, "stage": "evidence", "known_by": kind.value, "was": "deferred", "site": "mx"}
    assert await states(store) == {1: state, 2: State.DEFERRED}
    assert await claimable(store, LATER + DAY_US) == ([] if way == "hold" else [2])
    assert await store.audit() == Audit(2, 1, 1)


async def test_a_message_that_certainly_failed_is_not_delivered_by_a_stray_report(store: Database, account: Account) -> None:
    await put(store, account, 1)
    worker = await store.join("w", NOW, NOW + DAY_US)
    (claim,) = await store.claim(worker.id, [Want("mx", (10,) * LANES)], NOW)
    await store.settle(Settlement(claim, replace(BROKEN, is_uncertain=False)))
    assert await store.record(1, EventKind.OPENED, LATER, "", {}, Reason()) is None
    assert await kinds(store, 1) == [A, EventKind.DEFERRED, EventKind.NOTE]


async def test_a_restored_queue_is_held_whoever_seemed_to_have_it(store: Database, account: Account) -> None:
    await put(store, account, 1, 2, 3)
    lost = await store.join("lost", NOW, NOW + DAY_US)
    await store.claim(lost.id, [Want("mx", (1,) * LANES)], NOW)
    assert await store.held.hold_restored(LATER) == 3
    assert await store.held.hold_restored(LATER) == 0
    assert await store.workers() == []
    assert [m.message_id for m in await store.held.list()] == [1, 2, 3]
    assert [(await kinds(store, n))[1:] for n in (1, 2, 3)] == [[U]] * 3
    assert (await store.join("new", LATER, LATER + DAY_US)).id > lost.id + 1_000_000
    assert await claimable(store, LATER + DAY_US) == []
    assert await store.audit() == Audit(3, 0, 3)
