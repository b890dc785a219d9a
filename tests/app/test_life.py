"""The life of the processes: the end is bounded, nobody is left over, and who comes late is refused."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.deliver.road import ZONE
from tests.scenarios.platform import Platform
from tests.world import Act
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

DRAIN = 'drain_within = "6s"'


class Outside:
    def __init__(self, folder: Path, dns: DnsServer, mx: MxServer) -> None:
        self.folder, self.dns, self.mx = folder, dns, mx

    def platform(self, workers: int = 2) -> Platform:
        return Platform(self.folder, f"sqlite:///{self.folder}/e.db", dns=self.dns.server, mx_port=self.mx.port, workers=workers, sections={"server": DRAIN})


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    async with DnsServer(dict(ZONE)) as dns, MxServer() as mx:
        yield Outside(tmp_path, dns, mx)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(is_so: Callable[[], bool], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(0.05)


async def test_workers_end_when_their_supervisor_was_killed(outside: Outside) -> None:
    """Orphans held the ports and went on: a new `serve` could not begin."""
    async with outside.platform() as platform:
        pids = platform.worker_pids()
        assert len(pids) == 2 and platform.process is not None
        os.kill(platform.process.pid, signal.SIGKILL)
        platform.process.wait()
        try:
            await until(lambda: not any(map(is_alive, pids)), 60.0)
        finally:
            for pid in pids:
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
        await platform.start()
        await asyncio.to_thread(platform.send, ["a@dest.example"])
        await outside.mx.wait_for(1)


async def test_stopping_takes_the_time_of_the_drain_once(outside: Outside) -> None:
    """A client that sits in the middle of a mail and a server that does not answer have it at the same time; then both are cut."""
    outside.mx.replies = {"body": {"slow@dest.example": Act(silent=True)}}
    platform = outside.platform(1)
    async with platform:
        await asyncio.to_thread(platform.send, ["slow@dest.example"])
        client = await asyncio.to_thread(platform.connect)
        await asyncio.to_thread(client.docmd, "MAIL", "FROM:<b@sender.example>")
        await until(lambda: any("RCPT" in line for _, line in outside.mx.commands), 60.0)
        started_s = time.monotonic()
        assert await platform.stop() == 0
        assert time.monotonic() - started_s < 11.0  # one after the other they would take 12
        client.close()


SIGNAL_AT_THE_FORK = """
import os, signal, sys
from estafette.cli import main
fork, told = os.fork, []
def fork_and_be_told():
    pid = fork()
    if pid and not told:
        told.append(os.kill(os.getpid(), signal.SIGTERM))
    return pid
os.fork = fork_and_be_told
sys.argv = ["estafette", "serve", "--config", sys.argv[1]]
sys.exit(main())
"""


def test_a_worker_that_is_forked_while_the_end_is_told_hears_of_it_too(tmp_path: Path) -> None:
    """SIGTERM came between the fork and the note of its pid: that worker lived until it was killed, fifteen seconds after the drain."""
    platform = Platform(tmp_path, f"sqlite:///{tmp_path}/e.db", dns="127.0.0.1:1", mx_port=1, workers=1, sections={"server": 'drain_within = "30s"'})
    platform.command("account", "add", "shop", "--json")
    serving = subprocess.run([sys.executable, "-c", SIGNAL_AT_THE_FORK, str(platform.config)], cwd=tmp_path, timeout=30, check=False, capture_output=True)
    assert serving.returncode == 0, serving.stderr


async def test_who_comes_during_the_drain_is_refused_at_once(outside: Outside) -> None:
    """The supervisor kept the sockets open: the kernel went on queueing clients that nobody would serve."""
    platform = outside.platform(1)
    async with platform:
        client = await asyncio.to_thread(platform.connect)
        await asyncio.to_thread(client.docmd, "MAIL", "FROM:<b@sender.example>")
        assert platform.process is not None
        stopping = asyncio.create_task(platform.stop())

        def refused() -> bool:
            with socket.socket() as late:
                late.settimeout(1.0)
                try:
                    late.connect(("127.0.0.1", platform.ports["submission"]))
                except ConnectionRefusedError:
                    return True
                return False

        while not await asyncio.to_thread(refused):  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(0.05)
        assert not stopping.done()  # the client in the middle of its mail is waited for
        client.rset()
        client.close()
        assert await stopping == 0


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed")
async def test_the_backlog_is_ours(outside: Outside) -> None:
    """asyncio lowered it to 100: a burst of clients was turned away by the kernel."""
    async with outside.platform(1) as platform:
        shown = subprocess.run(["ss", "-Hltn", f"sport = :{platform.smtp_port}"], capture_output=True, text=True, check=True).stdout
        assert [int(line.split()[2]) for line in shown.splitlines()] == [1024]
