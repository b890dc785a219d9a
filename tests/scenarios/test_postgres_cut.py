"""Connections to PostgreSQL that break at COMMIT, so that nobody can know whether it happened: nothing is lost, and nothing waits for ever."""

import asyncio
import contextlib
import sys
import threading
from typing import Self

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.own_postgres import ALLOWED, Load, Server, pg_world, server

__all__ = ["pg_world", "server"]  # fixtures
EVERY = 7


class Proxy:
    """Stands before PostgreSQL, in a thread of its own (commands of the test block its loop).

    While `is_cutting`, every seventh COMMIT breaks its connection, before the server has seen it or after it was done."""

    def __init__(self, port: int, when: str) -> None:
        self._server_port = port
        self._mark, self._reads = (b"COMMIT;\0", "client") if when == "before" else (b"COMMIT\0Z", "server")
        self._seen = 0
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_cutting = False
        self.cuts = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        pumps = [asyncio.create_task(self._pump("client", reader, back)), asyncio.create_task(self._pump("server", there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in (writer, back):
                end.transport.abort()

    async def _pump(self, who: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self.is_cutting and who == self._reads and self._is_commit(data):
                    self._seen += 1
                    if not self._seen % EVERY:
                        self.cuts += 1
                        return
                writer.write(data)
                await writer.drain()

    def _is_commit(self, data: bytes) -> bool:
        return self._mark in data


@pytest.mark.timeout(180)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_connections_that_break_at_commit(pg_world: World, server: Server, when: str) -> None:
    """While mail is accepted, claimed and settled."""
    with Proxy(server.cluster.port, when) as proxy:
        pg_world.database_url = pg_world.database_url.replace(f":{server.cluster.port}/", f":{proxy.port}/")
        async with pg_world.platform(workers=2) as platform:
            load = Load(platform)
            clients = [asyncio.create_task(load.run(number)) for number in range(4)]
            await asyncio.sleep(1)
            proxy.is_cutting = True
            await asyncio.sleep(5)
            proxy.is_cutting = False
            load.is_over = True
            await asyncio.gather(*clients)
            total = (await asyncio.to_thread(platform.command, "audit", "--json"))["accepted"]
            messages = await platform.settled(total)
            assert (await asyncio.to_thread(platform.command, "audit", "--json"))["difference"] == 0
    arrived = [m.recipients[0] for m in pg_world.mx.mails]
    print(f"\n{proxy.cuts} cuts: {len(load.accepted)} answered 250, {total} accepted, {len(arrived)} arrived, {len(load.refused)} refused", file=sys.stderr)
    assert proxy.cuts > 10
    assert set(load.accepted) - set(arrived) == set()
    assert {m["state"] for m in messages} == {"delivered"}
    assert {(told.code, told.enhanced) for told in load.refused} <= ALLOWED
    assert len(arrived) - len(set(arrived)) <= proxy.cuts * 20 * 2  # a lost worker's unsettled outcomes: two per open connection
