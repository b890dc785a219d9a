"""The engine of one worker: claims what is due for its sites, routes what has no site yet, keeps leases and deadlines, writes outcomes.

    engine = Engine(...); await engine.run()      # until stop(); raises LeaseLost when this worker was declared dead

The loop: ask which sites have due messages; lease those that are ours; claim as much as their paths have room for; route; hand over. It wakes
at a hint (something was queued, a path is low) and at least every `POLL_S`. No transaction is open while it talks to the network.
"""

import asyncio
import contextlib
from collections.abc import Callable, Container, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.deliver.attempt import Sending
from estafette.deliver.connecting import Connector
from estafette.deliver.contents import Contents
from estafette.deliver.flight_files import Flights
from estafette.deliver.flights import FlightLog
from estafette.deliver.holdings import Holdings, Item
from estafette.deliver.membership import BEATS, LeaseLost, Membership
from estafette.deliver.outcome import Facts, after_fault, blocked
from estafette.deliver.path import Path
from estafette.deliver.route import Route
from estafette.deliver.router import Router
from estafette.deliver.signing import Workshop
from estafette.model import LANES, Claimed, Content, Outcome, Reason
from estafette.queue.paths import Place, opened
from estafette.queue.ready import is_filled
from estafette.store.seam import Store, Want

POLL_S: Final = 1.0
MAX_SITES: Final = 500
UNROUTED: Final = 200
"""Messages without a site that are claimed at once, and questions to the DNS under way for them."""
LONG_PAUSE_S: Final = 5.0
MAX_PATHS: Final = 5000
EXPIRE_LIMIT: Final = 500
LAST_S: Final = 2.0
"""How long the end waits for what is being written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one worker process."""

    lease_s: float = 30.0
    connections_per_path: int = 20
    max_connections: int = 500

    @property
    def flights(self) -> int:
        """Slots of the flight log: a connection has one transaction under way and two that wait to be written, and those that were cut wait too."""
        return 4 * self.max_connections + 64


