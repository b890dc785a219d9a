"""Work that a loop does not wait for: routing, giving back. A fault of it is told, and nobody else is harmed."""

import asyncio
from collections.abc import Coroutine

from estafette import maillog


class Beside:
    """The tasks of one engine that run beside its loops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin something."""
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self, within_s: float) -> None:
        """Wait for what runs now."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as fault:  # messages that it held are found by `Holdings.look_for_forgotten`
            maillog.fault("engine", "", fault)
