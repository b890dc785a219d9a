"""What replies make us do for a while: suspend a path, a source, an account or a campaign, or lower a limit. Pure.

A *reaction* is a row of a shaping file: which replies it listens to, how many within which time, what to do and for how long. Only replies of
receiving servers are heard, never what we write ourselves about a message, so that a suspension cannot feed itself.

    watch = Watch(table.reactions)
    for measure in watch.hear(heard): ...                     # what was decided just now
    watch.in_force(now_s, source, site, account, campaign)    # what holds for one message
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

SUSPEND, LOWER = "suspend", "lower"
SCOPES: Final = ("path", "source", "site", "account", "campaign")
"""What waits: one source to one site; one source everywhere; one site whatever the source; one account, or one of its campaigns, to one site."""
MAX_KEYS: Final = 20_000
"""Counters and measures remembered; the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """One rule. All conditions that are given must hold; within one condition any of its values is enough."""

    name: str
    for_s: float
    suspend: str = ""  # one of SCOPES; "" = lower limits instead
    lower: tuple[tuple[str, float], ...] = ()  # (field of Limits, value): a ceiling of the path while it holds
    count: int = 1  # so many replies ...
    within_s: float = 0.0  # ... within so many seconds
    providers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # the MX host that answered, or what its name ends in
    text: tuple[str, ...] = ()  # found in the reply, lower case
    codes: tuple[str, ...] = ()  # what the reply code begins with
    enhanced: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()  # of rules/replies.toml
    stages: tuple[str, ...] = ()
    where: str = "shipped"


@dataclass(frozen=True, slots=True)
class Heard:
    """One failed reply in its place."""

    at_s: float
    source: str
    site: str
    provider: str
    host: str
    account: str
    campaign: str
    code: int
    enhanced: str
    text: str
    category: str
    stage: str


@dataclass(frozen=True, slots=True)
class Measure:
    """What is done for a while."""

    reaction: Reaction
    key: tuple[str, ...]  # see key_of
    since_s: float
    until_s: float
    reply: str  # the last of those that led to it

    @property
    def is_suspension(self) -> bool:
        """True when nothing goes at all."""
        return bool(self.reaction.suspend)


def listens(reaction: Reaction, heard: Heard) -> bool:
    """True when all conditions of a reaction hold."""
    text = heard.text.lower()
    return (
        (not reaction.providers or heard.provider in reaction.providers)
        and (not reaction.hosts or any(heard.host == name or heard.host.endswith("." + name) for name in reaction.hosts))
        and (not reaction.codes or str(heard.code).startswith(reaction.codes))
        and (not reaction.enhanced or heard.enhanced in reaction.enhanced)
        and (not reaction.categories or heard.category in reaction.categories)
        and (not reaction.stages or heard.stage in reaction.stages)
        and (not reaction.text or any(words in text for words in reaction.text))
    )


def key_of(scope: str, source: str, site: str, account: str, campaign: str) -> tuple[str, ...]:
    """What a measure of this scope speaks of; replies are counted under the same key."""
    return {
        "path": (scope, source, site), "source": (scope, source), "site": (scope, site),
        "account": (scope, account, site), "campaign": (scope, account, campaign, site),
    }[scope]  # fmt: skip


