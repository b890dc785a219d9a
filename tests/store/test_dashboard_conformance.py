"""The shelves behind the dashboard (users, screens, exports), on both databases."""

from collections.abc import AsyncIterator, Sequence

import pytest

from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.model import (
    LANES,
    BlockCause,
    Door,
    EventKind,
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
from estafette.store.seam import Want
from estafette.views import Choice, Log, Role

NOW = 1_790_000_000 * SECOND_US


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


def submission(number: int, account_id: int, recipients: Sequence[str], **options: object) -> Submission:
    """A submission whose messages have the ids from `number` on; a recipient that begins with "x" is blocked at the door."""
    messages = tuple(
        NewMessage(number + i, to, to, to.rpartition("@")[2], State.BLOCKED if to.startswith("x") else State.QUEUED,
                   Reason("domain", "typofix") if to.startswith("x") else Reason()) for i, to in enumerate(recipients)
    )  # fmt: skip
    given = Options(**options)  # type: ignore[arg-type]
    return Submission(number, account_id, Door.HTTP, "news@acme.test", "news@acme.test", f"Subject 100% of {number}", given, NOW + number, NOW + number,
                      NOW + DAY_US, b"From: news@acme.test\r\n\r\nHello\r\n", messages)  # fmt: skip


async def test_users_roles_and_sessions(store: Database) -> None:
    users = store.users
    acme, other = await store.add_account("acme", NOW), await store.add_account("other", NOW)
    assert not await users.has_any()
    first = await users.add_first("admin", "hash0", NOW)
    assert first is not None and first.is_admin and await users.has_any()
    assert await users.add_first("second", "hash", NOW) is None, "there is somebody already"
    ada = await users.add("ada", "hash1", NOW)
    assert ada is not None and await users.add("ada", "hash2", NOW) is None
    assert [u.name for u in await users.everybody()] == ["ada", "admin"]
    await users.set_role(ada.id, acme.id, Role.SUPPORT)
    await users.set_role(ada.id, acme.id, Role.ANALYST)
    assert [(m.account, m.role) for m in await users.memberships(ada)] == [("acme", Role.ANALYST)]
    assert [(m.account, m.role) for m in await users.memberships(first)] == [("acme", Role.OWNER), ("other", Role.OWNER)]
    assert [(u.name, role) for u, role in await users.members(acme.id)] == [("ada", Role.ANALYST)]
    assert await users.members(other.id) == []
    await users.sign_in(b"t" * 32, ada.id, NOW, NOW + 10, "192.0.2.1", "Browser")
    found = await users.session(b"t" * 32, NOW)
    assert found is not None and (found.user.name, found.peer, found.until) == ("ada", "192.0.2.1", NOW + 10)
    assert await users.session(b"t" * 32, NOW + 10) is None, "it has ended"
    await users.seen(b"t" * 32, NOW + 5, NOW + 50)
    assert len(await users.sessions(ada.id, NOW + 20)) == 1
    assert await users.use_totp(ada.id, 7) and not await users.use_totp(ada.id, 7) and not await users.use_totp(ada.id, 6)
    await users.set_totp(ada.id, b"sealed")
    lock = await users.lock("ada")
    assert lock is not None and (lock.password_hash, lock.sealed_totp, lock.user.has_totp) == ("hash1", b"sealed", True)
    assert await users.set_password(ada.id, "hash3")
    assert await users.session(b"t" * 32, NOW) is None, "a new password ends sessions"
    await users.sign_in(b"u" * 32, ada.id, NOW, NOW + 10, "", "")
    assert await users.switch(ada.id, is_active=False)
    assert await users.session(b"u" * 32, NOW) is None
    assert await users.drop_role(ada.id, acme.id) and not await users.drop_role(ada.id, acme.id)
    for number in range(3):
        await users.note(acme.id, "ada", NOW + number, "block.lift", f"{number}@x", "reason")
    assert [e.object for e in await users.audit(acme.id, 2**62, 2)] == ["2@x", "1@x"]
    assert await users.audit(other.id, 2**62, 2) == []


def ids(log: Log) -> list[int]:
    """The messages of a page."""
    return [line.view.id for line in log.lines]


async def test_the_log_is_paged_and_filtered(store: Database) -> None:
    acme, other = await store.add_account("acme", NOW), await store.add_account("other", NOW)
    await store.accept(submission(1000, acme.id, ["a@one.test", "b@two.test", "x@two.test"], campaign="Spring", custom_id="order_1"))
    await store.accept(submission(2000, acme.id, ["a@one.test"]))
    await store.accept(submission(3000, other.id, ["a@one.test"]))
    screens = store.screens

    async def shown(**choice: object) -> list[int]:
        return ids(await screens.log(acme.id, Choice(**choice)))  # type: ignore[arg-type]

    assert await shown() == [2000, 1002, 1001, 1000]
    first = await screens.log(acme.id, Choice(), limit=2)
    assert (ids(first), first.newer) == ([2000, 1002], None)
    assert first.older is not None
    second = await screens.log(acme.id, Choice(), before=first.older, limit=2)
    assert (ids(second), second.older) == ([1001, 1000], None)
    assert second.newer is not None
    assert ids(await screens.log(acme.id, Choice(), after=second.newer, limit=2)) == [2000, 1002]
    campaign = await screens.campaign_named(acme.id, "Spring")
    assert campaign and not await screens.campaign_named(other.id, "Spring")
    assert [(row.id, row.subject) for row in await screens.campaigns(acme.id)] == [(campaign, "Subject 100% of 1000")]
    assert await screens.campaign(other.id, campaign) is None
    for choice, expected in [
        ({"states": (State.BLOCKED,)}, [1002]), ({"states": (State.QUEUED,)}, [2000, 1001, 1000]), ({"recipient_key": "a@one.test"}, [2000, 1000]),
        ({"text": "100% OF 1"}, [1002, 1001, 1000]), ({"text": "100_"}, []), ({"text": "order_1"}, [1002, 1001, 1000]), ({"domain": "two.test"}, [1002, 1001]),
        ({"domain": "wo.test"}, []), ({"campaign_id": campaign}, [1002, 1001, 1000]), ({"error": "typofix"}, [1002]), ({"door": "smtp"}, []),
        ({"since": NOW + 1500}, [2000]), ({"until": NOW + 1500}, [1002, 1001, 1000]), ({"marks": int(Mark.SPAM)}, []),
    ]:  # fmt: skip
        assert await shown(**choice) == expected, choice  # type: ignore[arg-type]
    assert [(c.reason.error, c.count) for c in await screens.error_causes(acme.id, 0)] == [("typofix", 1)]
    assert await screens.sources(acme.id, "sender") == []
    queue = await screens.queue(acme.id)
    assert [(s.domain, s.waiting, s.in_flight) for s in queue.sites] == [("one.test", 2, 0), ("two.test", 1, 0)]
    assert (queue.waiting, queue.deferred, queue.in_flight, queue.oldest_at) == (3, 0, 0, NOW + 1000)
    worker = await store.join("test", NOW, NOW + DAY_US)
    (claim,) = await store.claim(worker.id, [Want("", (1,) * LANES)], NOW + 5000)
    outcome = Outcome(OutcomeKind.DEFERRED, NOW + 6000, reply="450 later", host="mx.one.test", retry_at=NOW + DAY_US)
    await store.settle(Settlement(claim, outcome))
    queue = await screens.queue(acme.id)
    assert (queue.waiting, queue.deferred) == (3, 1)
    assert [(a.message_id, a.recipient, a.event.reply, a.event.data["host"]) for a in await screens.attempts(acme.id)] == [
        (claim.message_id, claim.recipient, "450 later", "mx.one.test")]  # fmt: skip
    assert await screens.attempts(other.id) == [] and (await screens.queue(999)).sites == ()


async def test_choices_are_kept_by_name_up_to_a_number(store: Database) -> None:
    acme, other = await store.add_account("acme", NOW), await store.add_account("other", NOW)
    ada = await store.users.add("ada", "x", NOW)
    assert ada is not None
    users = store.users
    assert await users.save_filter(ada.id, acme.id, "b", "status=spam", NOW, 2) and await users.save_filter(ada.id, acme.id, "a", "text=x", NOW, 2)
    assert not await users.save_filter(ada.id, acme.id, "c", "text=y", NOW, 2)
    assert await users.save_filter(ada.id, acme.id, "a", "text=z", NOW + 1, 2), "in place of the other"
    assert await users.save_filter(ada.id, other.id, "c", "text=y", NOW, 2)
    assert await users.filters(ada.id, acme.id) == [("a", "text=z"), ("b", "status=spam")]
    assert await users.drop_filter(ada.id, acme.id, "b") and not await users.drop_filter(ada.id, acme.id, "b")
    assert await users.filters(ada.id, other.id) == [("c", "text=y")]


async def test_how_often_a_mail_was_opened_and_clicked_stands_in_its_line(store: Database) -> None:
    acme = await store.add_account("acme", NOW)
    await store.accept(submission(1000, acme.id, ["a@one.test", "b@one.test"]))
    worker = await store.join("test", NOW, NOW + DAY_US)
    for claim in await store.claim(worker.id, [Want("", (9,) * LANES)], NOW + 2000):
        await store.settle(Settlement(claim, Outcome(OutcomeKind.DELIVERED, NOW + 3000, reply="250 ok", code=250, site="mx.one.test")))
    marks = int(Mark.OPENED | Mark.CLICKED)
    kinds = (EventKind.OPENED, EventKind.CLICKED, EventKind.OPENED)
    await store.record_many([Record(1000, kind, NOW + at, marks=marks) for at, kind in enumerate(kinds)])
    lines = (await store.screens.log(acme.id, Choice())).lines
    assert [(line.view.id, line.opens, line.clicks) for line in lines] == [(1001, 0, 0), (1000, 2, 1)]


async def test_marks_are_found_only_on_what_was_delivered_but_complaints_always(store: Database) -> None:
    acme = await store.add_account("acme", NOW)
    await store.accept(submission(1000, acme.id, ["a@one.test", "b@one.test"]))
    worker = await store.join("test", NOW, NOW + DAY_US)
    assert worker.id
    await store.record_many([Record(1000, EventKind.COMPLAINED, NOW + 5, marks=int(Mark.SPAM), block=BlockCause.COMPLAINT)])
    page = await store.screens.message(acme.id, 1000, NOW + 6)
    assert page is not None
    assert (page.size_bytes, page.has_content, page.door) == (31, True, "http")
    assert page.blocks == ("complaint",)
    assert {e.kind for e in page.events} >= {EventKind.ACCEPTED}
    assert await store.screens.message(acme.id + 1, 1000, NOW) is None
    newest = await store.screens.newest_event(acme.id)
    assert newest > 0 and await store.screens.newest_event(acme.id + 1) == 0


async def test_blocks_are_listed_by_cause_and_counted_by_the_week_of_their_end(store: Database) -> None:
    acme = await store.add_account("acme", NOW)
    for number, (cause, until) in enumerate([(BlockCause.MANUAL, None), (BlockCause.HARD_BOUNCE, NOW + DAY_US), (BlockCause.HARD_BOUNCE, NOW + 8 * DAY_US),
                                             (BlockCause.IMPORT, NOW - 1)]):  # fmt: skip
        await store.add_block(acme.id, f"a{number}_b@x.test", cause, NOW - 10, until)
    screens = store.screens
    assert [b.address_key for b in await screens.blocks(acme.id, NOW)] == ["a2_b@x.test", "a1_b@x.test", "a0_b@x.test"]
    first = await screens.blocks(acme.id, NOW, cause="hard_bounce", limit=1)
    assert [b.address_key for b in await screens.blocks(acme.id, NOW, cause="hard_bounce", before=first[0].id)] == ["a1_b@x.test"]
    assert [b.address_key for b in await screens.blocks(acme.id, NOW, text="A1_B")] == ["a1_b@x.test"]
    assert await screens.block_ends(acme.id, NOW) == [(0, 1), (1, 1)]


async def test_an_export_is_made_part_by_part_by_whoever_is_there(store: Database) -> None:
    acme = await store.add_account("acme", NOW)
    job = await store.exports.order(acme.id, "ada", "messages", "csv", "status=sent", 2**62, NOW, DAY_US)
    claimed = await store.exports.claim(NOW, NOW + 10)
    assert claimed is not None and claimed.id == job.id
    assert await store.exports.claim(NOW + 1, NOW + 20) is None, "somebody works on it"
    again = await store.exports.claim(NOW + 11, NOW + 20)
    assert again is not None, "whose lease has run out is followed"
    assert await store.exports.advance(again, 500, b"a,b\r\n", 1, NOW + 30, None)
    assert not await store.exports.advance(claimed, 400, b"late", 1, NOW + 30, None), "the other one is too late"
    now = await store.exports.find(acme.id, job.id)
    assert now is not None and (now.cursor, now.parts, now.row_count, now.state) == (500, 1, 1, "waiting")
    assert await store.exports.advance(now, 0, b"c,d\r\n", 1, NOW + 30, NOW + 12)
    done = await store.exports.find(acme.id, job.id)
    assert done is not None and (done.state, done.parts, done.size_bytes, done.finished_at) == ("done", 2, 10, NOW + 12)
    assert [await store.exports.part(job.id, number) for number in (1, 2, 3)] == [b"a,b\r\n", b"c,d\r\n", None]
    assert await store.exports.find(acme.id + 1, job.id) is None
    await store.exports.order(acme.id, "ada", "blocks", "jsonl", "", 0, NOW + 2 * DAY_US, DAY_US)
    assert [j.kind for j in await store.exports.newest(acme.id)] == ["blocks"], "old files are forgotten"
