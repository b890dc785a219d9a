"""Who is at the door: right and wrong secrets, what is remembered, and how guessing is slowed down."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from estafette.accept import credentials
from estafette.accept.credentials import CACHE_S, FORGET_S, FREE_FAILURES, MAX_DELAY_S, Doorkeeper, Failures, delay_s, is_from, network_of
from estafette.clock import ManualClock
from estafette.mail.address import parse_mailbox
from estafette.model import Account, Credential
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import StoreFault
from tests.deliver.road import Shaky

NOW = 1_790_000_000_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_store(f"sqlite:///{tmp_path}/estafette.db", StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    made = await store.add_account("acme", NOW)
    await store.add_key(made.id, "key", hashlib.sha256(b"secret").digest(), NOW)
    return made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long answers were held back."""
    found: list[float] = []

    async def nap(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(credentials.asyncio, "sleep", nap)
    return found


async def test_right_and_wrong(store: Database, account: Account, clock: ManualClock) -> None:
    keeper = Doorkeeper(store, clock)
    found = await keeper.login("key", "secret", "192.0.2.1")
    assert found is not None and found.id == account.id
    for key, secret in (("key", "Secret"), ("key", ""), ("nobody", "secret"), ("", ""), ("key", "\udcff"), ("KEY", "secret")):
        assert await keeper.login(key, secret, "192.0.2.1") is None


async def test_what_is_switched_off_stops_within_seconds(store: Database, account: Account, clock: ManualClock, naps: list[float]) -> None:
    keeper = Doorkeeper(store, clock)
    assert await keeper.login("key", "secret", "192.0.2.1") is not None
    await store.switch_key("key", False)
    clock.advance(CACHE_S + 1)
    assert await keeper.login("key", "secret", "192.0.2.1") is None
    assert await keeper.is_suspended("key", "secret") and not await keeper.is_suspended("key", "wrong")
    assert await keeper.account_of("key") is None
    await store.switch_key("key", True)
    await store.configure_account(account.id, is_active=False)
    clock.advance(CACHE_S + 1)
    assert await keeper.login("key", "secret", "192.0.2.1") is None and await keeper.account_of("key") is None
    assert naps == []  # nobody is guessing


async def test_a_key_that_was_just_made_works_at_once(store: Database, account: Account, clock: ManualClock) -> None:
    keeper = Doorkeeper(store, clock)
    assert await keeper.login("new", "s", "192.0.2.1") is None
    await store.add_key(account.id, "new", hashlib.sha256(b"s").digest(), NOW)
    assert await keeper.login("new", "s", "192.0.2.1") is not None


async def test_the_store_is_asked_once_in_a_while(store: Database, account: Account, clock: ManualClock) -> None:
    shaky = Shaky(store)
    keeper = Doorkeeper(shaky, clock)  # type: ignore[arg-type]
    for _ in range(20):
        assert await keeper.login("key", "secret", "192.0.2.1") is not None
    assert shaky.calls == ["credential"]
    clock.advance(CACHE_S + 1)
    shaky.fail("credential", StoreFault("gone"))
    with pytest.raises(StoreFault):
        await keeper.login("key", "secret", "192.0.2.1")


@pytest.mark.parametrize(
    ("failures", "now_s", "expected"),
    [
        (None, 0.0, 0.0),
        (Failures(FREE_FAILURES, 0.0), 1.0, 0.0),
        (Failures(FREE_FAILURES + 1, 0.0), 1.0, 0.5),
        (Failures(FREE_FAILURES + 2, 0.0), 1.0, 1.0),
        (Failures(FREE_FAILURES + 5, 0.0), 1.0, 8.0),
        (Failures(FREE_FAILURES + 9, 0.0), 1.0, MAX_DELAY_S),
        (Failures(10**9, 0.0), 1.0, MAX_DELAY_S),
        (Failures(10**9, 0.0), FORGET_S + 1.0, 0.0),
    ],
)
def test_delays(failures: Failures | None, now_s: float, expected: float) -> None:
    assert delay_s(failures, now_s) == expected


async def test_guessing_gets_slower_and_the_rightful_user_is_not_locked_out(store: Database, account: Account, clock: ManualClock, naps: list[float]) -> None:
    keeper = Doorkeeper(store, clock)
    for _ in range(8):
        assert await keeper.login("key", "guess", "192.0.2.1") is None
    assert naps == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert await keeper.login("key", "secret", "192.0.2.200") is not None and len(naps) == 5  # also from the same network
    await keeper.login("key", "guess", "192.0.2.200")  # which counts as one
    assert naps[-1] == 16.0
    await keeper.login("key", "guess", "198.51.100.1")  # another does not suffer
    assert len(naps) == 6
    clock.advance(FORGET_S + 1)
    await keeper.login("key", "guess", "192.0.2.1")
    assert len(naps) == 6


async def test_what_is_remembered_is_bounded(store: Database, account: Account, clock: ManualClock, naps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "MAX_ENTRIES", 50)
    keeper = Doorkeeper(store, clock)
    for n in range(200):
        await keeper.login(f"guess{n}", "x", "192.0.2.1")
    assert len(keeper._failures) <= 50


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),  # IPv4 through an IPv6 socket: not one network for the whole of it
        ("unix", "unix"),
    ],
)
def test_networks(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_authors(store: Database, account: Account, clock: ManualClock) -> None:
    keeper = Doorkeeper(store, clock)
    author = parse_mailbox("News <news@sender.example>")
    assert not await keeper.may_write_as(account.id, author)
    await store.add_domain(account.id, "sender.example", True, "t", NOW)
    assert await keeper.may_write_as(account.id, author)  # no need to wait for the cache
    assert not await keeper.may_write_as(account.id, parse_mailbox("a@sub.sender.example"))
    assert not await keeper.may_write_as(account.id + 1, author)
    await store.add_sender(account.id, "one@other.example", True, NOW)
    assert await keeper.may_write_as(account.id, parse_mailbox("ONE@Other.example"))
    assert not await keeper.may_write_as(account.id, parse_mailbox("x@other.example"))


@pytest.mark.parametrize(("networks", "peer", "is_allowed"), [
    ((), "unknown", True), (("192.0.2.0/24",), "192.0.2.9", True), (("192.0.2.0/24",), "192.0.3.9", False), (("192.0.2.0/24",), "::ffff:192.0.2.9", True),
    (("2001:db8::/32", "192.0.2.1/32"), "2001:db8::7", True), (("2001:db8::/32",), "192.0.2.1", False), (("192.0.2.0/24",), "unknown", False),
])  # fmt: skip
def test_networks_of_a_key(networks: tuple[str, ...], peer: str, is_allowed: bool) -> None:
    assert is_from(Credential("k", b"", Account(1, "a"), True, networks=networks), peer) is is_allowed


@pytest.mark.parametrize(("scopes", "may_send"), [((), True), (("send",), True), (("read", "manage"), False)])
async def test_only_a_key_for_sending_logs_in_to_send(store: Database, scopes: tuple[str, ...], may_send: bool) -> None:
    account = await store.add_account("sender", NOW)
    await store.add_key(account.id, "k", hashlib.sha256(b"s").digest(), NOW)
    key = next(one for one in await store.identities.keys(account.id) if one.key == "k")
    await store.identities.change_key(replace(key, scopes=scopes))
    assert (await Doorkeeper(store, ManualClock()).login("k", "s", "192.0.2.1") is not None) is may_send
