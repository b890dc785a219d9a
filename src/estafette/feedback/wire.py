"""One TCP connection as something to read from and write to, bounded both ways, with STARTTLS: the ground under an inbound session."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

PAUSE_AT_BYTES: Final = 262_144
HANDSHAKE_WITHIN_S: Final = 30.0


class Wire(asyncio.Protocol):
    """`serve(wire)` runs as a task from the first moment of the connection to its end."""

    def __init__(self, serve: Callable[["Wire"], Awaitable[None]]) -> None:
        self._serve = serve
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Future[None] | None = None
        self._buffer = bytearray()
        self._woken = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_over = False
        self.peer = ""

    # -- asyncio's side -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called again by some loops after STARTTLS."""
        self._transport = transport  # type: ignore[assignment]
        if self._task is None:
            name = transport.get_extra_info("peername")
            self.peer = str(name[0]) if name else "unix"
            self._task = asyncio.ensure_future(self._serve(self))

    def data_received(self, data: bytes) -> None:
        """Keep it until it is asked for; stop the peer in time."""
        self._buffer += data
        if len(self._buffer) >= PAUSE_AT_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._woken.set()

    def eof_received(self) -> bool:
        """The peer has said all it wants to say; it still gets its answers."""
        self._is_over = True
        self._woken.set()
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is None  # TLS closes both ways at once

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._is_over = True
        self._transport = None
        self._woken.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It reads again."""
        self._writable.set()

    # -- the session's side ---------------------------------------------------------------------------------------------

    async def read(self, within_s: float) -> bytes | None:
        """What has come, b"" at the end of the connection, None when it was nudged. Raises TimeoutError."""
        if not self._buffer and not self._is_over:
            self._woken.clear()
            async with asyncio.timeout(within_s):
                await self._woken.wait()
        if not self._buffer:
            return b"" if self._is_over else None
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._transport is not None:
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes, within_s: float) -> None:
        """Hand over for sending; waits while the peer does not read. Raises TimeoutError."""
        if data and self._transport is not None:
            self._transport.write(data)
            async with asyncio.timeout(within_s):
                await self._writable.wait()

    async def start_tls(self, context: ssl.SSLContext) -> bool:
        """Handshake as the server; False when it failed. What came in clear before it is thrown away (RFC 3207 section 4.2)."""
        assert self._transport is not None
        self._buffer.clear()  # no await until the transport has a new protocol: whatever arrives from here on has passed through TLS
        try:
            self._transport = await asyncio.get_running_loop().start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_WITHIN_S
            )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            return False
        return self._transport is not None

    def nudge(self) -> None:
        """End a `read` that waits."""
        self._woken.set()

    def close(self) -> None:
        """Send what was written, then end."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()
