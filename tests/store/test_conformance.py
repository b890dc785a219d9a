"""One contract, two databases: every verb of the seam, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest

from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.model import (
    LANES,
    WHOLE,
    Account,
    BlockCause,
    Claimed,
    DkimKey,
    Door,
    EventKind,
    Lease,
    NewMessage,
    Options,
    Outcome,
    OutcomeKind,
    Reason,
    Settlement,
    State,
    Submission,
)
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Audit, StoreFault, Want

NOW = 1_790_000_000 * SECOND_US
UNKNOWN = Reason("recipient", "user unknown")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


def new_message(number: int, to: str = "", **changes: object) -> NewMessage:
    to = to or f"r{number}@example.net"
    return replace(NewMessage(number, to, to.casefold(), to.rsplit("@", 1)[1], State.QUEUED, site="mx.example.net"), **changes)  # type: ignore[arg-type]


def new_submission(account: Account, *messages: NewMessage, **changes: object) -> Submission:
    made = Submission(messages[0].id, account.id, Door.SMTP, "back@acme.test", "news@acme.test", "Hello", Options(), NOW, NOW, NOW + 3 * DAY_US,
                      b"Subject: Hello\r\n\r\nBody\r\n", messages)  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def outcome(kind: OutcomeKind, **changes: object) -> Outcome:
    return replace(Outcome(kind, NOW + SECOND_US, reply="250 2.0.0 ok", code=250, host="mx.example.net"), **changes)  # type: ignore[arg-type]


async def claim_all(store: Database, now: int = NOW, site: str = "mx.example.net") -> list[Claimed]:
    worker = await store.join("test", now, now + 30 * SECOND_US)
    return await store.claim(worker.id, [Want(site, (1000,) * LANES)], now)


async def state_of(store: Database, message_id: int) -> State:
    found = await store.message(message_id)
    assert found is not None
    return found.state


async def test_accept_claim_settle_is_the_whole_life(store: Database, account: Account) -> None:
    accepted = await store.accept(new_submission(account, new_message(1), new_message(2)))
    assert [m.state for m in accepted.messages] == [State.QUEUED, State.QUEUED]
    assert await store.audit() == Audit(2, 0, 2)
    assert await store.due_sites(NOW, 10) == ["mx.example.net"]

    first, second = await claim_all(store)
    assert (first.message_id, first.recipient, first.attempts) == (1, "r1@example.net", 0)
    assert await state_of(store, 1) is State.SENT
    assert await store.due_sites(NOW, 10) == []
    content = (await store.contents([1]))[1]
    assert (content.raw, content.author, content.reverse_path) == (b"Subject: Hello\r\n\r\nBody\r\n", "news@acme.test", "back@acme.test")

    assert await store.settle(Settlement(first, outcome(OutcomeKind.DELIVERED)))
    deferral = outcome(OutcomeKind.DEFERRED, reply="451 later", retry_at=NOW + 300 * SECOND_US, reason=Reason("domain", "greylisted"))
    assert await store.settle(Settlement(second, deferral))
    assert await state_of(store, 1) is State.DELIVERED
    shown = await store.message(2)
    assert shown is not None
    assert (shown.state, shown.attempts, shown.due_at, shown.reason) == (State.DEFERRED, 1, NOW + 300 * SECOND_US, Reason("domain", "greylisted"))
    assert await store.audit(account.id) == Audit(2, 1, 1)
    assert [e.kind for e in await store.timeline(1)] == [EventKind.ACCEPTED, EventKind.DELIVERED]
    assert [(e.kind, e.reply) for e in await store.timeline(2)] == [(EventKind.ACCEPTED, ""), (EventKind.DEFERRED, "451 later")]
    assert await store.counts(account.id, None, None) == {(State.DELIVERED, 0): 1, (State.DEFERRED, 0): 1}


async def test_a_deferred_message_is_claimed_again_when_due_and_behind_first_attempts(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1)))
    (claim,) = await claim_all(store)
    await store.settle(Settlement(claim, outcome(OutcomeKind.DEFERRED, retry_at=NOW + 60 * SECOND_US, lane=2)))
    await store.accept(new_submission(account, new_message(9), accepted_at=NOW + 50 * SECOND_US, due_at=NOW + 50 * SECOND_US))
    assert [c.message_id for c in await claim_all(store, NOW + 59 * SECOND_US)] == [9]
    await store.accept(new_submission(account, new_message(10), accepted_at=NOW + 61 * SECOND_US, due_at=NOW + 61 * SECOND_US))
    assert [c.message_id for c in await claim_all(store, NOW + 61 * SECOND_US)] == [10, 1]


async def test_a_hard_bounce_blocks_the_address_for_90_days_and_not_longer(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1, "Gone@example.net")))
    (claim,) = await claim_all(store)
    bounced = outcome(OutcomeKind.BOUNCED, reply="550 5.1.1 no such user", reason=UNKNOWN, is_permanent=True, blocks_address=True)
    assert await store.settle(Settlement(claim, bounced))
    assert await state_of(store, 1) is State.HARD_BOUNCED
    (block,) = await store.blocks(account.id, NOW + DAY_US)
    assert (block.cause, block.address_key, block.message_id, block.reply) == (BlockCause.HARD_BOUNCE, "gone@example.net", 1, "550 5.1.1 no such user")

    again = await store.accept(new_submission(account, new_message(2, "gone@example.net"), new_message(3), accepted_at=NOW + 89 * DAY_US))
    assert [(m.state, m.reason) for m in again.messages] == [(State.BLOCKED, Reason("mailjet", "preblocked")), (State.QUEUED, Reason())]
    assert [e.kind for e in await store.timeline(2)] == [EventKind.ACCEPTED, EventKind.BLOCKED]
    free = await store.accept(new_submission(account, new_message(4, "gone@example.net"), accepted_at=NOW + 91 * DAY_US))
    assert free.messages[0].state is State.QUEUED
    assert await store.audit() == Audit(4, 2, 2)


async def test_a_block_of_one_account_does_not_stop_another_and_can_be_lifted(store: Database, account: Account) -> None:
    other = await store.add_account("other", NOW)
    block = await store.add_block(account.id, "a@example.net", BlockCause.MANUAL, NOW, None)
    assert block.until is None
    mine = await store.accept(new_submission(account, new_message(1, "a@example.net")))
    theirs = await store.accept(new_submission(other, new_message(2, "a@example.net")))
    assert (mine.messages[0].state, theirs.messages[0].state) == (State.BLOCKED, State.QUEUED)
    assert await store.lift_blocks(account.id, "a@example.net", NOW + 1, "asked for") == 1
    assert await store.lift_blocks(account.id, "a@example.net", NOW + 2, "asked for") == 0
    assert (await store.accept(new_submission(account, new_message(3, "a@example.net"), accepted_at=NOW + 3))).messages[0].state is State.QUEUED


async def test_an_unsubscribe_stops_campaigns_only(store: Database, account: Account) -> None:
    await store.add_block(account.id, "a@example.net", BlockCause.UNSUBSCRIBE, NOW, None)
    relay = await store.accept(new_submission(account, new_message(1, "a@example.net")))
    campaign = await store.accept(new_submission(account, new_message(2, "a@example.net"), options=Options(campaign="may")))
    assert (relay.messages[0].state, campaign.messages[0].state) == (State.QUEUED, State.BLOCKED)


async def test_a_block_that_came_after_acceptance_is_seen_before_the_attempt(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1), new_message(2)))
    claims = await claim_all(store)
    await store.add_block(account.id, "r1@example.net", BlockCause.COMPLAINT, NOW, None)
    assert await store.still_blocked(claims, NOW + 1) == {1: Reason("recipient", "spam reporter")}
    assert await store.settle(Settlement(claims[0], outcome(OutcomeKind.BLOCKED, reason=Reason("recipient", "spam reporter"))))
    assert await state_of(store, 1) is State.BLOCKED


async def test_the_second_copy_in_a_campaign_is_a_blocked_duplicate(store: Database, account: Account) -> None:
    options = Options(campaign="may", deduplicate=True)
    first = await store.accept(new_submission(account, new_message(1, "a@example.net"), options=options))
    second, third = await store.accept_many([
        new_submission(account, new_message(2, "A@example.net"), new_message(3, "b@example.net"), options=options),
        new_submission(account, new_message(4, "a@example.net"), options=Options(campaign="may")),
    ])  # fmt: skip
    assert first.messages[0].state is State.QUEUED
    assert [(m.state, m.reason.error) for m in second.messages] == [(State.BLOCKED, "duplicate in campaign"), (State.QUEUED, "")]
    assert third.messages[0].state is State.QUEUED  # it did not ask for the check
    assert [m.id for m in await store.messages(campaign="may")] == [1, 2, 3, 4]


async def test_an_idempotency_key_is_answered_once_for_24_hours(store: Database, account: Account) -> None:
    keyed = {"idempotency_key": "k", "fingerprint": b"f" * 32, "answer": b"first"}
    one = await store.accept(new_submission(account, new_message(1), **keyed))
    two = await store.accept(new_submission(account, new_message(2), **keyed))
    assert (one.replayed_answer, two.replayed_answer, two.is_key_conflict) == (None, b"first", False)
    other = await store.accept(new_submission(account, new_message(3), **{**keyed, "fingerprint": b"g" * 32}))
    assert other.is_key_conflict
    assert await store.idempotent_answer(account.id, "k", NOW + 1) == (b"f" * 32, b"first")
    assert await store.audit() == Audit(1, 0, 1)
    later = await store.accept(new_submission(account, new_message(4), accepted_at=NOW + DAY_US + 1, **keyed))
    assert later.replayed_answer is None


async def test_concurrent_requests_with_one_key_make_one_submission(store: Database, account: Account) -> None:
    keyed = {"idempotency_key": "k", "fingerprint": b"f" * 32, "answer": b"first"}
    answers = await asyncio.gather(*(store.accept(new_submission(account, new_message(n), **keyed)) for n in range(1, 21)))
    assert sum(a.replayed_answer is None for a in answers) == 1
    assert (await store.audit()).accepted == 1


async def test_a_retired_worker_settles_nothing_and_its_messages_go_to_another(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1)))
    dead = await store.join("dead", NOW, NOW + SECOND_US)
    (claim,) = await store.claim(dead.id, [Want("mx.example.net", (5,) * LANES)], NOW)
    assert await store.lease_paths(dead.id, ["src|mx.example.net"], NOW, NOW + DAY_US) == ["src|mx.example.net"]
    assert [(w.id, w.lease_until) for w in await store.workers()] == [(dead.id, NOW + SECOND_US)]
    assert await store.retire(dead.id, NOW + 2 * SECOND_US, ()) == 1
    assert await store.retire(dead.id, NOW + 2 * SECOND_US, ()) == 0
    assert await state_of(store, 1) is State.QUEUED
    assert not await store.settle(Settlement(claim, outcome(OutcomeKind.DELIVERED)))
    assert not await store.heartbeat(dead.id, NOW + DAY_US)
    heir = await store.join("heir", NOW, NOW + DAY_US)
    assert heir.id != dead.id
    assert heir.slot == dead.slot
    assert await store.lease_paths(heir.id, ["src|mx.example.net"], NOW + 3, NOW + DAY_US) == ["src|mx.example.net"]
    (second,) = await store.claim(heir.id, [Want("mx.example.net", (5,) * LANES)], NOW + 3 * SECOND_US)
    assert not await store.settle(Settlement(claim, outcome(OutcomeKind.DELIVERED)))
    assert await store.settle(Settlement(second, outcome(OutcomeKind.DELIVERED)))
    assert not await store.settle(Settlement(second, outcome(OutcomeKind.DELIVERED)))
    assert [e.kind for e in await store.timeline(1)] == [EventKind.ACCEPTED, EventKind.RECLAIMED, EventKind.DELIVERED]


async def test_a_retired_worker_claims_nothing(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1)))
    dead = await store.join("dead", NOW, NOW + SECOND_US)
    await store.retire(dead.id, NOW, ())
    assert await store.claim(dead.id, [Want("mx.example.net", (5,) * LANES)], NOW) == []
    assert await state_of(store, 1) is State.QUEUED


async def test_what_a_living_worker_has_forgotten_is_given_back(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, *(new_message(n) for n in range(1, 4))))
    one, two = await store.join("one", NOW, NOW + DAY_US), await store.join("two", NOW, NOW + DAY_US)
    claimed = await store.claim(one.id, [Want("mx.example.net", (2,) * LANES)], NOW) + await store.claim(two.id, [Want("mx.example.net", (2,) * LANES)], NOW)
    assert sorted(await store.held_by(one.id)) == [1, 2] and await store.held_by(two.id) == [3]
    assert await store.reclaim(one.id, [2, 3], NOW + 1) == 1
    assert await store.held_by(one.id) == [1] and await store.held_by(two.id) == [3]
    assert [await state_of(store, n) for n in (1, 2, 3)] == [State.SENT, State.QUEUED, State.SENT]
    assert [e.kind for e in await store.timeline(2)][1:] == [EventKind.RECLAIMED]
    assert [await store.settle(Settlement(claim, outcome(OutcomeKind.DELIVERED))) for claim in claimed] == [True, False, True]


async def test_due_sites_can_be_looked_at_in_turns(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, *(new_message(n, site=site) for n, site in enumerate(("", "a", "b", "c", "late"), 1))))
    await store.accept(new_submission(account, new_message(9, site="d"), due_at=NOW + 5))
    assert await store.due_sites(NOW, 3) == ["", "a", "b"]
    assert await store.due_sites(NOW, 3, "b") == ["", "c", "late"]
    assert await store.due_sites(NOW + 5, 10, "b") == ["", "c", "d", "late"]
    assert await store.due_sites(NOW, 3, "late") == [""]


async def test_a_path_has_one_holder_until_its_lease_ends(store: Database) -> None:
    one, two = await store.join("one", NOW, NOW + DAY_US), await store.join("two", NOW, NOW + DAY_US)
    assert await store.lease_paths(one.id, ["a", "b"], NOW, NOW + 10) == ["a", "b"]
    assert await store.lease_paths(two.id, ["a", "c"], NOW + 5, NOW + 15) == ["c"]
    assert await store.lease_paths(two.id, ["a"], NOW + 11, NOW + 20) == ["a"]
    await store.release_paths(two.id, ["a"])
    assert await store.lease_paths(one.id, ["a"], NOW + 12, NOW + 20) == ["a"]
    assert {lease.path: lease.owner for lease in await store.leases()} == {"a": one.id, "b": one.id, "c": two.id}


async def test_parts_of_a_path_never_overlap_and_a_dead_holder_keeps_nobody_off(store: Database) -> None:
    one, two, three = [await store.join(name, NOW, NOW + DAY_US) for name in ("one", "two", "three")]
    half, rest = Lease("a", one.id, NOW + 10, 0, WHOLE // 2, 2), Lease("a", two.id, NOW + 10, WHOLE // 2, WHOLE, 2, '["slow"]')
    assert await store.lease_paths(one.id, ["a"], NOW, NOW + 10) == ["a"]
    assert not await store.share_path(two.id, rest, NOW), "the whole is taken"
    assert await store.shared_paths() == []
    assert await store.share_path(one.id, half, NOW) and await store.share_path(two.id, rest, NOW)
    assert await store.shared_paths() == [half, rest]
    assert not await store.share_path(one.id, replace(half, high=WHOLE // 2 + 1), NOW), "it would reach into the other's part"
    assert not await store.share_path(three.id, Lease("a", three.id, NOW + 10, 5, 6, 2), NOW)
    assert await store.lease_paths(three.id, ["a"], NOW, NOW + 10) == []
    assert await store.lease_paths(one.id, ["a"], NOW, NOW + 20) == ["a"], "prolonged, not widened"
    assert [(lease.owner, lease.until, lease.high) for lease in await store.shared_paths()] == [(one.id, NOW + 20, WHOLE // 2), (two.id, NOW + 10, WHOLE)]
    assert await store.share_path(one.id, replace(half, high=WHOLE, until=NOW + 30, holders=1), NOW + 11), "the other's lease has run out"
    assert await store.lease_paths(two.id, ["a"], NOW + 12, NOW + 20) == []
    await store.retire(one.id, NOW + 13, ())
    assert not await store.share_path(one.id, half, NOW + 14), "who was declared dead takes nothing"
    assert await store.lease_paths(two.id, ["a"], NOW + 15, NOW + 20) == ["a"]


async def test_many_take_parts_at_once_and_hold_no_more_than_the_whole(store: Database) -> None:
    workers = [await store.join(f"w{n}", NOW, NOW + DAY_US) for n in range(4)]
    wanted = [Lease("a", w.id, NOW + 10, low, low + WHOLE // 3, 3) for w in workers for low in range(0, WHOLE // 2, WHOLE // 8)]
    await asyncio.gather(*(store.share_path(lease.owner, lease, NOW) for lease in wanted))
    held = sorted((lease.low, lease.high) for lease in await store.shared_paths())
    assert held and all(high <= low for (_, high), (low, _) in pairwise(held)), held


async def test_two_workers_never_claim_the_same_message(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, *(new_message(n) for n in range(1, 201))))
    workers = [await store.join(f"w{n}", NOW, NOW + DAY_US) for n in range(4)]
    taken = await asyncio.gather(*(store.claim(w.id, [Want("mx.example.net", (30,) * LANES)], NOW) for w in workers for _ in range(2)))
    ids = [c.message_id for batch in taken for c in batch]
    assert len(ids) == len(set(ids)) == 200


async def test_released_messages_wait_again_without_an_attempt_and_may_change_site(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1, site="")))
    (claim,) = await claim_all(store, site="")
    assert await store.settle(Settlement(claim, outcome(OutcomeKind.RELEASED, site="mx.other.net", retry_at=NOW)))
    shown = await store.message(1)
    assert shown is not None
    assert (shown.state, shown.attempts) == (State.QUEUED, 0)
    assert await store.due_sites(NOW, 10) == ["mx.other.net"]


async def test_messages_past_their_deadline_are_given_up_whatever_their_due_time(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1), new_message(2)))
    one, _ = await claim_all(store)
    late = outcome(OutcomeKind.DEFERRED, retry_at=NOW + 30 * DAY_US, reason=Reason("recipient", "quota exceeded"))
    await store.settle(Settlement(one, late))
    assert await store.expire(NOW + DAY_US, 10) == 0
    assert await store.expire(NOW + 3 * DAY_US, 10) == 1  # message 2 is in a worker's hands
    assert await state_of(store, 1) is State.SOFT_BOUNCED
    (block,) = await store.blocks(account.id, NOW + 4 * DAY_US)
    assert (block.cause, block.until) == (BlockCause.SOFT_BOUNCE, NOW + 93 * DAY_US)


async def test_what_is_past_its_deadline_is_not_taken_any_more(store: Database, account: Account) -> None:
    """It was taken, given back by the attempt, and taken again at once, so that the look at deadlines hardly ever found it free."""
    await store.accept(new_submission(account, new_message(1)))
    (one,) = await claim_all(store)
    late = NOW + 3 * DAY_US
    await store.settle(Settlement(one, Outcome(OutcomeKind.RELEASED, late)))
    assert await claim_all(store, late) == []
    assert await store.expire(late, 10) == 1


async def test_late_reports_and_marks_obey_the_table(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1), new_message(2)))
    one, two = await claim_all(store)
    assert await store.record(1, EventKind.OPENED, NOW, "", {}, Reason()) is None  # nobody has it yet
    await store.settle(Settlement(one, outcome(OutcomeKind.DELIVERED)))
    await store.settle(Settlement(two, outcome(OutcomeKind.DELIVERED)))
    assert await store.record(1, EventKind.CLICKED, NOW, "", {"url": "https://x"}, Reason()) is State.DELIVERED
    assert await store.record(2, EventKind.HARD_BOUNCED, NOW, "550 gone", {}, UNKNOWN) is State.HARD_BOUNCED
    assert await store.record(2, EventKind.OPENED, NOW, "", {}, Reason()) is None
    assert await store.record(404, EventKind.OPENED, NOW, "", {}, Reason()) is None
    assert [e.kind for e in await store.timeline(1)][-2:] == [EventKind.DELIVERED, EventKind.CLICKED]
    assert [e.kind for e in await store.timeline(2)][-1] is EventKind.NOTE
    assert [m.id for m in await store.messages(mark=2)] == [1]
    assert [b.address_key for b in await store.blocks(None, NOW)] == ["r2@example.net"]
    assert await store.audit() == Audit(2, 2, 0)


async def test_retry_now_brings_waiting_messages_forward(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1), new_message(2, "x@other.net"), due_at=NOW + DAY_US))
    assert await store.retry_now(NOW, domain="other.net") == 1
    assert [c.message_id for c in await claim_all(store)] == [2]
    assert await store.retry_now(NOW, message_id=1) == 1
    (backlog,) = await store.backlog(NOW)
    assert (backlog.site, backlog.waiting, backlog.in_flight) == ("mx.example.net", 2, 1)


async def test_events_are_read_with_a_cursor(store: Database, account: Account) -> None:
    for n in range(1, 6):
        await store.accept(new_submission(account, new_message(n)))
    seen, cursor = [], (0, 0)
    while True:
        page, cursor = await store.events(cursor, 2)
        if not page:
            break
        seen += [e.message_id for e in page]
    assert seen == [1, 2, 3, 4, 5]


async def test_accounts_keys_authors_and_signing_keys(store: Database, account: Account) -> None:
    assert await store.account("acme") == account
    assert await store.account("nobody") is None
    await store.add_key(account.id, "key", b"s" * 32, NOW)
    found = await store.credential("key")
    assert found is not None
    assert (found.account, found.secret_sha256, found.is_active) == (account, b"s" * 32, True)
    assert await store.credential("nokey") is None
    await store.add_sender(account.id, "a@acme.test", True, NOW)
    await store.add_sender(account.id, "b@acme.test", False, NOW)
    assert await store.add_domain(account.id, "acme.test", False, "token", NOW) == "token"
    assert (await store.authors(account.id)).domains == frozenset()
    assert await store.add_domain(account.id, "acme.test", True, "other", NOW) == "token"
    authors = await store.authors(account.id)
    assert (authors.addresses, authors.domains) == ({"a@acme.test"}, {"acme.test"})
    key = DkimKey("acme.test", "s1", "rsa-sha256", b"sealed")
    await store.add_dkim_key(account.id, key, NOW)
    assert await store.dkim_keys(account.id, "acme.test") == [key]
    with pytest.raises(StoreFault):
        await store.add_account("acme", NOW)
    assert await store.secret("mac", b"one") == await store.secret("mac", b"two") == b"one"


async def test_a_bad_submission_fails_alone_in_its_batch(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1)))
    results = await asyncio.gather(*(store.accept(new_submission(account, new_message(n))) for n in (2, 1, 3)), return_exceptions=True)
    assert [isinstance(r, StoreFault) for r in results] == [False, True, False]
    assert (await store.audit()).accepted == 3


async def test_large_content_comes_back_identical(store: Database, account: Account) -> None:
    body = bytes(range(256)) * 1000 + b"x" * 100_000
    await store.accept(new_submission(account, new_message(1), content=body))
    assert (await store.contents([1]))[1].raw == body


async def test_reopening_finds_everything_and_migrates_nothing(database_url: str) -> None:
    first = await open_store(database_url, StatusPolicy(), ManualClock())
    account = await first.add_account("acme", NOW)
    await first.accept(new_submission(account, new_message(1)))
    await first.close()
    second = await open_store(database_url, StatusPolicy(), ManualClock())
    assert await second.audit() == Audit(1, 0, 1)
    await second.close()


async def test_a_message_of_a_retired_worker_is_queued_for_all(store: Database, account: Account) -> None:
    living = await store.join("living", NOW, NOW + 30 * SECOND_US)
    dead = await store.join("dead", NOW, NOW + 30 * SECOND_US, delivers=False)
    assert [(w.name, w.delivers) for w in await store.workers()] == [("living", True), ("dead", False)]
    await store.retire(dead.id, NOW, ())
    mine, orphan = (new_message(n, state=State.SENT, owner=w.id) for n, w in ((1, living), (2, dead)))
    accepted = await store.accept(new_submission(account, mine, orphan))
    assert [(m.state, m.owner) for m in accepted.messages] == [(State.SENT, living.id), (State.QUEUED, 0)]
    assert [c.message_id for c in await claim_all(store)] == [2]


async def test_a_call_stands_or_falls_with_its_keys(store: Database, account: Account) -> None:
    """Two calls race with one key: of the second nothing is stored, not even what has no key of its own."""
    first = [new_submission(account, new_message(1)), new_submission(account, new_message(2), idempotency_key="k", fingerprint=b"a", answer=b"A")]
    second = [new_submission(account, new_message(3)), new_submission(account, new_message(4), idempotency_key="k", fingerprint=b"b", answer=b"B")]
    one, two = await asyncio.gather(store.accept_many(first), store.accept_many(second))
    assert [a.replayed_answer for a in one] == [None, None]
    assert [(a.replayed_answer, a.is_key_conflict) for a in two] == [(b"A", True), (b"A", True)]
    assert await store.audit() == Audit(2, 0, 2)


async def test_accounts_and_keys_can_be_changed(store: Database, account: Account) -> None:
    await store.add_key(account.id, "k1", b"s" * 32, NOW)
    assert (await store.configure_account(account.id, rate_per_s=50)).rate_per_s == 50
    changed = await store.configure_account(account.id, is_active=False)
    assert (changed.is_active, changed.rate_per_s) == (False, 50)
    assert await store.keys(account.id) == [("k1", True)]
    assert await store.switch_key("k1", False) and not await store.switch_key("nobody", False)
    credential = await store.credential("k1")
    assert credential is not None and not credential.is_active and not credential.account.is_active


async def test_where_a_message_stands_in_the_queue(store: Database, account: Account) -> None:
    for number in (1, 2, 3):
        await store.accept(new_submission(account, new_message(number), due_at=NOW + number))
    worker = await store.join("w1", NOW, NOW + 30 * SECOND_US)
    found = await store.waiting(3, NOW + SECOND_US)
    assert found is not None and (found.ahead, found.in_flight, found.worker, found.owner) == (2, 0, "", 0)
    await store.lease_paths(worker.id, ["mx.example.net"], NOW, NOW + 30 * SECOND_US)
    await store.claim(worker.id, [Want("mx.example.net", (1,) * LANES)], NOW + SECOND_US)
    found = await store.waiting(3, NOW + SECOND_US)
    assert found is not None and (found.ahead, found.in_flight, found.worker, found.site) == (1, 1, "w1", "mx.example.net")
    assert await store.waiting(99, NOW) is None


async def test_an_answer_from_an_earlier_claim_by_the_same_worker_changes_nothing(store: Database, account: Account) -> None:
    """A release whose answer was lost is written again; by then the worker has claimed the message anew."""
    await store.accept(new_submission(account, new_message(1)))
    worker = await store.join("w", NOW, NOW + 30 * SECOND_US)
    (first,) = await store.claim(worker.id, [Want("mx.example.net", (1,) * LANES)], NOW)
    release = Settlement(first, outcome(OutcomeKind.RELEASED))
    assert await store.settle(release)
    (second,) = await store.claim(worker.id, [Want("mx.example.net", (1,) * LANES)], NOW + DAY_US)
    assert (first.owner, first.turn, second.turn) == (second.owner, 1, 2)
    assert not await store.settle(release)
    assert await store.settle(Settlement(second, outcome(OutcomeKind.DELIVERED)))


async def test_a_message_that_waits_for_its_first_attempt_can_be_cancelled(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1), new_message(2)))
    other = await store.add_account("other", NOW)
    assert not await store.cancel(1, other.id, NOW, "")
    assert not await store.cancel(99, None, NOW, "")
    assert await store.cancel(1, account.id, NOW + 1, "changed my mind")
    assert not await store.cancel(1, account.id, NOW + 1, "")
    view = await store.message(1)
    assert view is not None
    assert (view.state, view.reason, view.updated_at) == (State.BLOCKED, Reason("mailjet", "cancelled"), NOW + 1)
    assert [(e.kind, e.reply) for e in await store.timeline(1)][-1] == (EventKind.BLOCKED, "changed my mind")
    (claim,) = await claim_all(store)
    assert not await store.cancel(2, None, NOW, ""), "held for its attempt"
    await store.settle(Settlement(claim, outcome(OutcomeKind.DEFERRED, retry_at=NOW)))
    assert not await store.cancel(2, None, NOW, ""), "tried before"
    assert await store.audit(account.id) == Audit(2, 1, 1)


async def test_campaigns_and_accounts_share_what_is_taken_and_none_is_left_out(store: Database, account: Account) -> None:
    other = await store.add_account("other", NOW)
    news = Options(campaign="news", monitoring_category="letters")
    await store.accept(new_submission(account, *(new_message(n) for n in range(100, 140)), options=news))
    await store.accept(new_submission(other, new_message(200), new_message(201)))
    await store.accept(new_submission(account, new_message(300)))
    worker = await store.join("test", NOW, NOW + 30 * SECOND_US)
    taken = await store.claim(worker.id, [Want("mx.example.net", (9,) * LANES)], NOW)
    assert sorted((c.account, c.campaign, c.stream) for c in taken) == [("acme", "", "")] + [("acme", "news", "letters")] * 6 + [("other", "", "")] * 2
    rest = await store.claim(worker.id, [Want("mx.example.net", (100,) * LANES)], NOW)
    assert {c.message_id for c in taken} | {c.message_id for c in rest} == {*range(100, 140), 200, 201, 300}
    one = [await store.accept(new_submission(a, new_message(400 + n))) for n, a in enumerate((account, other))]
    assert len(one) == 2
    turns = {(await store.claim(worker.id, [Want("mx.example.net", (1,) * LANES)], NOW))[0].account for _ in range(2)}
    assert turns == {"acme", "other"}


async def test_a_held_campaign_account_or_destination_waits_whole_and_goes_on_whole(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1), options=Options(campaign="news")))
    await store.accept(new_submission(account, new_message(2)))
    await store.accept(new_submission(account, new_message(3, "a@slow.example", site="@slow.example")))
    worker = await store.join("test", NOW, NOW + 30 * SECOND_US)

    async def due() -> list[str]:
        return await store.due_sites(NOW, 10)

    assert not await store.holds.put(account.id, "no such campaign", "", NOW, "")
    assert await store.holds.put(account.id, "news", "", NOW, "wrong link")
    assert await store.holds.put(0, "", "slow.example", NOW, "asked for")
    held = [(h.account, h.campaign, h.domain, h.reason) for h in await store.holds.all()]
    assert held == [("acme", "news", "", "wrong link"), ("", "", "slow.example", "asked for")]
    assert await due() == ["mx.example.net"]
    (claim,) = await store.claim(worker.id, [Want(site, (10,) * LANES) for site in ("mx.example.net", "@slow.example")], NOW)
    assert claim.message_id == 2
    await store.settle(Settlement(claim, outcome(OutcomeKind.RELEASED)))
    assert await store.holds.put(account.id, "", "", NOW, "everything")
    assert await due() == []
    assert await store.holds.lift(0, "", "slow.example") and not await store.holds.lift(0, "", "slow.example")
    assert await store.holds.lift(account.id, "", "")
    assert await due() == ["@slow.example", "mx.example.net"]
    assert await store.holds.lift(account.id, "news", "")
    assert {c.message_id for c in await store.claim(worker.id, [Want("mx.example.net", (10,) * LANES)], NOW)} == {1, 2}


async def test_a_destination_that_one_account_holds_goes_on_for_the_others(store: Database, account: Account) -> None:
    other = await store.add_account("other", NOW)
    for number, (owner, site) in enumerate(((account, "@slow.example"), (other, "@slow.example"), (account, "mx.example.net")), 1):
        await store.accept(new_submission(owner, new_message(number, "a@slow.example", site=site)))
    worker = await store.join("test", NOW, NOW + 30 * SECOND_US)
    assert await store.holds.put(account.id, "", "slow.example", NOW, "their server is moved")
    assert [(h.account_id, h.account, h.domain) for h in await store.holds.all()] == [(account.id, "acme", "slow.example")]
    assert await store.due_sites(NOW, 10) == ["@slow.example", "mx.example.net"]
    (claim,) = await store.claim(worker.id, [Want("@slow.example", (10,) * LANES)], NOW)
    assert claim.account == "other"
    assert await store.due_sites(NOW, 10) == ["mx.example.net"]
    await store.settle(Settlement(claim, outcome(OutcomeKind.RELEASED)))
    assert not await store.holds.lift(0, "", "slow.example"), "that would be everybody's"
    assert await store.holds.put(account.id, "", "slow.example", NOW, "given up", is_purge=True)
    while await store.holds.work(NOW + 1, 1):
        pass
    assert {m.id: m.state for m in await store.messages()} == {1: State.BLOCKED, 2: State.QUEUED, 3: State.BLOCKED}
    assert await store.holds.lift(account.id, "", "slow.example")
    assert await store.holds.all() == []


async def test_a_purge_ends_what_waits_and_nothing_else(store: Database, account: Account) -> None:
    news = Options(campaign="news")
    await store.accept(new_submission(account, *(new_message(n) for n in range(1, 8)), options=news))
    await store.accept(new_submission(account, new_message(20)))
    worker = await store.join("test", NOW, NOW + 30 * SECOND_US)
    flying, tried = await store.claim(worker.id, [Want("mx.example.net", (2,) * LANES)], NOW)
    if 20 in (flying.message_id, tried.message_id):
        flying, tried = sorted((flying, tried), key=lambda c: c.message_id)[0], (await store.claim(worker.id, [Want("mx.example.net", (1,) * LANES)], NOW))[0]
    await store.settle(Settlement(tried, outcome(OutcomeKind.DEFERRED, retry_at=NOW + DAY_US, lane=2)))
    await store.holds.put(account.id, "news", "", NOW, "wrong link", is_purge=True)
    late = await store.accept(new_submission(account, new_message(30), options=news, accepted_at=NOW + 1, due_at=NOW + 1))
    assert late.messages[0].state is State.QUEUED
    ended = 0
    for _ in range(20):
        ended += await store.holds.work(NOW + 2, 3)
    assert await store.holds.all() != []  # one is still under way
    await store.settle(Settlement(flying, outcome(OutcomeKind.DELIVERED)))
    for _ in range(3):
        ended += await store.holds.work(NOW + 2, 3)
    assert await store.holds.all() == []
    states = {m.id: m.state for m in await store.messages(campaign="news")}
    assert states.pop(flying.message_id) is State.DELIVERED
    assert states.pop(30) is State.QUEUED
    if tried.message_id != 20:
        assert states.pop(tried.message_id) is State.SOFT_BOUNCED
    assert set(states.values()) == {State.BLOCKED} and ended >= 5
    assert [e.reply for e in await store.timeline(next(iter(states)))][-1] == "purged: wrong link"
    sums = await store.audit()
    assert sums.accepted == sums.final + sums.queued


async def test_many_blocks_at_once_stop_who_is_not_stopped_for_good(store: Database, account: Account) -> None:
    await store.add_block(account.id, "known@b.test", BlockCause.MANUAL, NOW, None)
    await store.add_block(account.id, "resting@b.test", BlockCause.SOFT_BOUNCE, NOW, NOW + DAY_US)
    keys = ["known@b.test", "resting@b.test", "new@b.test", "new@b.test"]
    assert await store.add_blocks(account.id, keys, BlockCause.IMPORT, NOW, "a list") == 2
    assert await store.add_blocks(account.id, keys, BlockCause.IMPORT, NOW, "a list") == 0
    assert await store.add_blocks(account.id, [], BlockCause.IMPORT, NOW, "a list") == 0
    assert {b.address_key for b in await store.blocks(account.id, NOW + 2 * DAY_US)} == {"known@b.test", "resting@b.test", "new@b.test"}
