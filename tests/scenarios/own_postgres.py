"""A PostgreSQL for scenarios in which it is stopped, started or cut off, and clients that go on sending meanwhile."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import postgres
from tests.peers.postgres import Cluster
from tests.scenarios.conftest import ZONE, World
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.scenarios.wire import CLOSED, Told, Wire
from tests.world.dns import DnsServer
from tests.world.mx import MxServer


@dataclass
class Server:
    """A PostgreSQL of our own: it is stopped and started here, which a shared one must not be."""

    cluster: Cluster
    number: int = 0

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        self.cluster.process.send_signal(how)
        self.cluster.process.wait(30)

    def start(self) -> None:
        c = self.cluster
        with (c.directory / "log").open("ab") as log:
            process = subprocess.Popen(c.process.args, cwd=c.directory, stdout=subprocess.DEVNULL, stderr=log)
        self.cluster = Cluster(c.port, process, c.directory, c.address)
        while subprocess.run(["psql", "-qc", "", c.dsn()], capture_output=True).returncode:
            assert process.poll() is None, (c.directory / "log").read_text()[-1000:]

    def sql(self, *statements: str, database: str = "postgres") -> None:
        words = [word for statement in statements for word in ("-c", statement)]
        subprocess.run(["psql", "-q", self.cluster.dsn(database), *words], check=True, capture_output=True)

    def database(self, tablespace: str = "pg_default") -> str:
        """A new one; its URL."""
        self.number += 1
        self.sql(f"CREATE DATABASE d{self.number} TABLESPACE {tablespace}")
        return self.cluster.dsn(f"d{self.number}")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if postgres.find_binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    server = Server(postgres.start_cluster())
    yield server
    server.cluster.stop()


@pytest.fixture
async def pg_world(tmp_path: Path, server: Server) -> AsyncIterator[World]:
    async with DnsServer(dict(ZONE)) as dns, MxServer(replies={"rcpt": {"before@dest.example": ["450 4.2.1 later", None]}}) as mx:
        yield World(dns, mx, tmp_path, server.database())
        assert mx.violations == []


ALLOWED = {(451, "4.3.0"), (421, "4.3.2"), (0, "")}
"""What a client may be told while the database comes and goes: not now; this worker was declared dead and ends; and a closed connection after that."""


class Load:
    """Clients that send as fast as they are answered, and come again when they are sent away."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.is_over = False
        self.accepted: list[str] = []
        self.refused: list[Told] = []

    async def run(self, client: int) -> None:
        number = 0
        while not self.is_over:
            try:
                async with Wire(self._platform) as wire:
                    told = await self._begin(wire)
                    while not self.is_over and told.code not in (0, 421):
                        number += 1
                        told = await self._send(wire, f"u{client}-{number}@dest.example")
            except ConnectionError:
                self.refused.append(CLOSED)
            await asyncio.sleep(0.05)

    async def _begin(self, wire: Wire) -> Told:
        if (told := await wire.read()).code == 220 and (told := await wire.say(b"EHLO client.test\r\n")).code == 250:
            told = await wire.login()
        if told.code != 235:
            self.refused.append(told)
            return CLOSED
        return told

    async def _send(self, wire: Wire, recipient: str) -> Told:
        told = CLOSED
        for octets in (f"MAIL FROM:<news@{DOMAIN}>\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode(), b"DATA\r\n", mail() + b".\r\n"):
            told = await wire.say(octets)
            if told.code not in (250, 354):
                self.refused.append(told)
                await asyncio.sleep(0.05)
                return told
        self.accepted.append(recipient)
        return told
