"""Far more than can be done (T11): clients send large mails as fast as they can to a receiver that takes them slowly, beside calls of the Send API, and
crowds of idle connections. Whoever is over is told so with 4xx, 429 or 503; memory has an end; everything that was accepted arrives; others are served."""

import asyncio
import contextlib
import os
import time
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.faults.ledger import IS_LONG
from tests.scenarios.conftest import World, small_world
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.scenarios.wire import Wire
from tests.world import Act

__all__ = ["small_world"]  # a fixture
SECONDS = 600 if IS_LONG else 4
CLIENTS = 24
IDLE = 15_000 if IS_LONG else 1_500
SIZE = 400_000
BODIES_MB = 8
LIMIT_MB = 512 if IS_LONG else 250
"""Of one worker: R12."""


class Flood:
    """Clients that know no pause."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.accepted: list[str] = []
        self.told: Counter[tuple[int, str]] = Counter()
        self.answers: Counter[int] = Counter()
        self.is_over = False

    async def by_smtp(self, client: int) -> None:
        body, number = os.urandom(SIZE * 3 // 8).hex().encode(), 0
        content = mail(body=b"\r\n".join(body[i : i + 76] for i in range(0, len(body), 76)) + b"\r\n")
        while not self.is_over:
            with contextlib.suppress(ConnectionError):
                async with Wire(self._platform, source=f"127.0.1.{client + 1}") as wire:
                    await wire.greet()
                    told = await wire.login()
                    while not self.is_over and told.code not in (0, 421):
                        number += 1
                        to = f"s{client}-{number}@dest.example"
                        told = await wire.mail(to, content)
                        self.told[told.code, told.enhanced] += 1
                        if told.code == 250:
                            self.accepted.append(to)

    async def by_http(self, client: int) -> None:
        number = 0
        async with httpx2.AsyncClient(timeout=60, auth=(self._platform.key, self._platform.secret)) as http:
            while not self.is_over:
                number += 1
                to = [f"h{client}-{number}-{n}@dest.example" for n in range(20)]
                messages = [{"From": {"Email": f"news@{DOMAIN}"}, "To": [{"Email": one}], "Subject": "x", "TextPart": "x" * 20_000} for one in to]
                with contextlib.suppress(httpx2.TransportError):
                    answer = await http.post(f"{self._platform.http_url}/v3.1/send", json={"Messages": messages})
                    self.answers[answer.status_code] += 1
                    if answer.status_code == 200:
                        self.accepted += to


def memory_mb(pids: list[int]) -> float:
    return max(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6 for pid in pids)


@pytest.mark.timeout(1800 if IS_LONG else 240)
async def test_ten_times_as_much_as_can_be_done(small_world: World) -> None:
    small_world.mx.replies = {"body": lambda moment: Act(delay_s=0.05)}
    sections = {"submission": 'max_size = "1MB"', "limits": f'bodies = "{BODIES_MB}MB"', "delivery": 'connections = 4\ngive_up_after = "3h"\nretry = ["1s"]'}
    async with small_world.platform(sections=sections) as platform:
        pids, flood = platform.worker_pids(), Flood(platform)
        tasks = [asyncio.create_task(flood.by_smtp(n)) for n in range(CLIENTS)] + [asyncio.create_task(flood.by_http(n)) for n in range(4)]
        peak_mb, began_s = 0.0, time.monotonic()
        while time.monotonic() - began_s < SECONDS:
            await asyncio.sleep(0.1)
            peak_mb = max(peak_mb, memory_mb(pids))
        flood.is_over = True
        await asyncio.gather(*tasks)
        accepted_s = time.monotonic() - began_s
        assert platform.worker_pids() == pids  # nobody was killed for his memory
        small_world.mx.replies = {}
        total = (await asyncio.to_thread(platform.command, "audit", "--json"))["accepted"]
        messages = await platform.settled(total, 1200)
        platform.assert_nothing_is_missing()
    arrived = [recipient for m in small_world.mx.mails for recipient in m.recipients]
    print(f"\n{len(flood.accepted)} accepted in {accepted_s:.0f} s, told {dict(flood.told)}, HTTP {dict(flood.answers)}, peak {peak_mb:.0f} MB; "
          f"all settled {time.monotonic() - began_s - accepted_s:.0f} s later")  # fmt: skip
    assert set(flood.accepted) - set(arrived) == set()
    assert len(arrived) == len(set(arrived))
    assert {m["state"] for m in messages} == {"delivered"}
    assert {code for code, _ in flood.told} <= {250, 421, 451, 452, 0}
    assert flood.told[452, "4.3.1"] > 0, "nobody was over the limit: this was no overload"
    assert set(flood.answers) <= {200, 429, 503}
    assert peak_mb < LIMIT_MB


@pytest.mark.timeout(600 if IS_LONG else 120)
async def test_a_crowd_that_says_nothing(small_world: World) -> None:
    """Each of them costs little, and one who has something to say is heard."""
    limits = f"max_connections = {IDLE}\nmax_connections_per_address = {IDLE // 3 + 1}"
    async with small_world.platform(sections={"submission": limits}) as platform, contextlib.AsyncExitStack() as stack:
        pids = platform.worker_pids()
        before_mb = memory_mb(pids)
        writers = []
        for n in range(IDLE - 50):
            _, writer = await asyncio.open_connection("127.0.0.1", platform.smtp_port, local_addr=(f"127.0.3.{n % 3 + 1}", 0))
            stack.callback(writer.transport.abort)
            writers.append(writer)
        grown_mb = memory_mb(pids) - before_mb
        began_s = time.monotonic()
        async with Wire(platform) as wire:
            await wire.greet()
            assert (await wire.login()).code == 235
            assert (await wire.mail("a@dest.example", mail())).code == 250
        heard_s = time.monotonic() - began_s
        await small_world.mx.wait_for(1, 20)
        assert platform.worker_pids() == pids
    print(f"\n{len(writers)} idle connections cost {grown_mb * 1000 / len(writers):.0f} kB each; a mail beside them was taken after {heard_s:.2f} s")
    assert grown_mb * 1000 / len(writers) < 256
