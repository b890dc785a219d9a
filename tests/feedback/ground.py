"""What the tests of the room share: a real SQLite store with delivered messages, tokens of a known keyring, reports as mail systems write them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.feedback.permissions import Permissions
from estafette.mail.token import Keyring, make_return_path
from estafette.model import LANES, Account, Claimed, Door, Event, NewMessage, Options, Outcome, OutcomeKind, Settlement, State, Submission
from estafette.prepare import tokens
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want

KEYRING = Keyring(1, {1: b"k" * 32})
FOREIGN = Keyring(1, {1: b"x" * 32})
DOMAIN = "bounces.relay.test"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Ground:
    """A store with the account `acme`, whose messages were delivered ten seconds ago."""

    store: Database
    clock: ManualClock
    account: Account
    claims: dict[int, Claimed] = field(default_factory=dict)

    async def deliver(self, *numbers: int, settle: bool = True) -> None:
        """Make messages r<number>@dest.example, delivered (or, with `settle` False, with their attempt under way)."""
        now = self.clock.now_us()
        messages = tuple(NewMessage(n, f"r{n}@dest.example", f"r{n}@dest.example", "dest.example", State.QUEUED, site="mx") for n in numbers)
        mail = b"Subject: Hello\r\n\r\nBody\r\n"
        await self.store.accept(Submission(numbers[0], self.account.id, Door.SMTP, "back@acme.test", "news@acme.test", "Hello", Options(), now, now,
                                           now + DAY_US, mail, messages))  # fmt: skip
        worker = await self.store.join("test", now, now + 30 * SECOND_US)
        self.claims = {claim.message_id: claim for claim in await self.store.claim(worker.id, [Want("mx", (100_000,) * LANES)], now)}
        if settle:
            await self.settle(*numbers)
        self.clock.advance(10)

    async def settle(self, *numbers: int) -> None:
        """The receiving server took them."""
        outcome = Outcome(OutcomeKind.DELIVERED, self.clock.now_us(), reply="250 ok", code=250)
        assert all(await asyncio.gather(*(self.store.settle(Settlement(self.claims[n], outcome)) for n in numbers)))

    async def events(self, number: int) -> list[Event]:
        """What came back: the timeline after the delivery."""
        return [e for e in await self.store.timeline(number) if e.kind.value not in ("accepted", "delivered")]

    async def kinds(self, number: int) -> list[str]:
        return [e.kind.value for e in await self.events(number)]

    async def state(self, number: int) -> tuple[State, int]:
        view = await self.store.message(number)
        assert view is not None
        return view.state, view.marks

    async def causes(self) -> list[tuple[str, str]]:
        return [(b.address_key, b.cause.value) for b in await self.store.blocks(None, self.clock.now_us())]

    async def strangers(self) -> list[Event]:
        """The notes about what names no message."""
        events, _ = await self.store.events((0, 0), 10_000)
        return [e for e in events if e.message_id == 0]


async def make_ground(folder: Path) -> Ground:
    clock = ManualClock()
    store = await open_store(f"sqlite:///{folder}/estafette.db", StatusPolicy(), clock)
    return Ground(store, clock, await store.add_account("acme", clock.now_us()))


def return_path(number: int, keyring: Keyring = KEYRING) -> str:
    return make_return_path(number, keyring, DOMAIN)


def unsubscribe_address(number: int, keyring: Keyring = KEYRING, list_id: int = 0) -> str:
    return f"{tokens.UNSUBSCRIBE_PREFIX}{tokens.unsubscribe_tail(number, 1, list_id, f'r{number}@dest.example', keyring).decode()}@{DOMAIN}"


def click(number: int, account_id: int = 1, link: int = 0, url: str = "https://shop.example/a?b=c", keyring: Keyring = KEYRING) -> str:
    return _token(tokens.Sealer(keyring, account_id, "").click(link, url), number)


def campaign_click(campaign: str) -> str:
    """A link of a mail of that campaign."""
    return _token(tokens.Sealer(KEYRING, 1, campaign).click(0, "https://shop.example/"), 1)


def permissions(ground: Ground) -> Permissions:
    return Permissions(ground.store.privacy, ground.clock)


def pixel(number: int, account_id: int = 1, mode: tokens.OpenMode = tokens.OpenMode.FULL, keyring: Keyring = KEYRING) -> str:
    return _token(tokens.Sealer(keyring, account_id, "").open(mode), number)


def unsubscribe(number: int, account_id: int = 1, language: str = "", keyring: Keyring = KEYRING) -> str:
    return _token(tokens.Sealer(keyring, account_id, "").unsubscribe(0, language), number)


def _token(seal: tokens.Seal, number: int) -> str:
    return seal.head + tokens.tails([seal], number)[0].decode()


def flipped(token: str) -> list[str]:
    """The token with each of its characters changed, cut and lengthened."""
    swap = {c: "b" if c in "aA" else "a" for c in token}
    changed = [token[:i] + swap[c] + token[i + 1 :] for i, c in enumerate(token)]
    return [*changed, token[:-1], token[:20], token + "A", "", "x"]


def dsn(number: int, status: str = "5.1.1", action: str = "failed", diagnostic: str = "550 5.1.1 no such user", original: Sequence[str] = (),
        padding: int = 0) -> bytes:  # fmt: skip
    """A delivery report (RFC 3464) about message `number`."""
    to = f"r{number}@dest.example"
    header = "".join(f"{line}\r\n" for line in (*original, "From: news@acme.test", f"To: {to}", "Subject: Hello", "Message-ID: <1@acme.test>"))
    return (
        f"From: MAILER-DAEMON@dest.example\r\nTo: back\r\nSubject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="b0"\r\n\r\n--b0\r\nContent-Type: text/plain\r\n\r\n'
        f"I could not deliver your message to <{to}>: {diagnostic}\r\n\r\n--b0\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.dest.example\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {diagnostic}\r\n\r\n--b0\r\nContent-Type: message/rfc822\r\n\r\n{header}\r\n"
    ).encode() + b"0123456789 a line of the mail\r\n" * (padding // 31) + b"\r\n--b0--\r\n"  # fmt: skip


def arf(original: Sequence[str] = (), feedback_type: str = "abuse", fields: Sequence[str] = ()) -> bytes:
    """A complaint (RFC 5965) whose addresses were taken out, as the large feedback loops do."""
    inside = "".join(f"{line}\r\n" for line in (*original, "From: news@acme.test", "To: redacted@dest.example", "Subject: Hello"))
    extra = "".join(f"{line}\r\n" for line in fields)
    return (
        "From: feedback@fbl.example\r\nTo: fbl@relay.test\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b1"\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\n'
        "This is an email abuse report.\r\n\r\n--b1\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {feedback_type}\r\nUser-Agent: FBL/1.0\r\nVersion: 1\r\n{extra}\r\n"
        f"--b1\r\nContent-Type: message/rfc822\r\n\r\n{inside}\r\nbody\r\n\r\n--b1--\r\n"
    ).encode()


def letter(subject: str = "Re: Hello", text: str = "Thank you!", *fields: str) -> bytes:
    """A mail that a person writes."""
    extra = "".join(f"{field}\r\n" for field in fields)
    return f"From: Jo <jo@dest.example>\r\nTo: back\r\nSubject: {subject}\r\n{extra}MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n{text}\r\n".encode()
