"""Clients that behave badly in time: too many, too slow, gone in the middle; and a DNS that does not answer. Others are served meanwhile."""

import asyncio

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, mail
from tests.scenarios.test_bad_input import arrives
from tests.scenarios.wire import Told, Wire
from tests.world.dns import How

TRANSACTION = f"MAIL FROM:<news@{DOMAIN}>\r\nRCPT TO:<%s@dest.example>\r\nDATA\r\n"


async def test_too_many_connections(small_world: World) -> None:
    limits = "max_connections = 5\nmax_connections_per_address = 3"
    async with small_world.platform(sections={"submission": limits}) as platform:
        refusal = Told(421, "4.7.0", "Too many connections; try again later")
        async with Wire(platform) as one, Wire(platform) as two, Wire(platform) as three:
            for wire in (one, two, three):
                await wire.open()
            async with Wire(platform) as fourth:
                assert await fourth.read_all() == [refusal]
            async with Wire(platform, source="127.0.0.2") as other, Wire(platform, source="127.0.0.3") as another:
                await other.open()  # another address has places of its own
                await another.open()
                async with Wire(platform, source="127.0.0.4") as late:  # until the whole process has too many
                    assert await late.read_all() == [refusal]
                assert (await other.mail("other@dest.example", mail())).code == 250
            assert (await one.mail("one@dest.example", mail())).code == 250  # whoever is in stays in
            assert (await three.say(b"QUIT\r\n")).code == 221
        async with Wire(platform) as again:  # and places are free again
            await again.open()
            assert (await again.mail("again@dest.example", mail())).code == 250
        await arrives(small_world, platform, ["again@dest.example", "one@dest.example", "other@dest.example"])
        assert platform.log().count("too many connections") == 2


@pytest.mark.parametrize("abruptly", [False, True], ids=["FIN", "RST"])
async def test_a_client_that_vanishes_anywhere(small_world: World, abruptly: bool) -> None:
    """At every point of a transaction; what was not ended by its dot was not accepted, what was answered arrives."""
    async with small_world.platform() as platform:
        whole = (TRANSACTION % "lost").encode() + mail(body=b"x" * 70 + b"\r\n") + b".\r\n"
        for cut in (*range(0, len(whole) - 1, 12), len(whole) - 1):
            async with Wire(platform) as wire:
                await wire.open()
                wire.writer.write(whole[:cut])
                await wire.writer.drain()
                if abruptly:
                    wire.vanish()
        async with Wire(platform) as wire:
            await wire.open()
            assert (await wire.mail("good@dest.example", mail())).code == 250
            wire.vanish()
        await arrives(small_world, platform, ["good@dest.example"])
        assert "Traceback" not in platform.log()


async def test_the_memory_of_those_who_vanished_is_given_back(small_world: World) -> None:
    """Ten clients that leave in the middle of a megabyte each, where there is room for one or two: the next one has room again."""
    async with small_world.platform(sections={"limits": 'bodies = "4MB"', "submission": 'max_size = "1500kB"'}) as platform:
        half = mail(body=b"x" * 70 + b"\r\n") + (b"y" * 70 + b"\r\n") * 15_000
        for number in range(10):
            async with Wire(platform) as wire:
                await wire.open()
                await wire.envelope(f"lost{number}@dest.example")
                wire.writer.write(half)
                await wire.writer.drain()
                wire.vanish()
        async with Wire(platform) as one, Wire(platform) as two:
            await one.open()
            await two.open()
            await one.envelope("one@dest.example")
            one.writer.write(half)  # holds half of what there is
            await one.writer.drain()
            while (told := await two.say(f"MAIL FROM:<news@{DOMAIN}> SIZE=1400000\r\n".encode())).code == 250:
                assert (await two.say(b"RSET\r\n")).code == 250
            assert told == Told(452, "4.3.1", "Insufficient system storage; try again later")
            assert (await one.say(b".\r\n")).code == 250
            assert (await two.mail("two@dest.example", half)).code == 250
        await arrives(small_world, platform, ["one@dest.example", "two@dest.example"])


