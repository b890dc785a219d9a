"""The statistics resources of REST v3 and `eventcallbackurl`, each on a little mail."""

from typing import Any

import pytest

from estafette.clock import DAY_US, SECOND_US
from estafette.model import LANES, EventKind, Mark, Outcome, OutcomeKind, PersonMark, Reason, Record, Settlement
from estafette.stats.folder import catch_up
from estafette.store.seam import Want
from tests.api.conftest import Api, call, mail

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
async def busy(api: Api) -> Api:
    """Campaign "may" to jo (delivered, opened twice, clicked) and ann (hard error), and one mail to bob without a campaign."""
    to = ({}, {"To": [{"Email": "ann@example.net"}]})
    await api.post(call(*(mail(CustomCampaign="may", **one) for one in to), mail(To=[{"Email": "bob@example.net"}])))
    now = api.clock.now_us()
    worker = await api.store.join("test", now, now + DAY_US)
    jo, ann, _ = await api.store.messages()
    for one in await api.store.claim(worker.id, [Want("", (99,) * LANES)], now):
        made = Outcome(OutcomeKind.DELIVERED, now + 2 * SECOND_US, reply="250 ok")
        if one.message_id == ann.id:
            reason = Reason("recipient", "user unknown")
            made = Outcome(OutcomeKind.BOUNCED, now + 2 * SECOND_US, reply="550 no", is_permanent=True, blocks_address=True, reason=reason)
        await api.store.settle(Settlement(one, made))
    data: dict[str, str | int] = {"agent": FIREFOX, "geo": "FR", "after_s": 60}
    opened = Record(jo.id, EventKind.OPENED, now + 60 * SECOND_US, data=data, marks=Mark.OPENED | PersonMark.OPENED)
    click = {**data, "link": 0, "url": "https://acme.test/a", "after_s": 5}
    await api.store.record_many([opened, opened, Record(jo.id, EventKind.CLICKED, now + 65 * SECOND_US, data=click, marks=Mark.CLICKED | PersonMark.CLICKED)])
    await catch_up(api.store)
    api.clock.advance(300)
    assert (await api.rest("POST", "contact", {"Email": "jo@example.net"})).status_code == 201
    return api


