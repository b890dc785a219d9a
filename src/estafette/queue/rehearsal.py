"""What a proposed shaping file would have changed: its rules and limits run over recorded attempts. Pure.

Both tables, the one in force and the proposed one, hear the same failed replies. For every rule it is told how often it would have begun, and
which attempts lay in its time: those that failed would have been spared, those that were delivered would have waited. For every limit that
differs it is told how many messages would have been held back by the new rate. It is a rehearsal on what happened, not a simulation: had mail
waited, other replies would have come.

Events know the MX host that answered, not the whole site: hosts whose names differ only in the digits of their first part count as one site.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from estafette.clock import SECOND_US
from estafette.model import Event, EventKind
from estafette.queue.rate import Meter, take
from estafette.queue.reactions import Heard, Measure, Reaction, Watch
from estafette.queue.shaping import FIELDS, Limits, Table, limits_for, provider_of

ATTEMPTS: Final = frozenset({EventKind.DELIVERED, EventKind.DEFERRED, EventKind.UNCERTAIN, EventKind.SOFT_BOUNCED, EventKind.HARD_BOUNCED})
_DIGITS: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One recorded attempt that a server answered."""

    at_s: float
    account: str
    source: str
    host: str
    is_delivered: bool
    code: int = 0
    enhanced: str = ""
    text: str = ""
    category: str = ""
    stage: str = ""

    @property
    def site(self) -> str:
        """The site as far as it can be told from one host."""
        first, dot, rest = self.host.partition(".")
        return _DIGITS.sub("", first) + dot + rest if not self.host[:1].isdigit() else self.host


@dataclass(frozen=True, slots=True)
class RulePlayed:
    """What one rule did, or would have done."""

    name: str
    change: str  # "new", "changed", "same", "gone"
    begun: int  # how often it began
    begun_before: int  # how often it began as it is in force now
    in_force_s: float
    spared: int  # failed attempts in its time, the ones that led to it left out
    held: int  # delivered ones that would have waited
    example: str  # a reply that made it begin


