"""DANE (RFC 7672) over real sockets: a resolver that vouches for its answers, TLSA records that are right, wrong and unusable, and servers without TLS."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.world import certificate
from tests.world.dns import DnsServer
from tests.world.mx import EXTENSIONS, MxServer

LATER, HAS = "soft_bounced", "delivered"


def spki_sha256(identities: tuple[str, ...]) -> str:
    """The digest of the public key that the server shows: what a TLSA record 3 1 1 holds."""
    shown = x509.load_pem_x509_certificate(certificate(identities).cert_chain_pems[0].bytes())
    return hashlib.sha256(shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_authentic", [True, False], ids=["signed", "unsigned"])
async def test_a_certificate_must_be_the_one_that_the_dns_promises(tmp_path: Path, is_authentic: bool) -> None:
    """Without signatures nothing is promised, and TLS is as opportunistic as ever."""
    names = ("mx.test",)
    right, wrong = f"3 1 1 {spki_sha256(names)}", f"3 1 1 {'ab' * 32}"
    records = {"right": [right], "rolled": [wrong, right], "wrong": [wrong], "unusable": ["0 0 1 " + "cd" * 32], "none": [], "clear": [right], "clear-none": []}
    zone = {}
    for domain in records:
        zone[f"{domain}.example", "MX"] = [f"10 mx.{domain}.example"]
        zone[f"mx.{domain}.example", "A"] = ["127.0.2.2" if domain.startswith("clear") else "127.0.2.1"]
    async with (
        DnsServer(zone, is_authentic=is_authentic) as dns, MxServer(address="127.0.2.1", identities=names) as mx,
        MxServer(address="127.0.2.2", port=mx.port, extensions=[e for e in EXTENSIONS if e != "STARTTLS"]) as clear,
    ):  # fmt: skip
        for domain, values in records.items():
            if values:
                dns.zone[f"_{mx.port}._tcp.mx.{domain}.example", "TLSA"] = values
        sections = {"delivery": 'dane = true\ngive_up_after = "5s"\nretry = ["1s"]\nretry_jitter = 0'}
        platform = Platform(tmp_path, f"sqlite:///{tmp_path}/estafette.db", dns=dns.server, mx_port=mx.port, sections=sections)
        async with platform:

            def send() -> None:
                with platform.connect() as client:
                    for domain in records:
                        client.sendmail(f"news@{DOMAIN}", [f"a@{domain}.example"], mail())

            await asyncio.to_thread(send)
            messages = await platform.settled(len(records))
            log = platform.log()
        assert mx.violations == clear.violations == []
    states = {m["to"].removeprefix("a@").removesuffix(".example"): m["state"] for m in messages}
    if not is_authentic:
        assert set(states.values()) == {HAS}
        assert "DANE" not in log
        return
    assert states == {"right": HAS, "rolled": HAS, "wrong": LATER, "unusable": HAS, "none": HAS, "clear": LATER, "clear-none": HAS}
    told = {domain: [line for line in log.splitlines() if f"to=a@{domain}.example" in line] for domain in records}
    assert all("DANE" in told[domain][-1] and "delivered" in told[domain][-1] for domain in ("right", "rolled"))
    assert "DANE" in told["wrong"][-1] and all("DANE" not in line for line in told["none"] + told["unusable"])
    assert all("a@clear.example" not in m.recipients for m in clear.mails)
