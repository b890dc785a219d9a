"""The dashboard over a real SQLite store; only the socket is left out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser

from estafette.accept.credentials import Doorkeeper
from estafette.accept.ids import IdMaker
from estafette.accept.submit import SubmitDoor
from estafette.api.app import make_app
from estafette.clock import ManualClock
from estafette.config import parse
from estafette.deliver.answers import Answer, AnswerKind
from estafette.model import Account
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.vault import Vault
from estafette.views import Role
from estafette.web.desk import WebDesk
from estafette.web.passwords import hash_now
from estafette.web.routes import web_routes

PASSWORD = "correct horse battery"
HASH = hash_now(PASSWORD)
ORIGIN = "http://localhost"


@dataclass
class Zone:
    """A resolver that knows what it is told."""

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)

    async def ask(self, name: str, kind: str) -> Answer:
        """What was told, else that there is no such name."""
        return self.answers.get((name, kind), Answer(AnswerKind.NXDOMAIN, ttl_s=1))


@dataclass
class Site:
    """A browser without script, and the store behind it."""

    store: Database
    clock: ManualClock
    desk: WebDesk
    zone: Zone
    account: Account
    client: httpx2.AsyncClient

    async def get(self, path: str) -> LexborHTMLParser:
        """A page that must be there."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return LexborHTMLParser(answer.text)

    async def post(self, path: str, **fields: str | list[str]) -> httpx2.Response:
        """A form sent from one of our pages."""
        token = (await self.csrf()) if "csrf" not in fields else fields.pop("csrf")
        return await self.client.post(path, data={"csrf": token, **fields}, headers={"Origin": ORIGIN})

    async def csrf(self) -> str:
        """The token of the session's forms."""
        found = LexborHTMLParser((await self.client.get("/app/me")).text).css_first("input[name=csrf]")
        return found.attributes["value"] or "" if found else ""

    async def sign_in(self, name: str = "ada", password: str = PASSWORD, **fields: str) -> httpx2.Response:
        """As the form does it."""
        return await self.client.post("/app/sign-in", data={"name": name, "password": password, "next": "/app/", **fields}, headers={"Origin": ORIGIN})

    def at(self, path: str = "") -> str:
        """An address of the account."""
        return f"/app/{self.account.id}/{path}"


def text_of(page: LexborHTMLParser) -> str:
    """What a page says, blanks made one."""
    return " ".join((page.body.text() if page.body else "").split())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    clock = ManualClock()
    store = await open_store(f"sqlite:///{tmp_path}/estafette.db", StatusPolicy(), clock)
    account = await store.add_account("acme", clock.now_us())
    await store.add_domain(account.id, "acme.test", True, "token", clock.now_us())
    user = await store.users.add("ada", HASH, clock.now_us())
    assert user is not None
    await store.users.set_role(user.id, account.id, Role.OWNER)
    config = parse('[http]\npublic_url = "http://localhost"\n[server]\nhostname = "mx.acme.test"\n', "test", {}, "mx.acme.test")
    keeper = Doorkeeper(store, clock)
    door = SubmitDoor(store, clock, IdMaker(0), 1, "mx.acme.test", 3 * 86_400, None)
    zone = Zone()
    desk = WebDesk(store, clock, config, Vault(bytes(32), clock), lambda: zone, door)
    app = make_app(store, keeper, door, clock, public_url="http://localhost", max_body_bytes=1_000_000, is_closing=lambda: False, routes=web_routes(desk))
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=("127.0.0.1", 1)), base_url=ORIGIN)
    made = Site(store, clock, desk, zone, account, client)
    yield made
    await client.aclose()
    await store.close()


@pytest.fixture
async def inside(site: Site) -> Site:
    """Signed in as the owner of the account."""
    assert (await site.sign_in()).status_code == 303
    return site
