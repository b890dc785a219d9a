"""A worker's tracking endpoints in a process of their own, and many readers at once: for the tests of load and of sudden death."""

import asyncio
import multiprocessing
import socket
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette

from estafette.clock import SystemClock
from estafette.feedback.routes import feedback_routes, open_desks
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from tests.feedback.ground import BROWSER, KEYRING

_spawn = multiprocessing.get_context("spawn")


def _serve(sock: socket.socket, url: str) -> None:
    async def run() -> None:
        clock = SystemClock()
        store = await open_store(url, StatusPolicy(), clock)
        visits, leaving = open_desks(store, clock, KEYRING)
        app = Starlette(routes=feedback_routes(visits, leaving))
        await uvicorn.Server(uvicorn.Config(app, loop="none", lifespan="off", log_config=None, access_log=False)).serve([sock])
        await visits.close(10)
        await store.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def start(folder: Path, processes: int) -> tuple[list[BaseProcess], int]:
    """Worker processes behind one port of the loopback."""
    sockets: list[socket.socket] = []
    port = 0
    for _ in range(processes):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(1024)
        port = sock.getsockname()[1]
        sockets.append(sock)
    workers: list[BaseProcess] = [_spawn.Process(target=_serve, args=(sock, f"sqlite:///{folder}/estafette.db")) for sock in sockets]
    for worker in workers:
        worker.start()
    for sock in sockets:
        sock.close()
    return workers, port


@dataclass
class Tally:
    """What the readers saw."""

    answered: int = 0
    took_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    has_500: asyncio.Event = field(default_factory=asyncio.Event)


async def read(port: int, paths: Sequence[str], visits: int, connections: int, tally: Tally) -> None:
    """So many visits over so many connections; ends early when the server goes away."""
    numbers = iter(range(visits))
    began = time.perf_counter()

    async def reader() -> None:
        stream, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for number in numbers:
                asked = time.perf_counter()
                writer.write(f"GET {paths[number % len(paths)]} HTTP/1.1\r\nHost: x\r\nUser-Agent: {BROWSER}\r\n\r\n".encode())
                head = await stream.readuntil(b"\r\n\r\n")
                assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 302")), head
                await stream.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                tally.answered += 1
                if tally.answered == 500:
                    tally.has_500.set()
                tally.waits_s.append(time.perf_counter() - asked)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    await asyncio.gather(*(reader() for _ in range(connections)))
    tally.took_s = time.perf_counter() - began


def counted(folder: Path) -> int:
    """Openings and clicks in the store."""
    with sqlite3.connect(folder / "estafette.db") as database:
        number: int = database.execute("SELECT count(*) FROM event WHERE kind IN ('opened', 'clicked')").fetchone()[0]
    database.close()
    return number
