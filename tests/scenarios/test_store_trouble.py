"""A SQLite database that is locked, read-only or full: who sends is told to come again, and whatever was answered with 250 or 200 arrives."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.scenarios import platform as platform_module
from tests.scenarios.conftest import ZONE, World
from tests.scenarios.platform import DOMAIN, mail
from tests.scenarios.test_bad_http import call, client, message
from tests.scenarios.test_bad_input import arrives
from tests.scenarios.wire import Told, Wire
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

NOT_STORED = Told(451, "4.3.0", "The mail could not be stored; try again later")
NO_ROOM = Told(452, "4.3.1", "Insufficient system storage; try again later")
LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


@contextlib.asynccontextmanager
async def locked(database: Path) -> AsyncIterator[None]:
    """Another process has the write lock."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", LOCKER, str(database), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        assert await process.stdout.readline() == b"locked\n"
        yield
    finally:
        process.stdin.close()  # its end, even when we are killed
        assert await process.wait() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no octet free."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    assert shutil.disk_usage(folder).free == 0
    return filler


async def test_locked_for_some_seconds(small_world: World) -> None:
    """Nobody is told anything: the answers take as long as the lock does."""
    async with small_world.platform(workers=2) as platform, Wire(platform) as wire, client(platform) as http:
        await wire.open()
        assert (await wire.mail("before@dest.example", mail())).code == 250
        async with locked(small_world.folder / "estafette.db"):
            asked = [
                asyncio.create_task(wire.mail("smtp@dest.example", mail())),
                asyncio.create_task(http.post("/v3.1/send", content=call(message("http@dest.example")))),
            ]
            done, _ = await asyncio.wait(asked, timeout=4)
            assert not done
        told, answer = await asyncio.gather(*asked)
        assert told.code == 250 and answer.status_code == 200
        await arrives(small_world, platform, ["before@dest.example", "http@dest.example", "smtp@dest.example"])


async def test_locked_for_longer_than_anybody_waits(small_world: World) -> None:
    """All who wait are told within the same time, however many there are; what was accepted before is sent and settled afterwards."""
    small_world.mx.replies = {"rcpt": {"before@dest.example": ["450 4.2.1 later", None]}}
    async with small_world.platform() as platform, contextlib.AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(Wire(platform)) for _ in range(8)]
        http = await stack.enter_async_context(client(platform))
        for wire in wires:
            await wire.open()
        assert (await wires[0].mail("before@dest.example", mail())).code == 250
        for number, wire in enumerate(wires):
            await wire.envelope(f"u{number}@dest.example")
        async with locked(small_world.folder / "estafette.db"), asyncio.timeout(45):
            answer, *told = await asyncio.gather(http.post("/v3.1/send", content=call(message()), timeout=60), *map(last_words, wires))
            assert told == [NOT_STORED] * len(wires)
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
            assert "nothing was accepted. Try again later" in answer.json()["ErrorMessage"]
        assert (await wires[0].mail("after@dest.example", mail())).code == 250  # in the same session
        await arrives(small_world, platform, ["after@dest.example", "before@dest.example"])
        assert "database is locked" in platform.log()


async def last_words(wire: Wire) -> Told:
    wire.writer.write(mail() + b".\r\n")
    return await wire.read(patience_s=60)


@pytest.fixture
def without_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run without root's right to write where it is not allowed."""
    if os.getuid() == 0:
        dropped = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *platform_module.ESTAFETTE]
        if subprocess.run([*dropped, "--version"], capture_output=True).returncode:
            pytest.skip("setpriv cannot drop privileges here")
        monkeypatch.setattr(platform_module, "ESTAFETTE", dropped)


@pytest.mark.parametrize("what", ["file", "folder", "lock"])
async def test_read_only(small_world: World, without_privileges: None, what: str) -> None:
    """Every command ends with code 4 and a sentence that names the file; with the rights given back the mail is still there."""
    world = World(small_world.dns, small_world.mx, small_world.folder, f"sqlite:///{small_world.folder}/db/estafette.db")
    world.mx.replies = {"rcpt": {"a@dest.example": ["450 4.2.1 later", None]}}
    folder = world.folder / "db"
    async with world.platform() as platform:
        await asyncio.to_thread(platform.send, "a@dest.example")
        await platform.reaches("deferred")
        assert await platform.stop() == 0
        locked_away = {"file": [folder / "estafette.db"], "folder": [folder], "lock": [folder / "estafette.db.lock"]}[what]
        for path in locked_away:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            for command in (["serve"], ["queue", "retry", "--all"], ["account", "add", "x"]):
                done = await asyncio.to_thread(platform.run, *command)
                assert not done.stderr.startswith("Traceback") and "\nTraceback" not in done.stderr, done.stderr[-2000:]
                assert (done.returncode, done.stdout) == (4, ""), done
                assert re.search(f"{folder}/\\S*: .*; the user that Estafette runs as must be able to write this file", done.stderr), done.stderr
        finally:
            folder.chmod(0o755)
            for path in folder.iterdir():
                path.chmod(0o600)
        await platform.start()
        await arrives(world, platform, ["a@dest.example"])


