"""The seam: every verb that the rooms above may use, the same on SQLite and on PostgreSQL.

`open_store(url, policy, clock)` gives one. Writes return when the commit is on stable storage, unless the docstring says *unsynced*
(a power cut may undo it, harmlessly). `accept`, `settle` and `record_many` are group-committed: many calls share one disk sync, a lone call waits for nobody.
Faults raise `StoreFault` (`is_full` when the disk is full); nothing was stored then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from estafette.model import (
    Accepted,
    Account,
    AfterUncertain,
    Authors,
    Block,
    BlockCause,
    Claimed,
    Content,
    Credential,
    DkimKey,
    Event,
    EventKind,
    Flight,
    Lease,
    MessageView,
    Options,
    Reason,
    Record,
    Recorded,
    Settlement,
    State,
    Submission,
    Visited,
)
from estafette.store.campaigns import Campaigns
from estafette.store.contact_jobs import ContactJobs
from estafette.store.contacts import Contacts
from estafette.store.identities import Identities
from estafette.store.parsing import Parsing
from estafette.store.privacy import Privacy
from estafette.store.signers import Signers
from estafette.store.templates import Templates
from estafette.store.tls import Tls

if TYPE_CHECKING:
    from estafette.store.consents import Consents
    from estafette.store.exports import Exports
    from estafette.store.guard import Guard
    from estafette.store.holds import Holds  # which asks the Policy below
    from estafette.store.newsletters import Newsletters
    from estafette.store.reports import Reports
    from estafette.store.screens import Screens
    from estafette.store.sign_ups import SignUps
    from estafette.store.standing import Standing
    from estafette.store.statistics import Statistics
    from estafette.store.users import Users
    from estafette.store.webhooks import Webhooks


class StoreFault(Exception):
    """The database did not do it; nothing was stored. Temporary unless a person must act (`is_full`, `is_read_only`)."""

    def __init__(self, text: str, *, is_full: bool = False, is_read_only: bool = False) -> None:
        super().__init__(text)
        self.is_full = is_full
        self.is_read_only = is_read_only


class Policy(Protocol):
    """Decisions that must be taken inside a transaction; pure, handed in by `app.py` (status/ implements it)."""

    def next_state(self, state: State, kind: EventKind, attempts: int) -> State | None:
        """The state after an event, None when the transition is illegal (it is then noted and counted, never forced)."""

    def blocked_reason(self, causes: Sequence[BlockCause], options: Options) -> Reason | None:
        """Why a message to an address with these running blocks is not attempted, None when it may go."""

    def block_until(self, cause: BlockCause, since: int) -> int | None:
        """When a new block ends; None = until a person lifts it."""

    def resume(self, way: AfterUncertain, at: int, retry_at: int) -> tuple[int, int]:
        """(owner, due) of a message in the queue after an uncertain attempt: 0 = anybody's at that time, HELD = a person decides."""


@dataclass(frozen=True, slots=True)
class Want:
    """What a worker would like to be given of a site's due messages."""

    site: str  # "" = those that must be routed
    rooms: tuple[int, ...]  # per lane: up to so many, those of the lanes before it counted in


@dataclass(frozen=True, slots=True)
class Audit:
    """The conservation proof: accepted = final + queued, counted from three independent places."""

    accepted: int  # sum of the accepted events
    final: int  # messages in a final state
    queued: int  # rows of the queue


@dataclass(frozen=True, slots=True)
class SiteBacklog:
    """What waits for one site."""

    site: str  # "" = not yet routed
    domain: str  # one of its domains
    waiting: int
    deferred: int
    in_flight: int
    oldest_at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where an unfinished message stands in the queue."""

    site: str  # "" = not yet routed
    lane: int
    due_at: int
    deadline_at: int
    attempts: int
    owner: int  # worker that is attempting it now, 0 = nobody
    ahead: int  # due messages of the site that go first
    in_flight: int  # messages of the site that are being attempted
    worker: str  # name of the worker that holds the site, "" = nobody


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that waits for a person's decision."""

    message_id: int
    account_id: int
    recipient: str
    subject: str
    attempts: int
    uncertain: int  # attempts of which it is not known whether they arrived
    since: int
    deadline_at: int


@dataclass(frozen=True, slots=True)
class Worker:
    id: int  # incarnation: never reused
    slot: int  # 0-63, part of the message ids that it makes; free again when the worker is gone
    name: str  # host:pid
    lease_until: int
    delivers: bool = True  # takes part in sharing the paths out


class HeldShelf(Protocol):
    """Messages that wait for a person, because the receiving server may have them already."""

    async def list(self, account_id: int | None = None, after: int = 0, limit: int = 1000) -> list[HeldMessage]:
        """By message id upward."""

    async def release(self, message_ids: Sequence[int], now: int) -> int:
        """Try them again; returns how many were held."""

    async def hold_restored(self, now: int) -> int:
        """Of a database that was put back to an earlier point: every message in the queue may have been sent since, and is held; returns how many."""

    async def drop(self, message_ids: Sequence[int], now: int, *, is_delivered: bool) -> int:
        """Never try them again: they arrived, as a person says, or are given up; returns how many were held."""


