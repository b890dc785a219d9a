"""T12: a copy made under load and put back later never sends again what was sent after it was made."""

import asyncio
import sys
from collections import Counter

import pytest

from tests.faults.ledger import IS_LONG, Load, subject_of
from tests.scenarios.conftest import World, small_world

__all__ = ["small_world"]  # a fixture


@pytest.mark.timeout(240)
async def test_what_was_sent_after_the_copy_is_not_sent_again(small_world: World) -> None:
    copy = small_world.folder / "copies" / "estafette.db"
    copy.parent.mkdir()
    small_world.mx.replies = {"rcpt": {"later@dest.example": ["450 4.2.1 later"] * 3 + [None]}}
    async with small_world.platform(workers=2, sections={"delivery": 'retry = ["1s", "2s", "3s"]'}) as platform:
        await asyncio.to_thread(platform.send, "later@dest.example")
        await platform.reaches("deferred")
        load = Load(platform, clients=2)
        async with load.running():
            await asyncio.sleep(5 if IS_LONG else 1)
            assert platform.command("backup", str(copy), "--json")["size"] > 10_000
            await asyncio.sleep(5 if IS_LONG else 1)
            done = await asyncio.to_thread(platform.run, "restore", str(copy))
            assert (done.returncode, "estafette serve is running" in done.stderr) == (1, True), done
        await platform.settled(platform.command("audit", "--json")["accepted"])
        assert await platform.stop() == 0
        before = Counter(m.recipients[0] for m in small_world.mx.mails)
        assert before["later@dest.example"] == 1 and max(before.values()) == 1

        restored = platform.command("restore", str(copy), "--json")
        assert restored["held"] >= 1
        held = [m["to"] for m in platform.messages() if m["state"] == "deferred"]
        assert len(held) == restored["held"] and "later@dest.example" in held
        await platform.start()
        await asyncio.sleep(3)
        await asyncio.to_thread(platform.send, "after@dest.example")
        await small_world.mx.wait_for(sum(before.values()) + 1)
        now = Counter(m.recipients[0] for m in small_world.mx.mails)
        assert now - before == Counter(["after@dest.example"])  # new mail goes, nothing old does

        promised = {f"{name}@dest.example" for name in load.accepted}
        known = {m["to"] for m in platform.messages()}
        assert promised - known - set(before) == set()  # what the copy does not know was delivered before
        platform.command("queue", "drop", "--all", "--delivered", "--json")
        platform.assert_nothing_is_missing()
        assert set(platform.states()) == {"delivered"}
        print(f"\n{sum(before.values())} arrived before, {restored['held']} held after the restore, 0 sent again", file=sys.stderr)
    assert {subject_of(m.content) for m in small_world.mx.mails}


async def test_what_is_no_copy_is_not_put_back(small_world: World) -> None:
    platform = small_world.platform()
    platform.command("account", "add", "shop", "--json")
    for name, octets in (("text", b"no database"), ("empty", b"")):
        file = small_world.folder / name
        file.write_bytes(octets)
        done = await asyncio.to_thread(platform.run, "restore", str(file))
        assert done.returncode == 4 and "cannot put" in done.stderr, done
    assert platform.run("restore").returncode == 2 and platform.run("restore", "--in-place", str(file)).returncode == 2
    assert platform.run("backup", str(small_world.folder / "none" / "x")).returncode == 4
    assert "shop" in platform.run("account", "list").stdout
