"""The SMTP door over a real socket: what is promised, what is refused, and what a hostile client can make us hold."""

import asyncio
import errno
import ssl
import tempfile
from pathlib import Path

import pytest

from estafette.accept import smtp
from estafette.store.seam import StoreFault
from tests.accept.ground import MAIL, SECRET, Client, ground
from tests.world import authority, server_context


async def test_a_mail_is_durable_when_it_is_promised(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        client = await g.logged_in()
        answer = await client.mail(MAIL, "a@dest.example", "b@dest.example", "A@Dest.Example")
        assert answer.startswith("250 2.0.0 Ok: queued as ")
        messages = await g.real.messages()
        assert [m.recipient for m in messages] == ["a@dest.example", "b@dest.example"]
        assert f"{messages[0].submission_id:x}" == answer.rsplit(" ", 1)[1]
        assert g.sending.woken == 1 and g.sending.offered == []
        assert g.budget.has_room(10_000_000)


async def test_what_goes_straight_to_the_path_is_stored_as_ours(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        g.sending.is_ours = True
        assert (await (await g.logged_in()).mail()).startswith("250 ")
        (message,) = await g.real.messages()
        assert message.state.value == "sent" and [c.message_id for c in g.sending.offered] == [message.id] == await g.real.held_by(g.sending.offered[0].owner)


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (StoreFault("locked"), "451 4.3.0 "),
        (StoreFault("full", is_full=True), "452 4.3.1 "),
        (StoreFault("read-only", is_read_only=True), "451 4.3.0 "),
        (RuntimeError("a bug"), "451 4.3.0 "),
    ],
)
@pytest.mark.parametrize("verb", ["accept_many", "authors"])
async def test_a_store_that_fails_makes_no_promise(tmp_path: Path, fault: Exception, answer: str, verb: str) -> None:
    async with ground(tmp_path) as g:
        client = await g.logged_in()
        g.store.fail(verb, fault)
        assert (await client.mail()).startswith(answer)
        assert await g.real.messages() == [] and g.budget.has_room(10_000_000)
        assert (await client.mail()).startswith("250 ")


async def test_a_store_that_fails_at_the_login_is_a_temporary_failure(tmp_path: Path) -> None:
    """RFC 4954 section 6: 454 4.7.0; 535 would make the client throw its password away."""
    async with ground(tmp_path) as g:
        client = await g.client()
        await client.hello(login=False)
        g.store.fail("credential", StoreFault("gone"))
        assert (await client.log_in()).startswith("454 4.7.0 ")
        assert (await client.log_in()).startswith("235 ")


async def test_the_answer_comes_in_time_though_the_store_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "ANSWER_WITHIN_S", 0.3)
    async with ground(tmp_path) as g:
        client = await g.logged_in()
        is_open = asyncio.Event()

        async def hangs(write: object) -> object:
            await is_open.wait()
            return await write()  # type: ignore[operator]

        g.store.fail("accept_many", hangs)
        assert (await client.mail()).startswith("451 4.3.0 ")
        g.sending.is_ours = True
        assert (await client.mail()).startswith("250 ")
        is_open.set()


async def test_a_disk_without_room_for_a_large_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a small size a mail is kept in a temporary file: when that cannot be written the client is told so."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with ground(tmp_path, in_memory_bytes=1000) as g:
        client = await g.logged_in()
        monkeypatch.setattr(tempfile, "TemporaryFile", full)
        assert (await client.mail(MAIL + b"x" * 70 + b"\r\n" + b"y\r\n" * 5000)).startswith("452 4.3.1 ")
        assert g.budget.has_room(10_000_000)
        assert (await client.mail()).startswith("250 ")


async def test_large_mail_and_the_budget(tmp_path: Path) -> None:
    async with ground(tmp_path, budget=100_000, in_memory_bytes=1000) as g:
        client = await g.logged_in()
        large = MAIL + b"x" * 70 + b"\r\n" + b"y\r\n" * 20_000
        assert (await client.mail(large)).startswith("250 ")
        assert (await client.mail(large * 2)).startswith("452 4.3.1 ")
        assert (await client.say(f"MAIL FROM:<b@sender.example> SIZE={10**6}")).startswith("452 4.3.1 ")
        assert (await client.mail(large)).startswith("250 ")
        assert g.budget.has_room(100_000)


