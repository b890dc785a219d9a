"""Customers' web addresses that misbehave (T10): they hang, fail, reset, lead to the inside, answer with 10 MB. Mail does not notice, who listens is told
everything in order, and nobody is led anywhere. (That a failed call is made again, for a day and more: `tests/api/test_webhooks.py`, by a clock of its own.)
"""

import asyncio
import hashlib
import time
from collections import defaultdict
from pathlib import Path

import httpx2
import pytest

from estafette.clock import SystemClock
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from tests.scenarios.platform import Platform
from tests.webcall.endpoint import Post, WebServer, status, web_server
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

MAILS = 20
"""Of each account."""
GROWTH_MB = 60
INSIDE: list[str] = []
SECRET = "s3cret"


def answer(number: int, post: Post) -> bytes | None:
    """By path: what this endpoint does."""
    match post.path.strip("/"):
        case "hangs":
            return None
        case "fails":
            return status(500, b"no")
        case "leads-inside":
            return status(302, b"", f"Location: http://{post.headers['host']}/inside")
        case "inside":
            INSIDE.append(post.path)
        case "huge":
            return status(200, b"x" * 10_000_000)
        case "endless-head":
            return b"HTTP/1.1 200 X\r\n" + b"X-More: and more\r\n" * 200_000
        case "nonsense":
            return b"\0\xff not HTTP\r\n\r\n"
        case "closes":
            return b""
    return status(200)


KINDS = ["well", "hangs", "fails", "leads-inside", "huge", "endless-head", "nonsense", "closes"]


@pytest.mark.timeout(120)
async def test_endpoints_that_misbehave_harm_nobody(tmp_path: Path) -> None:
    zone = {("dest.example", "MX"): ["10 mx.dest.example"], ("mx.dest.example", "A"): ["127.0.0.1"]}
    async with DnsServer(zone) as dns, MxServer() as mx, web_server(answer) as web:
        sections = {"webhooks": 'allowed_networks = ["127.0.0.0/8"]'}
        platform = Platform(tmp_path, f"sqlite:///{tmp_path}/estafette.db", dns=dns.server, mx_port=mx.port, workers=2, sections=sections)
        async with platform:
            await _open_accounts(platform.database_url, web)
            before = {pid: _memory_mb(pid) for pid in platform.worker_pids()}
            began_s = time.monotonic()

            async def send(kind: str, client: httpx2.AsyncClient) -> None:
                for n in range(MAILS):
                    to = [{"Email": f"{kind}{n}@dest.example"}]
                    message = {"From": {"Email": f"a@{kind}.example"}, "To": to, "Subject": "x", "TextPart": "x", "CustomID": f"{n}"}
                    got = await client.post(f"{platform.http_url}/v3.1/send", json={"Messages": [message]}, auth=(kind, SECRET))
                    assert got.status_code == 200, got.text

            async with httpx2.AsyncClient(timeout=20) as client:
                await asyncio.gather(*(send(kind, client) for kind in KINDS))
            await platform.settled(MAILS * len(KINDS), 30)
            mail_s = time.monotonic() - began_s
            async with asyncio.timeout(30):
                while sum(p.path == "/well" for p in web.posts) < MAILS or {p.path.strip("/") for p in web.posts} != set(KINDS):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            told_s = time.monotonic() - began_s
            growth = {pid: _memory_mb(pid) - before[pid] for pid in platform.worker_pids() if pid in before}
            assert len(growth) == len(before)  # the same processes
            platform.assert_nothing_is_missing()
    print(f"\n{MAILS * len(KINDS)} mails settled after {mail_s:.1f} s, who listens was told of all {MAILS} after {told_s:.1f} s; memory grew by {growth} MB")
    assert {m.recipients[0] for m in mx.mails} == {f"{kind}{n}@dest.example" for kind in KINDS for n in range(MAILS)} and len(mx.mails) == MAILS * len(KINDS)
    assert INSIDE == []
    told = defaultdict(set)
    for post in web.posts:
        told[post.path].add(post.json["CustomID"])
    assert told["/well"] == {f"{n}" for n in range(MAILS)}
    assert len([p for p in web.posts if p.path == "/hangs"]) <= 2 * len(before)  # one that hangs is not called for every mail at once
    assert all(mb < GROWTH_MB for mb in growth.values()), growth


async def _open_accounts(url: str, web: WebServer) -> None:
    store, now = await open_store(url, StatusPolicy(), SystemClock(), 1), SystemClock().now_us()
    for kind in KINDS:
        account = await store.add_account(kind, now)
        await store.add_key(account.id, kind, hashlib.sha256(SECRET.encode()).digest(), now)
        await store.add_domain(account.id, f"{kind}.example", True, "token", now)
        assert await store.webhooks.add(account.id, "sent", web.url(f"/{kind}"), 1, now) is not None
    await store.close()


def _memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
