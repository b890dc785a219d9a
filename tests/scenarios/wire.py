"""A client of the submission listener that is free to misbehave: it sends whatever octets it is given and reads replies one by one."""

import asyncio
import base64
import re
from dataclasses import dataclass
from typing import Self

from tests.scenarios.platform import DOMAIN, Platform

PATIENCE_S = 15.0
LINE_LIMIT = 1 << 20
_LINE = re.compile(rb"(\d{3})([ -])(?:([245]\.\d{1,3}\.\d{1,3}) )?(.*)\r\n")


@dataclass(frozen=True, slots=True)
class Told:
    """One reply; `code` 0 with the text "closed" when the connection ended instead."""

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return " ".join(word for word in (str(self.code), self.enhanced, self.text) if word)


CLOSED = Told(0, "", "closed")


class Wire:
    """async with Wire(platform) as wire: await wire.say(b"NOOP\\r\\n")"""

    def __init__(self, platform: Platform, *, source: str = "127.0.0.1") -> None:
        self._platform = platform
        self._source = source
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._platform.smtp_port, limit=LINE_LIMIT, local_addr=(self._source, 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def vanish(self) -> None:
        """RST, as of a machine that is switched off."""
        self.writer.transport.abort()

    async def read(self, patience_s: float = PATIENCE_S) -> Told:
        """The next reply."""
        lines: list[str] = []
        while True:
            try:
                async with asyncio.timeout(patience_s):
                    line = await self.reader.readline()
            except ConnectionError:
                return CLOSED
            if not line:
                return CLOSED
            found = _LINE.fullmatch(line)
            assert found is not None, line
            lines.append(found[4].decode())
            if found[2] == b" ":
                return Told(int(found[1]), (found[3] or b"").decode(), "\n".join(lines))

    async def read_all(self) -> list[Told]:
        """Every reply until the connection ends."""
        told = []
        while (one := await self.read()) is not CLOSED:
            told.append(one)
        return told

    async def say(self, octets: bytes) -> Told:
        """Send and read one reply."""
        self.writer.write(octets)
        await self.writer.drain()
        return await self.read()

    async def greet(self) -> None:
        """Greeting and EHLO."""
        assert (await self.read()).code == 220
        assert (await self.say(b"EHLO client.test\r\n")).code == 250

    async def login(self, key: str = "", secret: str = "") -> Told:
        """AUTH PLAIN."""
        given = base64.b64encode(f"\0{key or self._platform.key}\0{secret or self._platform.secret}".encode())
        return await self.say(b"AUTH PLAIN " + given + b"\r\n")

    async def open(self) -> None:
        """Everything before MAIL."""
        await self.greet()
        assert (await self.login()).code == 235

    async def envelope(self, recipient: str, parameters: str = "") -> None:
        """MAIL, RCPT and DATA, up to 354."""
        assert (await self.say(f"MAIL FROM:<news@{DOMAIN}>{parameters}\r\n".encode())).code == 250
        assert (await self.say(f"RCPT TO:<{recipient}>\r\n".encode())).code == 250
        assert (await self.say(b"DATA\r\n")).code == 354

    async def mail(self, recipient: str, content: bytes, parameters: str = "") -> Told:
        """A whole transaction; the reply to the final dot."""
        await self.envelope(recipient, parameters)
        return await self.say(content.replace(b"\r\n.", b"\r\n..") + (b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"))
