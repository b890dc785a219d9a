"""Faults of the DNS (T6): mail to each kind of broken domain at once, beside a domain that works. Only what the DNS says for certain (no such domain, null MX,
nothing that takes mail) is final; everything else is temporary, and nobody else's mail is slower for it."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.world.dns import Behaviour, DnsServer, How, Script
from tests.world.mx import MxServer

WELL = 60
LATER, GONE, HAS = "soft_bounced", "hard_bounced", "delivered"
MX = "10 mx.well.example"


@dataclass(frozen=True)
class Fault:
    """What the DNS has and does for one domain (`@` stands for its name), and what becomes of its mail."""

    state: str
    zone: dict[tuple[str, str], list[str]]
    how: dict[str, Script]


def fault(state: str, how: Script | None = None, mx: list[str] | None = None, more: dict[tuple[str, str], list[str]] | None = None,
          others: dict[str, Script] | None = None) -> Fault:  # fmt: skip
    zone = {("@", "MX"): [MX] if mx is None else mx} if mx != [] else {}
    return Fault(state, zone | (more or {}), ({"@": how} if how is not None else {}) | (others or {}))


FAULTS = {
    "servfail": fault(LATER, How.SERVFAIL),
    "refused": fault(LATER, How.REFUSED),
    "silent": fault(LATER, How.TIMEOUT),
    "garbage": fault(LATER, How.GARBAGE),
    "wrong-id": fault(LATER, How.WRONG_ID),
    "lame": fault(HAS, How.ALIAS_ONLY, mx=[], more={("@", "CNAME"): ["target.example"]}),  # what the alias leads to is asked for
    "truncated": fault(HAS, How.TRUNCATED),
    "slow": fault(HAS, Behaviour(How.ANSWER, 0.4)),
    "lost-once": fault(HAS, [How.TIMEOUT, How.ANSWER]),
    "servfail-once": fault(HAS, [How.SERVFAIL, How.SERVFAIL, How.ANSWER]),
    "no-such-domain": fault(GONE, How.NXDOMAIN),
    "null-mx": fault(GONE, mx=["0 ."]),
    "null-mx-and-another": fault(HAS, mx=["0 .", MX]),
    "no-records": fault(GONE, mx=[], more={("@", "TXT"): ['"nothing else"']}),
    "implicit": fault(HAS, mx=[], more={("@", "A"): ["127.0.2.1"]}),
    "alias": fault(HAS, mx=[], more={("@", "CNAME"): ["target.example"]}),
    "alias-loop": fault(LATER, mx=[], more={("@", "CNAME"): ["loop.@"], ("loop.@", "CNAME"): ["@"]}),
    "alias-chain": fault(LATER, mx=[], more={("@", "CNAME"): ["c0.@"], **{(f"c{n}.@", "CNAME"): [f"c{n + 1}.@"] for n in range(40)}}),
    "mx-alias": fault(HAS, mx=["10 mxalias.@"], more={("mxalias.@", "CNAME"): ["mx.well.example"]}),
    "mx-servfail": fault(LATER, mx=["10 mx.@"], others={"mx.@": How.SERVFAIL}),
    "mx-silent-one-of-two": fault(HAS, mx=["10 dark.@", "20 mx.well.example"], others={"dark.@": How.TIMEOUT}),
    "mx-gone-one-of-two": fault(HAS, mx=["10 gone.@", "20 mx.well.example"], others={"gone.@": How.NXDOMAIN}),
    "mx-dead-one-of-two": fault(HAS, mx=["10 dead.@", "20 mx.well.example"], more={("dead.@", "A"): ["127.0.2.250"]}),
    "mx-is-an-address": fault(GONE, mx=["10 127.0.2.1"]),
    "five-hundred-mx": fault(HAS, mx=[f"{n} mx{n}.@" for n in range(499)] + ["0 mx.well.example"]),
    "zero-ttl": fault(HAS),
    "case-and-length": fault(HAS, mx=["10 " + "M" * 60 + ".@"], more={("m" * 60 + ".@", "A"): ["127.0.2.1"]}),
}


@pytest.mark.timeout(180)
async def test_faults_of_the_dns(tmp_path: Path) -> None:
    zone = {("well.example", "MX"): [MX], ("mx.well.example", "A"): ["127.0.2.1"], ("target.example", "MX"): [MX]}
    behaviours: dict[str, Script] = {}
    for name, one in FAULTS.items():
        domain = f"{name}.example"
        zone |= {(key.replace("@", domain), kind): [value.replace("@", domain) for value in values] for (key, kind), values in one.zone.items()}
        behaviours |= {key.replace("@", domain): how for key, how in one.how.items()}
    sections = {"delivery": 'give_up_after = "10s"\nretry = ["1s", "2s"]\nretry_jitter = 0\nconnect_timeout = "2s"\ndns_timeout = "2s"'}
    async with DnsServer(zone, behaviours, ttl_s=0) as dns, MxServer(address="127.0.2.1") as mx:
        async with Platform(tmp_path, f"sqlite:///{tmp_path}/estafette.db", dns=dns.server, mx_port=mx.port, sections=sections) as platform:

            def send() -> None:
                with platform.connect() as client:
                    for n in range(WELL):
                        for to in (f"w{n}@well.example", *(f"p@{name}.example" for name in list(FAULTS)[n : n + 1])):
                            client.sendmail(f"news@{DOMAIN}", [to], mail(f"to {to}"))

            began_s = time.monotonic()
            await asyncio.to_thread(send)
            async with asyncio.timeout(20):
                while sum(m.recipients[0].endswith("@well.example") for m in mx.mails) < WELL:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            well_s = time.monotonic() - began_s
            messages = await platform.settled(WELL + len(FAULTS))
            platform.assert_nothing_is_missing()
        assert mx.violations == []
    print(f"\n{WELL} to the one that works within {well_s:.1f} s; all after {time.monotonic() - began_s:.1f} s")
    states = {m["to"].partition("@")[2].removesuffix(".example"): m["state"] for m in messages if not m["to"].endswith("@well.example")}
    assert states == {name: one.state for name, one in FAULTS.items()}
