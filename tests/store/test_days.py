"""PostgreSQL keeps contents and events in a partition per day (store/days.py): nothing is lost or unseen on the way there, and a day goes as a whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from estafette.accept.ids import first_id_at
from estafette.app.retention import calendar_day
from estafette.clock import DAY_US, SECOND_US, SystemClock
from estafette.model import Door, NewMessage, Options, State, Submission
from estafette.status.blocking import StatusPolicy
from estafette.store import days, migrate
from estafette.store.database import Database
from estafette.store.opening import open_store

NOW = 1_795_777_777 * SECOND_US  # 27 November 2026
TODAY = NOW - NOW % DAY_US
EVENT = "INSERT INTO event (account_id, message_id, at, kind) VALUES (1, $1, $2, 'accepted')"


@pytest.fixture
async def store(fresh_postgres: str) -> AsyncIterator[Database]:
    store = await open_store(fresh_postgres, StatusPolicy(), SystemClock())
    yield store
    await store.close()


async def ask(store: Database, sql: str, *params: object) -> list[tuple[Any, ...]]:
    async with store.driver._pool.acquire() as connection:  # type: ignore[attr-defined]
        return [tuple(row) for row in await connection.fetch(sql, *params)]


async def places(store: Database, table: str) -> dict[str, int]:
    """Partition → rows in it, of those that have any."""
    return {str(name): int(count) for name, count in await ask(store, f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")}


async def test_rows_move_to_their_day_when_its_partition_is_made(store: Database) -> None:
    message = first_id_at(NOW) + 5
    for at in (NOW, NOW + DAY_US):
        await ask(store, EVENT, first_id_at(at) + 5, at)
    await ask(store, "INSERT INTO content VALUES ($1, '', 'x')", message)
    assert await places(store, "event") == {"event_rest": 2}

    wanted = [calendar_day(TODAY + n * DAY_US) for n in range(2)]
    assert sum(made for made, _ in await asyncio.gather(*(store.privacy.keep_days(wanted, 0, 0) for _ in range(3)))) == 4
    assert await store.privacy.keep_days(wanted, 0, 0) == (0, 0)
    assert await places(store, "event") == {"event_20261127": 1, "event_20261128": 1}
    assert await places(store, "content") == {"content_20261127": 1}

    await ask(store, EVENT, message, NOW)
    assert await places(store, "event") == {"event_20261127": 2, "event_20261128": 1}
    await ask(store, EVENT, first_id_at(NOW + 900 * DAY_US), NOW)  # a clock that jumped: it waits in the rest
    assert (await places(store, "event"))["event_rest"] == 1
    assert len((await store.events((0, 0), 100))[0]) == 4


async def test_what_is_accepted_while_its_days_partition_is_made_is_kept(store: Database) -> None:
    """The row was on its way into the rest of the table, waited there for the lock, and did not belong there any more: the mail was refused."""
    account = await store.add_account("acme", NOW)
    number = first_id_at(NOW) + 5
    message = NewMessage(number, "ann@example.net", "ann@example.net", "example.net", State.QUEUED)
    submission = Submission(number, account.id, Door.SMTP, "", "news@acme.test", "", Options(), NOW, NOW, NOW + DAY_US, b"Subject: x\r\n\r\n", (message,))
    async with store.driver._pool.acquire() as connection:  # type: ignore[attr-defined]
        making = connection.transaction()
        await making.start()
        for statement in days.creation("event", calendar_day(TODAY)):
            await connection.execute(statement)
        accepting = asyncio.create_task(store.accept(submission))
        await asyncio.sleep(0.5)
        assert not accepting.done()
        await making.commit()
        await accepting
    assert await places(store, "event") == {"event_20261127": 1}


async def test_a_past_day_goes_as_a_whole_when_nothing_waits_for_it(store: Database) -> None:
    days = [calendar_day(TODAY - n * DAY_US) for n in range(4)]
    await store.privacy.keep_days(days, 0, 0)
    for day in days:
        await ask(store, EVENT, day.first + 7, NOW)
        await ask(store, "INSERT INTO content VALUES ($1, '', 'x')", day.first + 7)
    waiting = "INSERT INTO queue (message_id, submission_id, account_id, recipient, domain, site, lane, accepted_at, due_at, deadline_at)"
    await ask(store, f"{waiting} VALUES ($1, $1, 1, 'a@b.test', 'b.test', '', 0, 0, 0, 0)", days[3].first + 7)
    message = "INSERT INTO message (id, submission_id, account_id, recipient, address_key, state, created_at, updated_at)"
    await ask(store, f"{message} VALUES ($1, $1, 1, 'a@b.test', 'a@b.test', 'delivered', 0, 0)", days[2].first + 7)

    # contents: the oldest day is still waited for. Events: the second oldest still has a message; the rest of the two oldest days may go
    assert await store.privacy.keep_days([], days[1].end, days[2].end) == (0, 3)
    assert await places(store, "content") == {f"content_{days[0].name}": 1, f"content_{days[3].name}": 1}
    assert await places(store, "event") == {f"event_{day.name}": 1 for day in days[:3]}


async def test_a_day_that_is_in_use_is_left_for_the_next_round(store: Database) -> None:
    day = calendar_day(TODAY - 3 * DAY_US)
    await store.privacy.keep_days([day], 0, 0)
    async with store.driver._pool.acquire() as connection:  # type: ignore[attr-defined]
        reading = connection.transaction()
        await reading.start()
        await connection.fetch("SELECT 1 FROM event")
        assert await store.privacy.keep_days([], day.end, day.end) == (0, 1)  # the contents' day; the events' is being read
        await reading.rollback()
    assert await store.privacy.keep_days([], day.end, day.end) == (0, 1)


async def test_what_an_older_version_wrote_is_found_after_the_migration(fresh_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = migrate.load("postgres")
    with monkeypatch.context() as before:
        before.setattr(migrate, "load", lambda _: [step for step in steps if step.number < 37])
        old = await open_store(fresh_postgres, StatusPolicy(), SystemClock())
        yesterday = first_id_at(NOW - DAY_US)
        await ask(old, EVENT, yesterday, NOW)
        await ask(old, "INSERT INTO content VALUES ($1, 'zlib', 'x')", yesterday)
        await old.close()
    store = await open_store(fresh_postgres, StatusPolicy(), SystemClock())
    try:
        assert await places(store, "event") == {"event_before": 1}
        await store.privacy.keep_days([calendar_day(TODAY), calendar_day(TODAY + DAY_US)], 0, 0)
        await ask(store, EVENT, first_id_at(NOW), NOW)
        assert await places(store, "event") == {"event_before": 1, "event_20261127": 1}
        assert [event.message_id for event in (await store.events((0, 0), 100))[0]] == [yesterday, first_id_at(NOW)]
        await ask(store, "INSERT INTO content VALUES ($1, '', 'x')", first_id_at(NOW))
        plan = await ask(store, "EXPLAIN SELECT * FROM content WHERE submission_id = ANY($1::bigint[])", [first_id_at(NOW)])
        assert "content_20261127" in str(plan) and "content_before" not in str(plan)
    finally:
        await store.close()
