"""Resources about accounts: `apikey`, `myprofile`, `user`. A main account sees its own keys and those of its sub-accounts."""

import hashlib
import ipaddress
from dataclasses import replace
from typing import Final

from estafette.accept.credentials import SCOPES
from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found, refused
from estafette.api.rest.reading import date, invalid, number_of, taken
from estafette.api.rest.resource import Filter, Found, Kind, Property, Resource, Row, Values, changing, shown
from estafette.parties import ApiKey

MAX_NETWORKS: Final = 100
MAX_KEYS: Final = 1000


def _key_row(one: ApiKey, secret: str = "") -> Row:
    is_active = one.is_active and one.is_account_active
    return {
        "ACL": "", "APIKey": one.key, "CreatedAt": date(one.created_at), "ID": one.id, "IsActive": is_active, "IsMaster": not one.parent_id,
        "Name": one.name or one.account_name, "Networks": list(one.networks), "QuarantineValue": 0, "RatePerSecond": one.rate_per_s, "RegionID": 0,
        "Runlevel": "Normal" if is_active else "Hardlock", "Scopes": list(one.scopes), "SecretKey": secret, "Skipspamd": True, "TrackHost": "",
        "UserID": one.account_id,
    }  # fmt: skip


async def _keys(call: Call) -> Found:
    rows = [_key_row(one) for one in await call.store.identities.keys(call.account_id)]
    kind = call.listing.get("KeyType")
    return arrange([row for row in rows if kind is None or row["IsMaster"] is (kind == "Main")], call.listing, ("IsActive", "IsMaster", "Name", "APIKey"))


async def _find(call: Call) -> ApiKey | None:
    number = number_of(call.key)
    return next((one for one in await call.store.identities.keys(call.account_id) if one.key == call.key or one.id == number), None)


async def _key(call: Call) -> Row | None:
    found = await _find(call)
    return _key_row(found) if found else None


def _must_be_whole(call: Call) -> None:
    """A key that is limited must not make one that is not."""
    if call.credential.scopes or call.credential.networks:
        raise refused("A key with scopes or networks of its own cannot look after keys.", 403)


def _scopes(values: Values, before: tuple[str, ...]) -> tuple[str, ...]:
    given = values.get("Scopes")
    if given is None:
        return before
    if any(one not in SCOPES for one in given):
        raise invalid({"Scopes": f"some of {', '.join(SCOPES)} are expected"})
    return tuple(scope for scope in SCOPES if scope in given)


def _networks(values: Values, before: tuple[str, ...]) -> tuple[str, ...]:
    given = values.get("Networks")
    if given is None:
        return before
    try:
        if len(given) > MAX_NETWORKS or not all(isinstance(one, str) for one in given):
            raise ValueError
        return tuple(dict.fromkeys(str(ipaddress.ip_network(one.strip(), strict=False)) for one in given))
    except ValueError:
        raise invalid({"Networks": f"at most {MAX_NETWORKS} networks are expected, as 192.0.2.0/24"}) from None


def _rate(values: Values, before: int) -> int:
    rate: int = values.get("RatePerSecond", before)
    if not 0 <= rate <= 1_000_000:
        raise invalid({"RatePerSecond": "0 (no limit) to 1,000,000 are expected"})
    return rate


async def _create(call: Call) -> Row:
    """A sub-account with its key; the secret is shown this once."""
    _must_be_whole(call)
    if call.account.parent_id:
        raise refused("A sub-account has no sub-accounts.", 403)
    if len(await call.store.identities.keys(call.account_id)) >= MAX_KEYS:
        raise refused(f"An account has at most {MAX_KEYS} keys.")
    scopes, networks, rate = _scopes(call.values, ()), _networks(call.values, ()), _rate(call.values, 0)
    name = call.values["Name"].strip()
    full = f"{call.account.name}/{name}"
    if not name or await call.store.account(full) is not None:
        raise taken("Apikey", "Name", name)
    made = await call.store.add_account(full, call.now, call.account_id)
    key, secret = call.desk.clock.token_bytes(16).hex(), call.desk.clock.token_bytes(32).hex()
    await call.store.add_key(made.id, key, hashlib.sha256(secret.encode("ascii")).digest(), call.now)
    found = await _find(replace(call, key=key))
    if found is None:
        raise not_found()
    changed = replace(found, name=name, is_active=call.values.get("IsActive", True), scopes=scopes, networks=networks, rate_per_s=rate)
    await call.store.identities.change_key(changed)
    return _key_row(changed, secret)


async def _update(call: Call) -> Row | None:
    _must_be_whole(call)
    before = await _find(call)
    if before is None:
        raise not_found()
    given = call.values
    after = replace(
        before, name=given.get("Name", before.name), is_active=given.get("IsActive", before.is_active), scopes=_scopes(given, before.scopes),
        networks=_networks(given, before.networks), rate_per_s=_rate(given, before.rate_per_s),
    )  # fmt: skip
    if before.key == call.credential.key and not after.is_active:
        raise refused("A key cannot switch itself off.")
    if after == before:
        return None
    await call.store.identities.change_key(after)
    return _key_row(after)


