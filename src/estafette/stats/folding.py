"""The fold: what every event adds to the counters and takes away. Pure; live counters and rebuilt ones are made by these lines alone.

An event tells the state and the marks that it found (decision 37), so that nothing is remembered between two events. By MESSAGE timing a message
moves: it leaves the row that it was counted in and enters another, both in the slice in which it was sent. By EVENT timing only what happened
counts, in the slice in which it happened, and nothing is taken back.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from estafette.audience import LEAVING
from estafette.clock import SECOND_US
from estafette.facts import COUNTS, Axis, CounterKey, EventView, Fold, Reach, ReachKey, Resolution, Sighting, Timing
from estafette.model import Event, EventKind, Mark, PersonMark, State
from estafette.stats.agents import agent_of
from estafette.stats.periods import bucket_of
from estafette.stats.providers import provider_of

Changes = dict[str, int]
_Finest = tuple[int, int, str, bool, int, str, str]
"""Account, campaign, author, whether it is EVENT timing, beginning of the five minutes, door, provider."""

MAX_NAME: Final = 2000
_AT: Final = {name: i for i, name in enumerate(COUNTS)}
_COUNTED_AS: Final = {
    State.BLOCKED: "blocked",
    State.DEFERRED: "deferred",
    State.DELIVERED: "delivered",
    State.SOFT_BOUNCED: "exhausted",
    State.HARD_BOUNCED: "hard_errors",
}
"""Column of a state. A message that waits for its first outcome is in none: it is processed and nothing else yet."""
_STATE_AFTER: Final = {
    EventKind.BLOCKED: State.BLOCKED,
    EventKind.DEFERRED: State.DEFERRED,
    EventKind.UNCERTAIN: State.DEFERRED,
    EventKind.DELIVERED: State.DELIVERED,
    EventKind.SOFT_BOUNCED: State.SOFT_BOUNCED,
    EventKind.HARD_BOUNCED: State.HARD_BOUNCED,
}
_HAPPENINGS: Final = {
    EventKind.OPENED: ("open_events", "open_delay_s"),
    EventKind.CLICKED: ("click_events", "click_delay_s"),
    EventKind.UNSUBSCRIBED: ("unsubscribe_events", ""),
    EventKind.COMPLAINED: ("spam_events", ""),
}
_SETS: Final = {
    "opened": Mark.OPENED,
    "clicked": Mark.CLICKED,
    "engaged": Mark.OPENED | Mark.CLICKED,
    "opened_by_persons": PersonMark.OPENED,
    "clicked_by_persons": PersonMark.CLICKED,
    "engaged_by_persons": PersonMark.OPENED | PersonMark.CLICKED,
    "unsubscribed": Mark.UNSUBSCRIBED,
}
"""Sets inside *delivered*: a message is in one while it is delivered and has one of these bits."""


def fold(views: Sequence[EventView]) -> Fold:
    """What a stretch of events adds, per row: added up in the narrowest slices first, which lie inside the wider ones."""
    finest: dict[_Finest, Changes] = {}
    sightings: list[Sighting] = []
    for view in views:
        if not view.submission_id:  # it names no message of ours, or one whose time of keeping is over
            continue
        for is_happening, provider, changes in changes_of(view):
            at = bucket_of(view.event.at if is_happening else view.sent_at, Resolution.FIVE_MINUTES)
            key = (view.event.account_id, view.campaign_id, view.author, is_happening, at, view.door, provider)
            row = finest.get(key)
            if row is None:
                finest[key] = dict(changes)
                continue
            for name, number in changes.items():
                row[name] = row.get(name, 0) + number
        sightings += _sightings(view)
    counters: dict[CounterKey, list[int]] = {}
    for key, row in finest.items():
        if any(row.values()):
            for wider in _rows(key):
                total = counters.get(wider)
                if total is None:
                    total = counters[wider] = [0] * len(COUNTS)
                for name, number in row.items():
                    total[_AT[name]] += number
    return Fold({key: row for key, row in counters.items() if any(row)}, sightings)


def changes_of(view: EventView) -> Iterator[tuple[bool, str, Changes]]:
    """(is EVENT timing, provider, changes) of one event."""
    event = view.event
    if event.kind is EventKind.ACCEPTED:
        yield False, "", {"processed": event.count}
        yield True, "", {"processed": event.count}
        return
    site, domain = str(event.data.get("site", "")), view.recipient.rpartition("@")[2].lower()
    provider = provider_of(site, domain)
    found, after = _states(event)
    marks, marked, unmarked = (_number(event, name) for name in ("marks", "marked", "unmarked"))
    if after is not None:
        yield from _moved(view, provider, found, after, marks)
    elif marked or unmarked:
        changes = _reached(marks, (marks | marked) & ~unmarked) if found is State.DELIVERED else {}
        if marked & Mark.SPAM:
            changes["spam"] = 1
        if changes:
            yield False, provider, changes
            yield True, provider, {name: number for name, number in changes.items() if number > 0}
    if event.kind in _HAPPENINGS:
        count, delay = _HAPPENINGS[event.kind]
        happened = {count: 1} | ({delay: _number(event, "after_s")} if delay else {})
        yield False, provider, happened
        yield True, provider, happened


def _moved(view: EventView, provider: str, found: State, after: State, marks: int) -> Iterator[tuple[bool, str, Changes]]:
    event = view.event
    has_attempt = event.kind is not EventKind.BLOCKED and event.data.get("stage") not in ("deadline", "evidence") and found is not State.DELIVERED
    left: Changes = {}
    if found in _COUNTED_AS:
        left[_COUNTED_AS[found]] = -1
    if found is State.DELIVERED:
        left |= _reached(marks, 0)
    if left:
        yield False, "" if "site_is_new" in event.data else provider, left
    entered: Changes = {_COUNTED_AS[after]: 1, "attempts": int(has_attempt)}
    if after is State.DELIVERED:
        entered["delivery_delay_s"] = max(0, event.at - view.sent_at) // SECOND_US
    yield False, provider, entered
    yield True, provider, entered if found is not after else {"attempts": int(has_attempt)}


def _states(event: Event) -> tuple[State, State | None]:
    """(state found, state after; None when the event moves nothing). Waiting, with or without an attempt under way, is QUEUED here."""
    after = _STATE_AFTER.get(event.kind)
    was = event.data.get("was")
    found = State(str(was)) if was else State.DELIVERED if after is None else State.QUEUED
    if after is State.BLOCKED and found is State.DEFERRED:
        after = State.SOFT_BOUNCED  # "never attempted" would not be true (status/transitions.py)
    return found, after


def _reached(before: int, after: int) -> Changes:
    """How the sets inside *delivered* change when a message's marks do."""
    changes = {name: bool(after & bits) - bool(before & bits) for name, bits in _SETS.items()}
    return {name: number for name, number in changes.items() if number}


