"""Hints between machines through PostgreSQL (store/wire.py)."""

import asyncio
import subprocess
from collections.abc import Callable

import pytest

from estafette.store import wire
from estafette.store.wire import Wire


class Ears:
    """Counts hints; `until` waits for one more."""

    def __init__(self) -> None:
        self.count = 0
        self._more = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._more.set()

    async def more(self) -> None:
        await asyncio.wait_for(self._more.wait(), 20)
        self._more.clear()


async def rung(ring: Callable[[], None], ears: Ears) -> None:
    """Ring until it is heard: the first may come before the other listens."""
    before = ears.count
    while ears.count == before:
        ring()
        await asyncio.sleep(0.05)


async def test_other_machines_hear_and_the_own_does_not(fresh_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "AGAIN_S", 0.2)
    ears = {name: Ears() for name in ("a1", "a2", "b")}
    wires = {name: Wire(fresh_postgres, name[0], ears[name]) for name in ears}
    tasks = [asyncio.create_task(one.run()) for one in wires.values()]
    try:
        await asyncio.gather(*(one.more() for one in ears.values()))  # each looks once when it begins to listen
        await rung(wires["a1"].ring, ears["b"])
        await rung(wires["b"].ring, ears["a2"])
        await asyncio.sleep(0.5)  # the same hint reaches the other worker of that machine too, soon
        heard = ears["a1"].count
        for _ in range(1000):
            wires["a2"].ring()
        await rung(wires["a2"].ring, ears["b"])
        assert ears["a1"].count == heard  # a machine has a shorter way to its own workers

        drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        subprocess.run(["psql", "-Atqc", drop, fresh_postgres], check=True, capture_output=True)
        before = [one.count for one in ears.values()]
        await rung(wires["b"].ring, ears["a1"])
        for one, was in zip(ears.values(), before, strict=True):  # each is connected again and looks
            while one.count == was:
                await one.more()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_which_databases_pass_hints_on() -> None:
    assert wire.can_listen("postgresql://estafette@db.test/estafette")
    assert not wire.can_listen("postgresql://estafette@pooler.test/estafette?statement_cache_size=0")
    assert not wire.can_listen("sqlite:///estafette.db")
