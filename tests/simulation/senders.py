"""The customers: they hand in mail over SMTP, try again when they were not answered, and keep a ledger of what they were promised."""

import asyncio
import base64
import random
from dataclasses import dataclass, field

from tests.simulation.network import RELAY, Network
from tests.simulation.workers import SMTP_PORT

PATIENCE_S = 60.0


@dataclass(slots=True)
class Order:
    """One mail that a customer wants sent."""

    number: int
    account: str
    at_s: float
    recipients: tuple[str, ...]
    key: str = ""  # idempotency key
    octets: int = 200
    priority: int = 2
    tries: int = 0  # transactions of which the content was sent
    promises: list[str] = field(default_factory=list)  # ids that came with 250
    refusals: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return f"order {self.number}"

    def content(self) -> bytes:
        fields = [f"From: <news@{self.account}.example>", "To: someone@dest.example", f"Subject: {self.subject}"]
        if self.key:
            fields.append(f"X-Estafette-Idempotency-Key: {self.key}")
        if self.priority != 2:
            fields.append(f"X-Mailjet-Prio: {self.priority}")
        line = f"{self.number:060d}\r\n"
        return ("\r\n".join(fields) + "\r\n\r\n" + line * (self.octets // 62 + 1)).encode()

    def body(self) -> bytes:
        return self.content().partition(b"\r\n\r\n")[2]


class Refusal(Exception):
    """The relay said no; `code` tells whether for good."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.code = int(line[:3])


class Line:
    """A client connection, in lock-step."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int = SMTP_PORT) -> "Line":
        return cls(*await asyncio.open_connection(RELAY, port))

    async def reply(self) -> str:
        while True:
            async with asyncio.timeout(PATIENCE_S):
                line = (await self._reader.readuntil(b"\r\n")).decode().strip()
            if line[3:4] != "-":
                return line

    async def say(self, data: bytes, *expected: int) -> str:
        self._writer.write(data)
        line = await self.reply()
        if int(line[:3]) not in expected:
            raise Refusal(line)
        return line

    def close(self) -> None:
        self._writer.transport.abort()


class Sender:
    """One customer. `persistence` is the share of unanswered mails that are sent once more."""

    def __init__(self, network: Network, account: str, orders: list[Order], persistence: float, dawdles: float) -> None:
        self.account = account
        self._orders = orders
        self._chance = random.Random(f"{network.loop.seed}/sender {account}")
        self._persistence = persistence
        self._dawdles = dawdles
        self.open_orders = len(orders)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for order in self._orders:
                group.create_task(self._bring(order))

    async def _bring(self, order: Order) -> None:
        await asyncio.sleep(order.at_s)
        for attempt in range(8):
            try:
                promise = await self._try(order)
            except Refusal as refusal:
                order.refusals.append(str(refusal))
                if refusal.code >= 500:
                    break
            except (OSError, EOFError, TimeoutError):
                if order.tries and self._chance.random() > self._persistence:
                    break
            else:
                order.promises.append(promise)
                if not order.key or len(order.promises) > 1 or self._chance.random() < 0.7:
                    break  # some ask twice with the same key
            await asyncio.sleep(self._chance.uniform(1, 30) * (attempt + 1))
        self.open_orders -= 1

    async def _try(self, order: Order) -> str:
        line = await Line.open()
        try:
            greeting = await line.reply()
            if not greeting.startswith("220"):
                raise Refusal(greeting)
            await line.say(b"EHLO customer.example\r\n", 250)
            login = base64.b64encode(f"\0{order.account}\0secret".encode()).decode()
            await line.say(f"AUTH PLAIN {login}\r\n".encode(), 235)
            await line.say(f"MAIL FROM:<bounce@{order.account}.example>\r\n".encode(), 250)
            for recipient in order.recipients:
                await line.say(f"RCPT TO:<{recipient}>\r\n".encode(), 250)
            await line.say(b"DATA\r\n", 354)
            if self._chance.random() < self._dawdles:
                await asyncio.sleep(self._chance.uniform(1, 40))
            order.tries += 1
            answer = await line.say(order.content() + b".\r\n", 250)
            return answer.rpartition(" ")[2]
        finally:
            line.close()
