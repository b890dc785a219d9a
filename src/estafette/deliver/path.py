"""One path at work: the messages ready for a site, and the senders (one connection each) that take them.

    path.add(items)        # senders start, or idle ones wake
    path.rooms             # how many more messages it would like to be given, lane by lane

A sender takes an item, connects when it has no usable connection, makes the mail ready, sends, and hands the outcome to the engine. It
waits for the settling of one outcome before it begins the next but one, so that a crash can duplicate at most two mails per connection.
"""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Final, Protocol

from estafette import maillog
from estafette.deliver.attempt import Bench, Heard, attempt, put_off
from estafette.deliver.connecting import Connector, Nowhere
from estafette.deliver.connection import Connection
from estafette.deliver.holdings import Item
from estafette.deliver.outcome import Facts, after_fault, after_reply, released
from estafette.deliver.route import NoRoute
from estafette.deliver.router import Router
from estafette.model import Outcome, OutcomeKind
from estafette.queue.paths import Window, after_dead, after_refused_connection, after_slow_down, after_success
from estafette.queue.ready import Ready

READ_AHEAD: Final = 64
DIRECT: Final = 500
"""A path with so many messages takes no more from the door: they go through the queue."""
STALE_S: Final = 30.0
"""So long a message may wait here for its attempt."""
CUT_S: Final = 5.0
"""How long a sender that was cut may take to write what it knows."""


class Engine(Bench, Protocol):
    """What a path needs of its engine."""

    router: Router
    connector: Connector

    async def settle(self, item: Item, outcome: Outcome) -> None:
        """Write an outcome; returns when it is durable, never raises."""

    def may_connect(self, path: "Path") -> bool:
        """Reserve a connection of the process; False: the path is called again when there is one."""

    def connection_closed(self) -> None:
        """A reserved connection is over."""

    def is_low(self, path: "Path") -> None:
        """The path could take more messages."""


