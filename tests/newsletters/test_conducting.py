"""A newsletter over real stores: its audience becomes messages once, whatever happens in between."""

from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest

from estafette.accept.guarding import GuardBook
from estafette.accept.ids import IdMaker
from estafette.audience import ContactChange, ListAction, PropertyKind, Segment, Trace
from estafette.clock import ManualClock
from estafette.facts import Cause, GuardOrder, Step, Stream
from estafette.mail.address import parse
from estafette.model import Account, BlockCause, State
from estafette.newsletters.conductor import PIECE, Conductor
from estafette.newsletters.desk import NewsletterDesk
from estafette.newsletters.life import Order, after
from estafette.newsletters.life import State as Life
from estafette.nouns import Newsletter
from estafette.prepare.personal import Person, Source, Unfillable, encode_source, fill, is_letter, mail_for, read_source
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store

SOURCE = Source(author="news@shop.example", author_name="Shop", subject="Hello {{ contact:firstname:'you' }}", html="<p>Hi</p>", locale="fr")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


async def with_list(store: Database, count: int) -> tuple[Account, int]:
    account = await store.add_account("shop", 1)
    made = await store.contacts.create_list(account.id, "all", "aaa", 1)
    assert made is not None
    await store.contacts.add_property(account.id, "age", PropertyKind.INT, 1)
    (age,) = await store.contacts.properties(account.id)
    addresses = [parse(f"p{n}@dest.example") for n in range(count)]
    changes = [ContactChange(str(a), a.key, properties={age.id: n}) for n, a in enumerate(addresses)]
    await store.contacts.apply(account.id, changes, {made.id: ListAction.ADD_FORCE}, Trace("test"), 1)
    return account, made.id


def conductor(store: Database, clock: ManualClock, slot: int = 1) -> Conductor:
    return Conductor(store, clock, slot, IdMaker(slot).next, lambda: None, 3600.0)


async def scheduled(store: Database, account: Account, list_id: int, **changes: object) -> Newsletter:
    letter = msgspec.json.encode(SOURCE).decode()
    made = await store.newsletters.create(replace(Newsletter(0, account.id, "Autumn", letter=letter, list_id=list_id), **changes), 1)  # type: ignore[arg-type]
    assert await store.newsletters.turn(made, "scheduled", 1, start_at=1)
    return made


async def test_everybody_on_the_list_gets_one_message(store: Database) -> None:
    account, list_id = await with_list(store, PIECE + 30)
    now = ManualClock().now_us()
    for key, cause in (("p3@dest.example", BlockCause.HARD_BOUNCE), ("p4@dest.example", BlockCause.UNSUBSCRIBE)):
        await store.add_block(account.id, key, cause, now, None)
    await store.contacts.apply(account.id, [ContactChange("p5@dest.example", "p5@dest.example")], {list_id: ListAction.UNSUBSCRIBE}, Trace("test"), 2)
    made = await scheduled(store, account, list_id)
    clock = ManualClock()
    first, second = conductor(store, clock, 1), conductor(store, clock, 2)
    for _ in range(10):
        await first.step()
        await second.step()
    found = await store.newsletters.find(account.id, made.id)
    assert found is not None and (found.state, found.frozen) == ("sending", PIECE + 29)
    counts = await store.newsletters.counts(found.submission_id)
    assert counts == {(State.QUEUED, 0): PIECE + 27, (State.BLOCKED, 0): 2}
    audit = await store.audit(account.id)
    assert (audit.accepted, audit.final, audit.queued) == (PIECE + 29, 2, PIECE + 27)
    contents = await store.contents([found.submission_id])
    assert is_letter(contents[found.submission_id].raw) and contents[found.submission_id].options.list_id == list_id


async def test_two_writers_at_one_cursor_are_one(store: Database) -> None:
    account, list_id = await with_list(store, 5)
    made = await scheduled(store, account, list_id)
    clock = ManualClock()
    await conductor(store, clock).step()
    seen = await store.newsletters.find(account.id, made.id)
    assert seen is not None and seen.state == "freezing"
    assert await conductor(store, clock)._freeze(seen) and not await conductor(store, clock, 2)._freeze(seen)
    assert sum((await store.newsletters.counts((await store.newsletters.page(account.id))[0].submission_id)).values()) == 5


