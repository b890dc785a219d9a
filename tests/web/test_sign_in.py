"""Who gets in, who does not, and what a session is worth."""

from estafette.clock import SECOND_US
from estafette.model import Account
from estafette.views import Role
from estafette.web import totp, trust
from tests.web.conftest import HASH, ORIGIN, PASSWORD, Site, text_of


async def test_a_page_sends_to_the_sign_in_and_back(site: Site) -> None:
    asked = await site.client.get(site.at("activity?status=blocked"))
    assert asked.status_code == 303 and asked.headers["location"].startswith("/app/sign-in?next=")
    page = await site.get(asked.headers["location"])
    assert page.css_first("input[name=next]").attributes["value"] == site.at("activity?status=blocked")
    answer = await site.sign_in(next=site.at("activity?status=blocked"))
    assert (answer.status_code, answer.headers["location"]) == (303, site.at("activity?status=blocked"))
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    page = await site.get(site.at("activity"))
    assert len(page.css("h1")) == 1


async def test_what_is_wrong_is_refused_alike_and_slowed_down(site: Site) -> None:
    for name, password in [("ada", "wrong"), ("nobody", PASSWORD), ("", "")]:
        answer = await site.sign_in(name, password)
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    for _ in range(3):
        await site.sign_in("ada", "wrong")
    answer = await site.sign_in()
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1, "the right password must wait, too: it might be guessed next"
    site.clock.advance(60)
    assert (await site.sign_in()).status_code == 303


async def test_a_form_from_elsewhere_changes_nothing(inside: Site) -> None:
    token = await inside.csrf()
    for headers, fields in [
        ({"Origin": "https://evil.test"}, {"csrf": token}), ({}, {"csrf": token}), ({"Origin": "null"}, {"csrf": token}),
        ({"Origin": ORIGIN}, {"csrf": "0" * 64}), ({"Origin": ORIGIN}, {}), ({"Sec-Fetch-Site": "cross-site"}, {"csrf": token}),
    ]:  # fmt: skip
        answer = await inside.client.post(inside.at("blocks"), data={"order": "add", "address": "a@b.test", "reason": "x", **fields}, headers=headers)
        assert answer.status_code == 403, (headers, fields)
    answer = await inside.client.post(inside.at("blocks"), content=b"{}", headers={"Origin": ORIGIN, "Content-Type": "application/json"})
    assert answer.status_code == 400
    assert await inside.store.screens.blocks(inside.account.id, inside.clock.now_us()) == []
    answer = await inside.client.post("/app/sign-in", data={"name": "ada", "password": PASSWORD, "next": "/app/"})
    assert answer.status_code == 403, "nobody is signed in by another site"


