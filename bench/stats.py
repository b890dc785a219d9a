"""How long the dashboard's questions take over five million events, and how fast events are folded into counters.

    python -m bench.stats [--days 90] [--events 5000000] [--rounds 20]

One day of mail goes the real way (accept, claim, settle, record, fold) into a temporary SQLite file; its rows are then repeated for the other days, each with
campaigns of its own. Every question is asked `--rounds` times through the verbs that the dashboard and the API use; what is printed is the 95th percentile.
"""

import argparse
import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.facts import Axis, Reach, Resolution, Timing
from estafette.model import LANES, Door, EventKind, Mark, NewMessage, Options, Outcome, OutcomeKind, PersonMark, Reason, Record, Settlement, State, Submission
from estafette.stats.folder import catch_up
from estafette.stats.guard import Watch
from estafette.stats.periods import pieces
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want
from estafette.store.statistics import Selection
from estafette.views import Choice

BEGIN: Final = 1_790_000_000 * SECOND_US // DAY_US * DAY_US
ID_BEGIN: Final = (BEGIN // 1000 - 1_767_225_600_000) << 12
ID_DAY: Final = 86_400_000 << 12
SITES: Final = {
    "gmail.com": "gmail-smtp-in.l.google.com", "acme.example": "aspmx.l.google.com", "hotmail.com": "hotmail-com.olc.protection.outlook.com",
    "yahoo.fr": "mx-eu.mail.am0.yahoodns.net", "orange.fr": "smtp-in.orange.fr", "free.fr": "mx1.free.fr,mx2.free.fr", "sfr.fr": "smtp-in.sfr.fr",
    "laposte.net": "smtp4.laposte.net", "gmx.de": "mx00.gmx.net", "web.de": "mx-ha.web.de", "example.net": "mx.example.net",
}  # fmt: skip
CAMPAIGNS: Final = 4
PER_SUBMISSION: Final = 5
AGENTS: Final = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64", "Linux; Android 14; Pixel 8")
    for version in range(130, 142)
]


