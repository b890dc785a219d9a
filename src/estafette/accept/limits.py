"""Limits at the door, pure: how fast an account may hand in mail, and how much mail a process holds in memory."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as a value: one second of burst."""

    level: float
    at_s: float  # monotonic


def draw(bucket: Bucket | None, count: int, rate_per_s: int, now_s: float) -> tuple[Bucket, float]:
    """(bucket after, seconds to wait); with a wait nothing was taken. A request larger than the burst is let through when the bucket is full.

    `rate_per_s` 0 means no limit.
    """
    if rate_per_s <= 0:
        return Bucket(math.inf, now_s), 0.0  # full, should there be a limit from now on
    burst = float(max(rate_per_s, 1))
    level = burst if bucket is None else min(burst, bucket.level + (now_s - bucket.at_s) * rate_per_s)
    needed = min(float(count), burst)
    if level >= needed - 1e-6:  # who waits for as long as we said is not told to wait for a rounding error more
        return Bucket(level - count, now_s), 0.0
    return Bucket(level, now_s), (needed - level) / rate_per_s


class Budget:
    """Octets of mail that this process may hold at once; past it new mail is told 452 4.3.1, never killed for lack of memory."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._held = 0

    def take(self, size: int) -> bool:
        """Reserve; False when there is no room."""
        if self._held + size > self._limit:
            return False
        self._held += size
        return True

    def has_room(self, size: int) -> bool:
        return self._held + size <= self._limit

    def give_back(self, size: int) -> None:
        self._held -= size
