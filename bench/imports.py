"""Rows per second of an import into SQLite: mapped columns, addresses read and folded, repeated ones found, errors kept.

    python -m bench.imports [ROWS]
"""

import asyncio
import io
import sys
import tempfile
import time
from pathlib import Path

from estafette.audience import JobOrders, ListAction
from estafette.clock import SystemClock
from estafette.newsletters.importing import take_in
from estafette.newsletters.jobs import Jobber
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store


async def run(folder: Path, rows: int) -> None:
    clock = SystemClock()
    store = await open_store(f"sqlite:///{folder}/estafette.db", StatusPolicy(), clock)
    account = await store.add_account("shop", clock.now_us())
    made = await store.contacts.create_list(account.id, "all", "abc", clock.now_us())
    assert made is not None
    people = rows - rows // 20  # the last twentieth has stood in the file before
    lines = (f"p{n % people}@d{n % people % 997}.example,First{n},City {n % 500},{n}\n" if n % 1000 else "nobody,,,\n" for n in range(rows))
    file = io.BytesIO(("E-mail,First name,city,number\n" + "".join(lines)).encode())
    orders = JobOrders(((made.id, ListAction.ADD_NO_FORCE.value),), mapping=(("First name", "firstname"),))
    begun = time.perf_counter()
    job = await take_in(store, account.id, file, orders, clock.now_us())
    await Jobber(store, clock, 1).work(job.id)
    took = time.perf_counter() - begun
    done = await store.contact_jobs.find(account.id, job.id)
    assert done is not None and (done.status.value, done.done, done.errors) == ("completed", rows, -(-rows // 1000)), done
    print(f"{rows} rows in {took:.1f} s, {rows / took:.0f} per second; {done.errors} errors, {await store.contacts.count(account.id)} contacts")
    await store.close()


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), rows))


if __name__ == "__main__":
    main()
