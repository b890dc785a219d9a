"""The guard's decision table: from figures of a stream to what is done about it. Pure.

The status page: complaints should stay under 0.1 % of what was sent; far above, sending is stopped. Hard errors hurt in the same way. Nothing is
decided on less than a representative volume. The guard goes from a warning over an hourly limit to a stop, and back by itself as far as the
limit; a stop is lifted by a person, with a reason, and figures from before that are then not held against the account again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from estafette.facts import Cause, GuardOrder, Step, Stream
from estafette.stats.rates import Figures, hard_error_rate, share, spam_rate

REPRESENTATIVE: Final = 1000
"""Messages sent; a rate over fewer says nothing."""
FEWEST: Final = {Cause.SPAM: 3, Cause.HARD_ERRORS: 20, Cause.UNANSWERED: 20}
"""Complaints, errors ...; fewer are accidents."""
SLOWEST_PER_HOUR: Final = 100
SLOWED_TO: Final = 0.25
"""Of the stream's mean of an hour."""
WINDOW_HOURS: Final = 72
UNANSWERED_FROM_H: Final = 4
UNANSWERED_TO_H: Final = 28
RANK: Final = {None: 0, Step.WARN: 1, Step.SLOW: 2, Step.STOP: 3}

TABLE: Final[Mapping[tuple[Stream, Cause], tuple[tuple[float, Step], ...]]] = {
    (Stream.BULK, Cause.SPAM): ((0.003, Step.STOP), (0.001, Step.SLOW), (0.0008, Step.WARN)),
    (Stream.BULK, Cause.HARD_ERRORS): ((0.15, Step.STOP), (0.08, Step.SLOW), (0.04, Step.WARN)),
    (Stream.BULK, Cause.UNANSWERED): ((0.05, Step.WARN),),
    (Stream.TRANSACTIONAL, Cause.SPAM): ((0.01, Step.STOP), (0.0008, Step.WARN)),
    (Stream.TRANSACTIONAL, Cause.HARD_ERRORS): ((0.4, Step.STOP), (0.04, Step.WARN)),
    (Stream.TRANSACTIONAL, Cause.UNANSWERED): ((0.05, Step.WARN),),
}
"""From which rate on which step, highest first. Transactional mail is stopped in extremity only: people wait for it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A rate with the two numbers that it is made of."""

    cause: Cause
    part: int
    whole: int

    @property
    def rate(self) -> float:
        """Between 0 and 1."""
        return share(self.part, self.whole)


def spam_measure(f: Figures) -> Measure:
    """Complaints ÷ sent."""
    assert spam_rate(f) == share(f.spam, f.sent)
    return Measure(Cause.SPAM, f.spam, f.sent)


def error_measure(f: Figures) -> Measure:
    """Hard errors ÷ sent."""
    assert hard_error_rate(f) == share(f.hard_errors, f.sent)
    return Measure(Cause.HARD_ERRORS, f.hard_errors, f.sent)


def unanswered_measure(f: Figures) -> Measure:
    """Waiting, in flight or retried ÷ everything that was not blocked, of mail that was sent some hours ago."""
    return Measure(Cause.UNANSWERED, f.queued + f.in_flight + f.deferred, f.processed - f.blocked)


def step_for(stream: Stream, measure: Measure) -> Step | None:
    """What these figures ask for; None for nothing."""
    if measure.whole < REPRESENTATIVE or measure.part < FEWEST[measure.cause]:
        return None
    return next((step for rate, step in TABLE[stream, measure.cause] if measure.rate >= rate), None)


def decide(account_id: int, stream: Stream, measure: Measure, running: GuardOrder | None, now: int) -> tuple[GuardOrder | None, bool]:
    """(a new order or None, whether the running one ends). A stop stays; what is milder follows the figures, both ways."""
    step = step_for(stream, measure)
    if running is not None and (running.step is Step.STOP or running.step is step):
        return None, False
    if step is None:
        return None, running is not None
    per_hour = max(SLOWEST_PER_HOUR, int(measure.whole / WINDOW_HOURS * SLOWED_TO)) if step is Step.SLOW else 0
    return GuardOrder(account_id, stream, step, measure.cause, measure.part, measure.whole, per_hour, now), running is not None


def explained(order: GuardOrder) -> str:
    """One sentence for people: what was measured, what follows, what to do."""
    measured = {
        Cause.SPAM: "{part} of {whole} messages ({rate:.2%}) were reported as spam; 0.1 % is the limit",
        Cause.HARD_ERRORS: "{part} of {whole} messages ({rate:.1%}) met a permanent error; 4 % is much",
        Cause.UNANSWERED: "{part} of {whole} messages ({rate:.1%}) of the last day are without an answer for over 4 hours",
    }[order.cause].format(part=order.part, whole=order.whole, rate=share(order.part, order.whole))
    follows = {
        Step.WARN: "nothing is held back yet",
        Step.SLOW: f"this stream is slowed down to {order.per_hour} messages an hour",
        Step.STOP: "this stream is stopped until a person lifts it",
    }[order.step]
    return f"{order.stream.value} mail: {measured}: {follows}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the door does with new mail of a stream."""

    is_stopped: bool = False
    is_slowed: bool = False
    explanation: str = ""


FREE: Final = Verdict()


def verdicts(orders: list[GuardOrder]) -> dict[tuple[int, Stream], Verdict]:
    """(account, stream) → the strictest of its running orders, where it is more than a warning."""
    found: dict[tuple[int, Stream], GuardOrder] = {}
    for order in orders:
        key = (order.account_id, order.stream)
        if order.step is not Step.WARN and (key not in found or RANK[order.step] > RANK[found[key].step]):
            found[key] = order
    return {key: Verdict(order.step is Step.STOP, order.step is Step.SLOW, explained(order)) for key, order in found.items()}
