"""What `test_cut_off.py` runs in the namespace of the world; it is collected only when its path is given."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.peers import postgres
from tests.scenarios.conftest import World
from tests.scenarios.load import Arrivals, Load, holders, nothing_lost, site_servers, until
from tests.scenarios.platform import Platform
from tests.scenarios.test_two_machines import UNWRITTEN, all_delivered, greeted_by
from tests.world import Act
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

NAMES = os.environ["ESTAFETTE_TEST_NAMESPACES"]
CONNECTIONS = 2
SITES = 8


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[World]:
    cluster = postgres.start_cluster("10.77.0.1")
    try:
        async with DnsServer(address="10.77.0.1") as dns, MxServer(address="10.77.1.200") as mx:
            yield World(dns, mx, tmp_path, cluster.dsn())
    finally:
        cluster.stop()


def machine(world: World, name: str, number: int, beside: Platform | None = None) -> Platform:
    folder = world.folder / name
    folder.mkdir()
    sections = {"server": f'hostname = "{name}.relay.test"', "delivery": f"connections = {CONNECTIONS}",
                "submission": f'listen = ["10.77.0.{number}:0"]\nallow_plain_auth = "always"'}  # fmt: skip
    made = Platform(folder, world.database_url, dns=world.dns.server, mx_port=world.mx.port, workers=2, sections=sections, own_group=True, beside=beside,
                    host=f"10.77.0.{number}", within=["ip", "netns", "exec", f"{NAMES}{name}"])  # fmt: skip
    made.client_timeout_s = 5
    return made


def cable(name: str, state: str) -> None:
    subprocess.run(["ip", "link", "set", "dev", name, state], check=True)


async def test_a_machine_is_cut_off_and_comes_back(far: World) -> None:
    arrivals = Arrivals(Act(delay_s=0.05))
    async with site_servers(far.dns, far.mx.port, SITES, arrivals, net="10.77.1") as servers, machine(far, "a", 2) as a, machine(far, "b", 3, a) as b:
        loads = [Load(a, [*servers], "a", pause_s=0.02), Load(b, [*servers], "b", pause_s=0.02)]
        async with loads[0].running(2), loads[1].running(2):
            await until("both deliver", lambda: asyncio.sleep(0, len(greeted_by(servers)) == 2 and sum(greeted_by(servers).values()) > 100))
            theirs = set(b.worker_pids())
            cable("b", "down")
            cut_s = time.monotonic()

            async def moved() -> bool:
                found = await holders(far.database_url)
                return len(found) == SITES and not theirs & set(found.values())

            moved_s = await until("the other has all sites", moved)
            by_then, count = greeted_by(servers)["b.relay.test"], len(loads[0].accepted)
            await until("the other goes on", lambda: asyncio.sleep(0, len(loads[0].accepted) > count + 50))
            assert greeted_by(servers)["b.relay.test"] == by_then  # what is cut off sends nothing
            cable("b", "up")

            async def back() -> bool:
                return bool(set(b.worker_pids()) & set((await holders(far.database_url)).values()))

            back_s = await until("the machine holds sites again", back)
            await until("it delivers", lambda: asyncio.sleep(0, greeted_by(servers)["b.relay.test"] > by_then + 20))
        total = await all_delivered(a, arrivals)
    for load in loads:
        nothing_lost(load.accepted, arrivals)
    assert len([s for s in loads[1].accepted.values() if s > cut_s]) > 5  # b accepts again
    assert arrivals.copies <= SITES * CONNECTIONS * UNWRITTEN
    print(f"\nmoved after {moved_s:.1f} s, back after {back_s:.1f} s, {total} mails, {arrivals.copies} twice, {dict(greeted_by(servers))}")
