"""How long every page of the dashboard takes over a history of five million messages: p50 and p95 per page, against the limit of 150 ms, and the
processor time of a page, which a busy machine does not change.

    python -m bench.dashboard [--messages 5000000] [--rounds 20] [--keep FOLDER]

The database is SQLite in a temporary folder (about 3 GB for five million), made by SQL alone in a few minutes and removed at the end; with --keep it is made
once and used again. Requests go through the whole application in one process; only the socket is left out.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

import httpx2

from estafette.accept.credentials import Doorkeeper
from estafette.accept.ids import EPOCH_MS, IdMaker
from estafette.accept.submit import SubmitDoor
from estafette.api.app import make_app
from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.config import parse
from estafette.deliver.answers import Answer, AnswerKind
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.vault import Vault
from estafette.web.desk import WebDesk
from estafette.web.passwords import hash_now
from estafette.web.routes import web_routes

LIMIT_MS = 150.0
NOW = 1_795_000_000 * SECOND_US
DAYS = 90
BLOCK = 50_000  # messages of one campaign
PASSWORD = "a password for the bench"

# n counts the messages from 1; four fifths belong to campaigns, the rest is single mail
_IDS = f"""WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < :most),
t AS (SELECT n, {NOW} - {DAYS} * {DAY_US} + n * ({DAYS} * {DAY_US} / :most) AS at FROM k),
m AS (SELECT n, at, ((at / 1000 - {EPOCH_MS}) << 12) + (n % 64) AS id, (n * 7919) % 800000 AS who, (n * 31) % 1000 AS fate,
      CASE WHEN n <= :most * 4 / 5 THEN n - (n - 1) % {BLOCK} ELSE n END AS first FROM t),
