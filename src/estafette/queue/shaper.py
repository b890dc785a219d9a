"""All of shaping for one worker: what a path asks before it connects and sends, and what it tells afterwards. Pure: time comes in as an argument.

    way = shaper.way(site, hosts, source)                       one source address to one site; kept while the worker works the site
    shaper.open(way, now_s)      → 0.0: connect (reserved)      else seconds to wait, or FULL: until a connection closes
    shaper.send(way, ..., now_s) → None: send it                else a Wait: of the whole way, or of this message alone
    shaper.answered / failed / unreachable / closed             what came of it

    source = shaper.source_for(...)                             from which address a message leaves; None: none may be used now

It holds the flows, meters, counters and measures of the sites that this worker has leased; nothing of it is stored.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from estafette.clock import SECOND_US
from estafette.mail.reply_rules import Verdict
from estafette.queue.pools import Aside, Pool, after_blame, after_failure, blames_source, by_preference, pool_for
from estafette.queue.rate import Meter, Pace, charge, take, take_all
from estafette.queue.reactions import Heard, Measure, Watch, lowered, rest_s
from estafette.queue.shaping import Caps, Effective, Limits, NamedLimit, Table, counter_of, home_of, is_below, limits_for, part_of
from estafette.queue.shares import ALL, Share, Word, limits_of, most_holders
from estafette.queue.warmup import OTHER, first
from estafette.queue.window import Flow, answered, is_forgettable, limited, opened, refused_connection, reshared, rested, slowed, unreachable

FULL: Final = math.inf
"""Instead of a time to wait: not before a connection closes."""
MAX_DOMAINS: Final = 10_000
MAX_ASIDES: Final = 20_000
ECHO_S: Final = 2.0
"""What two holders of a site were told within this time is one complaint."""
TROUBLE_S: Final = 60.0
"""So long after a slow-down no site is shared out anew."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A message may not go yet."""

    seconds: float
    is_own: bool  # only this message waits (its account, its campaign, a limit on its domain): others of the way may go before it


@dataclass(slots=True)
class Way:
    """One source address to one site: what is known and under way."""

    site: str
    hosts: tuple[str, ...]
    source: str
    effective: Effective
    flow: Flow
    ceilings: Limits  # of `effective`, this worker's share of them
    open: int = 0  # connections, those being opened included
    messages: Meter = field(default_factory=Meter)
    connections: Meter = field(default_factory=Meter)

    @property
    def most(self) -> int:
        """Connections that may be open now."""
        return min(self.flow.size, self.flow.limits.connections)


@dataclass(slots=True)
class _Counter:
    open: int = 0
    meter: Meter = field(default_factory=Meter)


