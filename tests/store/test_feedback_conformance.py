"""What came back, on SQLite and on PostgreSQL: events, marks, states and blocks are one write, and repeating a fact changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.model import (
    LANES,
    Account,
    BlockCause,
    Door,
    EventKind,
    Mark,
    NewMessage,
    Options,
    Outcome,
    OutcomeKind,
    PersonMark,
    Reason,
    Record,
    Settlement,
    State,
    Submission,
)
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want

NOW = 1_790_000_000 * SECOND_US
UNKNOWN = Reason("recipient", "user unknown")
UNSUBSCRIBE = Record(1, EventKind.UNSUBSCRIBED, NOW, marks=Mark.UNSUBSCRIBED, block=BlockCause.UNSUBSCRIBE, is_once=True)
UNDO = Record(1, EventKind.NOTE, NOW, unmarks=Mark.UNSUBSCRIBED, lifts=BlockCause.UNSUBSCRIBE)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


async def queue(store: Database, account: Account, *numbers: int, options: Options | None = None) -> None:
    messages = tuple(NewMessage(n, f"r{n}@example.net", f"r{n}@example.net", "example.net", State.QUEUED, site="mx") for n in numbers)
    mail = b"Subject: Hello\r\n\r\nBody\r\n"
    await store.accept(Submission(numbers[0], account.id, Door.SMTP, "back@acme.test", "news@acme.test", "Hello", options or Options(), NOW, NOW,
                                  NOW + 3 * DAY_US, mail, messages))  # fmt: skip


async def deliver(store: Database, account: Account, *numbers: int) -> None:
    await queue(store, account, *numbers)
    worker = await store.join("test", NOW, NOW + 30 * SECOND_US)
    for claim in await store.claim(worker.id, [Want("mx", (1000,) * LANES)], NOW):
        assert await store.settle(Settlement(claim, Outcome(OutcomeKind.DELIVERED, NOW + SECOND_US, reply="250 ok", code=250)))


async def shown(store: Database, number: int) -> tuple[State, int]:
    view = await store.message(number)
    assert view is not None
    return view.state, view.marks


async def kinds(store: Database, number: int) -> list[str]:
    return [e.kind.value for e in await store.timeline(number)][2:]


async def test_an_opening_is_marked_once_and_told_every_time(store: Database, account: Account) -> None:
    await deliver(store, account, 1)
    by_machine = Record(1, EventKind.OPENED, NOW, data={"reader": "machine"}, marks=Mark.OPENED)
    by_person = Record(1, EventKind.OPENED, NOW, data={"reader": "human"}, marks=Mark.OPENED | PersonMark.OPENED)
    done = await store.record_many([by_machine, by_person, by_person])
    assert [(d.state, d.is_applied, d.is_first) for d in done] == [(State.DELIVERED, True, True), (State.DELIVERED, True, True), (State.DELIVERED, True, False)]
    assert [e.data for e in await store.timeline(1)][2:] == [
        {"reader": "machine", "first": 1, "marked": 1, "site": "mx"}, {"reader": "human", "first": 1, "marked": 16, "marks": 1, "site": "mx"},
        {"reader": "human", "marks": 17, "site": "mx"}]  # fmt: skip
    assert await shown(store, 1) == (State.DELIVERED, 17)


async def test_marks_of_a_burst_can_be_taken_back(store: Database, account: Account) -> None:
    await deliver(store, account, 1)
    click = Record(1, EventKind.CLICKED, NOW, marks=Mark.CLICKED | PersonMark.CLICKED)
    await store.record_many([click])
    await store.record_many([replace(click, marks=int(Mark.CLICKED), unmarks=int(PersonMark.CLICKED))])
    assert await shown(store, 1) == (State.DELIVERED, Mark.CLICKED)
    assert await kinds(store, 1) == ["clicked", "clicked"]


async def test_an_unsubscribe_blocks_campaign_mail_once_and_can_be_undone(store: Database, account: Account) -> None:
    await deliver(store, account, 1)
    first, replayed = await store.record_many([UNSUBSCRIBE, UNSUBSCRIBE])
    assert (first.is_first, replayed.is_applied, replayed.is_first) == (True, True, False)
    assert (await store.record_many([UNSUBSCRIBE]))[0].is_applied
    assert await kinds(store, 1) == ["unsubscribed"]
    assert await shown(store, 1) == (State.DELIVERED, Mark.UNSUBSCRIBED)
    (block,) = await store.blocks(account.id, NOW)
    assert (block.cause, block.address_key, block.until, block.message_id) == (BlockCause.UNSUBSCRIBE, "r1@example.net", None, 1)

    await queue(store, account, 11, options=Options(campaign="may"))
    again = Submission(21, account.id, Door.SMTP, "", "a@b", "", Options(campaign="may"), NOW, NOW, NOW + DAY_US, b"x",
                       (NewMessage(21, "r1@example.net", "r1@example.net", "example.net", State.QUEUED),))  # fmt: skip
    assert (await store.accept(again)).messages[0].reason == Reason("recipient", "blacklisted")

    assert (await store.record_many([UNDO]))[0].is_applied
    assert await store.blocks(account.id, NOW) == []
    assert await shown(store, 1) == (State.DELIVERED, 0)
    assert (await store.record_many([UNSUBSCRIBE]))[0].is_first
    assert await kinds(store, 1) == ["unsubscribed", "note", "unsubscribed"]
    assert len(await store.blocks(account.id, NOW)) == 1


async def test_the_last_word_of_one_batch_holds(store: Database, account: Account) -> None:
    await deliver(store, account, 1)
    await store.record_many([UNSUBSCRIBE, UNDO])
    assert (await store.blocks(account.id, NOW), await shown(store, 1)) == ([], (State.DELIVERED, 0))
    await store.record_many([UNSUBSCRIBE, UNDO, UNSUBSCRIBE])
    assert (len(await store.blocks(account.id, NOW)), await shown(store, 1)) == (1, (State.DELIVERED, Mark.UNSUBSCRIBED))


async def test_a_late_bounce_moves_the_message_once_and_blocks(store: Database, account: Account) -> None:
    await deliver(store, account, 1, 2)
    bounce = Record(1, EventKind.HARD_BOUNCED, NOW, "550 5.1.1 no such user", reason=UNKNOWN, block=BlockCause.HARD_BOUNCE)
    first, again = await store.record_many([bounce, bounce])
    assert (first.is_applied, first.state, again.is_applied, again.state) == (True, State.HARD_BOUNCED, False, State.HARD_BOUNCED)
    assert await kinds(store, 1) == ["hard_bounced", "note"]
    (block,) = await store.blocks(account.id, NOW + 89 * DAY_US)
    assert (block.address_key, block.reply, block.until) == ("r1@example.net", "550 5.1.1 no such user", NOW + 90 * DAY_US)
    soft = replace(bounce, message_id=2, kind=EventKind.SOFT_BOUNCED, block=None, marks=0)
    assert (await store.record_many([soft]))[0].state is State.SOFT_BOUNCED
    view = await store.message(2)
    assert view is not None and view.reason == UNKNOWN
    assert len(await store.blocks(account.id, NOW)) == 1


async def test_a_complaint_blocks_even_when_the_mark_is_refused(store: Database, account: Account) -> None:
    await queue(store, account, 1)
    complaint = Record(1, EventKind.COMPLAINED, NOW, marks=Mark.SPAM, block=BlockCause.COMPLAINT, is_once=True)
    (done,) = await store.record_many([complaint])
    assert (done.is_applied, done.state) == (False, State.QUEUED)
    assert await shown(store, 1) == (State.QUEUED, 0)
    assert [b.cause for b in await store.blocks(account.id, NOW)] == [BlockCause.COMPLAINT]
    bounce = Record(1, EventKind.HARD_BOUNCED, NOW, reason=UNKNOWN, block=BlockCause.HARD_BOUNCE)
    assert not (await store.record_many([bounce]))[0].is_applied
    assert [b.cause for b in await store.blocks(account.id, NOW)] == [BlockCause.COMPLAINT]


async def test_nothing_is_written_while_the_attempt_is_under_way(store: Database, account: Account) -> None:
    await queue(store, account, 1)
    worker = await store.join("test", NOW, NOW + 30 * SECOND_US)
    (claim,) = await store.claim(worker.id, [Want("mx", (10,) * LANES)], NOW)
    opening = Record(1, EventKind.OPENED, NOW, marks=Mark.OPENED, is_patient=True)
    assert (await store.record_many([opening]))[0].is_early
    assert await kinds(store, 1) == []
    await store.settle(Settlement(claim, Outcome(OutcomeKind.DELIVERED, NOW)))
    assert (await store.record_many([opening]))[0].is_first


async def test_a_fact_about_nobody_or_about_a_stranger_changes_nothing(store: Database, account: Account) -> None:
    await deliver(store, account, 1)
    other = await store.add_account("other", NOW)
    opening = Record(1, EventKind.OPENED, NOW, marks=Mark.OPENED)
    unknown, foreign = await store.record_many([replace(opening, message_id=404), replace(opening, account_id=other.id)])
    assert (unknown.state, unknown.is_applied, foreign.state, foreign.is_applied) == (None, False, None, False)
    assert await kinds(store, 1) == []
    (note,) = await store.record_many([Record(0, EventKind.NOTE, NOW, "a report without a token", {"peer": "192.0.2.1"})])
    assert note.is_applied
    events, _ = await store.events((0, 0), 100)
    assert [(e.message_id, e.account_id, e.kind, e.data) for e in events][-1] == (0, 0, EventKind.NOTE, {"peer": "192.0.2.1"})


async def test_what_is_known_of_a_visited_message(store: Database, account: Account) -> None:
    await deliver(store, account, 1, 2)
    old = Record(1, EventKind.CLICKED, NOW - 60 * SECOND_US, data={"link": 1}, marks=Mark.CLICKED)
    new = replace(old, at=NOW, data={"link": 2})
    await store.record_many([old, new, Record(2, EventKind.NOTE, NOW)])
    known = await store.visited([1, 2, 404, 1], NOW - SECOND_US)
    assert sorted(known) == [1, 2]
    assert (known[1].account_id, known[1].marks, known[1].delivered_at) == (account.id, Mark.CLICKED, NOW + SECOND_US)
    assert [e.data["link"] for e in known[1].recent] == [2]
    assert [e.kind for e in known[2].recent] == [EventKind.NOTE]


async def test_many_at_once_lose_nothing(store: Database, account: Account) -> None:
    numbers = range(1, 41)
    await deliver(store, account, *numbers)
    openings = [Record(n, EventKind.OPENED, NOW, marks=Mark.OPENED) for n in numbers for _ in range(5)]
    before = store.driver.syncs
    done = await asyncio.gather(*(store.record_many([r]) for r in openings))
    assert sum(d.is_first for (d,) in done) == 40 and all(d.is_applied for (d,) in done)
    assert [len(await kinds(store, n)) for n in numbers] == [5] * 40
    assert store.driver.syncs - before < 20
