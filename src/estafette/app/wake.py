"""Wake-up hints between the workers of one machine: a datagram that says "something was queued". Lost hints cost one poll, nothing else.

Other machines are told by whoever is `also` to be rung (store/wire.py).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

PAUSE_S: Final = 0.005
"""Hints within this time are one hint."""


class Bell:
    """The hints of one worker: its own socket in `folder`, and the others' to ring at; with the `url` of a database that can, those of other machines too."""

    def __init__(self, folder: Path, index: int, workers: int, url: str = "") -> None:
        self._url = url
        self._telling: asyncio.Task[None] | None = None
        self.machine = f"{socket.gethostname()}/{folder.name}"
        self._own = folder / str(index)
        self._others = [str(folder / str(other)) for other in range(workers) if other != index]
        self._socket: socket.socket | None = None
        self._is_rung = False
        self.also: Callable[[], None] | None = None

    def listen(self, hear: Callable[[], None]) -> None:
        """Call `hear` at every hint of another worker."""
        self._own.unlink(missing_ok=True)
        sock = self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(str(self._own))
        sock.setblocking(False)

        def heard() -> None:
            with contextlib.suppress(OSError):
                while sock.recv(16):
                    pass
            hear()

        asyncio.get_running_loop().add_reader(sock.fileno(), heard)
        if self._url:
            self._telling = asyncio.create_task(_pass_on(self._url, self, hear))

    def ring(self) -> None:
        """Tell the others, once for all that happens within `PAUSE_S`."""
        if self.also is not None:
            self.also()
        if self._others and not self._is_rung and self._socket is not None:
            self._is_rung = True
            asyncio.get_running_loop().call_later(PAUSE_S, self._ring)

    def _ring(self) -> None:
        self._is_rung = False
        for other in self._others:
            if self._socket is not None:
                with contextlib.suppress(OSError):  # gone, or its queue is full of hints
                    self._socket.sendto(b"!", other)

    def close(self) -> None:
        """Hear nothing more."""
        if self._telling is not None:
            self._telling.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            self._own.unlink(missing_ok=True)


async def _pass_on(url: str, bell: Bell, hear: Callable[[], None]) -> None:
    """Pass hints to and from the workers of other machines for as long as the task runs, where the database can."""
    if url.startswith("sqlite:"):
        return  # one file, one machine
    from estafette.store import wire  # asyncpg is an extra

    if wire.can_listen(url):
        line = wire.Wire(url, bell.machine, hear)
        bell.also = line.ring
        await line.run()