r AS (SELECT m.*, ((({NOW} - {DAYS} * {DAY_US} + first * ({DAYS} * {DAY_US} / :most)) / 1000 - {EPOCH_MS}) << 12) + (first % 64) AS sub,
      'user' || who || '@' || CASE n % 8 WHEN 0 THEN 'gmail.com' WHEN 1 THEN 'orange.fr' WHEN 2 THEN 'free.fr' WHEN 3 THEN 'outlook.com'
      WHEN 4 THEN 'yahoo.com' WHEN 5 THEN 'laposte.net' WHEN 6 THEN 'sfr.fr' ELSE 'shop' || (n % 999) || '.example' END AS address,
      CASE WHEN fate < 930 THEN 'delivered' WHEN fate < 960 THEN 'hard_bounced' WHEN fate < 975 THEN 'soft_bounced' WHEN fate < 996 THEN 'blocked'
      ELSE 'deferred' END AS state FROM m) """
_FILL = {
    "messages": _IDS
    + """INSERT INTO message
        (id, submission_id, account_id, recipient, address_key, state, marks, related_to, error, attempts, created_at, updated_at, site)
        SELECT id, sub, 1, address, address, state,
        CASE WHEN state <> 'delivered' THEN 0 ELSE (n % 10 < 4) * 17 | (n % 100 < 8) * 50 | (n % 3000 = 1) * 4 | (n % 5000 = 0) * 8 END,
        CASE state WHEN 'delivered' THEN '' WHEN 'blocked' THEN 'mailjet' ELSE 'recipient' END,
        CASE state WHEN 'delivered' THEN '' WHEN 'blocked' THEN 'preblocked' WHEN 'hard_bounced' THEN 'user unknown' ELSE 'quota exceeded' END,
        1, at, at + 3000000, '' FROM r""",
    "submissions": _IDS + f"""INSERT INTO submission
        (id, account_id, door, reverse_path, author, subject, campaign_id, custom_id, options, smtputf8, size_bytes,
        accepted_at, deadline_at, due_at) SELECT id, 1, CASE WHEN n % 2 THEN 'http' ELSE 'smtp' END, 'news@acme.example', 'news@acme.example',
        'Order ' || n || ' is on its way', CASE WHEN n <= :most * 4 / 5 THEN 1 + (n - 1) / {BLOCK} ELSE 0 END, 'order-' || n, '{{}}', 0, 20000, at,
        at + 1000000, at FROM r WHERE n = first""",
    "events": _IDS + """INSERT INTO event (account_id, message_id, at, kind, reply, data)
        SELECT 1, id, at + 2000000, state, '250 2.0.0 OK', '{"attempt":1,"host":"mx.example","code":250}' FROM r WHERE state <> 'blocked'""",
    "openings": _IDS + """INSERT INTO event (account_id, message_id, at, kind, data)
        SELECT 1, id, at + 900000000, 'opened', '{"reader":"person"}' FROM r WHERE state = 'delivered' AND n % 10 < 4""",
    "queue": _IDS + f"""INSERT INTO queue
        (message_id, submission_id, account_id, recipient, domain, site, lane, attempts, accepted_at, due_at, deadline_at)
        SELECT id, sub, 1, address, substr(address, instr(address, '@') + 1), 'mx' || (n % 40) || '.example', 2, 1, at, {NOW} + 60000000, {NOW} + 90000000
        FROM r WHERE state = 'deferred'""",
    "blocks": _IDS + f"""INSERT INTO block (account_id, address_key, cause, since, until, message_id, reply)
        SELECT 1, address, 'hard_bounce', at, at + {DAYS} * {DAY_US}, id, '550 5.1.1 no such user' FROM r WHERE state = 'hard_bounced'""",
}  # fmt: skip
_COUNTERS = """WITH RECURSIVE b(at) AS (SELECT :since UNION ALL SELECT at + :width FROM b WHERE at + :width < :until),
    p(provider) AS (VALUES ('gmail'), ('orange'), ('free'), ('microsoft'), ('yahoo'), ('others')), d(door) AS (VALUES ('smtp'), ('http'))
    INSERT INTO counter SELECT 1, :axis, :source, t.timing, :resolution, b.at, d.door, p.provider, 100, 2, 1, 93, 2, 2, 37, 8, 38, 30, 6, 31, 1, 0, 98, 40, 9,
    1, 0, 9000, 12000, 250 FROM b, p, d, (SELECT 'message' AS timing UNION ALL SELECT 'event') t"""


def fill(path: Path, messages: int) -> None:
    """Make the history: rows first, indexes afterwards."""
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA temp_store = MEMORY;")
    names = ["message", "submission", "event", "queue", "block"]
    indexes = [(name, sql) for name, sql in database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN "
                                                             f"({','.join('?' * len(names))})", names)]  # fmt: skip
    for name, _ in indexes:
        database.execute(f"DROP INDEX {name}")
    for what, sql in _FILL.items():
        begin = time.perf_counter()
        database.execute(sql, {"most": messages})
        database.commit()
        print(f"  {what}: {time.perf_counter() - begin:.0f} s", flush=True)
    database.executemany("INSERT INTO campaign (id, account_id, name, created_at) VALUES (?, 1, ?, ?)", [
        (number + 1, f"Letter {number + 1}", NOW - DAYS * DAY_US + number * DAY_US // 2) for number in range(messages * 4 // 5 // BLOCK + 1)])  # fmt: skip
    for resolution, width in (("5m", 300), ("hour", 3600), ("day", 86_400)):
        since = NOW - DAYS * DAY_US
        row = {"since": since - since % (width * SECOND_US), "until": NOW, "width": width * SECOND_US, "resolution": resolution}
        for axis, source in (("account", ""), ("sender", "news@acme.example")):
            database.execute(_COUNTERS, row | {"axis": axis, "source": source})
        for number in range(1, 81) if resolution == "day" else ():
            database.execute(_COUNTERS, row | {"since": NOW - 5 * DAY_US - (NOW - 5 * DAY_US) % DAY_US, "axis": "campaign", "source": str(number)})
    for _, sql in indexes:
        database.execute(sql)
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


class Silence:
    """A resolver that nobody answers: what the DNS takes is not the page's."""

    async def ask(self, name: str, kind: str) -> Answer:
        """Nothing."""
        return Answer(AnswerKind.FAILED, why="not asked")


