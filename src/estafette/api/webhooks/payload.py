"""What customers are told about an event: the contract's seven payloads (section 4.3). Pure."""

from typing import Any, Final

import msgspec

from estafette.clock import SECOND_US, to_iso
from estafette.facts import EventView
from estafette.model import Event, EventKind
from estafette.nouns import WEBHOOK_TYPES
from estafette.status.shown import message_uuid

_TYPE_OF: Final = {
    EventKind.DELIVERED: "sent",
    EventKind.OPENED: "open",
    EventKind.CLICKED: "click",
    EventKind.HARD_BOUNCED: "bounce",
    EventKind.SOFT_BOUNCED: "bounce",
    EventKind.BLOCKED: "blocked",
    EventKind.UNSUBSCRIBED: "unsub",
    EventKind.COMPLAINED: "spam",
}
GREYLISTED: Final = "greylisted"
BY_HEADER: Final = "List-Unsubscribe"

Payload = dict[str, Any]


def type_of(event: Event) -> str:
    """What the event is called towards customers; "" for one that they are not told.

    A temporary failure is told only where consumers read it as one: the first greylisting of a message (decision 38).
    """
    if event.kind is EventKind.DEFERRED:
        return "bounce" if event.data.get("error") == GREYLISTED and event.data.get("attempt") == 1 else ""
    return _TYPE_OF.get(event.kind, "")


def payload_of(view: EventView) -> Payload | None:
    """The object for this event, None for one that customers are not told or that names no message."""
    event = view.event
    name = type_of(event)
    if not name or not view.submission_id:
        return None
    common: Payload = {
        "event": name,
        "time": event.at // SECOND_US,
        "MessageID": event.message_id,
        "Message_GUID": message_uuid(event.message_id),
        "email": view.recipient,
        "mj_campaign_id": view.campaign_id,
        "mj_contact_id": 0,
        "customcampaign": view.campaign,
        "CustomID": view.custom_id,
        "Payload": view.payload,
        "estafette_event_id": str(event.id),  # our own: the same whenever the event is told again
    }
    return common | _own(name, event)


def _own(name: str, event: Event) -> Payload:
    text = {key: str(event.data.get(key, "")) for key in ("ip", "geo", "agent", "url", "error_related_to", "error", "source")}
    if name == "sent":
        return {"mj_message_id": str(event.message_id), "smtp_reply": f"sent ({event.reply})"}
    if name == "open":
        return {key: text[key] for key in ("ip", "geo", "agent")}
    if name == "click":
        return {key: text[key] for key in ("url", "ip", "geo", "agent")}
    if name == "bounce":
        return {
            "blocked": bool(event.data.get("blocks_address")), "hard_bounce": event.kind is EventKind.HARD_BOUNCED,
            "error_related_to": text["error_related_to"], "error": text["error"], "comment": event.reply,
        }  # fmt: skip
    if name == "blocked":
        return {key: text[key] for key in ("error_related_to", "error")}
    if name == "spam":
        return {"source": text["source"]}
    list_id = event.data.get("list", 0)
    by_header = event.data.get("by") in ("one-click", "mail")
    return {
        "mj_list_id": list_id if isinstance(list_id, int) else 0, "ip": text["ip"], "geo": text["geo"], "agent": BY_HEADER if by_header else text["agent"],
    }  # fmt: skip


def encoded(payload: Payload) -> str:
    """As it is sent."""
    return msgspec.json.encode(payload).decode()


def sample(event_type: str, now: int) -> Payload:
    """What a test of an endpoint sends: one of the seven, about a message that does not exist."""
    assert event_type in WEBHOOK_TYPES
    kind = next(kind for kind, name in _TYPE_OF.items() if name == event_type)
    data: dict[str, str | int] = {
        "ip": "192.0.2.1", "geo": "FR", "agent": "Estafette test", "url": "https://example.com/", "error_related_to": "recipient", "error": "user unknown",
        "source": "test", "blocks_address": 1,
    }  # fmt: skip
    event = Event(0, 0, 1, now, kind, 1, "250 2.0.0 OK" if event_type == "sent" else "550 5.1.1 no such user", data)
    made = payload_of(EventView(event, "test@example.com", 1, custom_id="test"))
    assert made is not None
    return made


def feed_entry(view: EventView) -> dict[str, object]:
    """One event of the feed: our own facts, and what webhooks were told about it (null for what they are not told)."""
    event = view.event
    return {
        "id": str(event.id), "kind": event.kind.value, "at": to_iso(event.at), "message_id": event.message_id,
        "message_uuid": message_uuid(event.message_id) if event.message_id else "", "email": view.recipient, "count": event.count, "reply": event.reply,
        "campaign": view.campaign, "custom_id": view.custom_id, "door": view.door,
        "data": {name: value for name, value in event.data.items() if name != "transcript"}, "webhook": payload_of(view),
    }  # fmt: skip
