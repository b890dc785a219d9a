"""Counters on SQLite and on PostgreSQL: made live they equal those made again, and both equal what the messages say."""

import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.facts import COUNTS, Axis, Reach, Resolution, Timing
from estafette.feedback.unsubscribe_records import resubscribed, unsubscribed
from estafette.model import (
    LANES,
    Account,
    Door,
    EventKind,
    Flight,
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
from estafette.stats.folder import catch_up, is_level, rebuild
from estafette.stats.folding import fold
from estafette.stats.periods import pieces
from estafette.stats.rates import figures, figures_of_counters
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want
from estafette.store.statistics import FOLLOWER, START, Selection

NOW = 1_790_000_000 * SECOND_US
UNKNOWN = Reason("recipient", "user unknown")
GMAIL = "gmail-smtp-in.l.google.com"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


async def accept(store: Database, account: Account, number: int, *, copies: int = 1, at: int = NOW, to: str = "example.net", **changes: Any) -> None:
    messages = tuple(NewMessage(number + i, f"r{number + i}@{to}", f"r{number + i}@{to}", to, State.QUEUED, site=GMAIL) for i in range(copies))
    made = Submission(number, account.id, Door.SMTP, "back@acme.test", "News@acme.test", "Hello", Options(), at, at, at + 3 * DAY_US, b"x", messages)
    await store.accept(replace(made, **changes))


async def history(store: Database, account: Account, seed: int) -> None:
    """What may happen to mail, in any order, folded now and then in batches of any size."""
    chance = random.Random(seed)
    at, number, worker = NOW, 1, await store.join("test", NOW, NOW + 300 * DAY_US)
    marks = [(EventKind.OPENED, Mark.OPENED), (EventKind.OPENED, Mark.OPENED | PersonMark.OPENED), (EventKind.CLICKED, Mark.CLICKED | PersonMark.CLICKED),
             (EventKind.UNSUBSCRIBED, Mark.UNSUBSCRIBED), (EventKind.COMPLAINED, Mark.SPAM), (EventKind.NOTE, 0)]  # fmt: skip
    for _ in range(120):
        at += chance.randrange(1, 3 * 3600) * SECOND_US
        step = chance.random()
        if step < 0.3:
            copies = chance.randrange(1, 4)
            options = Options(campaign=chance.choice(["", "may", "june"]), after_uncertain=chance.choice(["", "hold", "wait"]))
            due_at = at + chance.choice([0, 0, 3600 * SECOND_US])
            to = chance.choice(["gmail.com", "acme.example"])
            await accept(store, account, number, copies=copies, at=at, to=to, options=options, due_at=due_at, door=chance.choice([Door.SMTP, Door.HTTP]))
            number += copies
        elif step < 0.6:
            for claim in await store.claim(worker.id, [Want(site, (2,) * LANES) for site in ("", GMAIL, "mx.other.test")], at):
                kind = chance.choice(list(OutcomeKind))
                made = Outcome(kind, at, retry_at=at + SECOND_US, is_permanent=chance.random() < 0.5, blocks_address=chance.random() < 0.1, reason=UNKNOWN,
                               is_uncertain=chance.random() < 0.3,
                               site=chance.choice(["", None, "mx.other.test"]) if kind in (OutcomeKind.DEFERRED, OutcomeKind.RELEASED) else None)  # fmt: skip
                await store.settle(Settlement(claim, made))
        elif step < 0.9 and number > 1:
            records = []
            for _ in range(chance.randrange(1, 6)):
                kind, bits = chance.choice(marks)
                unmarks = chance.choice([0, 0, int(PersonMark.CLICKED), int(Mark.UNSUBSCRIBED)])
                data: dict[str, str | int] = {"agent": "Thunderbird/115", "geo": chance.choice(["", "FR"]), "link": chance.randrange(3), "url": "https://a.test/"}
                records.append(Record(chance.randrange(1, number), kind, at, data=data, marks=int(bits), unmarks=unmarks))
            if chance.random() < 0.4:
                kind = chance.choice([EventKind.HARD_BOUNCED, EventKind.SOFT_BOUNCED])
                records.append(Record(chance.randrange(1, number), kind, at, reason=UNKNOWN))
            await store.record_many(records)
        elif step < 0.92:
            await store.expire(at, 5)
        elif step < 0.94:
            held = await store.claim(worker.id, [Want(site, (3,) * LANES) for site in ("", GMAIL)], at)
            flights = [Flight(c.message_id, c.turn, chance.choice([0, at])) for c in held if chance.random() < 0.7]
            await store.retire(worker.id, at, chance.choice([flights, None]))
            worker = await store.join("test", at, at + 300 * DAY_US)
        elif step < 0.95:
            await store.retry_now(at)
        elif step < 0.97:
            waiting = [m.message_id for m in await store.held.list()]
            await store.held.drop(waiting[::2], at, is_delivered=chance.random() < 0.5)
            await store.held.release(waiting[:3], at)
        else:
            await catch_up(store, chance.randrange(1, 50))


async def every_row(store: Database, account: Account) -> dict[tuple[object, ...], dict[str, int]]:
    """The counters, row by row, as far as anything stands in them."""
    found: dict[tuple[object, ...], dict[str, int]] = {}
    sources = {Axis.ACCOUNT: ("",), Axis.CAMPAIGN: ("1", "2"), Axis.SENDER: ("news@acme.test",)}
    for key in itertools.product(Axis, Timing, ("smtp", "http"), ("", "gmail", "gsuite", "others"), Resolution):
        axis, timing, door, provider, resolution = key
        one = Selection(account.id, axis, sources[axis], timing, door, provider)
        rows = await store.statistics.slices(one, resolution, NOW - DAY_US, NOW + 400 * DAY_US)
        found |= {(*key, row.label, row.bucket): row.counts for row in rows if any(row.counts.values())}
    return found


async def every_reach(store: Database, account: Account) -> list[object]:
    return [await store.statistics.reach(account.id, campaign_id, kind, is_click=is_click, since=0, until=NOW + 400 * DAY_US)
            for campaign_id, kind, is_click in itertools.product((0, 1, 2), Reach, (False, True))]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_rebuilt_equals_live_equals_the_messages(store: Database, account: Account, seed: int) -> None:
    await history(store, account, seed)
    await catch_up(store)
    assert await is_level(store)
    live, reached = await every_row(store, account), await every_reach(store, account)
    assert len(live) > 100
    assert any(reached)
    assert await rebuild(store) > 100
    assert await every_row(store, account) == live
    assert await every_reach(store, account) == reached

    (total,) = await store.statistics.sums(Selection(account.id), pieces(NOW, NOW + 400 * DAY_US))
    flying = await store.statistics.in_flight(account.id, NOW, NOW + 400 * DAY_US)
    truth = await store.counts(account.id, None, None)
    for implied in (True, False):
        for persons in (True, False):
            wanted = figures(truth, click_implies_open=implied, without_machines=persons)
            made = figures_of_counters(total.counts, click_implies_open=implied, without_machines=persons, in_flight=flying)
            assert asdict(made) == asdict(wanted)
    by_provider = await store.statistics.by_provider(Selection(account.id), pieces(NOW, NOW + 400 * DAY_US))
    assert {s.label for s in by_provider} <= {"", "gmail", "gsuite", "others"}
    assert {name: sum(s.counts[name] for s in by_provider) for name in COUNTS} == total.counts
    assert all(s.counts["delivered"] >= 0 and s.counts["deferred"] >= 0 for s in by_provider)
    senders = await store.statistics.sums_of_all(account.id, Axis.SENDER, pieces(NOW, NOW + 400 * DAY_US))
    assert [(s.label, s.counts) for s in senders] == [("news@acme.test", total.counts)]


async def deliver(store: Database, account: Account, copies: int, at: int = NOW, **changes: Any) -> None:
    await accept(store, account, 1, copies=copies, at=at, **changes)
    worker = await store.join("test", at, at + DAY_US)
    for claim in await store.claim(worker.id, [Want(GMAIL, (1000,) * LANES)], at):
        assert await store.settle(Settlement(claim, Outcome(OutcomeKind.DELIVERED, at + 3 * SECOND_US, reply="250 ok")))


async def test_both_timings_of_the_contracts_example(store: Database, account: Account) -> None:
    """Section 7.1: sent on day 1, 10 openings on day 2, 20 on day 3."""
    day_1 = NOW - NOW % DAY_US
    await deliver(store, account, 30, at=day_1, options=Options(campaign="may"))
    opened = Mark.OPENED | PersonMark.OPENED
    await store.record_many([Record(n, EventKind.OPENED, day_1 + (1 if n <= 10 else 2) * DAY_US, marks=opened, data={"after_s": 60}) for n in range(1, 31)])
    await catch_up(store)
    shelf = store.statistics
    one = Selection(account.id, Axis.CAMPAIGN, ("1",))
    by_message = await shelf.slices(one, Resolution.DAY, day_1, day_1 + 9 * DAY_US)
    assert [(s.bucket, s.counts["delivered"], s.counts["opened"], s.counts["open_events"]) for s in by_message] == [(day_1, 30, 30, 30)]
    assert by_message[0].counts["open_delay_s"] == 1800
    assert by_message[0].counts["delivery_delay_s"] == 90
    by_event = await shelf.slices(replace(one, timing=Timing.EVENT), Resolution.DAY, day_1, day_1 + 9 * DAY_US)
    assert [((s.bucket - day_1) // DAY_US + 1, s.counts["processed"], s.counts["opened"]) for s in by_event] == [(1, 30, 0), (2, 0, 10), (3, 0, 20)]
    assert [s.label for s in await shelf.by_provider(replace(one, door="smtp"), pieces(day_1, day_1 + DAY_US))] == ["", "gsuite"]
    assert await shelf.sums(replace(one, door="http"), pieces(day_1, day_1 + DAY_US)) == []


async def test_a_message_counts_once_per_link_and_every_click_as_an_event(store: Database, account: Account) -> None:
    await deliver(store, account, 2, options=Options(campaign="may"))
    click = Record(1, EventKind.CLICKED, NOW, marks=Mark.CLICKED, data={"url": "https://a.test/?" + "x" * 3000, "link": 2, "geo": "FR"})
    await store.record_many([click, replace(click, at=NOW + DAY_US), replace(click, message_id=2)])
    await store.record_many([replace(click, data={**click.data, "link": 3})])
    await catch_up(store)
    links = await store.statistics.reach(account.id, 1, Reach.LINK, is_click=True, since=0, until=NOW + 9 * DAY_US)
    assert [(s.name[:15], len(s.name), s.detail, s.messages, s.events) for s in links] == [
        ("https://a.test/", 2000, "2", 2, 3), ("https://a.test/", 2000, "3", 1, 1)]  # fmt: skip
    for campaign_id in (0, 1):
        countries = await store.statistics.reach(account.id, campaign_id, Reach.COUNTRY, is_click=True, since=0, until=NOW + 9 * DAY_US)
        assert [(s.name, s.messages, s.events) for s in countries] == [("FR", 2, 4)]
    assert await store.statistics.reach(account.id, 1, Reach.COUNTRY, is_click=False, since=0, until=NOW + 9 * DAY_US) == []


async def test_why_people_left_is_counted_once_for_each_who_said_it(store: Database, account: Account) -> None:
    """Own words count as another reason; who undoes it has said it all the same; a repeated click says nothing new."""
    await deliver(store, account, 5, options=Options(campaign="may"))
    for number, reason in ((1, "too_many"), (2, "too_many"), (2, "not_asked"), (3, "my own <words>"), (4, "")):
        await store.record_many([unsubscribed(number, account.id, NOW + number, "unsubscribe", 0, {}, reason)])
    await store.record_many([resubscribed(1, account.id, NOW + 9, "resubscribe", 0, {})])
    await catch_up(store)
    for _ in range(2):
        for campaign_id in (0, 1):
            found = await store.statistics.reach(account.id, campaign_id, Reach.REASON, is_click=False, since=0, until=NOW + DAY_US)
            assert {one.name: (one.messages, one.events) for one in found} == {"too_many": (2, 2), "other": (1, 1)}
        await rebuild(store)


async def test_a_stretch_of_events_is_added_once(store: Database, account: Account) -> None:
    await deliver(store, account, 3)
    views, after = await store.statistics.views(START, 100)
    assert [v.event.kind for v in views] == [EventKind.ACCEPTED] + [EventKind.DELIVERED] * 3
    assert await store.statistics.add(START, after, fold(views))
    assert not await store.statistics.add(START, after, fold(views))
    assert await store.statistics.position(FOLLOWER) == after
    (total,) = await store.statistics.sums(Selection(account.id), pieces(NOW, NOW + DAY_US))
    assert (total.counts["processed"], total.counts["delivered"]) == (3, 3)


async def test_one_follower_at_a_time_until_its_lease_ends(store: Database) -> None:
    shelf = store.statistics
    assert await shelf.lease("f", 1, NOW, NOW + 10)
    assert await shelf.lease("f", 1, NOW, NOW + 10)
    assert not await shelf.lease("f", 2, NOW + 5, NOW + 20)
    assert await shelf.lease("f", 2, NOW + 11, NOW + 20)
    await shelf.release("f", 2)
    assert await shelf.lease("f", 1, NOW + 12, NOW + 30)


async def test_what_is_under_way_is_in_flight(store: Database, account: Account) -> None:
    await accept(store, account, 1, copies=3)
    worker = await store.join("test", NOW, NOW + DAY_US)
    await store.claim(worker.id, [Want(GMAIL, (2,) * LANES)], NOW)
    await catch_up(store)
    (total,) = await store.statistics.sums(Selection(account.id), pieces(NOW, NOW + DAY_US))
    flying = await store.statistics.in_flight(account.id, NOW, NOW + DAY_US)
    made = figures_of_counters(total.counts, click_implies_open=True, in_flight=flying)
    assert (flying, made.queued, made.in_flight, made.sent) == ((2, 0), 1, 2, 2)
    assert await store.statistics.in_flight(account.id, NOW, NOW + DAY_US, door="http") == (0, 0)


async def test_what_became_of_the_mail_to_an_address(store: Database, account: Account) -> None:
    await deliver(store, account, 2)
    await store.record_many([Record(2, EventKind.OPENED, NOW + DAY_US, marks=Mark.OPENED)])
    found = await store.statistics.recipients(account.id, ["r2@example.net", "nobody@example.net"])
    assert [(c.address_key, c.state, c.marks, c.count, c.last_at) for c in found] == [("r2@example.net", State.DELIVERED, 1, 1, NOW + DAY_US)]


async def test_the_feed_of_one_account_has_its_events_only(store: Database, account: Account) -> None:
    other = await store.add_account("other", NOW)
    await accept(store, account, 1)
    await accept(store, other, 2)
    await accept(store, account, 3, options=Options(campaign="may", custom_id="c-3", event_payload="p"))
    views, after = await store.statistics.views(START, 1, account.id)
    assert [v.event.message_id for v in views] == [1]
    views, after = await store.statistics.views(after, 9, account.id)
    assert [(v.event.message_id, v.recipient, v.campaign, v.custom_id, v.payload, v.door) for v in views] == [(3, "r3@example.net", "may", "c-3", "p", "smtp")]
    assert (await store.statistics.views(after, 9, account.id))[0] == []


async def test_counters_whose_events_are_gone_outlive_a_rebuild(store: Database, account: Account) -> None:
    await deliver(store, account, 3)
    await accept(store, account, 11, copies=2, at=NOW + 50 * DAY_US)
    await accept(store, account, 21, copies=4, at=NOW + 51 * DAY_US)
    await catch_up(store)
    before = await every_row(store, account)
    assert await store.privacy.drop_history(account.id, NOW + 40 * DAY_US, 100) == 3
    await rebuild(store)
    assert await every_row(store, account) == before
    await store.record_many([Record(11, EventKind.OPENED, NOW + 52 * DAY_US, marks=Mark.OPENED)])
    await rebuild(store)
    assert {key: row for key, row in (await every_row(store, account)).items() if row["processed"]} == {
        key: row for key, row in before.items() if row["processed"]}  # fmt: skip
