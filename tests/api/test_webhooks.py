"""Webhooks told to a real socket, on SQLite and on PostgreSQL."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from standardwebhooks import Webhook as Verifier

from estafette.api.webhooks import signing
from estafette.api.webhooks.telling import Calling, Teller, make_parcels, send_again, shown_url
from estafette.clock import DAY_US, SECOND_US, ManualClock, SystemClock
from estafette.model import LANES, Account, Door, EventKind, Mark, NewMessage, Options, Outcome, OutcomeKind, Record, Settlement, State, Submission
from estafette.nouns import Parcel, Webhook
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want
from estafette.webcall import Deadlines, WebCaller
from estafette.webguard import read_network
from tests.webcall.endpoint import Post, WebServer, status, web_server

NOW = 1_790_000_000 * SECOND_US
ROOT = b"r" * 32
OPENED = Mark.OPENED


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


@asynccontextmanager
async def telling(store: Database, clock: SystemClock | ManualClock | None = None, total_s: float = 20.0) -> AsyncIterator[None]:
    caller = WebCaller([read_network("127.0.0.0/8")], Deadlines(total_s=total_s))
    task = asyncio.create_task(Teller(store, Calling(caller, clock or SystemClock(), ROOT), 1, poll_s=0.01).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        caller.close()


async def deliver(store: Database, account: Account, *numbers: int) -> None:
    messages = tuple(NewMessage(n, f"r{n}@example.net", f"r{n}@example.net", "example.net", State.QUEUED, site="mx") for n in numbers)
    await store.accept(Submission(numbers[0], account.id, Door.SMTP, "", "news@acme.test", "", Options(custom_id="c"), NOW, NOW, NOW + DAY_US, b"x", messages))
    worker = await store.join("test", NOW, NOW + DAY_US)
    for claim in await store.claim(worker.id, [Want("mx", (1000,) * LANES)], NOW):
        await store.settle(Settlement(claim, Outcome(OutcomeKind.DELIVERED, NOW + SECOND_US, reply="250 ok")))


async def add(store: Database, account: Account, server: WebServer, *types: str, version: int = 1, is_backup: bool = False) -> list[Webhook]:
    made = [await store.webhooks.add(account.id, t, server.url(), version, NOW, is_backup=is_backup) for t in types]
    return [webhook for webhook in made if webhook is not None]


async def logged(store: Database, account: Account, count: int) -> None:
    """So many calls are written down: what they showed is known."""
    async with asyncio.timeout(30):
        while len(await store.webhooks.calls(account.id, limit=1000)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def settled(store: Database, *webhooks: Webhook) -> None:
    """Nothing waits any more."""
    async with asyncio.timeout(30):
        while await store.webhooks.waiting([webhook.id for webhook in webhooks]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_events_are_told_one_by_one_signed_and_in_order_per_message(store: Database, account: Account) -> None:
    async with web_server() as server, telling(store):
        webhooks = await add(store, account, server, "sent", "open")
        await deliver(store, account, *range(1, 9))
        await store.record_many([Record(n, EventKind.OPENED, NOW + 2 * SECOND_US, marks=OPENED) for n in range(1, 9)])
        posts = await server.until(16)
        await settled(store, *webhooks)
        verifier = Verifier(signing.secret_of(ROOT, account.id, server.url()))
        seen: dict[int, list[str]] = defaultdict(list)
        for post in posts:
            told = verifier.verify(post.body, post.headers)
            assert post.headers["webhook-id"] == f"evt_{told['estafette_event_id']}"
            seen[told["MessageID"]].append(told["event"])
        assert dict(seen) == {n: ["sent", "open"] for n in range(1, 9)}
        log = await store.webhooks.calls(account.id)
        assert len(log) == 16
        assert {(call.status, call.trouble, call.url) for call in log} == {(200, "", server.url())}


async def test_version_2_is_told_arrays_of_all_types(store: Database, account: Account) -> None:
    async with web_server() as server:
        webhooks = await add(store, account, server, "sent", "open", version=2)
        await deliver(store, account, *range(1, 9))
        await store.record_many([Record(n, EventKind.OPENED, NOW + 2 * SECOND_US, marks=OPENED) for n in range(1, 9)])
        async with telling(store):
            (post,) = await server.until(1)
            await settled(store, *webhooks)
        assert [(told["MessageID"], told["event"]) for told in post.json] == [(n, event) for event in ("sent", "open") for n in range(1, 9)]
        assert Verifier(signing.secret_of(ROOT, account.id, server.url())).verify(post.body, post.headers)
        (call,) = await store.webhooks.calls(account.id)
        assert len(call.event_ids) == 16


async def test_a_failed_event_is_told_again_and_later_ones_of_its_message_wait(store: Database, account: Account) -> None:
    clock = ManualClock()

    def answers(n: int, post: Post) -> bytes:
        return status(500, b"oops") if post.json["MessageID"] == 1 and clock.now_us() == NOW else status(200)

    async with web_server(answers) as server, telling(store, clock):
        sent, opened = await add(store, account, server, "sent", "open")
        await deliver(store, account, 1, 2)
        await store.record_many([Record(n, EventKind.OPENED, NOW, marks=OPENED) for n in (1, 2)])
        await server.until(3)
        await logged(store, account, 3)
        assert sorted((p.json["MessageID"], p.json["event"]) for p in server.posts) == [(1, "sent"), (2, "open"), (2, "sent")]
        clock.advance(31)
        await server.until(5)
        await settled(store, sent, opened)
        assert [(p.json["MessageID"], p.json["event"]) for p in server.posts[3:]] == [(1, "sent"), (1, "open")]
        first, again = (p for p in server.posts if p.json["MessageID"] == 1 and p.json["event"] == "sent")
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        (bad,) = await store.webhooks.calls(account.id, only_failed=True)
        assert (bad.status, bad.trouble, bad.answer) == (500, "answered 500, not 200", "oops")
        assert all(webhook.failures == 0 for webhook in await store.webhooks.all_of(account.id))


async def test_an_endpoint_that_fails_for_a_day_is_suspended_and_its_backup_takes_over(store: Database, account: Account) -> None:
    clock = ManualClock()
    async with web_server(lambda n, post: status(503)) as bad, web_server() as good:
        (primary,) = await add(store, account, bad, "sent")
        (backup,) = await add(store, account, good, "sent", is_backup=True)
        await deliver(store, account, 1)
        async with telling(store, clock):
            for count in range(1, 40):
                await logged(store, account, count)
                if good.posts:
                    break
                clock.advance(3601)
            await settled(store, primary, backup)
            assert [p.json["MessageID"] for p in good.posts] == [1]
            found = {w.id: w for w in await store.webhooks.all_of(account.id)}
            assert (found[primary.id].is_alive, found[backup.id].is_alive) == (False, True)
            assert found[primary.id].trouble == "answered 503, not 200"
            await deliver(store, account, 2)
            await good.until(2)
            changed = await store.webhooks.change(account.id, primary.id, good.url("/new"), 1)
            assert changed is not None and changed.is_alive
            await deliver(store, account, 3)
            await good.until(3)
            assert [(p.json["MessageID"], p.path) for p in good.posts] == [(1, "/hook"), (2, "/hook"), (3, "/new")]


async def test_an_endpoint_that_hangs_holds_up_nobody(store: Database, account: Account) -> None:
    async with web_server(lambda n, post: None) as hanging, web_server() as quick:
        await add(store, account, hanging, "open")
        (other,) = await add(store, account, quick, "sent")
        await deliver(store, account, *range(1, 6))
        await store.record_many([Record(n, EventKind.OPENED, NOW, marks=OPENED) for n in range(1, 6)])
        async with telling(store, total_s=600):
            await hanging.until(1)
            await quick.until(5)
            await settled(store, other)


async def test_telling_again_is_asked_for_by_event(store: Database, account: Account) -> None:
    async with web_server() as server, telling(store):
        (webhook,) = await add(store, account, server, "sent")
        await deliver(store, account, 1)
        (first,) = await server.until(1)
        await settled(store, webhook)
        (call,) = await store.webhooks.calls(account.id)
        assert await store.webhooks.call(account.id, call.id) == call
        stranger = await store.add_account("other", NOW)
        assert await store.webhooks.call(stranger.id, call.id) is None
        assert await send_again(store, stranger.id, call.event_ids, NOW) == 0
        assert await send_again(store, account.id, call.event_ids, NOW) == 1
        _, second = await server.until(2)
        assert (second.body, second.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])


async def test_webhooks_are_kept_changed_and_removed(store: Database, account: Account) -> None:
    first = await store.webhooks.add(account.id, "open", "https://me:pw@a.test/x", 1, NOW)
    assert first == Webhook(1, account.id, "open", False, "https://me:pw@a.test/x", 1, NOW)
    assert shown_url(first.url) == "https://a.test/x"
    assert await store.webhooks.add(account.id, "open", "https://b.test/", 1, NOW) is None
    assert await store.webhooks.change(account.id + 1, first.id, "https://c.test/", 2) is None
    changed = await store.webhooks.change(account.id, first.id, "https://c.test/", 2)
    assert changed is not None and (changed.url, changed.version) == ("https://c.test/", 2)
    assert not await store.webhooks.remove(account.id + 1, first.id)
    assert await store.webhooks.remove(account.id, first.id)
    assert await store.webhooks.all_of() == []
    again = await store.webhooks.add(account.id, "open", "https://a.test/x", 1, NOW)
    assert again is not None and again.id > first.id


async def test_an_endpoint_is_told_what_happens_from_its_beginning_on(store: Database, account: Account) -> None:
    await deliver(store, account, 1)
    await make_parcels(store, NOW)
    webhook = await store.webhooks.add(account.id, "sent", "https://a.test/x", 1, NOW)
    assert webhook is not None
    await deliver(store, account, 2)
    await make_parcels(store, NOW)
    await make_parcels(store, NOW)
    assert [(p.message_id, p.attempts) for p in await store.webhooks.due([webhook.id], NOW, 9, one_per_message=True)] == [(2, 0)]
    await store.webhooks.send_again([Parcel(webhook.id, 1, 2, "{}", queued_at=NOW)])
    assert len(await store.webhooks.due([webhook.id], NOW, 9, one_per_message=True)) == 1
    assert len(await store.webhooks.due([webhook.id], NOW, 9, one_per_message=False)) == 2
    await store.webhooks.trim(NOW + 1)
    assert await store.webhooks.waiting([webhook.id]) == {}
