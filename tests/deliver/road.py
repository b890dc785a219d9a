"""A worker's sending side in process: a real engine on a real SQLite file, the scripted DNS and MX on loopback, and a store that fails when told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from estafette.accept.examine import examine
from estafette.accept.ids import IdMaker
from estafette.accept.submit import Recipient, Request, SubmitDoor
from estafette.clock import SECOND_US, SystemClock
from estafette.deliver.attempt import Sending
from estafette.deliver.connection import Policy
from estafette.deliver.contents import Contents
from estafette.deliver.dns import DnsResolver
from estafette.deliver.engine import Engine, Limits
from estafette.deliver.flight_files import FlightFolder
from estafette.deliver.membership import LeaseLost
from estafette.deliver.router import Router
from estafette.deliver.shaping_watch import ShapingWatch
from estafette.deliver.signing import KeyCabinet, Workshop
from estafette.mail.address import parse
from estafette.mail.token import Keyring
from estafette.model import FINAL_STATES, Account, Door, NewMessage, Options, State, Submission
from estafette.queue.retry import RetryPlan
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import StoreFault
from estafette.vault import Vault
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

DAY_US = 86_400 * SECOND_US
MAIL = b"From: news@sender.example\r\nSubject: Hello\r\n\r\nBody\r\n"
GONE = StoreFault("the database is gone")


class Shaky:
    """The store, with a trouble per verb: an exception to raise, or a coroutine function to await first. `lasting` verbs fail until told otherwise."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.trouble: dict[str, list[Any]] = {}
        self.calls: list[str] = []

    def fail(self, verb: str, *troubles: Any) -> None:
        """The next calls of a verb meet these troubles, one each; None: that call goes well."""
        self.trouble[verb] = list(troubles)

    def __getattr__(self, verb: str) -> Any:
        real = getattr(self._store, verb)
        if not callable(real):  # a shelf
            return real

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(verb)
            troubles = self.trouble.get(verb)
            trouble = troubles.pop(0) if troubles else None
            if isinstance(trouble, BaseException):
                raise trouble
            if trouble is not None:
                return await trouble(lambda: real(*args, **kwargs))
            return await real(*args, **kwargs)

        return call


class Shifted:
    """A clock whose wall clock was set forward."""

    def __init__(self, clock: SystemClock, by_s: float) -> None:
        self._clock, self._by_us = clock, int(by_s * SECOND_US)

    def now_us(self) -> int:
        return self._clock.now_us() + self._by_us

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)