@dataclass(frozen=True, slots=True)
class LimitPlayed:
    """A limit that would be another one, for a path that mail went over."""

    source: str
    site: str
    provider: str
    field: str
    before: float
    after: float
    attempts: int
    held: int  # messages that would have waited for the new message rate


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The whole answer."""

    attempts: int
    failed: int
    first_s: float
    last_s: float
    rules: tuple[RulePlayed, ...]
    limits: tuple[LimitPlayed, ...]


def attempt_of(event: Event) -> Attempt | None:
    """The attempt that an event tells of; None when no server was spoken to."""
    host = str(event.data.get("host") or "")
    if event.kind not in ATTEMPTS or not host:
        return None
    data = event.data
    code = data.get("code") or 0
    return Attempt(
        event.at / SECOND_US, str(event.account_id), str(data.get("source") or ""), host, event.kind is EventKind.DELIVERED, int(code),
        str(data.get("enhanced") or ""), event.reply, str(data.get("category") or ""), str(data.get("stage") or ""),
    )  # fmt: skip


class Rehearser:
    """Hears attempts one by one, in the order of time; `result` may be asked at any moment."""

    def __init__(self, current: Table, proposed: Table) -> None:
        self._current, self._proposed = current, proposed
        self._watches = (Watch(current.reactions), Watch(proposed.reactions))
        self._measures: tuple[dict[tuple[str, ...], list[Measure]], dict[tuple[str, ...], list[Measure]]] = ({}, {})
        self._spared: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._paths: dict[tuple[str, str], tuple[str, Limits, Limits]] = {}
        self._meters: dict[tuple[str, str], Meter] = {}
        self._counts: dict[tuple[str, str], list[int]] = {}  # attempts, held
        self._attempts = self._failed = 0
        self._first_s = self._last_s = 0.0

    def hear(self, attempt: Attempt) -> None:
        """One attempt more."""
        self._first_s = self._first_s if self._attempts else attempt.at_s
        self._last_s = max(self._last_s, attempt.at_s)
        self._attempts += 1
        self._failed += not attempt.is_delivered
        path = (attempt.source, attempt.site)
        if path not in self._paths:
            hosts = [attempt.host]
            before = limits_for(hosts, "", self._current, attempt.source).limits
            after = limits_for(hosts, "", self._proposed, attempt.source).limits
            self._paths[path] = (provider_of(hosts, self._proposed), before, after)
            self._counts[path] = [0, 0]
        self._pace(path, attempt)
        for measure in self._watches[1].in_force(attempt.at_s, attempt.source, attempt.site, attempt.account):
            counts = self._held if attempt.is_delivered else self._spared
            if measure.is_suspension or not attempt.is_delivered:
                counts[measure.reaction.name] = counts.get(measure.reaction.name, 0) + 1
        if not attempt.is_delivered:
            for number, table in enumerate((self._current, self._proposed)):
                self._react(number, attempt, provider_of([attempt.host], table))

    def _pace(self, path: tuple[str, str], attempt: Attempt) -> None:
        """Would the proposed rate have let it go at that moment?"""
        _, before, after = self._paths[path]
        self._counts[path][0] += 1
        if after.messages_per_s >= before.messages_per_s:
            return
        turn_s = attempt.at_s
        meter, wait_s = take(self._meters.get(path, Meter()), turn_s, after.messages_per_s, after.burst)
        while wait_s:
            turn_s += wait_s + 1e-6
            meter, wait_s = take(meter, turn_s, after.messages_per_s, after.burst)
        self._meters[path] = meter  # the next one queues behind it
        self._counts[path][1] += turn_s > attempt.at_s

    def _react(self, number: int, attempt: Attempt, provider: str) -> None:
        heard = Heard(
            attempt.at_s, attempt.source, attempt.site, provider, attempt.host, attempt.account, "", attempt.code, attempt.enhanced, attempt.text,
            attempt.category, attempt.stage,
        )  # fmt: skip
        for measure in self._watches[number].hear(heard):
            spans = self._measures[number].setdefault((measure.reaction.name, *measure.key), [])
            if spans and spans[-1].since_s == measure.since_s:
                spans[-1] = measure  # prolonged
            else:
                spans.append(measure)

    def result(self) -> Rehearsal:
        """What was found so far."""
        return Rehearsal(self._attempts, self._failed, self._first_s, self._last_s, tuple(self._rules()), tuple(self._limits()))

    def _rules(self) -> list[RulePlayed]:
        before = {reaction.name: reaction for reaction in self._current.reactions}
        after = {reaction.name: reaction for reaction in self._proposed.reactions}
        begun = [_by_rule(measures) for measures in self._measures]
        rows = []
        for name in [*after, *(name for name in before if name not in after)]:
            spans = begun[1].get(name, [])
            rows.append(RulePlayed(
                name, _change(before, after, name), len(spans), len(begun[0].get(name, [])), sum(m.until_s - m.since_s for m in spans),
                self._spared.get(name, 0), self._held.get(name, 0), spans[0].reply if spans else "",
            ))  # fmt: skip
        return rows

    def _limits(self) -> list[LimitPlayed]:
        rows = []
        for (source, site), (provider, before, after) in self._paths.items():
            attempts, held = self._counts[source, site]
            for field in FIELDS:
                old, new = getattr(before, field), getattr(after, field)
                if old != new:
                    rows.append(LimitPlayed(source, site, provider, field, old, new, attempts, held if field == "messages_per_s" else 0))
        return sorted(rows, key=lambda row: (-row.held, -row.attempts, row.site))


def rehearse(attempts: Iterable[Attempt], current: Table, proposed: Table) -> Rehearsal:
    """Run both tables over recorded attempts, oldest first."""
    rehearser = Rehearser(current, proposed)
    for attempt in attempts:
        rehearser.hear(attempt)
    return rehearser.result()


def _by_rule(measures: Mapping[tuple[str, ...], list[Measure]]) -> dict[str, list[Measure]]:
    found: dict[str, list[Measure]] = {}
    for slot, spans in measures.items():
        found.setdefault(slot[0], []).extend(spans)
    return found


def _change(before: Mapping[str, Reaction], after: Mapping[str, Reaction], name: str) -> str:
    if name not in before:
        return "new"
    if name not in after:
        return "gone"
    return "same" if replace(before[name], where="") == replace(after[name], where="") else "changed"
