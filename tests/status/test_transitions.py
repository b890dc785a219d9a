"""The transition table, whole: what is legal, and that everything else is refused."""

import itertools

import pytest

from estafette.model import FINAL_STATES, EventKind, State
from estafette.status.transitions import TRANSITIONS, next_state


@pytest.mark.parametrize(("state", "kind"), list(itertools.product(State, EventKind)))
def test_every_pair_has_an_answer(state: State, kind: EventKind) -> None:
    after = next_state(state, kind, 0)
    assert after == TRANSITIONS.get((state, kind))
    if state is State.BLOCKED or (state in FINAL_STATES and state is not State.DELIVERED):
        assert after is None  # final states other than delivered never change


def test_only_accepted_mail_can_be_marked() -> None:
    for kind in (EventKind.OPENED, EventKind.CLICKED, EventKind.UNSUBSCRIBED, EventKind.COMPLAINED):
        assert [s for s in State if next_state(s, kind, 1)] == [State.DELIVERED]


def test_a_message_that_was_tried_is_never_called_blocked() -> None:
    assert next_state(State.SENT, EventKind.BLOCKED, 0) is State.BLOCKED
    assert next_state(State.SENT, EventKind.BLOCKED, 1) is State.SOFT_BOUNCED
