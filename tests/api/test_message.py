"""/v3/REST: what an account is told of its own messages, and of nobody else's; and the routes that are none."""

from dataclasses import replace
from typing import Any

import pytest

from estafette.api.app import make_app
from estafette.api.message_rows import STATE_IDS, date, history_row, message_row, state_id
from estafette.api.query import message_id_of
from estafette.clock import SECOND_US
from estafette.model import LANES, Event, EventKind, Mark, MessageView, Outcome, OutcomeKind, Reason, Settlement, State
from estafette.status.blocking import REASONS
from estafette.store.seam import StoreFault, Want
from tests.api.conftest import SECRET, Api, call, mail

MESSAGE_FIELDS = [
    "ArrivedAt", "AttachmentCount", "AttemptCount", "CampaignID", "ContactAlt", "ContactID", "CustomID", "Delay", "DestinationID", "FilterTime",
    "FromID", "ID", "IsClickTracked", "IsHTMLPartIncluded", "IsOpenTracked", "IsTextPartIncluded", "IsUnsubTracked", "MessageSize", "SenderID",
    "SpamassassinScore", "SpamassRules", "StateID", "StatePermanent", "Status", "Subject", "UUID",
]  # fmt: skip
VIEW = MessageView(7, 1, 7, "jo@example.net", "news@acme.test", "Hi", State.QUEUED, 0, Reason(), "", "", 0, 1_600_251_335_999_999, 0)


async def one(api: Api, **changes: object) -> dict[str, Any]:
    """Send one message; its row of the answer."""
    answer = await api.post(call(mail(**changes)))
    row: dict[str, Any] = answer.json()["Messages"][0]["To"][0]
    return row


async def attempt(api: Api, *outcomes: Outcome) -> None:
    worker = await api.store.join("w", api.clock.now_us(), api.clock.now_us() + 60 * SECOND_US)
    for outcome in outcomes:
        (claim,) = await api.store.claim(worker.id, [Want("", (1,) * LANES)], api.clock.now_us())
        assert await api.store.settle(Settlement(claim, outcome))


async def test_one_message(api: Api) -> None:
    row = await one(api, CustomID="c")
    answer = await api.get(f"/v3/REST/message/{row['MessageID']}")
    body = answer.json()
    (data,) = body["Data"]
    assert (answer.status_code, body["Count"], body["Total"]) == (200, 1, 1)
    assert sorted(data) == sorted(MESSAGE_FIELDS)
    assert {name: data[name] for name in ("ID", "UUID", "Status", "CustomID", "Subject", "ContactAlt", "ArrivedAt", "AttemptCount")} == {
        "ID": row["MessageID"], "UUID": row["MessageUUID"], "Status": "queued", "CustomID": "c", "Subject": "", "ContactAlt": "",
        "ArrivedAt": "2026-09-21T14:13:20Z", "AttemptCount": 0,
    }  # fmt: skip
    assert data["MessageSize"] == len((await api.content((await api.sent())[0])).raw)


async def test_subject_and_address_are_shown_on_request(api: Api) -> None:
    row = await one(api)
    for path in (f"/v3/REST/message/{row['MessageID']}", "/v3/REST/message"):
        (data,) = (await api.get(path, showsubject="1", ShowContactAlt="true")).json()["Data"]
        assert (data["Subject"], data["ContactAlt"]) == ("Hello", "jo@example.net")


async def test_the_href_of_the_answer_leads_to_the_message(api: Api) -> None:
    row = await one(api)
    path = row["MessageHref"].removeprefix("https://mail.acme.test")
    assert (await api.get(path)).json()["Data"][0]["ID"] == row["MessageID"]
    assert (await api.get(path.lower())).json()["Data"][0]["ID"] == row["MessageID"]


