"""One attempt at one message on an open connection: is it still ours and wanted, its content, its bytes, the sending, what came of it."""

from dataclasses import dataclass, replace
from typing import Final, Protocol

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.deliver.connection import Connection, Fault, Policy
from estafette.deliver.contents import Contents, Missing
from estafette.deliver.flights import FlightLog
from estafette.deliver.holdings import Item
from estafette.deliver.outcome import Facts, after_fault, after_reply, blocked, inability, released
from estafette.deliver.signing import Workshop
from estafette.mail.reply_rules import Verdict
from estafette.mail.seven_bit import CannotConvert
from estafette.mail.smtp.client import Transaction
from estafette.mail.smtp.replies import LocalProtocolError, Reply
from estafette.mail.smtp.states import Step
from estafette.model import Claimed, Outcome, OutcomeKind, Reason
from estafette.prepare.personal import Unfillable
from estafette.prepare.tracking import LeftOff
from estafette.queue.holds import Stops
from estafette.queue.paths import parked
from estafette.queue.retry import RetryPlan
from estafette.store.seam import StoreFault

LOOK_AGAIN_S: Final = 10.0
"""A message whose block list was asked longer ago than this is asked about again before its attempt."""
STORE_AGAIN_S: Final = 5.0
"""When the store did not say what a mail consists of, it is asked again after this."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How paths of a process send: from the configuration."""

    policy: Policy
    port: int
    plan: RetryPlan
    sources: tuple[str, ...] = ("",)
    messages_per_connection: int = 100
    idle_s: float = 5.0
    transcripts: str = "all"  # all, failures, none
    dane: bool = False


