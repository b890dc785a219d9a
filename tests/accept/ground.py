"""The SMTP door in process: a real listener on loopback, a real SQLite store that fails when told to, and a client that speaks raw lines."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from estafette.accept.credentials import Doorkeeper
from estafette.accept.ids import IdMaker
from estafette.accept.limits import Budget
from estafette.accept.reception import Reception
from estafette.accept.smtp import SubmissionProtocol
from estafette.accept.submit import SubmitDoor
from estafette.clock import SECOND_US, SystemClock
from estafette.mail.smtp.server import ServerOptions
from estafette.model import Account, Claimed, Content
from estafette.queue.paths import Place
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from tests.deliver.road import Shaky

KEY, SECRET, DOMAIN = "key", "secret", "sender.example"
MAIL = b"From: news@sender.example\r\nTo: a@dest.example\r\nSubject: Hello\r\n\r\nBody\r\n"


class Sending:
    """The sending side: takes nothing itself and counts what it is told."""

    def __init__(self) -> None:
        self.woken = 0
        self.offered: list[Claimed] = []
        self.is_ours = False

    def place(self, domain: str, size_bytes: int) -> Place:
        return Place(f"mx.{domain}" if self.is_ours else "", self.is_ours)

    def offer(self, claims: list[Claimed], content: Content) -> None:
        self.offered += claims

    def wake(self) -> None:
        self.woken += 1


class Client:
    """Says lines, reads replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self, timeout_s: float = 30.0) -> str:
        """The next reply, its lines joined by LF; "" at the end of the connection."""
        lines = []
        async with asyncio.timeout(timeout_s):
            while True:
                line = (await self.reader.readline()).decode().rstrip("\r\n")
                lines.append(line)
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def say(self, line: str | bytes, timeout_s: float = 30.0) -> str:
        """One line, and the reply to it."""
        self.writer.write((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return await self.reply(timeout_s)

    async def hello(self, login: bool = True) -> None:
        assert (await self.reply()).startswith("220 ")
        assert "PIPELINING" in await self.say("EHLO client.test")
        if login:
            assert (await self.log_in()).startswith("235 ")

    async def log_in(self, secret: str = SECRET) -> str:
        import base64

        return await self.say(b"AUTH PLAIN " + base64.b64encode(f"\0{KEY}\0{secret}".encode()), 30.0)

    async def mail(self, content: bytes = MAIL, *recipients: str) -> str:
        """A whole transaction; the first reply that refuses, or the last."""
        for line in ("MAIL FROM:<back@sender.example>", *(f"RCPT TO:<{to}>" for to in recipients or ("a@dest.example",)), "DATA"):
            if (answer := await self.say(line))[0] not in "23":
                return answer
        self.writer.write(content + b".\r\n")
        return await self.reply(20.0)

    async def start_tls(self, context: ssl.SSLContext) -> str:
        answer = await self.say("STARTTLS")
        await self.writer.start_tls(context, server_hostname="localhost")
        return answer

    def close(self) -> None:
        self.writer.close()


class Ground:
    """See the module; `ground(...)` makes one."""

    def __init__(self, store: Database, account: Account, port: int, reception: Reception, sending: Sending, shaky: Shaky) -> None:
        self.real, self.account, self.port, self.reception, self.sending, self.store = store, account, port, reception, sending, shaky
        self.budget = reception.budget
        self._clients: list[Client] = []

    async def client(self, *, limit: int = 1 << 16) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        self._clients.append(client)
        return client

    async def logged_in(self) -> Client:
        client = await self.client()
        await client.hello()
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextlib.asynccontextmanager
async def ground(folder: Path, *, budget: int = 10_000_000, options: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Ground]:
    """A listener with one account that may write as DOMAIN."""
    clock = SystemClock()
    store = await open_store(f"sqlite:///{folder}/estafette.db", StatusPolicy(), clock)
    now = clock.now_us()
    account = await store.add_account("acme", now)
    await store.add_key(account.id, KEY, hashlib.sha256(SECRET.encode()).digest(), now)
    await store.add_domain(account.id, DOMAIN, True, "token", now)
    me = await store.join("test", now, now + 60 * SECOND_US)
    shaky, sending = Shaky(store), Sending()
    door = SubmitDoor(shaky, clock, IdMaker(me.slot), me.id, "relay.test", 3600.0, sending)
    server_options = replace(ServerOptions("relay.test", plain_auth=True), **(options or {}))
    reception = Reception(server_options, clock, door, Doorkeeper(shaky, clock), Budget(budget), **settings)
    server = await asyncio.get_running_loop().create_server(lambda: SubmissionProtocol(reception), "127.0.0.1", 0)
    made = Ground(store, account, server.sockets[0].getsockname()[1], reception, sending, shaky)
    try:
        yield made
    finally:
        made.close()
        server.close()
        await reception.close(0.5)
        await asyncio.sleep(0)
        await store.close()
