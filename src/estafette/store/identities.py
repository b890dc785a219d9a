"""Shelf: what an account shows of itself and may write as: its keys, its profile, its senders and domains."""

from collections.abc import Mapping

import msgspec

from estafette.parties import ApiKey, Sender, SendingDomain
from estafette.store.accounts import words
from estafette.store.driver import Driver
from estafette.store.unit import Many, Row, Rows, Unit

MAX_SENDERS = 10_000


class Identities:
    """`store.identities`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    # -- keys
    async def keys(self, account_id: int) -> list[ApiKey]:
        """Of an account and of its sub-accounts, by id."""
        return await self._driver.read(lambda: _keys(account_id))

    async def change_key(self, key: ApiKey) -> None:
        """Name, whether it is active, scopes, networks and rate."""
        await self._driver.write(lambda: _change_key(key))

    async def profile(self, account_id: int) -> tuple[dict[str, object], int]:
        """(what the customer tells of himself, when the account was made)."""
        return await self._driver.read(lambda: _profile(account_id))

    async def set_profile(self, account_id: int, profile: Mapping[str, object]) -> None:
        """Replace it."""
        await self._driver.write(lambda: _set_profile(account_id, profile))

    # -- senders and domains
    async def senders(self, account_id: int) -> list[Sender]:
        """All, deleted ones too, by id."""
        return await self._driver.read(lambda: _senders(account_id))

    async def add_sender(self, sender: Sender) -> int:
        """The id of a new sender, or of one that was deleted and is there again; 0 when the account has it."""
        return await self._driver.write(lambda: _add_sender(sender))

    async def change_sender(self, sender: Sender) -> bool:
        """Name, kind, default (there is one), verified, deleted. A sender of a whole domain takes its domain along. False when there is none."""
        return await self._driver.write(lambda: _change_sender(sender))

    async def domains(self, account_id: int) -> list[SendingDomain]:
        """By id."""
        return await self._driver.read(lambda: _domains(account_id))

    async def checked(self, domain: SendingDomain) -> None:
        """Keep what a look at the DNS has found."""
        await self._driver.write(lambda: _checked(domain))


def _keys(account_id: int) -> Unit[list[ApiKey]]:
    rows = yield Rows("family_keys", (account_id,))
    return [ApiKey(r[0], r[1], r[2], r[3], bool(r[4]), words(r[5]), words(r[6]), r[7], r[8], r[9], bool(r[10]), r[11]) for r in rows]


def _change_key(key: ApiKey) -> Unit[None]:
    lists = (msgspec.json.encode(key.scopes).decode(), msgspec.json.encode(key.networks).decode())
    yield Many("key_change", [(key.id, key.name, int(key.is_active), *lists, key.rate_per_s)])


def _profile(account_id: int) -> Unit[tuple[dict[str, object], int]]:
    rows = yield Rows("profile_get", (account_id,))
    return msgspec.json.decode(rows[0][0], type=dict[str, object]), rows[0][1]


def _set_profile(account_id: int, profile: Mapping[str, object]) -> Unit[None]:
    yield Many("profile_set", [(account_id, msgspec.json.encode(profile).decode())])


def _sender(row: Row) -> Sender:
    return Sender(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]), bool(row[7]), row[8], row[9], row[10])


def _senders(account_id: int) -> Unit[list[Sender]]:
    return [_sender(row) for row in (yield Rows("senders", (account_id, MAX_SENDERS)))]


def _add_sender(s: Sender) -> Unit[int]:
    rows = yield Rows("sender_add", (s.account_id, s.address, s.address_key, s.name, s.kind, int(s.is_default), int(s.is_verified), s.created_at))
    if rows and s.is_default:
        yield Many("sender_default_clear", [(s.account_id, rows[0][0])])
    number: int = rows[0][0] if rows else 0
    return number


def _change_sender(s: Sender) -> Unit[bool]:
    if not (yield Rows("sender_change", (s.account_id, s.id, s.name, s.kind, int(s.is_default), int(s.is_verified), s.deleted_at))):
        return False
    if s.is_default:
        yield Many("sender_default_clear", [(s.account_id, s.id)])
    if s.domain:
        yield Many("domain_verify", [(s.account_id, s.domain, int(s.is_verified and s.deleted_at is None))])
    return True


def _domains(account_id: int) -> Unit[list[SendingDomain]]:
    return [SendingDomain(r[0], r[1], r[2], bool(r[3]), *r[4:]) for r in (yield Rows("sending_domains", (account_id,)))]


def _checked(d: SendingDomain) -> Unit[None]:
    yield Many("domain_checked", [(d.account_id, d.id, d.dkim_status, d.spf_status, d.dmarc_status, d.return_path_status, d.checked_at)])
