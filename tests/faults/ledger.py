"""What a fault may not falsify: the promises that clients were given, the copies that receivers have, the events that we wrote."""

import asyncio
import os
import re
import smtplib
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from estafette.clock import SystemClock
from estafette.model import EventKind
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.world.mx import Mail

IS_LONG = os.environ.get("ESTAFETTE_FAULTS") == "long"
"""`make faults`: as long as it takes. Otherwise the short form that `make test` runs."""
BODY = (b"x" * 70 + b"\r\n") * 30


@dataclass
class Load:
    """Clients in threads that send as fast as they are answered, and remember what was promised. `key`: each mail has an idempotency key."""

    platform: Platform
    clients: int = 4
    pause_s: float = 0.0
    accepted: list[str] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)  # reply code, 0: the connection broke
    _over: threading.Event = field(default_factory=threading.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Send while the block runs; afterwards every client has ended."""
        tasks = [asyncio.create_task(asyncio.to_thread(self._run, number)) for number in range(self.clients)]
        try:
            yield self
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    def _run(self, number: int) -> None:
        sent = 0
        while not self._over.is_set():
            try:
                with self.platform.connect() as client:
                    for _ in range(20):
                        if self._over.wait(self.pause_s) if self.pause_s else self._over.is_set():
                            break
                        name = f"m{number}-{sent}"
                        sent += 1
                        client.sendmail(f"news@{DOMAIN}", [f"{name}@dest.example"], mail(name, BODY))
                        self.accepted.append(name)
            except smtplib.SMTPResponseException as error:
                self.refused[error.smtp_code] += 1
                self._over.wait(0.05)
            except (OSError, smtplib.SMTPException, KeyError):  # KeyError: the port of a platform that is starting
                self.refused[0] += 1
                self._over.wait(0.05)


@dataclass(frozen=True)
class Outcome:
    """The account of one run."""

    promised: int
    accepted: int
    arrived: int
    copies: int  # more than one per message
    uncertain: int  # events and outcomes that say so

    def __str__(self) -> str:
        return f"{self.promised} promised, {self.accepted} accepted, {self.arrived} arrived, {self.copies} copies too many, {self.uncertain} uncertain attempts"


def subject_of(content: bytes) -> str:
    found = re.search(rb"^Subject: (.*)\r$", content, re.M)
    assert found is not None
    return found[1].decode()


async def uncertain_attempts(database_url: str) -> Counter[int]:
    """Message → attempts of which its timeline says that nobody knows."""
    store = await open_store(database_url, StatusPolicy(), SystemClock(), 1)
    found: Counter[int] = Counter()
    try:
        after = (0, 0)
        while True:
            events, after = await store.events(after, 5000)
            if not events:
                return found
            found.update(e.message_id for e in events if e.kind is EventKind.UNCERTAIN or e.data.get("uncertain"))
    finally:
        await store.close()


async def settle_accounts(platform: Platform, promised: list[str], mails: list[Mail]) -> Outcome:
    """Nothing promised is lost, nothing is counted wrongly, and every copy too many has an attempt that says that it may have made it."""
    audit = platform.command("audit", "--json")
    assert audit["difference"] == 0, audit
    messages = await platform.settled(audit["accepted"], timeout_s=180.0)
    platform.assert_nothing_is_missing()
    assert Counter(m["state"] for m in messages) == {"delivered": audit["accepted"]}
    arrived = Counter(subject_of(m.content) for m in mails)
    lost = set(promised) - set(arrived)
    assert lost == set(), f"{len(lost)} of {len(promised)} mails that were answered with 250 never came, such as {sorted(lost)[:5]}"
    uncertain = await uncertain_attempts(platform.database_url)
    may_be: Counter[str] = Counter()
    for m in messages:
        may_be[m["to"].partition("@")[0]] += 1 + uncertain[m["id"]]
    untold = {name: (count, may_be[name]) for name, count in arrived.items() if count > may_be[name]}
    assert untold == {}, f"copies that no timeline tells of: {untold}"
    return Outcome(len(promised), audit["accepted"], len(arrived), sum(arrived.values()) - len(messages), sum(uncertain.values()))
