"""The engine of one worker: claims what is due for its sites, routes what has no site yet, keeps leases and deadlines, writes outcomes.

    engine = Engine(...); await engine.run()      # until stop(); raises LeaseLost when this worker was declared dead

The loop: ask which sites have due messages; lease those that are ours; claim as much as their paths have room for; route; hand over. It wakes
at a hint (something was queued, a path is low) and at least every `POLL_S`. No transaction is open while it talks to the network.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final

from estafette import maillog
from estafette.clock import Clock
from estafette.deliver.attempt import Sending
from estafette.deliver.beside import Beside
from estafette.deliver.connecting import Connector
from estafette.deliver.contents import Contents
from estafette.deliver.demand import Demand
from estafette.deliver.flight_files import Flights
from estafette.deliver.flights import FlightLog
from estafette.deliver.holdings import Holdings, Item
from estafette.deliver.leasing import Leases
from estafette.deliver.limits import Limits
from estafette.deliver.membership import BEATS, LeaseLost, Membership
from estafette.deliver.outcome import Facts, after_fault, blocked
from estafette.deliver.path import Path
from estafette.deliver.route import Route
from estafette.deliver.router import Router
from estafette.deliver.shaping_watch import ShapingWatch
from estafette.deliver.signing import Workshop
from estafette.deliver.site import Site
from estafette.deliver.slots import Slots
from estafette.deliver.sts import PolicyKeeper
from estafette.deliver.sweeping import Sweeper
from estafette.deliver.warming import Warming
from estafette.model import LANES, Claimed, Content, Outcome, Reason
from estafette.queue.holds import Stops
from estafette.queue.paths import Place, is_unrouted, parked
from estafette.queue.pools import default_pool
from estafette.queue.ready import is_filled, rooms_for
from estafette.queue.shaper import Shaper
from estafette.queue.shaping import Caps
from estafette.store.seam import Store, Want

POLL_S: Final = 1.0
MAX_SITES: Final = 500
UNROUTED: Final = 200
"""Messages without a site that are claimed at once and under way to one: those of a lane, and of the lanes before it."""
MAX_UNROUTED: Final = 20
"""Places of unrouted messages that are claimed from at once."""
LONG_PAUSE_S: Final = 5.0
LAST_S: Final = 2.0
"""How long the end waits for what is being written."""


class Engine:
    """See the module; implements `accept.submit.Sender`."""

    def __init__(self, store: Store, clock: Clock, worker_id: int, router: Router, contents: Contents, workshop: Workshop,
                 sending: Sending, limits: Limits, logs: Flights, flights: FlightLog, hint: Callable[[], None] = lambda: None,
                 shaping: ShapingWatch | None = None, policies: PolicyKeeper | None = None) -> None:  # fmt: skip
        self.clock = clock
        self.router = router
        self.contents = contents
        self.workshop = workshop
        self.sending = sending
        self.flights = flights
        self.connector = Connector(router, clock, sending.policy, sending.port, dane=sending.dane)
        self.policies = policies or PolicyKeeper(store, router.resolver, clock, Demand(sending.policy.tls_level, said_by="delivery.tls"), is_on=False)
        caps = Caps(limits.connections_per_path, sending.messages_per_connection)
        shaping = shaping or ShapingWatch()
        self.shaper = Shaper(shaping.table, default_pool(sending.sources), caps)
        self._store = store
        self._worker_id = worker_id
        self._limits = limits
        self._hint = hint  # tells the other workers of this machine that something was queued
        self._membership = Membership(store, clock, worker_id, limits.lease_s, logs, self.shaper.home)
        self._holdings = Holdings(store, clock, worker_id, contents, flights)
        self.leases = Leases(self, store, clock, self._membership, self.shaper, worker_id, limits.lease_s, limits.share_after, sending.plan.pauses_s,
                             self._left, hint)  # fmt: skip
        self._sites = self.leases.sites
        self.slots = Slots(limits.max_connections, self._paths)
        self._sweeper = Sweeper(store, clock, worker_id, self.shaper, shaping, self.connector.results, self._paths, self._reshaped)
        self._warming = Warming(store, clock, self.shaper, lambda: self._membership.delivering)
        self._due_after = ""  # where the next look at the due sites begins, when there are too many for one
        self._looked_s = clock.monotonic()  # for forgotten messages
        self._wake = asyncio.Event()
        self._beside = Beside()
        self._routing: Counter[int] = Counter()  # lane → messages whose route is being looked up
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
        site = self._sites.get(route.site)
        is_ours = site is not None and not self._is_stopping and self.is_sure and site.takes_direct and self.contents.has_room(size_bytes)
        return Place(route.site, is_ours)

    def offer(self, claims: Sequence[Claimed], content: Content) -> None:
        """Messages just committed as claimed by this process."""
        self._holdings.hold(claims)
        held = self.contents.keep(content, len(claims))
        by_site: dict[str, list[Item]] = {}
        for claim in claims:
            by_site.setdefault(claim.site, []).append(Item(claim, self.clock.monotonic(), held))
        for name, items in by_site.items():
            site = self._site_of(name)
            if site is not None:
                site.add(items)
            else:  # the lease was lost between place() and the commit
                self._beside.start(self._holdings.release(items, name))

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
                self._keeping = [group.create_task(self._keep_leases()), group.create_task(self._sweeper.run()), group.create_task(self._warming.run())]
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
        sites = list(self._sites.values())
        for site in sites:
            self._beside.start(self._holdings.release(site.leave(), site.name))
        await asyncio.gather(*(site.stop(within_s) for site in sites))
        if self._claiming is not None:
            await asyncio.wait([self._claiming], timeout=max(LAST_S, ends_s - self.clock.monotonic()))
            self._claiming.cancel()
        for site in sites:  # a message whose connection was gone came back
            self._beside.start(self._holdings.release(site.leave(), site.name))
        await self._beside.wait(max(LAST_S, ends_s - self.clock.monotonic()))

    async def end(self) -> None:
        """Let the leases go. It comes even when the store does not answer: what is not written now is given back by whoever retires this worker."""
        await self._beside.wait(LAST_S)
        self._holdings.cut()
        for task in self._keeping:
            task.cancel()

    async def _keep_leases(self) -> None:
        while True:
            pause_s = self._limits.lease_s / BEATS
            try:
                if await self._membership.beat():
                    self._wake.set()
                await self.leases.keep()
                self._wake.set()
            except LeaseLost:
                raise
            except Exception as fault:
                maillog.fault("leases", str(self._worker_id), fault)
                pause_s = min(pause_s, POLL_S)
            await asyncio.sleep(pause_s)

    def _left(self, site: Site) -> None:
        self._beside.start(self._holdings.release(site.leave(), site.name))

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
        await self.leases.let_go()
        now, now_s = self.clock.now_us(), self.clock.monotonic()
        if now_s - self._looked_s > self._limits.lease_s / BEATS:
            self._looked_s = now_s
            await self._holdings.look_for_forgotten()
        due = await self._store.due_sites(now, MAX_SITES, self._due_after)
        self._due_after = "" if (is_all := len(due) < MAX_SITES) else due[-1]
        routed = [name for name in due if not is_unrouted(name)]
        await self.leases.take(routed)
        await self.leases.look(routed)
        places = rooms_for([[self._routing[lane] for lane in range(LANES)]], UNROUTED)
        wants = [Want(name, places) for name in due if is_unrouted(name)][:MAX_UNROUTED] if any(places) else []
        wants += [Want(name, rooms) for name in due if (site := self._sites.get(name)) is not None and any(rooms := site.rooms)]
        self._look_after_sites(set(due) if is_all else set(self._sites))
        if not wants:
            return
        claims = await self._store.claim(self._worker_id, wants, now)
        self._holdings.hold(claims)
        taken: dict[str, list[int]] = {}
        for claim in claims:
            taken.setdefault(claim.site, []).append(claim.lane)
        for want in wants:
            is_full = is_filled(want.rooms, taken.get(want.site, ()))
            if (site := self._sites.get(want.site)) is not None:  # it may have gone to another worker while we claimed
                site.has_more = is_full
            elif is_full and is_unrouted(want.site) and want.site in taken:
                self._wake.set()
        if claims:
            await self._dispatch([Item(claim, now_s) for claim in claims], now)

    def _look_after_sites(self, due: Container[str]) -> None:
        """What waits for too long goes back into the queue, whatever else is ready is worked on."""
        for name, site in self._sites.items():
            site.has_more = site.has_more and name in due
            for path in site.paths.values():
                if path.ready and path.is_paused and (rest_s := self.shaper.rest_s(path.way, self.clock.monotonic())) > LONG_PAUSE_S:
                    self.release_later(path.ready.take_all(), name, self.clock.monotonic() + rest_s)
            if stale := site.take_stale():
                self._beside.start(self._holdings.release(stale, name))
            site.work()

    async def _dispatch(self, items: Sequence[Item], now: int) -> None:
        """Block list asked once more, then to the paths; what must be routed is routed beside."""
        try:
            reasons = await self._store.still_blocked([item.claim for item in items], now)
        except Exception:
            self._beside.start(self._holdings.release(items, None))
            raise
        to_path: dict[str, list[Item]] = {}
        to_route: dict[str, list[Item]] = {}
        for item in items:
            claim = item.claim
            if (stop := self.stops.of_claim(claim)) is not None:
                self._beside.start(self._holdings.release([item], parked(claim.domain) if stop.domain else None))
                continue
            if claim.message_id in reasons:
                self._beside.start(self.settle(item, blocked(reasons[claim.message_id], now)))
                continue
            route = self.router.known(claim.domain)
            if route is not None and route.site == claim.site:
                to_path.setdefault(claim.site, []).append(item)
            else:
                to_route.setdefault(claim.domain, []).append(item)
        for site, found in to_path.items():
            self._beside.start(self._hand_over(site, found))
        for domain, found in to_route.items():
            self._routing.update(item.claim.lane for item in found)
            self._beside.start(self._route(domain, found))

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
            if self._routing.total() >= UNROUTED:  # there are places again
                self._wake.set()
            self._routing.subtract(item.claim.lane for item in items)

    async def _hand_over(self, name: str, items: list[Item]) -> None:
        """To the site when it is ours, else back into the queue under its name, where its owner finds it."""
        await self.leases.try_take(name)
        site = self._site_of(name)
        if site is not None and (site.has_room or all(item.claim.site == name for item in items)):
            self._holdings.name_site(items, name)
            site.add(items)
        else:
            await self._holdings.release(items, name)
            self.wake()

    def _site_of(self, name: str) -> Site | None:
        """The site of that name when it takes messages here."""
        site = self._sites.get(name)
        return None if site is None or site.is_leaving or self._is_stopping else site

    def _look_up_soon(self, domain: str) -> None:
        """Learn the route of a domain that mail is coming for, so that the next one can be sent directly."""
        if len(self._beside) < UNROUTED and not self._is_stopping:
            self._beside.start(self._learn(domain))

    async def _learn(self, domain: str) -> None:
        route = await self.router.route(domain)
        if isinstance(route, Route):
            await self.leases.try_take(route.site)

    # -- the paths' side --------------------------------------------------------------------------------------------------

    @property
    def is_sure(self) -> bool:
        """False while this worker may have been declared dead: nothing is begun then."""
        return self._membership.is_sure

    @property
    def stops(self) -> Stops:
        """What people have stopped."""
        return self._sweeper.stops

    def _paths(self) -> Iterator[Path]:
        return (path for site in self._sites.values() for path in site.paths.values())

    def _reshaped(self) -> None:
        for site in self._sites.values():
            site.take_up_again()

    def may_connect(self, path: Path) -> bool:
        """Reserve a connection of the process; False: the path is called again when there is one."""
        return self.is_sure and self.slots.take(path)

    def is_low(self) -> None:
        """A path could take more: claim again now."""
        self._wake.set()

    def release_later(self, items: list[Item], site: str, until_s: float) -> None:
        """Back into the queue, not before a moment (monotonic)."""
        self._beside.start(self._holdings.release(items, site, until_s))

    async def block_on(self, claim: Claimed) -> Reason | None:
        """The block list asked once more for one message. Raises StoreFault."""
        return (await self._store.still_blocked([claim], self.clock.now_us())).get(claim.message_id)

    async def settle(self, item: Item, outcome: Outcome) -> None:
        """Write an outcome; never raises."""
        await self._holdings.settle(item, outcome)
        self._sweeper.note(item.claim, outcome)
