"""Openings and clicks per second on two worker processes and one SQLite file, every one of them counted in the store afterwards.

    python -m bench.visits [VISITS]
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.feedback.ground import click, make_ground, pixel
from tests.feedback.visiting import Tally, counted, read, start

MESSAGES = 2000
CONNECTIONS = 64


async def _paths(folder: Path) -> list[str]:
    ground = await make_ground(folder)
    await ground.deliver(*range(1, MESSAGES + 1))
    await ground.store.close()
    return [f"/o/{pixel(n)}" if n % 3 else f"/c/{click(n)}" for n in range(1, MESSAGES + 1)]


def main() -> None:
    visits = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = asyncio.run(_paths(folder))
        workers, port = start(folder, 2)
        tally = Tally()
        asyncio.run(read(port, paths, 500, 4, Tally()))
        asyncio.run(read(port, paths, visits, CONNECTIONS, tally))
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(30)
        kept = counted(folder) - 500
    waits = sorted(tally.waits_s)
    print(f"{tally.answered} answered, {kept} kept, {tally.answered / tally.took_s:.0f} per second over {CONNECTIONS} connections; "
          f"median {waits[len(waits) // 2] * 1000:.1f} ms, 99 of 100 within {waits[int(len(waits) * 0.99)] * 1000:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
