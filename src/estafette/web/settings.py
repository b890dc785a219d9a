"""S17, the settings of an account: keys, users and roles, webhooks with their log, tracking, retention, the audit log; and the installation's users."""

import hashlib
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from starlette.responses import Response

from estafette.config import Config
from estafette.nouns import WEBHOOK_TYPES
from estafette.store.screens import NEWEST
from estafette.views import Role
from estafette.web.desk import Refused, Visit
from estafette.web.first_admin import fresh_password
from estafette.web.permissions import May, may_give
from estafette.web.rendering import ROOT
from estafette.webguard import read_target

TABS: Final = {"keys": May.KEYS, "users": May.USERS, "webhooks": May.KEYS, "tracking": May.READ, "retention": May.READ, "audit": May.USERS}
AUDIT_PAGE: Final = 100
MAX_NAME: Final = 255
MAX_DAYS: Final = 36_500
UNREADABLE: Final = -1
OPENS: Final = ("", "full", "last_date", "off")
SWITCH: Final = {"": None, "yes": True, "no": False}
"""What a choice means; nothing chosen is what the installation does."""


async def settings(visit: Visit) -> Response:
    """The first part that the visitor may see."""
    return visit.go(visit.url("settings/" + next(tab for tab, needs in TABS.items() if visit.may(needs))))


async def part(visit: Visit) -> Response:
    """One part."""
    return await _part(visit, str(visit.request.path_params["tab"]))


async def _part(visit: Visit, tab: str, status: int = 200, problem: str = "", **told: str) -> Response:
    needs = TABS.get(tab)
    if needs is None:
        raise Refused(404)
    visit.need(needs)
    store, account_id = visit.store, visit.account_id
    shown: dict[str, object] = {"secret": "", "key": "", "password": "", "name": "", **told}
    if tab == "keys":
        shown["keys"] = await store.screens.keys(account_id)
    elif tab == "users":
        shown["members"] = await store.users.members(account_id)
        shown["roles"] = [role for role in Role if visit.membership and may_give(visit.membership.role, role)]
    elif tab == "webhooks":
        hooks = await store.webhooks.all_of(account_id)
        shown |= {"hooks": hooks, "waiting": await store.webhooks.waiting([h.id for h in hooks]), "calls": await store.webhooks.calls(account_id, limit=50),
                  "types": WEBHOOK_TYPES,
                  "urls": {h.id: shown_url(h.url) for h in hooks}}  # fmt: skip
    elif tab in ("tracking", "retention"):
        shown["policy"] = await store.privacy.policy(account_id)
    elif tab == "audit":
        before = visit.number(visit.query("before", 20)) or NEWEST
        entries = await store.users.audit(account_id, before, AUDIT_PAGE + 1)
        shown |= {"entries": entries[:AUDIT_PAGE], "older": visit.url("settings/audit", before=entries[AUDIT_PAGE - 1].id) if len(entries) > AUDIT_PAGE else ""}
    tabs = [name for name, required in TABS.items() if visit.may(required)]
    return visit.page("settings.html", status, tab=tab, tabs=tabs, problem=problem, config=_facts(visit.desk.config), **shown)


def _facts(config: Config) -> dict[str, object]:
    """What the operator has set, which an account may only read."""
    return {
        "opens": config.tracking.opens, "clicks": config.tracking.clicks, "tracking_url": config.tracking.url, "keep_addresses": config.tracking.keep_addresses,
        "content_days": config.retention.content_days, "event_days": config.retention.event_days, "hard_days": config.blocking.hard_bounce_days,
        "soft_days": config.blocking.soft_bounce_days, "smtp": ", ".join(str(e) for e in config.submission.listen + config.submission.tls_listen),
        "http": config.http.public_url,
    }  # fmt: skip


async def change_keys(visit: Visit) -> Response:
    """Make a key, whose secret is shown this once, or switch one."""
    if visit.given("order") == "add":
        clock = visit.desk.clock
        key, secret = clock.token_bytes(16).hex(), clock.token_bytes(32).hex()
        await visit.store.add_key(visit.account_id, key, hashlib.sha256(secret.encode("ascii")).digest(), visit.now)
        await visit.note("key.add", key)
        return await _part(visit, "keys", 200, "", key=key, secret=secret)
    key = visit.given("key", 64)
    if key not in {row.key for row in await visit.store.screens.keys(visit.account_id)}:
        raise Refused(404)
    is_active = _is_on(visit)
    await visit.store.switch_key(key, is_active)
    await visit.note("key.on" if is_active else "key.off", key)
    return visit.go(visit.url("settings/keys"), "key_switched")


