"""What all pages share, and the outermost frame of every request: who asks, for which account, what is shown when something fails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import IO, Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from estafette import maillog
from estafette.accept.submit import SubmitDoor
from estafette.clock import SECOND_US, Clock
from estafette.config import Config
from estafette.deliver.dns import Resolver
from estafette.store.seam import Store, StoreFault
from estafette.vault import Vault
from estafette.views import Membership, Role, SignIn
from estafette.web import trust
from estafette.web.formats import Formats
from estafette.web.languages import chosen
from estafette.web.notices import NOTICES
from estafette.web.passwords import Passwords
from estafette.web.permissions import May, is_allowed
from estafette.web.rendering import ROOT, render
from estafette.web.throttle import Throttle

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send `Origin: null` with our own forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Vary": "Cookie, Accept-Language, HX-Request",
}
MAX_FORM_BYTES: Final = 65_536
MAX_FIELDS: Final = 200
MAX_TEXT_BYTES: Final = 2_000_000
"""Octets of one text of a form with files."""


class Refused(Exception):
    """A page that is not shown: 403, 404 or 400, in the words of `error.html`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


NOT_FOUND: Final = 404


@dataclass(slots=True)
class WebDesk:
    """One per worker process."""

    store: Store
    clock: Clock
    config: Config
    vault: Vault
    new_resolver: Callable[[], Resolver]  # without memory of earlier answers: people look again after they published something
    door: SubmitDoor
    is_closing: Callable[[], bool] = lambda: False
    passwords: Passwords = field(default_factory=Passwords)
    throttle: Throttle = field(default_factory=Throttle)
    wake_exports: Callable[[], None] = lambda: None
    live: set[int] = field(default_factory=set)  # streams that are open

    def origins(self, request: Request) -> frozenset[str]:
        """Where our own pages come from: as configured, and as the browser called us."""
        return frozenset({trust.origin_of(self.config.http.public_url), trust.origin_of(str(request.base_url))})


@dataclass(slots=True)
class Visit:
    """One request, with what is known of who makes it."""

    desk: WebDesk
    request: Request
    now: int
    language: str = "en"
    token: str = ""
    sign_in: SignIn | None = None
    memberships: list[Membership] = field(default_factory=list)
    membership: Membership | None = None
    form: dict[str, list[str]] = field(default_factory=dict)
    file: IO[bytes] | None = None  # that came with the form

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def account_id(self) -> int:
        assert self.membership is not None
        return self.membership.account_id

    @property
    def user_name(self) -> str:
        assert self.sign_in is not None
        return self.sign_in.user.name

    @property
    def formats(self) -> Formats:
        return Formats(self.language)

    @property
    def peer(self) -> str:
        """The client's address, behind a trusted proxy the one that the proxy saw."""
        return self.request.client.host[:64] if self.request.client else ""

    def may(self, what: May) -> bool:
        """Whether the visitor may do something in this account."""
        return self.membership is not None and is_allowed(self.membership.role, what)

    def need(self, what: May) -> None:
        """Raises Refused 403."""
        if not self.may(what):
            raise Refused(403)

    def given(self, name: str, most: int = 500) -> str:
        """A field of the form, "" when it is not there."""
        values = self.form.get(name)
        return values[0].strip()[:most] if values else ""

    def number(self, text: str) -> int:
        """A number of a form or an address that people can change, below 2^63; 0 when it is none."""
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0

    def query(self, name: str, most: int = 500) -> str:
        """A parameter of the address, "" when it is not there."""
        return self.request.query_params.get(name, "").strip()[:most]

    def url(self, path: str = "", **query: object) -> str:
        """An address within the account."""
        return account_url(self.account_id, path, **query)

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """A whole page; `HX-Request` gets the same, of which the browser takes the part that it asked for."""
        notice = NOTICES.get(self.request.query_params.get("done", ""))
        known: dict[str, Any] = {
            "v": self, "me": self.sign_in.user if self.sign_in else None, "account": self.membership, "accounts": self.memberships, "now": self.now,
            "csrf": trust.csrf_of(self.token) if self.token else "", "path": self.request.url.path, "May": May, "Role": Role, "notice": notice,
            "here": self.request.url.path + ("?" + self.request.url.query if self.request.url.query else ""),
            "url": self.url if self.membership else None, "q": self.query,
        }  # fmt: skip
        body = render(self.language, template, known | context)
        return Response(body, status, HEADERS | {"Content-Language": self.language}, "text/html; charset=utf-8")

    def go(self, path: str, done: str = "") -> Response:
        """On to another page of the dashboard, which says what was done."""
        if done:
            path += ("&" if "?" in path else "?") + urlencode({"done": done})
        return RedirectResponse(path, 303, HEADERS)

    async def note(self, action: str, what: str, detail: str = "") -> None:
        """Write into the account's audit log."""
        await self.store.users.note(self.account_id if self.membership else 0, self.user_name, self.now, action, what, detail)


