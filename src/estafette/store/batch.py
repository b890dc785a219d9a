"""Group commit above the driver: items that arrive while a batch is being written go together into the next one.

A lone item is written at once. When a batch fails, its items are written one by one, so that a bad item harms only itself; not when the
database as a whole did not do it (`Unavailable`): then every item would fail as well, after as long a wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from estafette.store.seam import StoreFault

I = TypeVar("I")
R = TypeVar("R")


class Unavailable(StoreFault):
    """It was no item's fault: the database is locked, gone, full or read-only."""


class Batcher(Generic[I, R]):
    """Calls `write(items)` with everything that is waiting, at most `lanes` batches at a time."""

    def __init__(self, write: Callable[[Sequence[I]], Awaitable[list[R]]], *, limit: int, lanes: int) -> None:
        self._write = write
        self._limit = limit
        self._free = lanes
        self._waiting: list[tuple[I, asyncio.Future[R]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def put(self, item: I) -> R:
        """Return the item's result once its batch is committed; raises what `write` raised for it."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._free:
            self._start()
        return await future

    async def drain(self) -> None:
        """Wait until everything that was put is written."""
        while self._running:
            await asyncio.wait(self._running)

    def _start(self) -> None:
        self._free -= 1
        task = asyncio.create_task(self._work())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._write_batch(batch)
        finally:
            self._free += 1

    async def _write_batch(self, batch: list[tuple[I, asyncio.Future[R]]]) -> None:
        try:
            results = await self._write([item for item, _ in batch])
        except Exception as fault:
            if len(batch) == 1 or isinstance(fault, Unavailable) or (isinstance(fault, StoreFault) and (fault.is_full or fault.is_read_only)):
                for _, future in batch:
                    if not future.done():
                        future.set_exception(fault)
                return
            for one in batch:
                await self._write_batch([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