async def test_a_dialogue_sent_at_once_and_half_closed(small_world: World) -> None:
    """As `nc` does with a script: the answers come although the client says nothing more."""
    async with small_world.platform() as platform, Wire(platform) as wire:
        await wire.open()
        wire.writer.write((TRANSACTION % "good").encode() + mail() + b".\r\nQUIT\r\n")
        wire.writer.write_eof()
        assert [told.code for told in await wire.read_all()] == [250, 250, 354, 250, 221]
        await arrives(small_world, platform, ["good@dest.example"])


async def test_two_mails_sent_at_once_and_half_closed(small_world: World) -> None:
    async with small_world.platform() as platform, Wire(platform) as wire:
        await wire.open()
        for who in ("one", "two"):
            wire.writer.write((TRANSACTION % who).encode() + mail() + b".\r\n")
        wire.writer.write(b"QUIT\r\n")
        wire.writer.write_eof()
        assert [told.code for told in await wire.read_all()] == [250, 250, 354, 250] * 2 + [221]
        await arrives(small_world, platform, ["one@dest.example", "two@dest.example"])


async def test_silent_clients_are_told_and_stop_nobody(small_world: World) -> None:
    """Silent before EHLO, between commands and inside DATA."""
    async with small_world.platform(sections={"submission": 'timeout = "1s"'}) as platform:
        async with Wire(platform) as early, Wire(platform) as idle, Wire(platform) as inside:
            await idle.open()
            await inside.open()
            await inside.envelope("lost@dest.example")
            inside.writer.write(mail())
            async with Wire(platform) as good:
                await good.open()
                assert (await good.mail("good@dest.example", mail())).code == 250
            timeout = Told(421, "4.4.2", "Timeout; closing")
            assert (await early.read_all())[1:] == [timeout]
            assert await idle.read_all() == [timeout]
            assert await inside.read_all() == [timeout]
        await arrives(small_world, platform, ["good@dest.example"])


@pytest.mark.parametrize("where", ["a command", "content"])
async def test_clients_that_drip(small_world: World, where: str) -> None:
    """One octet at a time, always before the timeout: they may not hold a place for ever."""
    async with small_world.platform(sections={"submission": 'timeout = "1s"'}) as platform, Wire(platform) as slow:
        await slow.open()
        if where == "content":
            await slow.envelope("lost@dest.example")
        dripping = asyncio.create_task(drip(slow))
        async with Wire(platform) as good:
            await good.open()
            assert (await good.mail("good@dest.example", mail())).code == 250
        try:
            told = await slow.read(patience_s=6)
        finally:
            dripping.cancel()
            await arrives(small_world, platform, ["good@dest.example"])
        assert (told.code, told.enhanced) == (421, "4.4.2")


async def drip(wire: Wire) -> None:
    while True:
        wire.writer.write(b"x")
        await asyncio.sleep(0.3)


async def test_a_dns_that_stops_answering(small_world: World) -> None:
    """Silence, garbage and SERVFAIL for some domains delay these alone; what was accepted meanwhile arrives when the DNS is back."""
    w = small_world
    trouble = {"silent.example": How.TIMEOUT, "garbage.example": How.GARBAGE, "servfail.example": How.SERVFAIL, "forged.example": How.WRONG_ID}
    w.dns.zone |= {(domain, "MX"): ["10 mx.dest.example"] for domain in trouble}
    w.dns.behaviours = dict(trouble)
    async with w.platform(sections={"delivery": 'dns_timeout = "1s"'}) as platform:
        await asyncio.to_thread(platform.send, ["good@dest.example", *(f"a@{domain}" for domain in trouble)])
        await w.mx.wait_for(1)  # at once: it does not wait for the others
        deferred = await platform.reaches("deferred", len(trouble))
        assert {m["to"] for m in deferred} == {f"a@{domain}" for domain in trouble}
        assert {(m["error_related_to"], m["error"]) for m in deferred} <= {("system", "system issue"), ("system", "connection issue"), ("domain", "")}
        platform.assert_nothing_is_missing()
        w.dns.behaviours.clear()
        await arrives(w, platform, ["good@dest.example", *(f"a@{domain}" for domain in trouble)])
