"""The simulated Internet as a running thing: the receiving servers of all providers around one ledger.

    async with Internet(seed, inbound_port=..., http=...) as internet:
        config: delivery.dns = internet.dns, delivery.port = internet.port
"""

import asyncio
import contextlib
import ssl
from collections import Counter
from typing import Final, Self

from estafette.clock import Clock
from estafette.demo.ledger import Ledger
from estafette.demo.letters import Received
from estafette.demo.names import NameServer, address_of, host_of
from estafette.demo.people import People
from estafette.demo.providers import ANY, PROVIDERS, Fate, Provider, fate_of
from estafette.mail.smtp import server
from estafette.mail.smtp.replies import Reply, reply
from estafette.mail.trace import format_date

MAX_TRIES: Final = 100_000


class Mailboxes(asyncio.Protocol):
    """One connection to one provider."""

    def __init__(self, internet: "Internet", provider: Provider) -> None:
        self._net = internet
        self._provider = provider
        tls = internet.tls is not None and provider.tls != "none"
        options = server.ServerOptions(host_of(provider), offers_auth=False, requires_auth=False, offers_starttls=tls)
        self._session = server.ServerSession(options)
        self._transport: asyncio.Transport | None = None
        self._mail_id = ""
        self._fates: dict[str, Fate] = {}
        self._pieces: list[bytes] = []
        self._return_path = ""
        self._task: asyncio.Task[None] | None = None
        self._early: list[bytes] | None = None  # what comes before start_tls has returned

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or turn away."""
        self._transport = transport  # type: ignore[assignment]
        self._net.open[self._provider.name] += 1
        if self._net.open[self._provider.name] > self._provider.max_connections:
            self._net.turned_away[self._provider.name] += 1
            self._session.output()
            self._session.shut_down(reply(421, "4.7.0", "Too many connections from your address, try again later"))
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """One fewer."""
        self._transport = None
        self._net.open[self._provider.name] -= 1

    def data_received(self, data: bytes) -> None:
        """Answer, slowly where the provider is slow."""
        if self._early is not None:
            self._early.append(data)
            return
        self._session.receive(data)
        self._work()

    def _work(self) -> None:
        while (event := self._session.next_event()) is not None:
            if isinstance(event, server.StartTls):
                self._session.answer(reply(220, "2.0.0", "Go ahead"))
                self._flush()
                self._task = asyncio.create_task(self._start_tls())
                return
            if isinstance(event, server.Closed):
                self._flush()
                if self._transport is not None:
                    self._transport.close()
                return
            self._act(event)
        if self._provider.tarpit_s and self._transport is not None:
            asyncio.get_running_loop().call_later(self._provider.tarpit_s, self._flush)
        else:
            self._flush()

    def _act(self, event: server.Event) -> None:
        if isinstance(event, server.MailFrom):
            self._return_path, self._fates, self._pieces = event.reverse_path, {}, []
            self._mail_id = event.reverse_path.partition("@")[0]
            self._session.answer(reply(250, "2.1.0", "Ok"))
        elif isinstance(event, server.RcptTo):
            self._session.answer(self._recipient(event.recipient))
        elif isinstance(event, server.Chunk):
            self._pieces.append(event.data)
        elif isinstance(event, server.EndOfMail):
            self._session.answer(self._end_of_mail())

    def _recipient(self, recipient: str) -> Reply:
        fate = self._fates[recipient] = fate_of(self._net.seed, recipient, self._mail_id, self._net.tried(recipient, self._mail_id))
        if not fate.rcpt:
            return reply(250, "2.1.5", "Ok")
        self._net.ledger.answered(recipient, self._mail_id, fate.rcpt)
        return _reply(fate.rcpt)

    def _end_of_mail(self) -> Reply:
        refusal = next((fate.body for fate in self._fates.values() if fate.body), "")
        words = refusal or "250 2.0.0 Ok: queued"
        for recipient, fate in self._fates.items():
            if fate.rcpt:
                continue
            self._net.ledger.answered(recipient, self._mail_id, words)
            if not refusal:
                mail = Received(recipient, self._return_path, b"".join(self._pieces), host_of(self._provider), format_date(self._net.clock.now_us()))
                self._net.people.receive(mail, self._mail_id, fate.later)
        return _reply(words)

    async def _start_tls(self) -> None:
        assert self._transport is not None and self._net.tls is not None
        if self._provider.tls == "broken":
            self._transport.write(b"this is not TLS\r\n")
            self._transport.close()
            return
        loop = asyncio.get_running_loop()
        self._early = []
        try:
            self._transport = await loop.start_tls(self._transport, self, self._net.tls, server_side=True)
        except (OSError, ValueError):
            return
        self._session.tls_started()
        early, self._early = b"".join(self._early), None
        if early:
            self.data_received(early)

    def _flush(self) -> None:
        data = self._session.output()
        if data and self._transport is not None:
            self._transport.write(data)


def _reply(words: str) -> Reply:
    code, enhanced, text = words.split(" ", 2)
    return reply(int(code), enhanced, text)


class Internet:
    """See the module. `inbound_port` 0: nothing is sent back by SMTP."""

    def __init__(
        self, clock: Clock, *, seed: int = 1, inbound_port: int = 0, fbl_address: str = "", tls: ssl.SSLContext | None = None, pace: float = 1.0, port: int = 0
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.tls = tls
        self.port = port
        self.dns = ""
        self.ledger = Ledger()
        self.people = People(seed, clock, self.ledger, inbound_port, fbl_address, pace)
        self.open: Counter[str] = Counter()
        self.turned_away: Counter[str] = Counter()
        self._tries: Counter[tuple[str, str]] = Counter()
        self._servers: list[asyncio.Server] = []
        self._names: asyncio.DatagramTransport | None = None

    def tried(self, recipient: str, mail_id: str) -> int:
        """Count a try of a mail."""
        if len(self._tries) > MAX_TRIES:
            self._tries.clear()
        self._tries[recipient, mail_id] += 1
        return self._tries[recipient, mail_id]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._names, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
        host, port = self._names.get_extra_info("sockname")
        self.dns = f"{host}:{port}"
        for provider in (*PROVIDERS, ANY):
            if provider.is_dead:
                continue
            listening = await loop.create_server(lambda provider=provider: Mailboxes(self, provider), address_of(provider), self.port, backlog=512)  # type: ignore[misc]
            self.port = listening.sockets[0].getsockname()[1]
            self._servers.append(listening)
        return self

    async def __aexit__(self, *_: object) -> None:
        for listening in self._servers:
            listening.close()
        await self.people.close()
        if self._names is not None:
            self._names.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                for listening in self._servers:
                    await listening.wait_closed()
