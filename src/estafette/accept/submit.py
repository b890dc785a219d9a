"""The one door: whatever comes in by SMTP, HTTP or as a campaign becomes a committed submission here.

    door = SubmitDoor(store, clock, ids, worker_id, ...)
    accepted = await door.submit([Request(...)])       # returned = durable

A message whose path is worked by this very process is inserted as claimed by it and handed to the engine with its content still in memory,
after the commit; all others wait in the queue for their owner, who is woken.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from estafette import maillog
from estafette.accept.examine import Examined, accepted_content
from estafette.accept.filling import Known, Stored
from estafette.accept.guarding import STOPPED, GuardBook
from estafette.accept.ids import IdMaker
from estafette.audience import ContactProperty, PropertyKind, PropertyValue
from estafette.clock import SECOND_US, Clock, to_iso
from estafette.mail import trace
from estafette.mail.address import Address, is_deliverable_domain
from estafette.model import LANES, Accepted, Account, Claimed, Content, Door, NewMessage, Options, Reason, State, Submission
from estafette.nouns import TemplateContent
from estafette.prepare.template.library import Library
from estafette.queue.lanes import lane_of
from estafette.queue.paths import Place
from estafette.stats.guard_rules import FREE
from estafette.store.seam import Store

IMPOSSIBLE = Reason("domain", "typofix")


class Sender(Protocol):
    """The sending side of this process; `deliver.engine` implements it."""

    def place(self, domain: str, size_bytes: int) -> Place:
        """Where mail to a domain goes, as far as it is known without asking anybody."""

    def offer(self, claims: Sequence[Claimed], content: Content) -> None:
        """Messages just committed as claimed by this process."""

    def wake(self) -> None:
        """Something was put into the queue."""


@dataclass(frozen=True, slots=True)
class Recipient:
    address: Address
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One submission as a door hands it over: checked, authorised, not yet stored."""

    account: Account
    door: Door
    reverse_path: str
    recipients: tuple[Recipient, ...]
    raw: bytes
    examined: Examined
    options: Options
    hello: str
    peer: str
    protocol: str  # ESMTPA, ESMTPSA, HTTP, ...
    smtputf8: bool = False
    due_at: int = 0  # scheduled sending, 0 = now
    idempotency_key: str = ""
    fingerprint: bytes = b""
    report_on: tuple[int, str] | None = None  # (message, action): it is this failure report
    answer: Callable[[Sequence[int]], bytes] | None = None  # the answer to keep for the key, given the message ids
    blocked: Reason | None = None  # its messages are accepted, and never attempted
    explanation: str = ""  # what is to be said about that beside the reason


NOWHERE = Place("", False)