class Road:
    """See the module; `road(...)` makes one."""

    def __init__(self, folder: Path, dns: DnsServer, mx: MxServer, store: Database) -> None:
        self.folder, self.dns, self.mx, self.real = folder, dns, mx, store
        self.store = Shaky(store)
        self.clock = SystemClock()
        self.engine: Engine
        self.door: SubmitDoor
        self.account: Account
        self.worker_id = 0
        self.running: asyncio.Task[None] | None = None
        self._ids = IdMaker(63)

    async def start(self, *, lease_s: float = 30.0, connections: int = 5, max_connections: int = 500, idle_s: float = 0.5, bodies_bytes: int = 10_000_000,
                    pauses_s: tuple[float, ...] = (0.2, 0.4), per_connection: int = 100, policy: Policy | None = None, runs: bool = True,
                    hint: Callable[[], None] = lambda: None, sources: tuple[str, ...] = ("",), shaping: str = "") -> None:  # fmt: skip
        """Join and run."""
        now = self.clock.now_us()
        me = await self.real.join("test", now, now + int(lease_s * SECOND_US))
        self.worker_id = me.id
        self.account = await self.real.account("acme") or await self.real.add_account("acme", now)
        router = Router(DnsResolver([(self.dns.address, self.dns.port)], 1.0, self.clock), self.clock, port=self.mx.port, ipv6=False)
        keyring = Keyring(1, {1: b"k" * 32})
        workshop = Workshop(KeyCabinet(self.store, Vault(b"m" * 32, self.clock), self.clock), self.clock, None, keyring, "bounces.relay.test")
        policy = policy or Policy("relay.test", 2.0, 2.0, 2.0)
        sending = Sending(policy, self.mx.port, RetryPlan(pauses_s, 0.0), sources, messages_per_connection=per_connection, idle_s=idle_s)
        contents = Contents(self.store, bodies_bytes)
        self.logs = FlightFolder(self.folder / "flights")
        self.engine = Engine(self.store, self.clock, me.id, router, contents, workshop, sending, Limits(lease_s, connections, max_connections), self.logs,
                             self.logs.open(me.id, 64), hint, ShapingWatch(self._shaping_file(shaping)))
        self.door = SubmitDoor(self.store, self.clock, IdMaker(me.slot, await self.real.newest_id()), me.id, "relay.test", 60.0, self.engine)
        if runs:
            self.running = asyncio.create_task(self.engine.run())

    def _shaping_file(self, text: str) -> str:
        if text:
            self.shape(text)
        return str(self.folder / "shaping.toml") if text else ""

    def shape(self, text: str) -> None:
        """Another shaping file from now on."""
        (self.folder / "shaping.new").write_text(text)
        (self.folder / "shaping.new").replace(self.folder / "shaping.toml")

    async def stop(self, within_s: float = 2.0) -> None:
        """What a worker does at its end."""
        await self.engine.stop(within_s)
        if self.running is not None:
            with contextlib.suppress(asyncio.CancelledError, LeaseLost):
                await self.running
            self.running = None
        await self.real.retire(self.worker_id, self.clock.now_us(), self.engine.flights.flights())

    async def put(self, *recipients: str, content: bytes = MAIL, deadline_s: float = 60.0, site: str = "", due_s: float = 0.0,
                  lane: int = 1) -> list[int]:  # fmt: skip
        """Messages in the queue, one submission; their ids."""
        now = self.clock.now_us()
        messages = [NewMessage(self._ids.next(now), to, to.casefold(), to.rpartition("@")[2], State.QUEUED, site=site, lane=lane) for to in recipients]
        due_at = now + int(due_s * SECOND_US)
        submission = Submission(messages[0].id, self.account.id, Door.SMTP, "back@sender.example", "news@sender.example", "Hello", Options(), now, due_at,
                                now + int(deadline_s * SECOND_US), content, tuple(messages))  # fmt: skip
        await self.real.accept(submission)
        self.engine.hear()
        return [m.id for m in messages]

    async def submit(self, *recipients: str, priority: int = 2, content: bytes = MAIL) -> list[int]:
        """The same through the one door, so that it may come straight to the path; the ids."""
        examined = examine(content)
        to = tuple(Recipient(parse(address)) for address in recipients)
        options = replace(examined.options, priority=priority)
        request = Request(self.account, Door.SMTP, "back@sender.example", to, content, examined, options, "client", "127.0.0.1", "ESMTP")
        (accepted,) = await self.door.submit([request])
        return [m.id for m in accepted.messages]

    async def states(self) -> dict[str, str]:
        """recipient → state."""
        return {m.recipient: m.state.value for m in await self.real.messages()}

    async def settled(self, timeout_s: float = 60.0) -> dict[str, str]:
        """recipient → state, once nothing waits any more."""
        return await self.until(lambda states: all(State(s) in FINAL_STATES for s in states.values()), timeout_s)

    async def until(self, is_so: Callable[[dict[str, str]], bool], timeout_s: float = 60.0) -> dict[str, str]:
        """The states as soon as they are as wanted."""
        ends_s = self.clock.monotonic() + timeout_s
        while True:
            states = await self.states()
            if is_so(states):
                return states
            assert self.clock.monotonic() < ends_s, f"not within {timeout_s:g} s: {states}"
            await asyncio.sleep(0.02)

    async def eventually(self, is_so: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Wait until something is so in this process."""
        ends_s = self.clock.monotonic() + timeout_s
        while True:
            if is_so():
                return
            assert self.clock.monotonic() < ends_s, f"not within {timeout_s:g} s"
            await asyncio.sleep(0.02)

    async def kinds(self, message_id: int) -> list[str]:
        """The kinds of the events of a message."""
        return [e.kind.value for e in await self.real.timeline(message_id)]

    async def held(self) -> int:
        """Messages that the store says somebody holds."""
        return sum(b.in_flight for b in await self.real.backlog(self.clock.now_us()))


ZONE = {
    ("dest.example", "MX"): ["10 mx.dest.example"],
    ("same.example", "MX"): ["10 mx.dest.example"],
    ("other.example", "MX"): ["10 mx.other.example"],
    ("two.example", "MX"): ["10 mx1.two.example", "20 mx2.two.example"],
    ("mx.dest.example", "A"): ["127.0.0.1"],
    ("mx.other.example", "A"): ["127.0.0.1"],
    ("mx1.two.example", "A"): ["127.0.0.9"],  # nobody listens
    ("mx2.two.example", "A"): ["127.0.0.1"],
    ("dead.example", "MX"): ["10 mx.dead.example"],
    ("mx.dead.example", "A"): ["127.0.0.9"],
}


@contextlib.asynccontextmanager
async def road(folder: Path, **options: Any) -> AsyncIterator[Road]:
    """A worker that runs, and what it needs."""
    async with DnsServer(dict(ZONE)) as dns, MxServer() as mx:
        store = await open_store(f"sqlite:///{folder}/estafette.db", StatusPolicy(), SystemClock())
        made = Road(folder, dns, mx, store)
        try:
            await made.start(**options)
            yield made
            if made.running is not None and not made.running.done():
                await made.stop()
        finally:
            if made.running is not None:
                made.running.cancel()
                await asyncio.gather(made.running, return_exceptions=True)
            await store.close()
        assert mx.violations == []
