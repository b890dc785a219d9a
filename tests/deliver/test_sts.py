"""MTA-STS and required TLS on the road: policies over real HTTPS, certificates of an authority of our own, real SMTP."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from estafette.deliver.connection import Policy
from estafette.deliver.demand import PROVED
from estafette.deliver.dns import DnsResolver
from estafette.deliver.sts import PolicyKeeper
from tests.deliver.road import Road, road
from tests.world import authority, server_context

POLICY = "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n"


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


class PolicyHost:
    """Serves one policy file over HTTPS."""

    def __init__(self) -> None:
        self.text, self.port, self.asked, self.status = "", 0, 0, "200 OK"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(self.text)}\r\n\r\n{self.text}".encode())
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def policy_host(*names: str) -> AsyncIterator[PolicyHost]:
    host = PolicyHost()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=server_context(names))
    host.port = server.sockets[0].getsockname()[1]
    async with server:
        yield host


def publish(r: Road, domain: str, record: str = "v=STSv1; id=1;") -> None:
    r.dns.zone[f"_mta-sts.{domain}", "TXT"] = [f'"{record}"']
    r.dns.zone[f"mta-sts.{domain}", "A"] = ["127.0.0.1"]


def keeper(r: Road, port: int) -> PolicyKeeper:
    return PolicyKeeper(r.real, DnsResolver([(r.dns.address, r.dns.port)], 1.0, r.clock), r.clock, port=port, context=trusting())


async def test_a_policy_is_fetched_remembered_and_outlives_a_host_that_is_gone(tmp_path: Path) -> None:
    async with road(tmp_path, runs=False) as r, policy_host("mta-sts.dest.example") as host:
        host.text = POLICY.format(mode="enforce", mx="mx.dest.example")
        publish(r, "dest.example")
        first = keeper(r, host.port)
        demands = await asyncio.gather(*(first.demand("dest.example") for _ in range(5)))
        assert {(d.level, d.mx) for d in demands} == {(PROVED, ("mx.dest.example",))} and host.asked == 1
        assert first.known("dest.example") is demands[0] and first.known("other.example") is None
        assert (await first.demand("other.example")).level == "may"
        host.status = "500 gone"
        publish(r, "dest.example", "v=STSv1; id=2;")
        assert (await keeper(r, host.port).demand("dest.example")).level == PROVED, "the old one holds until its end"
        publish(r, "same.example")
        assert (await keeper(r, host.port).demand("same.example")).level == "may", "one that was never seen does not"


@pytest.mark.parametrize(("mode", "delivered"), [("enforce", False), ("testing", True)])
async def test_a_server_with_a_wrong_certificate(tmp_path: Path, mode: str, delivered: bool) -> None:
    """mx.test is what its certificate says; the policy of one domain of the site is about mx.dest.example."""
    policy = Policy("relay.test", 2.0, 2.0, 2.0, strict_context=trusting())
    async with road(tmp_path, runs=False, policy=policy, pauses_s=(20.0,)) as r, policy_host("mta-sts.dest.example") as host:
        host.text = POLICY.format(mode=mode, mx="mx.dest.example")
        publish(r, "dest.example")
        r.engine.policies = keeper(r, host.port)
        r.running = asyncio.create_task(r.engine.run())
        (asked,) = await r.put("a@dest.example")
        (free,) = await r.put("b@same.example")
        states = await r.until(lambda states: set(states.values()) <= {"delivered", "deferred"})
        assert states == {"a@dest.example": "delivered" if delivered else "deferred", "b@same.example": "delivered"}
        last = (await r.real.timeline(asked))[-1]
        if not delivered:
            assert last.data["tls_wanted"] == "MTA-STS of dest.example (enforce)" and "certificate" in last.reply.lower(), last
        assert "TLS" in str((await r.real.timeline(free))[-1].data["tls"])


async def test_a_server_that_proves_itself_gets_the_mail_and_the_attempt_says_so(tmp_path: Path) -> None:
    policy = Policy("relay.test", 2.0, 2.0, 2.0, strict_context=trusting())
    async with road(tmp_path, runs=False, policy=policy) as r, policy_host("mta-sts.dest.example") as host:
        r.mx.identities = ("mx.dest.example",)
        host.text = POLICY.format(mode="enforce", mx="*.dest.example")
        publish(r, "dest.example")
        r.engine.policies = keeper(r, host.port)
        r.running = asyncio.create_task(r.engine.run())
        (number,) = await r.put("a@dest.example")
        await r.settled()
        assert str((await r.real.timeline(number))[-1].data["tls"]).endswith("valid certificate")
        await r.eventually(lambda: not r.engine.connector.results, 20.0)
        ((result, sessions),) = await r.real.tls.results(r.clock.now_us() // 86_400_000_000)
        assert (result.domain, result.policy_type, result.outcome, sessions) == ("dest.example", "sts", "", 1)


async def test_a_mail_that_must_not_go_in_clear_waits(tmp_path: Path) -> None:
    async with road(tmp_path, pauses_s=(20.0,)) as r:
        r.mx.extensions.discard("STARTTLS")
        await r.submit("free@dest.example")
        await r.submit("shy@dest.example", content=b"From: news@sender.example\r\nX-Estafette-TLS: require\r\nSubject: Hello\r\n\r\nBody\r\n")
        states = await r.until(lambda states: set(states.values()) <= {"delivered", "deferred"})
        assert states == {"free@dest.example": "delivered", "shy@dest.example": "deferred"}
        r.mx.extensions.add("STARTTLS")
        await r.real.retry_now(r.clock.now_us())
        r.engine.hear()
        await r.settled()
        assert r.mx.mails_to("shy@dest.example")[0].tls is not None