async def one_day(store: Database, account_id: int, messages: int) -> None:
    """What a day brings: seven of ten messages are delivered at once, half of them are opened, and so on."""
    chance = random.Random(1)
    await store.add_account("acme", BEGIN)
    at = BEGIN
    domains = list(SITES)
    step = DAY_US // (messages // PER_SUBMISSION + 1)
    batch = []
    for n in range(0, messages, PER_SUBMISSION):
        at += step
        first = ID_BEGIN + ((at - BEGIN) // 1000 << 12)
        made = tuple(
            NewMessage(first + i, f"u{n + i}@{domain}", f"u{n + i}@{domain}", domain, State.QUEUED, site=SITES[domain])
            for i, domain in enumerate(chance.choices(domains, k=PER_SUBMISSION))
        )
        options = Options(campaign=f"c{chance.randrange(CAMPAIGNS)}") if chance.random() < 0.7 else Options()
        door = chance.choice([Door.SMTP, Door.HTTP])
        author = f"news{chance.randrange(3)}@acme.test"
        batch.append(Submission(first, account_id, door, "b@acme.test", author, "Hello", options, at, at, at + DAY_US, b"x", made))
    for i in range(0, len(batch), 500):
        await store.accept_many(batch[i : i + 500])
    worker = await store.join("bench", BEGIN, BEGIN + 900 * DAY_US)
    delivered = []
    for site in SITES.values():
        while claims := await store.claim(worker.id, [Want(site, (2000,) * LANES)], BEGIN + DAY_US):
            settlements = []
            for claim in claims:
                luck, when = chance.random(), claim.accepted_at + chance.randrange(1, 60) * SECOND_US
                if luck < 0.05:
                    outcome = Outcome(OutcomeKind.DEFERRED, when, reply="451 later", retry_at=BEGIN, reason=Reason("domain", "greylisted"), host=site)
                elif luck < 0.07:
                    outcome = Outcome(OutcomeKind.BOUNCED, when, reply="550 no", is_permanent=True, reason=Reason("recipient", "user unknown"), host=site)
                else:
                    outcome = Outcome(OutcomeKind.DELIVERED, when, reply="250 2.0.0 ok queued as 4711", host=site, address="192.0.2.1")
                    delivered.append((claim.message_id, when))
                settlements.append(Settlement(claim, outcome))
            await asyncio.gather(*(store.settle(one) for one in settlements))
    records = []
    for message_id, when in delivered:
        data: dict[str, str | int] = {"agent": chance.choice(AGENTS), "geo": chance.choice(["FR", "DE", "BE", "US"]), "ip": "192.0.2.0", "after_s": 60}
        for _ in range(chance.choice([0, 0, 1, 1, 2])):
            records.append(Record(message_id, EventKind.OPENED, when + chance.randrange(1, 7200) * SECOND_US, data=data, marks=Mark.OPENED | PersonMark.OPENED))
        if chance.random() < 0.15:
            link: dict[str, str | int] = {**data, "link": chance.randrange(20), "url": f"https://acme.test/{chance.randrange(20)}"}
            records.append(Record(message_id, EventKind.CLICKED, when + 7200 * SECOND_US, data=link, marks=Mark.CLICKED | PersonMark.CLICKED))
    for i in range(0, len(records), 2000):
        await store.record_many(records[i : i + 2000])


def repeat(path: Path, days: int) -> None:
    """The rows of the first day once more for each of the others."""
    base = sqlite3.connect(path)
    base.execute("PRAGMA synchronous=OFF")
    base.execute("PRAGMA cache_size=-400000")
    events = base.execute("SELECT max(id) FROM event").fetchone()[0]
    shifts = {
        "event": {"id": events, "message_id": ID_DAY, "at": DAY_US},
        "message": {"id": ID_DAY, "submission_id": ID_DAY, "created_at": DAY_US, "updated_at": DAY_US},
        "submission": {"id": ID_DAY, "campaign_id": CAMPAIGNS, "accepted_at": DAY_US, "due_at": DAY_US, "deadline_at": DAY_US},
        "counter": {"bucket": DAY_US, "source": CAMPAIGNS},
        "reach": {"bucket": DAY_US, "campaign_id": CAMPAIGNS},
    }
    base.execute("BEGIN")
    for table, by in shifts.items():
        columns = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
        shown = ", ".join(_shifted(table, column, by) for column in columns)
        if "bucket" in by:
            base.execute(f"DELETE FROM {table} WHERE bucket >= {BEGIN + DAY_US}")  # the evening's openings belong to the next day, which has its own
        base.execute(f"CREATE TEMP TABLE first AS SELECT * FROM {table}")
        for day in range(1, days):
            base.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {shown} FROM temp.first", {"day": day})
        base.execute("DROP TABLE temp.first")
    for day in range(1, days):
        base.execute("INSERT INTO campaign (id, account_id, name, created_at) SELECT id + ?, account_id, name || ?, created_at FROM campaign WHERE id <= ?",
                     (day * CAMPAIGNS, f" of day {day}", CAMPAIGNS))  # fmt: skip
    base.execute("COMMIT")
    base.execute("ANALYZE")
    base.close()


def _shifted(table: str, column: str, by: dict[str, int]) -> str:
    if column not in by:
        return column
    if (table, column) == ("counter", "source"):
        return f"CASE WHEN axis = 'campaign' THEN CAST(CAST(source AS INTEGER) + :day * {CAMPAIGNS} AS TEXT) ELSE source END"
    if column == "campaign_id":
        return f"CASE WHEN campaign_id > 0 THEN campaign_id + :day * {CAMPAIGNS} ELSE 0 END"
    return f"{column} + :day * {by[column]}"


def questions(store: Database, account_id: int, days: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """What the screens and the API ask, the longest periods included."""
    shelf, now = store.statistics, BEGIN + days * DAY_US - 1234 * SECOND_US
    whole, campaign = Selection(account_id), Selection(account_id, Axis.CAMPAIGN, (str(days * CAMPAIGNS // 2),))
    by_event = Selection(account_id, timing=Timing.EVENT)
    month = pieces(now - 30 * DAY_US, now)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        f"tiles, {n} days": lambda n=n: shelf.sums(whole, pieces(now - n * DAY_US, now)) for n in (1, 7, 30, 90)  # type: ignore[misc]
    }
    return asked | {
        "in flight": lambda: shelf.in_flight(account_id, 0, now),
        "series, 24 hours in 5 minutes, by event": lambda: shelf.slices(by_event, Resolution.FIVE_MINUTES, now - DAY_US, now),
        "series, 7 days in hours": lambda: shelf.slices(whole, Resolution.HOUR, now - 7 * DAY_US, now),
        "series, 90 days in days": lambda: shelf.slices(whole, Resolution.DAY, now - 90 * DAY_US, now),
        "providers, 30 days": lambda: shelf.by_provider(whole, month),
        "all campaigns, 30 days": lambda: shelf.sums_of_all(account_id, Axis.CAMPAIGN, month),
        "all senders, 90 days": lambda: shelf.sums_of_all(account_id, Axis.SENDER, pieces(now - 90 * DAY_US, now)),
        "one campaign, lifetime": lambda: shelf.sums(campaign, pieces(0, now)),
        "one campaign in hours": lambda: shelf.slices(campaign, Resolution.HOUR, 0, now),
        "one campaign, providers": lambda: shelf.by_provider(campaign, pieces(0, now)),
        "links of one campaign": lambda: shelf.reach(account_id, days * CAMPAIGNS // 2, Reach.LINK, is_click=True, since=0, until=now),
        "programs, 90 days": lambda: shelf.reach(account_id, 0, Reach.AGENT, is_click=False, since=now - 90 * DAY_US, until=now),
        "countries, 90 days": lambda: shelf.reach(account_id, 0, Reach.COUNTRY, is_click=False, since=now - 90 * DAY_US, until=now),
        "lifetime of the account": lambda: shelf.sums(whole, pieces(0, now)),
        "events of an account, a page of 100": lambda: shelf.views((0, days * 20_000), 100, account_id),
        "message log, newest 50": lambda: store.screens.log(account_id, Choice()),
        "message log, hard errors": lambda: store.screens.log(account_id, Choice(states=(State.HARD_BOUNCED,))),
        "one recipient": lambda: shelf.recipients(account_id, ["u5@gmail.com", "u5@free.fr"]),
    }


async def run(events: int, days: int, rounds: int) -> None:
    """Make, measure, print."""
    with tempfile.TemporaryDirectory(prefix="estafette-bench-") as folder:
        path = Path(folder) / "mail.db"
        store = await open_store(f"sqlite:///{path}", StatusPolicy(), ManualClock(BEGIN))
        await one_day(store, 1, int(events / days / 2.3))
        began = time.perf_counter()
        folded = await catch_up(store)
        print(f"fold: {folded} events, {folded / (time.perf_counter() - began):,.0f}/s")
        await store.close()
        began = time.perf_counter()
        repeat(path, days)
        store = await open_store(f"sqlite:///{path}", StatusPolicy(), ManualClock(BEGIN + days * DAY_US))
        sizes = sqlite3.connect(path)
        counted = {table: sizes.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("event", "message", "counter", "reach")}
        sizes.close()
        print(f"made in {time.perf_counter() - began:.0f} s, {path.stat().st_size / 1e9:.1f} GB: {counted}")
        for name, ask in questions(store, 1, days).items():
            took = []
            for _ in range(rounds):
                began = time.perf_counter()
                await ask()
                took.append((time.perf_counter() - began) * 1000)
            took.sort()
            print(f"{name:45} p50 {took[len(took) // 2]:8.1f} ms   p95 {took[int(len(took) * 0.95)]:8.1f} ms")
        began = time.perf_counter()
        await Watch(store, ManualClock(BEGIN + days * DAY_US), 1).turn()
        print(f"{'a turn of the guard':45} {(time.perf_counter() - began) * 1000:8.1f} ms")
        await store.close()


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    asyncio.run(run(given.events, given.days, given.rounds))


if __name__ == "__main__":
    main()
