"""Two supervisors on one PostgreSQL, as two machines would be: one is lost, one is added, one after the other is renewed. Real command, real sockets;
the first assertion is the count on both sides."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import ZONE, World
from tests.scenarios.load import Arrivals, Load, holders, lost_claims, nothing_lost, send_many, site_servers, until
from tests.scenarios.platform import Platform
from tests.world import Act
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

pytestmark = pytest.mark.timeout(240)

CONNECTIONS = 2
SITES = 12
UNWRITTEN = 2
"""Outcomes per connection that may be unwritten when a worker is lost (docs/decisions/0002)."""


@pytest.fixture
async def two(tmp_path: Path, fresh_postgres: str) -> AsyncIterator[World]:
    async with DnsServer(dict(ZONE)) as dns, MxServer() as mx:
        yield World(dns, mx, tmp_path, fresh_postgres)
        assert mx.violations == []


def machine(world: World, name: str, beside: Platform | None = None) -> Platform:
    """A supervisor with a folder, a configuration and ports of its own, that greets by its own name."""
    folder = world.folder / name
    folder.mkdir()
    sections = {"server": f'hostname = "{name}.relay.test"', "delivery": f"connections = {CONNECTIONS}"}
    return Platform(folder, world.database_url, dns=world.dns.server, mx_port=world.mx.port, workers=2, sections=sections, own_group=True, beside=beside)


def greeted_by(servers: dict[str, MxServer]) -> Counter[str]:
    """How many mails each machine delivered."""
    return Counter(mail.helo for server in servers.values() for mail in server.mails)


async def all_delivered(platform: Platform, arrivals: Arrivals) -> int:
    """The count on both sides; how many there are."""
    total: int = platform.command("audit", "--json")["accepted"]
    messages = await platform.settled(total)
    assert Counter(m["state"] for m in messages) == {"delivered": total}
    assert {m["to"] for m in messages} == set(arrivals.at)
    platform.assert_nothing_is_missing()
    return total


async def test_one_machine_is_lost_and_the_other_delivers_everything(two: World) -> None:
    arrivals = Arrivals(Act(delay_s=0.05))
    async with site_servers(two.dns, two.mx.port, SITES, arrivals) as servers, machine(two, "a") as a, machine(two, "b", a) as b:
        sites = [*servers]
        loads = [Load(a, sites, "a", pause_s=0.02), Load(b, sites, "b", pause_s=0.02)]
        async with loads[0].running(2), loads[1].running(2):
            await asyncio.to_thread(send_many, a, [f"q{n}@{sites[n % 3]}" for n in range(300)])  # so that something waits and something is under way
            await until("both deliver", lambda: asyncio.sleep(0, len(greeted_by(servers)) == 2 and sum(greeted_by(servers).values()) > 150))
            theirs = set(a.worker_pids())
            await a.kill()
            killed_s = time.monotonic()

            async def moved() -> bool:
                found = await holders(two.database_url)
                return len(found) == SITES and not theirs & set(found.values())

            moved_s = await until("the other has all sites", moved)
            by_then = greeted_by(servers)["a.relay.test"]
            await asyncio.sleep(1)
        total = await all_delivered(b, arrivals)
        assert greeted_by(servers)["a.relay.test"] == by_then
        assert total >= 300 + len(loads[0].accepted) + len(loads[1].accepted)
        assert lost_claims(b) == {}
    for load in loads:
        nothing_lost(load.accepted, arrivals)
    assert len(loads[0].accepted) > 20 and len([s for s in loads[1].accepted.values() if s > killed_s]) > 20
    assert arrivals.copies <= SITES * CONNECTIONS * UNWRITTEN
    assert all(server.most_open <= CONNECTIONS for server in servers.values())  # the kernel closed what the dead had open
    print(f"\nmoved after {moved_s:.1f} s, {total} mails, {arrivals.copies} twice, {dict(greeted_by(servers))}")


async def test_a_machine_that_is_added_takes_a_part_of_the_sites(two: World) -> None:
    arrivals = Arrivals(Act(delay_s=0.02))
    async with site_servers(two.dns, two.mx.port, SITES, arrivals) as servers, machine(two, "a") as a:
        load = Load(a, [*servers], pause_s=0.01)
        async with load.running(4):
            await until("mail flows", lambda: asyncio.sleep(0, sum(greeted_by(servers).values()) > 100))
            first = set((await holders(two.database_url)).values())
            async with machine(two, "b", a) as b:
                second = set(b.worker_pids())

                async def shared() -> bool:
                    return len(set((await holders(two.database_url)).values()) & second) > 0

                shared_s = await until("the second holds sites", shared)
                await until("it delivers what the first accepted", lambda: asyncio.sleep(0, greeted_by(servers)["b.relay.test"] > 50))
                held = await holders(two.database_url)
                assert set(held.values()) <= first | second
            # the second was stopped in good order: the first goes on with everything
            count = sum(greeted_by(servers).values())
            await until("mail flows on", lambda: asyncio.sleep(0, sum(greeted_by(servers).values()) > count + 50))
        total = await all_delivered(a, arrivals)
        assert arrivals.copies == 0 and total == len(load.accepted)
        assert lost_claims(a) == lost_claims(b) == {}
    nothing_lost(load.accepted, arrivals)
    assert not load.refused
    assert {domain: server.most_open for domain, server in servers.items() if server.most_open > CONNECTIONS} == {}  # a site changes hands when it is at rest
    print(f"\nshared after {shared_s:.1f} s, {total} mails, {dict(greeted_by(servers))}, {Counter(held.values())}")


async def test_machines_renewed_one_after_the_other_lose_and_double_nothing(two: World) -> None:
    arrivals = Arrivals(Act(delay_s=0.02))
    async with site_servers(two.dns, two.mx.port, SITES, arrivals) as servers, machine(two, "a") as a, machine(two, "b", a) as b:
        loads = [Load(a, [*servers], "a", pause_s=0.02), Load(b, [*servers], "b", pause_s=0.02)]
        async with loads[0].running(2), loads[1].running(2):
            for one in (a, b):
                count = sum(greeted_by(servers).values())
                await until("mail flows", lambda count=count: asyncio.sleep(0, sum(greeted_by(servers).values()) > count + 100))  # type: ignore[misc]
                assert await one.stop() == 0
                await one.start()
            await asyncio.sleep(2)
        total = await all_delivered(b, arrivals)
        assert arrivals.copies == 0
        assert lost_claims(a) == lost_claims(b) == {}
    for load in loads:
        nothing_lost(load.accepted, arrivals)
        assert len(load.accepted) > 50
    assert {domain: server.most_open for domain, server in servers.items() if server.most_open > CONNECTIONS} == {}
    print(f"\n{total} mails, {dict(greeted_by(servers))}")
