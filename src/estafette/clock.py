"""The only reader of time and randomness: a `Clock` is built once in `app.py` and handed down.

`SystemClock` is the real one; `ManualClock` stands still until told to move (tests, simulated time).
Wall-clock times are integer microseconds since 1970-01-01 UTC (`*_at`, `*_us`); durations come from the monotonic clock, in seconds.
"""

import os
import random
import time
from datetime import UTC, datetime
from typing import Protocol

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


class Clock(Protocol):
    """What the rest of the program may ask about time and chance."""

    def now_us(self) -> int:
        """Wall clock, microseconds since 1970 UTC: for what people and other machines see, and for due times that outlive a process."""

    def monotonic(self) -> float:
        """Seconds that never go backwards: for durations and deadlines inside a process."""

    def random(self) -> float:
        """A uniform number in [0, 1): jitter and shuffling, never secrets."""

    def token_bytes(self, count: int) -> bytes:
        """Unpredictable bytes: keys, secrets, identifiers."""


class SystemClock:
    """The machine's clock and its random source."""

    def __init__(self) -> None:
        self._random = random.Random()

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def random(self) -> float:
        return self._random.random()

    def token_bytes(self, count: int) -> bytes:
        return os.urandom(count)


class ManualClock:
    """A clock for tests and simulation: moves only by `advance`, and all chance comes from one seed."""

    def __init__(self, now_us: int = 1_790_000_000 * SECOND_US, seed: int = 1) -> None:
        self._now_us = now_us
        self._elapsed_s = 0.0
        self._random = random.Random(seed)

    def advance(self, seconds: float) -> None:
        self._now_us += int(seconds * SECOND_US)
        self._elapsed_s += seconds

    def now_us(self) -> int:
        return self._now_us

    def monotonic(self) -> float:
        return self._elapsed_s

    def random(self) -> float:
        return self._random.random()

    def token_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


def to_datetime(at_us: int) -> datetime:
    """The aware UTC datetime of a stored time."""
    return datetime.fromtimestamp(at_us / SECOND_US, UTC)


def to_iso(at_us: int) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`, as printed by the command line and the API."""
    return to_datetime(at_us).isoformat(timespec="milliseconds").replace("+00:00", "Z")
