"""The scripted world does what it is told: checked with dnspython's own client and Python's smtplib, and with raw sockets where those are too polite."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Callable

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from tests.world import Act, Replies, authority
from tests.world.dns import Behaviour, DnsServer, How, Script
from tests.world.mx import MxServer

ZONE = {
    ("a.test", "MX"): ["20 mx2.a.test", "10 mx1.a.test"],
    ("mx1.a.test", "A"): ["127.0.0.2"],
    ("www.a.test", "CNAME"): ["mx1.a.test"],
    ("loop.test", "CNAME"): ["loop.test"],
    ("null.test", "MX"): ["0 ."],
    ("big.test", "TXT"): ['say "hello" \\ ' + "x" * 700],
    ("a.test", "TXT"): ["v=spf1 -all"],
}


async def ask(server: DnsServer, name: str, kind: str, *, tcp: bool = False, timeout_s: float = 2.0) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
    how = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await how(query, server.address, timeout=timeout_s, port=server.port)


def values(response: dns.message.Message) -> list[str]:
    return [record.to_text() for rrset in response.answer for record in rrset]


async def test_the_zone_is_answered() -> None:
    async with DnsServer(ZONE) as server:
        assert set(values(await ask(server, "a.test", "MX"))) == {"10 mx1.a.test.", "20 mx2.a.test."}  # in any order, as in life
        assert len(values(await ask(server, "A.Test", "MX"))) == 2
        assert values(await ask(server, "mx1.a.test", "A", tcp=True)) == ["127.0.0.2"]
        assert values(await ask(server, "www.a.test", "A")) == ["mx1.a.test.", "127.0.0.2"]
        assert values(await ask(server, "null.test", "MX")) == ["0 ."]
        nodata = await ask(server, "mx1.a.test", "AAAA")
        assert (nodata.rcode(), values(nodata)) == (dns.rcode.NOERROR, [])
        assert (await ask(server, "no.test", "MX")).rcode() == dns.rcode.NXDOMAIN
        assert (await ask(server, "loop.test", "A")).rcode() == dns.rcode.SERVFAIL
        assert server.asked("a.test", "MX") == 2
        assert server.over == {"udp": 7, "tcp": 1}


async def test_a_long_text_is_cut_over_udp_and_whole_over_tcp() -> None:
    async with DnsServer(ZONE) as server:
        query = dns.message.make_query("big.test", "TXT")  # no EDNS: 512 octets
        short = await dns.asyncquery.udp(query, server.address, timeout=2, port=server.port)
        assert short.flags & dns.flags.TC and not short.answer
        whole = await dns.asyncquery.tcp(query, server.address, timeout=2, port=server.port)
        (record,) = whole.answer[0]
        assert b"".join(record.strings).decode() == ZONE["big.test", "TXT"][0]


async def test_misbehaviour_is_per_name_and_in_turn() -> None:
    behaviours: dict[str, Script] = {"a.test": [How.SERVFAIL, Behaviour(How.TRUNCATED), How.ANSWER], "mx1.a.test": How.NXDOMAIN, "www.a.test": How.ALIAS_ONLY}
    async with DnsServer(ZONE, behaviours) as server:
        assert (await ask(server, "a.test", "MX")).rcode() == dns.rcode.SERVFAIL
        truncated = await ask(server, "a.test", "MX")
        assert truncated.flags & dns.flags.TC and not truncated.answer
        assert len(values(await ask(server, "a.test", "MX"))) == 2
        assert len(values(await ask(server, "a.test", "MX"))) == 2
        assert (await ask(server, "mx1.a.test", "A")).rcode() == dns.rcode.NXDOMAIN
        alias = await ask(server, "www.a.test", "A")
        assert values(alias) == ["mx1.a.test."] and not alias.flags & dns.flags.RA


async def test_truncated_is_whole_over_tcp() -> None:
    async with DnsServer(ZONE, {"a.test": How.TRUNCATED}) as server:
        assert len(values(await ask(server, "a.test", "MX", tcp=True))) == 2


@pytest.mark.parametrize("how", [How.TIMEOUT, How.WRONG_ID, How.GARBAGE])
async def test_no_answer_that_a_resolver_may_believe(how: How) -> None:
    async with DnsServer(ZONE, {"a.test": how}) as server:
        with pytest.raises(dns.exception.DNSException):
            await ask(server, "a.test", "MX", timeout_s=0.2)
        assert server.asked("a.test", "MX") == 1


async def test_a_delay_is_one_name_only() -> None:
    async with DnsServer(ZONE, {"a.test": Behaviour(delay_s=0.3)}) as server:
        clock = asyncio.get_running_loop().time
        began = clock()
        slow = asyncio.create_task(ask(server, "a.test", "MX"))
        await ask(server, "mx1.a.test", "A")
        assert clock() - began < 0.3
        assert values(await slow) and clock() - began >= 0.3


# the receiving MX


async def in_thread(mx: MxServer, talk: Callable[[smtplib.SMTP], object]) -> object:
    """Run a blocking smtplib conversation beside the server."""

    def run() -> object:
        with socket.create_connection((mx.address, mx.port), 5):  # the listener is there
            pass
        with smtplib.SMTP(mx.address, mx.port, "client.test", timeout=5) as client:
            return talk(client)

    return await asyncio.to_thread(run)


async def raw(mx: MxServer, octets: bytes) -> bytes:
    """Send octets at once and read to the end."""
    reader, writer = await asyncio.open_connection(mx.address, mx.port)
    writer.write(octets)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionResetError:  # what TCP makes of a close while octets were unread
        return b""
    finally:
        writer.close()


def code_of(talk: Callable[[], object]) -> int:
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        talk()
    return caught.value.smtp_code


CONTENT = b"Subject: hello\r\n\r\n.a dot\r\n..two\r\n.\r\n \r\nend\r\n"


async def test_mail_is_kept_to_the_octet() -> None:
    async with MxServer(address="127.0.0.3") as mx:
        assert await in_thread(mx, lambda client: client.sendmail("a@x.test", ["b@y.test", "c@y.test"], CONTENT)) == {}
        (mail,) = await mx.wait_for(1)
        assert (mail.content, mail.reverse_path, mail.recipients) == (CONTENT, "a@x.test", ("b@y.test", "c@y.test"))
        assert (mail.helo, mail.tls, mail.chunked, mail.place) == ("client.test", None, False, 1)
        assert mail.parameters == (f"size={len(CONTENT)}",)
        assert mx.violations == []
        assert [line.split(" ")[0].lower() for _, line in mx.commands] == ["ehlo", "mail", "rcpt", "rcpt", "data", "quit"]


async def test_starttls_with_the_certificate_of_the_world() -> None:
    async with MxServer(identities=["mx.a.test", "127.0.0.1"]) as mx:
        context = ssl.create_default_context()
        authority().configure_trust(context)

        def talk(client: smtplib.SMTP) -> None:
            client.starttls(context=context)  # verifies 127.0.0.1
            client.sendmail("a@x.test", ["b@y.test"], CONTENT)
            assert not client.has_extn("starttls")

        await in_thread(mx, talk)
        (mail,) = await mx.wait_for(1)
        assert mail.tls == "TLSv1.3" and mail.content == CONTENT and mx.violations == []


@pytest.mark.parametrize("fault", ["garbage", "close", "silent"])
async def test_a_handshake_that_breaks(fault: str) -> None:
    async with MxServer(tls_fault=fault, idle_s=0.3) as mx:

        def talk(client: smtplib.SMTP) -> None:
            with pytest.raises((OSError, smtplib.SMTPServerDisconnected)):
                client.starttls(context=ssl._create_unverified_context())

        with pytest.raises((OSError, smtplib.SMTPServerDisconnected)):  # QUIT has nobody to talk to either
            await in_thread(mx, talk)
            raise OSError


async def test_extensions_can_be_switched_off() -> None:
    async with MxServer(extensions=["SIZE"], max_size=99) as mx:

        def talk(client: smtplib.SMTP) -> None:
            client.ehlo()
            assert client.esmtp_features == {"size": "99"}
            assert client.mail("a@x.test", ["SIZE=100"])[0] == 552
            assert client.mail("a@x.test", ["BODY=8BITMIME"])[0] == 555
            assert client.docmd("STARTTLS")[0] == 503
            assert client.mail("a@x.test")[0] == 250

        await in_thread(mx, talk)
        assert len(mx.violations) == 2


async def test_replies_by_recipient_in_turn_and_by_function() -> None:
    replies: Replies = {
        "rcpt": {"bob@y.test": "550 5.1.1 no such user", "eve@y.test": ["450-4.2.0 not\n450 4.2.0 now", None]},
        "mail": lambda moment: "451 4.7.1 once" if moment.number == 1 and moment.argument == "first@x.test" else None,
        "body": {"full@y.test": "552 5.2.2 full"},
    }
    async with MxServer(replies=replies) as mx:

        def talk(client: smtplib.SMTP) -> None:
            assert code_of(lambda: client.sendmail("first@x.test", ["a@y.test"], CONTENT)) == 451
            assert client.sendmail("first@x.test", ["a@y.test", "bob@y.test"], CONTENT) == {"bob@y.test": (550, b"5.1.1 no such user")}
            with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
                client.sendmail("x@x.test", ["eve@y.test"], CONTENT)
            assert caught.value.recipients == {"eve@y.test": (450, b"4.2.0 not\n4.2.0 now")}
            assert client.sendmail("x@x.test", ["eve@y.test"], CONTENT) == {}
            assert code_of(lambda: client.sendmail("x@x.test", ["a@y.test", "full@y.test"], CONTENT)) == 552

        await in_thread(mx, talk)
        assert [mail.recipients for mail in mx.mails] == [("a@y.test",), ("eve@y.test",)]
        assert [mail.place for mail in mx.mails_to("eve@y.test")] == [2]


async def test_greylisting_lets_the_second_try_in() -> None:
    async with MxServer(greylist_s=0.2) as mx:

        def talk(client: smtplib.SMTP) -> None:
            for _ in range(2):  # too early is not enough
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    client.sendmail("a@x.test", ["b@y.test"], CONTENT)

        await in_thread(mx, talk)
        await asyncio.sleep(0.2)  # the time that greylisting is about
        assert await in_thread(mx, lambda client: client.sendmail("a@x.test", ["b@y.test"], CONTENT)) == {}
        assert len(mx.mails) == 1


async def test_so_many_mails_per_connection_and_no_more() -> None:
    async with MxServer(mails_per_connection=2) as mx:

        def talk(client: smtplib.SMTP) -> None:
            for _ in range(2):
                client.sendmail("a@x.test", ["b@y.test"], CONTENT)
            assert code_of(lambda: client.sendmail("a@x.test", ["b@y.test"], CONTENT)) == 421

        await in_thread(mx, talk)
        assert len(mx.mails) == 2


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "content", "body"])
async def test_a_connection_can_end_at_every_stage(stage: str) -> None:
    async with MxServer(replies={stage: Act(close=True)}) as mx:
        said = await raw(mx, b"EHLO c.test\r\n" if stage == "ehlo" else b"HELO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\n")
        replies = {"connect": 0, "ehlo": 1, "mail": 2, "rcpt": 3, "data": 4, "content": 5, "body": 5}
        assert said.count(b"\r\n") == replies[stage]
        assert mx.mails == []


async def test_an_accepted_mail_whose_reply_is_lost() -> None:
    async with MxServer(replies={"body": Act("250 2.0.0 taken", lost=True)}) as mx:
        with pytest.raises((ConnectionError, smtplib.SMTPServerDisconnected)):
            await in_thread(mx, lambda client: client.sendmail("a@x.test", ["b@y.test"], CONTENT))
        assert len(await mx.wait_for(1)) == 1


async def test_slow_and_silent_answers() -> None:
    async with MxServer(replies={"mail": Act(delay_s=0.3), "rcpt": Act(silent=True)}, idle_s=0.5) as mx:

        def talk(client: smtplib.SMTP) -> None:
            client.ehlo()
            assert client.mail("a@x.test")[0] == 250
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.rcpt("b@y.test")
            client.close()

        began = asyncio.get_running_loop().time()
        with pytest.raises(smtplib.SMTPServerDisconnected):  # the QUIT of smtplib
            await in_thread(mx, talk)
            raise smtplib.SMTPServerDisconnected
        assert asyncio.get_running_loop().time() - began >= 0.8


async def test_a_refusing_greeting_is_followed_by_nothing_but_quit() -> None:
    async with MxServer(replies={"connect": "554 5.7.1 not you"}) as mx:
        said = await raw(mx, b"EHLO c.test\r\nQUIT\r\n")
        assert [line[:3] for line in said.split(b"\r\n")] == [b"554", b"503", b"221", b""]


async def test_chunking() -> None:
    async with MxServer() as mx:
        said = await raw(mx, b"EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nBDAT 5\r\n.a\r\n.BDAT 5 LAST\r\n\r\nx\r\nQUIT\r\n")
        assert said.count(b"\r\n250 ") == 5 and said.endswith(b"221 2.0.0 mx.test closing\r\n"), said
        (mail,) = mx.mails
        assert (mail.content, mail.chunked, mail.reverse_path) == (b".a\r\n.\r\nx\r\n", True, "")


async def test_what_the_rfcs_forbid_is_written_down() -> None:
    async with MxServer(extensions=["8BITMIME", "STARTTLS"]) as mx:
        await raw(mx, b"EHLO c.test\r\nMAIL FROM: <a@x.test>\r\nFOO\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n\xe9 bare\nLF\r\n" + b"x" * 999
                  + b"\r\n.\r\nQUIT\r\n")  # fmt: skip
        found = "\n".join(mx.violations)
        expected = ["EHLO is not the last", "is not RFC 5321 syntax", "unknown command", "DATA is not the last", "pipelined after RCPT", "bare CR or LF"]
        for words in [*expected, "998", "without BODY=8BITMIME"]:
            assert words in found, found
        assert mx.mails[0].content.startswith(b"\xe9 bare\nLF\r\n")  # kept nevertheless: a bare LF ends nothing


async def test_it_ends_with_sessions_open() -> None:
    async with MxServer() as mx, DnsServer() as server:
        talks = [await asyncio.open_connection(mx.address, mx.port), await asyncio.open_connection(server.address, server.port)]
        await talks[0][0].readline()
        assert mx.open == 1
    for reader, writer in talks:
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
