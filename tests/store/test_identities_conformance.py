"""The shelves of keys, senders, and domains, and the audit log, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from estafette.clock import SECOND_US, ManualClock
from estafette.parties import ApiKey, Sender
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store

NOW = 1_790_000_000 * SECOND_US


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


async def test_keys_of_a_family(store: Database) -> None:
    main = await store.add_account("acme", NOW)
    sub = await store.add_account("acme-shop", NOW, main.id)
    other = await store.add_account("other", NOW)
    for account, key in ((main, "k1"), (sub, "k2"), (other, "k3")):
        await store.add_key(account.id, key, b"x" * 32, NOW)
    keys = await store.identities.keys(main.id)
    assert keys[0] == ApiKey(keys[0].id, main.id, "k1", created_at=NOW, account_name="acme")
    assert [(k.key, k.parent_id) for k in keys] == [("k1", 0), ("k2", main.id)]
    assert [k.key for k in await store.identities.keys(sub.id)] == ["k2"]

    changed = replace(keys[1], name="Shop", is_active=False, scopes=("send",), networks=("192.0.2.0/24",), rate_per_s=5)
    await store.identities.change_key(changed)
    assert (await store.identities.keys(main.id))[1] == changed
    found = await store.credential("k2")
    assert found is not None
    assert (found.scopes, found.networks, found.rate_per_s, found.is_active, found.account) == (("send",), ("192.0.2.0/24",), 5, False, sub)

    assert await store.identities.profile(main.id) == ({}, NOW)
    await store.identities.set_profile(main.id, {"Firstname": "Zoé"})
    assert await store.identities.profile(main.id) == ({"Firstname": "Zoé"}, NOW)


async def test_senders_and_their_domains(store: Database) -> None:
    account = await store.add_account("acme", NOW)
    shelf = store.identities
    await store.add_sender(account.id, "jo@x.test", True, NOW)
    await store.add_domain(account.id, "acme.test", False, "token", NOW)
    wanted = Sender(0, account.id, "News@x.test", "news@x.test", "News", "bulk", is_default=True, created_at=NOW)
    number = await shelf.add_sender(wanted)
    assert number > 0 and await shelf.add_sender(wanted) == 0
    jo, whole, news = await shelf.senders(account.id)
    [domain] = await shelf.domains(account.id)
    assert (jo.address_key, jo.is_verified, jo.domain) == ("jo@x.test", True, "")
    assert (whole.address, whole.is_verified, whole.domain, whole.domain_id) == ("*@acme.test", False, "acme.test", domain.id)
    assert news == replace(wanted, id=number)
    assert (await store.authors(account.id)).domains == frozenset()

    assert await shelf.change_sender(replace(whole, is_verified=True, is_default=True))
    assert (await store.authors(account.id)).domains == {"acme.test"}
    assert [s.is_default for s in await shelf.senders(account.id)] == [False, True, False]
    assert await shelf.change_sender(replace(whole, is_verified=True, deleted_at=NOW))
    assert await shelf.change_sender(replace(jo, deleted_at=NOW))
    authors = await store.authors(account.id)
    assert (authors.addresses, authors.domains) == (frozenset(), frozenset())
    assert await shelf.add_sender(replace(jo, id=0, is_verified=False)) == jo.id, "a deleted one comes back, unverified"
    assert not await shelf.change_sender(replace(jo, account_id=account.id + 1))

    await store.add_domain(account.id, "acme.test", True, "other", NOW)
    assert (await store.authors(account.id)).domains == {"acme.test"}
    checked = replace(domain, is_verified=True, dkim_status="OK", spf_status="Error", dmarc_status="Not found", return_path_status="OK", checked_at=NOW)
    await shelf.checked(checked)
    assert await shelf.domains(account.id) == [checked]


async def test_the_audit_log_is_read_upward(store: Database) -> None:
    for account in (1, 2, 1):
        await store.users.note(account, "key k1", NOW + account, "POST", f"contact/{account}")
    found = await store.users.audit_log()
    assert [(e.account_id, e.user_name, e.action, e.object) for e in found] == [(n, "key k1", "POST", f"contact/{n}") for n in (1, 2, 1)]
    assert [entry.id for entry in await store.users.audit_log(1, after=found[0].id)] == [found[2].id]
