"""The nouns of the shelves (docs/decisions/0011): what is kept beside the road. Those of the road itself are in `model.py`, with the rules for both."""

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Template:
    """A template of an account; its parts are a `TemplateContent`."""

    id: int  # 0 = not yet in the store
    account_id: int
    name: str  # one of its kind in the account
    author: str = ""
    description: str = ""
    copyright: str = ""
    locale: str = "en_US"
    edit_mode: int = 2  # 1 drag and drop, 2 HTML, 3 saved section, 4 MJML
    is_starred: bool = False
    makes_text: bool = False  # IsTextPartGenerationEnabled
    categories: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    presets: str = ""
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True, slots=True)
class TemplateContent:
    """What a mail is made from. None = never set."""

    headers: dict[str, str] = field(default_factory=dict)  # From, Subject, Reply-to, ...: defaults that a send call may override
    html: str | None = None
    text: str | None = None
    mjml: str | None = None
    updated_at: int = 0


WEBHOOK_TYPES: Final = ("open", "click", "bounce", "spam", "blocked", "unsub", "sent")
"""What events are called towards customers (contract section 4.1)."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A customer's endpoint for one type of events."""

    id: int
    account_id: int
    event_type: str  # one of WEBHOOK_TYPES
    is_backup: bool  # gets the events while the primary one is suspended
    url: str
    version: int = 1  # 1: one object per call; 2: an array, at most once a second
    created_at: int = 0
    failures: int = 0  # calls that failed since the last that succeeded
    failing_since: int = 0  # the first of them, 0 = healthy
    paused_until: int = 0  # no call before then
    suspended_at: int = 0  # 0 = alive
    trouble: str = ""  # what the last failure was

    @property
    def is_alive(self) -> bool:
        """Not suspended."""
        return not self.suspended_at


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event on its way to one webhook."""

    webhook_id: int
    event_id: int
    message_id: int
    payload: str  # JSON object
    id: int = 0  # 0 = not yet in the store
    attempts: int = 0
    queued_at: int = 0


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """One call of a webhook, as the delivery log keeps it."""

    webhook_id: int
    account_id: int
    url: str  # without user and password
    at: int
    status: int  # 0 = no answer
    trouble: str  # "" = it succeeded
    duration_ms: int
    event_ids: tuple[int, ...]
    body: str  # what was sent; bounded
    answer: str  # beginning of what came back
    id: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """What a person stopped: an account, one of its campaigns, its mail to a destination, or a destination for everybody."""

    id: int
    account_id: int  # 0 = a destination for everybody
    account: str
    campaign: str  # "" = everything of the account
    domain: str  # "" = not of a destination
    is_purge: bool  # what waits ends instead of waiting
    since: int
    reason: str


@dataclass(frozen=True, slots=True)
class PathReport:
    """How one path stands, in the words of the worker that works it."""

    site: str
    source: str  # "" = the machine's choice
    provider: str
    open: int  # connections
    size: int  # connections that it may have now
    limit: int  # and at most
    rate: float  # messages per second that it may send now, 0 = no limit
    answered_per_s: float  # lately
    ready: int
    in_flight: int
    paused_until: int = 0  # microseconds, 0 = not paused
    held_by: str = ""  # what limits it now: suspended, dead, asked, rate, window, connections, process, "" = nothing
    said_by: str = ""  # who: a rule, a host, a file
    reply: str = ""


@dataclass(frozen=True, slots=True)
class StreamReport:
    """How long first attempts of one kind of mail took lately, from due to delivered."""

    stream: str
    delivered: int
    p50_s: float
    p99_s: float
    objective_s: float = 0.0  # 0 = none stated
    late: int = 0  # of those delivered, later than the objective


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of itself."""

    worker: str
    at: int
    paths: tuple[PathReport, ...] = ()  # those with mail or trouble
    streams: tuple[StreamReport, ...] = ()
    shaping_problems: tuple[str, ...] = ()  # why the newest shaping file is not in force


@dataclass(frozen=True, slots=True)
class DomainBacklog:
    """What waits for one domain at one site."""

    site: str
    waiting: int  # altogether
    due: int
    deferred: int
    in_flight: int
    oldest_at: int
    next_due_at: int
    deferred_id: int  # the newest message that was deferred, 0 = none


@dataclass(frozen=True, slots=True)
class StreamBacklog:
    """What waits of one kind of mail."""

    stream: str
    waiting: int
    due: int
    oldest_due_at: int | None  # of those without an attempt


@dataclass(frozen=True, slots=True)
class Newsletter:
    """A newsletter as it is kept. `state` is a word of `newsletters.life`, `letter` the JSON of its source."""

    id: int  # 0 = not yet in the store
    account_id: int
    title: str
    state: str = "draft"
    is_archived: bool = False
    letter: str = "{}"
    list_id: int = 0
    segment_id: int = 0
    rate_per_hour: int = 0  # 0 = as fast as the receiving servers let
    start_at: int | None = None
    submission_id: int = 0
    cursor: int = 0  # the contact up to which the audience is frozen
    frozen: int = 0  # recipients that became messages
    started_at: int | None = None
    ended_at: int | None = None
    created_at: int = 0
    updated_at: int = 0
    is_starred: bool = False
    edit_mode: str = "html2"
    mjml: str = ""  # what the HTML was made from
    template_id: int = 0  # whose parts were taken over


@dataclass(frozen=True, slots=True)
class Member:
    """One contact of an audience."""

    contact_id: int
    address: str
    address_key: str
    name: str
    properties: dict[int, str | int | float | bool]  # by ContactProperty.id


@dataclass(frozen=True, slots=True)
class TlsResult:
    """What became of TLS in a session, as RFC 8460 groups it."""

    domain: str  # the recipients'
    policy_type: str  # sts, tlsa, no-policy-found
    policy: str  # its text
    mx: str
    source: str
    outcome: str  # "" = as wanted, else a result type of RFC 8460 4.3
