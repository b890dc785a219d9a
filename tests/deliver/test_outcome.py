"""From a reply or a fault to the one outcome: what is final, what waits, and whether the address rests."""

import pytest

from estafette.clock import SECOND_US
from estafette.deliver.outcome import MAX_REPLY, MAX_TRANSCRIPT, Facts, after_fault, after_reply, inability, released
from estafette.mail.smtp.client import Capabilities, Transaction
from estafette.mail.smtp.replies import Reply
from estafette.model import Claimed, OutcomeKind, Scope
from estafette.queue.lanes import HIGH_RETRIES
from estafette.queue.retry import RetryPlan

NOW = 1_790_000_000 * SECOND_US
HOUR_US = 3600 * SECOND_US
PLAN = RetryPlan((300.0, 900.0), 0.0)


def claim(attempts: int = 0, left_us: int = 72 * HOUR_US) -> Claimed:
    return Claimed(1, 1, 1, "a@x.test", "x.test", "mx.x.test", 1, attempts, NOW, NOW, NOW + left_us, 7)


def facts(stage: str) -> Facts:
    return Facts(NOW, 0.5, "mx.x.test", stage, "mx.x.test", "192.0.2.1", "192.0.2.9", "TLSv1.3", 12, "C: x")


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "stage", "left_us", "kind", "permanent", "blocks"),
    [
        (250, "2.0.0", "ok", "body", 72 * HOUR_US, OutcomeKind.DELIVERED, False, False),
        (550, "5.1.1", "no such user", "rcpt", 72 * HOUR_US, OutcomeKind.BOUNCED, True, True),
        (550, "5.7.1", "message content rejected as spam", "body", 72 * HOUR_US, OutcomeKind.BOUNCED, True, False),
        (452, "4.2.2", "mailbox full", "rcpt", 72 * HOUR_US, OutcomeKind.DEFERRED, False, False),
        (452, "4.2.2", "mailbox full", "rcpt", 60 * SECOND_US, OutcomeKind.BOUNCED, False, True),  # no attempt fits: given up, and the address rests
        (554, "", "no SMTP service here", "connect", 72 * HOUR_US, OutcomeKind.DEFERRED, False, False),  # said to us, not about this mail
        (550, "5.1.1", "no such user", "ehlo", 72 * HOUR_US, OutcomeKind.DEFERRED, False, False),
        (421, "4.3.2", "closing", "data", 72 * HOUR_US, OutcomeKind.DEFERRED, False, False),
        (699, "", "what is this", "body", 72 * HOUR_US, OutcomeKind.DEFERRED, False, False),
        (354, "", "go on", "body", 72 * HOUR_US, OutcomeKind.DEFERRED, False, False),
    ],
)
def test_replies(code: int, enhanced: str, text: str, stage: str, left_us: int, kind: OutcomeKind, permanent: bool, blocks: bool) -> None:
    outcome, _ = after_reply(claim(left_us=left_us), Reply(code, enhanced, (text,)), facts(stage), PLAN)
    assert (outcome.kind, outcome.is_permanent, outcome.blocks_address) == (kind, permanent, blocks)
    assert (outcome.code, outcome.enhanced, outcome.stage, outcome.host, outcome.at) == (code, enhanced, stage, "mx.x.test", NOW)
    if kind is OutcomeKind.DEFERRED:
        assert (outcome.retry_at, outcome.lane, outcome.site) == (NOW + 300 * SECOND_US, HIGH_RETRIES, "mx.x.test")
    if kind is not OutcomeKind.DELIVERED:
        assert outcome.reason.related_to and outcome.reason.error and outcome.category