class Bench(Protocol):
    """What an attempt needs of the engine."""

    clock: Clock
    contents: Contents
    workshop: Workshop
    sending: Sending
    flights: FlightLog

    @property
    def stops(self) -> Stops:
        """What people have stopped."""

    @property
    def is_sure(self) -> bool:
        """False while this worker may have been declared dead: nothing is begun then."""

    async def block_on(self, claim: Claimed) -> Reason | None:
        """The block list asked once more for one message."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the server said, for the path to learn from."""

    reply: Reply
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an attempt. No outcome: nothing was tried, because an idle connection had been closed."""

    outcome: Outcome | None
    heard: Heard | None = None


def put_off(bench: Bench, fault: BaseException, item: Item, where: str) -> Outcome:
    """A bug of ours, or a store that does not answer, must not keep a message: nothing was learned about it, again later, no attempt counted."""
    maillog.fault(where, str(item.claim.message_id), fault)
    now = bench.clock.now_us()
    pause_s = STORE_AGAIN_S if isinstance(fault, StoreFault) else bench.sending.plan.pauses_s[0]
    return released(now, now + int(pause_s * SECOND_US))


async def attempt(bench: Bench, site: str, item: Item, connection: Connection) -> Result:
    """Try one message once; never raises."""
    try:
        ready = await _make_ready(bench, site, item, connection)
        return await _send(bench, site, item, connection, ready) if isinstance(ready, Transaction) else Result(ready)
    except Exception as fault:
        connection.abort()
        if bench.flights.has(item.claim):
            maillog.fault("attempt", str(item.claim.message_id), fault)
            outcome, _ = after_fault(item.claim, "closed", f"a fault of ours: {fault!r}", _facts(bench, site, connection, "body"), bench.sending.plan)
            return Result(replace(outcome, is_uncertain=True))
        return Result(put_off(bench, fault, item, "attempt"))


async def _make_ready(bench: Bench, site: str, item: Item, connection: Connection) -> Transaction | Outcome:
    """The mail as it goes on the wire, or why it does not go at all."""
    claim, clock = item.claim, bench.clock
    now = clock.now_us()
    if now >= claim.deadline_at or not bench.is_sure:
        return released(now)  # the sweep over deadlines gives it up; or it may not be ours any more
    if (stop := bench.stops.of_claim(claim)) is not None:
        return released(now, site=parked(claim.domain) if stop.domain else None)
    if clock.monotonic() - item.since_s > LOOK_AGAIN_S and (reason := await bench.block_on(claim)) is not None:
        return blocked(reason, now)
    try:
        item.held = item.held or await bench.contents.take(claim.submission_id)
        mail = await bench.workshop.transaction(item.held, claim, is_7bit="8BITMIME" not in connection.capabilities)
    except StoreFault as fault:
        return put_off(bench, fault, item, "attempt")
    except Unfillable as error:
        return blocked(Reason("content", "error in template language"), now, str(error))
    except CannotConvert as error:
        text = f"the server does not take 8-bit mail (8BITMIME), and this one cannot be converted: {error}"
        return after_fault(claim, "no_8bitmime", text, _facts(bench, site, connection, "mail"), bench.sending.plan)[0]
    except Missing as missing:
        return after_fault(claim, "content_missing", str(missing), _facts(bench, site, connection, "data"), bench.sending.plan)[0]
    if item.held.content.options.require_tls and not connection.tls:
        facts = replace(_facts(bench, site, connection, "tls"), tls_wanted="the mail or its account")
        return after_fault(claim, "tls", "TLS is required for this mail, and the server did not offer it", facts, bench.sending.plan)[0]
    if (problem := inability(connection.capabilities, mail)) is not None:
        return after_fault(claim, *problem, _facts(bench, site, connection, "mail"), bench.sending.plan)[0]
    return mail


async def _send(bench: Bench, site: str, item: Item, connection: Connection, mail: Transaction) -> Result:
    claim, plan = item.claim, bench.sending.plan
    started_s = bench.clock.monotonic()
    was_idle = connection.sent > 0 and not item.was_retried
    try:
        result = await connection.send(mail, lambda: bench.flights.begin(claim) and bench.is_sure)
    except LocalProtocolError as error:  # nothing was sent
        return Result(after_fault(claim, "malformed", str(error), _facts(bench, site, connection, "data"), plan)[0])
    except Fault as fault:
        if not fault.is_uncertain:
            bench.flights.end(claim)
        if fault.fault == "given_up":
            return Result(released(bench.clock.now_us()))
        if fault.fault == "closed" and not fault.was_heard and not fault.is_uncertain and was_idle:
            item.was_retried = True
            return Result(None)
        connection.abort()
        facts = _facts(bench, site, connection, fault.stage, started_s)
        if fault.reply is None:
            outcome, _ = after_fault(claim, fault.fault, fault.text, facts, plan)
            return Result(replace(outcome, is_uncertain=fault.is_uncertain))
        return _replied(claim, fault.reply, facts, plan)
    if not 200 <= result.reply.code < 300:
        bench.flights.end(claim)
    if result.reply.code == 421 and result.step is Step.MAIL and was_idle:
        item.was_retried = True
        return Result(None)
    facts = _facts(bench, site, connection, result.step.value, started_s)
    if 200 <= result.reply.code < 300 and bench.sending.transcripts != "all":
        facts = replace(facts, transcript="")
    replied = _replied(claim, result.reply, facts, plan, _untracked(item))
    if replied.outcome is not None and replied.outcome.kind is OutcomeKind.DELIVERED:
        bench.flights.answered(claim, replied.outcome)
    return replied


def _untracked(item: Item) -> str:
    """Why tracking that was asked for is not in this mail; a mail without HTML has nothing to track and says nothing."""
    made = item.held.plan if item.held is not None else None
    return ", ".join(why.value for why in made.left_off if why is not LeftOff.NO_HTML) if made is not None else ""


def _replied(claim: Claimed, reply: Reply, facts: Facts, plan: RetryPlan, untracked: str = "") -> Result:
    outcome, verdict = after_reply(claim, reply, facts, plan)
    if untracked and outcome.kind is OutcomeKind.DELIVERED:
        outcome = replace(outcome, untracked=untracked)
    return Result(outcome, Heard(reply, verdict))


def _facts(bench: Bench, site: str, connection: Connection, stage: str, started_s: float | None = None) -> Facts:
    clock, link = bench.clock, connection.link
    return Facts(
        clock.now_us(), clock.random(), site, stage, link.host, link.address, connection.source, connection.tls,
        duration_ms=0 if started_s is None else int((clock.monotonic() - started_s) * 1000),
        transcript=connection.transcript if bench.sending.transcripts != "none" else "",
    )  # fmt: skip
