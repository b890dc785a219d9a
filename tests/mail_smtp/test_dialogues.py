"""The line scripts of tests/dialogues, played against the session itself (whole turns, then octet by octet) and over a loopback socket with real TLS."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
import trustme

from estafette.mail.smtp.replies import MAX_LINE_OCTETS
from estafette.mail.smtp.server import ServerSession
from estafette.mail.smtp.states import ServerState
from tests.mail_smtp.dialogues import FILES, Dialogue, Turn, check, read, split_replies
from tests.mail_smtp.shell import Shell


def by_name(path: Path) -> str:
    return path.stem


def test_there_are_dialogues() -> None:
    assert len(FILES) >= 30


# -- sans-IO ----------------------------------------------------------------------------------------------------------------


def play(dialogue: Dialogue, name: str, piece: int) -> Shell:
    shell = Shell(ServerSession(dialogue.options))
    for turn in dialogue.turns:
        output = shell.run()
        for at in range(0, len(turn.octets), piece):
            output += shell.feed(turn.octets[at : at + piece])
        replies = split_replies(output)
        told = [" | ".join(lines) for lines in replies]
        assert len(replies) == len(turn.replies), f"{name}: {len(turn.replies)} replies expected to {turn.octets[:200]!r}, got {told}"
        for expected, lines in zip(turn.replies, replies, strict=True):
            check(expected, lines, name)
        if turn.then_tls:
            assert shell.session.state is ServerState.TLS
            shell.session.tls_started()
    return shell


@pytest.mark.parametrize("piece", [1_000_000, 1, 7], ids=["turns", "octets", "sevens"])
@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_session(path: Path, piece: int) -> None:
    dialogue = read(path)
    shell = play(dialogue, path.name, piece)
    assert len(shell.mails) == len(dialogue.mails)
    assert shell.mails == dialogue.mails
    assert shell.is_closed == dialogue.is_closed
    assert shell.is_closed == (shell.session.state is ServerState.CLOSED)


# -- over a socket ----------------------------------------------------------------------------------------------------------


class Listener(asyncio.Protocol):
    """The same session and the same shell, octets from a real socket."""

    def __init__(self, dialogue: Dialogue, tls: ssl.SSLContext) -> None:
        self.shell = Shell(ServerSession(dialogue.options))
        self.faults: list[BaseException] = []
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._early: list[bytes] | None = None  # while the handshake runs: what came through TLS before we were told that it is done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        is_first = self._transport is None
        self._transport = transport  # type: ignore[assignment]
        if is_first:
            self._act(b"")

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early.append(data)
        else:
            self._act(data)

    def _act(self, data: bytes) -> None:
        assert self._transport is not None
        try:
            self._transport.write(self.shell.feed(data))
        except BaseException as fault:
            self.faults.append(fault)
            self._transport.abort()
            return
        if self.shell.is_closed:
            self._transport.close()
        elif self.shell.wants_tls:
            self.shell.wants_tls = False
            self._handshake = asyncio.get_running_loop().create_task(self._start_tls())

    async def _start_tls(self) -> None:
        assert self._transport is not None
        self._early = []
        try:
            self._transport = await asyncio.get_running_loop().start_tls(self._transport, self, self._tls, server_side=True)
        except (OSError, ConnectionError) as fault:
            self.faults.append(fault)
            return
        self.shell.session.tls_started()
        early, self._early = b"".join(self._early), None
        self._act(early)


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of server and client."""
    authority = trustme.CA()
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(of_server)
    of_client = ssl.create_default_context()
    authority.configure_trust(of_client)
    return of_server, of_client


async def read_reply(reader: asyncio.StreamReader) -> list[str]:
    lines = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        assert len(line) < MAX_LINE_OCTETS
        lines += line
        if line[3:4] == b" ":
            (reply,) = split_replies(lines)
            return reply


async def converse(turns: list[Turn], name: str, port: int, tls: ssl.SSLContext) -> bytes:
    """Play the client; what the server says beyond what was expected."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for turn in turns:
        writer.write(turn.octets)
        await writer.drain()
        for expected in turn.replies:
            check(expected, await read_reply(reader), name)
        if turn.then_tls:
            await writer.start_tls(tls, server_hostname="localhost")
    # TLS has no half-close: what follows the expected is seen by saying one thing more, in the dialogue's own way to end
    if writer.can_write_eof():
        writer.write_eof()
        rest = await reader.read()
    else:
        writer.write(b"QUIT\r\n")
        rest = (await reader.read()).removesuffix(b"221 2.0.0 Bye\r\n")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return rest


@pytest.mark.parametrize("path", FILES, ids=by_name)
async def test_socket(path: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    dialogue = read(path)
    listener = Listener(dialogue, tls[0])
    served = await asyncio.get_running_loop().create_server(lambda: listener, "127.0.0.1", 0)
    port = served.sockets[0].getsockname()[1]
    is_in_clear = not any(turn.then_tls for turn in dialogue.turns)
    try:
        async with asyncio.timeout(20):
            rest = await converse(dialogue.turns, path.name, port, tls[1])
    finally:
        served.close()
    assert listener.faults == []
    assert rest == b"", "the server said more than was expected"
    assert len(listener.shell.mails) == len(dialogue.mails)
    assert listener.shell.mails == dialogue.mails
    if is_in_clear:
        assert listener.shell.is_closed == dialogue.is_closed
