"""PostgreSQL behind PgBouncer in transaction mode: every transaction may meet another session of the server."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.store.test_conformance import new_message, new_submission

from estafette.clock import SECOND_US, SystemClock
from estafette.model import LANES, Outcome, OutcomeKind, Settlement
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import Audit, Want


@pytest.fixture
def pooled(fresh_postgres: str) -> Iterator[str]:
    """The URL of a PgBouncer with three sessions before the database. Its folder is its own: pytest keeps its folders closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="estafette-pgbouncer-"))
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    assert Path(program).exists(), "no PgBouncer is installed (apt-get install pgbouncer)"
    parts = urlsplit(fresh_postgres)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "users.txt").write_text(f'"{parts.username}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={parts.hostname} port={parts.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder}/users.txt\npool_mode = transaction\ndefault_pool_size = 3\nserver_reset_query_always = 1\n"
        "ignore_startup_parameters = extra_float_digits,idle_in_transaction_session_timeout\n"
    )
    as_user: list[str] = []
    if os.getuid() == 0:  # PgBouncer refuses to run as root
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        owner = pwd.getpwnam("postgres").pw_uid
        for path in (folder, folder / "users.txt", folder / "pgbouncer.ini"):
            os.chown(path, owner, -1)
    process = subprocess.Popen([*as_user, program, str(folder / "pgbouncer.ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 20
        while True:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None and time.monotonic() < ends, "PgBouncer does not listen"
            time.sleep(0.05)
        yield f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?statement_cache_size=0"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


async def test_the_road_in_transaction_mode(pooled: str) -> None:
    """Migrations, accept, claim, settle and the sweep, by more connections than PgBouncer has sessions."""
    clock = SystemClock()
    stores = [await open_store(pooled, StatusPolicy(), clock, connections=5) for _ in range(2)]
    try:
        now = clock.now_us()
        account = await stores[0].add_account("acme", now)
        messages = [new_submission(account, new_message(n), accepted_at=now, due_at=now, deadline_at=now + 3600 * SECOND_US) for n in range(1, 61)]
        await asyncio.gather(*(stores[n % 2].accept(one) for n, one in enumerate(messages)))
        workers = [await store.join(f"w{n}", now, now + 60 * SECOND_US) for n, store in enumerate(stores)]

        async def work(number: int) -> int:
            done, store = 0, stores[number]
            while claims := await store.claim(workers[number].id, [Want("mx.example.net", (10,) * LANES)], clock.now_us()):
                settled = [Settlement(claim, Outcome(OutcomeKind.DELIVERED, clock.now_us(), "250 ok", 250)) for claim in claims]
                done += sum(await asyncio.gather(*(store.settle(one) for one in settled)))
                await store.heartbeat(workers[number].id, clock.now_us() + 60 * SECOND_US)
            return done

        assert sum(await asyncio.gather(work(0), work(1))) == 60
        assert await stores[0].audit() == Audit(60, 60, 0)
        assert await stores[1].expire(clock.now_us(), 10) == 0
    finally:
        for store in stores:
            await store.close()
