"""One connection against real servers: every stage has its deadline, and what ends in the middle ends there."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from estafette.deliver import connection as connection_module
from estafette.deliver.connection import Connection, Fault, Link, Policy, open_connection
from estafette.mail.smtp.client import Transaction
from tests.world import Act, Replies
from tests.world.mx import MxServer

QUICK = Policy("relay.test", 1.0, 0.5, 0.5)
MAIL = Transaction("b@relay.test", ("a@dest.example",), b"Subject: x\r\n\r\nbody\r\n")


def link(port: int) -> Link:
    return Link("mx.test", "127.0.0.1", port)


@contextlib.asynccontextmanager
async def opened(mx: MxServer, policy: Policy = QUICK) -> AsyncIterator[Connection]:
    connection = await open_connection(link(mx.port), policy)
    try:
        yield connection
    finally:
        connection.abort()


async def test_a_mail_over_tls_and_another_behind_it() -> None:
    async with MxServer() as mx, opened(mx) as connection:
        assert connection.tls.startswith("TLSv1.") and connection.source == "127.0.0.1"
        for _ in range(2):
            assert (await connection.send(MAIL)).reply.code == 250
            assert connection.is_usable
        connection.quit()
        assert len(mx.mails) == 2 and mx.mails[1].place == 2 and mx.violations == []


@pytest.mark.parametrize("stage", ["connect", "ehlo", "starttls"])
@pytest.mark.parametrize(
    ("act", "fault", "code"),
    [
        (Act("421 4.3.2 closing"), "refused", 421),
        (Act(silent=True), "timeout", 0),
        (Act(close=True), "closed", 0),
        (Act(lost=True), "closed", 0),
        (Act("hello"), "protocol", 0),
        (Act("250-endless\n" * 300), "protocol", 0),
        (Act("250 " + "x" * 5000), "protocol", 0),
    ],
)
async def test_before_the_first_mail(stage: str, act: Act, fault: str, code: int) -> None:
    async with MxServer(replies={stage: act}) as mx:
        async with asyncio.timeout(30):
            with pytest.raises(Fault) as raised:
                await open_connection(link(mx.port), QUICK)
        assert (raised.value.fault, raised.value.stage) == (fault, "tls" if stage == "starttls" else stage)
        assert (raised.value.reply.code if raised.value.reply else 0) == code


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",), ("PIPELINING", "CHUNKING")], ids=["plain", "pipelining", "chunking"])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "body"])
@pytest.mark.parametrize("act", [Act("421 4.3.2 closing"), Act(silent=True), Act(close=True), Act(lost=True), Act("hello"), Act("451 4.3.0 later")], ids=str)
async def test_inside_a_transaction(extensions: tuple[str, ...], stage: str, act: Act) -> None:
    """Always an end, soon, and never a mail that is called delivered and is not."""
    replies: Replies = {stage: act}
    async with MxServer(replies=replies, extensions=extensions) as mx, opened(mx) as connection:
        try:
            async with asyncio.timeout(30):
                result = await connection.send(MAIL)
        except Fault as fault:
            assert fault.fault in {"timeout", "closed", "protocol"} and not connection.is_usable  # noqa: PT017
        else:
            delivered = stage == "data" and "CHUNKING" in extensions  # there is no such stage then
            assert (result.reply.code == 250) is delivered
            assert result.reply.code in {250, 421, 451}
            if result.reply.code == 451:
                assert connection.is_usable
                mx.replies = {}
                assert (await connection.send(MAIL)).reply.code == 250


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(serve: Serve, receive_buffer: int = 0) -> AsyncIterator[int]:
    """A server that does what no SMTP server should."""
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(guarded, sock=sock, limit=1 << 16)
    yield sock.getsockname()[1]
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_reply_in_drops_does_not_hold_a_connection_for_ever() -> None:
    """Each octet counted as progress: with one every few minutes the message would be held for weeks."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(100):
            writer.write(b"220-welcome\r\n"[_ % 13 : _ % 13 + 1])
            await asyncio.sleep(0.1)

    async with raw_server(drip) as port, asyncio.timeout(30):
        with pytest.raises(Fault) as raised:
            await open_connection(link(port), QUICK)
    assert raised.value.fault == "timeout"