async def test_the_second_factor(inside: Site) -> None:
    page = await inside.post("/app/me", order="totp_begin", password=PASSWORD)
    secret_text = page.text.split('id="totp">')[1].split("<")[0]
    sealed = page.text.split('name="sealed" value="')[1].split('"')[0]
    import base64

    secret = base64.b32decode(secret_text.replace(" ", ""))
    now_s = inside.clock.now_us() // SECOND_US
    wrong = await inside.post("/app/me", order="totp_on", password=PASSWORD, sealed=sealed, code="000000")
    assert wrong.status_code == 422
    done = await inside.post("/app/me", order="totp_on", password=PASSWORD, sealed=sealed, code=totp.code_at(secret, now_s // totp.STEP_S))
    assert done.status_code == 303
    await inside.post("/app/sign-out")
    assert (await inside.sign_in()).status_code == 401, "the password alone is not enough now"
    code = totp.code_at(secret, now_s // totp.STEP_S)
    assert (await inside.sign_in(code=code)).status_code == 303
    await inside.post("/app/sign-out")
    assert (await inside.sign_in(code=code)).status_code == 401, "a code works once"


def test_totp_as_rfc_6238_has_it() -> None:
    """Appendix B, SHA-1, the last six digits."""
    secret = b"12345678901234567890"
    for now_s, code in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]:
        assert totp.code_at(secret, now_s // 30) == code
        assert totp.step_of(secret, code, now_s) == now_s // 30
    assert totp.step_of(secret, "287082", 59 + 90) is None


async def test_a_session_ends(inside: Site) -> None:
    assert (await inside.client.get(inside.at("activity"))).status_code == 200
    inside.clock.advance(trust.IDLE_S - 10)
    assert (await inside.client.get(inside.at("activity"))).status_code == 200, "its use prolongs it"
    inside.clock.advance(trust.IDLE_S - 10)
    assert (await inside.client.get(inside.at("activity"))).status_code == 200
    inside.clock.advance(trust.IDLE_S + 10)
    assert (await inside.client.get(inside.at("activity"))).status_code == 303
    await inside.sign_in()
    changed = await inside.post("/app/me", order="password", password=PASSWORD, new="another good one")
    assert changed.status_code == 303
    assert (await inside.client.get(inside.at("activity"))).status_code == 200, "who changed it goes on"
    await inside.post("/app/sign-out")
    assert (await inside.client.get(inside.at("activity"))).status_code == 303
    assert (await inside.sign_in()).status_code == 401
    assert (await inside.sign_in(password="another good one")).status_code == 303


async def other_account(site: Site) -> Account:
    """An account in which Ada has no role, with something in it."""
    other = await site.store.add_account("other", site.clock.now_us())
    await site.store.add_domain(other.id, "other.test", True, "token", site.clock.now_us())
    return other


async def test_an_account_without_a_role_does_not_exist(inside: Site) -> None:
    other = await other_account(inside)
    paths = ["", "activity", "blocks", "queue", "campaigns", "statistics", "exports", "settings/keys", "domains", "domains/other.test", "live", "start",
             "messages/1", "messages/1/preview", "lists", "lists/1", "contacts", "contacts/1", "segments/1", "imports", "imports/1", "imports/new/1",
             "newsletters", "newsletters/1", "newsletters/1/preview"]  # fmt: skip
    for path in paths:
        for account_id in (other.id, other.id + 77):
            answer = await inside.client.get(f"/app/{account_id}/{path}")
            assert answer.status_code == 404, path
            assert "other" not in text_of_answer(answer.text)
    answer = await inside.post(f"/app/{other.id}/blocks", order="add", address="a@b.test", reason="x")
    assert answer.status_code == 404
    assert (await inside.client.get("/app/users")).status_code == 404, "not an administrator of the installation"


def text_of_answer(html: str) -> str:
    """What a page says."""
    from selectolax.lexbor import LexborHTMLParser

    return text_of(LexborHTMLParser(html))


async def test_a_role_allows_what_it_allows(site: Site) -> None:
    for role, allowed, refused in [
        (Role.SUPPORT, ["activity", "blocks", "lists", "contacts"], ["exports", "imports", "settings/keys", "settings/users", "settings/audit"]),
        (Role.MARKETER, ["lists", "segments", "imports", "newsletters"], ["settings/keys", "settings/users"]),
        (Role.ANALYST, ["activity", "exports", "statistics"], ["settings/keys", "settings/users"]),
        (Role.DEVELOPER, ["settings/keys", "settings/webhooks", "domains"], ["exports", "settings/users"]),
        (Role.ADMIN, ["settings/users", "settings/audit", "exports"], []),
    ]:
        user = await site.store.users.add(role.value, HASH, site.clock.now_us())
        assert user is not None
        await site.store.users.set_role(user.id, site.account.id, role)
        await site.sign_in(role.value)
        for path in allowed:
            assert (await site.client.get(site.at(path))).status_code == 200, (role, path)
        for path in refused:
            assert (await site.client.get(site.at(path))).status_code == 403, (role, path)
        await site.post("/app/sign-out")


async def test_only_an_owner_makes_owners(site: Site) -> None:
    user = await site.store.users.add("carl", HASH, site.clock.now_us())
    assert user is not None
    await site.store.users.set_role(user.id, site.account.id, Role.ADMIN)
    await site.sign_in("carl")
    assert (await site.post(site.at("settings/users"), order="give", name="carl", role="owner")).status_code == 400
    assert (await site.post(site.at("settings/users"), order="take", name="ada")).status_code == 403
    made = await site.post(site.at("settings/users"), order="give", name="new@acme.test", role="analyst")
    assert made.status_code == 200 and "new-password" in made.text
    assert dict((u.name, r) for u, r in await site.store.users.members(site.account.id))["new@acme.test"] is Role.ANALYST


def test_where_a_password_may_go_and_where_a_sign_in_may_lead() -> None:
    for scheme, host, may in [("http", "localhost", True), ("http", "127.0.0.1", True), ("http", "[::1]", True), ("http", "mail.example.com", False),
                              ("http", "127.0.0.1.evil.test", False), ("https", "mail.example.com", True)]:  # fmt: skip
        assert trust.may_sign_in(scheme, host) is may, (scheme, host)
    for path, target in [("/app/1/activity?x=1", "/app/1/activity?x=1"), ("//evil.test", "/app/"), ("/app/\\evil", "/app/"),
                         ("https://evil.test/app/", "/app/"),
                         ("/app/\r\nSet-Cookie: x", "/app/"), ("", "/app/")]:  # fmt: skip
        assert trust.local_path(path) == target
    assert trust.cookies_of("https").session.startswith("__Host-")
