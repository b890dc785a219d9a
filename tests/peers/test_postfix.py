"""An own Postfix instance takes mail, hands it on, keeps it, and is gone afterwards."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from tests.peers import postfix
from tests.world.mx import MxServer


@pytest.fixture(autouse=True)
def _only_where_possible() -> None:
    postfix.skip_unless_possible()


def is_alive(pid: int) -> bool:
    """Running; what only waits for its parent to look at its end (a zombie) is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def mail(number: int) -> bytes:
    return b"From: a@x.test\r\nTo: b@y.test\r\nSubject: number %d\r\nMessage-ID: <%d@x.test>\r\n\r\n.hello %d\r\n" % (number, number, number)


def send(port: int, count: int, recipient: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, "client.test", timeout=10) as client:
        for number in range(count):
            assert client.sendmail("a@x.test", [recipient], mail(number)) == {}


async def test_a_relay_hands_twenty_mails_to_its_next_hop() -> None:
    async with MxServer(extensions=["PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES"]) as mx:
        with await asyncio.to_thread(postfix.start_relay, (mx.address, mx.port)) as relay:
            await asyncio.to_thread(send, relay.port, 20, "b@y.test")
            came = await mx.wait_for(20)
            running = [relay.master, *postfix.children(relay.master)]
            assert len(running) > 3
            await asyncio.to_thread(relay.stop)
    assert sorted(int(one.content.split(b"Subject: number ")[1].split(b"\r\n")[0]) for one in came) == list(range(20))
    assert all(one.content.endswith(b"\r\n\r\n.hello %d\r\n" % int(one.content.split(b"Message-ID: <")[1].split(b"@")[0])) for one in came)
    assert {(one.reverse_path, one.recipients, one.tls) for one in came} == {("a@x.test", ("b@y.test",), None)}
    assert mx.violations == []
    assert not relay.directory.exists()
    assert [pid for pid in running if is_alive(pid)] == []


def test_a_destination_keeps_the_mail_of_its_domain_and_no_other() -> None:
    with postfix.start_destination("dest.test") as destination:
        send(destination.port, 3, "anybody@dest.test")
        kept = destination.wait_for_kept(3)
        assert sorted(one.split(b"\n.hello ")[1] for one in kept) == [b"0\n", b"1\n", b"2\n"]
        assert all(b"Delivered-To: anybody@dest.test\n" in one for one in kept)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            send(destination.port, 1, "b@elsewhere.test")
        assert caught.value.recipients["b@elsewhere.test"][0] == 554


async def test_a_destination_can_forward() -> None:
    async with MxServer() as mx:
        with await asyncio.to_thread(postfix.start_destination, "dest.test", forward_to=(mx.address, mx.port)) as destination:
            await asyncio.to_thread(send, destination.port, 2, "b@dest.test")
            assert [one.recipients for one in await mx.wait_for(2)] == [("b@dest.test",)] * 2
            await asyncio.to_thread(destination.stop)


def test_two_instances_live_side_by_side_and_die_alone() -> None:
    with postfix.start_destination("one.test") as one, postfix.start_destination("two.test") as two:
        one.stop()
        assert postfix.children(two.master)
        send(two.port, 1, "b@two.test")
        two.wait_for_kept(1)


def test_a_configuration_that_cannot_work_is_told() -> None:
    with pytest.raises(RuntimeError, match="Postfix"):
        postfix.start({"inet_protocols": "carrier-pigeon"})
