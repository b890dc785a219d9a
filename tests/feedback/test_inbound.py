"""The inbound listener over real sockets with a real store: what is taken, what it changes, and when 250 is said."""

import asyncio
import smtplib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import uvloop

from estafette.accept.limits import Budget
from estafette.app.retention import sweep
from estafette.audience import ContactChange, ListAction, Trace
from estafette.clock import SystemClock
from estafette.config import Retention
from estafette.feedback.inbound import Inbound
from estafette.feedback.recipients import directory
from estafette.mail.smtp.server import ServerOptions
from estafette.model import Mark, Record, Recorded, State
from estafette.store.seam import StoreFault
from tests.feedback.ground import DOMAIN, FOREIGN, KEYRING, Ground, arf, dsn, letter, make_ground, return_path, unsubscribe, unsubscribe_address

OPTIONS = ServerOptions("mail.relay.test", 26_214_400, offers_auth=False, requires_auth=False, has_postmaster=True, bare_newlines="fix")
OURS = directory(DOMAIN, "mail.relay.test", ["fbl@relay.test"])


@dataclass
class Listener:
    """A running listener."""

    inbound: Inbound
    port: int
    ground: Ground

    def send(self, raw: bytes, *recipients: str, reverse_path: str = "") -> tuple[int, bytes]:
        """One transaction; the reply to the final dot, or to the first refused command."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as smtp:
            smtp.ehlo("mx.dest.example")
            for answer in (smtp.mail(reverse_path), *(smtp.rcpt(r) for r in recipients)):
                if answer[0] != 250:
                    return answer
            return smtp.data(raw)

    async def sent(self, raw: bytes, *recipients: str, reverse_path: str = "") -> int:
        return (await asyncio.to_thread(self.send, raw, *recipients, reverse_path=reverse_path))[0]


async def listen(ground: Ground, **changes: object) -> tuple[Listener, Callable[[], object]]:
    inbound = Inbound(OPTIONS, SystemClock(), ground.store, KEYRING, OURS, Budget(64_000_000), ground.store.parsing, **changes)  # type: ignore[arg-type]
    server = await asyncio.get_running_loop().create_server(inbound.protocol, "127.0.0.1", 0)
    return Listener(inbound, server.sockets[0].getsockname()[1], ground), server.close


@pytest.fixture
async def listener(ground: Ground) -> AsyncIterator[Listener]:
    made, close = await listen(ground)
    yield made
    close()
    await made.inbound.close(5)
    assert made.inbound.budget.has_room(64_000_000)  # everything was given back
    assert not made.inbound.connections and not made.inbound.per_address


async def test_a_late_bounce_moves_the_message_and_blocks_the_address(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1, 2)
    assert await listener.sent(dsn(1), return_path(1)) == 250
    assert await ground.state(1) == (State.HARD_BOUNCED, 0)
    assert await ground.causes() == [("r1@dest.example", "hard_bounce")]
    (event,) = await ground.events(1)
    assert (event.kind.value, event.data["error"], event.data["blocks_address"], event.data["peer"]) == ("hard_bounced", "user unknown", 1, "127.0.0.1")
    assert "550 5.1.1 no such user" in event.reply
    assert await listener.sent(dsn(1), return_path(1)) == 250  # their server did not get our 250 and sends it again
    assert await ground.kinds(1) == ["hard_bounced", "note"] and len(await ground.causes()) == 1
    assert await ground.state(2) == (State.DELIVERED, 0)


async def test_a_forged_token_leaves_a_note_and_changes_nothing(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1)
    local = return_path(1).partition("@")[0]
    for wrong in (return_path(1, FOREIGN), f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{DOMAIN}", f"b-@{DOMAIN}"):
        assert await listener.sent(dsn(1), wrong) == 250
        assert await listener.sent(arf(), wrong) == 250
    assert await listener.sent(dsn(1), f"postmaster@{DOMAIN}") == 250
    assert await ground.state(1) == (State.DELIVERED, 0)
    assert await ground.events(1) == [] and await ground.causes() == []
    notes = await ground.strangers()
    assert [n.data["what"] for n in notes] == ["bounce", "complaint"] * 3 + ["bounce"]
    assert notes[0].data["for"] == "r1@dest.example" and str(notes[0].data["why"]).startswith("no valid token")


async def test_nobody_fills_the_disk_with_notes(ground: Ground) -> None:
    listener, close = await listen(ground, max_notes_per_minute=3)
    for _ in range(5):
        assert await listener.sent(letter(), f"abuse@{DOMAIN}", reverse_path="x@y.example") == 250
    assert len(await ground.strangers()) == 3
    close()


async def test_a_redacted_complaint_marks_spam_and_blocks(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1, 2)
    header = f"List-Unsubscribe: <https://links.relay.test/u/{unsubscribe(1)}>"
    for _ in range(2):
        assert await listener.sent(arf([header]), "fbl@relay.test", reverse_path="feedback@fbl.example") == 250
    assert await ground.state(1) == (State.DELIVERED, Mark.SPAM)
    assert await ground.causes() == [("r1@dest.example", "complaint")]
    assert await ground.kinds(1) == ["complained"]
    assert await listener.sent(arf([header], "not-spam"), "fbl@relay.test", reverse_path="feedback@fbl.example") == 250
    assert await ground.state(1) == (State.DELIVERED, Mark.SPAM)
    assert await listener.sent(arf([f"Return-Path: <{return_path(2)}>"]), f"abuse@{DOMAIN}") == 250
    assert await ground.state(2) == (State.DELIVERED, Mark.SPAM)


async def test_answering_machines_and_people_are_no_bounces(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1)
    assert await listener.sent(letter("Automatic reply", "away", "Auto-Submitted: auto-replied"), return_path(1)) == 250
    assert await listener.sent(letter(), return_path(1), reverse_path="jo@dest.example") == 250
    assert await listener.sent(dsn(1, "4.4.1", "delayed", "451 later"), return_path(1)) == 250
    assert [e.data["what"] for e in await ground.events(1)] == ["auto-reply", "reply", "delayed"]
    assert await ground.state(1) == (State.DELIVERED, 0) and await ground.causes() == []


async def test_mail_to_the_unsubscribe_address_unsubscribes_once(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1)
    for _ in range(2):
        assert await listener.sent(letter("unsubscribe"), unsubscribe_address(1), reverse_path="r1@dest.example") == 250
    assert await ground.state(1) == (State.DELIVERED, Mark.UNSUBSCRIBED)
    assert await ground.kinds(1) == ["unsubscribed"] and await ground.causes() == [("r1@dest.example", "unsubscribe")]
    assert await listener.sent(letter("unsubscribe"), unsubscribe_address(1, FOREIGN), reverse_path="x@y.example") == 250
    assert [n.data["why"] for n in await ground.strangers()] == ["no valid token (unsubscribe)"]


async def test_nothing_is_relayed(listener: Listener) -> None:
    wrong = ("someone@elsewhere.example", f"someone@{DOMAIN}", "a%b@mail.relay.test", "fbl@elsewhere.example")
    for recipient in wrong:
        code, text = await asyncio.to_thread(listener.send, letter(), recipient, reverse_path="x@y.example")
        assert (code, b"5.1.1" in text) == (550, True), recipient

    def dialogue() -> list[int]:
        with smtplib.SMTP("127.0.0.1", listener.port, timeout=10) as smtp:
            smtp.ehlo()
            assert not smtp.has_extn("auth")
            return [smtp.docmd(line)[0] for line in ("AUTH PLAIN AGEAYg==", "MAIL FROM:<>", f"RCPT TO:<@{DOMAIN}:x@elsewhere.example>", "RCPT TO:<postmaster>")]

    assert await asyncio.to_thread(dialogue) == [502, 250, 550, 250]


async def test_one_mail_for_several_addresses(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1, 2)
    assert await listener.sent(dsn(1), return_path(1), return_path(2), return_path(1)) == 250
    assert [await ground.kinds(n) for n in (1, 2)] == [["hard_bounced"], ["hard_bounced"]]


async def test_ten_megabytes_are_taken_and_more_than_allowed_is_not(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1)
    began = time.monotonic()
    assert await listener.sent(dsn(1, padding=10_000_000), return_path(1)) == 250
    assert time.monotonic() - began < 30
    assert (await ground.state(1))[0] is State.HARD_BOUNCED
    assert await listener.sent(dsn(1, padding=27_000_000), return_path(1)) == 552
    listener.inbound.budget = Budget(1_000_000)
    assert await listener.sent(dsn(1, padding=2_000_000), return_path(1)) == 452
    assert listener.inbound.budget.has_room(1_000_000)
    listener.inbound.budget = Budget(64_000_000)


async def test_hostile_octets_change_nothing_and_stay_in_their_fields(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1)
    evil = 'x\r\n {"level":"info"}\r\n\tX: y'
    raw = b"Subject: =?utf-8?q?a=0D=0ABcc=3A_x=40y?=\r\nFrom: " + evil.encode() + b"\r\n\r\n" + b"\x00\xff\r\n" + b"--" * 50_000
    for content in (raw, b"", b"\x00" * 1000, b":\r\n" * 5000, b"Content-Type: multipart/report; boundary=b\r\n\r\n" + b"--b\r\n" * 3000):
        assert await listener.sent(content, return_path(1), reverse_path="x@y.example") == 250
    assert await ground.state(1) == (State.DELIVERED, 0)
    events = await ground.events(1)
    assert {e.kind.value for e in events} == {"note"}
    assert all("\r" not in str(v) and "\n" not in str(v) for e in events for v in e.data.values())


class Failing:
    """A store that is full."""

    async def record_many(self, records: Sequence[Record]) -> list[Recorded]:
        raise StoreFault("no space", is_full=self.is_full)

    def __init__(self, is_full: bool) -> None:
        self.is_full = is_full


@pytest.mark.parametrize(("is_full", "code"), [(True, 452), (False, 451)])
async def test_no_250_before_the_commit(ground: Ground, listener: Listener, is_full: bool, code: int) -> None:
    await ground.deliver(1)
    listener.inbound.store = Failing(is_full)
    assert await listener.sent(dsn(1), return_path(1)) == code
    listener.inbound.store = ground.store
    assert await listener.sent(dsn(1), return_path(1)) == 250
    assert await ground.kinds(1) == ["hard_bounced"]


async def test_a_bounce_may_overtake_the_end_of_its_attempt(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1, settle=False)
    early = asyncio.Event()
    record_many = ground.store.record_many

    class Watched:
        async def record_many(self, records: Sequence[Record]) -> list[Recorded]:
            done = await record_many(records)
            if done[0].is_early:
                early.set()
            return done

    listener.inbound.store = Watched()
    sending = asyncio.create_task(listener.sent(dsn(1), return_path(1)))
    await early.wait()
    assert await ground.events(1) == []
    await ground.settle(1)
    assert await sending == 250
    assert (await ground.state(1))[0] is State.HARD_BOUNCED


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_starttls_and_what_was_said_before_it(tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """On the loop of the tests and on that of the workers: their handshakes differ."""

    async def run() -> None:
        ground = await make_ground(tmp_path)
        await _starttls(ground)
        await ground.store.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())


async def _starttls(ground: Ground) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.relay.test").configure_cert(context)
    listener, close = await listen(ground, tls=context)
    await ground.deliver(1)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def dialogue() -> tuple[int, int]:
        with smtplib.SMTP("127.0.0.1", listener.port, timeout=10) as smtp:
            smtp._host = "mail.relay.test"  # type: ignore[attr-defined]  # the name that the certificate is checked for
            smtp.starttls(context=trusting)
            smtp.ehlo("mx.dest.example")
            assert not smtp.has_extn("starttls")
            smtp.mail("")
            return smtp.rcpt(return_path(1))[0], smtp.data(dsn(1))[0]

    assert await asyncio.to_thread(dialogue) == (250, 250)
    assert (await ground.state(1))[0] is State.HARD_BOUNCED

    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    await reader.readline()
    writer.write(b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<evil@x.example>\r\nNOOP\r\n")
    lines = [await reader.readline()]
    while not lines[-1].startswith(b"220 2.0.0"):
        lines.append(await reader.readline())
    await writer.start_tls(trusting, server_hostname="mail.relay.test")
    writer.write(b"QUIT\r\n")
    assert (await reader.readline()).startswith(b"221")  # nothing of what came in clear is answered inside
    writer.close()
    close()
    await listener.inbound.close(5)


async def test_slow_idle_and_too_many(ground: Ground) -> None:
    listener, close = await listen(ground, timeout_s=0.2, max_connections_per_address=2)
    opened = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(3)]
    greetings = [await reader.readline() for reader, _ in opened]
    assert [g[:3] for g in greetings] == [b"220", b"220", b"421"]
    assert [(await asyncio.wait_for(reader.readline(), 30))[:3] for reader, _ in opened[:2]] == [b"421", b"421"]
    for _, writer in opened:
        writer.close()
    close()
    await listener.inbound.close(5)


async def test_closing_lets_a_mail_finish_and_tells_the_idle(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1)
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", listener.port)
    busy, busy_writer = await asyncio.open_connection("127.0.0.1", listener.port)
    for reader in (idle, busy):
        await reader.readline()
    busy_writer.write(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\n" % return_path(1).encode())
    while not (await busy.readline()).startswith(b"354"):
        pass
    closing = asyncio.create_task(listener.inbound.close(10))
    assert (await idle.readline()).startswith(b"421")
    busy_writer.write(dsn(1) + b"\r\n.\r\n")
    assert (await busy.readline()).startswith(b"250")
    assert (await busy.readline()).startswith(b"421")
    await closing
    assert await ground.kinds(1) == ["hard_bounced"]
    idle_writer.close()
    busy_writer.close()


async def test_mail_to_the_unsubscribe_address_leaves_the_list_and_works_when_the_message_is_gone(ground: Ground, listener: Listener) -> None:
    """Only the person whom the mail had gone to can do it then, by writing from that address; envelope or header says who writes."""
    jo = ContactChange("r1@dest.example", "r1@dest.example")
    made = await ground.store.contacts.create_list(ground.account.id, "News", "n", 1)
    assert made is not None
    for is_gone, header_from in ((False, "somebody@else.example"), (True, "R1@dest.example")):
        await ground.store.contacts.apply(ground.account.id, [jo], {made.id: ListAction.ADD_FORCE}, Trace("api"), 1)
        await ground.store.consents.come_back(ground.account.id, "r1@dest.example", [], Trace("api"), 1)
        to = unsubscribe_address(1, list_id=made.id)
        if is_gone:
            assert await ground.store.message(1) is None
            for author in ("evil@x.example", "r2@dest.example"):
                assert await listener.sent(letter("unsubscribe").replace(b"From: ", f"From: {author}\r\nX-From: ".encode()), to, reverse_path=author) == 250
            assert await ground.causes() == []
        else:
            await ground.deliver(1)
        mail = letter("unsubscribe").replace(b"From: ", f"From: Jo <{header_from}>\r\nX-From: ".encode(), 1)
        assert await listener.sent(mail, to, reverse_path="bounce+srs@forwarder.example") == 250
        assert await ground.causes() == [("r1@dest.example", "unsubscribe")]
        [place] = await ground.store.contacts.subscribers(ground.account.id, list_id=made.id)
        assert place.subscription.is_unsubscribed and place.subscription.source == "mail"
        ground.clock.advance(500 * 86_400)
        await sweep(ground.store, ground.clock, Retention())
