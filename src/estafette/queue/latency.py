"""How long mail takes from due to delivered, by kind of mail: counted in buckets, remembered for five to ten minutes. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from estafette.model import Claimed
from estafette.nouns import StreamReport

SPAN_S: Final = 300.0
PER_DOUBLING: Final = 4
"""A bucket is 19 % wide: the figures are as exact as that."""
MAX_STREAMS: Final = 100
OTHERS: Final = "others"


@dataclass(frozen=True, slots=True)
class Objective:
    """What is promised for a stream: so much of it (`share`) is delivered within a time, if the first attempt is taken."""

    stream: str
    within_s: float
    where: str = ""


def stream_of(claim: Claimed) -> str:
    """The kind of a mail: as its sender named it, else by its lane."""
    return claim.stream or ("transactional" if claim.lane <= 2 else "bulk")


class Latencies:
    """Hears of every delivery at the first attempt."""

    def __init__(self) -> None:
        self._now: dict[str, dict[int, int]] = {}  # stream → bucket → count
        self._before: dict[str, dict[int, int]] = {}
        self._since_s = -math.inf

    def add(self, stream: str, seconds: float, now_s: float) -> None:
        """One more."""
        if now_s - self._since_s > SPAN_S:
            self._before = self._now if now_s - self._since_s < 2 * SPAN_S else {}
            self._now, self._since_s = {}, now_s
        if stream not in self._now and len(self._now) >= MAX_STREAMS:
            stream = OTHERS
        buckets = self._now.setdefault(stream, {})
        bucket = math.ceil(math.log2(max(seconds, 0.001)) * PER_DOUBLING)
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def report(self, objectives: Sequence[Objective]) -> list[StreamReport]:
        """What came of the last minutes."""
        promised = {objective.stream: objective.within_s for objective in objectives}
        return [self._of(stream, promised.get(stream, 0.0)) for stream in sorted({*self._now, *self._before, *promised})]

    def _of(self, stream: str, objective_s: float) -> StreamReport:
        buckets: dict[int, int] = {}
        for counts in (self._before.get(stream, {}), self._now.get(stream, {})):
            for bucket, count in counts.items():
                buckets[bucket] = buckets.get(bucket, 0) + count
        total = sum(buckets.values())
        late = sum(count for bucket, count in buckets.items() if objective_s and _upper(bucket - 1) >= objective_s)
        return StreamReport(stream, total, _share(buckets, total, 0.5), _share(buckets, total, 0.99), objective_s, late)


def _upper(bucket: int) -> float:
    return float(2 ** (bucket / PER_DOUBLING))


def _share(buckets: dict[int, int], total: int, share: float) -> float:
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= share * total:
            return round(_upper(bucket), 3)
    return 0.0
