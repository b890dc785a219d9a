"""The shelves of contacts and of work on many of them, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from estafette.audience import Contact, ContactChange, ContactJob, JobError, JobOrders, JobStatus, ListAction, PropertyKind, Segment, Trace
from estafette.clock import SECOND_US, ManualClock
from estafette.model import Account
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store

NOW = 1_790_000_000 * SECOND_US
LATER = NOW + SECOND_US
API = Trace("api")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


def change(address: str, **rest: object) -> ContactChange:
    return ContactChange(address, address.lower(), **rest)  # type: ignore[arg-type]


async def accounts(store: Database) -> tuple[Account, Account]:
    return await store.add_account("acme", NOW), await store.add_account("other", NOW)


async def test_contacts_are_made_and_changed_in_one_write(store: Database) -> None:
    account, other = await accounts(store)
    age = await store.contacts.add_property(account.id, "Age", PropertyKind.INT, NOW)
    assert age is not None
    assert await store.contacts.add_property(account.id, "aGE", PropertyKind.STR, NOW) is None
    assert await store.contacts.add_property(other.id, "Age", PropertyKind.STR, NOW) is not None

    made = await store.contacts.apply(account.id, [change("Jo@x.test", name="Jo", properties={age.id: 7})], {}, API, NOW)
    assert made is not None
    jo = await store.contacts.find_address(account.id, "jo@x.test")
    assert jo == Contact(made["jo@x.test"], account.id, "Jo@x.test", "jo@x.test", "Jo", False, None, {age.id: 7}, NOW, NOW)
    assert jo == await store.contacts.find(account.id, jo.id)
    assert await store.contacts.find(other.id, jo.id) is None
    assert await store.contacts.find_address(other.id, "jo@x.test") is None

    await store.contacts.apply(account.id, [change("jo@x.test")], {}, API, LATER)
    assert await store.contacts.find(account.id, jo.id) == jo, "nothing said, nothing changed"
    await store.contacts.apply(account.id, [change("jo@x.test", name="J", properties={age.id: 9})], {}, API, LATER, keeps_known=True)
    assert await store.contacts.find(account.id, jo.id) == jo
    await store.contacts.apply(account.id, [change("jo@x.test", is_excluded=True, properties={age.id: None})], {}, API, LATER)
    assert await store.contacts.find(account.id, jo.id) == replace(jo, is_excluded=True, excluded_at=LATER, properties={}, updated_at=LATER)

    assert await store.contacts.rename_property(account.id, age.id, "Years")
    assert [p.name for p in await store.contacts.properties(account.id)] == ["Years"]
    assert not await store.contacts.rename_property(other.id, age.id, "x")
    assert await store.contacts.drop_property(account.id, age.id, NOW)
    assert not await store.contacts.drop_property(account.id, age.id, NOW)
    again = await store.contacts.add_property(account.id, "Years", PropertyKind.STR, NOW)
    assert again is not None and again.id != age.id, "old values must not come back under a new definition"


async def test_what_each_action_does_to_a_subscription(store: Database) -> None:
    account, other = await accounts(store)
    made = await store.contacts.create_list(account.id, "News", "abc", NOW)
    assert made is not None and made.subscribers == 0
    assert await store.contacts.create_list(account.id, "News", "abd", NOW) is None

    async def after(*actions: ListAction) -> tuple[bool | None, int]:
        for number, action in enumerate(actions):
            await store.contacts.apply(account.id, [change("jo@x.test"), change("al@x.test")], {made.id: action}, API, NOW + number)
        found = await store.contacts.subscribers(account.id, list_id=made.id)
        states = {s.subscription.is_unsubscribed for s in found}
        assert len(states) <= 1
        now = await store.contacts.find_list(account.id, made.id)
        assert now is not None
        await store.contacts.apply(account.id, [change("jo@x.test"), change("al@x.test")], {made.id: ListAction.REMOVE}, API, NOW)
        return (states.pop() if states else None), now.subscribers

    force, no_force, remove, unsub = ListAction.ADD_FORCE, ListAction.ADD_NO_FORCE, ListAction.REMOVE, ListAction.UNSUBSCRIBE
    assert await after(force) == (False, 2)
    assert await after(no_force) == (False, 2)
    assert await after(unsub) == (True, 0)
    assert await after(force, force, unsub) == (True, 0)
    assert await after(unsub, no_force) == (True, 0)
    assert await after(unsub, force) == (False, 2)
    assert await after(force, remove) == (None, 0)
    assert await store.contacts.apply(other.id, [change("jo@x.test")], {made.id: force}, API, NOW) is None, "not their list"
    assert await store.contacts.count(other.id) == 0, "and nothing was done"

    await store.contacts.apply(account.id, [change("jo@x.test")], {made.id: force}, Trace("form", "192.0.2.1"), NOW)
    [jo] = await store.contacts.subscribers(account.id, list_id=made.id)
    assert (jo.subscription.source, jo.subscription.evidence, jo.list_name, jo.address) == ("form", "192.0.2.1", "News", "jo@x.test")
    assert await store.contacts.subscriber(account.id, jo.subscription.id) == jo
    assert await store.contacts.subscriber_on(account.id, made.id, jo.subscription.contact_id) == jo
    assert await store.contacts.subscribers(account.id, contact_id=jo.subscription.contact_id) == [jo] == await store.contacts.subscribers(account.id)
    assert await store.contacts.subscribers(other.id) == [] == await store.contacts.subscribers(other.id, list_id=made.id)

    assert await store.contacts.update_list(replace(made, name="Old", deleted_at=LATER))
    assert await store.contacts.subscribers(account.id) == []
    assert await store.contacts.apply(account.id, [change("jo@x.test")], {made.id: force}, API, NOW) is None, "a deleted list takes nobody"
    second = await store.contacts.create_list(account.id, "Old", "xyz", NOW)
    assert second is not None
    assert not await store.contacts.update_list(replace(made, name="Old", deleted_at=None)), "the name is taken"
    assert [one.name for one in await store.contacts.lists(account.id)] == ["Old", "Old"]
    assert await store.contacts.find_list_address(account.id, "xyz") == second


async def test_pages_of_contacts(store: Database) -> None:
    account, other = await accounts(store)
    made = await store.contacts.create_list(account.id, "News", "abc", NOW)
    assert made is not None
    names = ["d", "a", "c", "b", "e"]
    for name in names:
        where = {made.id: ListAction.ADD_FORCE} if name in "ace" else {}
        await store.contacts.apply(account.id, [change(f"{name}@x.test", is_excluded=name == "e")], where, API, NOW)
    await store.contacts.apply(other.id, [change("z@x.test")], {}, API, NOW)

    async def shown(**query: object) -> str:
        return "".join(c.address[0] for c in await store.contacts.page(account.id, **query))  # type: ignore[arg-type]

    assert await shown() == "dacbe"
    assert await shown(is_descending=True, limit=2) == "eb"
    assert await shown(by_address=True, limit=2, offset=1) == "bc"
    assert await shown(by_address=True, is_descending=True, limit=2) == "ed"
    assert await shown(is_excluded=True) == "e"
    first = await store.contacts.page(account.id, limit=2)
    assert await shown(after=first[-1].id) == "cbe"
    assert [c.address[0] for c in await store.contacts.of_list(account.id, made.id)] == ["a", "c", "e"]
    assert [c.address[0] for c in await store.contacts.of_list(account.id, made.id, is_excluded=False, offset=1)] == ["c"]
    assert await store.contacts.of_list(other.id, made.id) == []
    assert await store.contacts.count(account.id) == 5
    assert await store.contacts.count(account.id, list_id=made.id, is_excluded=False, is_unsubscribed=False) == 2


async def test_a_person_is_forgotten(store: Database) -> None:
    account, other = await accounts(store)
    made = await store.contacts.create_list(account.id, "News", "abc", NOW)
    assert made is not None
    ids = await store.contacts.apply(account.id, [change("jo@x.test", name="Jo")], {made.id: ListAction.ADD_FORCE}, API, NOW)
    assert ids is not None
    number = ids["jo@x.test"]
    assert not await store.contacts.erase(other.id, number, "h@erased.invalid", LATER)
    assert await store.contacts.erase(account.id, number, "h@erased.invalid", LATER)
    assert await store.contacts.find_address(account.id, "jo@x.test") is None
    gone = await store.contacts.find(account.id, number)
    assert gone is not None and (gone.address, gone.name, gone.properties) == ("h@erased.invalid", "", {})
    now = await store.contacts.find_list(account.id, made.id)
    assert now is not None and now.subscribers == 0
    assert await store.contacts.subscribers(account.id, contact_id=number) == []


async def test_segments(store: Database) -> None:
    account, other = await accounts(store)
    made = await store.contacts.create_segment(Segment(0, account.id, "Adults", "(age > 17)", "x"), NOW)
    assert made == Segment(made.id if made else 0, account.id, "Adults", "(age > 17)", "x", NOW)
    assert made is not None
    assert await store.contacts.create_segment(made, NOW) is None
    assert not await store.contacts.update_segment(replace(made, account_id=other.id))
    assert await store.contacts.update_segment(replace(made, expression="(age > 18)", deleted_at=LATER))
    assert await store.contacts.segments(account.id) == [replace(made, expression="(age > 18)", deleted_at=LATER)]
    assert await store.contacts.segments(other.id) == []


async def test_the_life_of_a_job(store: Database) -> None:
    account, other = await accounts(store)
    made = await store.contacts.create_list(account.id, "News", "abc", NOW)
    assert made is not None
    orders = JobOrders(((made.id, "addforce"),), method="addforce")
    jobs = store.contact_jobs
    job = await jobs.create(ContactJob(0, account.id, "contacts", orders, total=3), NOW, b"[1]")
    assert (job.status, job.orders, job.upload_id > 0) == (JobStatus.WAITING, orders, True)
    assert await jobs.uploaded(account.id, job.upload_id) == b"[1]"
    assert await jobs.uploaded(other.id, job.upload_id) is None
    assert await jobs.find(account.id, job.id) == job == (await jobs.page(account.id))[0]
    assert await jobs.newest(account.id, 5) == [job] and await jobs.newest(other.id, 5) == []
    assert await jobs.find(other.id, job.id) is None

    mine = await jobs.claim(1, NOW, LATER)
    assert mine is not None and (mine.id, mine.status, mine.started_at) == (job.id, JobStatus.RUNNING, NOW)
    assert await jobs.claim(2, NOW, LATER) is None, "somebody works on it"

    bad = [JobError(2, "xx", "no address")]
    force = {made.id: ListAction.ADD_FORCE}
    assert await jobs.advance(mine, 1, [change("a@x.test")], force, Trace("import"), bad, 2, 3, NOW, LATER) == 1
    assert await jobs.advance(mine, 1, [change("b@x.test")], force, Trace("import"), [], 2, 3, NOW, LATER) is None, "from where it no longer stands"
    theirs = await jobs.claim(2, LATER + 1, LATER + 2)
    assert theirs is not None and (theirs.done, theirs.errors) == (2, 1), "a lease that ran out; the work goes on where it stood"
    assert await jobs.advance(replace(mine, done=2), 1, [], force, Trace("import"), [], 3, 3, NOW, LATER) is None, "and is no longer worker 1's"
    assert not await jobs.end(job.id, 1, JobStatus.COMPLETED, "", LATER)
    gone = {made.id + 100: ListAction.ADD_FORCE}
    assert await jobs.advance(theirs, 2, [], gone, Trace("import"), bad, 3, 3, NOW, LATER) is None
    same = await jobs.find(account.id, job.id)
    assert same is not None and (same.done, same.errors) == (2, 1), "a list that is gone undoes the piece"
    assert await jobs.end(job.id, 2, JobStatus.COMPLETED, "", LATER)
    assert not await jobs.abort(account.id, job.id, LATER)
    assert await jobs.errors(account.id, job.id) == bad
    assert await jobs.errors(other.id, job.id) == []
    assert (await store.contacts.subscribers(account.id))[0].subscription.source == "import"
    assert await store.contacts.count(account.id) == 1

    kept = await jobs.upload(account.id, made.id, b"email\n", NOW)
    second = await jobs.create(ContactJob(0, account.id, "csv", JobOrders(), kept), NOW)
    await jobs.forget_uploads(LATER)
    assert await jobs.uploaded(account.id, kept) == b"email\n", "a job waits for it"
    assert await jobs.uploaded(account.id, job.upload_id) is None
    assert await jobs.abort(account.id, second.id, LATER)
    assert await jobs.claim(1, LATER, LATER) is None
    assert [j.id for j in await jobs.page(account.id, "csv")] == [second.id]
