"""T1: kill -9 of workers and of the whole platform under load. Every mail that was answered with 250 arrives; every copy too many is told of."""

import asyncio
import os
import random
import signal
import sys

import pytest

from tests.faults.ledger import IS_LONG, Load, settle_accounts
from tests.scenarios.conftest import World, world
from tests.world import Act

__all__ = ["world"]  # a fixture
KILLS = 250 if IS_LONG else 25


@pytest.mark.timeout(3600 if IS_LONG else 240)
async def test_kill_9_under_load_loses_nothing(world: World, request: pytest.FixtureRequest) -> None:
    chance = random.Random(os.environ.get("ESTAFETTE_TEST_SEED", request.node.name))
    world.mx.replies = {"body": lambda moment: Act(delay_s=0.02)}  # so that some attempts are past the final dot at any moment
    async with world.platform(workers=2, sections={"delivery": "connections = 8"}, own_group=True) as platform:
        load = Load(platform, pause_s=0.01)
        killed = 0
        async with load.running():
            while killed < KILLS:
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                what = chance.random()
                if what < 0.1:
                    await platform.kill()  # supervisor and workers at once
                    await platform.start()
                elif what < 0.2 and IS_LONG and (workers := platform.worker_pids()):
                    stopped = chance.choice(workers)
                    os.kill(stopped, signal.SIGSTOP)
                    await asyncio.sleep(chance.choice([1.0, 6.0]))  # its lease has 3 s
                    os.kill(stopped, signal.SIGCONT)
                elif workers := platform.worker_pids():
                    os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
        made = await settle_accounts(platform, load.accepted, world.mx.mails)
    print(f"\n{killed} kills: {made}, clients saw {dict(load.refused)}", file=sys.stderr)
    assert made.promised > 100
    assert made.uncertain < killed * 8 * 2  # at most the connections that were open