async def full_world(disk: Path, dns: DnsServer, mx: MxServer) -> World:
    return World(dns, mx, disk.parent, f"sqlite:///{disk}/estafette.db")


async def test_full(small_disk: Path) -> None:
    """452 while there is no room, and all goes on by itself when there is some again: nothing is lost and nothing is sent twice."""
    async with DnsServer(dict(ZONE)) as dns, MxServer(replies={"rcpt": {"before@dest.example": ["450 4.2.1 later", None]}}) as mx:
        world = await full_world(small_disk, dns, mx)
        sections = {"limits": 'min_free_disk = "0B"', "delivery": 'retry = ["2s"]'}
        async with world.platform(sections=sections) as platform, Wire(platform) as wire, client(platform) as http:
            await wire.open()
            assert (await wire.mail("before@dest.example", mail())).code == 250
            await platform.reaches("deferred")
            filler = fill(small_disk)
            accepted, refusals = ["before@dest.example"], []
            for number in range(40):  # the log of the database has some room of its own
                recipient = f"u{number}@dest.example"
                told = await wire.mail(recipient, mail(body=os.urandom(30_000).hex().encode() + b"\r\n"))
                if told.code == 250:
                    accepted.append(recipient)
                else:
                    refusals.append(told)
            assert len(refusals) > 20 and set(refusals) == {NO_ROOM}
            answer = await http.post("/v3.1/send", content=call(message(TextPart=os.urandom(100_000).hex())))
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "60"
            await asyncio.sleep(3)  # attempts go on meanwhile, and their outcomes wait
            filler.unlink()
            assert (await wire.mail("after@dest.example", mail())).code == 250
            world.mx.violations.clear()
            await arrives(world, platform, [*accepted, "after@dest.example"])
            assert "full" in platform.log()


async def test_too_little_room_on_the_disk(small_world: World) -> None:
    """limits.min_free_disk: 452 long before the disk is full, at MAIL, when nothing was sent over the wire yet."""
    async with small_world.platform(sections={"limits": 'min_free_disk = "10TB"'}) as platform, Wire(platform) as wire:
        await wire.open()
        assert await wire.say(f"MAIL FROM:<news@{DOMAIN}>\r\n".encode()) == NO_ROOM
        platform.assert_nothing_is_missing()
        assert platform.messages() == []


async def test_too_little_room_on_the_disk_over_http(small_world: World) -> None:
    async with small_world.platform(sections={"limits": 'min_free_disk = "10TB"'}) as platform, client(platform) as http:
        answer = await http.post("/v3.1/send", content=call(message()))
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "60"
        assert platform.messages() == []


async def test_no_room_for_temporary_files(small_world: World, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large mail is spooled; when that cannot be done it is 452, and small mail goes on."""
    monkeypatch.setenv("TMPDIR", str(small_disk))
    async with small_world.platform(sections={"limits": 'body_in_memory = "4kB"'}) as platform, Wire(platform) as wire:
        await wire.open()
        filler = fill(small_disk)
        assert (await wire.mail("small@dest.example", mail())).code == 250
        assert await wire.mail("lost@dest.example", mail(body=(b"x" * 70 + b"\r\n") * 10_000)) == NO_ROOM
        filler.unlink()
        assert (await wire.mail("large@dest.example", mail(body=(b"x" * 70 + b"\r\n") * 10_000))).code == 250
        await arrives(small_world, platform, ["large@dest.example", "small@dest.example"])


async def test_killed_while_the_database_is_locked(small_world: World) -> None:
    """The worst hour: locked, and all workers are killed; who waits for an answer gets none, what was answered arrives."""
    async with small_world.platform(workers=2) as platform, Wire(platform) as wire:
        await wire.open()
        assert (await wire.mail("before@dest.example", mail())).code == 250
        await small_world.mx.wait_for(1)
        await platform.settled(1)
        await wire.envelope("lost@dest.example")
        async with locked(small_world.folder / "estafette.db"):
            wire.writer.write(mail() + b".\r\n")
            await wire.writer.drain()
            for pid in platform.worker_pids():
                os.kill(pid, signal.SIGKILL)
            assert await wire.read() == Told(0, "", "closed")
        async with Wire(platform) as again:
            await again.open()
            assert (await again.mail("after@dest.example", mail())).code == 250
        await arrives(small_world, platform, ["after@dest.example", "before@dest.example"])
