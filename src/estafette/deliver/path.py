"""One path at work, one of our sources to one site: its ready messages, and the senders (one connection each) that take them.

A sender takes a message that the shaper lets go, connects when it has no usable connection, makes the mail ready, sends, and hands the outcome to
the engine. It waits for the settling of one outcome before it begins the next but one, so that a crash can duplicate at most two mails per connection.
"""

import asyncio
import math
from collections import Counter, deque
from dataclasses import replace
from typing import Final

from estafette import maillog
from estafette.deliver.attempt import Heard, attempt, put_off
from estafette.deliver.connecting import Nowhere
from estafette.deliver.connection import Connection
from estafette.deliver.contracts import Engine, Home
from estafette.deliver.demand import PROVED, Demand, serves
from estafette.deliver.holdings import Item
from estafette.deliver.outcome import Facts, after_fault, after_reply, from_elsewhere, released
from estafette.deliver.route import NoRoute
from estafette.model import Outcome, OutcomeKind
from estafette.queue import reactions
from estafette.queue.pools import blames_source, defers_elsewhere
from estafette.queue.ready import Ready
from estafette.queue.shaper import FULL, Wait, Way
from estafette.queue.shares import Word, words_of

READ_AHEAD: Final = 64
DIRECT: Final = 500
"""A path with so many messages takes no more from the door: they go through the queue."""
STALE_S: Final = 30.0
"""So long a message may wait here for its attempt."""
CUT_S: Final = 5.0
"""How long a sender that was cut may take to write what it knows."""
LONGEST_OWN_S: Final = 3600.0
"""A message that a limit of its own holds up looks again after this at the latest."""


