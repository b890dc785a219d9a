"""Units: accounts, API keys, authors, signing keys."""

import msgspec

from estafette.model import Account, AfterUncertain, Authors, Credential, DkimKey
from estafette.store.unit import Many, Row, Rows, Unit


def _account(row: Row) -> Account:
    hides_client = len(row) > 8 and bool(row[8])
    return Account(row[0], row[1], bool(row[2]), row[3], bool(row[4]), AfterUncertain(row[5]), bool(row[6]), row[7], hides_client)


def add_account(name: str, now: int, parent_id: int) -> Unit[Account]:
    return _account((yield Rows("account_put", (name, now, parent_id)))[0])


def account(name: str) -> Unit[Account | None]:
    rows = yield Rows("account_get", (name,))
    return _account(rows[0]) if rows else None


def accounts() -> Unit[list[Account]]:
    return [_account(row) for row in (yield Rows("accounts"))]


def configure_account(account_id: int, is_active: bool | None, rate_per_s: int | None, after_uncertain: AfterUncertain | None,
                      failure_reports: bool | None, require_tls: bool | None) -> Unit[Account]:  # fmt: skip
    active, reports, tls = (None if flag is None else int(flag) for flag in (is_active, failure_reports, require_tls))
    return _account((yield Rows("account_set", (account_id, active, rate_per_s, after_uncertain, reports, tls)))[0])


def switch_key(key: str, is_active: bool) -> Unit[bool]:
    return bool((yield Rows("key_set", (key, int(is_active)))))


def keys(account_id: int) -> Unit[list[tuple[str, bool]]]:
    return [(key, bool(is_active)) for key, is_active in (yield Rows("keys", (account_id,)))]


def add_key(account_id: int, key: str, secret_sha256: bytes, now: int) -> Unit[None]:
    yield Many("key_put", [(key, account_id, secret_sha256, now)])


def credential(key: str) -> Unit[Credential | None]:
    rows = yield Rows("key_get", (key,))
    if not rows:
        return None
    key, secret, is_active, scopes, networks, rate_per_s, *owner = rows[0]
    return Credential(key, bytes(secret), _account(tuple(owner)), bool(is_active), words(scopes), words(networks), rate_per_s)


def words(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])


def add_sender(account_id: int, address_key: str, is_verified: bool, now: int) -> Unit[None]:
    yield Many("sender_put", [(account_id, address_key, int(is_verified), now)])


def add_domain(account_id: int, domain: str, is_verified: bool, ownership_token: str, now: int) -> Unit[str]:
    token: str = (yield Rows("domain_put", (account_id, domain, int(is_verified), ownership_token, now)))[0][0]
    yield Many("sender_of_domain_put", [(account_id, f"*@{domain}", int(is_verified), now)])
    return token


def authors(account_id: int) -> Unit[Authors]:
    addresses = yield Rows("author_addresses", (account_id,))
    domains = yield Rows("author_domains", (account_id,))
    return Authors(frozenset(a for (a,) in addresses), frozenset(d for (d,) in domains))


def add_dkim_key(account_id: int, key: DkimKey, now: int) -> Unit[None]:
    yield Many("dkim_put", [(account_id, key.domain, key.selector, key.algorithm, key.sealed_private_key, now)])


def dkim_keys(account_id: int, domain: str) -> Unit[list[DkimKey]]:
    return [DkimKey(row[0], row[1], row[2], bytes(row[3])) for row in (yield Rows("dkim_get", (account_id, domain)))]