class Engine:
    """See the module; implements `accept.submit.Sender`."""

    def __init__(self, store: Store, clock: Clock, worker_id: int, router: Router, contents: Contents, workshop: Workshop,
                 sending: Sending, limits: Limits, logs: Flights, flights: FlightLog, hint: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        self.clock = clock
        self.router = router
        self.contents = contents
        self.workshop = workshop
        self.sending = sending
        self.flights = flights
        self.connector = Connector(router, clock, sending.policy, sending.port, sending.sources)
        self._store = store
        self._worker_id = worker_id
        self._limits = limits
        self._hint = hint  # tells the other workers of this machine that something was queued
        self._membership = Membership(store, clock, worker_id, limits.lease_s, logs)
        self._holdings = Holdings(store, clock, worker_id, contents, flights)
        self._paths: dict[str, Path] = {}  # of the sites that this worker has leased
        self._due_after = ""  # where the next look at the due sites begins, when there are too many for one
        self._looked_s = clock.monotonic()  # for forgotten messages
        self._wake = asyncio.Event()
        self._connections = 0
        self._waiting_paths: dict[str, None] = {}  # would open a connection when there is one
        self._beside: set[asyncio.Task[None]] = set()  # routing, releasing: what the loops do not wait for
        self._routing = 0  # messages whose route is being looked up
        self._is_stopping = False
        self._claiming: asyncio.Task[None] | None = None
        self._keeping: list[asyncio.Task[None]] = []

    # -- the door's side (accept.submit.Sender) ---------------------------------------------------------------------------

    def place(self, domain: str, size_bytes: int) -> Place:
        """Where mail to a domain goes, as far as it is known without asking anybody."""
        route = self.router.known(domain)
        if route is None:
            self._look_up_soon(domain)
            return Place("", False)
        path = self._paths.get(route.site)
        is_ours = path is not None and not self._is_stopping and self.is_sure and path.takes_direct and self.contents.has_room(size_bytes)
        return Place(route.site, is_ours)

    def offer(self, claims: Sequence[Claimed], content: Content) -> None:
        """Messages just committed as claimed by this process."""
        self._holdings.hold(claims)
        held = self.contents.keep(content, len(claims))
        by_site: dict[str, list[Item]] = {}
        for claim in claims:
            by_site.setdefault(claim.site, []).append(Item(claim, self.clock.monotonic(), held))
        for site, items in by_site.items():
            path = self._path_of(site)
            if path is not None:
                path.add(items)
            else:  # the lease was lost between place() and the commit
                self._start(self._holdings.release(items, site))

    def wake(self) -> None:
        """Something was put into the queue here: look, and tell the other workers."""
        self._wake.set()
        self._hint()

    def hear(self) -> None:
        """Another worker put something into the queue."""
        self._wake.set()

    # -- life -----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `stop` is done. Raises LeaseLost."""
        try:
            async with asyncio.TaskGroup() as group:
                self._claiming = group.create_task(self._claim_loop())
                self._keeping = [group.create_task(self._keep_leases()), group.create_task(self._sweep_deadlines())]
        except BaseExceptionGroup as group:
            if group.subgroup(LeaseLost) is not None:
                raise LeaseLost(f"worker {self._worker_id} was declared dead") from None
            raise

    async def stop(self, within_s: float) -> None:
        """`drain` and `end`."""
        await self.drain(within_s)
        await self.end()

    async def drain(self, within_s: float) -> None:
        """Claim nothing more, finish what is under way, give the rest back. What the door still brings goes into the queue."""
        ends_s = self.clock.monotonic() + within_s
        self._is_stopping = True
        self._wake.set()
        paths = list(self._paths.values())
        for path in paths:
            self._start(self._holdings.release(path.leave(), path.site))
        await asyncio.gather(*(path.stop(within_s) for path in paths))
        if self._claiming is not None:
            await asyncio.wait([self._claiming], timeout=max(LAST_S, ends_s - self.clock.monotonic()))
            self._claiming.cancel()
        for path in paths:  # a message whose connection was gone came back
            self._start(self._holdings.release(path.leave(), path.site))
        if self._beside:
            await asyncio.wait(self._beside, timeout=max(LAST_S, ends_s - self.clock.monotonic()))

    async def end(self) -> None:
        """Let the leases go. It comes even when the store does not answer: what is not written now is given back by whoever retires this worker."""
        if self._beside:
            await asyncio.wait(self._beside, timeout=LAST_S)
        self._holdings.cut()
        for task in self._keeping:
            task.cancel()

    async def _keep_leases(self) -> None:
        while True:
            pause_s = self._limits.lease_s / BEATS
            try:
                if await self._membership.beat():
                    self._wake.set()
                await self._share_paths()
            except LeaseLost:
                raise
            except Exception as fault:
                maillog.fault("leases", str(self._worker_id), fault)
                pause_s = min(pause_s, POLL_S)
            await asyncio.sleep(pause_s)

    async def _share_paths(self) -> None:
        """Prolong what we hold; begin to leave what is another's now. A path is let go of when it is at rest (`_let_go`)."""
        now, sites = self.clock.now_us(), list(self._paths)
        held = set(await self._store.lease_paths(self._worker_id, sites, now, now + self._lease_us))
        too_many = max(0, len(self._paths) - MAX_PATHS)
        for site in sites:
            path = self._paths.get(site)
            if path is None:
                continue
            is_leaving = site not in held or self._membership.is_elsewhere(site)
            if not is_leaving and too_many and path.is_at_rest and not path.window.failures:  # the oldest that have no trouble to remember
                is_leaving, too_many = True, too_many - 1
            if is_leaving and not path.is_leaving:
                self._start(self._holdings.release(path.leave(), site))
            path.is_leaving = is_leaving
        self._wake.set()

    async def _let_go(self) -> None:
        gone = [site for site, path in self._paths.items() if path.is_leaving and path.is_at_rest]
        for site in gone:
            del self._paths[site]
        if gone:
            await self._store.release_paths(self._worker_id, gone)
            self._hint()

    async def _sweep_deadlines(self) -> None:
        while True:
            try:
                while given_up := await self._store.expire(self.clock.now_us(), EXPIRE_LIMIT):
                    maillog.given_up(given_up)
            except Exception as fault:
                maillog.fault("deadlines", "", fault)
            await asyncio.sleep(POLL_S)

    # -- claiming -------------------------------------------------------------------------------------------------------

    async def _claim_loop(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                await self._round()
            except Exception as fault:  # outermost frame: the work was given back, go on
                maillog.fault("claim", "", fault)
                await asyncio.sleep(POLL_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def _round(self) -> None:
        if not self.is_sure:
            return
        await self._let_go()
        now, now_s = self.clock.now_us(), self.clock.monotonic()
        if now_s - self._looked_s > self._limits.lease_s / BEATS:
            self._looked_s = now_s
            await self._holdings.look_for_forgotten()
        due = await self._store.due_sites(now, MAX_SITES, self._due_after)
        is_all = len(due) < MAX_SITES
        self._due_after = "" if is_all else due[-1]
        await self._lease([site for site in due if site and site not in self._paths and not self._membership.is_elsewhere(site)], now)
        wants = [Want("", (UNROUTED,) * LANES)] if "" in due and self._routing < UNROUTED else []
        wants += [Want(site, rooms) for site in due if (path := self._paths.get(site)) is not None and any(rooms := path.rooms)]
        self._look_after_paths(set(due) if is_all else set(self._paths))
        if not wants:
            return
        claims = await self._store.claim(self._worker_id, wants, now)
        self._holdings.hold(claims)
        taken: dict[str, list[int]] = {}
        for claim in claims:
            taken.setdefault(claim.site, []).append(claim.lane)
        for want in wants:
            if (path := self._paths.get(want.site)) is not None:  # it may have gone to another worker while we claimed
                path.has_more = is_filled(want.rooms, taken.get(want.site, ()))
        if len(taken.get("", ())) >= UNROUTED:
            self._wake.set()
        if claims:
            await self._dispatch([Item(claim, now_s) for claim in claims], now)

    def _look_after_paths(self, due: Container[str]) -> None:
        """What waits for too long goes back into the queue, whatever else is ready is worked on."""
        for site, path in self._paths.items():
            path.has_more = path.has_more and site in due
            if path.ready and path.is_paused and path.window.paused_until_s - self.clock.monotonic() > LONG_PAUSE_S:
                self._start(self._holdings.release(path.ready.take_all(), site, path.window.paused_until_s))
            elif path.ready and (stale := path.take_stale()):
                self._start(self._holdings.release(stale, site))
            path.work()

    async def _lease(self, sites: Sequence[str], now: int) -> None:
        if sites:
            for site in await self._store.lease_paths(self._worker_id, sites, now, now + self._lease_us):
                self._paths.setdefault(site, Path(self, site, opened(self._limits.connections_per_path)))

    async def _try_lease(self, site: str) -> None:
        """Begin a path if it should be ours and nobody else has it; the next round tries again."""
        if site not in self._paths and not self._membership.is_elsewhere(site):
            try:
                await self._lease([site], self.clock.now_us())
            except Exception as fault:
                maillog.fault("leases", site, fault)

    async def _dispatch(self, items: Sequence[Item], now: int) -> None:
        """Block list asked once more, then to the paths; what must be routed is routed beside."""
        try:
            reasons = await self._store.still_blocked([item.claim for item in items], now)
        except Exception:
            self._start(self._holdings.release(items, None))
            raise
        to_path: dict[str, list[Item]] = {}
        to_route: dict[str, list[Item]] = {}
        for item in items:
            claim = item.claim
            if claim.message_id in reasons:
                self._start(self.settle(item, blocked(reasons[claim.message_id], now)))
                continue
            route = self.router.known(claim.domain)
            if route is not None and route.site == claim.site:
                to_path.setdefault(claim.site, []).append(item)
            else:
                to_route.setdefault(claim.domain, []).append(item)
        for site, found in to_path.items():
            self._start(self._hand_over(site, found))
        for domain, found in to_route.items():
            self._routing += len(found)
            self._start(self._route(domain, found))

    async def _route(self, domain: str, items: list[Item]) -> None:
        try:
            route = await self.router.route(domain)
            if isinstance(route, Route):
                await self._hand_over(route.site, items)
                return
            facts = [Facts(self.clock.now_us(), self.clock.random(), "", "dns") for _ in items]
            outcomes = [after_fault(i.claim, route.fault, route.text, f, self.sending.plan)[0] for i, f in zip(items, facts, strict=True)]
            await asyncio.gather(*(self.settle(item, outcome) for item, outcome in zip(items, outcomes, strict=True)))
        finally:
            self._routing -= len(items)

    async def _hand_over(self, site: str, items: list[Item]) -> None:
        """To the path when it is ours, else back into the queue under its site, where its owner finds it."""
        await self._try_lease(site)
        path = self._path_of(site)
        if path is not None and (path.has_room or all(item.claim.site == site for item in items)):
            path.add(items)
        else:
            await self._holdings.release(items, site)
            self.wake()

    def _path_of(self, site: str) -> Path | None:
        """The path of a site when it takes messages here."""
        path = self._paths.get(site)
        return None if path is None or path.is_leaving or self._is_stopping else path

    def _look_up_soon(self, domain: str) -> None:
        """Learn the route of a domain that mail is coming for, so that the next one can be sent directly."""
        if len(self._beside) < UNROUTED and not self._is_stopping:
            self._start(self._learn(domain))

    async def _learn(self, domain: str) -> None:
        route = await self.router.route(domain)
        if isinstance(route, Route):
            await self._try_lease(route.site)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as fault:  # messages that it held are found by `look_for_forgotten`
            maillog.fault("engine", "", fault)

    # -- the paths' side --------------------------------------------------------------------------------------------------

    @property
    def is_sure(self) -> bool:
        """False while this worker may have been declared dead: nothing is begun then."""
        return self._membership.is_sure

    @property
    def _lease_us(self) -> int:
        return int(self._limits.lease_s * SECOND_US)

    def may_connect(self, path: Path) -> bool:
        """Reserve a connection of the process; when there is none an unused one of another path is closed."""
        if not self.is_sure:
            return False
        if self._connections < self._limits.max_connections:
            self._connections += 1
            return True
        self._waiting_paths[path.site] = None
        for other in self._paths.values():
            if other is not path and other.has_idle:
                other.close_idle()
                break
        return False

    def connection_closed(self) -> None:
        """A reserved connection is over: whoever waits longest for one and can use it gets it."""
        self._connections -= 1
        while self._waiting_paths and self._connections < self._limits.max_connections:
            site = next(iter(self._waiting_paths))
            del self._waiting_paths[site]
            if (path := self._paths.get(site)) is not None:
                path.work()

    def is_low(self, path: Path) -> None:
        """The path could take more: claim again now."""
        self._wake.set()

    async def block_on(self, claim: Claimed) -> Reason | None:
        """The block list asked once more for one message. Raises StoreFault."""
        return (await self._store.still_blocked([claim], self.clock.now_us())).get(claim.message_id)

    async def settle(self, item: Item, outcome: Outcome) -> None:
        """Write an outcome; never raises."""
        await self._holdings.settle(item, outcome)