async def test_a_segment_chooses_and_a_pause_stops(store: Database) -> None:
    account, list_id = await with_list(store, 20)
    segment = await store.contacts.create_segment(Segment(0, account.id, "grown", expression="(age >= 18)"), 1)
    assert segment is not None
    made = await scheduled(store, account, list_id, segment_id=segment.id)
    clock = ManualClock()
    work = conductor(store, clock)
    await work.step()
    seen = await store.newsletters.find(account.id, made.id)
    assert seen is not None and await store.newsletters.turn(seen, "paused", 2)
    await work.step()
    assert await store.newsletters.counts(0) == {}
    paused = await store.newsletters.find(account.id, made.id)
    assert paused is not None and await store.newsletters.turn(paused, "freezing", 3)
    while await work.step():
        pass
    done = await store.newsletters.find(account.id, made.id)
    assert done is not None and (done.state, done.frozen) == ("sending", 2)


def test_the_table_of_its_life() -> None:
    assert after(Life.DRAFT, Order.SCHEDULE) is Life.SCHEDULED and after(Life.FINISHED, Order.CANCEL) is None
    assert after(Life.PAUSED, Order.RESUME) is Life.FREEZING and after(Life.SENDING, Order.SETTLED) is Life.FINISHED


def test_a_mail_is_made_for_one_person() -> None:
    source = Source(author="news@shop.example", author_name="Shop", subject="For {{data:firstname:\"you\"}}", html="<p>Caf\u00e9 {{data:city:\"?\"}} &lt;</p>")
    letter = read_source(encode_source(source))
    raw = mail_for(fill(letter, Person("jo@dest.example", "Jo", {"firstname": "Zo\u00e9\r\nBcc: x@y.example", "city": "Lyon"}), 77, "relay.test", 0))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"\nBcc" not in head and b"To: Jo <jo@dest.example>" in head and b"Message-ID: <4d@relay.test>" in head
    assert b"Lyon" in body and b"text/plain" in raw and b"text/html" in raw
    with pytest.raises(Unfillable, match="line 1"):
        read_source(encode_source(replace_source(source, html="<p>{% if %}</p>")))
    with pytest.raises(Unfillable, match="nosuch"):
        mail_for(fill(read_source(encode_source(replace_source(source, html="{{var:nosuch}}"))), Person("jo@dest.example"), 1, "relay.test", 0))


def replace_source(source: Source, **changes: str) -> Source:
    return msgspec.structs.replace(source, **changes)


async def test_the_guards_orders_pause_what_is_under_way(store: Database) -> None:
    account, list_id = await with_list(store, 5)
    made = await scheduled(store, account, list_id)
    await store.guard.order(GuardOrder(account.id, Stream.BULK, Step.STOP, Cause.SPAM, 9, 1000, 0, 1), "why")
    clock, book = ManualClock(), GuardBook(store)
    guarded = Conductor(store, clock, 1, IdMaker(1).next, lambda: None, 3600.0, book.is_bulk_free)
    await guarded.step()  # it starts
    await book.refresh()
    for _ in range(3):
        await guarded.step()
    found = await store.newsletters.find(account.id, made.id)
    assert found is not None and (found.state, found.frozen) == ("paused", 0)
    (order,) = await store.guard.running()
    await store.guard.lift(order.id, 2, "cleaned")
    await book.refresh()
    assert await store.newsletters.turn(found, "freezing", 3)
    for _ in range(3):
        await guarded.step()
    found = await store.newsletters.find(account.id, made.id)
    assert found is not None and (found.state, found.frozen) == ("sending", 5)


async def test_a_forecast_is_what_becomes_of_the_audience(store: Database) -> None:
    account, list_id = await with_list(store, PIECE + 10)
    clock = ManualClock()
    other = await store.add_account("other", 1)
    for owner, key, cause in ((account, "p3@dest.example", BlockCause.HARD_BOUNCE), (account, "p1@dest.example", BlockCause.UNSUBSCRIBE),
                              (other, "p4@dest.example", BlockCause.HARD_BOUNCE)):  # fmt: skip
        await store.add_block(owner.id, key, cause, clock.now_us(), None)
    segment = await store.contacts.create_segment(Segment(0, account.id, "old", "(age>=2)"), 1)
    assert segment is not None
    made = await scheduled(store, account, list_id, segment_id=segment.id, rate_per_hour=3600)
    found = await NewsletterDesk(store, clock).forecast(made)
    assert (found.recipients, found.outside, found.going, found.blocked.total()) == (PIECE + 8, 2, {"dest.example": PIECE + 7}, 1)
    assert found.takes_s(3600) == PIECE + 8 and found.takes_s(0) is None
    whole = await NewsletterDesk(store, clock).forecast(replace(made, segment_id=0))
    assert (whole.recipients, whole.blocked_at) == (PIECE + 10, {"dest.example": 2})
