"""`/v1/estafette/statistics` and `/v1/estafette/guard` as an account asks for them, and what the guard's orders do at the door."""

from typing import Any

import pytest

from estafette.accept.guarding import STOPPED, GuardBook
from estafette.accept.ids import IdMaker
from estafette.accept.submit import SubmitDoor
from estafette.clock import DAY_US, SECOND_US
from estafette.facts import Cause, GuardOrder, Step, Stream
from estafette.model import LANES, EventKind, Mark, Outcome, OutcomeKind, Record, Settlement, State
from estafette.stats.folder import catch_up
from estafette.stats.guard_rules import explained
from estafette.store.seam import Want
from tests.api.conftest import Api, call, mail


async def some_mail(api: Api) -> None:
    """Three messages, two of them of a campaign; one opened."""
    await api.post(call(mail(CustomCampaign="may"), mail(CustomCampaign="may", To=[{"Email": "ann@example.net"}]), mail(To=[{"Email": "bob@example.net"}])))
    now = api.clock.now_us()
    worker = await api.store.join("test", now, now + DAY_US)
    views = await api.store.messages()
    for one in await api.store.claim(worker.id, [Want("", (99,) * LANES)], now):
        if one.message_id != views[2].id:
            await api.store.settle(Settlement(one, Outcome(OutcomeKind.DELIVERED, now + 2 * SECOND_US, reply="250 ok")))
    await api.store.record_many([Record(views[0].id, EventKind.OPENED, now + 60 * SECOND_US, marks=Mark.OPENED, data={"after_s": 58})])
    await catch_up(api.store)
    api.clock.advance(300)


async def data(api: Api, **params: str) -> list[dict[str, Any]]:
    answer = await api.get("/v1/estafette/statistics", **params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["Data"]
    return found


async def test_figures_name_their_definitions(api: Api) -> None:
    await some_mail(api)
    answer = (await api.get("/v1/estafette/statistics")).json()
    assert (answer["Definitions"], answer["Timing"], answer["Count"]) == ("status-page", "message", 1)
    (whole,) = answer["Data"]
    assert {name: whole[name] for name in ("processed", "sent", "delivered", "in_flight", "opened", "open_events", "open_delay_s")} == {
        "processed": 3, "sent": 3, "delivered": 2, "in_flight": 1, "opened": 1, "open_events": 1, "open_delay_s": 58}  # fmt: skip
    assert whole["rates"]["delivered"] == round(2 / 3, 6)
    (by_api,) = await data(api, definitions="api", campaign="1")
    assert (by_api["processed"], by_api["rates"]["clicked"], by_api["rates"]["opened"]) == (2, 0, 0.5)
    assert (await data(api, machines="0"))[0]["opened"] == 0  # the mark alone, without a person's


async def test_figures_come_in_slices_and_groups(api: Api) -> None:
    await some_mail(api)
    assert [(row["Of"], row["processed"]) for row in await data(api, by="campaign")] == [("1", 2)]
    assert [(row["Of"], row["processed"]) for row in await data(api, by="sender")] == [("news@acme.test", 3)]
    assert [row["Of"] for row in await data(api, by="provider")] == [""]
    (day,) = await data(api, by="day", timing="event")
    assert (day["At"][11:], day["opened"], day["queued"]) == ("00:00:00.000Z", 1, 1)
    assert len(await data(api, by="5m", FROM="2026-09-21T00:00:00Z", to="2026-09-22")) == 1
    assert [(await data(api, door=door))[0]["processed"] for door in ("smtp", "http")] == [0, 3]
    other = await api.another("other", "key2")
    assert (await data(other))[0]["processed"] == 0


@pytest.mark.parametrize(
    "params",
    [{"from": "x"}, {"from": "2026-13-01"}, {"from": "9" * 30}, {"from": "2027-01-01"}, {"by": "moon"}, {"timing": "now"}, {"definitions": "mine"},
     {"campaign": "may"}, {"campaign": "1", "sender": "a@b"}, {"by": "5m", "from": "2026-01-01"}, {"by": "sender", "timing": "event"}, {"sender": "\0"},
     {"door": "\0"}, {"campaign": "9" * 25}],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused(api: Api, params: dict[str, str]) -> None:
    answer = await api.get("/v1/estafette/statistics", **params)
    assert answer.status_code == 400, answer.text
    assert answer.json()["ErrorMessage"]


async def test_orders_of_the_guard_are_told_and_obeyed_at_the_door(api: Api) -> None:
    book = GuardBook(api.store)
    api.door = SubmitDoor(api.store, api.clock, IdMaker(0), 1, "mx.acme.test", 3 * 86_400, None, book)
    now = api.clock.now_us()
    stop = GuardOrder(api.account.id, Stream.BULK, Step.STOP, Cause.SPAM, 9, 1000, 0, now)
    await api.store.guard.order(stop, "why")
    await api.store.guard.order(GuardOrder(api.account.id, Stream.TRANSACTIONAL, Step.SLOW, Cause.HARD_ERRORS, 99, 1000, 100, now), "why")
    await book.refresh()
    await api.post(call(mail(CustomCampaign="may"), mail()))
    bulk, slowed = await api.store.messages()
    assert (bulk.state, bulk.reason) == (State.BLOCKED, STOPPED)
    waiting = await api.store.waiting(slowed.id, now)
    assert waiting is not None and waiting.lane >= LANES
    answer = (await api.get("/v1/estafette/guard")).json()
    assert (answer["Count"], answer["Held"]) == (2, 1)
    assert answer["Data"][0]["Why"] == explained(stop)
    assert (await (await api.another("other", "key2")).get("/v1/estafette/guard", all="1")).json() == {"Count": 0, "Held": 0, "Data": []}
