"""A message's timeline: one node per fact, in plain language, with what was said and what it means. Pure.

A title is a marked text with places for values; it is translated where it is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from estafette.model import Event, EventKind
from estafette.web.explaining import CAUSES, STAGES, Cause, Spoken, dialogue
from estafette.web.languages import marked as _

_READERS = {"person": _("by a person"), "machine": _("by a machine"), "unknown": _("by a person or a machine")}
_WAYS = {"one-click": _("by the mail program's button"), "unsubscribe": _("on our page"), "mail": _("by mail")}


@dataclass(frozen=True, slots=True)
class Node:
    """One fact."""

    at: int
    since: int  # microseconds after the node before
    key: str  # status whose colour and icon it has
    icon: str
    title: str
    values: dict[str, str]
    facts: tuple[tuple[str, str], ...] = ()  # (label, value); labels are marked texts
    reply: str = ""
    cause: Cause | None = None
    retry_at: int = 0
    note: str = ""  # a marked text
    dialogue: tuple[Spoken, ...] = ()


_TITLES = {
    EventKind.ACCEPTED: ("queued", "in", _("Accepted by %(door)s")),
    EventKind.BLOCKED: ("blocked", "block", _("Blocked, not sent")),
    EventKind.DEFERRED: ("soft_error", "retry", _("Attempt %(attempt)s: temporary error")),
    EventKind.DELIVERED: ("delivered", "tick", _("Attempt %(attempt)s: delivered")),
    EventKind.SOFT_BOUNCED: ("exhausted", "retry", _("Given up after temporary errors")),
    EventKind.HARD_BOUNCED: ("hard_error", "cross", _("Attempt %(attempt)s: permanent error")),
    EventKind.UNCERTAIN: ("sent", "hourglass", _("Attempt %(attempt)s: broken off after the mail was transmitted; the server may have it")),
    EventKind.REQUEUED: ("queued", "clock", _("A person asked for an attempt at once")),
    EventKind.RECLAIMED: ("queued", "clock", _("The worker that held the message disappeared; another took over")),
    EventKind.OPENED: ("opened", "open", _("Opened")),
    EventKind.CLICKED: ("clicked", "pointer", _("Link clicked")),
    EventKind.UNSUBSCRIBED: ("unsubscribed", "door", _("Unsubscribed")),
    EventKind.COMPLAINED: ("spam", "flag", _("Marked as spam")),
    EventKind.NOTE: ("queued", "info", _("Note")),
}
_LATE = _("Failed after the delivery, as a report says")
_RESUBSCRIBED = _("Subscribed again")


def story(events: Sequence[Event]) -> list[Node]:
    """The nodes, the newest last."""
    nodes: list[Node] = []
    for event in sorted(events, key=lambda e: (e.kind is not EventKind.ACCEPTED, e.at, e.id)):
        nodes.append(_node(event, event.at - nodes[-1].at if nodes else 0))
    return nodes


def _node(e: Event, since: int) -> Node:
    key, icon, title = _TITLES[e.kind]
    d = {name: str(value) for name, value in e.data.items()}
    if d.get("stage") == "report":
        title = _LATE
    if e.kind is EventKind.NOTE and d.get("what") == "resubscribed":
        title = _RESUBSCRIBED
    retry_at = e.data.get("retry_at", 0)
    transcript = d.get("transcript", "")
    return Node(
        e.at, since, key, icon, title, {"attempt": d.get("attempt", "1"), "door": d.get("door", "").upper() or "—"}, tuple(_facts(e, d)), e.reply,
        CAUSES.get(d.get("error", "")), retry_at if isinstance(retry_at, int) else 0, _readers(d), tuple(dialogue(transcript)) if transcript else (),
    )  # fmt: skip


def _readers(d: dict[str, str]) -> str:
    return _READERS.get(d.get("reader", ""), "") or _WAYS.get(d.get("by", ""), "")


def _facts(e: Event, d: dict[str, str]) -> list[tuple[str, str]]:
    facts = []
    if d.get("host"):
        facts.append((_("Receiving server"), d["host"] + (f" [{d['address']}]" if d.get("address") else "")))
    if d.get("source"):
        facts.append((_("Our address"), d["source"]))
    if d.get("tls"):
        facts.append((_("Encryption"), d["tls"]))
    elif d.get("host") and e.kind is EventKind.DELIVERED:
        facts.append((_("Encryption"), "—"))
    if d.get("stage") in STAGES and d["stage"] != "report":
        facts.append((_("While"), STAGES[d["stage"]]))
    if d.get("duration_ms"):
        facts.append((_("Took"), f"{d['duration_ms']} ms"))
    if d.get("url"):
        facts.append((_("Link"), d["url"]))
    if d.get("agent"):
        facts.append((_("Program"), d["agent"]))
    if d.get("geo"):
        facts.append((_("Country"), d["geo"]))
    if d.get("why"):
        facts.append((_("Decided by"), d["why"]))
    if d.get("refused"):
        facts.append((_("Changed nothing"), d["refused"]))
    if e.kind is EventKind.NOTE and d.get("what"):
        facts.append((_("What"), d["what"]))
    return facts