class Path:
    """See the module."""

    def __init__(self, engine: Engine, site: str, window: Window) -> None:
        self.site = site
        self.window = window
        self.ready: Ready[Item] = Ready()
        self.has_more = False  # the queue held more than was claimed
        self.is_leaving = False  # the site is another worker's now: nothing new comes in
        self.in_flight = 0
        self._engine = engine
        self._read_ahead = READ_AHEAD
        self._senders: set[asyncio.Task[None]] = set()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._open = 0  # connections that are greeted
        self._is_stopping = False

    # -- the engine's side ----------------------------------------------------------------------------------------------

    @property
    def load(self) -> int:
        """Messages held by this path."""
        return len(self.ready) + self.in_flight

    @property
    def rooms(self) -> tuple[int, ...]:
        """How many more messages the path would like to be given (`Ready.rooms`): little while it probes a site that did not answer. () for none."""
        if self._is_stopping or self.is_leaving or self.is_paused:
            return ()
        target = 2 if self.window.failures else max(2 * self.window.size, self._read_ahead)
        return self.ready.rooms(target - self.in_flight)

    @property
    def has_room(self) -> bool:
        """True when it would take a message of any lane."""
        return bool(rooms := self.rooms) and rooms[-1] > 0

    @property
    def takes_direct(self) -> bool:
        """True when mail may come straight from the door: in any other case the queue keeps the order."""
        return not (self._is_stopping or self.is_leaving or self.is_paused or self.has_more or self.window.failures) and self.load < DIRECT

    @property
    def is_paused(self) -> bool:
        """True while the site rests."""
        return self.window.is_paused(self._engine.clock.monotonic())

    @property
    def is_at_rest(self) -> bool:
        """True when nothing is under way."""
        return not self.load and not self._senders

    @property
    def has_idle(self) -> bool:
        """True when a connection is open and unused."""
        return bool(self._idle)

    def add(self, items: list[Item]) -> None:
        """More messages to send."""
        self.ready.add(items)
        self.work()

    def work(self) -> None:
        """Wake idle senders, start new ones, as far as the window and the process allow.

        Until a host has greeted only one connection is tried, then as many as are open: a site that does not answer holds one connection of the
        process and not a window full of them, and its failure is counted once.
        """
        if self._is_stopping or self.is_paused:
            return
        wanted = len(self.ready)
        while wanted and self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                wanted -= 1
        while wanted > 0 and self._may_open and self._engine.may_connect(self):
            task = asyncio.create_task(self._send_on_one_connection())
            self._senders.add(task)
            task.add_done_callback(self._sender_ended)
            wanted -= 1

    @property
    def _may_open(self) -> bool:
        senders = len(self._senders)
        return senders < self.window.size and senders - self._open < max(1, self._open)

    def close_idle(self) -> None:
        """Close one unused connection: another path needs it."""
        if self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.cancel()

    def leave(self) -> list[Item]:
        """Take nothing more; what no sender has begun with goes back."""
        self.is_leaving = True
        while self._idle:
            self.close_idle()
        return self.ready.take_all()

    def take_stale(self) -> list[Item]:
        """What has waited here for too long: the queue keeps it better, under its deadline and the block list. The path reads less ahead from now on."""
        stale = self.ready.take_older(self._engine.clock.monotonic() - STALE_S)
        if stale:
            self._read_ahead = max(1, self._read_ahead // 2)
        return stale

    async def stop(self, within_s: float) -> None:
        """Begin nothing new; wait for what is under way, then cut it."""
        self._is_stopping = True
        while self._idle:
            self.close_idle()
        if self._senders:
            await asyncio.wait(self._senders, timeout=within_s)
        for task in self._senders:
            task.cancel()
        if self._senders:
            await asyncio.wait(self._senders, timeout=CUT_S)

    # -- senders --------------------------------------------------------------------------------------------------------

    def _sender_ended(self, task: asyncio.Task[None]) -> None:
        self._senders.discard(task)
        self._engine.connection_closed()
        if not task.cancelled() and (fault := task.exception()) is not None:
            maillog.fault("path", self.site, fault)
        self.work()

    async def _send_on_one_connection(self) -> None:
        connection: Connection | None = None
        settling: asyncio.Task[None] | None = None
        try:
            while (item := await self._next(connection)) is not None:
                self.in_flight += 1
                try:
                    if connection is not None and not connection.is_usable:
                        self._close(connection)
                        connection = None
                    if connection is None and (connection := await self._connect_safely(item)) is None:
                        return
                    result = await attempt(self._engine, self.site, item, connection)
                    if result.outcome is None:  # the idle connection was closed under it
                        self._close(connection)
                        connection = None
                        self.ready.put_back(item)
                        continue
                    if result.heard is not None:
                        self._learn(result.outcome, result.heard)
                    previous, settling = settling, asyncio.create_task(self._engine.settle(item, result.outcome))
                    if previous is not None:
                        await asyncio.shield(previous)  # who cuts us here must not take an outcome along
                finally:
                    self.in_flight -= 1
                if connection.sent >= self._engine.sending.messages_per_connection or len(self._senders) > self.window.size:
                    return
        finally:
            if connection is not None:
                self._close(connection)
            if settling is not None:
                await asyncio.shield(settling)

    def _close(self, connection: Connection) -> None:
        self._open -= 1
        connection.quit()

    async def _next(self, connection: Connection | None) -> Item | None:
        """The next message; None when this sender should end."""
        while not self._is_stopping and self._engine.is_sure:
            if self.ready and not self.is_paused:
                item = self.ready.take()
                if self.has_more and len(self.ready) < self._read_ahead // 2 + 1:
                    if not self.ready:
                        self._read_ahead = min(READ_AHEAD, 2 * self._read_ahead)
                    self._engine.is_low(self)
                return item
            if connection is None or self.is_leaving or not connection.is_usable or not await self._was_woken():
                break
        return None

    async def _was_woken(self) -> bool:
        """Wait on an open connection for more to send; False when there is nothing for long enough, or another path needs the connection."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(waiter)
        try:
            async with asyncio.timeout(self._engine.sending.idle_s):
                await waiter
        except (TimeoutError, asyncio.CancelledError):
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return False
        finally:
            if waiter in self._idle:
                self._idle.remove(waiter)
        return True

    # -- connecting -----------------------------------------------------------------------------------------------------

    async def _connect_safely(self, item: Item) -> Connection | None:
        """A bug of ours must not keep the message."""
        try:
            return await self._connect(item)
        except Exception as fault:
            await self._engine.settle(item, put_off(self._engine, fault, item, "connecting"))
            return None

    async def _connect(self, item: Item) -> Connection | None:
        """A greeted connection to the best host that answers; None: `item` was dealt with, and what else was ready when no host answered."""
        engine = self._engine
        started_s = engine.clock.monotonic()
        route = await engine.router.route(item.claim.domain)
        if isinstance(route, NoRoute):
            await self._fail([item], route.fault, route.text, Facts(engine.clock.now_us(), engine.clock.random(), self.site, "dns"))
            return None
        if route.site != self.site:  # the domain has moved
            await engine.settle(item, released(engine.clock.now_us(), site=route.site))
            return None
        found = await engine.connector.connect(route)
        if isinstance(found, Nowhere):
            await self._no_connection(item, found, started_s)
            return None
        self._open += 1
        self.work()  # a host answers: more connections may be opened
        return found

    async def _no_connection(self, item: Item, nowhere: Nowhere, started_s: float) -> None:
        engine = self._engine
        now_s = engine.clock.monotonic()
        link, reply = nowhere.link, nowhere.reply
        if self._open and link is not None:  # others work: one connection too many, nobody's failure
            self.window = after_refused_connection(self.window, self._open)
            maillog.path_slowed(self.site, nowhere.text, 0)
            self.ready.put_back(item)
            return
        self.window = after_dead(self.window, now_s, engine.sending.plan.pauses_s)
        maillog.path_slowed(self.site, nowhere.text, self.window.paused_until_s - now_s)
        facts = Facts(engine.clock.now_us(), engine.clock.random(), self.site, nowhere.stage, duration_ms=int((now_s - started_s) * 1000))
        if link is not None:
            facts = replace(facts, host=link.host, address=link.address, source=link.source)
        items = [item, *self.ready.take_all()]
        if reply is not None:
            await self._settle_all([(i, after_reply(i.claim, reply, self._shaken(facts), engine.sending.plan)[0]) for i in items])
        else:
            await self._fail(items, nowhere.fault, nowhere.text, facts)

    async def _fail(self, items: list[Item], fault: str, text: str, facts: Facts) -> None:
        await self._settle_all([(i, after_fault(i.claim, fault, text, self._shaken(facts), self._engine.sending.plan)[0]) for i in items])

    def _shaken(self, facts: Facts) -> Facts:
        """The same facts with a chance of its own, so that the retries of many messages do not come in one wave."""
        return replace(facts, chance=self._engine.clock.random())

    async def _settle_all(self, settled: list[tuple[Item, Outcome]]) -> None:
        await asyncio.gather(*(self._engine.settle(item, outcome) for item, outcome in settled))

    def _learn(self, outcome: Outcome, heard: Heard) -> None:
        if not heard.verdict.slow_down or outcome.kind is OutcomeKind.DELIVERED:
            self.window = after_success(self.window, self._open)
            return
        now_s = self._engine.clock.monotonic()
        self.window = after_slow_down(self.window, now_s, heard.verdict.wait_hint_s)
        maillog.path_slowed(self.site, str(heard.reply), max(0.0, self.window.paused_until_s - now_s))