class SubmitDoor:
    """See the module. One per worker process."""

    def __init__(self, store: Store, clock: Clock, ids: IdMaker, worker_id: int, hostname: str, give_up_after_s: float, sender: Sender | None,
                 guard: GuardBook | None = None) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._ids = ids
        self._worker_id = worker_id
        self._hostname = hostname
        self._give_up_after_us = int(give_up_after_s * SECOND_US)
        self._sender = sender
        self._guard = guard
        self._running: set[asyncio.Task[list[Accepted]]] = set()
        self.library = Library()

    @property
    def hostname(self) -> str:
        return self._hostname

    async def template(self, account_id: int, wanted: int | str) -> Stored | None:
        """A template of the account, by its id or its name."""
        shelf = self._store.templates
        found = await (shelf.find_named(account_id, wanted) if isinstance(wanted, str) else shelf.find(account_id, wanted))
        if found is None:
            return None
        return Stored(found, await shelf.content(account_id, found.id) or TemplateContent())

    async def contacts(self, account_id: int, keys: Collection[str]) -> dict[str, Known]:
        """What the account knows of these addresses."""
        shelf = self._store.contacts
        found = [contact for key in keys if (contact := await shelf.find_address(account_id, key)) is not None]
        if not found:
            return {}
        known = await shelf.properties(account_id)
        return {c.address_key: Known(c.id, c.name, {p.name: _shown(p, value) for p in known if (value := c.properties.get(p.id, p.fallback)) is not None})
                for c in found}  # fmt: skip

    async def submit(self, requests: Sequence[Request]) -> list[Accepted]:
        """Commit all requests together. Raises StoreFault: then nothing was accepted.

        Whoever waits for it may be cancelled (a client that is gone, the end of the drain); what is committed as ours is handed over all the same.
        """
        task = asyncio.create_task(self._submit(requests))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _submit(self, requests: Sequence[Request]) -> list[Accepted]:
        submissions = [self._submission(request) for request in requests]
        accepted = await self._store.accept_many(submissions)
        for request, submission, result in zip(requests, submissions, accepted, strict=True):
            self._hand_over(request, submission, result)
        return accepted

    def _submission(self, request: Request) -> Submission:
        now = self._clock.now_us()
        due_at = max(now, request.due_at)
        verdict = self._guard.verdict(request.account.id, request.door, request.options) if self._guard is not None else FREE
        blocked, explanation = (STOPPED, verdict.explanation) if verdict.is_stopped and request.blocked is None else (request.blocked, request.explanation)
        lane = lane_of(request.options.priority) + (LANES if verdict.is_slowed else 0)
        messages = []
        for recipient in _merged(request.recipients):
            address = recipient.address
            message_id = self._ids.next(now)
            is_possible = is_deliverable_domain(address.domain)
            place = self._sender.place(address.domain, len(request.raw)) if self._sender and is_possible else NOWHERE
            is_blocked = not is_possible or blocked is not None
            is_ours = place.is_ours and due_at <= now and not is_blocked and not verdict.is_slowed
            messages.append(
                NewMessage(
                    message_id, str(address), address.key, address.domain,
                    State.BLOCKED if is_blocked else State.SENT if is_ours else State.QUEUED,
                    reason=blocked or (Reason() if is_possible else IMPOSSIBLE), explanation=explanation,
                    site=place.site, owner=self._worker_id if is_ours else 0, lane=lane,
                    notify=recipient.notify, orcpt=recipient.orcpt,
                )
            )  # fmt: skip
        options = replace(request.options, require_tls=True) if request.account.require_tls else request.options
        first = messages[0].id
        hello, peer = ("", "") if request.account.hides_client else (request.hello, request.peer)
        received = trace.received(hello, peer, self._hostname, request.protocol, first, now)
        content = accepted_content(request.raw, request.examined.header, received, f"{first:x}@{self._hostname}", now)
        return Submission(
            first, request.account.id, request.door, request.reverse_path, str(request.examined.author.address), request.examined.subject,
            options, now, due_at, due_at + self._give_up_after_us, content, tuple(messages),
            smtputf8=request.smtputf8 or request.examined.smtputf8,
            idempotency_key=request.idempotency_key, fingerprint=request.fingerprint,
            answer=request.answer([m.id for m in messages]) if request.answer else b"", report_on=request.report_on,
        )  # fmt: skip

    def _hand_over(self, request: Request, submission: Submission, result: Accepted) -> None:
        if result.replayed_answer is not None:
            maillog.accepted_before(request.account.name, request.door.value, request.idempotency_key)
            return
        maillog.accepted(submission.id, request.account.name, request.door.value, len(result.messages), len(submission.content),
                         submission.reverse_path, submission.author, request.peer)  # fmt: skip
        claims, is_waiting = [], False
        for m in result.messages:
            if m.state is State.BLOCKED:
                maillog.blocked(m.id, m.recipient, m.reason.related_to, m.reason.error)
            elif m.owner:
                claims.append(Claimed(m.id, submission.id, submission.account_id, m.recipient, m.domain, m.site, m.lane, 0,
                                      submission.accepted_at, submission.due_at, submission.deadline_at, m.owner, m.notify, 0,
                                      submission.options.monitoring_category, request.account.name, submission.options.campaign))  # fmt: skip
            else:
                is_waiting = True
        if self._sender is None:
            return
        if claims:
            content = Content(submission.id, submission.account_id, submission.reverse_path, submission.author, submission.options,
                              submission.accepted_at, submission.smtputf8, submission.content)  # fmt: skip
            self._sender.offer(claims, content)
        if is_waiting:
            self._sender.wake()


def _shown(definition: ContactProperty, value: PropertyValue) -> PropertyValue:
    """As templates print it."""
    return to_iso(int(value)) if definition.kind is PropertyKind.DATETIME else value


def _merged(recipients: Sequence[Recipient]) -> list[Recipient]:
    """The same address twice in one submission is one message; the first mention counts."""
    seen: dict[str, Recipient] = {}
    for recipient in recipients:
        seen.setdefault(recipient.address.key, recipient)
    return list(seen.values())
