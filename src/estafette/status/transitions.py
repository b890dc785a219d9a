"""The life of a message as one table: (state, event) → state.

Theory of operation. Status is written in one place: the store asks this table inside the transaction that writes the event. What the table
does not list is refused, counted and noted in the timeline, never forced. So these are impossible: a final state that changes without a
report from outside; a second DELIVERED; a mark on a message that nobody received; a bounce of a message that was blocked.

    queued ──claim──► sent ──DELIVERED──► delivered ──late report──► hard_bounced | soft_bounced
      ▲  │             │ ├──DEFERRED───► deferred ──claim──► sent
      │  │             │ ├──UNCERTAIN──► deferred ──DELIVERED (evidence)──► delivered
      │  │             │ ├──HARD_BOUNCED─► hard_bounced
      │  └─BLOCKED     │ ├──SOFT_BOUNCED─► soft_bounced        (retries exhausted)
      └───RECLAIMED────┘ └──BLOCKED──────► blocked | soft_bounced
"""

from collections.abc import Mapping
from typing import Final

from estafette.model import EventKind, State

TRANSITIONS: Final[Mapping[tuple[State, EventKind], State]] = {
    # an attempt's outcome
    (State.SENT, EventKind.DELIVERED): State.DELIVERED,
    (State.SENT, EventKind.DEFERRED): State.DEFERRED,
    (State.SENT, EventKind.UNCERTAIN): State.DEFERRED,
    (State.SENT, EventKind.HARD_BOUNCED): State.HARD_BOUNCED,
    (State.SENT, EventKind.SOFT_BOUNCED): State.SOFT_BOUNCED,
    (State.SENT, EventKind.BLOCKED): State.BLOCKED,
    # waiting messages: the deadline passed, or a block came in before the first attempt
    (State.QUEUED, EventKind.SOFT_BOUNCED): State.SOFT_BOUNCED,
    (State.DEFERRED, EventKind.SOFT_BOUNCED): State.SOFT_BOUNCED,
    (State.QUEUED, EventKind.BLOCKED): State.BLOCKED,
    # the last attempt was uncertain, and something or somebody says that it arrived
    (State.DEFERRED, EventKind.DELIVERED): State.DELIVERED,
    # a late report about accepted mail
    (State.DELIVERED, EventKind.HARD_BOUNCED): State.HARD_BOUNCED,
    (State.DELIVERED, EventKind.SOFT_BOUNCED): State.SOFT_BOUNCED,
    # a mark says that somebody received it
    (State.DELIVERED, EventKind.OPENED): State.DELIVERED,
    (State.DELIVERED, EventKind.CLICKED): State.DELIVERED,
    (State.DELIVERED, EventKind.UNSUBSCRIBED): State.DELIVERED,
    (State.DELIVERED, EventKind.COMPLAINED): State.DELIVERED,
}
"""Every legal transition that an event makes. Claiming (queued, deferred → sent) and reclaiming (sent → queued, deferred) are not events'."""


def next_state(state: State, kind: EventKind, attempts: int) -> State | None:
    """The state after an event, None when the table refuses it.

    BLOCKED means "never attempted": a message that was tried before (`attempts` > 0) and is now stopped by a block has soft-bounced.
    """
    after = TRANSITIONS.get((state, kind))
    if after is State.BLOCKED and attempts > 0:
        return State.SOFT_BOUNCED
    return after
