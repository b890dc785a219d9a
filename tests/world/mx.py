"""A scripted receiving MX on loopback: takes mail over real sockets, keeps every octet, and says or does at every stage what it is told to.

It shares no code with src/, so that it is an oracle: what the client did against the RFCs is in `violations`. Scripts: see tests/world/__init__.py.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, cast

from tests.world import EXTENSIONS, STAGES, Act, Mail, Play, Replies, faults_of, server_context

MAX_MAILS, MAX_NOTES, MAX_LINE = 20_000, 20_000, 4096
MAX_CONTENT_BYTES = 256_000_000  # of all kept mails together


@dataclass(slots=True)
class _Session:
    number: int
    client: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    buffer: bytearray = field(default_factory=bytearray)
    helo: str = ""
    extended: bool = False
    tls: str | None = None
    reverse_path: str | None = None
    parameters: tuple[str, ...] = ()
    recipients: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    chunks: bytearray | None = None
    mails: int = 0

    def reset(self) -> None:
        self.reverse_path, self.parameters, self.recipients, self.chunks = None, (), [], None

    def accepted(self) -> tuple[str, ...]:
        return tuple(recipient for recipient, _ in self.recipients)


class _Gone(Exception):
    """The connection is to be ended; `reset`: by RST."""

    def __init__(self, reset: bool = False) -> None:
        self.reset = reset


class MxServer:
    """The server; `async with MxServer(...) as mx:` runs it."""

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        hostname: str = "mx.test",
        extensions: Sequence[str] = EXTENSIONS,
        max_size: int = 50_000_000,
        replies: Replies | None = None,
        greylist_s: float | None = None,
        mails_per_connection: int | None = None,
        max_connections: int = 500,
        tls_fault: str = "",
        identities: Sequence[str] = (),
        idle_s: float = 30.0,
    ) -> None:
        """`port` 0: the kernel's choice. `greylist_s`: the first try of a (client, reverse-path, recipient) gets 450 until so much time has passed. After
        `mails_per_connection` mails the next MAIL gets 421. `tls_fault`: "garbage", "close" or "silent" instead of a handshake. `identities`: names in
        the certificate, by default hostname and address; `tests.world.authority()` signs it.
        """
        unknown = {word for word in extensions if word not in EXTENSIONS} | {stage for stage in replies or {} if stage not in STAGES}
        if unknown or tls_fault not in ("", "garbage", "close", "silent"):
            raise ValueError(f"the MX does not know {unknown or tls_fault}")
        self.address, self.port, self.hostname = address, port, hostname
        self.extensions = set(extensions)
        self.replies = dict(replies or {})
        self.max_size, self.max_connections, self.mails_per_connection, self.greylist_s = max_size, max_connections, mails_per_connection, greylist_s
        self.tls_fault, self.identities, self.idle_s = tls_fault, tuple(identities) or (hostname, address), idle_s
        self.mails: list[Mail] = []
        self.violations: list[str] = []  # what the client did that the RFCs do not allow
        self.commands: deque[tuple[int, str]] = deque(maxlen=MAX_NOTES)  # (connection, line) as they came
        self.connections = 0  # made so far
        self.open = 0  # right now
        self.most_open = 0
        self._bytes = 0
        self._play = Play()
        self._seen: dict[tuple[str, str, str], float] = {}
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException | None] = []  # of this server: a bug here must not look like a fault of the client
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.address, self.port, limit=1 << 20, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if self._faults:
            raise RuntimeError("the scripted MX failed") from self._faults[0]

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._faults.append(task.exception())

    async def wait_for(self, count: int, timeout_s: float = 60.0) -> list[Mail]:
        """The mails, as soon as there are `count` of them; AssertionError when they do not come in time."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: len(self.mails) >= count)
        except TimeoutError:
            raise AssertionError(f"{len(self.mails)} of {count} mails came within {timeout_s:g} s; last commands: {list(self.commands)[-10:]}") from None
        return list(self.mails)

    def mails_to(self, recipient: str) -> list[Mail]:
        """What was accepted for one address."""
        return [mail for mail in self.mails if recipient in mail.recipients]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        task.add_done_callback(self._done)
        self.connections, self.open = self.connections + 1, self.open + 1
        self.most_open = max(self.most_open, self.open)
        session = _Session(self.connections, writer.get_extra_info("peername")[0], reader, writer)
        reset = False
        try:
            await self._converse(session)
        except _Gone as gone:
            reset = gone.reset
        except (OSError, EOFError, ssl.SSLError, TimeoutError, asyncio.CancelledError):
            pass  # they left, they were silent for too long, or we stop
        finally:
            self.open -= 1
            if reset:
                raw = session.writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                session.writer.transport.abort()
            session.writer.close()

    async def _converse(self, session: _Session) -> None:
        if self.open > self.max_connections:
            await self._say(session, f"421 4.3.2 {self.hostname} too many connections")
        welcome = await self._answer(session, "connect", "", f"220 {self.hostname} ESMTP scripted") == 220
        while True:
            line = await self._read_line(session)
            self.commands.append((session.number, line))
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if not welcome and verb != "QUIT":  # RFC 5321 section 3.1
                await self._say(session, "503 5.5.1 nothing but QUIT")
                continue
            if verb in ("EHLO", "DATA", "STARTTLS", "NOOP") and session.buffer:
                self._violation(session, f"{verb} is not the last command of its group (RFC 2920 section 3.1)")
            elif session.buffer and verb != "BDAT" and "PIPELINING" not in self._offered(session):
                self._violation(session, f"pipelined after {verb} without PIPELINING offered")
            await getattr(self, f"_on_{verb.lower()}", self._on_unknown)(session, rest)

    async def _on_unknown(self, session: _Session, rest: str) -> None:
        self._violation(session, f"an unknown command with {rest!r}")
        await self._say(session, "500 5.5.1 unknown command")

    def _offered(self, session: _Session) -> set[str]:
        """The extensions that this session was told of."""
        return self.extensions - ({"STARTTLS"} if session.tls else set()) if session.extended else set()

    async def _on_ehlo(self, session: _Session, rest: str) -> None:
        session.reset()
        session.helo, session.extended = rest, True
        words = [f"SIZE {self.max_size}" if word == "SIZE" else word for word in EXTENSIONS if word in self._offered(session)]
        lines = [f"{self.hostname} greets {rest or 'nobody'}", *words]
        usual = "\n".join(f"250{'-' if line is not lines[-1] else ' '}{line}" for line in lines)
        session.extended = await self._answer(session, "ehlo", rest, usual) == 250

    async def _on_helo(self, session: _Session, rest: str) -> None:
        session.reset()
        session.helo, session.extended = rest, False
        await self._answer(session, "helo", rest, f"250 {self.hostname}")

    async def _on_starttls(self, session: _Session, rest: str) -> None:
        if "STARTTLS" not in self._offered(session):
            self._violation(session, "STARTTLS without being offered")
            await self._say(session, "503 5.5.1 not offered")
            return
        if await self._answer(session, "starttls", rest, "220 2.0.0 go ahead") != 220:
            return
        if self.tls_fault:
            session.writer.write(b"this is not TLS\r\n" * 20 if self.tls_fault == "garbage" else b"")
            await asyncio.sleep(self.idle_s if self.tls_fault == "silent" else 0)
            raise _Gone
        session.buffer.clear()  # what was sent in clear after STARTTLS must not be obeyed (RFC 3207 section 4.2)
        await session.writer.start_tls(server_context(self.identities), ssl_handshake_timeout=self.idle_s)
        session.tls = session.writer.get_extra_info("ssl_object").version()
        session.helo, session.extended = "", False
        session.reset()

    async def _on_mail(self, session: _Session, rest: str) -> None:
        found = re.fullmatch(r"FROM:<([^>]*)>((?: [^ ]+)*)", rest, re.IGNORECASE)
        if not found:
            self._violation(session, f"MAIL {rest!r} is not RFC 5321 syntax")
            await self._say(session, "501 5.5.4 syntax")
            return
        if not session.helo or session.reverse_path is not None:
            self._violation(session, "MAIL without EHLO, or inside a transaction")
            await self._say(session, "503 5.5.1 not now")
            return
        parameters = tuple(found[2].split())
        unknown = [word for word in parameters if not self._knows(session, word)]
        if unknown:
            self._violation(session, f"MAIL with {unknown}, which was not offered")
            await self._say(session, "555 5.5.4 unknown parameter")
            return
        if self.mails_per_connection is not None and session.mails >= self.mails_per_connection:
            await self._say(session, "421 4.7.0 enough for one connection")
        declared = next((int(word[5:]) for word in parameters if word.upper().startswith("SIZE=") and word[5:].isdigit()), 0)
        usual = "250 2.1.0 ok" if declared <= self.max_size else "552 5.3.4 too big"
        session.reverse_path, session.parameters = found[1], parameters  # first, so that a script can see it
        if await self._answer(session, "mail", found[1], usual) != 250:
            session.reset()

    def _knows(self, session: _Session, word: str) -> bool:
        name, _, value = word.upper().partition("=")
        extension = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8"}.get(name)
        return extension in self._offered(session) and (name != "BODY" or value in ("7BIT", "8BITMIME"))

    async def _on_rcpt(self, session: _Session, rest: str) -> None:
        found = re.fullmatch(r"TO:<([^>]+)>((?: [^ ]+)*)", rest, re.IGNORECASE)
        if not found:
            self._violation(session, f"RCPT {rest!r} is not RFC 5321 syntax")
            await self._say(session, "501 5.5.4 syntax")
            return
        if session.reverse_path is None:  # usual when a pipelined MAIL was refused
            await self._say(session, "503 5.5.1 MAIL first")
            return
        usual = "250 2.1.5 ok"
        if self.greylist_s is not None:
            now = asyncio.get_running_loop().time()
            triple = (session.client, session.reverse_path, found[1])
            first_at = self._seen.get(triple)
            if first_at is None or now < first_at + self.greylist_s:
                self._seen.setdefault(triple, now)
                usual = "450 4.7.1 greylisted, try again later"
        if await self._answer(session, "rcpt", found[1], usual) == 250:
            session.recipients.append((found[1], tuple(found[2].split())))

    async def _on_data(self, session: _Session, rest: str) -> None:
        if not session.recipients or session.chunks is not None:  # usual when all pipelined RCPT were refused
            await self._say(session, "503 5.5.1 no valid recipients")
            return
        if await self._answer(session, "data", "", "354 go on") != 354:
            session.reset()
            return
        content = bytearray()
        async with asyncio.timeout(self.idle_s * 4):
            while True:
                line = await self._read_until_lf(session)
                if not content and line != b".\r\n":
                    await self._at_content(session)
                if line == b".\r\n":
                    break
                if len(content) <= self.max_size:
                    content += line[1:] if line.startswith(b".") else line
        await self._finish(session, bytes(content), chunked=False)

    async def _on_bdat(self, session: _Session, rest: str) -> None:
        found = re.fullmatch(r"(\d{1,12})( LAST)?", rest, re.IGNORECASE)
        if not found or "CHUNKING" not in self._offered(session):
            self._violation(session, f"BDAT {rest!r} is not RFC 3030 syntax, or was not offered")
            await self._say(session, "503 5.5.1 no BDAT")
            raise _Gone  # nobody knows what is content and what is a command from here on
        chunk = bytearray()
        async with asyncio.timeout(self.idle_s * 4):
            while len(chunk) < int(found[1]):
                if not session.buffer:
                    await self._fill(session)
                if not chunk and session.chunks is None and session.recipients:
                    await self._at_content(session)
                missing = int(found[1]) - len(chunk)
                piece = bytes(session.buffer[:missing])
                del session.buffer[: len(piece)]
                chunk += piece if len(chunk) <= self.max_size else bytes(len(piece))
        if not session.recipients:  # usual when all pipelined RCPT were refused
            await self._say(session, "503 5.5.1 no valid recipients")
            return
        session.chunks = (session.chunks or bytearray()) + chunk
        if found[2]:
            await self._finish(session, bytes(session.chunks), chunked=True)
        elif await self._answer(session, "data", "", f"250 2.0.0 {found[1]} octets") != 250:
            session.reset()

    async def _at_content(self, session: _Session) -> None:
        """The stage "content": only delays and ends, a reply would come out of turn."""
        act = self._act(session, "content", "")
        await asyncio.sleep(act.delay_s)
        if act.close or act.lost or act.silent:
            await asyncio.sleep(self.idle_s if act.silent else 0)
            raise _Gone(reset=act.lost)

    async def _finish(self, session: _Session, content: bytes, *, chunked: bool) -> None:
        for what in faults_of(content, session.parameters, (session.reverse_path or "", *session.accepted())):
            self._violation(session, what)
        usual = f"250 2.0.0 taken as {len(self.mails) + 1}" if len(content) <= self.max_size else "552 5.3.4 too big"
        if len(self.mails) >= MAX_MAILS or self._bytes + len(content) > MAX_CONTENT_BYTES:
            usual = "452 4.3.1 the test server is full"
        act = self._act(session, "body", "", content)
        kept = (act.reply or usual).startswith("2") and not ((act.close or act.silent) and act.reply is None)
        if kept:
            session.mails += 1
            self._bytes += len(content)
            self.mails.append(Mail(content, session.reverse_path or "", session.accepted(), session.number, session.mails, session.client, session.helo,
                                   session.tls, chunked, session.parameters, tuple(words for _, words in session.recipients)))  # fmt: skip
        session.reset()
        try:
            await self._do(session, act, usual)
        finally:
            if kept:  # after the reply, so that who waits for a mail finds it answered
                async with self._changed:
                    self._changed.notify_all()

    async def _on_rset(self, session: _Session, rest: str) -> None:
        session.reset()
        await self._answer(session, "rset", rest, "250 2.0.0 ok")

    async def _on_noop(self, session: _Session, rest: str) -> None:
        await self._answer(session, "noop", rest, "250 2.0.0 ok")

    async def _on_quit(self, session: _Session, rest: str) -> None:
        await self._answer(session, "quit", rest, f"221 2.0.0 {self.hostname} closing")
        raise _Gone

    def _act(self, session: _Session, stage: str, argument: str, content: bytes = b"") -> Act:
        return self._play.act(self.replies.get(stage), stage, argument, session.number, session.tls, session.reverse_path, session.accepted(), content,
                              session.client)  # fmt: skip

    async def _answer(self, session: _Session, stage: str, argument: str, usual: str) -> int:
        """Do what the script says, else answer as usual; the code that was answered."""
        return await self._do(session, self._act(session, stage, argument), usual)

    async def _do(self, session: _Session, act: Act, usual: str) -> int:
        await asyncio.sleep(act.delay_s)
        if act.silent:
            await asyncio.sleep(self.idle_s)
        if act.lost or act.silent or (act.close and act.reply is None):
            raise _Gone(reset=act.lost)
        code = await self._say(session, act.reply or usual)
        if act.close:
            raise _Gone
        return code

    async def _say(self, session: _Session, reply: str) -> int:
        """Send a reply and return its code; 421 ends the connection (RFC 5321 section 3.8)."""
        session.writer.write(reply.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n")
        await session.writer.drain()
        code = int(reply[:3]) if reply[:3].isdigit() else 0
        if code == 421:
            raise _Gone
        return code

    def _violation(self, session: _Session, what: str) -> None:
        if len(self.violations) < MAX_NOTES:
            self.violations.append(f"connection {session.number}: {what}")

    async def _fill(self, session: _Session) -> None:
        async with asyncio.timeout(self.idle_s):
            data = await session.reader.read(1 << 17)
        if not data:
            raise EOFError
        session.buffer += data

    async def _read_until_lf(self, session: _Session) -> bytes:
        """Up to and with CRLF: a bare LF does not end anything (RFC 5321 section 2.3.8)."""
        start = 0
        while (end := session.buffer.find(b"\r\n", start)) < 0:
            start = max(0, len(session.buffer) - 1)
            if len(session.buffer) > self.max_size + MAX_LINE:
                raise _Gone
            await self._fill(session)
        line, session.buffer[: end + 2] = bytes(session.buffer[: end + 2]), b""
        return line

    async def _read_line(self, session: _Session) -> str:
        line = (await self._read_until_lf(session))[:-2]
        if len(line) > MAX_LINE:
            self._violation(session, "a command of more than 4096 octets")
            await self._say(session, "421 5.5.6 line too long")
        if b"\n" in line or b"\r" in line:
            self._violation(session, f"a bare CR or LF in the command {line[:80]!r}")
        return line.decode("utf-8", "surrogateescape")
