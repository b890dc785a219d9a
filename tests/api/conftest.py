"""The real application over a real SQLite store; only the socket is left out."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from estafette.accept.credentials import Doorkeeper
from estafette.accept.ids import IdMaker
from estafette.accept.submit import SubmitDoor
from estafette.api.app import make_app
from estafette.clock import ManualClock
from estafette.config import Config
from estafette.deliver.answers import Answer, AnswerKind, Mx
from estafette.deliver.domains import Domains
from estafette.model import Account, Content, MessageView
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.vault import Vault

SECRET = "s3cret"
PNG = base64.b64encode(b"\x89PNG").decode()


def call(*messages: object, **root: object) -> bytes:
    """The JSON of a call."""
    return msgspec.json.encode({"Messages": list(messages), **root})


def mail(**changes: object) -> dict[str, object]:
    """A message that is accepted as it is; a property changed to `...` is left out."""
    made: dict[str, object] = {
        "From": {"Email": "news@acme.test", "Name": "Acme"},
        "To": [{"Email": "jo@example.net", "Name": "Jo"}],
        "Subject": "Hello",
        "TextPart": "Hello Jo",
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


class Zone:
    """The DNS as a table that tests change."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Answer] = {}

    def put(self, name: str, kind: str, *records: Mx | str) -> None:
        self.answers[name, kind] = Answer(AnswerKind.FOUND, records, 60)

    async def ask(self, name: str, kind: str) -> Answer:
        return self.answers.get((name, kind), Answer(AnswerKind.NXDOMAIN, why="no such domain"))


@dataclass
class Api:
    """A client with its application and the store behind it."""

    store: Database
    clock: ManualClock
    keeper: Doorkeeper
    door: SubmitDoor
    account: Account
    key: str = "key1"
    is_closing: bool = False
    zone: Zone = field(default_factory=Zone)
    options: dict[str, Any] = field(default_factory=dict)
    _clients: list[httpx2.AsyncClient] = field(default_factory=list)

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """A client of an application with these options."""
        settings: dict[str, Any] = {"public_url": "https://mail.acme.test/", "max_body_bytes": 32_000_000, "is_closing": lambda: self.is_closing,
                                    "domains": self.domains()} | options  # fmt: skip
        app = make_app(self.store, self.keeper, self.door, self.clock, **settings)
        made = httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=("192.0.2.7", 1)), base_url="http://api.test")
        self._clients.append(made)
        return made

    async def post(self, content: object, key: str = "", *, client: httpx2.AsyncClient | None = None, auth: Any = "own", **headers: str) -> httpx2.Response:
        """POST /v3.1/send with the account's key."""
        if not self._clients:
            self.client()
        if key:
            headers["Idempotency-Key"] = key
        return await (client or self._clients[0]).post(
            "/v3.1/send", content=content, auth=(self.key, SECRET) if auth == "own" else auth, headers={"Content-Type": "application/json"} | headers)  # type: ignore[arg-type]  # fmt: skip

    async def get(self, path: str, **params: str) -> httpx2.Response:
        """GET with the account's key."""
        if not self._clients:
            self.client()
        return await self._clients[0].get(path, params=params, auth=(self.key, SECRET))

    def domains(self) -> Domains:
        """Those of an installation as it comes, with the DNS of `zone`."""
        return Domains(self.store, self.clock, Config(), Vault(b"k" * 32, self.clock), lambda: self.zone)

    def served(self) -> httpx2.AsyncClient:
        """The first client."""
        return self._clients[0] if self._clients else self.client()

    async def rest(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """A request to a resource with the account's key."""
        if not self._clients:
            self.client()
        content = b"" if body is None else msgspec.json.encode(body)
        return await self._clients[0].request(method, f"/v3/REST/{path}", content=content, auth=(self.key, SECRET))

    async def sent(self) -> list[MessageView]:
        """Every message in the store."""
        return await self.store.messages()

    async def content(self, view: MessageView) -> Content:
        """What was stored for a message."""
        return (await self.store.contents([view.submission_id]))[view.submission_id]

    async def another(self, name: str, key: str) -> "Api":
        """The same house, seen by another account."""
        account = await self.store.add_account(name, self.clock.now_us())
        await self.store.add_key(account.id, key, hashlib.sha256(SECRET.encode()).digest(), self.clock.now_us())
        return replace(self, account=account, key=key)

    async def close(self) -> None:
        """Close the clients."""
        for one in self._clients:
            await one.aclose()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(f"sqlite:///{tmp_path}/estafette.db") as found:
        yield found


@pytest.fixture
async def api_on_postgres(fresh_postgres: str) -> AsyncIterator[Api]:
    """The same on the other database."""
    async with opened(fresh_postgres) as found:
        yield found


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Api]:
    """The application over a new database."""
    clock = ManualClock()
    store = await open_store(url, StatusPolicy(), clock)
    now = clock.now_us()
    account = await store.add_account("acme", now)
    await store.add_key(account.id, "key1", hashlib.sha256(SECRET.encode()).digest(), now)
    await store.add_domain(account.id, "acme.test", True, "token", now)
    door = SubmitDoor(store, clock, IdMaker(0), 1, "mx.acme.test", 3 * 86_400, None)
    made = Api(store, clock, Doorkeeper(store, clock), door, account)
    yield made
    await made.close()
    await store.close()
