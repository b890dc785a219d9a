"""Does a long queue make anything slower? The cost of a look and a claim with 10 thousand, 100 thousand and a million messages waiting, the time from
opening the database to the first claimed message, the memory of the process, and the octets on disk per recipient of a campaign.

    python -m bench.backlog                                     # SQLite
    python -m bench.backlog --sizes 10000 100000 --postgres     # a PostgreSQL cluster of its own

One in ten messages is due; the others wait for a retry, in the same lanes of the same sites, as after a bad hour of a large provider.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.peers.postgres import start_cluster

from bench.claims import SITES, fill
from estafette.clock import SECOND_US, SystemClock
from estafette.model import LANES, Outcome, OutcomeKind, Settlement
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import Want

ROUNDS = 50
ROOM = 64
BATCH = 800


async def prepare(url: str, messages: int) -> None:
    """The backlog."""
    store = await open_store(url, StatusPolicy(), SystemClock())
    await fill(store, messages, per_submission=1000)
    now = SystemClock().now_us()
    worker = await store.join("bench", now, now + 3600 * SECOND_US)
    for _ in range(messages * 9 // 10 // BATCH):
        claims = await store.claim(worker.id, [Want(f"mx.d{n}.test", (BATCH // SITES,) * LANES) for n in range(SITES)], now)
        later = Outcome(OutcomeKind.DEFERRED, now, "451 later", 451, retry_at=now + 3600 * SECOND_US, lane=4)
        await asyncio.gather(*(store.settle(Settlement(claim, later)) for claim in claims))
    await store.close()


async def measure(url: str) -> dict[str, float]:
    """Opened as by a worker that starts; the first claim, then many of them."""
    clock = SystemClock()
    began = time.monotonic()
    store = await open_store(url, StatusPolicy(), clock)
    worker = await store.join("bench", clock.now_us(), clock.now_us() + 3600 * SECOND_US)
    sites = await store.due_sites(clock.now_us(), 500)
    first = await store.claim(worker.id, [Want(sites[0], (ROOM,) * LANES)], clock.now_us())
    await store.contents([first[0].submission_id])
    opened_s = time.monotonic() - began
    began, taken = time.monotonic(), 0
    for number in range(ROUNDS):
        sites = await store.due_sites(clock.now_us(), 500)
        taken += len(await store.claim(worker.id, [Want(sites[number % len(sites)], (ROOM,) * LANES)], clock.now_us())) if sites else 0
    took_s = time.monotonic() - began
    await store.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first_s": opened_s, "us_per_message": took_s / max(1, taken) * 1e6, "claimed": taken, "memory_mb": memory}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:  # in a process of its own, so that its memory is that of a worker
        found = asyncio.run(measure(given.measure))
        print(f"first message after {found['first_s']:.2f} s, {found['us_per_message']:.0f} µs per claimed message ({found['claimed']:.0f} of them), "
              f"{found['memory_mb']:.0f} MB")  # fmt: skip
        return 0
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            cluster = start_cluster() if given.postgres else None
            url = cluster.dsn() if cluster else f"sqlite:///{folder}/bench.db"
            try:
                asyncio.run(prepare(url, size))
                disk = sum(file.stat().st_size for file in Path(folder).iterdir()) / size
                told = subprocess.run([sys.executable, "-m", "bench.backlog", "--measure", url], capture_output=True, text=True, check=True).stdout.strip()
                print(f"{size:>9} waiting at {SITES} sites: {told}{f', {disk:.0f} octets on disk per message' if disk else ''}", flush=True)
            finally:
                if cluster:
                    cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