async def test_status_and_history_follow_the_message(api: Api) -> None:
    number = (await one(api))["MessageID"]
    now = api.clock.now_us()
    soft = Outcome(OutcomeKind.DEFERRED, now, "451 later", reason=Reason("domain", "greylisted"), retry_at=now)
    await attempt(api, soft)
    data = (await api.get(f"/v3/REST/message/{number}")).json()["Data"][0]
    assert (data["Status"], data["StateID"], data["StatePermanent"], data["AttemptCount"]) == ("deferred", 13, False, 1)
    await attempt(api, Outcome(OutcomeKind.DELIVERED, now + SECOND_US, "250 ok"))
    await api.store.record(number, EventKind.OPENED, now + 2 * SECOND_US, "", {"agent": "Mail/1"}, Reason())
    await api.store.record(number, EventKind.HARD_BOUNCED, now + 3 * SECOND_US, "550 no", {}, Reason("recipient", "user unknown"))
    body = (await api.get(f"/v3/REST/messagehistory/{number}")).json()
    assert body["Count"] == body["Total"] == 3
    assert body["Data"] == [
        {"Comment": "250 ok", "EventAt": now // SECOND_US + 1, "EventType": "sent", "State": "", "Useragent": "", "UseragentID": 0},
        {"Comment": "", "EventAt": now // SECOND_US + 2, "EventType": "opened", "State": "", "Useragent": "Mail/1", "UseragentID": 0},
        {"Comment": "550 no", "EventAt": now // SECOND_US + 3, "EventType": "bounced", "State": "user unknown", "Useragent": "", "UseragentID": 0},
    ]
    data = (await api.get(f"/v3/REST/message/{number}")).json()["Data"][0]
    assert (data["Status"], data["StateID"], data["StatePermanent"]) == ("hardbounced", 1, True)


@pytest.mark.parametrize("number", ["1", "0", "-1", "abc", "9007199254740991", "9007199254740992", "9" * 100, "1.0", "１", "%00"])
async def test_unknown_messages(api: Api, number: str) -> None:
    answer = await api.get(f"/v3/REST/message/{number}")
    body = answer.json()
    assert answer.status_code == 404 and body.pop("ErrorIdentifier")
    assert body == {"ErrorInfo": "", "ErrorMessage": "Object not found", "StatusCode": 404}
    history = await api.get(f"/v3/REST/messagehistory/{number.removeprefix('%00') or 'x'}")
    assert (history.status_code, history.json()) == (200, {"Count": 0, "Data": [], "Total": 0})


async def test_an_account_sees_its_own_messages_only(api: Api) -> None:
    row = await one(api)
    other = await api.another("other", "key2")
    assert (await other.get(f"/v3/REST/message/{row['MessageID']}")).status_code == 404
    assert (await other.get(f"/v3/REST/messagehistory/{row['MessageID']}")).json()["Data"] == []
    assert (await other.get("/v3/REST/message")).json()["Data"] == []
    assert (await other.get("/v3/REST/message", countOnly="1")).json()["Total"] == 0


async def test_lists_are_cut_with_limit_and_offset(api: Api) -> None:
    await api.post(call(*[mail(CustomID=f"c{i % 2}") for i in range(12)]))
    ids = [view.id for view in await api.sent()]

    async def listed(**params: str) -> list[int]:
        body = (await api.get("/v3/REST/message", **params)).json()
        assert body["Count"] == body["Total"] == len(body["Data"])
        return [row["ID"] for row in body["Data"]]

    assert await listed() == ids[:10]
    assert await listed(Limit="0") == await listed(limit="5000") == ids
    assert await listed(Limit="3", Offset="4") == ids[4:7]
    assert await listed(Limit="3", Offset="11") == ids[11:]
    assert await listed(Offset="12") == await listed(Offset="100000") == []
    assert await listed(customid="c1", Limit="4", Offset="1") == ids[3::2][:4]
    assert await listed(CustomID="none") == []
    assert await listed(Nonsense="1", Limit="1") == ids[:1]


async def test_a_walk_past_several_pages(api: Api) -> None:
    people = [{"Email": f"r{i}@example.net"} for i in range(50)]
    for _ in range(26):
        assert (await api.post(call(mail(To=people, CustomID="x")))).status_code == 200
    ids = [view.id for view in await api.store.messages(limit=5000)]
    assert len(ids) == 1300
    found = (await api.get("/v3/REST/message", Offset="1005", Limit="200")).json()["Data"]
    assert [row["ID"] for row in found] == ids[1005:1205]
    assert (await api.get("/v3/REST/message", countonly="1", CustomID="x")).json() == {"Count": 1300, "Data": [], "Total": 1300}


async def test_counts(api: Api) -> None:
    await api.post(call(*[mail(CustomID=f"c{i % 3}") for i in range(7)]))
    assert (await api.get("/v3/REST/message", countOnly="1")).json() == {"Count": 7, "Data": [], "Total": 7}
    assert (await api.get("/v3/REST/message", CountOnly="true", CustomID="c0")).json() == {"Count": 3, "Data": [], "Total": 3}


@pytest.mark.parametrize("params", [{"Limit": "-1"}, {"Limit": "x"}, {"Limit": "1e3"}, {"Offset": "10000001"}, {"Offset": "9" * 30}, {"countOnly": "2"},
                                    {"CustomID": "a\0"}])  # fmt: skip
async def test_queries_that_cannot_be_read(api: Api, params: dict[str, str]) -> None:
    answer = await api.get("/v3/REST/message", **params)
    assert (answer.status_code, answer.json()["StatusCode"]) == (400, 400)


@pytest.mark.parametrize("path", ["/v3/REST/message", "/v3/REST/message/1", "/v3/REST/messagehistory/1", "/v3/REST/nonsense"])
async def test_without_credentials_the_answer_is_empty(api: Api, path: str) -> None:
    """Contract 5.1, as recorded."""
    for auth in (None, ("key1", "wrong")):
        answer = await api.client().get(path, auth=auth)  # type: ignore[arg-type]
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["www-authenticate"] == 'Basic realm="Provide an apiKey and secretKey"'


async def test_paths_that_are_none(api: Api) -> None:
    client = api.client()
    unknown = await api.get("/v3/REST/nonsense/1")
    assert (unknown.status_code, unknown.json()["ErrorMessage"], unknown.json()["ErrorInfo"]) == (400, 'Unknown resource: "nonsense"', "Bad Request")
    for path in ("/", "/v3.1/nonsense", "/v3.1/send/", "/v4/contacts"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["StatusCode"]) == (404, 404) and answer.json()["ErrorIdentifier"]
    wrong = await client.get("/v3.1/send", auth=(api.key, SECRET))
    assert (wrong.status_code, wrong.json()["StatusCode"], wrong.headers["allow"]) == (405, 405, "POST")
    assert (await client.post("/V3.1/SEND", content=call(mail()), auth=(api.key, SECRET))).status_code == 200


async def test_health(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    client = api.client()
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    async def fail() -> int:
        raise StoreFault("gone")

    monkeypatch.setattr(api.store, "newest_id", fail)
    assert (await client.get("/healthz")).status_code == 503
    monkeypatch.undo()
    api.is_closing = True
    assert (await client.get("/healthz")).status_code == 503
    assert (await api.get("/v3/REST/message")).status_code == 503


def test_only_health_and_the_description_are_open(api: Api) -> None:
    """Every other route is behind `guarded`: shown by asking without credentials in the tests above, and here for routes to come."""
    app = make_app(api.store, api.keeper, api.door, api.clock, public_url="http://x", max_body_bytes=1, is_closing=lambda: False)
    open_routes = [route.path for route in app.routes if not getattr(route, "endpoint").__qualname__.startswith("guarded.")]  # type: ignore[attr-defined]  # noqa: B009
    assert open_routes == ["/healthz", "/v1/estafette/openapi.json", "/v1/estafette/reference"]


# -- pure -------------------------------------------------------------------------------------------------------------------


def test_every_reason_of_the_block_list_has_its_number() -> None:
    assert sorted(STATE_IDS.values()) == list(range(1, 22))
    assert {cause.value: state_id(reason) for cause, reason in REASONS.items()} == {
        "complaint": 21, "unsubscribe": 20, "manual": 20, "import": 20, "hard_bounce": 14, "soft_bounce": 14}  # fmt: skip
    assert state_id(Reason()) == state_id(Reason("x", "y")) == 0


def test_marks_decide_the_status_of_a_delivered_message() -> None:
    shown = message_row(replace(VIEW, state=State.DELIVERED, marks=Mark.OPENED | Mark.CLICKED))
    assert (shown["Status"], shown["ArrivedAt"]) == ("clicked", "2020-09-16T10:15:35Z")


def test_dates_are_never_rounded_up() -> None:
    assert date(1_599_999_999_999_999) == "2020-09-13T12:26:39Z"


@pytest.mark.parametrize("kind", EventKind)
def test_event_types_are_those_of_the_contract(kind: EventKind) -> None:
    row = history_row(Event(1, 1, 1, 0, kind))
    silent = {EventKind.ACCEPTED, EventKind.DEFERRED, EventKind.REQUEUED, EventKind.RECLAIMED, EventKind.UNCERTAIN, EventKind.NOTE}
    assert (row is None) is (kind in silent)
    assert row is None or row["EventType"] in {"sent", "opened", "clicked", "bounced", "blocked", "unsub", "spam"}


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("9007199254740991", 2**53 - 1), ("9007199254740992", None), ("", None), ("+1", None), ("²", None)])
def test_message_ids(text: str, number: int | None) -> None:
    assert message_id_of(text) == number
