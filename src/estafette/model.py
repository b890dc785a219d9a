"""The nouns that cross rooms: frozen, slotted dataclasses and enums, no behaviour. Read this first.

Times are integer microseconds since 1970-01-01 UTC and end in `_at`; sizes are octets and end in `_bytes`.
A *submission* is what was accepted once (envelope, options, content); a *message* is one submission to one recipient.

Size: one noun after the other, read from top to bottom; nothing here has behaviour.
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

MAX_MESSAGE_ID: Final = 2**53 - 1
"""MessageIDs stay below 2^53 so that JavaScript clients read them exactly."""


class State(StrEnum):
    """Where a message is in its life; exactly one at every moment (architecture section 3)."""

    QUEUED = "queued"  # accepted, waiting for its first attempt, or scheduled
    SENT = "sent"  # an attempt is under way, the receiving server's answer is awaited
    DEFERRED = "deferred"  # temporary error, another attempt is planned
    DELIVERED = "delivered"  # the receiving server accepted it
    SOFT_BOUNCED = "soft_bounced"  # retries exhausted; the address is blocked for 90 days
    HARD_BOUNCED = "hard_bounced"  # permanent error; the address is blocked for 90 days
    BLOCKED = "blocked"  # never attempted; carries the exact (error_related_to, error) pair


FINAL_STATES: Final = frozenset({State.DELIVERED, State.SOFT_BOUNCED, State.HARD_BOUNCED, State.BLOCKED})


class Mark(IntEnum):
    """Engagement marks on a delivered message, a bit mask; the highest set bit is what is shown."""

    OPENED = 1
    CLICKED = 2
    UNSUBSCRIBED = 4
    SPAM = 8


class PersonMark(IntEnum):
    """Bits beside `Mark` in the same mask: it was done at least once by somebody who is not known to be a machine.

    `Mark` says what happened (the image was fetched, the link was followed), these say it without image proxies and link scanners.
    """

    OPENED = 16
    CLICKED = 32


class EventKind(StrEnum):
    """Append-only facts. Every number on a screen can be rebuilt from them."""

    ACCEPTED = "accepted"  # one per submission: `count` messages, the first of them named
    BLOCKED = "blocked"  # one message, at the door or before its attempt
    DEFERRED = "deferred"  # an attempt failed temporarily
    DELIVERED = "delivered"
    SOFT_BOUNCED = "soft_bounced"  # gave up after the last temporary failure, or a late report said so
    HARD_BOUNCED = "hard_bounced"
    UNCERTAIN = "uncertain"  # an attempt ended between the final dot and our record: the receiving server may have the mail
    REQUEUED = "requeued"  # a person asked for an immediate retry, or released a held message
    RECLAIMED = "reclaimed"  # a worker is gone and had not reached the final dot; another takes the message over
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    NOTE = "note"  # something worth telling that changes no state (late report without a valid token, refused transition)


class Door(StrEnum):
    """How a submission came in."""

    SMTP = "smtp"
    HTTP = "http"
    CAMPAIGN = "campaign"
    REPORT = "report"  # a failure report to a submitter


class AfterUncertain(StrEnum):
    """What is done with a message that the receiving server may have already: the account's choice, or the submission's."""

    REPEAT = "repeat"  # try again; the recipient may get it twice
    HOLD = "hold"  # a person decides (estafette queue release, estafette queue drop)
    WAIT = "wait"  # give a bounce, an opening or a complaint time to say that it arrived, then try again


HELD: Final = -1
"""Owner of a queue row that waits for a person's decision: no worker has this number, and 0 is nobody's."""


class BlockCause(StrEnum):
    HARD_BOUNCE = "hard_bounce"
    SOFT_BOUNCE = "soft_bounce"  # retries exhausted
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Reason:
    """The exact pair of the contract's table 1.4; both empty when there is nothing to explain."""

    related_to: str = ""  # recipient, domain, content, spam, system, mailjet
    error: str = ""  # user unknown, quota exceeded, preblocked, duplicate in campaign, ...


NO_REASON: Final = Reason()


@dataclass(frozen=True, slots=True)
class Account:
    """A customer of the platform: owns keys, domains, limits."""

    id: int
    name: str
    is_active: bool = True
    rate_per_s: int = 0  # accepted messages per second; 0 = no limit
    failure_reports: bool = False  # RFC 3464 reports to the submitter's reverse-path
    after_uncertain: AfterUncertain = AfterUncertain.REPEAT
    require_tls: bool = False  # its mail never goes in clear
    parent_id: int = 0  # the account whose sub-account this is; 0 = none
    hides_client: bool = False  # who handed the mail over is left out of Received; known of accounts that are logged in


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key as looked up at the door; the secret itself is never stored."""

    key: str
    secret_sha256: bytes  # SHA-256 of 256 random bits needs no slow hash (standards.md threat 18)
    account: Account
    is_active: bool
    scopes: tuple[str, ...] = ()  # send, read, manage; empty = all
    networks: tuple[str, ...] = ()  # that it may be used from; empty = any
    rate_per_s: int = 0  # requests per second; 0 = no limit


@dataclass(frozen=True, slots=True)
class Authors:
    """Who an account may write as: verified addresses (lookup keys) and verified domains (A-labels)."""

    addresses: frozenset[str]
    domains: frozenset[str]


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A signing key of a domain, as the store holds it (private part encrypted)."""

    domain: str
    selector: str
    algorithm: str  # "rsa-sha256" | "ed25519-sha256"
    sealed_private_key: bytes


