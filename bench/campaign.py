"""A newsletter from a list to a sink: recipients frozen per second and their octets on disk, then personal signed mails per second on two workers, and
which share that is of what the two cores could sign.

    python -m bench.campaign [RECIPIENTS]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.scenarios.conftest import ZONE
from tests.scenarios.platform import DOMAIN, Platform
from tests.world.dns import DnsServer

from bench.peers import LIFETIME_S, process, wait_for_line
from bench.prepare import newsletter_html
from bench.sink import Counter
from estafette.accept.ids import IdMaker
from estafette.audience import ContactChange, ListAction, PropertyKind, Trace
from estafette.clock import SystemClock
from estafette.newsletters.conductor import Conductor
from estafette.newsletters.desk import NewsletterDesk
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store

SLOT = 9
HTML_OCTETS = 20_000


def signatures_per_s() -> float:
    """Of one core, RSA 2048."""
    key, until, made = rsa.generate_private_key(65_537, 2048), time.perf_counter() + 1, 0
    while time.perf_counter() < until:
        key.sign(b"x" * 500, padding.PKCS1v15(), hashes.SHA256())
        made += 1
    return made


async def draft(store: Database, people: int) -> Newsletter:
    clock = SystemClock()
    account = await store.account("shop")
    assert account is not None
    made = await store.contacts.create_list(account.id, "all", "abc", clock.now_us())
    nick = await store.contacts.add_property(account.id, "nick", PropertyKind.STR, clock.now_us())
    assert made is not None and nick is not None
    for start in range(0, people, 5000):
        changes = [ContactChange(f"p{n}@dest.example", f"p{n}@dest.example", properties={nick.id: f"N{n}"}) for n in range(start, min(start + 5000, people))]
        await store.contacts.apply(account.id, changes, {made.id: ListAction.ADD_FORCE}, Trace("bench"), clock.now_us())
    html = newsletter_html(HTML_OCTETS).replace("</body>", "<p>For {{data:nick}}</p></body>")
    letter = msgspec.json.encode(Source(author=f"news@{DOMAIN}", subject="Hello {{data:nick}}", html=html)).decode()
    one = await store.newsletters.create(Newsletter(0, account.id, "autumn", letter=letter, list_id=made.id), clock.now_us())
    return await NewsletterDesk(store, clock).send(one, clock.now_us())


def octets(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("estafette.db*"))


async def run(folder: Path, people: int) -> None:
    url, clock = f"sqlite:///{folder}/estafette.db", SystemClock()
    with Counter(folder / "counts") as counter:
        words = [sys.executable, "-m", "bench.sink", "--counter", str(folder / "counts"), "--chunking", "--lifetime-s", str(LIFETIME_S)]
        with process(words, folder / "sink.log") as sink:
            port = int(wait_for_line(sink, "ready", folder / "sink.log").rpartition(":")[2])
            async with DnsServer(dict(ZONE)) as dns:
                platform = Platform(folder, url, dns=dns.server, mx_port=port, workers=2, sections={"delivery": "connections = 20"})
                async with platform:
                    await platform.stop()
                    store = await open_store(url, StatusPolicy(), clock)
                    await draft(store, people)
                    before, begun = octets(folder), time.perf_counter()
                    conductor = Conductor(store, clock, SLOT, IdMaker(SLOT).next, lambda: None, 86_400.0)
                    while await conductor.step():
                        pass
                    took = time.perf_counter() - begun
                    print(f"{people} frozen in {took:.1f} s, {people / took:.0f} per second, {(octets(folder) - before) / people:.0f} octets each")
                    await store.close()
                    await platform.start()
                    until = time.monotonic() + max(120.0, people / 20)
                    while (now := counter.read()).mails < people and time.monotonic() < until:  # noqa: ASYNC110  (another process counts)
                        await asyncio.sleep(0.05)
    rate = now.mails / max(now.last_at - now.first_at, 0.001)
    limit = 2 * signatures_per_s()
    print(f"{now.mails} of {people} mails of {now.octets / max(now.mails, 1):.0f} octets came, {now.signed} signed, {rate:.0f} per second: "
          f"{100 * rate / limit:.0f} % of the {limit:.0f} signatures that two cores make")  # fmt: skip


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), people))


if __name__ == "__main__":
    main()