Endpoint = Callable[[Visit], Awaitable[Response]]


def account_url(account_id: int, path: str = "", **query: object) -> str:
    """An address of an account's pages; parameters that are empty are left out."""
    pairs = [(name, str(one)) for name, value in query.items() for one in (value if isinstance(value, list | tuple) else [value]) if one not in ("", None, 0)]
    return f"{ROOT}/{account_id}/{path}" + ("?" + urlencode(pairs, quote_via=quote) if pairs else "")


def served(desk: WebDesk, endpoint: Endpoint, *, is_public: bool = False, needs: May = May.READ,
           most: int = MAX_FORM_BYTES) -> Callable[[Request], Awaitable[Response]]:  # fmt: skip
    """A page as Starlette calls it. Unless it `is_public`, only who has signed in gets it, and of an account only who has a role there:
    for others the account does not exist. `most`: octets of a form; above the usual, files may come with it."""

    async def run(request: Request) -> Response:
        visit = Visit(desk, request, desk.clock.now_us())
        try:
            return await _serve(visit, endpoint, is_public=is_public, needs=needs, most=most)
        except Refused as refusal:
            return visit.page("error.html", refusal.status, code=refusal.status, identifier="")
        except ClientDisconnect:
            return Response(status_code=400)
        except StoreFault as fault:
            identifier = desk.clock.token_bytes(6).hex()
            maillog.fault("web", identifier, fault)
            return visit.page("error.html", 503, code=503, identifier=identifier)
        except Exception as fault:  # outermost frame of the request
            identifier = desk.clock.token_bytes(6).hex()
            maillog.fault("web", identifier, fault)
            return visit.page("error.html", 500, code=500, identifier=identifier)

    return run


async def _serve(visit: Visit, endpoint: Endpoint, *, is_public: bool, needs: May, most: int) -> Response:
    request, desk = visit.request, visit.desk
    cookies = trust.cookies_of(request.url.scheme)
    visit.language = chosen("", request.cookies.get(cookies.language, ""), request.headers.get("accept-language", ""))
    await _recognise(visit, request.cookies.get(cookies.session, ""))
    if request.method == "POST" and not trust.is_same_origin(request.headers, desk.origins(request)):
        raise Refused(403)
    if visit.sign_in is None and not is_public:
        target = request.url.path + ("?" + request.url.query if request.url.query else "")
        return RedirectResponse(f"{ROOT}/sign-in?" + urlencode({"next": target}), 303, HEADERS)
    wanted = request.path_params.get("account")
    if wanted is not None:
        visit.membership = next((m for m in visit.memberships if m.account_id == wanted), None)
        if visit.membership is None:
            raise Refused(NOT_FOUND)
        visit.need(needs)
    try:
        if request.method == "POST":
            visit.form, visit.file = await (_read_form(request, most) if most <= MAX_FORM_BYTES else _read_files(request, most))
            if visit.sign_in is not None and not trust.is_csrf(visit.token, visit.given("csrf")):
                raise Refused(403)
        return await endpoint(visit)
    finally:
        if visit.file is not None:
            visit.file.close()


async def _recognise(visit: Visit, token: str) -> None:
    """Whose session it is, if it is one; a session in use is prolonged now and then."""
    if not 0 < len(token) <= trust.MAX_TOKEN:
        return
    digest = trust.token_hash(token)
    sign_in = await visit.store.users.session(digest, visit.now)
    if sign_in is None:
        return
    visit.token, visit.sign_in = token, sign_in
    visit.language = sign_in.user.language or visit.language
    visit.memberships = await visit.store.users.memberships(sign_in.user)
    if visit.now - sign_in.seen_at > trust.SEEN_EVERY_S * SECOND_US:
        until = min(visit.now + trust.IDLE_S * SECOND_US, sign_in.created_at + trust.SESSION_S * SECOND_US)
        await visit.store.users.seen(digest, visit.now, until)


async def _read_files(request: Request, most: int) -> tuple[dict[str, list[str]], IO[bytes] | None]:
    """The fields of a form that may bring a file, which lies on disk when it is large. Raises Refused 400."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) <= 12 and int(length) <= most):
        raise Refused(400)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise Refused(400)
    try:
        given = await request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_TEXT_BYTES)
    except HTTPException:
        raise Refused(400) from None
    fields: dict[str, list[str]] = {}
    file: IO[bytes] | None = None
    for name, value in given.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value.replace("\0", ""))
        elif value.size:
            file = value.file
    return fields, file


async def _read_form(request: Request, most: int) -> tuple[dict[str, list[str]], None]:
    """The fields of a form of ours. Raises Refused 400 for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refused(400)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(400)
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Refused(400) from None
    for name, value in pairs:
        fields.setdefault(name, []).append(value.replace("\0", ""))
    return fields, None