@dataclass(frozen=True, slots=True)
class Options:
    """What the submitter asked for beside the mail itself; kept with the submission as JSON (empty values are left out)."""

    custom_id: str = ""
    event_payload: str = ""
    campaign: str = ""  # CustomCampaign / X-Mailjet-Campaign
    deduplicate: bool = False  # block the second copy to one address in this campaign
    priority: int = 2  # 0-3, contract section 3.3
    track_opens: bool | None = None  # None = account default
    track_clicks: bool | None = None
    monitoring_category: str = ""
    url_tags: str = ""
    require_tls: bool = False  # X-Estafette-TLS: require, or the account's wish: never in clear
    after_uncertain: str = ""  # X-Estafette-Uncertain; "" = the account's choice
    other: dict[str, str] = field(default_factory=dict)  # X-Mailjet-*/X-MJ-* headers not yet obeyed, as given
    ret: str = ""  # DSN: FULL or HDRS
    envid: str = ""  # DSN: xtext as given
    list_id: int = 0  # the list that a newsletter goes to: unsubscribing leaves it
    locale: str = ""  # of a newsletter: the language of its footer


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One recipient of a submission on its way into the store."""

    id: int
    recipient: str  # the address as it goes on the wire
    address_key: str  # lookup key for blocks and duplicates
    domain: str  # A-label of the recipient's domain, lower case, or an address literal
    state: State  # QUEUED, SENT (inserted as claimed by the accepting worker) or BLOCKED
    reason: Reason = NO_REASON
    site: str = ""  # the site the domain resolved to, "" = not yet routed
    owner: int = 0  # worker (incarnation) that inserted it as claimed, 0 = nobody
    lane: int = 1  # queue/lanes.py
    notify: str = ""  # DSN NOTIFY as given, "" = default
    orcpt: str = ""  # DSN ORCPT as given
    explanation: str = ""  # BLOCKED: what there is to say beside the reason


@dataclass(frozen=True, slots=True)
class Submission:
    """What is accepted once."""

    id: int
    account_id: int
    door: Door
    reverse_path: str  # "" = null reverse-path
    author: str  # address of the From: header
    subject: str  # decoded, for lists; at most 255 characters
    options: Options
    accepted_at: int
    due_at: int  # scheduled sending; equal to accepted_at when at once
    deadline_at: int  # no attempt begins after this
    content: bytes  # the mail as it was accepted, CRLF line ends; content is stored once per submission
    messages: tuple[NewMessage, ...]
    smtputf8: bool = False  # envelope or header needs RFC 6531 on every hop
    idempotency_key: str = ""
    fingerprint: bytes = b""  # what the idempotency key stood for: SHA-256 of the request
    answer: bytes = b""  # the answer to replay for the same key
    report_on: tuple[int, str] | None = None  # (message, action): it is this failure report, stored only while the report is due


@dataclass(frozen=True, slots=True)
class Accepted:
    """What `accept` committed, per submission: the blocked ones are known only now (asked in the same transaction)."""

    submission_id: int
    messages: tuple[NewMessage, ...]
    replayed_answer: bytes | None = None  # set when the idempotency key was known: nothing was stored
    is_key_conflict: bool = False  # the key was known for another request


WHOLE: Final = 27720
"""Parts of a site that is shared among workers: a number that 2 to 12 divide."""
LANES: Final = 6
"""Lanes of the queue of a site; queue/lanes.py says which message stands in which."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message held by one worker for one attempt."""

    message_id: int
    submission_id: int
    account_id: int
    recipient: str
    domain: str
    site: str
    lane: int  # 0 first, larger later; see queue/lanes.py
    attempts: int  # attempts that were completed before this one
    accepted_at: int
    due_at: int
    deadline_at: int
    owner: int  # the worker incarnation that holds it; never reused
    notify: str = ""  # DSN NOTIFY as given
    turn: int = 0  # how often the message was claimed from the queue: with `owner` the fencing token of this very claim
    stream: str = ""  # the kind of mail as its sender named it (monitoring category)
    account: str = ""  # name of the account
    campaign: str = ""  # name of the campaign


@dataclass(frozen=True, slots=True)
class Content:
    """What `prepare` needs of a submission: loaded once for all its messages."""

    submission_id: int
    account_id: int
    reverse_path: str
    author: str
    options: Options
    accepted_at: int
    smtputf8: bool
    raw: bytes


class OutcomeKind(StrEnum):
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    BLOCKED = "blocked"  # a block came in between accept and attempt
    RELEASED = "released"  # nothing was tried (shutdown, path full): back to the queue without counting an attempt


