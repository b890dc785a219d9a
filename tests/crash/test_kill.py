"""kill -9 of worker processes under load: every mail that was answered with 250 arrives; what arrives twice is bounded and counted."""

import asyncio
import os
import random
import re
import signal
import smtplib
import sys
from collections import Counter

import pytest

from tests.scenarios.conftest import World, small_world, world
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.world import Act

__all__ = ["small_world", "world"]  # fixtures
KILLS = 50
SENDERS = 4


class Load:
    """Clients that send as fast as they are answered, and remember what was answered with 250."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._is_over = False
        self.accepted: list[str] = []
        self.refused: Counter[int] = Counter()

    def stop(self) -> None:
        self._is_over = True

    def run(self, number: int) -> None:
        sent = 0
        while not self._is_over:
            try:
                with self._platform.connect() as client:
                    for _ in range(20):
                        if self._is_over:
                            break
                        name = f"m{number}-{sent}"
                        sent += 1
                        client.sendmail(f"news@{DOMAIN}", [f"{name}@dest.example"], mail(name, (b"x" * 70 + b"\r\n") * 30))
                        self.accepted.append(name)
            except smtplib.SMTPResponseException as error:
                self.refused[error.smtp_code] += 1
            except (OSError, smtplib.SMTPException):
                self.refused[0] += 1


def subjects(content: bytes) -> str:
    found = re.search(rb"^Subject: (.*)\r$", content, re.M)
    assert found is not None
    return found[1].decode()


@pytest.mark.timeout(240)
async def test_kill_9_under_load_loses_nothing(world: World, request: pytest.FixtureRequest) -> None:
    chance = random.Random(os.environ.get("ESTAFETTE_TEST_SEED", request.node.name))
    world.mx.replies = {"body": lambda moment: Act(delay_s=0.002)}  # so that some attempts are under way at any moment
    async with world.platform(workers=2, sections={"delivery": "connections = 8"}) as platform:
        load = Load(platform)
        clients = [asyncio.create_task(asyncio.to_thread(load.run, n)) for n in range(SENDERS)]
        killed = 0
        while killed < KILLS:
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            workers = platform.worker_pids()
            if workers:
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
        load.stop()
        await asyncio.gather(*clients)
        audit = platform.command("audit", "--json")
        assert audit["difference"] == 0
        total = audit["accepted"]
        messages = await platform.settled(total)
        platform.assert_nothing_is_missing()
        assert Counter(m["state"] for m in messages) == {"delivered": total}
    arrived = Counter(subjects(m.content) for m in world.mx.mails)
    lost = set(load.accepted) - set(arrived)
    twice = sum(arrived.values()) - len(arrived)
    print(f"\n{killed} kills: {len(load.accepted)} answered 250, {total} accepted, {len(arrived)} arrived, {twice} copies too many, "
          f"clients saw {dict(load.refused)}", file=sys.stderr)  # fmt: skip
    assert lost == set()
    assert len(load.accepted) > 100
    assert twice <= killed * 8 * 2  # at most two unsettled outcomes per open connection
