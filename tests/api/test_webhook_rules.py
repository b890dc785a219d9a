"""Webhooks without sockets: the seven payloads, who is told, and when again. Oracles: standardwebhooks, django-anymail's own views."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.test import RequestFactory
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from estafette.api.webhooks import plan, signing
from estafette.api.webhooks.payload import encoded, feed_entry, payload_of, sample, type_of
from estafette.clock import DAY_US, SECOND_US, SystemClock
from estafette.facts import EventView
from estafette.model import Event, EventKind
from estafette.nouns import WEBHOOK_TYPES, Parcel, Webhook
from estafette.status.shown import message_uuid
from tests.peers import django_settings

NOW = 1_790_000_000 * SECOND_US
ROOT = b"r" * 32
READER: dict[str, str | int] = {"ip": "192.0.2.0", "geo": "FR", "agent": "Firefox", "reader": "human", "marks": 1}


def view(kind: EventKind, reply: str = "", **data: Any) -> EventView:
    event = Event(77, 3, 1_234, NOW + 5, kind, 1, reply, data)
    return EventView(event, "jo@example.net", 1_200, "http", "a@acme.test", "Hello", 42, "may", "order-9", '{"k":1}', NOW)


COMMON = {
    "time": 1_790_000_000, "MessageID": 1234, "Message_GUID": message_uuid(1234), "email": "jo@example.net", "mj_campaign_id": 42, "mj_contact_id": 0,
    "customcampaign": "may", "CustomID": "order-9", "Payload": '{"k":1}', "estafette_event_id": "77",
}  # fmt: skip

CASES: list[tuple[EventView, dict[str, object]]] = [
    (view(EventKind.DELIVERED, "250 2.0.0 OK", host="mx"), {"event": "sent", "mj_message_id": "1234", "smtp_reply": "sent (250 2.0.0 OK)"}),
    (view(EventKind.OPENED, **READER), {"event": "open", "ip": "192.0.2.0", "geo": "FR", "agent": "Firefox"}),
    (view(EventKind.CLICKED, url="https://a.test/", **READER),
     {"event": "click", "url": "https://a.test/", "ip": "192.0.2.0", "geo": "FR", "agent": "Firefox"}),
    (view(EventKind.HARD_BOUNCED, "550 5.1.1 gone", error_related_to="recipient", error="user unknown", blocks_address=1),
     {"event": "bounce", "blocked": True, "hard_bounce": True, "error_related_to": "recipient", "error": "user unknown", "comment": "550 5.1.1 gone"}),
    (view(EventKind.SOFT_BOUNCED, "452 full", error_related_to="recipient", error="quota exceeded"),
     {"event": "bounce", "blocked": False, "hard_bounce": False, "error_related_to": "recipient", "error": "quota exceeded", "comment": "452 full"}),
    (view(EventKind.DEFERRED, "451 wait", error_related_to="domain", error="greylisted", attempt=1),
     {"event": "bounce", "blocked": False, "hard_bounce": False, "error_related_to": "domain", "error": "greylisted", "comment": "451 wait"}),
    (view(EventKind.BLOCKED, error_related_to="mailjet", error="preblocked"), {"event": "blocked", "error_related_to": "mailjet", "error": "preblocked"}),
    (view(EventKind.COMPLAINED, source="jmrpp.test"), {"event": "spam", "source": "jmrpp.test"}),
    (view(EventKind.UNSUBSCRIBED, by="unsubscribe", list=8, **READER), {"event": "unsub", "mj_list_id": 8, "ip": "192.0.2.0", "geo": "FR", "agent": "Firefox"}),
    (view(EventKind.UNSUBSCRIBED, by="one-click", agent="curl"), {"event": "unsub", "mj_list_id": 0, "ip": "", "geo": "", "agent": "List-Unsubscribe"}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "own"), CASES)
def test_the_contracts_payloads(one: EventView, own: dict[str, object]) -> None:
    assert payload_of(one) == COMMON | own


@pytest.mark.parametrize(
    "one",
    [view(EventKind.ACCEPTED), view(EventKind.NOTE), view(EventKind.RECLAIMED), view(EventKind.REQUEUED),
     view(EventKind.DEFERRED, error="quota exceeded", attempt=1), view(EventKind.DEFERRED, error="greylisted", attempt=2),
     replace(view(EventKind.OPENED), submission_id=0)],
)  # fmt: skip
def test_what_is_not_told(one: EventView) -> None:
    assert payload_of(one) is None


def test_the_feed_tells_everything_but_the_dialogue() -> None:
    entry = feed_entry(view(EventKind.DELIVERED, "250 ok", transcript="S: 220", was="deferred"))
    assert entry["webhook"] == payload_of(view(EventKind.DELIVERED, "250 ok"))
    assert (entry["id"], entry["kind"], entry["data"]) == ("77", "delivered", {"was": "deferred"})
    assert feed_entry(view(EventKind.ACCEPTED))["webhook"] is None


@pytest.fixture(scope="module")
def anymail() -> Iterator[Any]:
    """What django-anymail makes of a call: its tracking view with its own checks."""
    django_settings.configure()
    from anymail.signals import tracking
    from anymail.webhooks.mailjet import MailjetTrackingWebhookView

    told: list[Any] = []

    def receive(sender: object, event: Any, esp_name: str, **rest: object) -> None:
        told.append(event)

    tracking.connect(receive)

    def post(body: bytes) -> list[Any]:
        told.clear()
        login = "Basic " + base64.b64encode(b"me:secret").decode()
        request = RequestFactory().post("/hook", body, content_type="application/json", HTTP_AUTHORIZATION=login)
        assert MailjetTrackingWebhookView.as_view()(request).status_code == 200
        return list(told)

    yield post
    tracking.disconnect(receive)


@pytest.mark.parametrize("version", [1, 2])
def test_anymail_reads_what_we_tell(anymail: Any, version: int) -> None:
    wanted = ["delivered", "opened", "clicked", "bounced", "bounced", "deferred", "rejected", "complained", "unsubscribed", "unsubscribed"]
    parcels = [Parcel(1, 77, 1234, encoded(payload_of(one) or {})) for one, _ in CASES]
    bodies = [plan.body_of(1, [parcel]) for parcel in parcels] if version == 1 else [plan.body_of(2, parcels)]
    events = [event for body in bodies for event in anymail(body)]
    assert [event.event_type for event in events] == wanted
    assert {event.message_id for event in events} == {"1234"}
    assert {event.recipient for event in events} == {"jo@example.net"}
    assert all(event.metadata == {"k": 1} and event.tags == ["may"] for event in events)
    assert (events[0].mta_response, events[2].click_url, events[3].reject_reason, events[6].reject_reason) == (
        "sent (250 2.0.0 OK)", "https://a.test/", "bounced", "blocked")  # fmt: skip


@pytest.mark.parametrize("event_type", WEBHOOK_TYPES)
def test_a_sample_is_one_of_the_seven(anymail: Any, event_type: str) -> None:
    made = sample(event_type, NOW)
    assert made["event"] == event_type
    (event,) = anymail(encoded(made).encode())
    assert event.event_type != "unknown"


def test_standard_webhooks_accepts_our_signature() -> None:
    now_s, body = SystemClock().now_us() // SECOND_US, b'{"event":"open"}'
    secret = signing.secret_of(ROOT, 3, "https://a.test/")
    fields = signing.headers(ROOT, 3, "https://a.test/", signing.call_id([77]), now_s, body)
    assert Verifier(secret).verify(body, fields) == {"event": "open"}
    assert fields["webhook-id"] == "evt_77"
    assert signing.call_id([77, 78]) == signing.call_id([77, 78]) != signing.call_id([78, 77])
    for other in (signing.secret_of(ROOT, 4, "https://a.test/"), signing.secret_of(ROOT, 3, "https://a.test/?2")):
        with pytest.raises(WebhookVerificationError):
            Verifier(other).verify(body, fields)


HOOK = Webhook(1, 3, "open", False, "https://a.test/")


def test_a_backup_is_told_while_the_primary_is_suspended() -> None:
    backup = replace(HOOK, id=2, is_backup=True)
    dead = replace(HOOK, suspended_at=NOW)
    assert plan.recipients_of([backup, HOOK]) == {(3, "open"): HOOK}
    assert plan.recipients_of([dead, backup]) == {(3, "open"): backup}
    assert plan.recipients_of([dead, replace(backup, suspended_at=NOW)]) == {(3, "open"): dead}
    assert plan.recipients_of([dead]) == {(3, "open"): dead}


def test_parcels_are_made_for_those_who_want_them() -> None:
    views = [view(EventKind.OPENED, **READER), view(EventKind.CLICKED), view(EventKind.NOTE)]
    (parcel,) = plan.parcels_of(views, {(3, "open"): HOOK, (4, "click"): HOOK}, NOW)
    assert (parcel.webhook_id, parcel.event_id, parcel.message_id, parcel.queued_at) == (1, 77, 1234, NOW)
    assert json.loads(parcel.payload)["event"] == "open"
    assert type_of(views[1].event) == "click"


def test_an_endpoint_rests_longer_and_longer_and_is_suspended_after_a_day() -> None:
    hook, now, pauses = HOOK, NOW, []
    while not hook.suspended_at:
        hook = plan.failed(hook, "answered 500", now)
        pauses.append((hook.paused_until - now) // SECOND_US)
        now = max(hook.paused_until, now + 30 * SECOND_US)
    assert pauses[:10] == [0, 0, 30, 30, 60, 120, 240, 480, 900, 900]
    assert NOW + DAY_US <= hook.suspended_at <= NOW + DAY_US + 900 * SECOND_US
    assert pauses[-1] == 3600
    assert plan.failed(hook, "", now).suspended_at == hook.suspended_at
    assert plan.succeeded(hook) == HOOK


def test_what_fails_in_an_array_stands_alone_at_last() -> None:
    parcels = [Parcel(1, n, n, "{}") for n in range(500)]
    assert [len(plan.packed([replace(p, attempts=n) for p in parcels])) for n in range(6)] == [200, 50, 12, 3, 1, 1]
    assert plan.packed([]) == []
    assert [plan.retry_at(n, 0) // SECOND_US for n in (1, 2, 3, 99)] == [30, 30, 60, 900]
    assert [plan.is_taken(status) for status in (200, 201, 204, 301, 0)] == [True, False, False, False, False]
