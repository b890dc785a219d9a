"""A network in memory: byte pipes that keep order, with latency, writes that are split, and connections that are cut or fall silent.

What `create_connection` and `create_server` of the simulated loop lead to. A server that nobody listens at refuses; what a host does beyond
that (unreachable, silent) is asked of `reach`.
"""

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable, Collection
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from tests.simulation.loop import PROCESS, Process, SimulatedLoop

EOF, RESET = object(), object()
RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad the network is."""

    latency_s: float = 0.02
    split: float = 0.0  # share of writes that arrive in two pieces
    cut: float = 0.0  # share of connections that are reset somewhere
    silence: float = 0.0  # share of connections over which at some point nothing comes any more


@dataclass(frozen=True, slots=True)
class Place:
    """Stands where a bound socket would."""

    host: str
    port: int


class TlsMarker:
    """Stands where an `ssl.SSLObject` would."""

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return ("SIMULATED", "TLSv1.3", 256)


class End(asyncio.Transport):
    """One side of a connection, belonging to one process."""

    def __init__(self, network: "Network", process: Process, context: Context, names: dict[str, Any]) -> None:
        super().__init__(names)
        self.network = network
        self.process = process
        self.protocol: Any = None
        self.peer: End
        self.budget: list[float]  # octets until the connection is cut, shared by both sides
        self.tls = "ok"  # what a handshake with this side comes to
        self.is_open = True
        self._context = context
        self._inbox: deque[tuple[float, Any]] = deque()
        self._last_at = 0.0
        self._is_paused = False
        self._is_due = False

    # -- asyncio.Transport

    def write(self, data: Any) -> None:
        if not self.is_open or not data:
            return
        data = bytes(data)
        self.budget[0] -= len(data)
        if self.budget[0] < 0:
            self.network.broken(self)
            return
        chance = self.network.chance
        if len(data) > 1 and chance.random() < self.network.faults.split:
            at = chance.randrange(1, len(data))
            self.peer._comes(data[:at])
            self.peer._comes(data[at:])
        else:
            self.peer._comes(data)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        if self.is_open:
            self._ends(None)
            self.peer._comes(EOF)

    def abort(self) -> None:
        if self.is_open:
            self._ends(None)
            self.peer._comes(RESET)

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        self._plan()

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    # -- the wire's side

    def drop(self) -> None:
        """Its process died: the kernel tells the peer."""
        if self.is_open:
            self.is_open = False
            self.network.closed(self)
            self.peer._comes(EOF if self.network.chance.random() < 0.5 else RESET)

    def _comes(self, what: Any) -> None:
        if not self.is_open or self.budget[0] < -1e8:  # silent
            return
        network = self.network
        self._last_at = max(self._last_at, network.loop.now_s + network.chance.uniform(0.2, 1.0) * network.faults.latency_s)
        self._inbox.append((self._last_at, what))
        self._plan()

    def _plan(self) -> None:
        if self._inbox and not self._is_due and not self._is_paused:
            self._is_due = True
            self.network.loop.call_at(self._inbox[0][0], self._deliver, context=self._context)

    def _deliver(self) -> None:
        self._is_due = False
        now = self.network.loop.now_s
        while self._inbox and self.is_open and not self._is_paused and self._inbox[0][0] <= now:
            what = self._inbox.popleft()[1]
            if what is RESET:
                self._ends(ConnectionResetError(104, "Connection reset by peer"))
            elif what is EOF:
                self.network.loop.note(f"{self.process.name} eof")
                if not self.protocol.eof_received():
                    self.close()
            else:
                self.network.loop.note(f"{self.process.name} {len(what)}")
                self.protocol.data_received(what)
        self._plan()

    def _ends(self, error: Exception | None) -> None:
        if self.is_open:
            self.is_open = False
            self._inbox.clear()
            self.network.closed(self)
            self.network.loop.call_soon(self.protocol.connection_lost, error, context=self._context)


class Server:
    """What `create_server` returns."""

    def __init__(self, network: "Network", factory: Callable[[], Any], place: tuple[str, int]) -> None:
        self.factory = factory
        self.process = PROCESS.get()
        self.context = copy_context()
        self._network = network
        self._place = place

    def close(self) -> None:
        self._network.servers[self._place] = [s for s in self._network.servers.get(self._place, []) if s is not self]


class Network:
    """See the module."""

    def __init__(self, loop: SimulatedLoop, faults: Faults) -> None:
        self.loop = loop
        self.faults = faults
        self.chance = random.Random(f"{loop.seed}/network")
        self.servers: dict[tuple[str, int], list[Server]] = {}
        self.open: dict[End, None] = {}
        self.reach: Callable[[str], str] = lambda host: ""  # "", refused, unreachable, silent
        self.opening: Callable[[Process, str], None] = lambda process, host: None  # called before each attempt to connect
        self.connecting: dict[tuple[Process, str], int] = {}

    def listen(self, factory: Callable[[], Any], host: str, port: int) -> Server:
        server = Server(self, factory, (host, port))
        self.servers.setdefault((host, port), []).append(server)
        return server

    def open_to(self, hosts: Collection[str]) -> dict[Process, int]:
        """Connections per living process to some hosts, those under way included."""
        counts: dict[Process, int] = {}
        for (process, host), n in self.connecting.items():
            if host in hosts and n and not process.is_dead:
                counts[process] = counts.get(process, 0) + n
        for end in self.open:
            if end.get_extra_info("peername")[0] in hosts and not end.process.is_dead:
                counts[end.process] = counts.get(end.process, 0) + 1
        return counts

    async def connect(self, factory: Callable[[], Any], host: str, port: int, local: Any) -> tuple[End, Any]:
        process = PROCESS.get()
        self.connecting[process, host] = self.connecting.get((process, host), 0) + 1
        self.opening(process, host)
        try:
            await asyncio.sleep(self.chance.uniform(0.4, 2.0) * self.faults.latency_s)
            what = self.reach(host)
            if what == "silent":
                await asyncio.sleep(1e6)
            if what == "unreachable":
                raise OSError(113, "No route to host")
            servers = [s for s in self.servers.get((host, port), []) if not s.process.is_dead]
            if what == "refused" or not servers:
                raise ConnectionRefusedError(111, "Connection refused")
        finally:
            self.connecting[process, host] -= 1
        server = self.chance.choice(servers)
        here = (f"10.0.0.{1 + self.chance.randrange(200)}", 1024)
        near = End(self, process, copy_context(), {"peername": (host, port), "sockname": here})
        far = End(self, server.process, server.context.copy(), {"peername": here, "sockname": (host, port)})
        near.peer, far.peer = far, near
        near.budget = far.budget = [self._budget()]
        self.open[near] = self.open[far] = None
        far.protocol = far._context.run(server.factory)
        near.protocol = factory()
        self.loop.call_soon(far.protocol.connection_made, far, context=far._context)
        near.protocol.connection_made(near)
        return near, near.protocol

    async def start_tls(self, end: End) -> End | None:
        await asyncio.sleep(2 * self.faults.latency_s)
        if not end.is_open:
            raise ConnectionResetError(104, "Connection reset by peer")
        if end.peer.tls == "broken":
            end.abort()
            raise ssl.SSLError(1, "[SSL] simulated handshake failure")
        if end.peer.tls == "silent":
            await asyncio.sleep(30.0)
            end.abort()
            raise ConnectionAbortedError("SSL handshake is taking longer than 30 seconds: aborting the connection")
        end._extra["ssl_object"] = TlsMarker()  # type: ignore[attr-defined]
        return end

    def broken(self, end: End) -> None:
        """The budget of a connection is spent: it is cut, or silent from now on."""
        if self.chance.random() * (self.faults.cut + self.faults.silence) < self.faults.silence:
            end.budget[0] = -1e9
            return
        end.budget[0] = float("inf")
        for side in (end, end.peer):
            side._comes(RESET)

    def closed(self, end: End) -> None:
        self.open.pop(end, None)

    def process_died(self, process: Process) -> None:
        """The kernel closes the sockets of a process."""
        for end in [end for end in self.open if end.process is process]:
            end.drop()
        for place in self.servers:
            self.servers[place] = [s for s in self.servers[place] if s.process is not process]

    def _budget(self) -> float:
        if self.chance.random() < self.faults.cut + self.faults.silence:
            return float(int(2 ** self.chance.uniform(3, 13)))
        return float("inf")
