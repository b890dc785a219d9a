"""Sign-in and sign-out, the language switch, and a person's own page: password, second factor, sessions."""

from typing import Final

from starlette.responses import Response

from estafette import maillog
from estafette.clock import SECOND_US
from estafette.vault import VaultError
from estafette.views import Lock
from estafette.web import totp, trust
from estafette.web.desk import Refused, Visit
from estafette.web.formats import LANGUAGES, whole_seconds
from estafette.web.passwords import MAX_LENGTH, MIN_LENGTH
from estafette.web.rendering import ROOT

LANGUAGE_S: Final = 365 * 86_400


async def sign_in_page(visit: Visit) -> Response:
    """The form."""
    if visit.sign_in is not None:
        return visit.go(trust.local_path(visit.query("next", 2000)))
    is_open = trust.may_sign_in(visit.request.url.scheme, visit.request.url.hostname or "")
    return visit.page("sign_in.html", problem="", next=trust.local_path(visit.query("next", 2000)), name="", is_open=is_open, wait_s=0)


async def sign_in(visit: Visit) -> Response:
    """Name, password and, where it is on, the code. What failed is not said more exactly than needed."""
    desk, request = visit.desk, visit.request
    if not trust.may_sign_in(request.url.scheme, request.url.hostname or ""):
        raise Refused(403)
    peer = visit.peer
    name, next_path = visit.given("name", 255).lower(), trust.local_path(visit.given("next", 2000))
    wait_s = desk.throttle.wait_s(peer, name, desk.clock.monotonic())
    if wait_s > 0:
        page = visit.page("sign_in.html", 429, problem="wait", next=next_path, name=name, is_open=True, wait_s=int(wait_s) + 1)
        page.headers["Retry-After"] = str(int(wait_s) + 1)
        return page
    lock = await visit.store.users.lock(name)
    password = visit.form.get("password", [""])[0]
    is_right = await desk.passwords.is_right(lock.password_hash if lock else None, password)
    if not is_right or lock is None or not lock.user.is_active or not await _has_code(visit, lock):
        desk.throttle.failed(peer, name, desk.clock.monotonic())
        maillog.login_failed("", peer, request.url.scheme)
        return visit.page("sign_in.html", 401, problem="wrong", next=next_path, name=name, is_open=True, wait_s=0)
    desk.throttle.succeeded(peer, name)
    token = desk.clock.token_bytes(32).hex()
    until = visit.now + trust.IDLE_S * SECOND_US
    await visit.store.users.sign_in(trust.token_hash(token), lock.user.id, visit.now, until, peer, request.headers.get("user-agent", "")[:200])
    await visit.store.users.note(0, lock.user.name, visit.now, "sign_in", peer)
    answer = visit.go(next_path)
    cookies = trust.cookies_of(request.url.scheme)
    answer.set_cookie(cookies.session, token, max_age=trust.SESSION_S, path="/", secure=cookies.is_secure, httponly=True, samesite="lax")
    return answer


async def _has_code(visit: Visit, lock: Lock) -> bool:
    """The second factor, where it is on; a code works once."""
    if lock.sealed_totp is None:
        return True
    secret = visit.desk.vault.unseal(lock.sealed_totp, _label(lock.user.id))
    step = totp.step_of(secret, visit.given("code", 20), whole_seconds(visit.now))
    return step is not None and await visit.store.users.use_totp(lock.user.id, step)


def _label(user_id: int) -> str:
    return f"totp:{user_id}"


async def sign_out(visit: Visit) -> Response:
    """End this session."""
    await visit.store.users.sign_out(trust.token_hash(visit.token))
    answer = visit.go(f"{ROOT}/sign-in", "signed_out")
    cookies = trust.cookies_of(visit.request.url.scheme)
    answer.delete_cookie(cookies.session, path="/", secure=cookies.is_secure, httponly=True, samesite="lax")
    return answer


async def set_language(visit: Visit) -> Response:
    """Another language from now on: for a user wherever he signs in, for a visitor in this browser."""
    language = visit.given("language")
    if language not in LANGUAGES:
        raise Refused(400)
    back = trust.local_path(visit.given("back", 2000))
    if visit.sign_in is not None:
        await visit.store.users.set_language(visit.sign_in.user.id, language)
    answer = visit.go(back if visit.sign_in is not None else f"{ROOT}/sign-in")
    cookies = trust.cookies_of(visit.request.url.scheme)
    answer.set_cookie(cookies.language, language, max_age=LANGUAGE_S, path="/", secure=cookies.is_secure, httponly=True, samesite="lax")
    return answer


