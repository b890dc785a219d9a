"""A password mail beside a campaign: how long it takes from its 250 to its arrival while a large newsletter to the same site goes out at full speed.

    python -m bench.lanes [RECIPIENTS] [--seconds 30]

The newsletter (personal, tracked, signed) waits whole in the queue; two workers send it over at most 20 connections to one sink. Ten mails a second come by
SMTP meanwhile, to the same domain. The sink says when each came (both ends on one machine, one clock). The same without the newsletter is measured first.
"""

import argparse
import asyncio
import smtplib
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.scenarios.conftest import ZONE
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.world.dns import DnsServer

from bench.campaign import SLOT, draft
from bench.peers import LIFETIME_S, process, wait_for_line
from bench.sink import Counter
from estafette.accept.ids import IdMaker
from estafette.clock import SystemClock
from estafette.newsletters.conductor import Conductor
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store

PER_S = 10
PATIENCE_S = 60.0


def send(platform: Platform, seconds: float, accepted: dict[str, float], name: str) -> None:
    """Ten a second, each in a transaction of its own on one connection; when each was answered."""
    with smtplib.SMTP("127.0.0.1", platform.smtp_port, timeout=60) as client:
        client.login(platform.key, platform.secret)
        began = time.monotonic()
        for n in range(int(seconds * PER_S)):
            time.sleep(max(0.0, began + n / PER_S - time.monotonic()))
            client.sendmail(f"news@{DOMAIN}", [f"urgent{n}@dest.example"], mail("Your password", fields=f"X-Bench: {name}{n}\r\n"))
            accepted[f"{name}{n}"] = time.monotonic()


class Arrivals(threading.Thread):
    """What the sink prints."""

    def __init__(self, lines) -> None:  # type: ignore[no-untyped-def]
        super().__init__(daemon=True)
        self._lines = lines
        self.at: dict[str, float] = {}

    def run(self) -> None:
        for line in self._lines:
            words = line.split()
            if words[:1] == ["came"]:
                self.at[words[1]] = float(words[2])


async def measured(platform: Platform, arrivals: Arrivals, counter: Counter, seconds: float, name: str) -> str:
    accepted: dict[str, float] = {}
    before, began = counter.read().mails, time.monotonic()
    await asyncio.to_thread(send, platform, seconds, accepted, name)
    rate = (counter.read().mails - before) / (time.monotonic() - began)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and not accepted.keys() <= arrivals.at.keys():  # noqa: ASYNC110  (a thread)
        await asyncio.sleep(0.05)
    took = sorted(arrivals.at.get(one, accepted[one] + PATIENCE_S) - accepted[one] for one in accepted)
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    figures = f"median {statistics.median(took) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, worst {took[-1] * 1000:.0f} ms"
    return f"{len(took)} mails while {rate:.0f} mails/s went out in all: {figures}"


async def run(folder: Path, people: int, seconds: float) -> None:
    url, clock = f"sqlite:///{folder}/estafette.db", SystemClock()
    with Counter(folder / "counts") as counter:
        words = [sys.executable, "-m", "bench.sink", "--counter", str(folder / "counts"), "--chunking", "--lifetime-s", str(LIFETIME_S)]
        with process(words, folder / "sink.log") as sink:
            port = int(wait_for_line(sink, "ready", folder / "sink.log").rpartition(":")[2])
            arrivals = Arrivals(sink.stdout)
            arrivals.start()
            async with DnsServer(dict(ZONE)) as dns:
                platform = Platform(folder, url, dns=dns.server, mx_port=port, workers=2, sections={"delivery": "connections = 20"})
                async with platform:
                    print(f"alone: {await measured(platform, arrivals, counter, min(seconds, 10), 'a')}", flush=True)
                    await platform.stop()
                    store = await open_store(url, StatusPolicy(), clock)
                    await draft(store, people)
                    conductor = Conductor(store, clock, SLOT, IdMaker(SLOT).next, lambda: None, 86_400.0)
                    while await conductor.step():
                        pass
                    await store.close()
                    await platform.start()
                    await asyncio.sleep(5)
                    print(f"beside {people} recipients: {await measured(platform, arrivals, counter, seconds, 'b')}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipients", type=int, nargs="?", default=200_000)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), given.recipients, given.seconds))


if __name__ == "__main__":
    main()
