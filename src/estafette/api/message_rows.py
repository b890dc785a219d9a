"""The rows of `message` and `messagehistory` (contract 5.2 and 1.3) from what the store tells. Pure.

What Estafette does not keep is shown as 0, false or empty, under the contract's name, because typed clients want every field.
"""

from collections.abc import Sequence
from typing import Final

from estafette.clock import SECOND_US, to_datetime
from estafette.model import Event, EventKind, MessageView, Reason, State
from estafette.status.shown import message_uuid, shown_status

STATE_IDS: Final = {
    ("recipient", "user unknown"): 1, ("recipient", "mailbox inactive"): 2, ("recipient", "quota exceeded"): 3, ("domain", "invalid domain"): 4,
    ("domain", "no mail host"): 5, ("domain", "relay/access denied"): 6, ("spam", "sender blocked"): 7, ("spam", "content blocked"): 8,
    ("spam", "policy issue"): 9, ("system", "system issue"): 10, ("system", "protocol issue"): 11, ("system", "connection issue"): 12,
    ("domain", "greylisted"): 13, ("mailjet", "preblocked"): 14, ("mailjet", "duplicate in campaign"): 15, ("mailjet", "spam preblocked"): 16,
    ("content", "bad or empty template"): 17, ("content", "error in template language"): 18, ("domain", "typofix"): 19,
    ("recipient", "blacklisted"): 20, ("recipient", "spam reporter"): 21,
}  # fmt: skip
"""Table 1.4 of the contract."""
_SPAM_REPORTER: Final = 21
_PERMANENT: Final = frozenset({State.HARD_BOUNCED, State.BLOCKED})
_EVENT_TYPES: Final = {
    EventKind.DELIVERED: "sent",
    EventKind.OPENED: "opened",
    EventKind.CLICKED: "clicked",
    EventKind.SOFT_BOUNCED: "bounced",
    EventKind.HARD_BOUNCED: "bounced",
    EventKind.BLOCKED: "blocked",
    EventKind.UNSUBSCRIBED: "unsub",
    EventKind.COMPLAINED: "spam",
}
"""The others (accepted, deferred, requeued ...) have no event type in the contract."""


def date(at_us: int) -> str:
    """RFC 3339 in UTC, whole seconds, as the contract's dates are."""
    return to_datetime(at_us - at_us % SECOND_US).strftime("%Y-%m-%dT%H:%M:%SZ")


def state_id(reason: Reason) -> int:
    """The number of a reason, 0 for none."""
    if reason.error == "spam reporter":
        return _SPAM_REPORTER  # known under two fault parties
    return STATE_IDS.get((reason.related_to, reason.error), 0)


def message_row(view: MessageView, *, size_bytes: int = 0, contact_id: int = 0, has_subject: bool = False, has_address: bool = False) -> dict[str, object]:
    """One message; its subject and address stay empty unless asked for (contract 5.2)."""
    return {
        "ArrivedAt": date(view.created_at), "AttachmentCount": 0, "AttemptCount": view.attempts, "CampaignID": view.campaign_id,
        "ContactAlt": view.recipient if has_address else "", "ContactID": contact_id, "CustomID": view.custom_id, "Delay": 0, "DestinationID": 0,
        "FilterTime": 0, "FromID": 0, "ID": view.id, "IsClickTracked": False, "IsHTMLPartIncluded": False, "IsOpenTracked": False,
        "IsTextPartIncluded": False, "IsUnsubTracked": False, "MessageSize": size_bytes, "SenderID": 0, "SpamassassinScore": 0, "SpamassRules": "",
        "StateID": state_id(view.reason), "StatePermanent": view.state in _PERMANENT, "Status": shown_status(view.state, view.marks),
        "Subject": view.subject if has_subject else "", "UUID": message_uuid(view.id),
    }  # fmt: skip


def history_row(event: Event) -> dict[str, object] | None:
    """One event of `messagehistory`; None for those that the contract does not know."""
    event_type = _EVENT_TYPES.get(event.kind)
    if event_type is None:
        return None
    return {
        "Comment": event.reply,
        "EventAt": event.at // SECOND_US,
        "EventType": event_type,
        "State": str(event.data.get("error", "")),
        "Useragent": str(event.data.get("agent", "")),
        "UseragentID": 0,
    }


def size_of(timeline: Sequence[Event]) -> int:
    """Octets of the mail, as its ACCEPTED event tells."""
    accepted = next((event for event in timeline if event.kind is EventKind.ACCEPTED), None)
    size = accepted.data.get("size", 0) if accepted else 0
    return size if isinstance(size, int) else 0
