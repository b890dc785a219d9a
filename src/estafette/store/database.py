"""The seam's one implementation: verbs on a driver. All SQL is in `sql/`, all transactions are units, all waiting is here."""

from collections.abc import Sequence

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
    Reason,
    Record,
    Recorded,
    Settlement,
    State,
    Submission,
    Visited,
)
from estafette.store import accounts, feedback, mail_in, mail_out, people, workers
from estafette.store.batch import Batcher
from estafette.store.campaigns import Campaigns
from estafette.store.consents import Consents
from estafette.store.contact_jobs import ContactJobs
from estafette.store.contacts import Contacts
from estafette.store.driver import Driver
from estafette.store.exports import Exports
from estafette.store.guard import Guard
from estafette.store.held import Held
from estafette.store.holds import Holds
from estafette.store.identities import Identities
from estafette.store.newsletters import Newsletters
from estafette.store.parsing import Parsing
from estafette.store.privacy import Privacy
from estafette.store.reports import Reports
from estafette.store.screens import Screens
from estafette.store.seam import Audit, Policy, SiteBacklog, Waiting, Want, Worker
from estafette.store.sign_ups import SignUps
from estafette.store.signers import Signers
from estafette.store.standing import Standing
from estafette.store.statistics import Statistics
from estafette.store.templates import Templates
from estafette.store.tls import Tls
from estafette.store.users import Users
from estafette.store.webhooks import Webhooks


