"""How fast a path goes below its ceilings: what it learns from the answers. Pure.

    answered(...)       a server that works answered: by and by a little more
    slowed(...)         it asked us to slow down: at once half the connections and half the messages per second
    unreachable(...)    no host of the site could be reached: rest, then probe with one connection

Two separate things are watched. The *flow* is additive increase, multiplicative decrease, in connections and in messages per second. A path about
which nothing is known opens quickly; after a slow-down it grows by one step (one connection, a tenth of the former rate) per quarter of a
minute of good answers, so that speed never comes back in one jump. Replies to what began before the last slow-down are its echo and count once.
The *dead detector* counts rounds in which no host answered, whatever the flow; one good answer clears it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from estafette.queue.paths import MAX_PAUSE_S, START
from estafette.queue.rate import NO_LIMIT
from estafette.queue.shaping import Limits

STEP_S: Final = 15.0
"""The shortest time between two steps up after a slow-down."""
RATE_STEPS: Final = 10
"""In so many steps a halved rate would grow by as much as the rate was at the slow-down; beyond that it grows by this part of itself."""
SLOWEST_PER_S: Final = 1 / 60
"""A path that is asked to slow down again and again still tries one message a minute: otherwise it would never learn that it may."""
UNMEASURED_PER_S: Final = 1.0
"""The rate after a slow-down of a path that had one connection left and had sent nothing yet."""
MEASURE_S: Final = 5.0
DEAD_AFTER: Final = 2
"""Rounds without any host that answers until a site counts as dead: one may be a moment's trouble of the network."""
FORGET_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Flow:
    """What a path may do now. All times are monotonic."""

    limits: Limits  # the ceilings in force
    size: int = START  # connections
    rate: float = NO_LIMIT  # messages per second
    eager_to: int = 2**31  # up to this size a full window grows with every answer; above it, in steps
    rate_step: float = 0.0
    step_at_s: float = -math.inf  # the last step up, or the last slow-down
    slowed_at_s: float = -math.inf
    answers: int = 0  # since then
    failures: int = 0  # rounds in a row in which no host could be reached
    failed_at_s: float = -math.inf
    dead_until_s: float = 0.0  # the next probe
    rest_until_s: float = 0.0  # a suspension, or a pause that the server named: no answer ends it early
    counted: int = 0
    counted_from_s: float = -math.inf
    measured: float = 0.0  # answers per second, over the last span of MEASURE_S

    @property
    def paused_until_s(self) -> float:
        """When it may go on."""
        return max(self.dead_until_s, self.rest_until_s)

    def is_paused(self, now_s: float) -> bool:
        """True while the path rests."""
        return now_s < self.paused_until_s

    @property
    def is_dead(self) -> bool:
        """True when the site did not answer for so long that it is only probed."""
        return self.failures >= DEAD_AFTER


def opened(limits: Limits) -> Flow:
    """The flow of a path that nothing is known about."""
    return Flow(limits, min(START, limits.connections), limits.messages_per_s)


def answered(flow: Flow, now_s: float, open_connections: int) -> Flow:
    """A mail was answered, for good or ill, by a server that works and did not ask us to slow down."""
    span = now_s - flow.counted_from_s
    is_over = span >= MEASURE_S
    size = flow.size
    is_full = open_connections >= size and size < flow.limits.connections
    is_eager = is_full and size < flow.eager_to
    flow = Flow(  # not replace(): this is done once per message
        flow.limits, size + 1 if is_eager else size, flow.rate, flow.eager_to, flow.rate_step, now_s if flow.failures else flow.step_at_s,
        flow.slowed_at_s, flow.answers + 1, 0, flow.failed_at_s, 0.0, flow.rest_until_s, 1 if is_over else flow.counted + 1,
        now_s if is_over else flow.counted_from_s, _per_s(flow.counted, span) if is_over else flow.measured,
    )  # fmt: skip
    if is_eager or flow.answers < size or now_s - flow.step_at_s < STEP_S:
        return flow
    rate = min(flow.limits.messages_per_s, flow.rate + max(flow.rate_step, flow.rate / RATE_STEPS))
    if not is_full and rate == flow.rate:
        return flow
    return replace(flow, size=size + is_full, rate=rate, step_at_s=now_s, answers=0)