class Path:
    """See the module."""

    def __init__(self, engine: Engine, site: Home, way: Way) -> None:
        self.site = site
        self.way = way
        self.ready: Ready[Item] = Ready()
        self.in_flight = 0
        self._engine = engine
        self._senders: set[asyncio.Task[None]] = set()
        self._idle: deque[asyncio.Future[None]] = deque()
        self.greeted = 0  # connections that are greeted
        self._is_stopping = False
        self._alarm: asyncio.TimerHandle | None = None  # calls work() when a limit lets something go
        self._rate_until_s = 0.0  # monotonic: nothing may go before then
        self._put_off: Counter[str] = Counter()  # messages in a row that a limit of their own held up, by what it is on

    # -- the site's side ------------------------------------------------------------------------------------------------

    @property
    def load(self) -> int:
        """Messages held by this path."""
        return len(self.ready) + self.in_flight

    @property
    def waiting(self) -> int:
        """Messages that are ready."""
        return len(self.ready)

    @property
    def at_most(self) -> float:
        """Messages that can go within the time that one may wait here."""
        rate = self.way.flow.rate
        return rate if math.isinf(rate) else max(1, math.ceil(rate * STALE_S))

    @property
    def appetite(self) -> int:
        """How many messages it would like to hold."""
        if self.is_paused:
            return self.load
        return 2 if self.way.flow.failures else int(min(max(2 * self.way.flow.size, READ_AHEAD), self.at_most))

    @property
    def is_paused(self) -> bool:
        """True while nothing may go."""
        return self._engine.shaper.is_paused(self.way, self._engine.clock.monotonic())

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
        """Wake idle senders, start new ones, as far as the shaper and the process allow.

        Until a host has greeted only one connection is tried, then as many as are open: a site that does not answer holds one connection of the
        process and not a window full of them, and its failure is counted once.
        """
        engine = self._engine
        wanted = len(self.ready)
        if self._is_stopping or not wanted or self.is_paused or self._rate_until_s > engine.clock.monotonic():
            return
        while wanted and self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                wanted -= 1
        while wanted > 0 and len(self._senders) - self.greeted < max(1, self.greeted) and len(self._senders) < self.way.most and engine.may_connect(self):
            wait_s = engine.shaper.open(self.way, engine.clock.monotonic())
            if wait_s:
                engine.slots.give_back(self)
                self._try_again(wait_s)
                return
            task = asyncio.create_task(self._send_on_one_connection())
            self._senders.add(task)
            task.add_done_callback(self._sender_ended)
            wanted -= 1

    def _try_again(self, wait_s: float) -> None:
        """`work` when a limit lets something go again."""
        if wait_s == FULL:
            if self.way.effective.named and not self._senders:
                self._engine.slots.wants_shared(self)
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(wait_s, self.rings)

    def rings(self) -> None:
        """Whatever was waited for may be over."""
        self._rate_until_s = 0.0
        self.work()

    def close_idle(self) -> None:
        """Close one unused connection: another path needs it."""
        if self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.cancel()

    def narrow(self) -> None:
        """Close unused connections that are too many now."""
        for _ in range(len(self._senders) - self.way.most):
            self.close_idle()

    def leave(self) -> list[Item]:
        """What no sender has begun with goes back; unused connections close."""
        while self._idle:
            self.close_idle()
        return self.ready.take_all()

    def take_stale(self) -> list[Item]:
        """What has waited here for too long."""
        return self.ready.take_older(self._engine.clock.monotonic() - STALE_S)

    def stop_taking(self) -> None:
        """Begin nothing new."""
        self._is_stopping = True
        if self._alarm is not None:
            self._alarm.cancel()
        while self._idle:
            self.close_idle()

    async def stop(self, within_s: float) -> None:
        """Wait for what is under way, then cut it."""
        if self._senders:
            await asyncio.wait(self._senders, timeout=within_s)
        for task in self._senders:
            task.cancel()
        if self._senders:
            await asyncio.wait(self._senders, timeout=CUT_S)

    # -- senders --------------------------------------------------------------------------------------------------------

    def _sender_ended(self, task: asyncio.Task[None]) -> None:
        self._senders.discard(task)
        self._engine.shaper.closed(self.way)
        self._engine.slots.give_back(self)
        if not task.cancelled() and (fault := task.exception()) is not None:
            maillog.fault("path", self.site.name, fault)
        self.work()

    async def _send_on_one_connection(self) -> None:
        connection: Connection | None = None
        settling: asyncio.Task[None] | None = None
        clock = self._engine.clock
        try:
            while (item := await self._next(connection)) is not None:
                self.in_flight += 1
                try:
                    demand = self._engine.policies.known(item.claim.domain) or await self._engine.policies.demand(item.claim.domain)
                    if connection is not None and not (connection.is_usable and serves(demand, connection.link.host, connection.trust)):
                        self._close(connection)
                        connection = None
                    if connection is None and (connection := await self._connect_safely(item, demand)) is None:
                        return
                    began_s = clock.monotonic()
                    result = await attempt(self._engine, self.site.name, item, connection)
                    outcome = result.outcome
                    if outcome is None:  # the idle connection was closed under it
                        self._close(connection)
                        connection = None
                        self.ready.put_back(item)
                        continue
                    if result.heard is not None:
                        outcome = self._learn(item, outcome, result.heard, began_s)
                    previous, settling = settling, asyncio.create_task(self._engine.settle(item, outcome))
                    if previous is not None:
                        await asyncio.shield(previous)  # who cuts us here must not take an outcome along
                finally:
                    self.in_flight -= 1
                if connection.sent >= self._engine.shaper.messages_per_connection(self.way) or len(self._senders) > self.way.most:
                    return
        finally:
            if connection is not None:
                self._close(connection)
            if settling is not None:
                await asyncio.shield(settling)

    def _close(self, connection: Connection) -> None:
        self.greeted -= 1
        connection.quit()

    async def _next(self, connection: Connection | None) -> Item | None:
        """The next message that may go; None when this sender should end."""
        while not self._is_stopping and self._engine.is_sure:
            if self.ready and not self.is_paused:
                item = self.ready.take()
                wait = self._may_send(item)
                self.site.went_low(self)
                if wait is None:
                    return item
                if wait.is_own:
                    continue
                self.ready.put_back(item)
                if wait.seconds > self._engine.sending.idle_s:
                    self._rate_until_s = self._engine.clock.monotonic() + wait.seconds
                    self._try_again(wait.seconds)
                    break
                await asyncio.sleep(wait.seconds)  # its connection is kept for the next turn
                continue
            if connection is None or self.site.is_leaving or not connection.is_usable or not await self._was_woken():
                break
        return None

    def _may_send(self, item: Item) -> Wait | None:
        """None: it goes now. What only this message waits for sends it back to the queue, the next of its kind for longer."""
        claim, engine = item.claim, self._engine
        now_s = engine.clock.monotonic()
        if engine.shaper.is_spent(self.way):
            self.site.add([item, *self.ready.take_all()])
            return Wait(0.0, True)
        wait = engine.shaper.send(self.way, claim.domain, now_s, claim.account, claim.campaign)
        if wait is None:
            if self._put_off:
                self._put_off.pop(claim.domain, None)
        elif wait.is_own:
            self._put_off[claim.domain] += 1
            engine.release_later([item], self.site.name, now_s + min(wait.seconds * self._put_off[claim.domain], max(wait.seconds, LONGEST_OWN_S)))
        return wait

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

    async def _connect_safely(self, item: Item, demand: Demand) -> Connection | None:
        """A bug of ours must not keep the message."""
        try:
            return await self._connect(item, demand)
        except Exception as fault:
            await self._engine.settle(item, put_off(self._engine, fault, item, "connecting"))
            return None

    async def _connect(self, item: Item, demand: Demand) -> Connection | None:
        """A greeted connection to the best host that answers; None: `item` was dealt with, and what else was ready when no host answered."""
        engine = self._engine
        started_s = engine.clock.monotonic()
        route = await engine.router.route(item.claim.domain)
        if isinstance(route, NoRoute):
            await self._fail([item], route.fault, route.text, Facts(engine.clock.now_us(), engine.clock.random(), self.site.name, "dns"))
            return None
        if route.site != self.site.name:  # the domain has moved
            await engine.settle(item, released(engine.clock.now_us(), site=route.site))
            return None
        found = await engine.connector.connect(route, self.way.source, demand, item.claim.domain)
        if isinstance(found, Nowhere):
            await self._no_connection(item, found, started_s, demand)
            return None
        self.greeted += 1
        self.work()  # a host answers: more connections may be opened
        return found

    async def _no_connection(self, item: Item, nowhere: Nowhere, started_s: float, demand: Demand) -> None:
        engine, shaper = self._engine, self._engine.shaper
        now_s = engine.clock.monotonic()
        link, reply = nowhere.link, nowhere.reply
        if nowhere.stage == "tls" and demand.level == PROVED:  # what this domain asks for is not there; others of the site may ask for less
            facts = Facts(engine.clock.now_us(), engine.clock.random(), self.site.name, "tls", link.host if link else "", tls_wanted=demand.said_by)
            await self._fail([item], nowhere.fault, nowhere.text, facts)
            return
        if self.greeted and link is not None:  # others work: one connection too many, nobody's failure
            shaper.unreachable(self.way, self.greeted, now_s, started_s, engine.sending.plan.pauses_s)
            maillog.path_slowed(self.name, nowhere.text, 0)
            self.ready.put_back(item)
            return
        items = [item, *self.ready.take_all()]
        if nowhere.is_sources:  # the source's trouble, not the site's: the others may carry what it had
            is_unfit = link is None and self.site.is_unfit(self.way.source)
            if link is not None:
                aside = shaper.cannot_leave(self.way.source, now_s, nowhere.text)
                maillog.source_aside(self.way.source, nowhere.text, aside.until_s - now_s)
            if link is not None or is_unfit:
                self.site.add(items)
                return
        shaper.unreachable(self.way, 0, now_s, started_s, engine.sending.plan.pauses_s)
        self.site.say([Word(engine.clock.now_us(), self.way.source, "dead", nowhere.text[:200])])
        maillog.path_slowed(self.name, nowhere.text, max(0.0, self.way.flow.paused_until_s - now_s))
        facts = Facts(engine.clock.now_us(), engine.clock.random(), self.site.name, nowhere.stage, duration_ms=int((now_s - started_s) * 1000))
        if link is not None:
            facts = replace(facts, host=link.host, address=link.address, source=link.source)
        if reply is not None:
            failed = [(i, *after_reply(i.claim, reply, self._shaken(facts), engine.sending.plan)) for i in items]
            self._tell_shaper(item, Heard(reply, failed[0][2]), facts.host, facts.stage, started_s)
            await self._settle_all([(i, outcome) for i, outcome, _ in failed])
        else:
            await self._fail(items, nowhere.fault, nowhere.text, facts)

    async def _fail(self, items: list[Item], fault: str, text: str, facts: Facts) -> None:
        await self._settle_all([(i, after_fault(i.claim, fault, text, self._shaken(facts), self._engine.sending.plan)[0]) for i in items])

    def _shaken(self, facts: Facts) -> Facts:
        """The same facts with a chance of its own, so that the retries of many messages do not come in one wave."""
        return replace(facts, chance=self._engine.clock.random())

    async def _settle_all(self, settled: list[tuple[Item, Outcome]]) -> None:
        await asyncio.gather(*(self._engine.settle(item, outcome) for item, outcome in settled))

    # -- learning -------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """For the log."""
        return f"{self.site.name} from {self.way.source}" if self.way.source else self.site.name

    def _learn(self, item: Item, outcome: Outcome, heard: Heard, began_s: float) -> Outcome:
        """Tell the shaper; the outcome, which is another one when only our address was refused and there are others."""
        if outcome.kind is OutcomeKind.DELIVERED:
            self._engine.shaper.answered(self.way, self._engine.clock.monotonic())
            return outcome
        self._tell_shaper(item, heard, outcome.host, outcome.stage, began_s)
        claim, shaper = item.claim, self._engine.shaper
        pool = shaper.pool_for(claim.account, claim.stream, claim.campaign)
        if blames_source(heard.verdict):  # what waits for this source may leave from another one
            self.site.add(self.ready.take_all())
        if defers_elsewhere(heard.verdict, pool, shaper.refused_at(self.site.name, self._engine.clock.monotonic())):
            return from_elsewhere(claim, outcome, self.site.name)
        return outcome

    def _tell_shaper(self, item: Item, heard: Heard, host: str, stage: str, began_s: float) -> None:
        claim, now_s, flow = item.claim, self._engine.clock.monotonic(), self.way.flow
        reply, verdict = heard.reply, heard.verdict
        told = reactions.Heard(now_s, self.way.source, self.site.name, self.way.effective.provider, host, claim.account, claim.campaign, reply.code,
                               reply.enhanced or "", reply.text, verdict.category, stage)  # fmt: skip
        measures = self._engine.shaper.failed(self.way, verdict, told, began_s)
        is_slower = self.way.flow.slowed_at_s != flow.slowed_at_s
        self.site.say(words_of(verdict, reply.text, self.way.source, measures, self._engine.clock.now_us(), now_s, is_slower))
        for measure in measures:
            maillog.measure_begun(self.name, measure.reaction.name, measure.reply, measure.until_s - now_s)
        if not measures and is_slower:
            maillog.path_slowed(self.name, str(reply), max(0.0, self.way.flow.paused_until_s - now_s))
