"""The machine of PostgreSQL is lost and its synchronous standby is promoted (T8): what was answered with 250 is there, and mail goes on."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import postgres
from tests.peers.postgres import Cluster
from tests.scenarios.conftest import ZONE, World
from tests.scenarios.own_postgres import ALLOWED, Load
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

CLIENTS = 4


@dataclass
class Pair:
    """A primary that waits for its standby before it says that a commit is done."""

    primary: Cluster
    standby: Cluster

    @property
    def url(self) -> str:
        """Both, as an operator writes them."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in (self.primary, self.standby))
        return f"postgresql://estafette@{hosts}/postgres?target_session_attrs=primary"

    def lose_the_primary(self) -> None:
        """As when its machine is switched off: no process of it says goodbye."""
        children = subprocess.run(["pgrep", "-P", str(self.primary.process.pid)], capture_output=True, text=True).stdout.split()
        for pid in [self.primary.process.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        self.primary.process.wait(10)

    def promote(self) -> None:
        subprocess.run(["psql", "-Atqc", "SELECT pg_promote()", self.standby.dsn()], check=True, capture_output=True)


@pytest.fixture
def pair() -> Iterator[Pair]:
    binaries = postgres.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    primary = postgres.start_cluster()
    directory = Path(tempfile.mkdtemp(prefix="estafette-pg-standby-"))
    standby = None
    as_user = postgres.as_postgres(directory)
    try:
        copy = [binaries / "pg_basebackup", "-R", "-c", "fast", "-D", directory / "data", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "estafette"]
        subprocess.run([*as_user, *copy], check=True, capture_output=True, cwd=directory)
        standby = postgres.start_server(directory, as_user)
        subprocess.run(["psql", "-q", primary.dsn(), "-c", "ALTER SYSTEM SET synchronous_standby_names = '*'", "-c", "SELECT pg_reload_conf()"],
                       check=True, capture_output=True)  # fmt: skip
        state = ["psql", "-Atqc", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", primary.dsn()]
        for _ in range(200):
            if subprocess.run(state, check=True, capture_output=True, text=True).stdout.strip() == "1":
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the standby does not follow")
        yield Pair(primary, standby)
    finally:
        for one in (standby, primary):
            if one is not None:
                one.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.timeout(180)
async def test_the_primary_is_lost_and_the_standby_goes_on(pair: Pair, tmp_path: Path) -> None:
    async with DnsServer(dict(ZONE)) as dns, MxServer() as mx:
        world = World(dns, mx, tmp_path, pair.url)
        async with world.platform(workers=2) as platform:
            load = Load(platform)
            clients = [asyncio.create_task(load.run(number)) for number in range(CLIENTS)]
            await asyncio.sleep(2)
            before = len(load.accepted)
            pair.lose_the_primary()
            lost_s = time.monotonic()
            await asyncio.sleep(2)
            by_then = len(load.accepted)
            pair.promote()
            async with asyncio.timeout(60):
                while len(load.accepted) < by_then + 50:  # noqa: ASYNC110 - clients that send
                    await asyncio.sleep(0.05)
            again_s = time.monotonic() - lost_s
            load.is_over = True
            await asyncio.gather(*clients)
            total = (await asyncio.to_thread(platform.command, "audit", "--json"))["accepted"]
            messages = await platform.settled(total)
            assert (await asyncio.to_thread(platform.command, "audit", "--json"))["difference"] == 0
        arrived = [m.recipients[0] for m in mx.mails]
        assert mx.violations == []
    print(f"\n{before} before, {len(load.accepted)} in all, 50 more {again_s:.1f} s after the loss; {len(arrived)} arrived, "
          f"{len(arrived) - len(set(arrived))} twice, {len(load.refused)} refused", file=sys.stderr)  # fmt: skip
    assert before > 20 and by_then - before <= CLIENTS  # without its standby or itself, nothing is promised
    assert set(load.accepted) - set(arrived) == set()
    assert {m["state"] for m in messages} == {"delivered"}
    assert {(told.code, told.enhanced) for told in load.refused} <= ALLOWED
    assert len(arrived) - len(set(arrived)) <= 2 * 20 * 2  # claims are not synced: what was under way is repeated
