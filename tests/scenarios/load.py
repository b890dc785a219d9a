"""What scenarios with several workers share: clients that keep sending, an MX script that notes when mail came, and who holds which site."""

import asyncio
import re
import smtplib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from estafette.clock import SystemClock
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.world import Act, Moment
from tests.world.dns import DnsServer
from tests.world.mx import MxServer


class Arrivals:
    """For the stage "body" of any number of MX: when each recipient's mail came, and what is done then."""

    def __init__(self, act: Act | None = None) -> None:
        self.act = act
        self.at: dict[str, list[float]] = {}  # recipient → moments (monotonic)
        self.order: list[str] = []

    def __call__(self, moment: Moment) -> Act | None:
        now_s = time.monotonic()
        for recipient in moment.recipients:
            self.at.setdefault(recipient, []).append(now_s)
            self.order.append(recipient)
        return self.act

    @property
    def copies(self) -> int:
        """How many mails came more often than once."""
        return len(self.order) - len(self.at)


class Load:
    """Clients in threads that send mails of one recipient each, one after the other, until `stop`; `accepted` tells when each was answered with 250."""

    def __init__(self, platform: Platform, sites: Sequence[str], name: str = "m", *, pause_s: float = 0.04, fields: str = "") -> None:
        self.accepted: dict[str, float] = {}  # recipient → monotonic, just before the answer was asked for
        self.refused: Counter[int] = Counter()  # reply codes that were not 250; 0: the connection broke or was silent
        self._platform, self._sites, self._name, self._pause_s, self._fields = platform, sites, name, pause_s, fields
        self._over = threading.Event()

    @asynccontextmanager
    async def running(self, clients: int) -> AsyncIterator["Load"]:
        """Send while the block runs; afterwards every client has ended."""
        tasks = [asyncio.create_task(asyncio.to_thread(self._run, number)) for number in range(clients)]
        try:
            yield self
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    def _run(self, number: int) -> None:
        sent = 0
        while not self._over.is_set():
            try:
                with self._platform.connect() as client:
                    while not self._over.wait(self._pause_s):
                        to = f"{self._name}{number}-{sent}@{self._sites[sent % len(self._sites)]}"
                        sent += 1
                        client.sendmail(f"news@{DOMAIN}", [to], mail(to, fields=self._fields))
                        self.accepted[to] = time.monotonic()
            except smtplib.SMTPResponseException as error:
                self.refused[error.smtp_code] += 1
                self._over.wait(0.1)
            except (OSError, smtplib.SMTPException, KeyError):  # KeyError: the port of a platform that is starting
                self.refused[0] += 1
                self._over.wait(0.1)


def send_many(platform: Platform, recipients: Sequence[str], fields: str = "", at_once: int = 100) -> None:
    """A few transactions of many recipients."""
    with platform.connect() as client:
        for start in range(0, len(recipients), at_once):
            assert client.sendmail(f"news@{DOMAIN}", recipients[start : start + at_once], mail("many", fields=fields)) == {}


@asynccontextmanager
async def site_servers(dns: DnsServer, port: int, count: int, arrivals: Arrivals, first: int = 1, net: str = "127.0.1") -> AsyncIterator[dict[str, MxServer]]:
    """So many domains with one MX each, on addresses of their own (`net`.x) and the port that all MX of a world have."""
    servers: dict[str, MxServer] = {}
    try:
        for n in range(first, first + count):
            address, domain = f"{net}.{n}", f"site{n}.example"
            dns.zone[domain, "MX"] = [f"10 mx.{domain}"]
            dns.zone[f"mx.{domain}", "A"] = [address]
            server = MxServer(address=address, port=port, identities=("mx.test",), replies={"body": arrivals})
            servers[domain] = await server.__aenter__()
        yield servers
    finally:
        for server in servers.values():
            await server.__aexit__()
    assert [v for server in servers.values() for v in server.violations] == []


async def holders(database_url: str) -> dict[str, int]:
    """Site → process id of the worker that has leased it; sites whose holder is gone are left out."""
    store = await open_store(database_url, StatusPolicy(), SystemClock(), 1)
    try:
        pids = {worker.id: int(worker.name.rpartition(":")[2]) for worker in await store.workers()}
        return {lease.path: pids[lease.owner] for lease in await store.leases() if lease.owner in pids}
    finally:
        await store.close()


async def until(what: str, holds, timeout_s: float = 60.0) -> float:  # type: ignore[no-untyped-def]
    """Wait until an (async) predicate holds; how many seconds that took."""
    started_s = time.monotonic()
    while not (await found if asyncio.iscoroutine(found := holds()) else found):
        assert time.monotonic() - started_s < timeout_s, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(0.05)
    return time.monotonic() - started_s


def lost_claims(platform: Platform) -> dict[int, str]:
    """Message → outcome that came too late, from the log."""
    return {int(m[1]): m[2] for m in re.finditer(r"claim lost message=(\d+) outcome=(\w+)", platform.log())}


def nothing_lost(accepted: Mapping[str, float], arrivals: Arrivals) -> None:
    """Every mail that was answered with 250 came."""
    missing = set(accepted) - set(arrivals.at)
    assert missing == set(), f"{len(missing)} of {len(accepted)} mails that were answered with 250 never came, such as {sorted(missing)[:5]}"
