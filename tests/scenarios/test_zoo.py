"""The zoo of broken receivers (T7): each gets some mail at once, all at the same time, beside one that works. Every mail ends in the right state with its
reason, nobody's trouble is another's, no worker grows, and no receiver has more connections than its share."""

import asyncio
import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.world import Act, Moment, Replies
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

MAILS = 3
"""To each animal."""
CONNECTIONS = 2
GROWTH_MB = 40
WELL = 60
"""Mails to the receiver that works."""
GIVES_UP = "8s"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One octet of its greeting each second."""
    for octet in b"220 slow.test ready when it is ready\r\n":
        writer.write(bytes([octet]))
        await asyncio.sleep(1)


async def long_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A reply line of 10 MB."""
    writer.write(b"220 ")
    for _ in range(160):
        writer.write(b"x" * 65_536)
        await writer.drain()
    writer.write(b"\r\n")
    await reader.read()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A greeting that has no last line."""
    while not writer.transport.is_closing():
        writer.write(b"220-and there is more\r\n" * 500)
        await writer.drain()


async def only_354(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """354 to everything."""
    writer.write(b"220 zoo.test\r\n")
    while await reader.readline():
        writer.write(b"354 go on\r\n")


async def loses_sync(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It offers PIPELINING and forgets all commands of a packet but the first."""
    writer.write(b"220 zoo.test\r\n")
    while packet := await reader.read(65_536):
        word = packet[:4].upper()
        writer.write(b"250-zoo.test\r\n250 PIPELINING\r\n" if word == b"EHLO" else b"354 go on\r\n" if word == b"DATA" else b"250 2.0.0 fine\r\n")


async def not_smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web server."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await reader.read(1000)


