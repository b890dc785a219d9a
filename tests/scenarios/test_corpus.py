"""Every real mail of the bounce corpus that is a valid message goes through the running platform and keeps its octets."""

import asyncio
import email
import email.policy
import email.utils
import re
import smtplib
from collections import Counter
from pathlib import Path

import pytest

from estafette.clock import SystemClock
from estafette.mail.address import AddressError, parse
from estafette.mail.header import HeaderError, read_header, without
from estafette.mail.trace import is_ours_to_strip
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from tests.scenarios.conftest import ZONE
from tests.scenarios.platform import Platform
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

CORPUS = Path(__file__).parents[3] / "shared" / "data" / "bounces" / "mail"


def as_sent(raw: bytes) -> bytes:
    """What a client would send: no mbox line, CRLF line ends."""
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def author_domain(raw: bytes) -> str | None:
    """Judged by the standard library, not by us: the domain of the one author; None when the mail has no such author."""
    fields = email.message_from_bytes(raw, policy=email.policy.compat32).get_all("From", [])
    found = email.utils.getaddresses([str(f) for f in fields])
    if len(fields) != 1 or len(found) != 1:
        return None
    try:
        return parse(found[0][1]).domain
    except AddressError:
        return None


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not on this machine")
@pytest.mark.timeout(300)
async def test_every_valid_mail_of_the_corpus_keeps_its_octets(tmp_path: Path, database_url: str) -> None:
    files = {str(path.relative_to(CORPUS)): as_sent(path.read_bytes()) for path in sorted(CORPUS.rglob("*.eml"))}
    assert len(files) > 700
    async with DnsServer(dict(ZONE)) as dns, MxServer(max_size=100_000_000) as mx:
        sections = {"tracking": "opens = false\nclicks = false"}  # what is put into a mail when it is on is another matter
        async with Platform(tmp_path, database_url, dns=dns.server, mx_port=mx.port, workers=2, sections=sections) as platform:
            await authorise(database_url, {domain for raw in files.values() if (domain := author_domain(raw))})
            refusals = await asyncio.to_thread(send_all, platform, files)
            accepted = {name: raw for name, raw in files.items() if name not in refusals}
            await platform.settled(len(accepted))
            platform.assert_nothing_is_missing()
    arrived = {mail.recipients[0]: mail.content for mail in mx.mails}
    assert len(mx.mails) == len(accepted) == len(arrived)
    for number, name in enumerate(files):
        if name in accepted:
            raw = accepted[name]
            untouched = without(raw, read_header(raw), is_ours_to_strip)
            assert arrived[f"n{number}@dest.example"].endswith(untouched), name
    print(f"\n{len(accepted)} of {len(files)} relayed; refused: {Counter(reason.split(':')[0] for reason in refusals.values())}")
    unjust = {name: reason for name, reason in refusals.items() if is_valid(files[name])}
    assert unjust == {}


def is_valid(raw: bytes) -> bool:
    """A message that must be accepted: one author with an address, a header that is one."""
    try:
        read_header(raw)
    except HeaderError:
        return False
    return author_domain(raw) is not None and b"\0" not in raw


async def authorise(url: str, domains: set[str]) -> None:
    clock = SystemClock()
    store = await open_store(url, StatusPolicy(), clock)
    account = await store.account("shop")
    assert account is not None
    for domain in sorted(domains):
        await store.add_domain(account.id, domain, True, "token", clock.now_us())
    await store.close()


def send_all(platform: Platform, files: dict[str, bytes]) -> dict[str, str]:
    """Send each mail to an address of its own; what was refused, with the words of the refusal."""
    refusals: dict[str, str] = {}
    with platform.connect() as client:
        for number, (name, raw) in enumerate(files.items()):
            try:
                assert client.mail("back@sender.example", ["BODY=8BITMIME"])[0] == 250
                assert client.rcpt(f"n{number}@dest.example")[0] == 250
                code, words = client.data(raw)
            except smtplib.SMTPServerDisconnected:
                raise AssertionError(f"{name}: the session ended") from None
            if code != 250:
                assert code in (550, 554), (name, code, words)
                refusals[name] = words.decode()
                if len(refusals) % 10 == 0:  # a session ends after many refusals
                    client.quit()
                    client.connect("127.0.0.1", platform.smtp_port)
                    client.ehlo()
                    client.login(platform.key, platform.secret)
    return refusals
