"""A newsletter through the running platform to the simulated Internet: everybody gets his own mail once; who left the list gets no second one."""

from pathlib import Path

import msgspec
import pytest

from estafette.audience import ContactChange, ListAction, PropertyKind, Trace
from estafette.clock import SystemClock
from estafette.demo.certificate import self_signed
from estafette.demo.internet import Internet
from estafette.mail.address import parse
from estafette.model import State
from estafette.newsletters.desk import NewsletterDesk
from estafette.newsletters.life import Order
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from tests.scenarios.load import until
from tests.scenarios.platform import DOMAIN, Platform

PEOPLE = 150


@pytest.mark.timeout(240)
async def test_a_newsletter_reaches_everybody_once(tmp_path: Path, database_url: str) -> None:
    clock = SystemClock()
    people = [f"unsub{n}@friends.test" if n else "unsub@friends.test" for n in range(PEOPLE - 2)] + ["nobody@friends.test", "click@friends.test"]
    async with Internet(clock, seed=5, tls=self_signed("mx.any.test", clock), pace=0.02) as internet:
        sections = {"delivery": 'retry = ["1s", "2s"]\ngive_up_after = "60s"\nipv6 = false'}
        async with Platform(tmp_path, database_url, dns=internet.dns, mx_port=internet.port, workers=2, sections=sections) as platform:
            store = await open_store(database_url, StatusPolicy(), clock)
            try:
                desk = NewsletterDesk(store, clock)
                account = await store.account("shop")
                assert account is not None
                made = await store.contacts.create_list(account.id, "all", "abc", clock.now_us())
                assert made is not None
                name = await store.contacts.add_property(account.id, "nick", PropertyKind.STR, clock.now_us())
                assert name is not None
                changes = [ContactChange(a, parse(a).key, properties={name.id: f"N{i}"}) for i, a in enumerate(people)]
                await store.contacts.apply(account.id, changes, {made.id: ListAction.ADD_FORCE}, Trace("test"), clock.now_us())
                source = Source(author=f"news@{DOMAIN}", author_name="Shop", subject="Hello {{data:nick}}", html="<p>For {{data:nick}}</p>", locale="fr")
                for number in (1, 2):
                    letter = msgspec.json.encode(source).decode()
                    draft = await store.newsletters.create(Newsletter(0, account.id, f"no. {number}", letter=letter, list_id=made.id), clock.now_us())
                    await desk.send(draft, clock.now_us())
                    done = await finished(store, account.id, draft.id)
                    counts = await store.newsletters.counts(done.submission_id)
                    if number == 1:
                        assert done.frozen == PEOPLE
                        assert sum(n for (state, _), n in counts.items() if state is State.DELIVERED) == PEOPLE - 1
                        assert sum(n for (state, _), n in counts.items() if state is State.HARD_BOUNCED) == 1
                        await until("the readers are done", lambda: internet.people.busy == 0, 60)
                        await until("who unsubscribed has left the list", lambda: left(store, account.id, made.id, people[0]), 30)
                    else:
                        assert done.frozen == PEOPLE - 1 and counts[State.BLOCKED, 0] == 1  # nobody@ is blocked, unsub@ is not on the list
                platform.assert_nothing_is_missing()
            finally:
                await store.close()
    assert internet.people.faults == []
    mails = internet.ledger.deliveries
    assert all(count == 1 for count in mails.values()) and len(mails) == PEOPLE - 1 + PEOPLE - 2


async def left(store: Database, account_id: int, list_id: int, address: str) -> bool:
    contact = await store.contacts.find_address(account_id, parse(address).key)
    assert contact is not None
    on_list = await store.contacts.subscriber_on(account_id, list_id, contact.id)
    return on_list is not None and on_list.subscription.is_unsubscribed


async def finished(store: Database, account_id: int, newsletter_id: int) -> Newsletter:
    async def is_over() -> bool:
        found = await store.newsletters.find(account_id, newsletter_id)
        return found is not None and found.state == "finished"

    await until("the newsletter is finished", is_over, 90)
    found = await store.newsletters.find(account_id, newsletter_id)
    assert found is not None
    return found


@pytest.mark.timeout(120)
async def test_orders_in_and_out_of_turn(tmp_path: Path) -> None:
    from estafette.newsletters.desk import Refused

    clock = SystemClock()
    store = await open_store(f"sqlite:///{tmp_path}/estafette.db", StatusPolicy(), clock)
    try:
        desk, account = NewsletterDesk(store, clock), await store.add_account("shop", 1)
        draft = await store.newsletters.create(Newsletter(0, account.id, "x", letter=msgspec.json.encode(Source()).decode()), 1)
        with pytest.raises(Refused) as raised:
            await desk.send(draft)
        assert [one.code for one in raised.value.findings] == ["author_missing", "list_missing", "subject_missing", "texts_missing"]
        with pytest.raises(Refused, match="only a newsletter that is being sent"):
            await desk.order(draft, Order.PAUSE)
        assert await store.newsletters.turn(draft, "scheduled", 1, start_at=2**60)
        with pytest.raises(Refused, match="changed in the meantime"):
            await desk._turn(draft, Order.SCHEDULE, 5)
        seen = await store.newsletters.find(account.id, draft.id)
        assert seen is not None and (await desk.order(seen, Order.CALL_BACK)).state == "draft"
    finally:
        await store.close()
