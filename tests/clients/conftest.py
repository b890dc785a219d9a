"""A running Estafette for real client libraries: on HTTP, on HTTPS (for those that know nothing else) and on SMTP, once per database for all of them."""

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.scenarios.conftest import ZONE
from tests.scenarios.platform import Platform
from tests.world import Mail, authority, server_context
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

HERE = Path(__file__).parent
T = TypeVar("T")


@dataclass
class Ground:
    """The platform, seen from a client; every method may be called from the test's own thread."""

    platform: Platform
    mx: MxServer
    folder: Path
    https_port: int
    loop: asyncio.AbstractEventLoop

    @property
    def key(self) -> str:
        return self.platform.key

    @property
    def secret(self) -> str:
        return self.platform.secret

    @property
    def url(self) -> str:
        return self.platform.http_url

    @property
    def authority_file(self) -> str:
        return str(self.folder / "authority.pem")

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 60.0) -> T:
        """Something of the world's own loop."""
        waiting: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return waiting.result(timeout_s)

    def mails_to(self, *recipients: str) -> list[Mail]:
        """The mails that arrived for these, in this order, each exactly once."""
        self.run(_arrived(self.mx, recipients))
        found = [[m for m in self.mx.mails if m.recipients == (to,)] for to in recipients]
        assert [len(mails) for mails in found] == [1] * len(recipients)
        return [mails[0] for mails in found]

    def node(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A script of tests/clients/node."""
        folder = node_modules()
        shutil.copy(HERE / "node" / script, folder / script)
        given = self._environment(NODE_EXTRA_CA_CERTS=self.authority_file, **environment)
        return subprocess.run(["node", script], capture_output=True, text=True, timeout=100, cwd=folder, env=given)

    def php(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A script of tests/clients/php."""
        options = ["-d", f"curl.cainfo={self.authority_file}", "-d", f"openssl.cafile={self.authority_file}"]
        return subprocess.run(["php", *options, str(HERE / "php" / script)], capture_output=True, text=True, timeout=100, env=self._environment(**environment))

    def _environment(self, **more: str) -> dict[str, str]:
        ours = {"KEY": self.key, "SECRET": self.secret, "HTTPS_PORT": str(self.https_port), "SMTP_PORT": str(self.platform.smtp_port)}
        return {**os.environ, **ours, **more}


def node_modules() -> Path:
    """The pinned packages, installed once per version of the lock file into the user's cache."""
    lock = (HERE / "node" / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "estafette-tests" / f"node-{sha256(lock).hexdigest()[:16]}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder / name)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], check=True, capture_output=True, timeout=300, cwd=folder)
        (folder / "complete").touch()
    return folder


async def _arrived(mx: MxServer, recipients: tuple[str, ...]) -> None:
    deadline = asyncio.get_running_loop().time() + 50
    while not all(any(m.recipients == (to,) for m in mx.mails) for to in recipients):
        assert asyncio.get_running_loop().time() < deadline, f"arrived: {[m.recipients for m in mx.mails]}"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("clients")
    if request.param == "sqlite":
        database_url = f"sqlite:///{folder}/estafette.db"
    else:
        dsn: str = request.getfixturevalue("postgres_dsn")
        name = f"clients_{os.getpid()}"
        subprocess.run(["psql", "-q", dsn, "-c", f"CREATE DATABASE {name}"], check=True, capture_output=True)
        database_url = dsn.rsplit("/", 1)[0] + "/" + name
    authority().cert_pem.write_to_path(str(folder / "authority.pem"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    world = _world(folder, database_url)
    try:
        platform, mx, port = asyncio.run_coroutine_threadsafe(anext(world), loop).result(90)
        yield Ground(platform, mx, folder, port, loop)
        with contextlib.suppress(StopAsyncIteration):
            asyncio.run_coroutine_threadsafe(_end(world), loop).result(90)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(world: AsyncIterator[Any]) -> None:
    await anext(world, None)


async def _world(folder: Path, database_url: str) -> AsyncIterator[tuple[Platform, MxServer, int]]:
    async with DnsServer(dict(ZONE)) as dns, MxServer() as mx, Platform(folder, database_url, dns=dns.server, mx_port=mx.port) as platform:
        async with asyncio.TaskGroup() as pipes:

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", platform.ports["http"])
                pipes.create_task(_pipe(reader, inner_writer))
                pipes.create_task(_pipe(inner_reader, writer))

            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(("localhost", "127.0.0.1")))
            yield platform, mx, server.sockets[0].getsockname()[1]
            server.close()
        assert mx.violations == []


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(60):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()