async def test_a_process_that_stood_still_reads_what_came_meanwhile_before_it_gives_up() -> None:
    """It was stopped for longer than its patience; the timer rang before the socket was read, and a mail that had been taken was sent again."""
    async with MxServer() as mx:
        connection = await open_connection(link(mx.port), QUICK)
        sending = asyncio.create_task(connection.send(MAIL))
        await asyncio.sleep(0)
        connection._look_at_watch()  # in time: nothing happens
        connection._progress_at -= 60
        connection._look_at_s -= 60
        connection._look_at_watch()  # as after a pause of a minute
        assert (await sending).reply.code == 250
        connection.quit()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Up to the 354."""
    writer.write(b"220 hello\r\n")
    for answer in (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
        await reader.readline()
        writer.write(answer)


BIG = Transaction("b@relay.test", ("a@dest.example",), b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 150_000)


async def test_a_slow_reader_that_reads_is_given_its_time() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        left = len(BIG.content) + 3
        while left:
            left -= len(await reader.read(min(left, 1 << 18)))
            await asyncio.sleep(0.02)
        writer.write(b"250 ok\r\n")
        await reader.read()

    async with raw_server(slow, 1 << 16) as port:
        connection = await open_connection(link(port), QUICK)
        started_s = asyncio.get_running_loop().time()
        assert (await connection.send(BIG)).reply.code == 250
        assert asyncio.get_running_loop().time() - started_s > 2 * QUICK.data_s
        connection.abort()


async def test_a_reader_that_stops_reading_is_not() -> None:
    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await asyncio.sleep(30)

    async with raw_server(stuck, 1 << 16) as port, asyncio.timeout(30):
        connection = await open_connection(link(port), QUICK)
        with pytest.raises(Fault) as raised:
            await connection.send(BIG)
        assert (raised.value.fault, raised.value.stage) == ("timeout", "body")


async def test_the_longest_transaction_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "LONGEST_S", 1.0)

    async def crawl(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        while await reader.read(1 << 16):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    async with raw_server(crawl, 1 << 16) as port, asyncio.timeout(30):
        connection = await open_connection(link(port), QUICK)
        with pytest.raises(Fault) as raised:
            await connection.send(BIG)
        assert raised.value.fault == "timeout"


async def test_what_is_cut_is_not_sent_on_in_the_background() -> None:
    """At the end of the drain: the mail goes back into the queue, so the rest of its octets must not arrive behind our back."""
    has_begun, is_cut, heard = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop().create_future()

    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        got = await reader.read(1 << 12)
        has_begun.set()
        await is_cut.wait()
        with contextlib.suppress(ConnectionError):
            while more := await reader.read(1 << 16):
                got += more
        heard.set_result(got)

    async with raw_server(patient, 1 << 16) as port, asyncio.timeout(30):
        connection = await open_connection(link(port), Policy("relay.test"))
        sending = asyncio.create_task(connection.send(BIG))
        await has_begun.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        connection.quit()
        is_cut.set()
        got = await heard
        assert 0 < len(got) < len(BIG.content) and b"\r\n.\r\n" not in got


async def test_a_goodbye_that_nobody_hears_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "GOODBYE_S", 0.1)
    is_closed = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250 hello\r\n")
        await reader.read(100)  # QUIT
        await reader.read(100)  # the end of their side
        is_closed.set()

    async with raw_server(deaf) as port:
        connection = await open_connection(link(port), QUICK)
        connection.quit()
        async with asyncio.timeout(30):
            await is_closed.wait()


@pytest.mark.parametrize(("fault", "words"), [("garbage", "handshake"), ("close", "handshake")])
async def test_broken_tls_is_named_as_such(fault: str, words: str) -> None:
    async with MxServer(tls_fault=fault) as mx:
        with pytest.raises(Fault) as raised:
            await open_connection(link(mx.port), QUICK)
        assert raised.value.is_tls_broken and words in raised.value.text


async def test_required_tls() -> None:
    policy = Policy("relay.test", 1.0, 0.5, 0.5, "require")
    async with MxServer(extensions=("PIPELINING",)) as mx:
        with pytest.raises(Fault) as raised:
            await open_connection(link(mx.port), policy)
        assert raised.value.fault == "tls"
    async with MxServer(replies={"starttls": "454 4.7.0 not now"}) as mx:
        with pytest.raises(Fault) as raised:
            await open_connection(link(mx.port), policy)
        assert raised.value.fault == "tls" and raised.value.reply is not None and raised.value.reply.code == 454
        clear = await open_connection(link(mx.port), QUICK)
        assert clear.tls == "" and (await clear.send(MAIL)).reply.code == 250
        clear.abort()
