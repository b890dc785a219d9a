"""The road from the door to the receiving server, and the status that is told of every mail. Real command, real sockets, both databases."""

import asyncio
import smtplib

import dkim
import pytest

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, mail
from tests.world import Act
from tests.world.mx import MxServer


async def test_a_mail_arrives_signed_with_its_own_return_path(world: World) -> None:
    async with world.platform() as platform:
        await asyncio.to_thread(platform.send, ["a@dest.example", "b@other.example", "A@Dest.Example"])
        mails = await world.mx.wait_for(2)
        messages = await platform.settled(2)
        assert [m["state"] for m in messages] == ["delivered", "delivered"]
        platform.assert_nothing_is_missing()
        shown = platform.message(messages[0]["id"])
        record = next(r for r in platform.command("domain", "add", DOMAIN, "--account", "shop", "--verified", "--json")["records"] if "_domainkey" in r["name"])
    assert len(world.mx.mails) == 2
    assert sorted(m.recipients[0] for m in mails) == ["a@dest.example", "b@other.example"]
    assert len({m.reverse_path for m in mails}) == 2 and all(m.reverse_path.endswith("@bounces.relay.test") for m in mails)
    content = mails[0].content
    assert content.endswith(b"\r\n\r\nHello\r\n") and content.count(b"\r\nReceived: ") == 1 and b"\r\nMessage-ID: <" in content
    assert dkim.verify(content, dnsfunc=lambda name, timeout=5: record["value"].encode())
    assert [e["kind"] for e in shown["events"]] == ["accepted", "delivered"]
    assert shown["events"][1]["host"] == "mx.dest.example" and shown["events"][1]["reply"].startswith("250")


async def test_every_reply_leads_to_the_true_status_and_reason(world: World) -> None:
    world.mx.replies = {
        "rcpt": {
            "gone@dest.example": "550 5.1.1 no such user",
            "full@dest.example": ["452 4.2.2 mailbox full", None],
            "never@dest.example": "451 4.3.0 try again later",
        },
        "body": {"spam@dest.example": "554 5.7.1 message content rejected as spam"},
    }
    async with world.platform(sections={"delivery": 'give_up_after = "6s"'}) as platform:
        await asyncio.to_thread(platform.send, [f"{who}@dest.example" for who in ("fine", "gone", "full", "never", "spam")])
        await asyncio.to_thread(platform.send, ["x@null.example", "x@missing.example", "x@implicit.example", "x@localhost"])
        found = {m["to"]: m for m in await platform.settled(9)}
        blocks = platform.run("block", "list", "--json").stdout
        assert {to: (m["state"], m["error_related_to"], m["error"]) for to, m in found.items()} == {
            "fine@dest.example": ("delivered", "", ""),
            "gone@dest.example": ("hard_bounced", "recipient", "user unknown"),
            "full@dest.example": ("delivered", "", ""),
            "never@dest.example": ("soft_bounced", found["never@dest.example"]["error_related_to"], found["never@dest.example"]["error"]),
            "spam@dest.example": ("hard_bounced", "spam", "content blocked"),
            "x@null.example": ("hard_bounced", "domain", "no mail host"),
            "x@missing.example": ("hard_bounced", "domain", "invalid domain"),
            "x@implicit.example": ("delivered", "", ""),
            "x@localhost": ("blocked", "domain", "typofix"),
        }
        assert found["never@dest.example"]["error"] != ""
        assert '"gone@dest.example"' in blocks and "spam@dest.example" not in blocks
        # a blocked address is accepted at the door and becomes a blocked message with its reason
        await asyncio.to_thread(platform.send, "gone@dest.example")
        again = [m for m in await platform.settled(10) if m["to"] == "gone@dest.example"][-1]
        assert (again["state"], again["error_related_to"], again["error"]) == ("blocked", "mailjet", "preblocked")
        platform.assert_nothing_is_missing()
        deferred = platform.message(found["full@dest.example"]["id"])["events"]
        assert [e["kind"] for e in deferred] == ["accepted", "deferred", "delivered"]
    assert sum("gone" in line for _, line in world.mx.commands) == 1  # refused once, never tried again


async def test_a_dns_that_does_not_answer_is_temporary(small_world: World) -> None:
    async with small_world.platform(sections={"delivery": 'dns = ["127.0.0.1:9"]\ndns_timeout = "1s"'}) as platform:
        await asyncio.to_thread(platform.send, "a@dest.example")
        (message,) = await platform.reaches("deferred")
        assert message["error_related_to"] == "system" and message["error"] in ("system issue", "connection issue")
        platform.assert_nothing_is_missing()


async def test_a_dead_server_is_deferred_and_the_next_host_is_tried(small_world: World) -> None:
    w = small_world
    w.dns.zone[("dest.example", "MX")] = ["10 dead.dest.example", "20 mx.dest.example"]
    w.dns.zone[("dead.dest.example", "A")] = ["127.0.0.77"]
    w.dns.zone[("dead.example", "MX")] = ["10 dead.dest.example"]
    async with w.platform() as platform:
        await asyncio.to_thread(platform.send, ["a@dest.example", "b@dead.example"])
        await w.mx.wait_for(1)
        (dead,) = await platform.reaches("deferred")
        assert dead["to"] == "b@dead.example"
        assert [m["to"] for m in await platform.reaches("delivered")] == ["a@dest.example"]


