"""How one busy site is shared among workers: who holds which part, what a part may do, when it is worth it. Pure.

    share = share_for(rank, holders)               # the interval of a worker among those that share
    limits_of(limits, share)                       # what it may do: over all shares these sum up to the limits, never to more

A share is an interval of a whole of `model.WHOLE` parts. Connections and bursts are whole numbers: an interval has as many of n as lie in it, so that
intervals which do not overlap never have more than n together, whatever their number. Rates are divided by length.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from estafette.clock import SECOND_US
from estafette.mail.reply_rules import Verdict
from estafette.model import WHOLE
from estafette.queue.pools import blames_source
from estafette.queue.rate import NO_LIMIT
from estafette.queue.reactions import Measure
from estafette.queue.shaping import Limits

MOST_HOLDERS: Final = 12
LEAST_CONNECTIONS: Final = 2
"""A site is shared among so many that each has at least these."""
LEAST_PER_S: Final = 50.0
"""What a worker does with a site alone before it asks others to help; and what a rate must allow to each of several."""
GAP_S: Final = 0.5
"""A queue that was empty for no longer than that was long all the time."""
CALM_S: Final = 30.0
"""So long a site must have been quiet until one worker has it alone again."""


@dataclass(frozen=True, slots=True)
class Share:
    """From `low` to before `high` of WHOLE."""

    low: int = 0
    high: int = WHOLE

    @property
    def is_whole(self) -> bool:
        return (self.low, self.high) == (0, WHOLE)

    def of(self, count: int) -> int:
        """How many of `count` things are this share's."""
        return count * self.high // WHOLE - count * self.low // WHOLE

    def meet(self, other: "Share") -> "Share | None":
        """What two shares have in common."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Share(low, high) if low < high else None


ALL: Final = Share()


def share_for(rank: int, holders: int) -> Share:
    """The share of the worker that stands at `rank` (from 0) among `holders`."""
    return Share(WHOLE * rank // holders, WHOLE * (rank + 1) // holders)


def limits_of(limits: Limits, share: Share) -> Limits:
    """What the holder of a share may do of what the site allows. Nothing where its part of the connections, or of the burst of a rate, is none."""
    if share.is_whole:
        return limits
    portion = (share.high - share.low) / WHOLE
    connections, burst = share.of(limits.connections), share.of(limits.burst)
    if limits.messages_per_s != NO_LIMIT and not burst:
        connections = 0
    return replace(limits, connections=connections, connections_per_s=limits.connections_per_s * portion,
                   messages_per_s=limits.messages_per_s * portion, burst=max(1, burst))  # fmt: skip


def most_holders(limits: Sequence[Limits], workers: int) -> int:
    """Among how many workers a site with paths of these limits can be shared: each must have connections and, where a rate is set, some burst. Mail that
    must go exactly spaced is one worker's."""
    most = min(workers, MOST_HOLDERS)
    for one in limits:
        most = min(most, one.connections // LEAST_CONNECTIONS)
        if one.messages_per_s != NO_LIMIT:
            most = min(most, one.burst, int(one.messages_per_s / LEAST_PER_S))
    return max(1, most)


@dataclass(slots=True)
class Pressure:
    """Whether a site is too much for one worker: told now and then how its queue stands and how many of its messages were begun in all."""

    enough: int = 100  # messages that must have gone while more were waiting
    since_s: float = 0.0
    begun_then: int = 0
    pressed_s: float = -1.0  # the last time more were waiting
    is_high: bool = False
    busy_s: float = 0.0  # the last time it was no quiet site
    _looked: tuple[float, int] = field(default=(0.0, 0))

    def look(self, now_s: float, is_long: bool, begun: int) -> None:
        """`is_long`: messages wait that were not claimed, or could not be."""
        if is_long:
            if now_s - self.pressed_s > GAP_S or self.pressed_s < 0:
                self.since_s, self.begun_then = now_s, begun
            self.pressed_s = now_s
        went, took_s = begun - self.begun_then, now_s - self.since_s
        self.is_high = self.pressed_s >= 0 and now_s - self.pressed_s <= GAP_S and went >= self.enough and went >= LEAST_PER_S * took_s
        then_s, before = self._looked
        if now_s - then_s >= 1.0:
            if begun - before >= LEAST_PER_S / 2 * (now_s - then_s):
                self.busy_s = now_s
            self._looked = now_s, begun

    def is_calm(self, now_s: float) -> bool:
        """True when one worker is enough again."""
        return not self.is_high and now_s - self.busy_s > CALM_S


@dataclass(frozen=True, slots=True)
class Word:
    """What a server told one holder of a site and all of them must know."""

    at: int  # microseconds
    source: str
    kind: str  # "slow", "blame", "dead", "measure"
    text: str = ""
    wait_s: float = 0.0  # how long the server asked us to wait
    reaction: str = ""  # the measure: its reaction's name, what it speaks of, its end in microseconds
    key: tuple[str, ...] = ()
    until: int = 0


def words_of(verdict: Verdict, text: str, source: str, measures: Sequence[Measure], now_us: int, now_s: float, is_slower: bool) -> list[Word]:
    """What the other holders of a site must know of a refusal: that it slowed the path down (`is_slower`), blamed its source or began measures."""
    words = []
    if is_slower or verdict.wait_hint_s:
        words.append(Word(now_us, source, "blame" if blames_source(verdict) else "slow", text[:200], verdict.wait_hint_s))
    for m in measures:
        words.append(Word(now_us, source, "measure", m.reply, 0.0, m.reaction.name, m.key, now_us + int((m.until_s - now_s) * SECOND_US)))
    return words