class Scope(StrEnum):
    """Whose fault a failure is, so that only that thing waits."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    HOST = "host"
    PATH = "path"
    US = "us"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt at one message; one shape for every result."""

    kind: OutcomeKind
    at: int
    reply: str = ""  # the receiving server's words, or ours when there was no server
    code: int = 0  # SMTP reply code, 0 when there was no reply
    enhanced: str = ""  # "5.1.1", "" when there was none
    stage: str = ""  # dns, connect, tls, ehlo, mail, rcpt, data, body
    host: str = ""  # MX host name
    address: str = ""  # its IP address
    source: str = ""  # our local address
    tls: str = ""  # protocol and cipher, and who proved what; "" = clear
    tls_wanted: str = ""  # what TLS was required, and by whom; "" = none
    reason: Reason = NO_REASON
    category: str = ""  # snake-case name of the reason
    scope: Scope = Scope.RECIPIENT
    is_permanent: bool = False  # BOUNCED: permanent error (hard_bounced); False = retries exhausted (soft_bounced)
    blocks_address: bool = False  # BOUNCED: the address itself failed and is not to be attempted for 90 days
    retry_at: int = 0  # DEFERRED or RELEASED: when the next attempt may begin
    lane: int | None = None  # DEFERRED: the lane to wait in; None = as before
    site: str | None = None  # DEFERRED or RELEASED: the site to queue under; None = as before, "" = route anew
    duration_ms: int = 0
    transcript: str = ""  # the SMTP dialogue, bodies left out; bounded
    is_uncertain: bool = False  # the final dot was sent and no answer to it came: the server may have the mail
    untracked: str = ""  # DELIVERED: why tracking that was asked for is not in the mail (prepare.tracking.LeftOff)


@dataclass(frozen=True, slots=True)
class Settlement:
    """An outcome for a claimed message: written only when the claim still holds (same owner)."""

    claim: Claimed
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Flight:
    """A transaction past its final dot whose outcome a worker that is gone had not recorded."""

    message_id: int
    turn: int  # with the worker, which claim it was
    answered_at: int = 0  # when the server said that it took the mail, 0 = nothing was heard
    host: str = ""
    address: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """An address that is not attempted for an account, with its evidence."""

    id: int
    account_id: int
    address_key: str
    scope: str  # "" = the whole account, "list:<id>" = one list
    cause: BlockCause
    since: int
    until: int | None  # None = until a person lifts it
    message_id: int | None = None  # evidence
    reply: str = ""
    lifted_at: int | None = None
    lifted_reason: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A fact that came back about one message: a late report, a mark, a note. Event, state, marks and block are one write."""

    message_id: int  # 0: it names no message of ours; only a NOTE may
    kind: EventKind
    at: int
    reply: str = ""
    data: dict[str, str | int] = field(default_factory=dict)
    reason: Reason = NO_REASON
    marks: int = 0  # bits of Mark and PersonMark that are set
    unmarks: int = 0  # bits that are taken away: an undone unsubscribe, clicks that turned out to be a machine's
    block: BlockCause | None = None  # the recipient is blocked for the account, unless the same block is running
    lifts: BlockCause | None = None  # running blocks of this cause on the recipient are lifted
    account_id: int = 0  # as the token says: a message of another account is unknown. 0 = not asked
    is_once: bool = False  # nothing is written when its block is running and its marks are set, or cannot be (repeated one-click POST)
    is_patient: bool = False  # nothing is written while the message's attempt is still under way (state SENT): the caller asks again


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a `Record`."""

    state: State | None = None  # of the message after it; None: there is no such message (of that account)
    is_applied: bool = False  # False: unknown message, refused by the state table (then noted), or to be asked again
    is_first: bool = False  # one of its marks was not set before
    is_early: bool = False  # nothing was written: the attempt is still under way


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    account_id: int
    message_id: int
    at: int
    kind: EventKind
    count: int = 1
    reply: str = ""
    data: dict[str, str | int] = field(default_factory=dict)  # host, address, stage, tls, category, attempt, ...


@dataclass(frozen=True, slots=True)
class Visited:
    """What is known of a message when its image or one of its links is asked for."""

    message_id: int
    account_id: int
    marks: int
    delivered_at: int | None  # None: not delivered as far as we know
    recent: tuple[Event, ...] = ()  # its newest CLICKED and NOTE events
    opened_at: int | None = None  # when it was first opened


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as lists and `message show` print it."""

    id: int
    account_id: int
    submission_id: int
    recipient: str
    author: str
    subject: str
    state: State
    marks: int
    reason: Reason
    campaign: str
    custom_id: str
    attempts: int
    created_at: int
    updated_at: int
    due_at: int | None = None  # next attempt, while queued or deferred
    deadline_at: int | None = None
    campaign_id: int = 0  # 0 = none


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on one site, or on a part of it (decision 50), with its end."""

    path: str
    owner: int  # worker incarnation
    until: int
    low: int = 0
    high: int = WHOLE
    holders: int = 1  # among how many the site is shared; what the row of its first holder says counts
    words: str = ""  # what servers last told this holder that concerns the others (`queue.shares.Word`, JSON)
