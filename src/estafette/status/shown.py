"""The one status that is shown for a message: the highest of its marks, else its state; as the API's string and in words. Pure.

`delivered` is called `sent` by the API ("we handed it over"), while our state `sent` (an attempt is under way) is still `queued` for it:
the table below is the only place that knows. Marks speak only while the message is delivered: after a late bounce the bounce is the truth,
except for a complaint, which says that the mail did arrive.
"""

import hashlib
from typing import Final

from estafette.model import NO_REASON, Mark, Reason, State

STATUS_OF_STATE: Final = {
    State.QUEUED: "queued",
    State.SENT: "queued",
    State.DEFERRED: "deferred",
    State.DELIVERED: "sent",
    State.SOFT_BOUNCED: "softbounced",
    State.HARD_BOUNCED: "hardbounced",
    State.BLOCKED: "blocked",
}
STATUS_OF_MARK: Final = {Mark.SPAM: "spam", Mark.UNSUBSCRIBED: "unsub", Mark.CLICKED: "clicked", Mark.OPENED: "opened"}
"""Highest mark first."""
STATUSES: Final = tuple(dict.fromkeys([*STATUS_OF_STATE.values(), *STATUS_OF_MARK.values()]))

_STATE_WORDS: Final = {
    State.QUEUED: "Queued: accepted, waiting for the first attempt",
    State.SENT: "Sent: awaiting the receiving server's answer",
    State.DEFERRED: "Temporary error: another attempt is planned",
    State.DELIVERED: "Delivered: accepted by the receiving server",
    State.SOFT_BOUNCED: "Blocked after retries: every attempt met a temporary error",
    State.HARD_BOUNCED: "Permanent error: the address or its server does not take this mail",
    State.BLOCKED: "Blocked: not sent",
}
_MARK_WORDS: Final = {Mark.SPAM: "marked as spam", Mark.UNSUBSCRIBED: "unsubscribed", Mark.CLICKED: "clicked", Mark.OPENED: "opened"}


def shown_status(state: State, marks: int) -> str:
    """The API's string: queued, deferred, sent, opened, clicked, unsub, spam, softbounced, hardbounced or blocked."""
    if state is State.DELIVERED:
        for mark, status in STATUS_OF_MARK.items():
            if marks & mark:
                return status
    elif marks & Mark.SPAM:
        return STATUS_OF_MARK[Mark.SPAM]
    return STATUS_OF_STATE[state]


def mark_words(marks: int) -> list[str]:
    """The marks in words, in the order in which they usually happen."""
    return [words for mark, words in reversed(_MARK_WORDS.items()) if marks & mark]


def status_words(state: State, marks: int, reason: Reason = NO_REASON) -> str:
    """A sentence for people: the state, why, and what the recipient did since."""
    text = _STATE_WORDS[state]
    if reason != NO_REASON:
        text += f" ({reason.error or reason.related_to}; related to: {reason.related_to})" if reason.related_to else f" ({reason.error})"
    done = mark_words(marks)
    return f"{text}; {', '.join(done)}" if done else text


def short_status(state: State, marks: int) -> str:
    """One or two words for a column: Delivered, Temporary error, clicked ..."""
    done = mark_words(marks)
    return done[-1].capitalize() if done and shown_status(state, marks) != STATUS_OF_STATE[state] else _STATE_WORDS[state].partition(":")[0]


def message_uuid(message_id: int) -> str:
    """The MessageUUID: made from the id, so that it needs no column and no index; version 8 (RFC 9562 section 5.8), reveals nothing but the id."""
    octets = bytearray(hashlib.sha256(b"estafette message %d" % message_id).digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    digits = octets.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
