"""T2: SIGTERM under load, to one worker after the other and then to the whole: nobody is told never, nothing is lost, nothing comes twice."""

import asyncio
import os
import signal
import sys
import time

import pytest

from tests.faults.ledger import IS_LONG, Load, settle_accounts
from tests.scenarios.conftest import World, small_world
from tests.world import Act

__all__ = ["small_world"]  # a fixture
ROUNDS = 20 if IS_LONG else 1


@pytest.mark.timeout(600)
async def test_stopping_and_rolling_restarts_cost_nothing(small_world: World) -> None:
    small_world.mx.replies = {"body": lambda moment: Act(delay_s=0.02)}
    async with small_world.platform(workers=2) as platform:
        load = Load(platform, clients=3, pause_s=0.01)
        async with load.running():
            for _ in range(ROUNDS):
                for pid in platform.worker_pids():
                    os.kill(pid, signal.SIGTERM)
                    async with asyncio.timeout(60):
                        while pid in platform.worker_pids():  # noqa: ASYNC110 - nobody tells us
                            await asyncio.sleep(0.05)
                started_s = time.monotonic()
                assert await platform.stop() == 0
                took_s = time.monotonic() - started_s
                await platform.start()
        made = await settle_accounts(platform, load.accepted, small_world.mx.mails)
    print(f"\n{ROUNDS} rounds: {made}, the last stop took {took_s:.1f} s, clients saw {dict(load.refused)}", file=sys.stderr)
    assert made.promised > 5
    assert set(load.refused) <= {0, 421, 451}, "a client was told never"
    assert (made.copies, made.uncertain) == (0, 0)
