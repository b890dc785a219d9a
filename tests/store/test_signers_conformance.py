"""The shelf of signing keys, on both databases."""

from estafette.clock import SECOND_US, ManualClock
from estafette.model import DkimKey
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store

NOW = 1_790_000_000 * SECOND_US


async def test_the_life_of_a_key(database_url: str) -> None:
    store = await open_store(database_url, StatusPolicy(), ManualClock())
    try:
        account = await store.add_account("acme", NOW)
        old = DkimKey("acme.test", "e1", "rsa-sha256", b"old")
        new, beside = DkimKey("acme.test", "e2", "rsa-sha256", b"new"), DkimKey("acme.test", "e3", "ed25519-sha256", b"ed")
        await store.add_dkim_key(account.id, old, NOW)
        assert await store.signers.add(account.id, new, NOW + 1) and await store.signers.add(account.id, beside, NOW + 2)
        assert not await store.signers.add(account.id, old, NOW + 3), "the selector is taken"
        assert await store.dkim_keys(account.id, "acme.test") == [old], "who waits does not sign"
        assert not await store.signers.drop(account.id, "acme.test", "e1"), "who signs is not deleted"

        assert await store.signers.switch(account.id, "acme.test", NOW + 9) == ("e2", "e3")
        assert await store.dkim_keys(account.id, "acme.test") == [beside, new]
        assert [(s.key.selector, s.state, s.since) for s in await store.signers.list(account.id, "acme.test")] == [
            ("e1", "retired", NOW + 9), ("e2", "signing", NOW + 9), ("e3", "signing", NOW + 9)]  # fmt: skip
        assert await store.signers.switch(account.id, "acme.test", NOW + 10) == ()
        assert await store.dkim_keys(account.id, "acme.test") == [beside, new], "nothing waits: nothing is retired"
        assert await store.signers.drop(account.id, "acme.test", "e1")
        assert await store.signers.list(account.id, "other.test") == []
    finally:
        await store.close()