async def change_users(visit: Visit) -> Response:
    """Give somebody a role, who is made when nobody has that name, or take one away. Nobody touches a role that he could not give."""
    assert visit.membership is not None and visit.sign_in is not None
    own, order = visit.membership.role, visit.given("order")
    name = visit.given("name", MAX_NAME).lower()
    members = {user.name: role for user, role in await visit.store.users.members(visit.account_id)}
    if name in members and not may_give(own, members[name]):
        raise Refused(403)
    lock = await visit.store.users.lock(name)
    if order == "take":
        if lock is None or not await visit.store.users.drop_role(lock.user.id, visit.account_id):
            raise Refused(404)
        await visit.note("role.take", name)
        return visit.go(visit.url("settings/users"), "role_taken")
    role = next((r for r in Role if r.value == visit.given("role")), None)
    if order != "give" or role is None or not may_give(own, role) or not name or not name.isprintable():
        raise Refused(400)
    password = ""
    if lock is None:
        password = fresh_password(visit.desk.clock)
        await visit.store.users.add(name, await visit.desk.passwords.hash(password), visit.now)
        lock = await visit.store.users.lock(name)
        await visit.note("user.add", name)
    assert lock is not None
    await visit.store.users.set_role(lock.user.id, visit.account_id, role)
    await visit.note("role.give", name, role.value)
    if password:
        return await _part(visit, "users", 200, "", name=name, password=password)
    return visit.go(visit.url("settings/users"), "role_given")


async def change_webhooks(visit: Visit) -> Response:
    """Add or remove a webhook."""
    hooks = visit.store.webhooks
    if visit.given("order") == "remove":
        number = visit.number(visit.given("id", 20))
        if not number or not await hooks.remove(visit.account_id, number):
            raise Refused(404)
        await visit.note("webhook.remove", str(number))
        return visit.go(visit.url("settings/webhooks"), "webhook_deleted")
    kind, url = visit.given("type"), visit.given("url", 2000)
    if kind not in WEBHOOK_TYPES:
        raise Refused(400)
    try:
        read_target(url)
    except ValueError as error:
        return await _part(visit, "webhooks", 422, str(error))
    made = await hooks.add(visit.account_id, kind, url, 2 if visit.given("grouped") else 1, visit.now)
    if made is None:
        return await _part(visit, "webhooks", 422, "taken")
    await visit.note("webhook.add", kind, shown_url(url))
    return visit.go(visit.url("settings/webhooks"), "webhook_saved")


async def change_tracking(visit: Visit) -> Response:
    """What is measured of mail that is sent from now on (workers know within ten seconds)."""
    opens, clicks, text_links, hides_client = (visit.given(name, 20) for name in ("opens", "clicks", "text_links", "hides_client"))
    if opens not in OPENS or not {clicks, text_links, hides_client} <= SWITCH.keys():
        raise Refused(400)
    policy = await visit.store.privacy.policy(visit.account_id)
    changed = replace(policy, opens=opens or None, clicks=SWITCH[clicks], text_links=SWITCH[text_links], hides_client=SWITCH[hides_client])
    await visit.store.privacy.set_policy(visit.account_id, changed, visit.now)
    said = {"opens": opens, "clicks": clicks, "text": text_links, "client": hides_client}
    await visit.note("tracking.set", "", " ".join(f"{name}={value or 'default'}" for name, value in said.items()))
    return visit.go(visit.url("settings/tracking"), "privacy_saved")


async def change_retention(visit: Visit) -> Response:
    """How long contents and events are kept; what is older goes with the next sweep, for ever."""
    content, events = _days(visit.given("content_days", 10), 0), _days(visit.given("event_days", 10), 1)
    if content is UNREADABLE or events is UNREADABLE:
        return await _part(visit, "retention", 422, "days")
    policy = await visit.store.privacy.policy(visit.account_id)
    await visit.store.privacy.set_policy(visit.account_id, replace(policy, content_days=content, event_days=events), visit.now)
    await visit.note("retention.set", "", f"content={'default' if content is None else content} events={'default' if events is None else events}")
    return visit.go(visit.url("settings/retention"), "privacy_saved")


def _days(text: str, least: int) -> int | None:
    """A number of days; None for an empty field: as the installation has it."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= MAX_DAYS:
        return UNREADABLE
    return int(text)


async def all_users(visit: Visit) -> Response:
    """Everybody who can sign in; for administrators of the installation."""
    assert visit.sign_in is not None
    if not visit.sign_in.user.is_admin:
        raise Refused(404)
    return visit.page("users.html", users=await visit.store.users.everybody(), entries=await visit.store.users.audit(0, NEWEST, 50))


async def change_user(visit: Visit) -> Response:
    """Let somebody in or shut him out; not oneself."""
    assert visit.sign_in is not None
    if not visit.sign_in.user.is_admin:
        raise Refused(404)
    lock = await visit.store.users.lock(visit.given("name", MAX_NAME).lower())
    if lock is None or lock.user.id == visit.sign_in.user.id:
        raise Refused(400)
    is_active = _is_on(visit)
    await visit.store.users.switch(lock.user.id, is_active=is_active)
    await visit.note("user.on" if is_active else "user.off", lock.user.name)
    return visit.go(f"{ROOT}/users")


def _is_on(visit: Visit) -> bool:
    """What a switch is put to; an order that nobody knows changes nothing."""
    order = visit.given("order")
    if order not in ("on", "off"):
        raise Refused(400)
    return order == "on"


def shown_url(url: str) -> str:
    """An address without the user and the password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