class Shaper:
    """See the module."""

    def __init__(self, table: Table, fallback: Pool, caps: Caps = Caps()) -> None:
        self.table = table
        self._fallback = fallback
        self._caps = caps
        self._watch = Watch(table.reactions)
        self._ways: dict[tuple[str, str], Way] = {}
        self._counters: dict[str, _Counter] = {}
        self._asides: dict[tuple[str, str], Aside] = {}  # (source, site); site "" = everywhere
        self._warm: dict[tuple[str, str], float] = {}  # (source, provider) → messages left today
        self._by_domain: dict[str, tuple[NamedLimit, ...]] = {}
        self._homes: dict[str, str] = {}
        self._workers = 1
        self._shares: dict[str, Share] = {}  # of the sites that are shared with other workers

    # -- ways -------------------------------------------------------------------------------------------------------------

    def way(self, site: str, hosts: Sequence[str], source: str, now_s: float = 0.0) -> Way:
        """The way from a source to a site; made when it is new."""
        way = self._ways.get((site, source))
        if way is None:
            effective = limits_for(hosts, "", self.table, source, self._caps)
            share = self._shares.get(site, ALL)
            ceilings = limits_of(effective.limits, share)
            way = self._ways[site, source] = Way(site, tuple(hosts), source, effective, opened(ceilings), ceilings)
            if not share.is_whole:
                _spend(way, ceilings.burst, ceilings.connections, now_s)
        return way

    def home(self, site: str) -> str:
        """What `preferred_worker` is asked for instead of the site: sites that share a counter go to one worker."""
        home = self._homes.get(site)
        if home is None:
            while len(self._homes) >= MAX_DOMAINS:
                del self._homes[next(iter(self._homes))]
            home = self._homes[site] = home_of(site, self.table)
        return home

    def share_with(self, workers: int) -> None:
        """So many workers deliver: of a limit whose paths are spread over all of them each keeps its part."""
        self._workers = max(1, workers)

    def most_holders(self, site: str, workers: int, now_s: float, *, is_shared: bool) -> int:
        """Among how many workers a site may be shared now. Sites under one provider's counter stay where that is, and a site with trouble is not shared out."""
        ways = [way for (known, _), way in self._ways.items() if known == site]
        if not ways or self.home(site) != site:
            return 1
        if not is_shared and any(way.flow.failures or way.flow.is_paused(now_s) or now_s - way.flow.slowed_at_s < TROUBLE_S for way in ways):
            return 1
        return most_holders([self._lowered(way, way.effective.limits, now_s) for way in ways], workers)

    def share(self, site: str, share: Share, now_s: float) -> None:
        """The part of a site that this worker holds from now on. What it gains of a burst counts as used: another may have used it just before."""
        before = self._shares.pop(site, ALL)
        if not share.is_whole:
            self._shares[site] = share
        for (known, _), way in self._ways.items():
            if known == site:
                limits = way.effective.limits
                way.ceilings = limits_of(limits, share)
                _spend(way, share.of(limits.burst) - before.of(limits.burst), share.of(limits.connections) - before.of(limits.connections), now_s)
                way.flow = reshared(way.flow, self._lowered(way, way.ceilings, now_s), now_s)

    def is_within(self, site: str) -> bool:
        """True when no more connections are open than this worker's share of the site allows."""
        return all(way.open <= way.flow.limits.connections for (known, _), way in self._ways.items() if known == site)

    def hears(self, site: str, hosts: Sequence[str], word: Word, now_us: int, now_s: float, pauses_s: Sequence[float]) -> None:
        """What another holder of a site was told counts here too."""
        way, said_s = self.way(site, hosts, word.source, now_s), now_s - (now_us - word.at) / SECOND_US
        if word.kind in ("slow", "blame"):
            way.flow = slowed(way.flow, now_s, said_s - ECHO_S, word.wait_s)
        if word.kind == "blame":
            place = (word.source, site)
            self._set_aside(place, after_blame(self._asides.get(place, Aside()), now_s, word.text, word.wait_s))
        if word.kind == "dead":
            way.flow = unreachable(way.flow, now_s, said_s, pauses_s)
        until_s = now_s + (word.until - now_us) / SECOND_US
        if word.kind == "measure" and (measure := self._watch.adopt(word.reaction, word.key, now_s, until_s, word.text)) is not None:
            self._apply(measure, now_s)

    def forget(self, site: str, now_s: float, *, is_lost: bool = False) -> bool:
        """Forget the ways of a site that is given up, unless something was learnt there that is worth keeping (`is_lost`: in any case)."""
        ways = [way for (known, _), way in self._ways.items() if known == site]
        if not is_lost and any(way.open or not is_forgettable(way.flow, now_s) for way in ways):
            return False
        for way in ways:
            for _ in range(way.open):
                self.closed(way)
            del self._ways[site, way.source]
        self._shares.pop(site, None)
        return True

    def reload(self, table: Table, now_s: float) -> None:
        """Another table from now on. What was learnt stays; lower ceilings hold at once, higher ones are grown into."""
        open_before = {key: way.open for key, way in self._ways.items()}
        for way in self._ways.values():
            for _ in range(way.open):
                self.closed(way)
        self.table = table
        self._watch = self._watch.with_reactions(table.reactions)
        self._by_domain.clear()
        self._homes.clear()
        for key, way in self._ways.items():
            way.effective = limits_for(way.hosts, "", table, way.source, self._caps)
            way.ceilings = limits_of(way.effective.limits, self._shares.get(way.site, ALL))
            self._fit(way, now_s, is_ordered=True)
            for _ in range(open_before[key]):  # what is open counts towards the limits that hold now
                self._reserve(way)

    # -- before -----------------------------------------------------------------------------------------------------------

    def source_for(self, site: str, hosts: Sequence[str], key: str, now_s: float, account: str = "", stream: str = "", campaign: str = "",
                   refused: Sequence[str] = ()) -> str | None:  # fmt: skip
        """The source of a message (`key`: the same at every attempt): the first of its pool by preference that may be used at this site now.

        When the site holds all of them against us the preferred one goes on, slowly: each reply is then an answer to its message.
        """
        sources = [source for source in by_preference(self.pool_for(account, stream, campaign), key) if source not in refused]
        usable = next((source for source in sources if self._is_usable(source, site, hosts, now_s)), None)
        if usable is not None:
            return usable
        return next((source for source in sources if self._is_usable(source, site, hosts, now_s, if_blamed=True)), None)

    def pool_for(self, account: str = "", stream: str = "", campaign: str = "") -> Pool:
        """The pool of a message."""
        return pool_for(self.table.pools, self._fallback, account, stream, campaign)

    def no_source_s(self, site: str, now_s: float, account: str = "", stream: str = "", campaign: str = "") -> float:
        """How long until a message for which `source_for` found none may look again: the first rest of a source of its pool that ends; 0 = not known."""
        sources = self.pool_for(account, stream, campaign).sources
        rests = [rest for s in sources if (rest := self._source_rest_s(s.address, site, now_s, if_blamed=True)) > 0]
        return min(rests, default=0.0)

    def refused_at(self, site: str, now_s: float) -> list[str]:
        """The sources whose address is held against us at a site now."""
        return [source for (source, place), aside in self._asides.items() if place == site and aside.is_aside(now_s)]

    def open(self, way: Way, now_s: float) -> float:
        """0.0: a connection may be opened, and counts from now until `closed`. Else how long to wait; FULL: until another one closes."""
        if (wait_s := self.rest_s(way, now_s)) > 0:
            return wait_s
        self._fit(way, now_s)
        if way.open >= way.most or any(self._counter(limit, way.source).open >= self._part(limit).connections for limit in way.effective.named):
            return FULL
        limits = way.flow.limits
        way.connections, wait_s = take(way.connections, now_s, limits.connections_per_s, limits.connections)
        if not wait_s:
            self._reserve(way)
        return wait_s

    def send(self, way: Way, domain: str, now_s: float, account: str = "", campaign: str = "") -> Wait | None:
        """None: this message may be sent now, and counts. Else how long to wait, and whether the others of the way wait too."""
        measures = self._watch.in_force(now_s, way.source, way.site, account, campaign)
        if (own_s := rest_s((measure for measure in measures if measure.key[0] in ("account", "campaign")), now_s)) > 0:
            return Wait(own_s, True)
        if (wait_s := max(rest_s(measures, now_s), way.flow.paused_until_s - now_s)) > 0:
            return Wait(wait_s, False)
        self._fit(way, now_s)
        shared = [limit for limit in way.effective.named if limit.messages_per_s != math.inf]
        own = self._of_domain(way, domain)
        counters = [self._counter(limit, way.source) for limit in (*shared, *own)]
        meters = [way.messages, *(counter.meter for counter in counters)]
        paces = [Pace(way.flow.rate, way.flow.limits.burst), *(Pace(self._part(limit).messages_per_s, limit.burst) for limit in (*shared, *own))]
        after, wait_s = take_all(meters, now_s, paces)
        if wait_s:
            _, of_all_s = take_all(meters[: 1 + len(shared)], now_s, paces[: 1 + len(shared)])
            return Wait(wait_s, wait_s > of_all_s)
        way.messages = after[0]
        for counter, meter in zip(counters, after[1:], strict=True):
            counter.meter = meter
        if self._warm and (warm := (way.source, way.effective.provider or OTHER)) in self._warm:
            self._warm[warm] -= 1
        return None

    def is_spent(self, way: Way) -> bool:
        """True when a source that warms up has carried its part of today: what waits for it leaves from others."""
        return bool(self._warm) and self._warm.get((way.source, way.effective.provider or OTHER), 1.0) <= 0

    def is_paused(self, way: Way, now_s: float) -> bool:
        """True while nothing may be opened on a way, whatever the message."""
        return self.rest_s(way, now_s) > 0

    def rest_s(self, way: Way, now_s: float) -> float:
        """How long nothing may be opened on a way: it is suspended, a server named a pause, or the site is dead."""
        return max(way.flow.paused_until_s - now_s, rest_s(self._watch.in_force(now_s, way.source, way.site), now_s))

    def messages_per_connection(self, way: Way) -> int:
        """After so many a connection is closed."""
        return way.flow.limits.messages_per_connection

    # -- afterwards -------------------------------------------------------------------------------------------------------

    def closed(self, way: Way) -> None:
        """A connection, or the attempt to open one, is over."""
        way.open -= 1
        for limit in way.effective.named:
            self._counter(limit, way.source).open -= 1

    def answered(self, way: Way, now_s: float) -> None:
        """A mail was answered and nobody asked us to slow down."""
        way.flow = answered(way.flow, now_s, way.open)
        if self._asides:
            for place in ((way.source, ""), (way.source, way.site)):
                if place in self._asides and not self._asides[place].is_aside(now_s):
                    del self._asides[place]

    def failed(self, way: Way, verdict: Verdict, heard: Heard, began_s: float) -> list[Measure]:
        """A server refused something that began at `began_s`; the measures that begin with it. `heard.at_s` is now."""
        now_s = heard.at_s
        if blames_source(verdict):
            way.flow = slowed(way.flow, now_s, began_s)
            place = (way.source, way.site)
            self._set_aside(place, after_blame(self._asides.get(place, Aside()), now_s, heard.text[:200], verdict.wait_hint_s))
        elif verdict.slow_down:
            way.flow = slowed(way.flow, now_s, began_s, verdict.wait_hint_s)
        else:
            way.flow = answered(way.flow, now_s, way.open)
        measures = self._watch.hear(heard)
        for measure in measures:
            self._apply(measure, now_s)
        return measures

    def unreachable(self, way: Way, working: int, now_s: float, began_s: float, pauses_s: Sequence[float]) -> None:
        """No host of the site could be reached in a round that began at `began_s`; while `working` connections of the way are greeted, one more was
        not wanted and nobody is dead."""
        if working:
            way.flow = refused_connection(way.flow, now_s, working)
        else:
            way.flow = unreachable(way.flow, now_s, began_s, pauses_s)

    def cannot_leave(self, source: str, now_s: float, why: str) -> Aside:
        """Nothing can be sent from this source (its address is not ours any more): it is set aside everywhere."""
        aside = after_failure(self._asides.get((source, ""), Aside()), now_s, why)
        self._set_aside((source, ""), aside)
        return aside

    def warm_up(self, source: str, provider: str, left_today: float) -> None:
        """How many more messages a source that warms up may carry to a provider (or OTHER) today; math.inf when it is warm."""
        self._warm[source, provider] = left_today

    # -- for people -------------------------------------------------------------------------------------------------------

    def ways(self) -> list[Way]:
        """All ways, to look at."""
        return list(self._ways.values())

    def measures(self, now_s: float) -> list[Measure]:
        """What is in force."""
        return self._watch.all_in_force(now_s)

    def set_aside(self, now_s: float) -> dict[tuple[str, str], Aside]:
        """(source, site or "" for everywhere) → why and until when it is not used."""
        return {place: aside for place, aside in self._asides.items() if aside.is_aside(now_s)}

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _is_usable(self, source: str, site: str, hosts: Sequence[str], now_s: float, *, if_blamed: bool = False) -> bool:
        if self._source_rest_s(source, site, now_s, if_blamed=if_blamed) > 0:
            return False
        plan = next((plan for plan in self.table.warmups if plan.source == source), None)
        if plan is None:
            return True
        provider = self.way(site, hosts, source).effective.provider or OTHER
        return self._warm.setdefault((source, provider), first(plan.ramp_for(provider)).cap) > 0

    def _source_rest_s(self, source: str, site: str, now_s: float, *, if_blamed: bool = False) -> float:
        places = [(source, "")] if if_blamed else [(source, ""), (source, site)]
        aside_s = max((self._asides[place].until_s - now_s for place in places if place in self._asides), default=0.0)
        return max(aside_s, rest_s(self._watch.in_force(now_s, source, site), now_s))

    def _set_aside(self, place: tuple[str, str], aside: Aside) -> None:
        self._asides[place] = aside
        while len(self._asides) > MAX_ASIDES:
            del self._asides[next(iter(self._asides))]

    def _part(self, limit: NamedLimit) -> NamedLimit:
        return limit if limit.provider or self._workers == 1 else part_of(limit, self._workers)

    def _fit(self, way: Way, now_s: float, *, is_ordered: bool = False) -> None:
        """The ceilings in force: those of the table, lowered by measures; of them this worker's share."""
        way.flow = limited(way.flow, self._lowered(way, way.ceilings, now_s), now_s, is_ordered=is_ordered)

    def _lowered(self, way: Way, limits: Limits, now_s: float) -> Limits:
        """`limits` are the way's ceilings, or all that the site allows."""
        lower = lowered(self._watch.in_force(now_s, way.source, way.site))
        if not lower:
            return limits
        whole = replace(way.effective.limits, **{name: min(getattr(way.effective.limits, name), value) for name, value in lower.items()})
        return whole if limits is way.effective.limits else limits_of(whole, self._shares.get(way.site, ALL))

    def _apply(self, measure: Measure, now_s: float) -> None:
        for way in self._ways.values():
            if measure.key in (("path", way.source, way.site), ("source", way.source), ("site", way.site)):
                if measure.is_suspension:
                    way.flow = rested(way.flow, now_s, measure.until_s)
                else:
                    self._fit(way, now_s)

    def _reserve(self, way: Way) -> None:
        way.open += 1
        for limit in way.effective.named:
            self._counter(limit, way.source).open += 1

    def _counter(self, limit: NamedLimit, source: str) -> _Counter:
        name = counter_of(limit, source)
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = _Counter()
        return counter

    def _of_domain(self, way: Way, domain: str) -> tuple[NamedLimit, ...]:
        """The named limits that count for the recipient's domain, on this way."""
        if domain not in self._by_domain:
            while len(self._by_domain) >= MAX_DOMAINS:
                del self._by_domain[next(iter(self._by_domain))]
            self._by_domain[domain] = tuple(limit for limit in self.table.named if limit.domains and is_below(domain, limit.domains))
        found = self._by_domain[domain]
        if not found:
            return ()
        return tuple(limit for limit in found if (not limit.sources or way.source in limit.sources)
                     and (not limit.mx or all(is_below(host, limit.mx) for host in way.hosts)))  # fmt: skip


def _spend(way: Way, messages: int, connections: int, now_s: float) -> None:
    way.messages = charge(way.messages, now_s, way.ceilings.messages_per_s, messages)
    way.connections = charge(way.connections, now_s, way.ceilings.connections_per_s, connections)