async def binary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """NUL and 8-bit octets in its replies."""
    writer.write(b"220 zoo\0\xff\xfe.test\r\n")
    while line := await reader.readline():
        word = line[:4].upper()
        writer.write(b"250 zoo\r\n" if word == b"EHLO" else b"550 5.1.1 no\0body \xe9\x1b[31m here\r\n" if word == b"RCPT" else b"250 \0\r\n")


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """RST at once."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def another_4xx(moment: Moment) -> str:
    """A thousand different replies."""
    return f"4{moment.number % 6}{moment.number % 10} 4.{moment.number % 8}.{moment.number % 13} reason {moment.number * 7919} of many"


@dataclass(frozen=True)
class Animal:
    """What one receiver does, and what becomes of its mail: the state, and words that the timeline has."""

    state: str
    words: str
    replies: Replies | None = None
    raw: Serve | None = None
    tls_fault: str = ""
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "STARTTLS", "SIZE", "ENHANCEDSTATUSCODES")
    copies: int = 1  # of each mail at most
    taken: int = 0  # 1: each mail was taken at least once whatever is said of it


LATER, GONE, HAS = "soft_bounced", "hard_bounced", "delivered"
ZOO = {
    "late-banner": Animal(HAS, "taken", {"connect": Act(delay_s=2)}),
    "drips": Animal(LATER, "no answer within 3 s", raw=drips),
    "long-line": Animal(LATER, "", raw=long_line),
    "endless": Animal(LATER, "", raw=endless),
    "silent": Animal(LATER, "no answer within 3 s", {"connect": Act(silent=True)}),
    "resets": Animal(LATER, "", raw=resets),
    "web": Animal(LATER, "", raw=not_smtp),
    "only-354": Animal(LATER, "", raw=only_354),
    "loses-sync": Animal(LATER, "no answer within 3 s", raw=loses_sync),
    "binary": Animal(GONE, "no", raw=binary),
    "reset-after-250": Animal(HAS, "taken", {"body": Act("250 2.0.0 taken", close=True)}),
    "reply-lost": Animal(LATER, "", {"body": Act("250 2.0.0 taken", lost=True)}, copies=20, taken=1),
    "reply-lost-once": Animal(HAS, "taken", {"body": [Act("250 2.0.0 taken", lost=True)] * MAILS + [None]}, copies=1 + MAILS, taken=1),
    "reset-after-dot": Animal(LATER, "", {"body": Act(close=True)}),
    "silent-after-dot": Animal(LATER, "no answer within 3 s", {"body": Act(silent=True)}),
    "421-connect": Animal(LATER, "421", {"connect": Act("421 4.3.2 closing", close=True)}),
    "421-ehlo": Animal(LATER, "421", {"ehlo": Act("421 4.3.2 closing", close=True)}),
    "421-mail": Animal(LATER, "421", {"mail": Act("421 4.3.2 closing", close=True)}),
    "421-rcpt": Animal(LATER, "421", {"rcpt": Act("421 4.3.2 closing", close=True)}),
    "421-data": Animal(LATER, "421", {"data": Act("421 4.3.2 closing", close=True)}),
    "421-body": Animal(LATER, "421", {"body": Act("421 4.3.2 closing", close=True)}),
    "many-4xx": Animal(LATER, "reason", {"rcpt": another_4xx}),
    "one-4xx": Animal(HAS, "taken", {"rcpt": ["450 4.2.0 later", None]}),
    "tls-garbage": Animal(HAS, "taken", tls_fault="garbage"),
    "tls-close": Animal(HAS, "taken", tls_fault="close"),
    "tls-silent": Animal(HAS, "taken", tls_fault="silent"),
    "no-extensions": Animal(HAS, "taken", extensions=()),
    "helo-only": Animal(HAS, "taken", {"ehlo": "502 5.5.1 what?"}),
    "2xx-for-data": Animal(LATER, "", {"data": "250 2.0.0 fine"}),
    "3xx-for-rcpt": Animal(LATER, "", {"rcpt": "354 go on"}),
    "no-class": Animal(LATER, "", {"mail": "999 what is this"}),
    "5xx-connect": Animal(LATER, "554", {"connect": Act("554 5.7.1 not you", close=True)}),
    "5xx-rcpt": Animal(GONE, "550", {"rcpt": "550 5.1.1 no such user"}),
}


@contextlib.asynccontextmanager
async def raw_server(serve: Serve, address: str, port: int) -> AsyncIterator[Counter[str]]:
    """Counts what is open, and at most."""
    tasks: set[asyncio.Task[None]] = set()
    seen: Counter[str] = Counter()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        seen["open"] += 1
        seen["most"] = max(seen["most"], seen["open"])
        try:
            with contextlib.suppress(OSError, EOFError, ValueError):
                await serve(reader, writer)
        finally:
            seen["open"] -= 1
            writer.close()

    server = await asyncio.start_server(guarded, address, port, limit=1 << 16)
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def memory_mb(pids: list[int]) -> dict[int, float]:
    return {pid: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6 for pid in pids}


@pytest.mark.timeout(180)
async def test_the_zoo(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        dns = await stack.enter_async_context(DnsServer())
        well = await stack.enter_async_context(MxServer(address="127.0.2.1"))
        servers: dict[str, MxServer] = {}
        counts: dict[str, Counter[str]] = {}
        for n, (name, animal) in enumerate({"well": Animal(HAS, "taken"), **ZOO}.items(), 1):
            dns.zone[f"{name}.example", "MX"] = [f"10 mx.{name}.example"]
            dns.zone[f"mx.{name}.example", "A"] = [f"127.0.2.{n}"]
            if animal.raw is not None:
                counts[name] = await stack.enter_async_context(raw_server(animal.raw, f"127.0.2.{n}", well.port))
            elif name != "well":
                servers[name] = await stack.enter_async_context(MxServer(address=f"127.0.2.{n}", port=well.port, replies=animal.replies,
                                                                         tls_fault=animal.tls_fault, extensions=animal.extensions))  # fmt: skip
        sections = {"delivery": f'give_up_after = "{GIVES_UP}"\nretry = ["1s", "2s"]\nconnections = {CONNECTIONS}\nconnect_timeout = "3s"\n'
                                'command_timeout = "3s"\ndata_timeout = "3s"\nretry_jitter = 0\nidle_timeout = "500ms"\ndns_timeout = "2s"'}  # fmt: skip
        platform = Platform(tmp_path, f"sqlite:///{tmp_path}/estafette.db", dns=dns.server, mx_port=well.port, sections=sections)
        await stack.enter_async_context(platform)
        before = memory_mb(platform.worker_pids())
        people = [f"p{n}@{name}.example" for name in ZOO for n in range(MAILS)]

        def send() -> None:
            with platform.connect() as client:
                for to in people:
                    client.sendmail(f"news@{DOMAIN}", [to], mail(f"to {to}"))
                for n in range(WELL):
                    client.sendmail(f"news@{DOMAIN}", [f"w{n}@well.example"], mail("well"))

        began_s = time.monotonic()
        await asyncio.to_thread(send)
        await well.wait_for(WELL, 20)  # long before the others have given up
        well_s = time.monotonic() - began_s
        messages = await platform.settled(len(people) + WELL)
        growth = {pid: mb - before[pid] for pid, mb in memory_mb(platform.worker_pids()).items()}
        platform.assert_nothing_is_missing()

    print(f"\n{WELL} to the one that works within {well_s:.1f} s; all settled after {time.monotonic() - began_s:.1f} s; memory grew by {growth}")
    states = {name: {m["state"] for m in messages if m["to"].endswith(f"@{name}.example")} for name in ZOO}
    assert states == {name: {animal.state} for name, animal in ZOO.items()}
    told = {name: [line for line in platform.log().splitlines() if f" to=p0@{name}.example " in line] for name in ZOO}
    silent_on = {name: told[name] for name, animal in ZOO.items() if animal.words not in str(told[name])}
    assert silent_on == {}
    for name, server in servers.items():
        assert server.violations == [], name
        assert server.most_open <= CONNECTIONS or "silent" in name, name  # those do not notice that we have hung up
        copies = Counter(recipient for m in server.mails for recipient in m.recipients)
        assert max(copies.values(), default=0) <= ZOO[name].copies, (name, copies)
        assert len(copies) == MAILS if ZOO[name].taken or ZOO[name].state == HAS else not copies, (name, copies)
    assert all(count["most"] <= CONNECTIONS for count in counts.values()), counts
    assert all(mb < GROWTH_MB for mb in growth.values()), growth