class Watch:
    """Counts replies and remembers what is in force; all time is an argument."""

    def __init__(self, reactions: Sequence[Reaction]) -> None:
        self._reactions = tuple(reactions)
        self._counts: dict[tuple[str, ...], tuple[float, ...]] = {}  # (reaction, *key) → when
        self._measures: dict[tuple[str, ...], tuple[Measure, ...]] = {}  # by key

    def hear(self, heard: Heard) -> list[Measure]:
        """Count one failed reply; the measures that begin, or are prolonged, with it."""
        begun = []
        for reaction in self._reactions:
            scope = reaction.suspend or "path"
            if (scope == "campaign" and not heard.campaign) or not listens(reaction, heard):
                continue
            key = key_of(scope, heard.source, heard.site, heard.account, heard.campaign)
            slot = (reaction.name, *key)
            times = _recent(self._counts.pop(slot, ()), reaction, heard.at_s)
            if len(times) >= reaction.count:
                begun.append(self._begin(reaction, key, heard))
                continue
            self._counts[slot] = times
            while len(self._counts) > MAX_KEYS:
                del self._counts[next(iter(self._counts))]
        return begun

    def _begin(self, reaction: Reaction, key: tuple[str, ...], heard: Heard) -> Measure:
        running = [measure for measure in self._measures.pop(key, ()) if measure.until_s > heard.at_s]
        since_s = next((measure.since_s for measure in running if measure.reaction.name == reaction.name), heard.at_s)
        fresh = Measure(reaction, key, since_s, heard.at_s + reaction.for_s, heard.text[:200])
        self._measures[key] = (*(measure for measure in running if measure.reaction.name != reaction.name), fresh)
        while len(self._measures) > MAX_KEYS:
            del self._measures[next(iter(self._measures))]
        return fresh

    def adopt(self, name: str, key: tuple[str, ...], now_s: float, until_s: float, reply: str) -> Measure | None:
        """A measure that another worker took: it holds here too, until the same moment. None when no reaction has that name or it is known already."""
        reaction = next((reaction for reaction in self._reactions if reaction.name == name), None)
        running = self._measures.get(key, ())
        if reaction is None or until_s <= now_s or any(m.reaction.name == name and m.until_s >= until_s - 1.0 for m in running):
            return None
        fresh = Measure(reaction, key, now_s, until_s, reply[:200])
        self._measures[key] = (*(m for m in running if m.reaction.name != name), fresh)
        return fresh

    def in_force(self, now_s: float, source: str, site: str, account: str = "", campaign: str = "") -> list[Measure]:
        """The measures that hold now for a message of this account and campaign on this path."""
        if not self._measures:
            return []
        keys = [key_of(scope, source, site, account, campaign) for scope in SCOPES]
        return [measure for key in keys for measure in self._measures.get(key, ()) if measure.until_s > now_s]

    def all_in_force(self, now_s: float) -> list[Measure]:
        """Everything that holds now, for people to see; forgets what is over."""
        left = {key: tuple(m for m in measures if m.until_s > now_s) for key, measures in self._measures.items()}
        self._measures = {key: measures for key, measures in left.items() if measures}
        return [measure for measures in self._measures.values() for measure in measures]

    def lift(self, measure: Measure) -> None:
        """End a measure early: a person said so."""
        left = tuple(m for m in self._measures.pop(measure.key, ()) if m.reaction.name != measure.reaction.name)
        if left:
            self._measures[measure.key] = left

    def with_reactions(self, reactions: Sequence[Reaction]) -> "Watch":
        """A watch over new reactions after a reload; what is in force stays until its end, counts go on where the name is the same."""
        fresh = Watch(reactions)
        names = {reaction.name for reaction in reactions}
        fresh._counts = {slot: times for slot, times in self._counts.items() if slot[0] in names}
        fresh._measures = dict(self._measures)
        return fresh


def rest_s(measures: Iterable[Measure], now_s: float) -> float:
    """How long a message must wait because of suspensions; 0 when none holds."""
    return max((measure.until_s - now_s for measure in measures if measure.is_suspension), default=0.0)


def lowered(measures: Iterable[Measure]) -> dict[str, float]:
    """Field of Limits → the lowest value that measures in force ask for."""
    found: dict[str, float] = {}
    for measure in measures:
        for field, value in measure.reaction.lower:
            found[field] = min(value, found.get(field, value))
    return found


def _recent(times: tuple[float, ...], reaction: Reaction, now_s: float) -> tuple[float, ...]:
    if reaction.count == 1:
        return (now_s,)
    return (*(at for at in times if now_s - at < reaction.within_s), now_s)[-reaction.count :]