class Database:
    """See `seam.Store` for what each verb promises."""

    def __init__(self, driver: Driver, policy: Policy) -> None:
        self.driver = driver
        self.reports = Reports(driver)
        self.statistics = Statistics(driver)
        self.webhooks = Webhooks(driver)
        self.users = Users(driver)
        self.screens = Screens(driver)
        self.exports = Exports(driver)
        self.guard = Guard(driver)
        self._policy = policy
        self.templates = Templates(driver)
        self.signers = Signers(driver)
        self.parsing = Parsing(driver)
        self.held = Held(driver, policy)
        self.identities = Identities(driver)
        self.campaigns = Campaigns(driver)
        self.contacts = Contacts(driver)
        self.consents = Consents(driver)
        self.sign_ups = SignUps(driver)
        self.contact_jobs = ContactJobs(driver)
        self.privacy = Privacy(driver)
        self.holds = Holds(driver, policy)
        self.standing = Standing(driver)
        self.newsletters = Newsletters(driver, policy)
        self.tls = Tls(driver)
        lanes = 1 if driver.dialect == "sqlite" else 3  # SQLite has one writer; PostgreSQL commits side by side
        self._accepts: Batcher[Sequence[Submission], list[Accepted]] = Batcher(self._accept_batch, limit=200, lanes=lanes)
        self._settles: Batcher[Settlement, bool] = Batcher(self._settle_batch, limit=500, lanes=min(lanes, 2))
        self._records: Batcher[Sequence[Record], list[Recorded]] = Batcher(self._record_batch, limit=200, lanes=1)

    async def close(self) -> None:
        await self._accepts.drain()
        await self._settles.drain()
        await self._records.drain()
        await self.driver.close()

    async def secret(self, name: str, fresh: bytes) -> bytes:
        return await self.driver.write(lambda: workers.secret(name, fresh))

    # -- workers and paths

    async def join(self, name: str, now: int, lease_until: int, *, delivers: bool = True) -> Worker:
        return await self.driver.write(lambda: workers.join(name, lease_until, delivers))

    async def heartbeat(self, worker_id: int, lease_until: int) -> bool:
        return await self.driver.write(lambda: workers.heartbeat(worker_id, lease_until), is_synced=False)

    async def retire(self, worker_id: int, now: int, flights: Sequence[Flight] | None) -> int:
        return await self.driver.write(lambda: workers.retire(worker_id, now, flights, self._policy))

    async def workers(self) -> list[Worker]:
        return await self.driver.read(workers.workers)

    async def lease_paths(self, worker_id: int, paths: Sequence[str], now: int, until: int) -> list[str]:
        return await self.driver.write(lambda: workers.lease_paths(worker_id, paths, now, until), is_synced=False)

    async def share_path(self, worker_id: int, lease: Lease, now: int) -> bool:
        return await self.driver.write(lambda: workers.share_path(worker_id, lease, now), is_synced=False)

    async def shared_paths(self) -> list[Lease]:
        return await self.driver.read(workers.shared_paths)

    async def release_paths(self, worker_id: int, paths: Sequence[str]) -> None:
        await self.driver.write(lambda: workers.release_paths(worker_id, paths), is_synced=False)

    async def leases(self) -> list[Lease]:
        return await self.driver.read(workers.leases)

    # -- mail comes in

    async def accept(self, submission: Submission) -> Accepted:
        return (await self._accepts.put((submission,)))[0]

    async def accept_many(self, submissions: Sequence[Submission]) -> list[Accepted]:
        return await self._accepts.put(tuple(submissions)) if submissions else []

    async def _accept_batch(self, batch: Sequence[Sequence[Submission]]) -> list[list[Accepted]]:
        return await self.driver.write(lambda: mail_in.accept(batch, self._policy))

    async def idempotent_answer(self, account_id: int, key: str, now: int) -> tuple[bytes, bytes] | None:
        return await self.driver.read(lambda: mail_in.idempotent_answer(account_id, key, now))

    # -- mail goes out

    async def newest_id(self) -> int:
        return await self.driver.read(mail_out.newest_id)

    async def due_sites(self, now: int, limit: int, after: str = "") -> list[str]:
        return await self.driver.read(lambda: mail_out.due_sites(now, limit, after))

    async def claim(self, worker_id: int, wants: Sequence[Want], now: int) -> list[Claimed]:
        return await self.driver.write(lambda: mail_out.claim(worker_id, wants, now), is_synced=False)

    async def held_by(self, worker_id: int) -> list[int]:
        return await self.driver.read(lambda: mail_out.held_by(worker_id))

    async def reclaim(self, worker_id: int, message_ids: Sequence[int], now: int) -> int:
        return await self.driver.write(lambda: workers.reclaim(worker_id, message_ids, now, self._policy))

    async def contents(self, submission_ids: Sequence[int]) -> dict[int, Content]:
        return await self.driver.read(lambda: mail_out.contents(submission_ids))

    async def still_blocked(self, claims: Sequence[Claimed], now: int) -> dict[int, Reason]:
        return await self.driver.read(lambda: mail_out.still_blocked(claims, now, self._policy))

    async def settle(self, settlement: Settlement) -> bool:
        return await self._settles.put(settlement)

    async def _settle_batch(self, batch: Sequence[Settlement]) -> list[bool]:
        return await self.driver.write(lambda: mail_out.settle(batch, self._policy))

    async def expire(self, now: int, limit: int) -> int:
        return await self.driver.write(lambda: mail_out.expire(now, limit, self._policy))

    # -- what came back, and people

    async def record(self, message_id: int, kind: EventKind, at: int, reply: str, data: dict[str, str | int], reason: Reason) -> State | None:
        return await self.driver.write(lambda: feedback.record(message_id, kind, at, reply, data, reason, self._policy))

    async def record_many(self, records: Sequence[Record]) -> list[Recorded]:
        return await self._records.put(tuple(records)) if records else []

    async def _record_batch(self, batch: Sequence[Sequence[Record]]) -> list[list[Recorded]]:
        return await self.driver.write(lambda: feedback.record_groups(batch, self._policy))

    async def visited(self, message_ids: Sequence[int], since: int) -> dict[int, Visited]:
        return await self.driver.read(lambda: feedback.visited(message_ids, since))

    async def add_block(self, account_id: int, address_key: str, cause: BlockCause, now: int, until: int | None, scope: str = "",
                        message_id: int | None = None, reply: str = "") -> Block:  # fmt: skip
        return await self.driver.write(lambda: people.add_block(account_id, address_key, cause, now, until, scope, message_id, reply))

    async def add_blocks(self, account_id: int, address_keys: Sequence[str], cause: BlockCause, now: int, reply: str) -> int:
        return await self.driver.write(lambda: people.add_blocks(account_id, address_keys, cause, now, reply))

    async def lift_blocks(self, account_id: int, address_key: str, now: int, reason: str) -> int:
        return await self.driver.write(lambda: people.lift_blocks(account_id, address_key, now, reason))

    async def blocks(self, account_id: int | None, now: int, address_key: str | None = None, after: int = 0, limit: int = 1000) -> list[Block]:
        return await self.driver.read(lambda: people.blocks(account_id, now, address_key, after, limit))

    async def messages(self, account_id: int | None = None, state: State | None = None, mark: int | None = None, recipient_key: str | None = None,
                       campaign: str | None = None, custom_id: str | None = None, after: int = 0, limit: int = 1000, *,
                       is_descending: bool = False) -> list[MessageView]:  # fmt: skip
        params = (is_descending, after, account_id, state.value if state else None, mark, recipient_key, campaign, custom_id, limit)
        return await self.driver.read(lambda: people.messages(*params))

    async def message(self, message_id: int) -> MessageView | None:
        return await self.driver.read(lambda: people.message(message_id))

    async def timeline(self, message_id: int) -> list[Event]:
        return await self.driver.read(lambda: people.timeline(message_id))

    async def events(self, after: tuple[int, int], limit: int) -> tuple[list[Event], tuple[int, int]]:
        return await self.driver.read(lambda: people.events(after, limit))

    async def counts(self, account_id: int | None, since: int | None, until: int | None) -> dict[tuple[State, int], int]:
        return await self.driver.read(lambda: people.counts(account_id, since, until))

    async def backlog(self, now: int, limit: int = 1000) -> list[SiteBacklog]:
        return await self.driver.read(lambda: people.backlog(limit))

    async def waiting(self, message_id: int, now: int) -> Waiting | None:
        return await self.driver.read(lambda: people.waiting(message_id, now))

    async def retry_now(self, now: int, message_id: int | None = None, domain: str | None = None, account_id: int | None = None) -> int:
        return await self.driver.write(lambda: people.retry_now(now, message_id, domain, account_id))

    async def cancel(self, message_id: int, account_id: int | None, now: int, why: str) -> bool:
        return await self.driver.write(lambda: people.cancel(message_id, account_id, now, why, self._policy))

    async def audit(self, account_id: int | None = None) -> Audit:
        return await self.driver.read(lambda: people.audit(account_id))

    # -- accounts

    async def add_account(self, name: str, now: int, parent_id: int = 0) -> Account:
        return await self.driver.write(lambda: accounts.add_account(name, now, parent_id))

    async def account(self, name: str) -> Account | None:
        return await self.driver.read(lambda: accounts.account(name))

    async def accounts(self) -> list[Account]:
        return await self.driver.read(accounts.accounts)

    async def configure_account(self, account_id: int, is_active: bool | None = None, rate_per_s: int | None = None,
                                after_uncertain: AfterUncertain | None = None, failure_reports: bool | None = None,
                                require_tls: bool | None = None) -> Account:  # fmt: skip
        return await self.driver.write(lambda: accounts.configure_account(account_id, is_active, rate_per_s, after_uncertain, failure_reports, require_tls))

    async def switch_key(self, key: str, is_active: bool) -> bool:
        return await self.driver.write(lambda: accounts.switch_key(key, is_active))

    async def keys(self, account_id: int) -> list[tuple[str, bool]]:
        return await self.driver.read(lambda: accounts.keys(account_id))

    async def add_key(self, account_id: int, key: str, secret_sha256: bytes, now: int) -> None:
        await self.driver.write(lambda: accounts.add_key(account_id, key, secret_sha256, now))

    async def credential(self, key: str) -> Credential | None:
        return await self.driver.read(lambda: accounts.credential(key))

    async def add_sender(self, account_id: int, address_key: str, is_verified: bool, now: int) -> None:
        await self.driver.write(lambda: accounts.add_sender(account_id, address_key, is_verified, now))

    async def add_domain(self, account_id: int, domain: str, is_verified: bool, ownership_token: str, now: int) -> str:
        return await self.driver.write(lambda: accounts.add_domain(account_id, domain, is_verified, ownership_token, now))

    async def authors(self, account_id: int) -> Authors:
        return await self.driver.read(lambda: accounts.authors(account_id))

    async def add_dkim_key(self, account_id: int, key: DkimKey, now: int) -> None:
        await self.driver.write(lambda: accounts.add_dkim_key(account_id, key, now))

    async def dkim_keys(self, account_id: int, domain: str) -> list[DkimKey]:
        return await self.driver.read(lambda: accounts.dkim_keys(account_id, domain))