async def rows(api: Api, path: str, **params: str) -> list[dict[str, Any]]:
    answer = await api.get(f"/v3/REST/{path}", **params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["Data"]
    return found


def some(row: dict[str, Any], *names: str) -> list[Any]:
    return [row[name] for name in names]


async def test_statcounters(busy: Api) -> None:
    (life,) = await rows(busy, "statcounters", CounterSource="APIKey", CounterTiming="Message", CounterResolution="Lifetime")
    assert life["Timeslice"] == "" and all(isinstance(value, int) for name, value in life.items() if name != "Timeslice")
    names = ("Total", "MessageSentCount", "MessageHardBouncedCount", "MessageOpenedCount", "EventOpenedCount", "EventOpenDelay", "MessageClickedCount")
    assert some(life, *names) == [3, 2, 1, 1, 2, 120, 1]
    (campaign,) = await rows(busy, "statcounters", CounterSource="Campaign", SourceID="1", CounterTiming="Event", CounterResolution="Day", FromTS="2026-09-21")
    assert some(campaign, "SourceID", "Timeslice", *names) == [1, "2026-09-21T00:00:00Z", 2, 1, 1, 1, 2, 120, 1]
    assert await rows(busy, "statcounters", CounterType="CML", CampaignID="1") == await rows(busy, "statcounters", CampaignID="1")
    assert len(await rows(busy, "statcounters", CounterType="AES", FromTS="2026-09-21", ToTS="2026-09-22", Limit="0")) == 1
    (sender,) = await rows(busy, "statcounters", CounterSource="Sender", SourceID="news@acme.test")
    assert sender["Total"] == 3


@pytest.mark.parametrize(
    "params",
    [{"CounterSource": "Campaign"}, {"CounterSource": "List", "SourceID": "1"}, {"CounterSource": "APIKey", "SourceID": "77"}, {"CounterType": "XYZ"},
     {"CounterType": "CE"}, {"CounterResolution": "Day"}, {"CounterResolution": "Highest", "FromTS": "2020-01-01"},
     {"CounterSource": "Sender", "SourceID": "a", "CounterTiming": "Event"}],
)  # fmt: skip
async def test_statcounters_refuses(api: Api, params: dict[str, str]) -> None:
    assert (await api.get("/v3/REST/statcounters", **params)).status_code == 400


async def test_statistics_of_a_campaign(busy: Api) -> None:
    assert await rows(busy, "statistics/link-click", CampaignID="1") == [
        {"URL": "https://acme.test/a", "PositionIndex": 1, "ClickedMessagesCount": 1, "ClickedEventsCount": 1}]  # fmt: skip
    (esp,) = await rows(busy, "statistics/recipient-esp", CampaignID="1", ESP_Name="Others")
    assert some(esp, "ESPName", "AttemptedMessagesCount", "OpenRate", "HardBouncedRate", "ClickThroughRate") == ["others", 2, 0.5, 0.5, 1.0]
    assert await rows(busy, "statistics/recipient-esp", CampaignID="99") == []
    assert (await busy.get("/v3/REST/statistics/link-click")).status_code == 400
    assert await rows(busy, "geostatistics", CampaignID="1") == [{"Country": "FR", "OpenedCount": 2, "ClickedCount": 1}]
    assert await rows(busy, "useragentstatistics", Event="open") == [{"UserAgent": "Firefox 140", "Platform": "Windows", "Count": 2, "DistinctCount": 1}]
    assert await rows(busy, "useragentstatistics", ExcludePlatform="Windows") == []
    assert await rows(busy, "toplinkclicked", CustomCampaign="may") == [{"ClickedCount": 1, "LinkId": 1, "Url": "https://acme.test/a"}]


async def test_events_one_by_one(busy: Api) -> None:
    jo, ann, _ = await busy.store.messages()
    opened = await rows(busy, "openinformation")
    assert [some(row, "MessageID", "CampaignID", "ContactID", "UserAgentFull") for row in opened] == [[jo.id, 1, 1, FIREFOX]] * 2
    assert len(await rows(busy, f"openinformation/{jo.id}")) == 2
    assert await rows(busy, f"openinformation/{ann.id}") == []
    assert [some(row, "Url", "ClickedDelay") for row in await rows(busy, "clickstatistics", CampaignID="1")] == [["https://acme.test/a", 5]]
    (bounce,) = await rows(busy, "bouncestatistics")
    assert some(bounce, "ID", "StateID", "IsStatePermanent", "IsBlocked") == [ann.id, 1, True, True]
    assert await rows(busy, "bouncestatistics", CampaignID="9") == []
    assert await rows(await busy.another("other", "key2"), "openinformation") == []


async def test_older_totals(busy: Api) -> None:
    assert some((await rows(busy, "apikeytotals"))[0], "ProcessedCount", "DeliveredCount", "BouncedCount", "OpenedCount") == [3, 2, 1, 1]
    (sums,) = await rows(busy, "messagestatistics")
    assert some(sums, "CampaignCount", "TransactionalCount", "TotalOpensCount", "TotalClicksCount") == [1, 1, 2, 1]
    assert some(sums, "AverageOpenDelay", "AverageOpenedCount") == [120, 2]
    assert await rows(busy, "openstatistics") == [{"OpenedCount": 1, "OpenedDelay": 120.0, "ProcessedCount": 3}]
    assert [row["ProcessedCount"] for row in await rows(busy, "graphstatistics", Scale="Hour")] == [3]
    (campaign,) = await rows(busy, "campaignstatistics")
    assert some(campaign, "CampaignID", "CampaignSubject", "ProcessedCount", "HardBouncedCount") == [1, "Hello", 2, 1]
    (overview,) = await rows(busy, "campaignoverview")
    assert some(overview, "ID", "IDType", "Title", "ProcessedCount", "DeliveredCount") == [1, "Campaign", "may", 2, 1]
    assert await rows(busy, "campaignoverview/Campaign|1") == [overview]
    assert (await busy.get("/v3/REST/campaignoverview/NL|1")).status_code == 404
    assert some((await rows(busy, "senderstatistics"))[0], "Email", "ProcessedCount") == ["news@acme.test", 3]
    (contact,) = await rows(busy, "contactstatistics")
    assert some(contact, "ContactID", "ProcessedCount", "OpenedCount") == [1, 1, 1]
    assert await rows(busy, "contactstatistics/jo@example.net") == [contact] == await rows(busy, "contactstatistics/1")
    assert (await busy.get("/v3/REST/contactstatistics/nobody@example.net")).status_code == 404


async def test_eventcallbackurl(api: Api) -> None:
    made = await api.rest("POST", "eventcallbackurl", {"EventType": "open", "Url": "https://shop.test/hook", "Version": 2})
    assert made.status_code == 201
    (row,) = made.json()["Data"]
    assert row == {"APIKeyID": 1, "EventType": "open", "ID": 1, "IsBackup": False, "Status": "alive", "Url": "https://shop.test/hook", "Version": 2}
    assert (await api.rest("POST", "eventcallbackurl", {"EventType": "open", "Url": "https://shop.test/hook"})).status_code == 400
    for body in ({"EventType": "open"}, {"EventType": "x", "Url": "https://shop.test/h"}, {"EventType": "click", "Url": "https://shop.test/"},
                 {"EventType": "click", "Url": "ftp://shop.test/x"}, {"EventType": "click", "Url": "https://shop.test/x", "Version": 3}):  # fmt: skip
        assert (await api.rest("POST", "eventcallbackurl", body)).status_code == 400, body
    assert (await api.rest("POST", "eventcallbackurl", {"EventType": "open", "IsBackup": True, "Url": "https://b.test/hook"})).status_code == 201
    assert [one["ID"] for one in await rows(api, "eventcallbackurl", EventType="6", IsBackup="1")] == [3]
    assert (await rows(api, "eventcallbackurl/open|1"))[0]["ID"] == 3
    assert (await rows(api, "eventcallbackurl/open|false"))[0]["ID"] == 1
    assert (await api.rest("PUT", "eventcallbackurl/1", {"Version": 2})).status_code == 304
    assert (await api.rest("PUT", "eventcallbackurl/1", {"Url": "https://shop.test/new"})).json()["Data"][0]["Url"] == "https://shop.test/new"
    assert (await api.rest("POST", "eventcallbackurl/1/test")).status_code == 200
    (parcel,) = await api.store.webhooks.due([1], api.clock.now_us(), 9, one_per_message=True)
    assert '"event":"open"' in parcel.payload
    other = await api.another("other", "key2")
    assert (await other.rest("DELETE", "eventcallbackurl/1")).status_code == 404
    assert (await api.rest("DELETE", "eventcallbackurl/1")).status_code == 204
    assert (await api.rest("GET", "eventcallbackurl/1")).status_code == 404