async def test_no_disk_no_mail(tmp_path: Path) -> None:
    async with ground(tmp_path, has_disk=lambda: False) as g:
        assert (await (await g.logged_in()).mail()).startswith("452 4.3.1 ")


async def test_who_has_said_all_gets_all_answers(tmp_path: Path) -> None:
    """A client that sends two mails in one go and closes its side: both are committed, and both are answered."""
    async with ground(tmp_path) as g:
        client = await g.logged_in()
        one = b"MAIL FROM:<b@sender.example>\r\nRCPT TO:<a@dest.example>\r\nBDAT %d LAST\r\n%s" % (len(MAIL), MAIL)
        client.writer.write(one * 3)
        client.writer.write_eof()
        answers = [await client.reply() for _ in range(10)]
        assert sum("queued as" in answer for answer in answers) == 3 and answers[-1] == ""
        assert len(await g.real.messages()) == 3


async def test_who_does_not_read_cannot_make_us_hold_its_answers(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        client = await g.client(limit=100)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        (connection,) = await until_connected(g.reception)
        client.writer.write(b"EHLO x\r\n" + b"NOOP\r\n" * 3_000_000)
        most = 0
        for _ in range(30):
            await asyncio.sleep(0.05)
            assert connection._transport is not None
            most = max(most, connection._transport.get_write_buffer_size())
        assert 0 < most < 3_000_000
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(30):  # and who reads again is served
            for _ in range(100_000):
                await client.reader.readline()
        client.writer.transport.abort()


async def until_connected(reception: smtp.Reception) -> list[smtp.SubmissionProtocol]:
    async with asyncio.timeout(30):
        while not reception.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return list(reception.connections)


async def test_who_is_silent_is_sent_away_even_if_it_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "CLOSE_S", 0.2)
    async with ground(tmp_path, timeout_s=0.4) as g:
        polite = await g.client()
        await polite.hello(login=False)
        assert (await polite.reply()).startswith("421 4.4.2 ")
        assert await polite.reply() == ""
        deaf = await g.client(limit=100)
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        deaf.writer.write(b"EHLO x\r\n" + b"NOOP\r\n" * 2_000_000)
        await until_connected(g.reception)
        async with asyncio.timeout(30):
            while g.reception.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert g.reception.per_address == {}
        deaf.writer.transport.abort()


async def test_wrong_logins(tmp_path: Path) -> None:
    async with ground(tmp_path, max_login_failures=2) as g:
        client = await g.client()
        await client.hello(login=False)
        assert (await client.mail()).startswith("530 5.7.0 ")
        assert (await client.log_in("wrong")).startswith("535 5.7.8 ")
        assert (await client.log_in("wrong")).startswith("535 5.7.8 ")
        assert (await client.reply()).startswith("421 4.7.0 ") and await client.reply() == ""


async def test_an_account_that_is_switched_off_sends_nothing_more_on_an_open_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("estafette.accept.credentials.CACHE_S", 0.0)
    async with ground(tmp_path) as g:
        client = await g.logged_in()
        assert (await client.mail()).startswith("250 ")
        await g.real.configure_account(g.account.id, is_active=False)
        assert (await client.mail()).startswith("550 5.7.1 ")
        await g.real.configure_account(g.account.id, is_active=True, rate_per_s=1)
        assert (await client.mail()).startswith("250 ")
        assert (await client.mail()).startswith("450 4.7.1 ")  # the new limit holds at once
        assert len(await g.real.messages()) == 2


async def test_foreign_authors_and_unreadable_mail(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        client = await g.logged_in()
        assert (await client.mail(MAIL.replace(b"sender.example", b"bank.example"))).startswith("550 5.7.1 ")
        assert (await client.mail(b"no header at all\r\n")).startswith("554 5.6.0 ")
        assert (await client.mail(b"Received: x\r\n" * 120 + MAIL)).startswith("554 5.4.6 ")
        assert (await client.mail()).startswith("250 ")


async def test_connections_are_counted(tmp_path: Path) -> None:
    async with ground(tmp_path, max_connections=3, max_connections_per_address=2) as g:
        first, second = await g.client(), await g.client()
        assert (await first.reply()).startswith("220 ") and (await second.reply()).startswith("220 ")
        third = await g.client()
        assert (await third.reply()).startswith("421 4.7.0 ") and await third.reply() == ""
        first.close()
        async with asyncio.timeout(30):
            while len(g.reception.connections) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await (await g.client()).reply()).startswith("220 ")


