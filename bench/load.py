"""The sending end of the benchmark: a process of its own that offers mail on a number of connections and measures how long the final dot is answered.

MAIL, RCPT and DATA go out together (pipelined); the content follows the 354. A mail is in nobody's way: each connection sends its next one as soon as
the last one was answered. `python -m bench.load --port P --mails N` prints one JSON object.
"""

import argparse
import asyncio
import base64
import json
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Final, cast

import uvloop

SIZES: Final = ("m10", "m50")
LINKS: Final = 40
RECONNECTS: Final = 3
REPLY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Task:
    """What to send where."""

    port: int
    mails: int
    connections: int
    size: str
    sender: str
    recipient: str
    login: str  # "user:password"; empty: none
    seconds: float  # no new mail is begun after so much time


@dataclass(slots=True)
class Report:
    """What became of it. Times are CLOCK_MONOTONIC, comparable between processes."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # reply → count
    began_at: float = 0.0
    ended_at: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def body_of(size: str) -> tuple[bytes, bytes]:
    """(header fields that are the same in every mail, body) of m10, a text of 10 kB, or m50, a newsletter of 50 kB with 40 links."""
    if size == "m10":
        line = b"A line like any other, long enough to be one, and without a surprise for those who read on.\r\n"
        return b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n", line * (9_700 // len(line))
    paragraph = (
        b'<p style="margin:0 0 16px;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px;color:#333333">\r\n'
        b"Nothing in this paragraph is of any interest, but people pay attention to the length of a newsletter,\r\nwhich is why it goes on.</p>\r\n"
    )
    link = (
        b'<table role="presentation" width="600"><tr><td>'
        b'<a href="https://shop.example.com/products/%d?campaign=spring" class="button">Offer %d</a></td></tr></table>\r\n'
    )
    room = 48_500 - LINKS * (len(link) + 20)
    each = room // LINKS // len(paragraph)
    html = b"".join(link % (number, number) + paragraph * each for number in range(LINKS))
    html += paragraph * ((48_500 - len(html)) // len(paragraph))
    parts = [
        b"--=_part\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThe newsletter as text: https://shop.example.com/\r\n\r\n",
        b"--=_part\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<html><head><title>News</title></head><body>\r\n",
        html,
        b"</body></html>\r\n\r\n--=_part--\r\n",
    ]
    return b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=_part"\r\n', b"".join(parts)


class Client(asyncio.Protocol):
    """One connection, as a queue of replies: only the last line of each is kept."""

    def __init__(self) -> None:
        self._buffer = b""
        self._replies: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._is_lost = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        self._replies += [line for line in lines if line[3:4] != b"-"]
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def reply(self) -> bytes:
        """The next reply; ConnectionError when there will be none."""
        while not self._replies:
            if self._is_lost:
                raise ConnectionError("the peer closed the connection")
            self._waiter = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(REPLY_S):
                await self._waiter
        return self._replies.pop(0)

    def write(self, octets: bytes) -> None:
        assert self.transport is not None
        self.transport.write(octets)


class Load:
    """The mails that are still to be sent, shared by all connections."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._left = task.mails
        self._number = 0
        self._deadline = 0.0
        self._times: list[float] = []
        self._fields, self._body = body_of(task.size)
        self._run = format(time.time_ns(), "x")
        self.report = Report()

    async def run(self) -> Report:
        """Log in on all connections first, then start the clock."""
        clients = await asyncio.gather(*(self._connect() for _ in range(self._task.connections)))
        self.report.began_at = time.monotonic()
        self._deadline = self.report.began_at + self._task.seconds
        await asyncio.gather(*(self._send_all(client) for client in clients))
        self.report.ended_at = time.monotonic()
        self._times.sort()
        if self._times:
            self.report.p50_ms = self._times[len(self._times) // 2] * 1000
            self.report.p99_ms = self._times[min(len(self._times) - 1, len(self._times) * 99 // 100)] * 1000
        return self.report

    async def _connect(self) -> Client:
        for rest in reversed(range(RECONNECTS + 1)):
            _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", self._task.port)
            try:
                await _expect(client, b"220")
                client.write(b"EHLO load.bench.test\r\n")
                await _expect(client, b"250")
                if self._task.login:
                    user, _, password = self._task.login.partition(":")
                    client.write(b"AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()) + b"\r\n")
                    await _expect(client, b"235")
                return client
            except (ConnectionError, TimeoutError):
                if not rest:
                    raise
        raise ConnectionError("unreachable")

    async def _send_all(self, client: Client) -> None:
        reconnects = RECONNECTS
        while self._left > 0 and time.monotonic() < self._deadline:
            self._left -= 1
            try:
                await self._send(client)
            except (ConnectionError, TimeoutError) as error:
                self.report.refused[f"{type(error).__name__}: {error}"] += 1
                if not reconnects:
                    return
                reconnects -= 1
                client = await self._connect()
        client.write(b"QUIT\r\n")
        try:
            await client.reply()
        except (ConnectionError, TimeoutError):
            pass

    async def _send(self, client: Client) -> None:
        self._number += 1
        task = self._task
        client.write(f"MAIL FROM:<{task.sender}>\r\nRCPT TO:<{task.recipient}>\r\nDATA\r\n".encode())
        replies = [await client.reply(), await client.reply(), await client.reply()]
        if [reply[:3] for reply in replies] != [b"250", b"250", b"354"]:
            self.report.refused[next(reply for reply in replies if reply[:1] not in b"23").decode(errors="replace")] += 1
            if replies[2][:3] == b"354":
                client.write(b".\r\n")
                await client.reply()
            return
        head = (
            f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nFrom: Bench <{task.sender}>\r\nTo: {task.recipient}\r\n"
            f"Subject: Mail number {self._number}\r\nMessage-ID: <{self._run}.{self._number}@load.bench.test>\r\n"
        ).encode()
        client.write(b"".join((head, self._fields, b"\r\n", self._body, b".\r\n")))
        began_at = time.monotonic()
        reply = await client.reply()
        if reply.startswith(b"250"):
            self._times.append(time.monotonic() - began_at)
            self.report.accepted += 1
        else:
            self.report.refused[reply.decode(errors="replace")] += 1


async def _expect(client: Client, code: bytes) -> None:
    reply = await client.reply()
    if not reply.startswith(code):
        raise ConnectionError(reply.decode(errors="replace"))


async def run(task: Task) -> Report:
    """Send and report."""
    return await Load(task).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--size", choices=SIZES, default="m10")
    parser.add_argument("--sender", default="a@bench-sender.test")
    parser.add_argument("--recipient", default="b@bench.test")
    parser.add_argument("--login", default="", help="user:password for AUTH PLAIN")
    parser.add_argument("--seconds", type=float, default=60.0)
    task = Task(**vars(parser.parse_args()))
    signal.alarm(int(task.seconds + 2 * REPLY_S))  # the last line of defence against a peer that does not answer
    print(json.dumps(asdict(uvloop.run(run(task)))), flush=True)


if __name__ == "__main__":
    main()
