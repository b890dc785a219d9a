"""What an attempt means: from the reply or the fault to one `Outcome`. Pure; the rules know the replies, the retry plan knows the times."""

from dataclasses import dataclass, replace
from typing import Final

from estafette.mail.reply_rules import Verdict, classify, classify_fault
from estafette.mail.smtp.client import Capabilities, Transaction
from estafette.mail.smtp.replies import Reply
from estafette.model import Claimed, Outcome, OutcomeKind, Reason, Scope
from estafette.queue.lanes import retry_lane
from estafette.queue.retry import RetryPlan, next_attempt_at

MAX_REPLY: Final = 1000
MAX_TRANSCRIPT: Final = 8000
OUR_CODES: Final = {"no_smtputf8": "5.6.7", "no_8bitmime": "5.6.3", "too_large": "5.3.4", "malformed": "5.6.0", "dns_nxdomain": "5.1.2",
                    "null_mx": "5.1.10", "no_mx_host": "5.1.2"}  # fmt: skip
"""Enhanced codes (RFC 3463, 6531 4.2, 7505 4) of what we find ourselves, without a reply."""
ELSEWHERE_US: Final = 1_000_000
BEFORE_MAIL: Final = frozenset({"connect", "tls", "ehlo"})


@dataclass(frozen=True, slots=True)
class Facts:
    """Where and when an attempt took place."""

    at: int  # now, microseconds
    chance: float  # uniform in [0, 1), for the jitter
    site: str
    stage: str = ""
    host: str = ""
    address: str = ""
    source: str = ""
    tls: str = ""
    tls_wanted: str = ""
    duration_ms: int = 0
    transcript: str = ""


def inability(capabilities: Capabilities, transaction: Transaction) -> tuple[str, str] | None:
    """(fault, text) when this server cannot take this mail as it is: RFC 6531 3.5, RFC 6152 3, RFC 1870 6."""
    if transaction.smtputf8 and "SMTPUTF8" not in capabilities:
        return "no_smtputf8", "the server does not take internationalised mail (SMTPUTF8)"
    if transaction.is_8bit and "8BITMIME" not in capabilities:
        return "no_8bitmime", "the server does not take 8-bit mail (8BITMIME)"
    if capabilities.size_limit and len(transaction.content) > capabilities.size_limit:
        return "too_large", f"the mail has {len(transaction.content)} octets, the server takes {capabilities.size_limit}"
    return None


def delivered(reply: Reply, facts: Facts) -> Outcome:
    """The server took the mail."""
    return _outcome(OutcomeKind.DELIVERED, facts, _words(reply), reply)


def after_reply(claim: Claimed, reply: Reply, facts: Facts, plan: RetryPlan) -> tuple[Outcome, Verdict]:
    """The outcome of a reply, and what the rules made of it."""
    if 200 <= reply.code < 300:
        return delivered(reply, facts), classify(reply.code, reply.enhanced, reply.text, facts.stage)
    verdict = classify(reply.code, reply.enhanced, reply.text, facts.stage)
    if facts.stage in BEFORE_MAIL:  # said to us, not about this mail: the next attempt may meet another host or a better hour
        verdict = replace(verdict, permanent=False, blocks_address=False)
    return _failed(claim, verdict, facts, plan, _words(reply), reply), verdict


def after_fault(claim: Claimed, fault: str, text: str, facts: Facts, plan: RetryPlan) -> tuple[Outcome, Verdict]:
    """The outcome of a failure without a reply."""
    verdict = classify_fault(fault)
    return replace(_failed(claim, verdict, facts, plan, text[:MAX_REPLY], None), enhanced=OUR_CODES.get(fault, "")), verdict


def from_elsewhere(claim: Claimed, refused: Outcome, site: str) -> Outcome:
    """Only our address was refused, and there are others: the next attempt leaves from one of them, soon, whatever the code said."""
    return replace(refused, kind=OutcomeKind.DEFERRED, is_permanent=False, blocks_address=False, retry_at=refused.at + ELSEWHERE_US,
                   lane=retry_lane(claim.lane), site=site)  # fmt: skip


def blocked(reason: Reason, at: int, why: str = "blocked before the attempt") -> Outcome:
    """Not attempted: a block came in between accept and attempt, or the mail cannot be made for this recipient."""
    return Outcome(OutcomeKind.BLOCKED, at, reply=why, reason=reason, scope=Scope.RECIPIENT)


def released(at: int, retry_at: int = 0, site: str | None = None) -> Outcome:
    """Nothing was tried: back into the queue, no attempt counted."""
    return Outcome(OutcomeKind.RELEASED, at, retry_at=retry_at, site=site)


def _failed(claim: Claimed, verdict: Verdict, facts: Facts, plan: RetryPlan, words: str, reply: Reply | None) -> Outcome:
    outcome = _outcome(OutcomeKind.BOUNCED, facts, words, reply)
    outcome = replace(outcome, reason=Reason(verdict.related_to, verdict.error), category=verdict.category, scope=Scope(verdict.scope))
    if verdict.permanent:
        return replace(outcome, is_permanent=True, blocks_address=verdict.blocks_address)
    retry_at = next_attempt_at(plan, claim.attempts + 1, facts.at, claim.deadline_at, facts.chance, verdict.wait_hint_s)
    if retry_at is not None:
        return replace(outcome, kind=OutcomeKind.DEFERRED, retry_at=retry_at, lane=retry_lane(claim.lane), site=facts.site)
    # given up: the address rests, unless the fault was ours or the mail's
    return replace(outcome, blocks_address=outcome.scope in (Scope.RECIPIENT, Scope.HOST))


def _outcome(kind: OutcomeKind, facts: Facts, words: str, reply: Reply | None) -> Outcome:
    return Outcome(
        kind, facts.at, reply=words, code=reply.code if reply else 0, enhanced=(reply.enhanced or "") if reply else "", stage=facts.stage,
        host=facts.host, address=facts.address, source=facts.source, tls=facts.tls, tls_wanted=facts.tls_wanted, duration_ms=facts.duration_ms,
        transcript=facts.transcript[:MAX_TRANSCRIPT],
    )  # fmt: skip


def _words(reply: Reply) -> str:
    return str(reply)[:MAX_REPLY]
