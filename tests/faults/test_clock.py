"""T5: the wall clock of a running platform jumps by an hour, a day, and back to 1970: mail goes on, nothing expires early, nothing storms."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.scenarios.conftest import World, small_world

__all__ = ["small_world"]  # a fixture
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
JUMPS = {"an hour forward": 3600, "an hour back": -3600, "a day forward": 86_400, "a day back": -86_400, "back to 1970": -1_750_000_000, "and home": 0}


@pytest.mark.timeout(300)
async def test_a_clock_that_jumps_stops_nothing(small_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    if LIBRARY is None:
        assert not os.environ.get("CI"), "libfaketime is not installed, and .ci/run installs it"
        print("\n*** libfaketime is not installed: clock jumps are tested in simulated time only ***", file=sys.stderr)
        pytest.skip("libfaketime is not installed")
    offset = small_world.folder / "offset"
    offset.write_text("+0\n")
    small_world.mx.replies = {"rcpt": {"grey@dest.example": ["451 4.7.1 later"] * 1000}}
    for name, value in {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                        "DONT_FAKE_MONOTONIC": "1"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    sections = {"delivery": 'retry = ["5s"]\ngive_up_after = "72h"', "server": 'lease = "5s"'}
    async with small_world.platform(workers=2, sections=sections) as platform:
        await asyncio.to_thread(platform.send, "grey@dest.example")
        await platform.reaches("deferred")
        for number, (name, seconds) in enumerate(JUMPS.items()):
            before = len(small_world.mx.mails)
            offset.write_text(f"{seconds:+d}\n")
            await asyncio.sleep(1.0)
            await asyncio.to_thread(platform.send, f"u{number}@dest.example")
            async with asyncio.timeout(60):
                await small_world.mx.wait_for(before + 1)
            states = {m["to"]: m["state"] for m in platform.messages()}
            assert states["grey@dest.example"] in ("deferred", "sent"), (name, states)
        grey = next(m for m in platform.messages() if m["to"] == "grey@dest.example")
        attempts = sum(e["kind"] == "deferred" for e in platform.message(grey["id"])["events"])
        print(f"\n{len(JUMPS)} jumps: every mail went, the deferred one was tried {attempts} times", file=sys.stderr)
        assert attempts < 20
        assert sorted(m.recipients[0] for m in small_world.mx.mails) == sorted(f"u{n}@dest.example" for n in range(len(JUMPS)))
        small_world.mx.replies = {}
        await asyncio.to_thread(platform.run, "queue", "retry", "--all")
        await platform.settled(len(JUMPS) + 1)
        platform.assert_nothing_is_missing()
