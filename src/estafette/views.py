"""The nouns of the dashboard: who may look, and what the screens show, as the store tells it. No behaviour."""

from dataclasses import dataclass
from enum import StrEnum

from estafette.model import Event, MessageView, Options, Reason, State


class Role(StrEnum):
    """What a person is in an account; `web/permissions.py` says what each may do."""

    OWNER = "owner"
    ADMIN = "admin"
    MARKETER = "marketer"
    ANALYST = "analyst"
    DEVELOPER = "developer"
    SUPPORT = "support"  # sees what became of mail, never its content


@dataclass(frozen=True, slots=True)
class User:
    """A person with a sign-in."""

    id: int
    name: str  # lower case
    language: str = ""  # "" = as the browser prefers
    is_admin: bool = False  # of the installation: owner of every account
    is_active: bool = True
    has_totp: bool = False
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Lock:
    """What is compared at the sign-in."""

    user: User
    password_hash: str
    sealed_totp: bytes | None
    totp_step: int  # the newest time step that was used


@dataclass(frozen=True, slots=True)
class Membership:
    """An account that a user may see."""

    account_id: int
    account: str
    role: Role


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session."""

    user: User
    created_at: int
    seen_at: int
    until: int
    peer: str
    agent: str
    token_sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to which."""

    id: int
    account_id: int  # 0 = the installation
    user_name: str
    at: int
    action: str
    object: str
    detail: str


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A file that somebody asked for."""

    id: int
    account_id: int
    user_name: str
    kind: str  # messages, blocks, statistics
    format: str  # csv, jsonl
    query: str  # filters as in the page's address
    state: str  # waiting, done, failed
    cursor: int  # where the next part begins
    parts: int
    row_count: int
    size_bytes: int
    created_at: int
    finished_at: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which messages a list shows. What is empty does not choose."""

    states: tuple[State, ...] = ()
    marks: int = 0  # bits; delivered messages that have one of them
    recipient_key: str = ""
    text: str = ""  # part of recipient, subject or custom id
    domain: str = ""  # of the recipient
    campaign_id: int = 0
    error: str = ""
    door: str = ""
    since: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A message as the log shows it."""

    view: MessageView
    door: str
    delivered_at: int | None = None
    site: str = ""  # the mail servers it goes to, "" = not yet routed
    opens: int = 0
    clicks: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """A page of the log, newest first."""

    lines: tuple[Line, ...]
    older: int | None  # id to go on before; None: nothing older
    newer: int | None
    is_cut: bool = False  # the look ended before the page was full: too many messages do not fit the choice


@dataclass(frozen=True, slots=True)
class MessagePage:
    """All of one message."""

    view: MessageView
    door: str
    reverse_path: str
    options: Options
    size_bytes: int
    has_content: bool
    events: tuple[Event, ...]
    blocks: tuple[str, ...] = ()  # causes of the running blocks on its address


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as lists show it."""

    id: int
    name: str
    created_at: int
    subject: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class SiteQueue:
    """What waits of one account for one domain, at one site."""

    site: str
    domain: str
    waiting: int
    deferred: int
    in_flight: int
    oldest_at: int
    next_at: int


@dataclass(frozen=True, slots=True)
class QueueNow:
    """What waits of one account altogether, and the destinations that most waits for."""

    sites: tuple[SiteQueue, ...] = ()
    waiting: int = 0
    deferred: int = 0
    in_flight: int = 0
    oldest_at: int = 0  # 0 = nothing waits


@dataclass(frozen=True, slots=True)
class Attempt:
    """The end of an attempt, as the log under the queue shows it."""

    at: int
    message_id: int
    recipient: str
    event: Event


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A domain that an account writes from."""

    name: str
    is_verified: bool
    ownership_token: str
    created_at: int


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key."""

    key: str
    is_active: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """One reason among the newest failures."""

    reason: Reason
    state: State
    count: int
