"""Whose tracking holds: the account's word over the installation's, a recipient's consent over both."""

from pathlib import Path

from estafette.clock import ManualClock
from estafette.deliver.tracking import CACHE_S, Measures
from estafette.mail.token import Keyring
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import CONSENT, Consent, Tracking
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.privacy import AccountPolicy, StoredConsent

DEFAULTS = Tracking("https://links.relay.test", Keyring(1, {1: b"k" * 32}), OpenMode.FULL, True)


async def test_the_accounts_word_and_the_recipients(tmp_path: Path) -> None:
    clock = ManualClock()
    store = await open_store(f"sqlite:///{tmp_path}/estafette.db", StatusPolicy(), clock)
    measures = Measures(store.privacy, clock, DEFAULTS)
    assert await measures.tracking(1) == DEFAULTS
    assert await measures.consent(1, "jo@example.net") == CONSENT
    account = await store.add_account("acme", 1)
    await store.privacy.set_policy(account.id, AccountPolicy(opens="last_date", clicks=False), 1)
    await store.privacy.set_consent(account.id, StoredConsent("jo@example.net", False, True, "", 1))
    assert await measures.tracking(account.id) == DEFAULTS  # a few seconds old at most
    clock.advance(CACHE_S + 1)
    mine = await measures.tracking(account.id)
    assert (mine.opens, mine.clicks, mine.url) == (OpenMode.LAST_DATE, False, DEFAULTS.url)
    assert await measures.consent(account.id, "Jo@Example.net") == Consent(opens=False, clicks=True)
    assert await measures.consent(account.id, "al@example.net") == CONSENT
    await store.close()
