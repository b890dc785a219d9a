"""When the next attempt is due. Pure: time and chance come in as arguments."""

from collections.abc import Sequence
from dataclasses import dataclass

from estafette.clock import SECOND_US


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """Pauses after the first, second, ... temporary failure; the last one repeats until the message's deadline."""

    pauses_s: Sequence[float]
    jitter: float = 0.1  # each pause is longer or shorter by up to this share of itself


def next_attempt_at(plan: RetryPlan, attempts: int, now: int, deadline_at: int, chance: float, wait_hint_s: float = 0.0) -> int | None:
    """When to try again (microseconds) after `attempts` failures including the one just met; None when no attempt fits before the deadline.

    `chance` is uniform in [0, 1). A wait that the server asked for lengthens a pause but never shortens one. The last attempt is drawn
    forward to just before the deadline when at least half of its pause would have passed by then.
    """
    pause_s = plan.pauses_s[min(max(attempts, 1), len(plan.pauses_s)) - 1]
    pause_s = max(pause_s * (1 + plan.jitter * (2 * chance - 1)), wait_hint_s)
    at = now + int(pause_s * SECOND_US)
    if at < deadline_at:
        return at
    last_chance = deadline_at - SECOND_US
    return last_chance if last_chance - now >= pause_s * SECOND_US / 2 else None
