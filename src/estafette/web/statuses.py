"""The statuses as people see them: word, meaning, colour and icon of each, which one a message shows, which messages a choice means. Pure.

Words are English here and translated where they are shown. Colour is never alone: each status has a word and an icon of its own shape.
"""

from dataclasses import dataclass
from typing import Final

from estafette.model import Mark, State
from estafette.web.languages import marked as _


@dataclass(frozen=True, slots=True)
class Status:
    """One status of the status page."""

    key: str  # in addresses and class names
    word: str
    meaning: str
    icon: str
    states: tuple[State, ...] = ()
    mark: int = 0


STATUSES: Final = {
    s.key: s
    for s in (
        Status("queued", _("Queued"), _("Accepted by us, not yet handed to an outgoing worker, or scheduled."), "clock", (State.QUEUED,)),
        Status("sent", _("Sent – awaiting answer"), _("Left our outgoing servers; the receiving server's answer is awaited."), "hourglass", (State.SENT,)),
        Status("soft_error", _("Temporary error"), _("The receiving server asked us to try again later; retries are automatic."), "retry", (State.DEFERRED,)),
        Status("exhausted", _("Blocked after retries"), _("Every attempt met a temporary error; the address rests for 90 days."), "retry",
               (State.SOFT_BOUNCED,)),
        Status("hard_error", _("Permanent error"), _("The address or its domain does not exist, or does not take this mail."), "cross", (State.HARD_BOUNCED,)),
        Status("blocked", _("Blocked"), _("Never sent, because it had no chance of arriving and the error would hurt your reputation."), "block",
               (State.BLOCKED,)),
        Status("delivered", _("Delivered"), _("Accepted by the receiving server. Whether it is in the inbox, nobody can promise."), "tick", (State.DELIVERED,)),
        Status("opened", _("Opened"), _("The mail's image was loaded: open tracking was on and the reader shows HTML."), "open",
               mark=int(Mark.OPENED | Mark.CLICKED)),
        Status("clicked", _("Clicked"), _("A tracked link was followed."), "pointer", mark=int(Mark.CLICKED)),
        Status("unsubscribed", _("Unsubscribed"), _("The recipient wants no more mailings."), "door", mark=int(Mark.UNSUBSCRIBED)),
        Status("spam", _("Marked as spam"), _("The recipient pressed “report spam”."), "flag", mark=int(Mark.SPAM)),
    )
}
"""In the order in which they are offered as filters."""

GROUPS: Final = {
    "all_sent": (State.SENT, State.DEFERRED, State.SOFT_BOUNCED, State.HARD_BOUNCED, State.DELIVERED),
    "errors": (State.DEFERRED, State.SOFT_BOUNCED, State.HARD_BOUNCED),
}
"""Statuses that tiles count together."""
GROUP_WORDS: Final = {"all_sent": _("Total sent"), "errors": _("Errors")}

_OF_STATE: Final = {state: status for status in STATUSES.values() for state in status.states}
_BY_RANK: Final = ((Mark.SPAM, "spam"), (Mark.UNSUBSCRIBED, "unsubscribed"), (Mark.CLICKED, "clicked"), (Mark.OPENED, "opened"))


def shown(state: State, marks: int) -> Status:
    """The one that a message shows: the highest of its marks while it is delivered, else its state; a complaint always."""
    for mark, key in _BY_RANK:
        if marks & mark and (state is State.DELIVERED or mark is Mark.SPAM):
            return STATUSES[key]
    return _OF_STATE[state]


def marks_of(marks: int) -> list[Status]:
    """All marks, the earliest kind first."""
    return [STATUSES[key] for mark, key in reversed(_BY_RANK) if marks & mark]


def chosen(keys: list[str]) -> tuple[tuple[State, ...], int]:
    """(states, marks) that a list of status keys means; unknown keys mean nothing."""
    states: list[State] = []
    marks = 0
    for key in keys:
        if key in GROUPS:
            states += GROUPS[key]
        elif key in STATUSES:
            states += STATUSES[key].states
            marks |= STATUSES[key].mark
    return tuple(dict.fromkeys(states)), marks
