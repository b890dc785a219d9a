"""T3: a long queue at the start: how soon the first mail leaves, and how much memory that takes."""

import os
import re
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from tests.faults.ledger import IS_LONG
from tests.scenarios.conftest import World, small_world

__all__ = ["small_world"]  # a fixture
QUEUED = 1_000_000 if IS_LONG else 20_000
FILL = """
INSERT INTO submission (id, account_id, door, reverse_path, author, subject, options, smtputf8, size_bytes, accepted_at, deadline_at)
VALUES (:first, 1, 'smtp', 'b@sender.example', 'news@sender.example', 'Many', '{}', 0, 60, :now, :now + 86400000000);
INSERT INTO content (submission_id, codec, data) VALUES (:first, '', :content);
INSERT INTO event (account_id, message_id, at, kind, count) VALUES (1, :first, :now, 'accepted', :count);
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
INSERT INTO message (id, submission_id, account_id, recipient, address_key, state, created_at, updated_at)
SELECT :first + i, :first, 1, 'u' || i || '@dest.example', 'u' || i || '@dest.example', 'queued', :now, :now FROM n;
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
INSERT INTO queue (message_id, submission_id, account_id, recipient, domain, site, lane, accepted_at, due_at, deadline_at)
SELECT :first + i, :first, 1, 'u' || i || '@dest.example', 'dest.example', '', 3, :now, :now, :now + 86400000000 FROM n;
"""


def fill(database: Path) -> None:
    values = {"first": 1 << 40, "now": time.time_ns() // 1000, "count": QUEUED, "content": b"From: news@sender.example\r\nSubject: Many\r\n\r\nBody\r\n"}
    with sqlite3.connect(database) as connection:
        for statement in FILL.split(";\n")[:-1]:
            connection.execute(statement, {name: value for name, value in values.items() if f":{name}" in statement})


def memory_mb(pids: list[int]) -> float:
    found = [re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in pids if os.path.exists(f"/proc/{pid}/status")]
    return sum(int(m[1]) for m in found if m) / 1024


@pytest.mark.timeout(900)
async def test_the_first_mail_leaves_soon_whatever_waits(small_world: World) -> None:
    async with small_world.platform(workers=2) as platform:
        assert await platform.stop() == 0
        fill(small_world.folder / "estafette.db")
        started_s = time.monotonic()
        await platform.start()
        ready_s = time.monotonic() - started_s
        await small_world.mx.wait_for(1)
        first_s = time.monotonic() - started_s
        await small_world.mx.wait_for(200)
        took_mb = memory_mb(platform.worker_pids())
        platform.assert_nothing_is_missing()
        print(f"\n{QUEUED} queued: ready after {ready_s:.1f} s, first delivery after {first_s:.1f} s, two workers hold {took_mb:.0f} MB", file=sys.stderr)
        assert took_mb < 512
        assert first_s < 60  # on a machine that does ten other things; the figure is in docs/reliability.md
