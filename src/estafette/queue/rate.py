"""Whether one more may go now: the generic cell rate algorithm (ITU-T I.371) as a value. Pure.

    meter, wait_s = take(meter, now_s, per_s=10.0, burst=3)      # wait_s == 0: go; else nothing was taken, come back after wait_s

One number per key: when the next would be due if they came exactly spaced. Within any span of t seconds at most burst + t × per_s pass, and a
caller that waits for what it is told never asks in vain: a throttled queue sleeps until its turn instead of asking again and again.
Everything is counted in whole nanoseconds, so that no rounding adds up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NO_LIMIT: Final = math.inf
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known about the past of one key."""

    due_ns: int = -(2**63)  # monotonic; when the next is due at exact spacing
    step_ns: int = 1  # the spacing that this was reckoned with


@dataclass(frozen=True, slots=True)
class Pace:
    """What a meter is held against."""

    per_s: float  # NO_LIMIT: everything passes
    burst: int = 1  # how many may go at once after a rest; 1 = exact spacing


def take(meter: Meter, now_s: float, per_s: float, burst: int = 1) -> tuple[Meter, float]:
    """(meter after it, 0.0) when one more may go at `now_s`; (the same meter, seconds to wait) when it may not.

    The rate may be another one at every call. What went already keeps its weight in messages, not in time: a slower rate gives no second burst, a
    faster one does not sit out a wait of the slower one.
    """
    if per_s == NO_LIMIT:
        return meter, 0.0
    step = math.ceil(_NS / per_s)
    now = int(now_s * _NS)
    ahead = max(meter.due_ns - now, 0)
    if ahead and step != meter.step_ns:
        ahead = -(-ahead * step // meter.step_ns)
    wait = ahead - (max(burst, 1) - 1) * step
    if wait > 0:
        return meter, wait / _NS
    return Meter(now + ahead + step, step), 0.0


def charge(meter: Meter, now_s: float, per_s: float, count: int) -> Meter:
    """As if so many more had gone just now: what another worker may have sent of a burst that is this one's from now on."""
    if per_s == NO_LIMIT or count <= 0:
        return meter
    step = math.ceil(_NS / per_s)
    now = int(now_s * _NS)
    ahead = max(meter.due_ns - now, 0)
    if ahead and step != meter.step_ns:
        ahead = -(-ahead * step // meter.step_ns)
    return Meter(now + ahead + count * step, step)


def take_all(meters: Sequence[Meter], now_s: float, paces: Sequence[Pace]) -> tuple[list[Meter], float]:
    """One more that counts on several meters at once: all of them, or none and the longest wait."""
    taken = [take(meter, now_s, pace.per_s, pace.burst) for meter, pace in zip(meters, paces, strict=True)]
    wait_s = max((wait for _, wait in taken), default=0.0)
    return (list(meters), wait_s) if wait_s else ([meter for meter, _ in taken], 0.0)


def written(per_s: float) -> str:
    """A rate as a person writes it: 10/s, 90/min, 1000/h, "none" for no limit."""
    if per_s == NO_LIMIT:
        return "none"
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)):
        count = per_s * seconds
        if count >= 1 and (abs(count - round(count)) < 1e-6 * count or unit == "d"):
            return f"{count:.6g}/{unit}"
    return f"{per_s * 86_400:.3g}/d"
