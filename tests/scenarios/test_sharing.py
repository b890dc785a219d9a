"""One busy site is worked by several workers at once: two real processes, a provider that answers 421 to one connection too many, and the end of a holder.

The provider takes exactly as many connections as the operator allows. One worker's share too much at any moment and somebody is told 421.
"""

import asyncio
import os
import signal
from collections import Counter

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.load import Arrivals, send_many, until
from tests.scenarios.platform import Platform

pytestmark = pytest.mark.timeout(120)

CONNECTIONS, MAILS = 6, 3000


async def test_a_busy_site_is_shared_within_its_limits_and_a_killed_holders_part_moves(world: World) -> None:
    arrivals = Arrivals()
    world.mx.replies, world.mx.max_connections = {"body": arrivals}, CONNECTIONS
    async with world.platform(workers=2, sections={"delivery": f"connections = {CONNECTIONS}"}) as platform:
        await asyncio.to_thread(send_many, platform, [f"b{n}@dest.example" for n in range(MAILS)], at_once=500)
        await until("the site is shared", lambda: asyncio.sleep(0, shared(platform)[-1:] == [2]))
        await until("both workers have sent", lambda: asyncio.sleep(0, len(world.mx.mails) > MAILS // 3))
        os.kill(platform.worker_pids()[-1], signal.SIGKILL)
        messages = await platform.settled(MAILS)
        assert Counter(m["state"] for m in messages) == {"delivered": MAILS}
        platform.assert_nothing_is_missing()
        log = platform.log()
    assert len(arrivals.at) == MAILS
    assert world.mx.most_open <= CONNECTIONS and "path slowed" not in log, "nobody was told 421"
    assert arrivals.copies <= CONNECTIONS // 2 * 2, "what the killed worker had under way, twice per connection at most"


def shared(platform: Platform) -> list[int]:
    """Among how many the busy site was shared, one after the other."""
    return [int(line.rpartition("workers=")[2]) for line in platform.log().splitlines() if "site shared" in line]