# -- myprofile and user -----------------------------------------------------------------------------------------------------

PROFILE: Final = (
    "AddressCity", "AddressCountry", "AddressPostalCode", "AddressState", "AddressStreet", "BillingEmail", "CompanyName", "CompanyNumOfEmployees",
    "ContactPhone", "EstimatedVolume", "Firstname", "Industry", "JobTitle", "Lastname", "VATNumber", "Website",
)  # fmt: skip
USER: Final = {"Email": "", "Locale": "en_US", "Timezone": "UTC", "Username": ""}


async def _profile_row(call: Call) -> Row:
    known, _ = await call.store.identities.profile(call.account_id)
    return {name: known.get(name, "") for name in PROFILE} | {
        "BirthdayAt": "", "Features": "", "ID": call.account_id, "UserID": call.account_id, "VAT": 0,
    }  # fmt: skip


async def _user_row(call: Call) -> Row:
    known, created_at = await call.store.identities.profile(call.account_id)
    return {name: known.get(name, default) for name, default in USER.items()} | {
        "ACL": "", "CreatedAt": date(created_at), "ID": call.account_id, "LastIp": "", "LastLoginAt": "", "MaxAllowedAPIKeys": MAX_KEYS,
        "WarnedRatelimitAt": "",
    }  # fmt: skip


async def _profiles(call: Call) -> Found:
    return arrange([await _profile_row(call)], call.listing)


async def _profile(call: Call) -> Row | None:
    return await _profile_row(call) if number_of(call.key) == call.account_id else None


async def _users(call: Call) -> Found:
    return arrange([await _user_row(call)], call.listing)


async def _user(call: Call) -> Row | None:
    row = await _user_row(call)
    return row if number_of(call.key) == call.account_id or (call.key and call.key == row["Email"]) else None


async def _set(call: Call) -> bool:
    known, _ = await call.store.identities.profile(call.account_id)
    after = known | call.values
    if after == known:
        return False
    await call.store.identities.set_profile(call.account_id, after)
    return True


async def _update_profile(call: Call) -> Row | None:
    if await _profile(call) is None:
        raise not_found()
    return await _profile_row(call) if await _set(call) else None


async def _update_user(call: Call) -> Row | None:
    if await _user(call) is None:
        raise not_found()
    return await _user_row(call) if await _set(call) else None


def _told(name: str) -> Property:
    return Property(name, Kind.STR, on_update=True)


RESOURCES: Final = (
    Resource("apikey", "API keys of the account and of its sub-accounts. POST makes a sub-account with its key.", (
        changing("Name", Kind.STR, "Of the sub-account.", is_required=True, max_length=100), changing("IsActive", Kind.BOOL, default=True),
        changing("Scopes", Kind.LIST, "Ours. Some of send, read, manage; empty: all.", default=[]),
        changing("Networks", Kind.LIST, "Ours. Networks that the key may be used from; empty: any.", default=[]),
        changing("RatePerSecond", Kind.INT, "Ours. Requests per second; 0: no limit.", default=0),
        shown("ACL", Kind.STR, "Always empty: see Scopes."), shown("APIKey", Kind.STR), shown("CreatedAt", Kind.DATE), shown("ID", Kind.INT),
        shown("IsMaster", Kind.BOOL, "A key of the main account."), shown("QuarantineValue", Kind.INT, "Always 0."), shown("RegionID", Kind.INT, "Always 0."),
        shown("Runlevel", Kind.STR, "Normal, or Hardlock: switched off."), shown("SecretKey", Kind.STR, "In the answer to POST only: it is not kept."),
        shown("Skipspamd", Kind.BOOL, "Always true."), shown("TrackHost", Kind.STR, "Always empty."), shown("UserID", Kind.INT, "The account."),
    ), (
        Filter("APIKey", Kind.STR), Filter("IsActive", Kind.BOOL), Filter("IsMaster", Kind.BOOL),
        Filter("KeyType", Kind.STR, choices=("Main", "Sub")), Filter("Name", Kind.STR),
    ), ("ID", "Name"), "APIKey", many=_keys, one=_key, create=_create, update=_update,
        note="Keys with scopes or networks of their own cannot look after keys. A change is in force within ten seconds."),
    Resource("myprofile", "What the customer tells of himself.", (
        *(_told(name) for name in PROFILE), shown("BirthdayAt", Kind.DATE, "Always empty."), shown("Features", Kind.STR, "Always empty."),
        shown("ID", Kind.INT), shown("UserID", Kind.INT), shown("VAT", Kind.INT, "Always 0."),
    ), (), (), many=_profiles, one=_profile, update=_update_profile),
    Resource("user", "The account as a person.", (
        *(_told(name) for name in USER), shown("ACL", Kind.STR), shown("CreatedAt", Kind.DATE), shown("ID", Kind.INT),
        shown("LastIp", Kind.STR, "Always empty."),
        shown("LastLoginAt", Kind.DATE, "Always empty."), shown("MaxAllowedAPIKeys", Kind.INT), shown("WarnedRatelimitAt", Kind.DATE, "Always empty."),
    ), (), ("ID",), "Email", many=_users, one=_user, update=_update_user),
)  # fmt: skip
