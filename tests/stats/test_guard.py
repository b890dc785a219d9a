"""The guard's decisions as a table, and a whole life of an order on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from estafette.accept.guarding import GuardBook, stream_of
from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.facts import Cause, GuardOrder, Step, Stream
from estafette.model import LANES, Account, Door, EventKind, Mark, NewMessage, Options, Outcome, OutcomeKind, Record, Settlement, State, Submission
from estafette.stats import guard_rules
from estafette.stats.folder import catch_up
from estafette.stats.guard import Watch
from estafette.stats.guard_rules import FREE, Measure, decide, explained, step_for, unanswered_measure, verdicts
from estafette.stats.rates import Figures
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.guard import RECOVERED
from estafette.store.opening import open_store
from estafette.store.seam import Want
from estafette.store.statistics import START

NOW = 1_790_000_000 * SECOND_US
HOUR = 3600 * SECOND_US
BULK, TRANSACTIONAL = Stream.BULK, Stream.TRANSACTIONAL


@pytest.mark.parametrize(
    ("stream", "cause", "part", "whole", "step"),
    [
        (BULK, Cause.SPAM, 0, 0, None),
        (BULK, Cause.SPAM, 900, 999, None),  # too few to say anything
        (BULK, Cause.SPAM, 2, 1000, None),  # an accident
        (BULK, Cause.SPAM, 3, 1000, Step.STOP),
        (BULK, Cause.SPAM, 7, 10_000, None),
        (BULK, Cause.SPAM, 8, 10_000, Step.WARN),
        (BULK, Cause.SPAM, 10, 10_000, Step.SLOW),
        (BULK, Cause.SPAM, 30, 10_000, Step.STOP),
        (TRANSACTIONAL, Cause.SPAM, 30, 10_000, Step.WARN),
        (TRANSACTIONAL, Cause.SPAM, 100, 10_000, Step.STOP),
        (BULK, Cause.HARD_ERRORS, 39, 1000, None),
        (BULK, Cause.HARD_ERRORS, 40, 1000, Step.WARN),
        (BULK, Cause.HARD_ERRORS, 80, 1000, Step.SLOW),
        (BULK, Cause.HARD_ERRORS, 150, 1000, Step.STOP),
        (TRANSACTIONAL, Cause.HARD_ERRORS, 399, 1000, Step.WARN),
        (TRANSACTIONAL, Cause.HARD_ERRORS, 400, 1000, Step.STOP),
        (BULK, Cause.UNANSWERED, 49, 1000, None),
        (TRANSACTIONAL, Cause.UNANSWERED, 1000, 1000, Step.WARN),  # an alert, never a brake
    ],
)
def test_what_figures_ask_for(stream: Stream, cause: Cause, part: int, whole: int, step: Step | None) -> None:
    assert step_for(stream, Measure(cause, part, whole)) is step


def order(step: Step, **changes: object) -> GuardOrder:
    return replace(GuardOrder(7, BULK, step, Cause.SPAM, 3, 1000, since=NOW), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("running", "complaints", "new", "is_over"),
    [
        (None, 0, None, False),
        (None, 10, Step.SLOW, False),
        (Step.WARN, 8, None, False),  # as before: nothing is said twice
        (Step.WARN, 30, Step.STOP, True),
        (Step.SLOW, 8, Step.WARN, True),
        (Step.SLOW, 0, None, True),
        (Step.STOP, 0, None, False),  # a person lifts it
        (Step.STOP, 30, None, False),
    ],
)
def test_orders_follow_the_figures_but_a_stop_stays(running: Step | None, complaints: int, new: Step | None, is_over: bool) -> None:
    made, over = decide(7, BULK, Measure(Cause.SPAM, complaints, 10_000), order(running) if running else None, NOW)
    assert (made.step if made else None, over) == (new, is_over)


def test_the_limit_follows_the_volume() -> None:
    small, _ = decide(7, BULK, Measure(Cause.SPAM, 12, 10_000), None, NOW)
    large, _ = decide(7, BULK, Measure(Cause.SPAM, 1500, 1_440_000), None, NOW)
    assert (small and small.per_hour, large and large.per_hour) == (100, 5000)


def test_every_order_is_explained() -> None:
    assert explained(order(Step.STOP)) == (
        "bulk mail: 3 of 1000 messages (0.30%) were reported as spam; 0.1 % is the limit: this stream is stopped until a person lifts it")  # fmt: skip
    assert "100 messages an hour" in explained(order(Step.SLOW, per_hour=100, cause=Cause.HARD_ERRORS))
    assert "without an answer" in explained(order(Step.WARN, cause=Cause.UNANSWERED))


def test_the_strictest_order_counts_and_a_warning_stops_nothing() -> None:
    found = verdicts([order(Step.WARN), order(Step.STOP, cause=Cause.HARD_ERRORS), order(Step.SLOW), order(Step.SLOW, stream=TRANSACTIONAL, account_id=8),
                      order(Step.WARN, account_id=9)])  # fmt: skip
    assert {key: (v.is_stopped, v.is_slowed) for key, v in found.items()} == {(7, BULK): (True, False), (8, TRANSACTIONAL): (False, True)}
    assert guard_rules.Verdict() == FREE


def test_which_stream() -> None:
    assert stream_of(Door.SMTP, Options()) is TRANSACTIONAL
    assert stream_of(Door.HTTP, Options(campaign="may")) is BULK
    assert stream_of(Door.SMTP, Options(priority=1)) is BULK
    assert stream_of(Door.CAMPAIGN, Options()) is BULK


def test_unanswered_is_what_has_no_outcome() -> None:
    assert unanswered_measure(Figures(queued=1, blocked=5, in_flight=2, deferred=3, exhausted=9, delivered=10)) == Measure(Cause.UNANSWERED, 6, 25)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


async def accept(store: Database, account: Account, first: int, count: int, at: int, campaign: str = "may") -> None:
    messages = tuple(NewMessage(n, f"r{n}@example.net", f"r{n}@example.net", "example.net", State.QUEUED, site="mx") for n in range(first, first + count))
    options = Options(campaign=campaign)
    await store.accept(Submission(first, account.id, Door.SMTP, "", "news@acme.test", "", options, at, at, at + 9 * DAY_US, b"x", messages))


async def claim(store: Database, at: int, count: int = 10_000) -> list[int]:
    """Deliver what can be claimed."""
    worker = await store.join("test", at, at + DAY_US)
    claims = await store.claim(worker.id, [Want("mx", (count,) * LANES)], at)
    for one in claims:
        await store.settle(Settlement(one, Outcome(OutcomeKind.DELIVERED, at, reply="250 ok")))
    return [one.message_id for one in claims]


async def test_complaints_stop_bulk_mail_until_a_person_lifts_it(store: Database, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_rules, "REPRESENTATIVE", 100)
    clock = ManualClock()
    watch, book = Watch(store, clock, 1), GuardBook(store)
    await accept(store, account, 1, 100, NOW)
    await claim(store, NOW)
    await store.record_many([Record(n, EventKind.COMPLAINED, NOW, marks=Mark.SPAM) for n in (1, 2, 3)])
    await accept(store, account, 201, 3, NOW)
    await accept(store, account, 301, 2, NOW, campaign="")
    await catch_up(store)
    await watch.turn()
    await book.refresh()

    (stop,) = await store.guard.running(account.id)
    assert (stop.stream, stop.step, stop.cause, stop.part, stop.whole) == (BULK, Step.STOP, Cause.SPAM, 3, 100)
    assert book.verdict(account.id, Door.HTTP, Options(campaign="x")).is_stopped
    assert book.verdict(account.id, Door.HTTP, Options()) == FREE
    assert await store.guard.held() == {account.id: (3, NOW)}
    assert await claim(store, NOW) == [301, 302]  # transactional mail goes on
    (event,) = [v.event for v in (await store.statistics.views(START, 10_000, account.id))[0] if v.event.message_id == 0]
    assert (event.kind, event.reply) == (EventKind.NOTE, explained(stop))

    await watch.turn()
    assert len(await store.guard.history(account.id)) == 1  # said once
    assert await store.guard.lift(stop.id, clock.now_us(), "the list was cleaned") is not None
    assert await store.guard.lift(stop.id, clock.now_us(), "again") is None
    await catch_up(store)
    await watch.turn()
    await book.refresh()
    assert await store.guard.running() == []  # what was before is forgiven
    assert book.verdict(account.id, Door.HTTP, Options(campaign="x")) == FREE
    assert await store.guard.held() == {}
    assert await claim(store, NOW) == [201, 202, 203]

    clock.advance(3600)
    later = clock.now_us()
    await accept(store, account, 1001, 100, later)
    await claim(store, later)
    await store.record_many([Record(n, EventKind.COMPLAINED, later, marks=Mark.SPAM) for n in (1001, 1002, 1003)])
    await catch_up(store)
    await watch.turn()
    assert [(o.step, o.lifted_reason) for o in await store.guard.history(account.id)] == [(Step.STOP, ""), (Step.STOP, "the list was cleaned")]


async def test_slowed_mail_goes_out_in_portions(store: Database, account: Account) -> None:
    clock = ManualClock()
    watch = Watch(store, clock, 1)
    await store.guard.order(GuardOrder(account.id, BULK, Step.SLOW, Cause.SPAM, 12, 10_000, 60, NOW), "why")
    await accept(store, account, 1, 10, NOW)
    watch_only = replace((await store.guard.running())[0])
    await watch._enforce([watch_only])
    assert await claim(store, NOW) == []
    clock.advance(120)
    await watch._enforce([watch_only])
    assert len(await claim(store, NOW)) == 2
    clock.advance(90)
    await watch._enforce([watch_only])
    assert len(await claim(store, NOW)) == 1
    await watch.turn()  # the figures ask for nothing: the order ends, everything goes
    assert [o.lifted_reason for o in await store.guard.history(account.id)] == [RECOVERED]
    assert len(await claim(store, NOW)) == 7


async def test_mail_without_an_answer_for_long_is_told(store: Database, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_rules, "REPRESENTATIVE", 100)
    clock = ManualClock()
    await accept(store, account, 1, 100, NOW, campaign="")
    await catch_up(store)
    await Watch(store, clock, 1).turn()
    assert await store.guard.running() == []
    clock.advance(6 * 3600)
    await Watch(store, clock, 1).turn()
    (warning,) = await store.guard.running()
    assert (warning.stream, warning.step, warning.cause, warning.part) == (TRANSACTIONAL, Step.WARN, Cause.UNANSWERED, 100)
    assert await store.guard.held() == {}
    await claim(store, clock.now_us())
    await catch_up(store)
    clock.advance(60)
    await Watch(store, clock, 1).turn()
    assert await store.guard.running() == []