def _number(event: Event, name: str) -> int:
    value = event.data.get(name, 0)
    return value if isinstance(value, int) else 0


def _rows(key: _Finest) -> Iterator[CounterKey]:
    account_id, campaign_id, author, is_happening, at, door, provider = key
    timing = Timing.EVENT if is_happening else Timing.MESSAGE
    axes = [(Axis.ACCOUNT, "")]
    if campaign_id:
        axes.append((Axis.CAMPAIGN, str(campaign_id)))
    if author and not is_happening:
        axes.append((Axis.SENDER, author.lower()))
    for resolution in Resolution:
        bucket = bucket_of(at, resolution)
        for axis, source in axes:
            yield CounterKey(account_id, axis, source, timing, resolution, bucket, door, provider)


def _sightings(view: EventView) -> Iterator[Sighting]:
    event = view.event
    if event.kind not in (EventKind.OPENED, EventKind.CLICKED, EventKind.UNSUBSCRIBED):
        return
    is_click = event.kind is EventKind.CLICKED
    day = bucket_of(event.at, Resolution.DAY)

    def sighting(campaign_id: int, kind: Reach, name: str, detail: str) -> Sighting:
        return Sighting(ReachKey(event.account_id, campaign_id, kind, is_click, name[:MAX_NAME], detail, day), event.message_id)

    if event.kind is EventKind.UNSUBSCRIBED:
        if reason := str(event.data.get("reason", "")):
            for campaign_id in sorted({0, view.campaign_id}):
                yield sighting(campaign_id, Reach.REASON, reason if reason in LEAVING else LEAVING[-1], "")
        return
    name, platform = agent_of(str(event.data.get("agent", "")))
    for campaign_id in sorted({0, view.campaign_id}):
        yield sighting(campaign_id, Reach.AGENT, name, platform)
        if country := str(event.data.get("geo", "")):
            yield sighting(campaign_id, Reach.COUNTRY, country, "")
    if is_click:
        yield sighting(view.campaign_id, Reach.LINK, str(event.data.get("url", "")), str(_number(event, "link")))
