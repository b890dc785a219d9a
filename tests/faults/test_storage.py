"""A disk that fails (T9): real EIO, ENOSPC, short writes and failed syncs under the real SQLite, put there by a library (storage_faults.c) between it and the
kernel. While it fails nothing is promised; a sync that failed is not believed later; when it works again mail goes on by itself; a kill -9 right after
loses nothing that was promised."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.ledger import IS_LONG, Load, settle_accounts
from tests.scenarios.conftest import World, small_world

__all__ = ["small_world"]  # a fixture
ROUNDS = 10 if IS_LONG else 1
KINDS = ["eio-write", "enospc", "short", "eio-sync"]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        assert "CI" not in os.environ, "CI must have a C compiler"
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("shim") / "storage_faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(Path(__file__).with_name("storage_faults.c")), "-ldl"], check=True)
    return library


@pytest.mark.timeout(900 if IS_LONG else 180)
async def test_a_disk_that_fails(small_world: World, shim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order, done = small_world.folder / "order", small_world.folder / "order.done"
    platform = small_world.platform(workers=2)
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    monkeypatch.setenv("FAULT_PATH", "estafette.db")
    monkeypatch.setenv("FAULT_ORDER", str(order))
    seen = []
    async with platform:
        load = Load(platform, clients=3)
        async with load.running():
            for number in range(ROUNDS):
                for kind in KINDS:
                    await _more(load)
                    order.write_text(kind)
                    failed = await _until_it_failed(done)
                    await asyncio.sleep(0.3)
                    before = len(load.accepted)
                    await asyncio.sleep(1)
                    promised = len(load.accepted) - before
                    if number % 2 or kind in ("short", "eio-sync"):  # whoever was killed now has only what the disk has
                        for pid in platform.worker_pids():
                            os.kill(pid, signal.SIGKILL)
                    order.write_text("")
                    seen.append((kind, failed, promised))
                    done.unlink(missing_ok=True)
            await _more(load)
        monkeypatch.delenv("LD_PRELOAD")
        made = await settle_accounts(platform, load.accepted, small_world.mx.mails)
    print(f"\n{seen}: {made}, clients saw {dict(load.refused)}", file=sys.stderr)
    assert all(promised == 0 for kind, _, promised in seen), seen
    assert set(load.refused) <= {0, 421, 451, 452}, "a client was told never"


async def _until_it_failed(done: Path) -> int:
    async with asyncio.timeout(20):
        while not done.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return done.stat().st_size


async def _more(load: Load) -> None:
    """Mail is accepted (again)."""
    before = len(load.accepted)
    async with asyncio.timeout(30):
        while len(load.accepted) < before + 20:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
