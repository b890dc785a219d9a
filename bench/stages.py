"""Where the microseconds of a mail go: each stage of the road alone, in CPU time of one process, for signed mails of 10 kB with their own return path.

    python -m bench.stages [--size m50] [--mails 2000]

Nothing is sent and no socket is opened: what the kernel takes for the network, and what waking up costs, is the difference to `bench.relay`.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from bench.load import SIZES, body_of
from estafette.accept.examine import accepted_content, examine
from estafette.clock import SECOND_US, SystemClock
from estafette.mail.dkim import RSA, SigningKey, sign
from estafette.mail.smtp import client, server, server_events
from estafette.mail.smtp.replies import Reply
from estafette.mail.token import Keyring
from estafette.model import LANES, Claimed, Content, Door, NewMessage, Options, Outcome, OutcomeKind, Settlement, State, Submission
from estafette.prepare.plan import make_plan, pending_signatures, transaction
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import Tracking
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want

BATCH = 20
"""Mails that share a commit: what twenty connections make of it."""
OK = Reply(250, "2.0.0", ("ok",))
KEYRING = Keyring(1, {1: bytes(range(32))})


def per_mail(count: int, work: Callable[[], object]) -> float:
    """CPU microseconds of one of `count`."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / count * 1e6


def mail_of(size: str) -> bytes:
    fields, body = body_of(size)
    head = b"From: News <a@bench-sender.test>\r\nTo: b@bench.test\r\nSubject: Benchmark\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@b.test>\r\n"
    return head + fields + b"\r\n" + body


def receive(raw: bytes, mails: int) -> None:
    """The sans-IO session of the submission listener."""
    session = server.ServerSession(server.ServerOptions("bench.test", requires_auth=False))
    for data in (b"EHLO c\r\n", *[b"MAIL FROM:<a@bench-sender.test>\r\nRCPT TO:<b@bench.test>\r\nDATA\r\n", raw + b"\r\n.\r\n"] * mails):
        session.receive(data)
        while (event := session.next_event()) is not None:
            if isinstance(event, server_events.MailFrom | server_events.RcptTo | server_events.EndOfMail):
                session.answer(OK)
        session.output()


def submission(number: int, content: bytes, account_id: int, now: int) -> Submission:
    message = NewMessage(number, "b@bench.test", "b@bench.test", "bench.test", State.QUEUED, site="mx.bench.test")
    return Submission(number, account_id, Door.SMTP, "a@bench-sender.test", "a@bench-sender.test", "Benchmark", Options(), now, now, now + 3600 * SECOND_US,
                      content, (message,))  # fmt: skip


async def store_stages(content: bytes, mails: int) -> dict[str, float]:
    """Commit, claim, settle on SQLite with its syncs."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        store: Database = await open_store(f"sqlite:///{folder}/bench.db", StatusPolicy(), clock)
        account = await store.add_account("bench", clock.now_us())
        worker = await store.join("bench", clock.now_us(), clock.now_us() + 3600 * SECOND_US)
        made = [submission(n, content, account.id, clock.now_us()) for n in range(1, mails + 1)]
        found: dict[str, float] = {}
        began = time.process_time()
        for at in range(0, mails, BATCH):
            await asyncio.gather(*(store.accept(one) for one in made[at : at + BATCH]))
        found["commit"] = (time.process_time() - began) / mails * 1e6
        began, claims = time.process_time(), []
        while batch := await store.claim(worker.id, [Want("mx.bench.test", (64,) * LANES)], clock.now_us()):
            await store.still_blocked(batch, clock.now_us())
            claims += batch
        found["claim"] = (time.process_time() - began) / mails * 1e6
        outcome = Outcome(OutcomeKind.DELIVERED, clock.now_us(), "250 2.0.0 taken", 250, "2.0.0", "body", "mx.bench.test", "127.0.0.1", transcript="x" * 400)
        began = time.process_time()
        for at in range(0, mails, BATCH):
            await asyncio.gather(*(store.settle(Settlement(claim, outcome)) for claim in claims[at : at + BATCH]))
        found["settle"] = (time.process_time() - began) / mails * 1e6
        await store.close()
        found["disk bytes"] = _size_of(folder) / mails
        return found


def _size_of(folder: str) -> int:
    return sum(file.stat().st_size for file in Path(folder).iterdir())


def stages(size: str, mails: int) -> dict[str, float]:
    """Stage → microseconds."""
    raw = mail_of(size)
    examined = examine(raw)
    content = accepted_content(raw, examined.header, b"Received: from c by bench.test; Fri, 27 Nov 2026 10:00:00 +0000\r\n", "1@bench.test", 0)
    key = SigningKey("bench-sender.test", "s1", RSA, generate_private_key(65537, 2048))
    tracking = Tracking("https://t.bench.test", KEYRING, OpenMode.FULL, True)
    held = Content(1, 1, "a@bench-sender.test", "a@bench-sender.test", Options(), 0, False, content)
    claim = Claimed(1, 1, 1, "b@bench.test", "bench.test", "mx.bench.test", 1, 0, 0, 0, 0, 1)
    found = {"receive": per_mail(mails, lambda: receive(raw, mails))}
    found["parse"] = per_mail(mails, lambda: [accepted_content(raw, examine(raw).header, b"Received: x\r\n", "1@b.test", 0) for _ in range(mails)])
    found |= asyncio.run(store_stages(content, mails))
    plan = make_plan(held, (key,), tracking)

    def prepared() -> tuple[bytes, bytes]:
        made = make_plan(replace(held), (key,), tracking)
        copy = made.copy_for(claim) if made.is_personal else None
        (_, pending), *_ = pending_signatures(made, 0, copy)
        return pending.to_sign, pending.complete(bytes(256)) + (copy.head + copy.body if copy else made.mail)

    found["prepare"] = per_mail(mails, lambda: [prepared() for _ in range(mails)])
    to_sign, mail = prepared()
    found["sign (RSA-2048)"] = per_mail(mails, lambda: [sign(key, to_sign) for _ in range(mails)])

    def send() -> None:
        session = client.ClientSession("bench.test")
        session.receive(b"220 mx\r\n")
        session.output()
        session.receive(b"250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n")
        for _ in range(mails):
            session.events()
            session.send(transaction(plan, claim, mail, KEYRING, "bounces.bench.test"))
            session.output()
            session.receive(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n")
            session.receive(b"250 2.0.0 taken\r\n")
            session.forget_transcript()

    found["send"] = per_mail(mails, send)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="m10")
    parser.add_argument("--mails", type=int, default=2000)
    given = parser.parse_args()
    found = stages(given.size, given.mails)
    disk = found.pop("disk bytes")
    print(f"{given.size}, {given.mails} mails, {BATCH} per commit\n")
    for name, value in found.items():
        print(f"{name:16} {value:8.0f} µs")
    rsa = found["sign (RSA-2048)"]
    print(f"{'together':16} {sum(found.values()):8.0f} µs = {sum(found.values()) / rsa:.2f} × the RSA signature; {disk:.0f} octets on disk per mail")
    return 0


if __name__ == "__main__":
    sys.exit(main())
