"""What domains say about TLS: MTA-STS records and files (RFC 8461), TLSA records (RFC 7672)."""

import hashlib
from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from estafette.deliver.demand import DANE, ENCRYPTED, FREE, MUST, PKIX, PROVED, Demand, allows_host, outcome_of, serves
from estafette.mail.dane import Tlsa, fault_of, usable
from estafette.mail.mta_sts import MAX_AGE_S, StsPolicy, matches, read_policy, read_record

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=spf1 -all", "v=STSv1; id=a1"], "a1"),
        (["v=STSv1; id=a", "v=STSv1; id=b"], ""),
        (["v=STSv1;"], ""),
        (["v=STSv1; id=a b"], ""),
        (["v=STSv12; id=a"], ""),
        ([], ""),
    ],
)
def test_the_record(texts: list[str], expected: str) -> None:
    assert read_record(texts) == expected


def test_the_file() -> None:
    text = b"version: STSv1\r\nmode: enforce\nmx: MX1.example.com\nmx: *.example.net\r\nmax_age: 604800\n"
    found = read_policy(text)
    assert (found.mode, found.mx, found.max_age_s) == ("enforce", ("mx1.example.com", "*.example.net"), 604800)
    assert read_policy(b"version: STSv1\nmode: none\nmax_age: 9999999999").max_age_s == MAX_AGE_S
    assert isinstance(found, StsPolicy) and len(found.lines) == 5


@pytest.mark.parametrize(
    "text",
    [b"", b"version: STSv2\nmode: none\nmax_age: 1", b"version: STSv1\nmode: maybe\nmx: a\nmax_age: 1", b"version: STSv1\nmode: enforce\nmax_age: 1",
     b"version: STSv1\nmode: enforce\nmx: a\nmax_age: -1", b"version: STSv1\nmode", b"\xff\xfe", b"x: y\n" * 20_000],
)  # fmt: skip
def test_a_file_that_is_none(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_policy(text)


@pytest.mark.parametrize(
    ("host", "is_match"),
    [("mx.a.test", True), ("one.b.test", True), ("one.two.b.test", False), ("b.test", False), ("xmx.a.test", False), ("", False)],
)
def test_hosts_of_a_policy(host: str, is_match: bool) -> None:
    assert matches(host, ("mx.a.test", "*.b.test")) is is_match


CA = trustme.CA()
LEAF = CA.issue_cert("mx.a.test", "*.b.test")
CHAIN = [pem.bytes() for pem in LEAF.cert_chain_pems] + [CA.cert_pem.bytes()]
DER = [x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER) for pem in CHAIN]


def spki(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("record", "name", "fault"),
    [
        (Tlsa(3, 1, 1, hashlib.sha256(spki(DER[0])).digest()), "any.test", ""),
        (Tlsa(3, 0, 2, hashlib.sha512(DER[0]).digest()), "any.test", ""),
        (Tlsa(3, 1, 0, spki(DER[0])), "any.test", ""),
        (Tlsa(3, 1, 1, b"x" * 32), "mx.a.test", "not the one"),
        (Tlsa(2, 0, 1, hashlib.sha256(DER[1]).digest()), "mx.a.test", ""),
        (Tlsa(2, 0, 1, hashlib.sha256(DER[1]).digest()), "one.b.test", ""),
        (Tlsa(2, 0, 1, hashlib.sha256(DER[1]).digest()), "other.test", "another name"),
        (Tlsa(2, 0, 1, b"x" * 32), "mx.a.test", "no certificate of the chain"),
    ],
)
def test_dane(record: Tlsa, name: str, fault: str) -> None:
    found = fault_of([record], DER, [name], NOW)
    assert (fault in found) if fault else not found, found


def test_dane_below_an_anchor_looks_at_dates_and_links() -> None:
    anchor = Tlsa(2, 0, 1, hashlib.sha256(DER[1]).digest())
    assert "expired" in fault_of([anchor], DER, ["mx.a.test"], datetime(1990, 1, 1, tzinfo=UTC))
    other = trustme.CA().issue_cert("mx.a.test")
    alien = x509.load_pem_x509_certificate(other.cert_chain_pems[0].bytes()).public_bytes(serialization.Encoding.DER)
    assert "broken" in fault_of([anchor], [alien, DER[1]], ["mx.a.test"], NOW)
    assert fault_of([anchor], [], ["mx.a.test"], NOW) and fault_of([anchor], [b"no certificate"], ["mx.a.test"], NOW)


def test_records_that_smtp_does_not_go_by() -> None:
    assert usable([Tlsa(0, 0, 1, b"x"), Tlsa(1, 0, 1, b"x"), Tlsa(3, 2, 1, b"x"), Tlsa(3, 1, 9, b"x"), Tlsa(3, 1, 1, b"")]) == []


def test_what_a_connection_must_have() -> None:
    enforced, testing = Demand(PROVED, ("mx.a.test",), "MTA-STS"), Demand("may", ("mx.a.test",), is_testing=True)
    assert [serves(enforced, "mx.a.test", trust) for trust in ("", ENCRYPTED, PKIX, DANE)] == [False, False, True, True]
    assert not serves(enforced, "mx.other.test", PKIX)
    assert serves(FREE, "any", "") and not serves(Demand(MUST), "any", "") and serves(Demand(MUST), "any", ENCRYPTED)
    assert allows_host(testing, "mx.other.test") and not allows_host(enforced, "mx.other.test")
    assert outcome_of("the server does not offer STARTTLS and TLS is required") == "starttls-not-supported"
    assert outcome_of("certificate verify failed: Hostname mismatch") == "certificate-host-mismatch"
    assert outcome_of("anything") == "validation-failure"