async def test_starttls_is_used_and_a_broken_one_is_remembered(small_world: World) -> None:
    w = small_world
    async with MxServer(address="127.0.0.2", port=w.mx.port, tls_fault="garbage") as broken, w.platform() as platform:
        w.dns.zone[("broken.example", "MX")] = ["10 mx.broken.example"]
        w.dns.zone[("mx.broken.example", "A")] = ["127.0.0.2"]
        await asyncio.to_thread(platform.send, ["a@dest.example", "a@broken.example"])
        await platform.settled(2)
        await asyncio.to_thread(platform.send, ["b@broken.example"])
        await platform.settled(3)
        assert [m.tls for m in w.mx.mails] == ["TLSv1.3"]
        assert [m.tls for m in broken.mails] == [None, None]
        assert sum(line.upper().startswith("STARTTLS") for _, line in broken.commands) == 1


async def test_required_tls_never_falls_back(small_world: World) -> None:
    w = small_world
    w.mx.extensions.discard("STARTTLS")
    async with w.platform(sections={"delivery": 'tls = "require"'}) as platform:
        await asyncio.to_thread(platform.send, "a@dest.example")
        await platform.reaches("deferred")
    assert w.mx.mails == []


@pytest.mark.parametrize("act", [Act(close=True), Act("421 4.3.2 idle too long", close=True)], ids=["closed", "421"])
async def test_a_connection_that_the_peer_closed_while_idle_costs_no_attempt(small_world: World, act: Act) -> None:
    w = small_world
    w.mx.replies = {"mail": lambda moment: act if moment.connection == 1 and w.mx.mails else None}
    async with w.platform(sections={"delivery": 'idle_timeout = "5s"'}) as platform:
        await asyncio.to_thread(platform.send, "a@dest.example")
        await w.mx.wait_for(1)
        await asyncio.to_thread(platform.send, "b@dest.example")
        messages = await platform.settled(2)
        assert [e["kind"] for e in platform.message(messages[1]["id"])["events"]] == ["accepted", "delivered"]
    assert len(w.mx.mails) == 2


async def test_many_mails_arrive_once_each_over_few_connections(world: World) -> None:
    async with world.platform(workers=2, sections={"delivery": "connections = 4"}) as platform:

        def send(part: int) -> None:
            with platform.connect() as client:
                for i in range(50):
                    client.sendmail(f"news@{DOMAIN}", [f"u{part}-{i}@dest.example"], mail(f"mail {part}-{i}"))

        await asyncio.gather(*(asyncio.to_thread(send, part) for part in range(4)))
        await world.mx.wait_for(200)
        messages = await platform.settled(200)
        assert {m["state"] for m in messages} == {"delivered"}
        platform.assert_nothing_is_missing()
    assert len(world.mx.mails) == 200
    assert len({m.recipients[0] for m in world.mx.mails}) == 200
    assert world.mx.most_open <= 4


async def test_stopping_and_starting_loses_nothing(world: World) -> None:
    world.mx.replies = {"connect": "421 4.3.2 not now"}
    async with world.platform(workers=2) as platform:
        await asyncio.to_thread(platform.send, [f"u{i}@dest.example" for i in range(30)])
        assert await platform.stop() == 0
        platform.assert_nothing_is_missing()
        world.mx.replies = {}
        await platform.start()
        await world.mx.wait_for(30)
        assert {m["state"] for m in await platform.settled(30)} == {"delivered"}
    assert len(world.mx.mails) == 30


async def test_a_campaign_blocks_the_second_copy(world: World) -> None:
    async with world.platform() as platform:
        fields = "X-Mailjet-Campaign: spring sale\r\nX-Mailjet-DeduplicateCampaign: y\r\n"
        for _ in range(2):
            await asyncio.to_thread(platform.send, "a@dest.example", mail(fields=fields))
        messages = await platform.settled(2)
        assert [(m["state"], m["error_related_to"], m["error"]) for m in messages] == [("delivered", "", ""), ("blocked", "mailjet", "duplicate in campaign")]
    assert len(world.mx.mails) == 1 and b"X-Mailjet" not in world.mx.mails[0].content


async def test_an_idempotency_key_sends_once(world: World) -> None:
    async with world.platform() as platform:
        raw = mail(fields="X-Estafette-Idempotency-Key: order-17\r\n")
        for _ in range(2):
            await asyncio.to_thread(platform.send, "a@dest.example", raw)
        with pytest.raises(smtplib.SMTPDataError) as error:
            await asyncio.to_thread(platform.send, "b@dest.example", raw)
        assert error.value.smtp_code == 554
        await platform.settled(1)
    assert len(world.mx.mails) == 1


async def test_a_block_put_between_accept_and_attempt_stops_the_mail(world: World) -> None:
    world.mx.replies = {"rcpt": {"a@dest.example": ["450 4.2.1 later", None]}}
    async with world.platform(sections={"delivery": 'retry = ["8s"]'}) as platform:
        await asyncio.to_thread(platform.send, "a@dest.example")
        await platform.reaches("deferred")
        assert platform.run("block", "add", "a@dest.example", "--account", "shop").returncode == 0
        (message,) = await platform.settled(1)
        # it was attempted once, so it is not "never attempted" (blocked) but given up, with the block as the reason
        assert (message["state"], message["error_related_to"], message["error"]) == ("soft_bounced", "recipient", "blacklisted")
    assert world.mx.mails == []