class Store(Protocol):
    """Every verb; see the module for what all of them promise. Shelves are attributes (docs/decisions/0011)."""

    reports: "Reports"  # failure reports that are due
    templates: Templates
    signers: Signers
    identities: Identities
    campaigns: Campaigns
    parsing: Parsing
    contacts: Contacts
    contact_jobs: ContactJobs
    consents: "Consents"  # proofs, and what waits to be confirmed
    sign_ups: "SignUps"
    privacy: Privacy
    newsletters: "Newsletters"
    statistics: "Statistics"  # counters, and those who follow the event table
    webhooks: "Webhooks"
    guard: "Guard"  # the reputation guard's orders
    holds: "Holds"
    standing: "Standing"
    users: "Users"
    screens: "Screens"
    exports: "Exports"
    tls: Tls

    @property
    def held(self) -> HeldShelf: ...

    # -- life ---------------------------------------------------------------------------------------------------------
    async def close(self) -> None:
        """Finish what was asked, then let go of the database."""

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """The installation's secret of that name; `fresh` becomes it when there is none yet (first writer wins)."""

    # -- workers and paths ----------------------------------------------------------------------------------------------
    async def join(self, name: str, now: int, lease_until: int, *, delivers: bool = True) -> Worker:
        """Register a worker under a fresh incarnation and a free slot. Raises StoreFault when all 64 slots are taken."""

    async def heartbeat(self, worker_id: int, lease_until: int) -> bool:
        """Prolong a worker's lease; False when it was already declared dead: the worker must stop and join anew. Unsynced."""

    async def retire(self, worker_id: int, now: int, flights: Sequence[Flight] | None) -> int:
        """Declare a worker dead or gone: what it held goes back to the queue, its path leases end. `flights` is what it had begun past the final dot:
        those are UNCERTAIN (DELIVERED when the server had answered), all others are safe (RECLAIMED). None: not known, so that all are UNCERTAIN.
        Returns the number of messages that it held."""

    async def workers(self) -> list[Worker]:
        """Every registered worker, living or not yet found dead."""

    async def lease_paths(self, worker_id: int, paths: Sequence[str], now: int, until: int) -> list[str]:
        """Take or prolong path leases; returns those of `paths` that this worker now holds (or a part of). Unsynced."""

    async def share_path(self, worker_id: int, lease: Lease, now: int) -> bool:
        """Hold the part of a path that `lease` names, instead of what this worker held of it; False when another holds some of that part, or this
        worker was declared dead: nothing is written then. Unsynced."""

    async def shared_paths(self) -> list[Lease]:
        """The leases of the paths that are worked by several workers."""

    async def release_paths(self, worker_id: int, paths: Sequence[str]) -> None:
        """Give path leases back. Unsynced."""

    async def leases(self) -> list[Lease]: ...

    # -- mail comes in ----------------------------------------------------------------------------------------------------
    async def accept(self, submission: Submission) -> Accepted:
        """Make a submission durable with its messages, queue rows and events, asking the block list, campaign duplicates and the
        idempotency key in the same transaction. Group-committed."""

    async def accept_many(self, submissions: Sequence[Submission]) -> list[Accepted]:
        """The same for several submissions that must be committed together (one HTTP call)."""

    async def idempotent_answer(self, account_id: int, key: str, now: int) -> tuple[bytes, bytes] | None:
        """(fingerprint, answer) stored for a key within its 24 hours."""

    # -- mail goes out ----------------------------------------------------------------------------------------------------
    async def newest_id(self) -> int:
        """The largest message id so far, 0 when there is none: ids must go on from there whatever the clock says."""

    async def due_sites(self, now: int, limit: int, after: str = "") -> list[str]:
        """Sites that have unclaimed due messages, in their order, from the one behind `after` on; "" stands first, whatever `after` is, when there are
        messages to be routed. Cost grows with sites, not with messages."""

    async def claim(self, worker_id: int, wants: Sequence[Want], now: int) -> list[Claimed]:
        """Take due messages of the wanted sites, in lane order, and mark them SENT; nothing for a worker that was declared dead. Unsynced."""

    async def held_by(self, worker_id: int) -> list[int]:
        """Messages that a worker holds."""

    async def reclaim(self, worker_id: int, message_ids: Sequence[int], now: int) -> int:
        """Give messages of a living worker back to the queue as `retire` does (RECLAIMED events); returns how many it held."""

    async def contents(self, submission_ids: Sequence[int]) -> dict[int, Content]: ...

    async def still_blocked(self, claims: Sequence[Claimed], now: int) -> dict[int, Reason]:
        """Block list asked again, immediately before the attempt: message id → reason, for those that may not go."""

    async def settle(self, settlement: Settlement) -> bool:
        """Write an outcome: event, state, queue row and block in one transaction; False when the claim no longer held
        (nothing was written then). Group-committed."""

    async def expire(self, now: int, limit: int) -> int:
        """Give up messages past their deadline whatever their queue state (unclaimed ones); returns how many."""

    # -- what came back, and people ---------------------------------------------------------------------------------------
    async def record(self, message_id: int, kind: EventKind, at: int, reply: str, data: dict[str, str | int], reason: Reason) -> State | None:
        """Apply a later report or a mark to a message; None when the message is unknown or the transition illegal (noted then)."""

    async def record_many(self, records: Sequence[Record]) -> list[Recorded]:
        """The same for several facts that are committed together, with the blocks that they bring. What the table refuses is noted; a
        complaint or an unsubscribe blocks all the same. Group-committed."""

    async def visited(self, message_ids: Sequence[int], since: int) -> dict[int, Visited]:
        """What is known of messages whose image or links are asked for; of their clicks and notes those since `since`, as far as they
        are among the newest events of all."""

    async def add_block(self, account_id: int, address_key: str, cause: BlockCause, now: int, until: int | None, scope: str = "",
                        message_id: int | None = None, reply: str = "") -> Block: ...

    async def add_blocks(self, account_id: int, address_keys: Sequence[str], cause: BlockCause, now: int, reply: str) -> int:
        """Block many addresses until a person lifts it; how many were not blocked for good already."""

    async def lift_blocks(self, account_id: int, address_key: str, now: int, reason: str) -> int: ...

    async def blocks(self, account_id: int | None, now: int, address_key: str | None = None, after: int = 0, limit: int = 1000) -> list[Block]: ...

    async def messages(self, account_id: int | None = None, state: State | None = None, mark: int | None = None, recipient_key: str | None = None,
                       campaign: str | None = None, custom_id: str | None = None, after: int = 0, limit: int = 1000, *,
                       is_descending: bool = False) -> list[MessageView]:
        """By id upward, from behind `after` on; or downward, from before it on. Keyset-paged."""

    async def message(self, message_id: int) -> MessageView | None: ...

    async def timeline(self, message_id: int) -> list[Event]:
        """The message's events in order, its submission's ACCEPTED event first."""

    async def events(self, after: tuple[int, int], limit: int) -> tuple[list[Event], tuple[int, int]]:
        """The event table from a cursor on (start with (0, 0)), and the cursor to go on from. Never past what a running transaction
        could still insert before: on PostgreSQL the order is (transaction, id), read behind the oldest running transaction."""

    async def counts(self, account_id: int | None, since: int | None, until: int | None) -> dict[tuple[State, int], int]:
        """Messages per (state, marks), by creation time."""

    async def backlog(self, now: int, limit: int = 1000) -> list[SiteBacklog]: ...

    async def waiting(self, message_id: int, now: int) -> Waiting | None:
        """Where a message stands in the queue; None when it is not in it. Counts the site's queue: for people, not for programs that ask often."""

    async def retry_now(self, now: int, message_id: int | None = None, domain: str | None = None, account_id: int | None = None) -> int:
        """Make waiting messages due at once; returns how many."""

    async def cancel(self, message_id: int, account_id: int | None, now: int, why: str) -> bool:
        """A message that waits for its first attempt is never attempted: BLOCKED (mailjet, cancelled), with `why` in its timeline. False when there is none
        such (of that account), or it is held for its attempt or was tried."""

    async def audit(self, account_id: int | None = None) -> Audit: ...

    # -- accounts -----------------------------------------------------------------------------------------------------------
    async def add_account(self, name: str, now: int, parent_id: int = 0) -> Account: ...

    async def account(self, name: str) -> Account | None: ...

    async def accounts(self) -> list[Account]: ...

    async def configure_account(self, account_id: int, is_active: bool | None = None, rate_per_s: int | None = None,
                                after_uncertain: AfterUncertain | None = None, failure_reports: bool | None = None, require_tls: bool | None = None) -> Account:
        """Change what is given, leave the rest; workers know within seconds."""

    async def switch_key(self, key: str, is_active: bool) -> bool:
        """Switch an API key on or off; False when there is none of that name."""

    async def keys(self, account_id: int) -> list[tuple[str, bool]]:
        """(key, is active), oldest first."""

    async def add_key(self, account_id: int, key: str, secret_sha256: bytes, now: int) -> None: ...

    async def credential(self, key: str) -> Credential | None: ...

    async def add_sender(self, account_id: int, address_key: str, is_verified: bool, now: int) -> None: ...

    async def add_domain(self, account_id: int, domain: str, is_verified: bool, ownership_token: str, now: int) -> str:
        """Add or update; returns the ownership token in force."""

    async def authors(self, account_id: int) -> Authors: ...

    async def add_dkim_key(self, account_id: int, key: DkimKey, now: int) -> None: ...

    async def dkim_keys(self, account_id: int, domain: str) -> list[DkimKey]:
        """The keys that sign now, newest selector first; the account's own or, for account 0, the installation's."""
