"""The platform under simulation: lives of `app/life.py`, as real workers live them, made of simulated parts, and a supervisor that starts workers again."""

import asyncio
import hashlib
import random
import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from estafette.app.life import Post, live
from estafette.app.parts import Parts
from estafette.app.sockets import Listener
from estafette.config import Config, Delivery, Inbound, Limits, Server, SubmissionDoor
from estafette.config import Database as DatabaseSettings
from estafette.deliver.dns import Resolver
from estafette.deliver.flights import HEADER_BYTES, SLOT_BYTES, FlightLog, read_flights
from estafette.model import DkimKey, Flight
from estafette.quantities import Endpoint
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.seam import StoreFault
from estafette.vault import Vault, dkim_label
from tests.simulation.loop import Process, SimulatedClock, SimulatedLoop
from tests.simulation.network import RELAY, Network, Place
from tests.simulation.store import Disk, SimulatedDriver

HOSTNAME = "relay.test"
MASTER_KEY = b"m" * 32
SMTP_PORT = 2525
MX_PORT = 2600
INBOUND_PORT = 2526
FBL = "fbl@relay.test"
AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never asked: no connection here has more of TLS than its mark
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
    follows: bool = False  # counters, newsletters, the guard, webhooks and retention are at work too

    def config(self) -> Config:
        """The same as an operator would write it."""
        return Config(
            Server(HOSTNAME, self.workers, ("accept", "deliver"), self.lease_s, self.drain_s),
            DatabaseSettings("sqlite:////nowhere/estafette.db"),
            SubmissionDoor(allow_plain_auth="always"),
            inbound=Inbound(domain="bounces.relay.test", fbl_addresses=(FBL,)),
            delivery=Delivery(
                port=MX_PORT, ipv6=False, retry_s=self.retry_s, give_up_after_s=self.give_up_s, connections=self.connections,
                max_connections=self.max_connections, messages_per_connection=self.messages_per_connection, mta_sts=False,
                connect_timeout_s=self.connect_s, command_timeout_s=self.command_s, data_timeout_s=self.data_s, idle_timeout_s=self.idle_s,
            ),
            limits=Limits(bodies_bytes=self.bodies_bytes),
        )  # fmt: skip


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

    def sweep(self, registered: Collection[int]) -> None:
        """The supervisor forgets them."""

    def power_cut(self) -> None:
        self._buffers.clear()


@dataclass(slots=True)
class Body:
    """One running worker process."""

    index: int
    process: Process
    worker_id: int = 0
    hear: Callable[[], None] | None = None
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
        self.config = plan.config()
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
            if body.code != 0 and body.worker_id:
                dead.append(body.worker_id)
            elif body.worker_id:
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
        clock = SimulatedClock(body.process, self.shift_s)
        store = _Known(SimulatedDriver(self.disk, body.process), StatusPolicy(), lambda worker_id: self._knows(body, worker_id))
        listeners = [Listener(role, Endpoint(RELAY, port), (Place(RELAY, port),) * self.plan.workers)  # type: ignore[arg-type]
                     for role, port in (("submission", SMTP_PORT), ("inbound", INBOUND_PORT))]  # fmt: skip
        parts = Parts(body.process.name, clock, store, self.logs, _Bell(self, body), Vault(MASTER_KEY, clock), lambda: self.resolver, None, AUTHORITIES,
                      self.plan.follows)  # fmt: skip
        return await live(self.config, Post(body.index, self.plan.workers, listeners, dead), parts, body.stopping)

    def _knows(self, body: Body, worker_id: int) -> None:
        body.worker_id = worker_id
        self.of_worker[worker_id] = body.process

    def ring(self, who: Body) -> None:
        """A datagram to the other workers; some are lost."""
        for body in self.bodies.values():
            if body is not who and body.hear is not None and self.chance.random() < 0.9:
                self.loop.call_later(0.005, body.hear, context=body.process.context.copy())


class _Known(Database):
    """A store that says which incarnation it gave to a worker, as soon as that is committed."""

    def __init__(self, driver: Any, policy: StatusPolicy, told: Callable[[int], None]) -> None:
        super().__init__(driver, policy)
        self._told = told

    async def join(self, *args: Any, **options: Any) -> Any:
        me = await super().join(*args, **options)
        self._told(me.id)
        return me


class _Bell:
    """`app.wake.Bell` between simulated processes."""

    def __init__(self, supervisor: Supervisor, body: Body) -> None:
        self._supervisor = supervisor
        self._body = body

    def listen(self, hear: Callable[[], None]) -> None:
        self._body.hear = hear

    def ring(self) -> None:
        self._supervisor.ring(self._body)

    def close(self) -> None:
        self._body.hear = None


async def found(disk: Disk, process: Process, accounts: list[str]) -> dict[str, int]:
    """A new installation: accounts with a verified domain, an API key (named as the account, secret "secret") and a signing key."""
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
