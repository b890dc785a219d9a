"""Why a message is not delivered yet, in sentences. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from estafette.clock import SECOND_US, to_iso
from estafette.model import FINAL_STATES, HELD, Event, EventKind, MessageView
from estafette.nouns import DomainBacklog, Hold, PathReport
from estafette.status.shown import status_words
from estafette.store.seam import Waiting


@dataclass(frozen=True, slots=True)
class Holds:
    """What holds a message: `what` is one of finished, attempt, pause, purge, schedule, retry, routing, queue, worker, or what
    limits its path (nouns.PathReport.held_by)."""

    what: str
    said_by: str  # who decided it: a host, the retry plan, the sender ...
    sentences: list[str]


def why_waiting(view: MessageView, waiting: Waiting | None, events: Sequence[Event], now: int, stop: Hold | None = None,
                paths: Sequence[PathReport] = ()) -> Holds:  # fmt: skip
    """`events` is the message's timeline, `stop` what a person stopped that it belongs to, `paths` those of its site as their worker sees them."""
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
    if stop is not None:
        return Holds("purge" if stop.is_purge else "pause", "a person", [*told, stop_words(stop), end])
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
    held = [path for path in paths if path.held_by]
    words = [held_words(path, now) for path in held]
    speed = sum(path.answered_per_s for path in paths)
    when = [f"At {speed:.3g} messages a second its turn comes in about {_span((waiting.ahead + waiting.in_flight) / speed)}."] if speed else []
    if held:
        return Holds(held[0].held_by, held[0].said_by, [*told, place, *words, *when, end])
    return Holds("queue", waiting.worker, [*told, place, *when, end])


def why_domain(domain: str, backlogs: Sequence[DomainBacklog], paths: Sequence[PathReport], holds: Sequence[Hold], deferrals: Sequence[Event],
               now: int) -> list[str]:  # fmt: skip
    """What holds the mail to a domain."""
    if not backlogs:
        return [f"Nothing waits for {domain}."]
    waiting, due = sum(b.waiting for b in backlogs), sum(b.due for b in backlogs)
    said = [f"{waiting} messages wait for {domain}: {due} are due, {sum(b.in_flight for b in backlogs)} are being attempted, "
            f"{sum(b.deferred for b in backlogs)} were deferred before."]  # fmt: skip
    said += [stop_words(hold) for hold in holds]
    said += [f"{_where(event)} said: {event.reply}" for event in deferrals[:3]]
    said += [held_words(path, now) for path in paths if path.held_by]
    if not due and (later := min(b.next_due_at for b in backlogs)) > now:
        said.append(f"The retry plan makes the next attempt at {to_iso(later)}, in {_span((later - now) / SECOND_US)}.")
    elif due and not paths and not holds:
        said.append("No worker has told anything about it yet: is estafette serve running?" if any(b.site for b in backlogs)
                    else "Its mail servers are being looked up.")  # fmt: skip
    done_s = forecast_s(backlogs, paths, now)
    if done_s is not None:
        said.append(f"As it goes now, it is done in about {_span(done_s)}.")
    return said


def forecast_s(backlogs: Sequence[DomainBacklog], paths: Sequence[PathReport], now: int) -> float | None:
    """When what is due will be out if the paths go on as they did lately; None when nothing moves."""
    speed = sum(path.answered_per_s for path in paths)
    due = sum(b.due + b.in_flight for b in backlogs)
    if not speed or not due:
        return None
    rest = min(((path.paused_until - now) / SECOND_US for path in paths if path.paused_until > now), default=0.0)
    return round(max(rest, 0.0) + due / speed, 1)


def stop_words(hold: Hold) -> str:
    """What a person stopped."""
    whose = f" of {hold.account}" if hold.account else ""
    what = f"mail{whose} to {hold.domain}" if hold.domain else f"campaign {hold.campaign}{whose}" if hold.campaign else f"account {hold.account}"
    return f"A person {'purges' if hold.is_purge else 'paused'} the {what} since {to_iso(hold.since)}{f': {hold.reason}' if hold.reason else ''}."


def held_words(path: PathReport, now: int) -> str:
    """What limits a path."""
    name = f"{path.site} from {path.source}" if path.source else path.site
    until = f" until {to_iso(path.paused_until)}, for {_span((path.paused_until - now) / SECOND_US)} more" if path.paused_until > now else ""
    words = {
        "suspended": f"is suspended{until} by {path.said_by}", "dead": f"does not answer; it is probed again{until}",
        "asked": f"rests{until}, as {path.said_by} asked", "lowered": f"is slowed down by {path.said_by}",
        "rate": f"goes at {path.rate:.3g} messages a second: {path.said_by}", "window": f"has {path.size} connections for now: {path.said_by}",
        "connections": f"has all {path.limit} connections that {path.said_by} allows",
    }.get(path.held_by, "goes on")  # fmt: skip
    return f"The path to {name} {words}{f' after: {path.reply}' if path.reply else ''}."


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _where(event: Event) -> str:
    host, stage = event.data.get("host", ""), event.data.get("stage", "")
    return f"{host or 'our side'}, stage {stage}" if stage else str(host or "our side")
