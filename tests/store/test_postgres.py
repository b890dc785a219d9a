"""What only PostgreSQL has: the arguments of its URL, and others that hold locks."""

import subprocess

import pytest

from estafette.clock import SECOND_US, SystemClock
from estafette.status.blocking import StatusPolicy
from estafette.store import postgres
from estafette.store.opening import open_store


async def test_a_process_that_is_stopped_within_a_transaction_holds_no_lock_for_long(fresh_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was stopped (SIGSTOP, a machine that is gone) with the row of a worker locked: nobody could declare that worker dead for a minute."""
    monkeypatch.setattr(postgres, "SILENT_S", 1)
    clock = SystemClock()
    store = await open_store(fresh_postgres, StatusPolicy(), clock)
    other = await open_store(fresh_postgres, StatusPolicy(), clock)
    try:
        worker = await store.join("one", clock.now_us(), clock.now_us() + SECOND_US)
        async with store.driver._pool.acquire() as connection:  # type: ignore[attr-defined]
            silent = connection.transaction()
            await silent.start()
            await connection.execute("SELECT id FROM worker FOR KEY SHARE")
            started_s = clock.monotonic()
            await other.retire(worker.id, clock.now_us(), ())
            assert clock.monotonic() - started_s < postgres.COMMAND_TIMEOUT_S / 2
        assert await store.workers() == []
    finally:
        await store.close()
        await other.close()


async def test_the_url_for_pgbouncer(fresh_postgres: str) -> None:
    """It was sent to the server as a setting of the session, which no server knows."""
    store = await open_store(f"{fresh_postgres}?statement_cache_size=0&application_name=estafette", StatusPolicy(), SystemClock())
    try:
        assert await store.workers() == []
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'estafette' AND datname = current_database()"
        found = subprocess.run(["psql", "-Atc", query, fresh_postgres], check=True, capture_output=True, text=True)
        assert int(found.stdout) >= 1
    finally:
        await store.close()
