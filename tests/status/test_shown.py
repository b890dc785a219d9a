"""The one status that is shown."""

import uuid

import pytest

from estafette.model import Mark, Reason, State
from estafette.status.shown import STATUSES, mark_words, message_uuid, short_status, shown_status, status_words

O, C, U, S = Mark.OPENED, Mark.CLICKED, Mark.UNSUBSCRIBED, Mark.SPAM


@pytest.mark.parametrize(
    ("state", "marks", "status"),
    [
        (State.QUEUED, 0, "queued"),
        (State.SENT, 0, "queued"),
        (State.DEFERRED, 0, "deferred"),
        (State.DELIVERED, 0, "sent"),
        (State.DELIVERED, O, "opened"),
        (State.DELIVERED, O | C, "clicked"),
        (State.DELIVERED, O | U, "unsub"),
        (State.DELIVERED, C | U, "unsub"),
        (State.DELIVERED, O | C | U | S, "spam"),
        (State.SOFT_BOUNCED, 0, "softbounced"),
        (State.HARD_BOUNCED, 0, "hardbounced"),
        (State.HARD_BOUNCED, O | C, "hardbounced"),
        (State.HARD_BOUNCED, S, "spam"),
        (State.BLOCKED, 0, "blocked"),
    ],
)
def test_shown_status(state: State, marks: int, status: str) -> None:
    assert shown_status(state, marks) == status


def test_every_state_and_mark_has_a_status_and_words() -> None:
    for state in State:
        for marks in range(16):
            assert shown_status(state, marks) in STATUSES
            assert status_words(state, marks)
    assert set(STATUSES) == {"queued", "deferred", "sent", "softbounced", "hardbounced", "blocked", "spam", "unsub", "clicked", "opened"}


def test_words() -> None:
    assert mark_words(O | C | S) == ["opened", "clicked", "marked as spam"]
    assert status_words(State.BLOCKED, 0, Reason("mailjet", "preblocked")) == "Blocked: not sent (preblocked; related to: mailjet)"
    assert status_words(State.DELIVERED, O | C).endswith("receiving server; opened, clicked")


def test_the_uuid_is_a_valid_one_and_follows_from_the_id() -> None:
    made = [message_uuid(number) for number in range(2000)]
    assert len(set(made)) == 2000
    assert made[7] == message_uuid(7)
    parsed = uuid.UUID(made[7])
    assert str(parsed) == made[7]
    assert parsed.variant == uuid.RFC_4122
    assert parsed.version == 8


def test_a_column_shows_the_highest_mark_else_the_state() -> None:
    assert short_status(State.DELIVERED, 0) == "Delivered"
    assert short_status(State.DELIVERED, Mark.OPENED | Mark.CLICKED) == "Clicked"
    assert short_status(State.HARD_BOUNCED, Mark.OPENED) == "Permanent error"
    assert short_status(State.HARD_BOUNCED, Mark.SPAM) == "Marked as spam"
