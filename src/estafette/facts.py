"""What crosses rooms about events and counters: an event with what never changes about its message, and the rows of the statistics. No behaviour.

Read `stats/folding.py` for how the one becomes the other, docs/decisions/0037 for why an event tells the state that it found.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from estafette.model import Event


@dataclass(frozen=True, slots=True)
class EventView:
    """An event together with the facts of its message that never change."""

    event: Event
    recipient: str = ""  # "" = the event names no message of ours
    submission_id: int = 0
    door: str = ""
    author: str = ""
    subject: str = ""
    campaign_id: int = 0  # 0 = none
    campaign: str = ""
    custom_id: str = ""
    payload: str = ""  # event_payload of the submission
    sent_at: int = 0  # when the message was accepted, or was due when it was scheduled


Position = tuple[int, int]
"""How far a follower has read the event table: (transaction, id) on PostgreSQL, (0, id) on SQLite."""


class Timing(StrEnum):
    """Under which time a happening is filed."""

    MESSAGE = "message"  # the time the message was sent: what became of the mail of that time
    EVENT = "event"  # the time it happened: what went on then; nothing is taken back


class Resolution(StrEnum):
    """Width of a time slice."""

    FIVE_MINUTES = "5m"
    HOUR = "hour"
    DAY = "day"


class Axis(StrEnum):
    """Of what the figures are."""

    ACCOUNT = "account"  # source ""
    CAMPAIGN = "campaign"  # source: the campaign's id
    SENDER = "sender"  # source: the author's address; by MESSAGE timing only


COUNTS: Final = (
    "processed", "blocked", "deferred", "delivered", "exhausted", "hard_errors",
    "opened", "clicked", "engaged", "opened_by_persons", "clicked_by_persons", "engaged_by_persons", "unsubscribed", "spam",
    "attempts", "open_events", "click_events", "unsubscribe_events", "spam_events", "open_delay_s", "click_delay_s", "delivery_delay_s",
)  # fmt: skip
"""Columns of a counter row. Up to `spam` they count messages (`engaged`: opened or clicked), from `attempts` on happenings and sums of seconds."""


@dataclass(frozen=True, slots=True)
class CounterKey:
    """One row of the counters."""

    account_id: int
    axis: Axis
    source: str
    timing: Timing
    resolution: Resolution
    bucket: int  # beginning of the slice, microseconds since 1970
    door: str
    provider: str  # "" = never attempted, or not known


class Reach(StrEnum):
    """What a reach row counts by."""

    LINK = "link"  # name: the URL, detail: its position in the mail
    AGENT = "agent"  # name: family and version, detail: platform
    COUNTRY = "country"  # name: two letters
    REASON = "reason"  # name: one of audience.LEAVING, own words as "other"


@dataclass(frozen=True, slots=True)
class ReachKey:
    """One row of who was reached how: by link, by reader program, by country."""

    account_id: int
    campaign_id: int  # 0: of the whole account (AGENT, COUNTRY, REASON), or of mail without a campaign (LINK)
    kind: Reach
    is_click: bool
    name: str
    detail: str
    bucket: int  # day on which it happened


@dataclass(frozen=True, slots=True)
class Sighting:
    """A message seen under a reach row: counted once as a message, every time as an event."""

    key: ReachKey
    message_id: int


@dataclass(frozen=True, slots=True)
class Fold:
    """What a stretch of events adds to the counters."""

    counters: dict[CounterKey, list[int]]  # in the order of COUNTS; may be negative by MESSAGE timing
    sightings: list[Sighting]


@dataclass(frozen=True, slots=True)
class Slice:
    """Summed counters of one time slice (or of one provider, source ...)."""

    label: str
    bucket: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time to be read at one resolution: from `since` until before `until`."""

    resolution: Resolution
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Sum:
    """Messages and events of one reach row, over the days asked for."""

    name: str
    detail: str
    messages: int
    events: int


class Stream(StrEnum):
    """What mail is for: the guard judges and stops one without the other."""

    BULK = "bulk"  # belongs to a campaign, or has a priority below the usual one
    TRANSACTIONAL = "transactional"


class Step(StrEnum):
    """What the guard does, mildest first."""

    WARN = "warn"  # somebody should look
    SLOW = "slow"  # so many messages an hour and no more
    STOP = "stop"  # new mail is blocked, waiting mail is held


class Cause(StrEnum):
    """Why."""

    SPAM = "spam"
    HARD_ERRORS = "hard_errors"
    UNANSWERED = "unanswered"  # unusually many messages are without an answer for unusually long


@dataclass(frozen=True, slots=True)
class GuardOrder:
    """What the guard ordered for one stream of an account; running until it is lifted."""

    account_id: int
    stream: Stream
    step: Step
    cause: Cause
    part: int  # complaints, errors, unanswered messages
    whole: int  # of so many sent
    per_hour: int = 0  # SLOW
    since: int = 0
    lifted_at: int | None = None
    lifted_reason: str = ""
    id: int = 0  # 0 = not yet in the store