async def measure(path: Path, messages: int, rounds: int) -> int:
    """Print a line per page; the number of pages over the limit."""
    clock = ManualClock(NOW, seed=time.time_ns())  # a kept database knows the sessions of earlier runs
    store = await open_store(f"sqlite:///{path}", StatusPolicy(), clock)
    if not await store.accounts():
        await store.add_account("acme", NOW)
        await store.add_domain(1, "acme.example", True, "token", NOW)
        await store.users.add("ada", hash_now(PASSWORD), NOW, is_admin=True)
        begin = time.perf_counter()
        await store.close()
        await asyncio.to_thread(fill, path, messages)
        print(f"{messages:,} messages, made in {time.perf_counter() - begin:.0f} s", flush=True)
        store = await open_store(f"sqlite:///{path}", StatusPolicy(), clock)
    config = parse('[http]\npublic_url = "http://localhost"\n[server]\nhostname = "mx.acme.example"\n', "bench", {}, "mx.acme.example")
    keeper, door = Doorkeeper(store, clock), SubmitDoor(store, clock, IdMaker(0), 1, "mx.acme.example", 3 * 86_400, None)
    desk = WebDesk(store, clock, config, Vault(bytes(32), clock), Silence, door)
    app = make_app(store, keeper, door, clock, public_url="http://localhost", max_body_bytes=1_000_000, is_closing=lambda: False, routes=web_routes(desk))
    over = 0
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=("127.0.0.1", 1)), base_url="http://localhost", timeout=60) as client:
        await client.post("/app/sign-in", data={"name": "ada", "password": PASSWORD, "next": "/app/"}, headers={"Origin": "http://localhost"})
        newest = (await store.messages(1, limit=1))[0].id
        pages = {
            "S1 dashboard, 7 days": "", "S1 dashboard, 90 days": "?period=90d", "S2 activity": "activity",
            "S2 errors of 30 days": "activity?status=errors&period=30d",
            "S2 opened": "activity?status=opened", "S2 spam": "activity?status=spam", "S2 one address": "activity?text=user4711@gmail.com",
            "S2 text that fits": "activity?text=Order+49", "S2 text that fits nothing": "activity?text=nothing+like+it", "S2 a campaign": "activity?campaign=1",
            "S2 a page far back": f"activity?before={newest + (40 << 38)}",
            "S3 message": f"messages/{newest}", "S4 campaigns": "campaigns", "S6 report": "campaigns/1",
            "S12 blocks": "blocks", "S13 domains": "domains", "S14 queue": "queue", "S15 statistics, 30 days": "statistics",
            "S15 statistics, 90 days": "statistics?period=90d", "S17 settings": "settings/keys",
        }  # fmt: skip
        print(f"{'page':28} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>8}")
        for name, url in pages.items():
            times, cpu_s = [], 0.0
            for _ in range(rounds + 1):
                begin, cpu_begin = time.perf_counter(), time.process_time()
                answer = await client.get(f"/app/1/{url}")
                times.append((time.perf_counter() - begin) * 1000)
                cpu_s += time.process_time() - cpu_begin
                assert answer.status_code == 200, (url, answer.status_code)
            times = sorted(times[1:])
            p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
            over += p95 > LIMIT_MS
            cpu_ms = cpu_s * 1000 / (rounds + 1)
            print(f"{name:28} {times[len(times) // 2]:8.1f} {p95:8.1f} {cpu_ms:8.1f}{'  over the limit' if p95 > LIMIT_MS else ''}", flush=True)
    await store.close()
    return over


def main() -> int:
    """The exit code: 1 when a page was over the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="folder for the database, kept and used again")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="estafette-bench-") as folder:
        path = (chosen.keep or Path(folder)) / "history.db"
        return int(asyncio.run(measure(path, chosen.messages, chosen.rounds)) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
