"""The shelf of tracking, consent, revocations and retention: one contract, two databases."""

from collections.abc import AsyncIterator

import pytest
from tests.store.test_conformance import NOW, new_message, new_submission, outcome

from estafette.app.retention import sweep
from estafette.clock import DAY_US, ManualClock
from estafette.config import Retention
from estafette.model import Account, OutcomeKind, Settlement
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.privacy import AccountPolicy, StoredConsent
from estafette.store.seam import Audit, Want

LANES = (100,) * 8


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


async def test_policies_and_consents(store: Database, account: Account) -> None:
    shelf = store.privacy
    assert await shelf.policy(account.id) == AccountPolicy()
    policy = AccountPolicy(opens="last_date", clicks=False, hides_client=True, content_days=3)
    await shelf.set_policy(account.id, AccountPolicy(opens="off"), NOW)
    await shelf.set_policy(account.id, policy, NOW)
    assert await shelf.policy(account.id) == policy
    await store.add_key(account.id, "k1", b"x" * 32, NOW)
    credential = await store.credential("k1")
    assert credential is not None and credential.account.hides_client

    assert not await shelf.has_consents(account.id)
    said = StoredConsent("jo@example.net", False, True, "form", NOW)
    await shelf.set_consent(account.id, StoredConsent("jo@example.net", True, True, "import", NOW - 1))
    await shelf.set_consent(account.id, said)
    assert await shelf.has_consents(account.id) and not await shelf.has_consents(account.id + 1)
    assert await shelf.consents(account.id, ["jo@example.net", "al@example.net"]) == {"jo@example.net": (False, True)}
    assert await shelf.list_consents(account.id) == [said] and await shelf.list_consents(account.id, after="jo@example.net") == []


async def test_revocations_end(store: Database, account: Account) -> None:
    made = await store.privacy.revoke(account.id, "host", "x.example", "why", NOW)
    assert await store.privacy.revocations(account.id) == [made]
    assert await store.privacy.revocations(account.id + 1) == []
    assert not await store.privacy.restore(account.id + 1, made.id, NOW)
    assert await store.privacy.restore(account.id, made.id, NOW)
    assert not await store.privacy.restore(account.id, made.id, NOW)
    assert await store.privacy.revocations(account.id) == []


async def test_retention_takes_the_content_first_and_the_message_last(store: Database, account: Account) -> None:
    """Unfinished mail is never touched, and accepted = final + queued holds at every step."""
    await store.accept(new_submission(account, new_message(1), new_message(2)))
    await store.accept(new_submission(account, new_message(3), new_message(4)))
    worker = await store.join("w", NOW, NOW + DAY_US)
    claims = await store.claim(worker.id, [Want("mx.example.net", LANES)], NOW)
    for claim in claims:
        if claim.message_id != 4:  # the second submission is not finished
            assert await store.settle(Settlement(claim, outcome(OutcomeKind.DELIVERED)))
    clock = ManualClock(NOW + 46 * DAY_US)
    assert await sweep(store, clock, Retention()) == (1, 0)
    assert set(await store.contents([1, 3])) == {3}
    assert await sweep(store, clock, Retention()) == (0, 0)
    late = ManualClock(NOW + 400 * DAY_US)
    assert await sweep(store, late, Retention()) == (0, 2)
    assert await store.message(1) is None and await store.timeline(1) == []
    assert await store.audit() == Audit(accepted=2, final=1, queued=1)
    await store.privacy.set_policy(account.id, AccountPolicy(event_days=10_000), NOW)
    assert await sweep(store, ManualClock(NOW + 5000 * DAY_US), Retention()) == (0, 0)
