"""Failure reports that are due, on both databases: written with the outcome, gone with the acceptance of the report, only where the submitter is to be told."""

from dataclasses import replace

import pytest
from tests.store.test_conformance import NOW, UNKNOWN, account, claim_all, new_message, new_submission, outcome, store

from estafette.clock import DAY_US, SECOND_US
from estafette.model import Account, Door, EventKind, Options, OutcomeKind, Reason, Settlement, State
from estafette.store.database import Database

__all__ = ["account", "store"]

BOUNCED = outcome(OutcomeKind.BOUNCED, reply="550 5.1.1 nobody", code=550, enhanced="5.1.1", reason=UNKNOWN, is_permanent=True)
DELIVERED = outcome(OutcomeKind.DELIVERED)


@pytest.fixture
async def wanting(store: Database, account: Account) -> Account:
    return await store.configure_account(account.id, failure_reports=True)


async def due(store: Database) -> list[tuple[int, str]]:
    return [(report.message_id, report.action) for report in await store.reports.due(10)]


async def settle_all(store: Database, **by_number: object) -> None:
    for claim in await claim_all(store):
        assert await store.settle(Settlement(claim, by_number.get(f"m{claim.message_id}", BOUNCED)))  # type: ignore[arg-type]


async def test_a_report_knows_what_is_to_be_told(store: Database, wanting: Account) -> None:
    asked = new_message(1, notify="FAILURE", orcpt="rfc822;r1+2Bx@example.net")
    await store.accept(new_submission(wanting, asked, options=Options(ret="HDRS", envid="abc")))
    await settle_all(store)
    (report,) = await store.reports.due(10)
    assert (report.message_id, report.action, report.status, report.host, report.reply) == (1, "failed", "5.1.1", "mx.example.net", "550 5.1.1 nobody")
    assert (report.recipient, report.orcpt, report.reverse_path) == ("r1@example.net", "rfc822;r1+2Bx@example.net", "back@acme.test")
    assert (report.options.ret, report.options.envid, report.account.id, report.account.name) == ("HDRS", "abc", wanting.id, "acme")
    assert (report.at, report.accepted_at, report.submission_id) == (NOW + SECOND_US, NOW, 1)
    await store.reports.drop(1, "failed")
    assert await due(store) == []


@pytest.mark.parametrize(
    ("notify", "settled", "expected"),
    [
        ("", BOUNCED, ["failed"]),
        ("", replace(BOUNCED, is_permanent=False), ["failed"]),
        ("", outcome(OutcomeKind.BLOCKED, reason=Reason("recipient", "preblocked")), ["failed"]),
        ("", outcome(OutcomeKind.DEFERRED, retry_at=NOW + DAY_US), []),
        ("", DELIVERED, []),
        ("NEVER", BOUNCED, []),
        ("SUCCESS", BOUNCED, []),
        ("DELAY", BOUNCED, []),
        ("SUCCESS,FAILURE", BOUNCED, ["failed"]),
        ("SUCCESS", DELIVERED, ["relayed"]),
        ("FAILURE", DELIVERED, []),
    ],
)
async def test_what_is_told_of(store: Database, wanting: Account, notify: str, settled: object, expected: list[str]) -> None:
    await store.accept(new_submission(wanting, new_message(1, notify=notify)))
    await settle_all(store, m1=settled)
    assert [action for _, action in await due(store)] == expected


async def test_who_is_not_told(store: Database, account: Account) -> None:
    await store.accept(new_submission(account, new_message(1)))  # the account does not want it
    await settle_all(store)
    wanting = await store.configure_account(account.id, failure_reports=True)
    await store.accept(new_submission(wanting, new_message(2), reverse_path=""))  # null: RFC 3464 2
    await store.accept(new_submission(wanting, new_message(3), door=Door.HTTP))  # the answer and the status are the report
    await store.accept(new_submission(wanting, new_message(4), door=Door.REPORT))
    await settle_all(store)
    assert await due(store) == []
    assert (await store.configure_account(account.id, failure_reports=False)).failure_reports is False


async def test_what_was_blocked_at_the_door_is_told_of_but_no_second_copy_that_was_not_wanted(store: Database, wanting: Account) -> None:
    blocked = new_message(1, state=State.BLOCKED, reason=Reason("domain", "typofix"))
    await store.accept(new_submission(wanting, blocked))
    once = Options(campaign="spring", deduplicate=True)
    await store.accept(new_submission(wanting, new_message(2, "a@example.net"), options=once))
    await store.accept(new_submission(wanting, new_message(3, "a@example.net"), options=once))
    assert (await store.message(3)).state is State.BLOCKED  # type: ignore[union-attr]
    assert await due(store) == [(1, "failed")]


async def test_what_is_given_up_and_what_comes_back_late_is_told_of_once(store: Database, wanting: Account) -> None:
    await store.accept(new_submission(wanting, new_message(1), new_message(2)))
    claims = await claim_all(store)
    await store.settle(Settlement(claims[0], DELIVERED))
    await store.settle(Settlement(claims[1], outcome(OutcomeKind.DEFERRED, retry_at=NOW + DAY_US)))
    await store.expire(NOW + 4 * DAY_US, 10)
    assert await due(store) == [(2, "failed")]
    for _ in range(2):
        await store.record(1, EventKind.HARD_BOUNCED, NOW + 5 * SECOND_US, "550 nobody after all", {}, UNKNOWN)
    assert sorted(await due(store)) == [(1, "failed"), (2, "failed")]


async def test_a_report_is_accepted_once_whoever_makes_it(store: Database, wanting: Account) -> None:
    await store.accept(new_submission(wanting, new_message(1)))
    await settle_all(store)
    reports = [new_submission(wanting, new_message(n, "back@acme.test"), reverse_path="", door=Door.REPORT, report_on=(1, "failed")) for n in (2, 3)]
    first, second = [await store.accept(report) for report in reports]
    assert len(first.messages) == 1 and first.replayed_answer is None
    assert second.messages == () and second.replayed_answer == b""
    assert await due(store) == [] and await store.message(3) is None
    audit = await store.audit()
    assert audit.accepted == audit.final + audit.queued == 2