def slowed(flow: Flow, now_s: float, began_s: float, wait_hint_s: float = 0.0) -> Flow:
    """The server asked us to slow down (421, rate, reputation) about something that began at `began_s`."""
    if wait_hint_s:
        flow = replace(flow, rest_until_s=max(flow.rest_until_s, now_s + min(wait_hint_s, MAX_PAUSE_S)))
    if began_s < flow.slowed_at_s:  # said about what was under way at the last slow-down
        return flow
    size = max(1, flow.size // 2)
    before = min(flow.rate, _speed(flow, now_s) or (UNMEASURED_PER_S * 2 if flow.size == 1 else NO_LIMIT))
    rate = before if before == NO_LIMIT else max(SLOWEST_PER_S, before / 2)
    step = flow.rate_step if before == NO_LIMIT else max(SLOWEST_PER_S, before / RATE_STEPS)
    return replace(flow, size=size, rate=min(rate, flow.rate), rate_step=step, eager_to=size, step_at_s=now_s, slowed_at_s=now_s, answers=0)


def refused_connection(flow: Flow, now_s: float, open_connections: int) -> Flow:
    """One more connection was not wanted while others work: what works is the limit for now."""
    size = max(1, min(flow.size, open_connections))
    return replace(flow, size=size, eager_to=size, step_at_s=now_s, answers=0)


def unreachable(flow: Flow, now_s: float, began_s: float, pauses_s: Sequence[float], dead_after: int = DEAD_AFTER) -> Flow:
    """No host of the site could be reached in a round that began at `began_s`. From `dead_after` rounds in a row on the path rests between probes."""
    if began_s < flow.failed_at_s:  # of the same round: many connections fail together
        return flow
    failures = flow.failures + 1
    over = failures - dead_after
    pause_s = min(pauses_s[min(over, len(pauses_s) - 1)], MAX_PAUSE_S) if over >= 0 else 0.0
    eager_to = flow.eager_to if flow.failures else max(1, min(flow.eager_to, flow.size // 2))
    return replace(flow, size=1, eager_to=eager_to, failures=failures, failed_at_s=now_s, step_at_s=now_s, answers=0,
                   dead_until_s=now_s + pause_s if pause_s else 0.0)  # fmt: skip


def rested(flow: Flow, now_s: float, until_s: float) -> Flow:
    """The path is suspended until then; afterwards it begins with one connection and grows in steps."""
    step = max(SLOWEST_PER_S, flow.rate_step, (_speed(flow, now_s) or UNMEASURED_PER_S) / RATE_STEPS)
    return replace(flow, size=1, eager_to=1, rate=min(flow.rate, step), rate_step=step,
                   step_at_s=until_s, slowed_at_s=now_s, answers=0, rest_until_s=max(flow.rest_until_s, until_s))  # fmt: skip


def limited(flow: Flow, limits: Limits, now_s: float, *, is_ordered: bool = False) -> Flow:
    """Other ceilings from now on (a reload, a measure that begins or ends): lower ones hold at once, higher ones are grown into; a higher rate that a
    person ordered (`is_ordered`) holds at once where no server has asked us to slow down."""
    if limits is flow.limits or limits == flow.limits:
        return flow
    is_narrower = limits.connections < flow.size or limits.messages_per_s < flow.rate
    is_wider = limits.connections > flow.limits.connections or limits.messages_per_s > flow.limits.messages_per_s
    size = min(flow.size, limits.connections)
    rate = limits.messages_per_s if is_ordered and flow.slowed_at_s == -math.inf else min(flow.rate, limits.messages_per_s)
    step = flow.rate_step or (rate if rate != NO_LIMIT else 0.0) / RATE_STEPS
    eager_to = min(flow.eager_to, size) if is_narrower or is_wider else flow.eager_to
    return replace(flow, limits=limits, size=size, rate=rate, rate_step=step, eager_to=eager_to, step_at_s=now_s if is_wider else flow.step_at_s)


def reshared(flow: Flow, limits: Limits, now_s: float) -> Flow:
    """The worker's part of the site is another one from now on. What was not slowed down grows into a larger part as a new path would."""
    grown = limited(flow, limits, now_s, is_ordered=True)
    return grown if flow.slowed_at_s != -math.inf or flow.failures else replace(grown, eager_to=2**31)


def is_forgettable(flow: Flow, now_s: float) -> bool:
    """True when a path with this flow may be forgotten: a new one would not go faster than what was learnt."""
    is_calm = now_s - flow.slowed_at_s > FORGET_S and now_s - flow.failed_at_s > FORGET_S
    return not flow.failures and not flow.is_paused(now_s) and (is_calm or flow.slowed_at_s == -math.inf)


def _speed(flow: Flow, now_s: float) -> float:
    """Answers per second lately; 0 when nothing was counted yet."""
    span = now_s - flow.counted_from_s
    return _per_s(flow.counted, span) if span >= 1.0 else flow.measured


def _per_s(count: int, span_s: float) -> float:
    return count / span_s if span_s < math.inf else 0.0