async def test_closing_lets_running_transactions_end(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        idle, busy, late = await g.logged_in(), await g.logged_in(), await g.logged_in()
        for line in ("MAIL FROM:<b@sender.example>", "RCPT TO:<a@dest.example>", "DATA"):
            await busy.say(line)
        for line in ("MAIL FROM:<b@sender.example>", "RCPT TO:<a@dest.example>"):
            await late.say(line)
        closing = asyncio.create_task(g.reception.close(1.0))
        assert (await idle.reply()).startswith("421 4.3.2 ") and await idle.reply() == ""
        busy.writer.write(MAIL + b".\r\n")
        assert (await busy.reply()).startswith("250 ")
        assert (await busy.reply()).startswith("421 4.3.2 ")
        new = await g.client()
        assert (await new.reply()).startswith("421 ")
        async with asyncio.timeout(30):
            await closing
        assert await late.reader.read() == b""  # it was cut
        assert len(await g.real.messages()) == 1


async def test_starttls_forgets_what_came_in_clear(tmp_path: Path) -> None:
    server = server_context(("localhost",))
    client_context = ssl.create_default_context()
    authority().configure_trust(client_context)
    async with ground(tmp_path, tls=server, options={"offers_starttls": True, "plain_auth": False}) as g:
        client = await g.client()
        await client.hello(login=False)
        assert (await client.log_in()).startswith("538 5.7.11 ")
        client.writer.write(b"STARTTLS\r\nMAIL FROM:<evil@sender.example>\r\n")
        assert (await client.reply()).startswith("220 ")
        await client.writer.start_tls(client_context, server_hostname="localhost")
        assert (await client.say("MAIL FROM:<b@sender.example>")).startswith("503 ")
        assert "STARTTLS" not in await client.say("EHLO client.test")
        assert (await client.log_in()).startswith("235 ")
        assert (await client.mail()).startswith("250 ")
        (event,) = [e for e in await g.real.timeline((await g.real.messages())[0].id)][:1]
        assert event.kind.value == "accepted"


async def test_a_handshake_that_fails_harms_nobody(tmp_path: Path) -> None:
    async with ground(tmp_path, tls=server_context(("localhost",)), options={"offers_starttls": True}) as g:
        client = await g.client()
        await client.hello(login=False)
        assert (await client.say("STARTTLS")).startswith("220 ")
        client.writer.write(b"this is not TLS\r\n" * 20)
        async with asyncio.timeout(30):
            while await client.reader.read(1000):
                pass
        assert g.reception.connections == set()
        assert (await (await g.logged_in()).mail()).startswith("250 ")


async def test_a_client_that_leaves_behind_its_final_dot_has_its_mail_or_not_but_nothing_in_between(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        client = await g.logged_in()
        for line in ("MAIL FROM:<b@sender.example>", "RCPT TO:<a@dest.example>", "DATA"):
            await client.say(line)
        client.writer.write(MAIL + b".\r\n")
        await client.writer.drain()
        client.writer.transport.abort()
        await asyncio.sleep(0.3)
        messages = await g.real.messages()
        assert len(messages) <= 1 and g.budget.has_room(10_000_000) and g.reception.connections == set()
        if messages:
            assert (await g.real.contents([messages[0].submission_id]))[messages[0].submission_id].raw.endswith(b"Body\r\n")


async def test_idempotency_over_smtp(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        client: Client = await g.logged_in()
        keyed = b"X-Estafette-Idempotency-Key: k1\r\n" + MAIL
        first, again = await client.mail(keyed), await client.mail(keyed)
        assert first == again and first.startswith("250 ")
        assert (await client.mail(keyed.replace(b"Body", b"Other"))).startswith("554 5.6.0 ")
        assert len(await g.real.messages()) == 1 and SECRET not in first