@pytest.mark.parametrize(
    ("fault", "kind", "permanent", "blocks"),
    [
        ("timeout", OutcomeKind.DEFERRED, False, False),
        ("closed", OutcomeKind.DEFERRED, False, False),
        ("refused", OutcomeKind.DEFERRED, False, False),
        ("unreachable", OutcomeKind.DEFERRED, False, False),
        ("tls", OutcomeKind.DEFERRED, False, False),
        ("protocol", OutcomeKind.DEFERRED, False, False),
        ("dns_servfail", OutcomeKind.DEFERRED, False, False),
        ("dns_timeout", OutcomeKind.DEFERRED, False, False),
        ("dns_nxdomain", OutcomeKind.BOUNCED, True, True),
        ("null_mx", OutcomeKind.BOUNCED, True, True),
        ("no_mx_host", OutcomeKind.BOUNCED, True, True),
        ("too_large", OutcomeKind.BOUNCED, True, False),
        ("no_smtputf8", OutcomeKind.BOUNCED, True, False),
        ("malformed", OutcomeKind.BOUNCED, True, False),
        ("never heard of", OutcomeKind.DEFERRED, False, False),  # unknown means temporary
    ],
)
def test_faults(fault: str, kind: OutcomeKind, permanent: bool, blocks: bool) -> None:
    outcome, _ = after_fault(claim(), fault, "words", facts("dns"), PLAN)
    assert (outcome.kind, outcome.is_permanent, outcome.blocks_address, outcome.reply) == (kind, permanent, blocks, "words")


@pytest.mark.parametrize(("fault", "blocks"), [("closed", True), ("dns_timeout", False), ("unreachable", False)])
def test_given_up_for_our_own_trouble_the_address_does_not_rest(fault: str, blocks: bool) -> None:
    outcome, _ = after_fault(claim(5, SECOND_US), fault, "words", facts("connect"), PLAN)
    assert (outcome.kind, outcome.is_permanent, outcome.blocks_address) == (OutcomeKind.BOUNCED, False, blocks)


def test_a_hint_of_the_server_lengthens_the_pause() -> None:
    outcome, verdict = after_reply(claim(), Reply(451, "4.7.1", ("greylisted, try again in 10 minutes",)), facts("rcpt"), PLAN)
    assert verdict.wait_hint_s == 600 and outcome.retry_at == NOW + 600 * SECOND_US


def test_what_is_kept_of_a_reply_is_bounded() -> None:
    long = Facts(NOW, 0.5, "s", "rcpt", transcript="x" * 100_000)
    outcome, _ = after_reply(claim(), Reply(550, "5.1.1", tuple("y" * 4000 for _ in range(100))), long, PLAN)
    assert len(outcome.reply) <= MAX_REPLY and len(outcome.transcript) <= MAX_TRANSCRIPT
    assert len(after_fault(claim(), "closed", "z" * 9000, long, PLAN)[0].reply) <= MAX_REPLY


@pytest.mark.parametrize(
    ("keywords", "size_limit", "mail", "fault"),
    [
        ({"SMTPUTF8", "8BITMIME"}, 0, Transaction("", ("ä@x.test",), b"x", True, True), None),
        ({"8BITMIME"}, 0, Transaction("", ("ä@x.test",), b"x", True, True), "no_smtputf8"),
        ({"SMTPUTF8"}, 0, Transaction("", ("a@x.test",), b"\xff", True), "no_8bitmime"),
        (set(), 10, Transaction("", ("a@x.test",), b"x" * 11), "too_large"),
        (set(), 10, Transaction("", ("a@x.test",), b"x" * 10), None),
        (set(), 0, Transaction("", ("a@x.test",), b"x" * 11), None),
    ],
)
def test_what_a_server_cannot_take(keywords: set[str], size_limit: int, mail: Transaction, fault: str | None) -> None:
    problem = inability(Capabilities(frozenset(keywords), size_limit), mail)
    assert (problem[0] if problem else None) == fault


def test_released_counts_nothing() -> None:
    assert (released(NOW, 5, "s").kind, released(NOW, 5, "s").retry_at, released(NOW, 5, "s").site) == (OutcomeKind.RELEASED, 5, "s")
    assert after_fault(claim(), "closed", "x", facts("mail"), PLAN)[0].scope is Scope.HOST
