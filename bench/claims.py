"""Claims and settlements alone: how many messages a second the database gives out and takes back, every settlement synced.

    python -m bench.claims                              # SQLite, then a PostgreSQL cluster of its own
    python -m bench.claims --messages 40000 --batch 500 --at-once 4

No mail is sent: a batch is claimed, its outcomes are written, and so on, by several workers at once. Figures are of this machine, with fsync on.
"""

import argparse
import asyncio
import sys
import tempfile
import time

from tests.peers.postgres import start_cluster

from estafette.clock import SECOND_US, SystemClock
from estafette.model import LANES, Door, NewMessage, Options, Outcome, OutcomeKind, Settlement, State, Submission
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want

SITES = 8


def message(number: int) -> NewMessage:
    """To one of a few sites, in a lane of bulk."""
    domain = f"d{number % SITES}.test"
    return NewMessage(number, f"r{number}@{domain}", f"r{number}@{domain}", domain, State.QUEUED, site=f"mx.{domain}", lane=4)


async def fill(store: Database, messages: int, per_submission: int = 100) -> None:
    """Messages of a few sites in the queue, as campaigns bring them."""
    clock = SystemClock()
    account = await store.account("bench") or await store.add_account("bench", clock.now_us())
    now = clock.now_us()
    first = await store.newest_id() + 1
    for start in range(first, first + messages, 20 * per_submission):
        made = []
        for at in range(start, min(start + 20 * per_submission, first + messages), per_submission):
            ids = range(at, min(at + per_submission, first + messages))
            rows = tuple(message(n) for n in ids)
            made.append(Submission(at, account.id, Door.HTTP, "back@bench.test", "news@bench.test", "Bench", Options(), now, now, now + 86_400 * SECOND_US,
                                   b"Subject: Bench\r\n\r\nBody\r\n", rows))  # fmt: skip
        await store.accept_many(made)


async def drain(url: str, batch: int, at_once: int, messages: int) -> float:
    """Messages per second."""
    clock = SystemClock()
    store = await open_store(url, StatusPolicy(), clock, connections=at_once * 2 + 2)
    await fill(store, messages)
    done = 0

    async def work(number: int) -> None:
        nonlocal done
        worker = await store.join(f"bench{number}", clock.now_us(), clock.now_us() + 3600 * SECOND_US)
        sites = [f"mx.d{n}.test" for n in range(SITES) if n % at_once == number % at_once]
        while claims := await store.claim(worker.id, [Want(site, (batch // len(sites),) * LANES) for site in sites], clock.now_us()):
            outcome = Outcome(OutcomeKind.DELIVERED, clock.now_us(), "250 2.0.0 ok", 250, "2.0.0", "body", "mx.bench.test", "127.0.0.1", transcript="x" * 300)
            await asyncio.gather(*(store.settle(Settlement(claim, outcome)) for claim in claims))
            done += len(claims)

    began = time.monotonic()
    await asyncio.gather(*(work(number) for number in range(at_once)))
    took_s = time.monotonic() - began
    await store.close()
    assert done == messages, f"{done} of {messages}"
    return done / took_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rate = asyncio.run(drain(f"sqlite:///{folder}/bench.db", given.batch, given.at_once, given.messages))
    print(f"SQLite      {rate:8.0f} messages/s claimed and settled")
    cluster = start_cluster()
    try:
        rate = asyncio.run(drain(cluster.dsn(), given.batch, given.at_once, given.messages))
    finally:
        cluster.stop()
    print(f"PostgreSQL  {rate:8.0f} messages/s claimed and settled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
