"""The platform under simulation: what `app/worker.py` composes, on simulated parts, and a supervisor that starts workers again.

The composition repeats `app.worker._work` line by line, because that one opens real sockets, threads and a key file.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from estafette.accept.credentials import Doorkeeper
from estafette.accept.ids import IdMaker
from estafette.accept.limits import Budget
from estafette.accept.reception import Reception
from estafette.accept.smtp import SubmissionProtocol
from estafette.accept.submit import SubmitDoor
from estafette.clock import SECOND_US
from estafette.deliver.attempt import Sending
from estafette.deliver.connection import Policy
from estafette.deliver.contents import Contents
from estafette.deliver.dns import Resolver
from estafette.deliver.engine import Engine, LeaseLost, Limits
from estafette.deliver.flights import HEADER_BYTES, SLOT_BYTES, FlightLog, read_flights
from estafette.deliver.router import Router
from estafette.deliver.signing import KeyCabinet, Workshop
from estafette.feedback.inbound import Inbound
from estafette.feedback.recipients import directory
from estafette.mail.smtp.server import ServerOptions
from estafette.mail.token import Keyring
from estafette.model import DkimKey, Flight
from estafette.queue.retry import RetryPlan
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.seam import StoreFault, Worker
from estafette.vault import Vault, dkim_label
from tests.simulation.loop import Process, SimulatedClock, SimulatedLoop
from tests.simulation.network import RELAY, Network
from tests.simulation.store import Disk, SimulatedDriver

HOSTNAME = "relay.test"
MASTER_KEY = b"m" * 32
SMTP_PORT = 2525
MX_PORT = 2600
INBOUND_PORT = 2526
FBL = "fbl@relay.test"
SLOTS = 64
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32).private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the platform is configured."""

    workers: int = 1
    give_up_s: float = 7200.0
    retry_s: tuple[float, ...] = (300.0, 900.0, 1800.0)
    lease_s: float = 30.0
    connections: int = 20
    max_connections: int = 500
    messages_per_connection: int = 100
    idle_s: float = 5.0
    connect_s: float = 30.0
    command_s: float = 300.0
    data_s: float = 600.0
    bodies_bytes: int = 16_000_000
    drain_s: float = 30.0
    tells_of_the_dead: bool = True  # the supervisor gives a successor the incarnations of its predecessors


class Logs:
    """`FlightFolder` on a machine whose memory outlives its processes and not a power cut."""

    def __init__(self) -> None:
        self._buffers: dict[int, bytearray] = {}

    def open(self, worker_id: int, slots: int) -> FlightLog:
        buffer = self._buffers[worker_id] = bytearray(HEADER_BYTES + slots * SLOT_BYTES)
        return FlightLog(memoryview(buffer), "boot")

    def of(self, worker_id: int) -> Sequence[Flight] | None:
        return read_flights(bytes(self._buffers.get(worker_id, b"")), "boot")

    def forget(self, worker_id: int) -> None:
        self._buffers.pop(worker_id, None)

    def power_cut(self) -> None:
        self._buffers.clear()


@dataclass(slots=True)
class Body:
    """One running worker process."""

    index: int
    process: Process
    worker: Worker | None = None
    engine: Engine | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = -9


