"""The life of a newsletter as a table: state × order → state. Pure. What is not in the table is refused, with a sentence that says why.

    draft ──send/schedule──► scheduled ──start──► freezing ──frozen──► sending ──settled──► finished
      ▲                         │                    │                   │  ▲
      └────── call back ────────┘                    └──────pause────────┤  └── resume (frozen before)
                                                                         ▼
                                                     cancel ──────► paused / cancelled

Frozen: who gets it is decided once, when it starts; a person who unsubscribes meanwhile is still not sent to, because the block list is asked again
before every attempt. Finished: no recipient waits any more, each of them is settled.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a newsletter is."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"  # starts at `start_at`; until then it can be called back
    FREEZING = "freezing"  # its recipients become messages
    SENDING = "sending"  # all of them are messages, some wait
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Order(StrEnum):
    """What people, programs and time may ask."""

    SCHEDULE = "schedule"  # also "send now": in a minute, so that it can be undone
    CALL_BACK = "call_back"
    START = "start"
    FROZEN = "frozen"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    SETTLED = "settled"


TABLE: Final[dict[tuple[State, Order], State]] = {
    (State.DRAFT, Order.SCHEDULE): State.SCHEDULED,
    (State.SCHEDULED, Order.SCHEDULE): State.SCHEDULED,
    (State.SCHEDULED, Order.CALL_BACK): State.DRAFT,
    (State.SCHEDULED, Order.CANCEL): State.DRAFT,
    (State.SCHEDULED, Order.START): State.FREEZING,
    (State.FREEZING, Order.FROZEN): State.SENDING,
    (State.FREEZING, Order.PAUSE): State.PAUSED,
    (State.FREEZING, Order.CANCEL): State.CANCELLED,
    (State.SENDING, Order.PAUSE): State.PAUSED,
    (State.SENDING, Order.CANCEL): State.CANCELLED,
    (State.SENDING, Order.SETTLED): State.FINISHED,
    (State.PAUSED, Order.RESUME): State.FREEZING,  # goes on where the audience was left; with nobody left it is sending at once
    (State.PAUSED, Order.CANCEL): State.CANCELLED,
}
UNDO_S: Final = 60.0
"""How long "send now" can be undone."""

_WHY: Final = {
    Order.SCHEDULE: "only a draft can be sent or scheduled",
    Order.CALL_BACK: "only what is scheduled and has not started can be called back",
    Order.PAUSE: "only a newsletter that is being sent can be paused",
    Order.RESUME: "only a paused newsletter can go on",
    Order.CANCEL: "it is over, or has not begun",
}


def after(state: State, order: Order) -> State | None:
    """The state after an order; None when it is refused."""
    return TABLE.get((state, order))


def refusal(state: State, order: Order) -> str:
    """Why an order is refused in a state."""
    return f"{_WHY.get(order, 'that cannot be now')}; this one is {state.value}"
