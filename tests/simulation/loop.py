"""An event loop whose clock jumps: nothing is ever waited for, the next timer is simply the present.

    loop = SimulatedLoop(); loop.run_until_complete(...)      # `loop.time()` is simulated seconds since the start

Everything runs on behalf of a `Process`, found in the context of each callback. A process can be killed (nothing of it runs any more, not
even a `finally`) and stopped for a while (SIGSTOP: its callbacks are kept and run, in order, when it goes on).
"""

import asyncio
import contextlib
import contextvars
import heapq
import random
import weakref
import zlib
from asyncio.base_events import BaseEventLoop
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from estafette.clock import SECOND_US

START_US = 1_790_000_000 * SECOND_US
COMPACT_AT = 100


class Deadlock(Exception):
    """Nothing is scheduled, and yet the main coroutine has not ended."""


class Process:
    """A simulated operating-system process. `chance` is its own source of randomness, so that processes do not disturb each other's."""

    def __init__(self, loop: "SimulatedLoop", name: str) -> None:
        self.name = name
        self.chance = random.Random(f"{loop.seed}/{name}")
        self.is_dead = False
        self.is_stopped = False  # SIGSTOP
        self.was_stopped = False  # ever: it may have been declared dead meanwhile
        self.held: deque[Handle] = deque()
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.loop = loop
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as part of this process."""
        return self.loop.create_task(work, context=self.context.copy())

    def kill(self) -> None:
        """kill -9."""
        self.is_dead = True
        self.held.clear()
        self.loop.bury(self)

    def stop(self) -> None:
        """SIGSTOP."""
        self.is_stopped = self.was_stopped = True

    def go_on(self) -> None:
        """SIGCONT."""
        self.is_stopped = False
        self.loop._ready.extend(self.held)
        self.held.clear()


PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process")


class Handle:
    """`asyncio.Handle` and `TimerHandle` with nothing but what is needed here: they are made a hundred thousand times in a life."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "timer_of", "when_s")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: contextvars.Context | None, when_s: float = 0.0,
                 timer_of: "SimulatedLoop | None" = None) -> None:  # fmt: skip
        self.callback = callback
        self.args = args
        self.context = contextvars.copy_context() if context is None else context
        self.is_cancelled = False
        self.when_s = when_s
        self.timer_of = timer_of  # the loop in whose heap it is

    def cancel(self) -> None:
        """As asyncio's."""
        if not self.is_cancelled:
            self.is_cancelled = True
            if self.timer_of is not None:
                self.timer_of.cancelled_timers += 1

    def cancelled(self) -> bool:
        """As asyncio's."""
        return self.is_cancelled

    def when(self) -> float:
        """As asyncio's."""
        return self.when_s


class SimulatedLoop(BaseEventLoop):
    """See the module. Connections are made by `network.py`, which sets `network`."""

    network: Any = None

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.now_s = 0.0
        self.steps = 0
        self.trace = 0  # checksum over everything that happened, in order
        self.errors: list[str] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._timer_number = 0
        self.cancelled_timers = 0
        self._graves: list[asyncio.Task[Any]] = []
        self.set_task_factory(_make_task)  # type: ignore[arg-type]
        self.set_exception_handler(self._remember)

    def time(self) -> float:
        return self.now_s

    def note(self, what: str) -> None:
        """Put a fact into the trace."""
        self.trace = zlib.crc32(f"{self.now_s:.6f} {what}".encode(), self.trace)

    def _remember(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _run_once(self) -> None:
        """As BaseEventLoop's, with jumps instead of a selector."""
        ready, timers = self._ready, self._timers
        if self.cancelled_timers > COMPACT_AT and self.cancelled_timers * 2 > len(timers):
            timers = self._timers = [timer for timer in timers if not timer[2].is_cancelled]
            heapq.heapify(timers)
            self.cancelled_timers = 0
        while timers and (timers[0][0] <= self.now_s or not ready or timers[0][2].is_cancelled):
            when, _, handle = heapq.heappop(timers)
            handle.timer_of = None
            if handle.is_cancelled:
                self.cancelled_timers -= 1
                continue
            if when > self.now_s:
                self.now_s = when
            ready.append(handle)
        if not ready and not self._stopping:
            raise Deadlock
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.is_cancelled:
                continue
            process = handle.context.get(PROCESS)
            if process is not None and (process.is_dead or process.is_stopped):
                if process.is_stopped and not process.is_dead:
                    process.held.append(handle)
                continue
            self.steps += 1
            try:
                handle.context.run(handle.callback, *handle.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as fault:  # as asyncio does
                self.call_exception_handler({"message": f"Exception in callback {handle.callback!r}", "exception": fault})

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        """As BaseEventLoop's, without what a real loop must be careful about."""
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        return self.call_at(self.now_s + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        """As BaseEventLoop's; of timers for one moment the one that was set first comes first."""
        handle = Handle(callback, args, context, when, self)
        self._timer_number += 1
        heapq.heappush(self._timers, (when, self._timer_number, handle))
        return handle

    async def nap(self, delay_s: float) -> None:
        """`asyncio.sleep`, for half of what it costs."""
        awake: asyncio.Future[None] = asyncio.Future(loop=self)
        self.call_at(self.now_s + delay_s, _wake, awake)
        await awake

    def bury(self, process: Process) -> None:
        """Keep what a dead process left behind until the end: freed earlier, its coroutines would run their `finally`."""
        self._graves += [task for task in process.tasks if not task.done()]

    def clear_away(self) -> None:
        """After the run: close every coroutine that never came to its end. Their last words reach nobody."""
        left = [*self._graves, *(task for task in asyncio.all_tasks(self) if not task.done())]
        self._graves = []
        self.network = None
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            for _ in range(5):  # a `finally` that awaits survives one close
                with contextlib.suppress(BaseException):
                    coroutine.close()  # type: ignore[union-attr]
                    break
        self.close()

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, *_: Any) -> Any:
        raise RuntimeError("threads are not simulated")

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        return await self.network.connect(protocol_factory, host, port, options.get("local_addr"))

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **_: Any) -> Any:
        return self.network.listen(protocol_factory, sock.host if sock else host, sock.port if sock else port)

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **_: Any) -> Any:
        return await self.network.start_tls(transport)


def _wake(awake: "asyncio.Future[None]") -> None:
    if not awake.done():
        awake.set_result(None)


def _make_task(loop: SimulatedLoop, work: Coroutine[Any, Any, Any], context: contextvars.Context | None = None, **_: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, context=context)
    process = context.get(PROCESS) if context is not None else PROCESS.get(None)
    if process is not None:
        process.tasks.add(task)
    return task


class SimulatedClock:
    """`estafette.clock.Clock` over the loop, for one process. `shift_s` moves the wall clock only, for all who share it."""

    def __init__(self, process: Process, shift_s: list[float]) -> None:
        self._process = process
        self._loop = process.loop
        self._shift_s = shift_s

    def now_us(self) -> int:
        return START_US + int((self._loop.now_s + self._shift_s[0]) * SECOND_US)

    def monotonic(self) -> float:
        return self._loop.now_s

    def random(self) -> float:
        return self._process.chance.random()

    def token_bytes(self, count: int) -> bytes:
        return self._process.chance.randbytes(count)