class Supervisor:
    """Keeps workers running; runs in a process that never dies."""

    def __init__(self, loop: SimulatedLoop, network: Network, disk: Disk, resolver: Resolver, plan: Plan, shift_s: list[float]) -> None:
        self.loop = loop
        self.network = network
        self.disk = disk
        self.resolver = resolver
        self.plan = plan
        self.shift_s = shift_s
        self.chance = random.Random(f"{loop.seed}/supervisor")
        self.bodies: dict[int, Body] = {}
        self.crashes: list[str] = []
        self.logs = Logs()
        self.of_worker: dict[int, Process] = {}
        self.is_off = False
        self._births = 0
        self._keepers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start all workers."""
        self.is_off = False
        self._keepers = [asyncio.create_task(self._keep(index)) for index in range(self.plan.workers)]

    async def stop(self) -> None:
        """SIGTERM to all; returns when they have ended."""
        self.is_off = True
        for body in self.bodies.values():
            body.stopping.set()
        await asyncio.gather(*self._keepers)

    def kill(self, index: int) -> bool:
        """kill -9 of one worker."""
        body = self.bodies.get(index)
        if body is None or body.process.is_dead or body.ended.is_set():
            return False
        self.loop.note(f"kill {body.process.name}")
        body.process.kill()
        self.network.process_died(body.process)
        body.ended.set()
        return True

    def power_cut(self) -> int:
        """Everything stops at once, and what was not synced may be gone."""
        for index in list(self.bodies):
            self.kill(index)
        lost = self.disk.crash()
        self.logs.power_cut()
        self.loop.note(f"power cut {lost}")
        return lost

    async def _keep(self, index: int) -> None:
        dead: list[int] = []
        while not self.is_off:
            self._births += 1
            process = Process(self.loop, f"worker-{index}.{self._births}")
            body = self.bodies[index] = Body(index, process)
            process.start(self._live(body, tuple(dead) if self.plan.tells_of_the_dead else ()))
            await body.ended.wait()
            if body.code != 0 and body.worker is not None:
                dead.append(body.worker.id)
            elif body.worker is not None:
                dead = []
            del self.bodies[index]
            if not self.is_off:
                await asyncio.sleep(self.chance.uniform(0.5, 5.0))

    async def _live(self, body: Body, dead: tuple[int, ...]) -> None:
        try:
            body.code = await self._work(body, dead)
        except StoreFault:
            body.code = 4
        except Exception as fault:
            body.code = 70
            self.crashes.append(f"{body.process.name} crashed: {fault!r}")
        body.process.kill()
        self.network.process_died(body.process)
        body.ended.set()

    async def _work(self, body: Body, dead: tuple[int, ...]) -> int:
        """`app.worker._work`."""
        plan, process = self.plan, body.process
        clock = SimulatedClock(process, self.shift_s)
        store = Database(SimulatedDriver(self.disk, process), StatusPolicy())
        for gone in dead:
            await store.retire(gone, clock.now_us(), self.logs.of(gone))
            self.logs.forget(gone)
        now = clock.now_us()
        me = await store.join(process.name, now, now + int(plan.lease_s * SECOND_US))
        body.worker = me
        self.of_worker[me.id] = process
        router = Router(self.resolver, clock, port=MX_PORT, ipv6=False)
        keyring = Keyring(1, {1: await store.secret("tokens", clock.token_bytes(32))})
        workshop = Workshop(KeyCabinet(store, Vault(MASTER_KEY, clock), clock), clock, None, keyring, "bounces.relay.test")
        policy = Policy(HOSTNAME, plan.connect_s, plan.command_s, plan.data_s)
        sending = Sending(policy, MX_PORT, RetryPlan(plan.retry_s), ("",), plan.messages_per_connection, plan.idle_s)
        limits = Limits(plan.lease_s, plan.connections, plan.max_connections)
        engine = Engine(store, clock, me.id, router, Contents(store, plan.bodies_bytes // 2), workshop, sending, limits, self.logs,
                        self.logs.open(me.id, SLOTS), lambda: self._ring(body))  # fmt: skip
        ids = IdMaker(me.slot, await store.newest_id())
        keeper = Doorkeeper(store, clock)
        door = SubmitDoor(store, clock, ids, me.id, HOSTNAME, plan.give_up_s, engine)
        reception = Reception(ServerOptions(HOSTNAME, plain_auth=True), clock, door, keeper, Budget(plan.bodies_bytes // 2))
        server = await self.loop.create_server(lambda: SubmissionProtocol(reception), RELAY, SMTP_PORT)
        ours = directory("bounces.relay.test", HOSTNAME, [FBL])
        from_world = ServerOptions(HOSTNAME, offers_auth=False, requires_auth=False, has_postmaster=True, bare_newlines="fix")
        inbound = Inbound(from_world, clock, store, keyring, ours, Budget(plan.bodies_bytes // 2), store.parsing)
        reports = await self.loop.create_server(inbound.protocol, RELAY, INBOUND_PORT)
        body.engine = engine
        working = asyncio.create_task(engine.run())
        working.add_done_callback(lambda task: task.cancelled() or task.exception())  # who is killed while stopping looks at nothing any more
        told = asyncio.create_task(body.stopping.wait())
        await asyncio.wait([working, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        server.close()
        reports.close()
        await asyncio.gather(reception.close(plan.drain_s), inbound.close(plan.drain_s))
        await engine.stop(plan.drain_s)
        code = 0
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await working
            except LeaseLost:
                code = 75
        await store.retire(me.id, clock.now_us(), engine.flights.flights())
        self.logs.forget(me.id)
        return code

    def _ring(self, who: Body) -> None:
        """A datagram to the other workers; some are lost."""
        for body in self.bodies.values():
            if body is not who and body.engine is not None and self.chance.random() < 0.9:
                self.loop.call_later(0.005, body.engine.hear, context=body.process.context.copy())


async def found(disk: Disk, process: Process, accounts: list[str]) -> dict[str, int]:
    """A new installation: accounts with a verified domain, an API key (named as the account, secret "secret") and a signing key."""
    import hashlib

    clock = SimulatedClock(process, [0.0])
    store = Database(SimulatedDriver(disk, process), StatusPolicy())
    ids = {}
    for name in accounts:
        account = await store.add_account(name, clock.now_us())
        domain = f"{name}.example"
        await store.add_key(account.id, name, hashlib.sha256(b"secret").digest(), clock.now_us())
        await store.add_domain(account.id, domain, True, "token", clock.now_us())
        sealed = Vault(MASTER_KEY, clock).seal(SIGNING_KEY, dkim_label(domain, "s1"))
        await store.add_dkim_key(account.id, DkimKey(domain, "s1", "ed25519-sha256", sealed), clock.now_us())
        ids[name] = account.id
    return ids
