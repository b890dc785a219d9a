"""A PostgreSQL that is locked, read-only, full, stopped or cut off: who sends is told to come again, and whatever was answered with 250 or 200 arrives."""

import asyncio
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.own_postgres import ALLOWED, Load, Server, pg_world, server
from tests.scenarios.platform import mail
from tests.scenarios.test_bad_http import call, client, message
from tests.scenarios.test_bad_input import arrives
from tests.scenarios.test_store_trouble import NO_ROOM, NOT_STORED, fill
from tests.scenarios.wire import Wire

__all__ = ["pg_world", "server"]  # fixtures


@pytest.mark.parametrize("table", ["submission", "message", "queue", "event"])
async def test_a_table_locked_for_some_seconds(pg_world: World, server: Server, table: str) -> None:
    """Nobody is told anything: the answers take as long as the lock does."""
    async with pg_world.platform() as platform, Wire(platform) as wire, client(platform) as http:
        await wire.open()
        assert (await wire.mail("before@dest.example", mail())).code == 250
        await platform.reaches("deferred")
        name = pg_world.database_url.rsplit("/", 1)[1]
        statements = f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked'; SELECT pg_sleep(4); COMMIT"
        locker = await asyncio.create_subprocess_exec("psql", "-qAt", server.cluster.dsn(name), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert locker.stdin is not None and locker.stdout is not None
        locker.stdin.write(f"{statements};\n\\q\n".encode())
        assert await locker.stdout.readline() == b"locked\n"
        told, answer = await asyncio.gather(wire.mail("smtp@dest.example", mail()), http.post("/v3.1/send", content=call(message("http@dest.example"))))
        await locker.communicate()
        assert told.code == 250 and answer.status_code == 200
        await arrives(pg_world, platform, ["before@dest.example", "http@dest.example", "smtp@dest.example"])


async def test_read_only(pg_world: World, server: Server) -> None:
    """default_transaction_read_only, as after a fail-over to a standby: 451, reading goes on, and all goes on by itself afterwards."""
    async with pg_world.platform() as platform, Wire(platform) as wire, client(platform) as http:
        await wire.open()
        assert (await wire.mail("before@dest.example", mail())).code == 250
        await platform.reaches("deferred")
        server.sql("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        try:
            async with asyncio.timeout(30):
                while (told := await wire.mail("early@dest.example", mail())).code == 250:  # until the running sessions have noticed
                    assert (await http.get("/healthz")).status_code == 200
            assert told == NOT_STORED
            assert await wire.mail("lost@dest.example", mail()) == NOT_STORED
            answer = await http.post("/v3.1/send", content=call(message()))
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
            early = len(platform.messages()) - 1  # reading goes on
            done = await asyncio.to_thread(platform.run, "account", "add", "x")
            assert (done.returncode, done.stdout) == (4, "") and "read-only transaction" in done.stderr
        finally:
            server.sql("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
        async with asyncio.timeout(30):
            while (told := await wire.mail("after@dest.example", mail())).code != 250:
                assert told == NOT_STORED
        messages = await platform.settled(early + 2)
        assert {m["state"] for m in messages} == {"delivered"}
        assert sorted(m.recipients[0] for m in pg_world.mx.mails) == ["after@dest.example", "before@dest.example", *["early@dest.example"] * early]
        platform.assert_nothing_is_missing()
        assert "cannot execute" in platform.log() and "read-only transaction" in platform.log()


async def test_full(pg_world: World, server: Server) -> None:
    """A tablespace of 24 MB: 452 while there is no room, and all goes on by itself when there is some again."""
    folder = server.cluster.directory / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=24m,uid={folder.parent.stat().st_uid},mode=700", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        server.sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        pg_world.database_url = server.database("small")
        async with pg_world.platform(sections={"delivery": 'retry = ["2s"]'}) as platform, Wire(platform) as wire, client(platform) as http:
            await wire.open()
            assert (await wire.mail("before@dest.example", mail())).code == 250
            await platform.reaches("deferred")
            filler = fill(folder)
            accepted, refusals = ["before@dest.example"], []
            for number in range(40):
                recipient = f"u{number}@dest.example"
                told = await wire.mail(recipient, mail(body=(os.urandom(30).hex().encode() + b"\r\n") * 1000))
                if told.code == 250:
                    accepted.append(recipient)
                else:
                    refusals.append(told)
            assert len(refusals) > 20 and set(refusals) == {NO_ROOM}
            answer = await http.post("/v3.1/send", content=call(message(TextPart=os.urandom(100_000).hex())))
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "60"
            filler.unlink()
            assert (await wire.mail("after@dest.example", mail())).code == 250
            await arrives(pg_world, platform, [*accepted, "after@dest.example"])
            assert "No space left on device" in platform.log()
        server.sql(f"DROP DATABASE {pg_world.database_url.rsplit('/', 1)[1]}", "DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_stopped_before_the_start(pg_world: World, server: Server) -> None:
    platform = pg_world.platform()
    server.stop()
    try:
        for command in (["serve"], ["message", "list"], ["doctor"]):
            done = await asyncio.to_thread(platform.run, *command)
            assert done.returncode == (1 if command == ["doctor"] else 4), done
            assert re.search(rf"PostgreSQL: .*(refused|{server.cluster.port})", done.stdout + done.stderr) and "Traceback" not in done.stderr, done
    finally:
        server.start()
    async with platform:
        await asyncio.to_thread(platform.send, "good@dest.example")
        await arrives(pg_world, platform, ["good@dest.example"])


async def test_a_login_while_the_database_is_gone(pg_world: World, server: Server) -> None:
    """RFC 4954 section 6: 454 4.7.0. A client that is told 535 would ask its user for another password."""
    async with pg_world.platform() as platform:
        server.stop()
        try:
            async with Wire(platform) as wire:
                await wire.greet()
                told = await wire.login()
        finally:
            server.start()
        async with Wire(platform) as wire:
            await wire.open()
            assert (await wire.mail("good@dest.example", mail())).code == 250
        await arrives(pg_world, platform, ["good@dest.example"])
        assert (told.code, told.enhanced) == (454, "4.7.0")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
async def test_stopped_and_started_while_mail_is_accepted(pg_world: World, server: Server, how: signal.Signals) -> None:
    """Three times. 451 meanwhile; every 250 arrives; nothing waits for ever in the hands of a worker that forgot it."""
    async with pg_world.platform(workers=2) as platform:
        load = Load(platform)
        clients = [asyncio.create_task(load.run(number)) for number in range(4)]
        for _ in range(3):
            await asyncio.sleep(1.5)
            await asyncio.to_thread(server.stop, how)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(server.start)
        await asyncio.sleep(2)
        load.is_over = True
        await asyncio.gather(*clients)
        total = platform.command("audit", "--json")["accepted"]
        messages = await platform.settled(total)
        platform.assert_nothing_is_missing()
    arrived = [m.recipients[0] for m in pg_world.mx.mails]
    print(f"\n{len(load.accepted)} answered 250, {total} accepted, {len(arrived)} arrived, {len(load.refused)} refused", file=sys.stderr)
    assert set(load.accepted) - set(arrived) == set()
    assert {m["state"] for m in messages} == {"delivered"}
    assert len(load.accepted) > 50 and load.refused
    assert (451, "4.3.0") in {(told.code, told.enhanced) for told in load.refused} <= ALLOWED
    assert len(arrived) - len(set(arrived)) <= 3 * 2 * 20 * 2  # per stop: two unsettled outcomes per open connection