# -- one's own page ---------------------------------------------------------------------------------------------------------


async def me(visit: Visit) -> Response:
    """Password, second factor, sessions."""
    return await _me(visit)


async def _me(visit: Visit, status: int = 200, problem: str = "", secret: bytes = b"") -> Response:
    assert visit.sign_in is not None
    user = visit.sign_in.user
    sealed = visit.desk.vault.seal(secret, f"enrol:{user.id}").hex() if secret else ""
    return visit.page(
        "me.html", status, sessions=await visit.store.users.sessions(user.id, visit.now), own=visit.sign_in.token_sha256, problem=problem,
        sealed=sealed, secret=totp.secret_text(secret) if secret else "", min_length=MIN_LENGTH,
        enrolment=totp.enrolment_url(secret, user.name, "Estafette") if secret else "",
    )  # fmt: skip


async def change_me(visit: Visit) -> Response:
    """One order of one's own page. Whatever opens or closes the door asks for the password again."""
    assert visit.sign_in is not None
    user, users = visit.sign_in.user, visit.store.users
    order = visit.given("order")
    if order == "sessions":
        await users.sign_out_everywhere(user.id)
        return await _signed_in_again(visit, "sessions_ended")
    lock = await users.lock(user.name)
    peer = visit.peer
    now_s = visit.desk.clock.monotonic()
    password = visit.form.get("password", [""])[0]
    if visit.desk.throttle.wait_s(peer, user.name, now_s) > 0 or lock is None or not await visit.desk.passwords.is_right(lock.password_hash, password):
        visit.desk.throttle.failed(peer, user.name, now_s)
        return await _me(visit, 403, "password")
    if order == "password":
        new = visit.form.get("new", [""])[0]
        if not MIN_LENGTH <= len(new) <= MAX_LENGTH:
            return await _me(visit, 422, "short")
        await users.set_password(user.id, await visit.desk.passwords.hash(new))
        await users.note(0, user.name, visit.now, "user.password", user.name)
        return await _signed_in_again(visit, "password_changed")
    if order == "totp_begin":
        return await _me(visit, secret=visit.desk.clock.token_bytes(totp.SECRET_BYTES))
    if order == "totp_on":
        return await _totp_on(visit)
    if order == "totp_off":
        await users.set_totp(user.id, None)
        await users.note(0, user.name, visit.now, "user.totp_off", user.name)
        return visit.go(f"{ROOT}/me", "totp_off")
    raise Refused(400)


async def _totp_on(visit: Visit) -> Response:
    assert visit.sign_in is not None
    user = visit.sign_in.user
    try:
        secret = visit.desk.vault.unseal(bytes.fromhex(visit.given("sealed", 400)), f"enrol:{user.id}")
    except (ValueError, VaultError):
        raise Refused(400) from None
    if totp.step_of(secret, visit.given("code", 20), whole_seconds(visit.now)) is None:
        return await _me(visit, 422, "code", secret)
    await visit.store.users.set_totp(user.id, visit.desk.vault.seal(secret, _label(user.id)))
    await visit.store.users.note(0, user.name, visit.now, "user.totp_on", user.name)
    return visit.go(f"{ROOT}/me", "totp_on")


async def _signed_in_again(visit: Visit, done: str) -> Response:
    """Every session was ended; this one begins anew under another token."""
    assert visit.sign_in is not None
    token = visit.desk.clock.token_bytes(32).hex()
    old = visit.sign_in
    await visit.store.users.sign_in(trust.token_hash(token), old.user.id, visit.now, visit.now + trust.IDLE_S * SECOND_US, old.peer, old.agent)
    answer = visit.go(f"{ROOT}/me", done)
    cookies = trust.cookies_of(visit.request.url.scheme)
    answer.set_cookie(cookies.session, token, max_age=trust.SESSION_S, path="/", secure=cookies.is_secure, httponly=True, samesite="lax")
    return answer
