"""Why a message is not delivered yet, in sentences. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from estafette.clock import SECOND_US, to_iso
from estafette.model import FINAL_STATES, HELD, Event, EventKind, MessageView
from estafette.status.shown import status_words
from estafette.store.seam import Waiting


@dataclass(frozen=True, slots=True)
class Holds:
    """What holds a message: `what` is one of finished, attempt, schedule, retry, routing, queue, worker."""

    what: str
    said_by: str  # who decided it: a host, the retry plan, the sender ...
    sentences: list[str]


def why_waiting(view: MessageView, waiting: Waiting | None, events: Sequence[Event], now: int) -> Holds:
    """`events` is the message's timeline."""
    if view.state in FINAL_STATES or waiting is None:
        return Holds("finished", "", [f"It waits for nothing: {status_words(view.state, view.marks, view.reason)}."])
    last = next((e for e in reversed(events) if e.kind in (EventKind.DEFERRED, EventKind.UNCERTAIN)), None)
    told = [f"Attempt {last.data.get('attempt', '')} met: {last.reply} ({_where(last)})."] if last else []
    end = f"It is given up at {to_iso(waiting.deadline_at)} unless it is delivered before."
    if waiting.owner == HELD:
        choice = f"The server may have it already: estafette queue release {view.id} sends it again, estafette queue drop {view.id} never does."
        return Holds("held", "a person", [*told, choice, end])
    if waiting.owner:
        return Holds("attempt", _where(last) if last else "", [*told, "An attempt is under way now."])
    if waiting.due_at > now:
        seconds = (waiting.due_at - now) // SECOND_US
        if last is None:
            return Holds("schedule", "the sender", [f"It is scheduled: its first attempt is at {to_iso(waiting.due_at)}, in {seconds} s.", end])
        plan = f"The retry plan makes the next attempt at {to_iso(waiting.due_at)}, in {seconds} s; estafette queue retry {view.id} makes it at once."
        return Holds("retry", _where(last), [*told, plan, end])
    if not waiting.site:
        return Holds("routing", "the DNS", [*told, "It is due; the mail servers of its domain are being looked up.", end])
    if not waiting.worker:
        return Holds("worker", "estafette serve", [*told, f"It is due, but no worker serves {waiting.site} now: is estafette serve running?", end])
    place = f"It is due; {waiting.ahead} messages to {waiting.site} go before it and {waiting.in_flight} are being attempted by {waiting.worker}."
    return Holds("queue", waiting.worker, [*told, place, end])


def _where(event: Event) -> str:
    host, stage = event.data.get("host", ""), event.data.get("stage", "")
    return f"{host or 'our side'}, stage {stage}" if stage else str(host or "our side")
