"""Signing and verifying, against RFC 8463's own vector and dkimpy."""

import base64
import re

import dkim as oracle
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from estafette.mail.dkim import (
    ED25519,
    RSA,
    SigningKey,
    body_hash,
    canonical_body,
    choose_fields,
    load_private_key,
    prepare,
    public_key_record,
    sign,
)
from estafette.mail.dkim_verify import Result, read_key_record, read_signatures, read_tags, verify
from estafette.mail.header import read_header

KEYS = {
    RSA: SigningKey("example.com", "r1", RSA, rsa.generate_private_key(65537, 2048)),
    ED25519: SigningKey("example.com", "e1", ED25519, ed25519.Ed25519PrivateKey.generate()),
}
NOW = 1_790_000_000
MAIL = (
    b"From: Jo <jo@example.com>\r\nTo: a@b.example,\r\n\tc@d.example\r\nSubject:  Hello \t world\r\nDate: Mon, 23 Nov 2026 18:02:26 +0000\r\n"
    b"Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello  you \t\r\n\r\n.dot\r\n\r\n\r\n"
)

RFC8463 = (
    b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n"
    b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    b" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n"
    b" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n date : message-id : from : subject : date;\r\n"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    b" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    b"From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\nSubject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
    b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
)
RFC8463_RECORDS = {
    "brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test._domainkey.football.example.com": "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
    "Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
}  # fmt: skip


def signed(raw: bytes, algorithm: str) -> bytes:
    header = read_header(raw)
    pending = prepare(KEYS[algorithm], choose_fields(header), body_hash(raw[header.body_start :]), NOW)
    return pending.complete(sign(KEYS[algorithm], pending.to_sign)) + raw


def results(raw: bytes, records: dict[str, str]) -> list[Result]:
    header = read_header(raw)
    return [verify(raw, header, s, records.get(s.key_name, ""), NOW).result for s in read_signatures(header)]


def our_records() -> dict[str, str]:
    return {f"{k.selector}._domainkey.{k.domain}": public_key_record(k) for k in KEYS.values()}


def dkimpy_says(raw: bytes) -> bool:
    def lookup(name: bytes, timeout: int = 5) -> bytes:
        return our_records()[name.decode().rstrip(".")].encode()

    return bool(oracle.verify(raw, dnsfunc=lookup, minkey=1024))


def test_rfc_8463_vector_verifies() -> None:
    assert results(RFC8463, RFC8463_RECORDS) == [Result.PASS, Result.PASS]


def test_rfc_8463_key_makes_its_signature() -> None:
    secret = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = SigningKey("football.example.com", "brisbane", ED25519, ed25519.Ed25519PrivateKey.from_private_bytes(secret))
    assert public_key_record(key) == RFC8463_RECORDS["brisbane._domainkey.football.example.com"]
    header = read_header(RFC8463)
    assert body_hash(RFC8463[header.body_start :]) == b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


@pytest.mark.parametrize("algorithm", [RSA, ED25519])
def test_dkimpy_and_we_accept_what_we_sign(algorithm: str) -> None:
    made = signed(MAIL, algorithm)
    assert dkimpy_says(made)
    assert results(made, our_records()) == [Result.PASS]


@pytest.mark.parametrize("algorithm", [RSA, ED25519])
@pytest.mark.parametrize("kinds", [(b"relaxed", b"relaxed"), (b"simple", b"simple"), (b"relaxed", b"simple"), (b"simple", b"relaxed")])
def test_we_accept_what_dkimpy_signs(algorithm: str, kinds: tuple[bytes, bytes]) -> None:
    key = KEYS[algorithm]
    if algorithm == RSA:
        private = key.private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    else:
        private = base64.b64encode(
            key.private_key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
        )
    field = oracle.sign(MAIL, key.selector.encode(), key.domain.encode(), private, canonicalize=kinds, signature_algorithm=algorithm.encode())
    assert results(field + MAIL, our_records()) == [Result.PASS]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.replace(b"Hello  you", b"Hello yuo"),
        lambda m: m.replace(b"Subject:  Hello", b"Subject:  Hallo"),
        lambda m: b"From: Mallory <m@example.com>\r\n" + m,  # oversigned: a second author breaks it
        lambda m: m + b"P.S.\r\n",
        lambda m: m.replace(b"; t=1790000000", b"; t=1790000001"),
        lambda m: b"Cc: more@b.example\r\n" + m,
    ],
)
@pytest.mark.parametrize("algorithm", [RSA, ED25519])
def test_every_change_is_noticed(algorithm: str, change) -> None:  # type: ignore[no-untyped-def]
    changed = change(signed(MAIL, algorithm))
    assert results(changed, our_records()) == [Result.FAIL]
    assert not dkimpy_says(changed)


def test_white_space_may_change_on_the_way() -> None:
    made = signed(MAIL, RSA).replace(b"Subject:  Hello \t world", b"SUBJECT: Hello\r\n  world").replace(b"you \t\r\n", b"you\r\n") + b"\r\n\r\n"
    assert results(made, our_records()) == [Result.PASS]


def test_from_is_named_twice_and_h_is_folded_at_colons_only() -> None:
    field = read_header(signed(MAIL, RSA)).first("DKIM-Signature")
    assert field is not None
    names = read_tags(field.value)["h"].split(":")  # type: ignore[index]
    assert names.count("from") == 2 and names.count("to") == 2 and names.count("cc") == 1
    raw_h = re.search(rb"\bh=(.*?);", field.raw_value, re.S)
    assert raw_h is not None
    assert all(part.endswith(b":") for part in re.split(rb"\r\n[ \t]+", raw_h[1])[:-1])
    assert max(map(len, field.raw_value.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b""), (b"\r\n", b""), (b"\r\n\r\n\r\n", b""), (b" \r\n", b""), (b"a", b"a\r\n"), (b"a \t", b"a\r\n"), (b"a\r\n\r\n", b"a\r\n"),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"), (b"\t\ta  b\t\r\n", b" a b\r\n"), (b"a\r\n \r\n\t\r\n", b"a\r\n"), (b"\r\na", b"\r\na\r\n"),
    ],
)  # fmt: skip
def test_canonical_body(body: bytes, canonical: bytes) -> None:
    assert canonical_body(body) == canonical


@given(st.lists(st.sampled_from([b" ", b"\t", b"a", b"bc", b"\r\n", b".", b"  "]), max_size=60).map(b"".join))
@settings(max_examples=400, deadline=None)
def test_canonical_body_is_what_dkimpy_makes(body: bytes) -> None:
    from dkim.canonicalization import Relaxed

    body += b"\r\n"  # as every mail on the wire; dkimpy leaves blanks in a last line without it
    assert canonical_body(body) == Relaxed.canonicalize_body(body)


@pytest.mark.parametrize(
    ("edit", "result"),
    [
        (lambda f: f.replace(b"v=1", b"v=2"), Result.PERMERROR),
        (lambda f: f.replace(b"a=rsa-sha256", b"a=rsa-sha1"), Result.PERMERROR),
        (lambda f: f.replace(b"d=example.com", b"d=exam ple..com"), Result.PERMERROR),
        (lambda f: f.replace(b"h=from:from:", b"h="), Result.PERMERROR),
        (lambda f: f.replace(b"; t=", b"; x=1000; t="), Result.FAIL),
        (lambda f: f.replace(b"; t=", b"; t=1; t="), Result.PERMERROR),
        (lambda f: f.replace(b"; t=", b"; l=99999; t="), Result.PERMERROR),
        (lambda f: f.replace(b"; t=", b"; l=\xc2\xb2; t="), Result.PERMERROR),
        (lambda f: f.replace(b"; t=", b"; i=@other.example; t="), Result.PERMERROR),
    ],
)
def test_hostile_signatures(edit, result: Result) -> None:  # type: ignore[no-untyped-def]
    assert results(edit(signed(MAIL, RSA)), our_records()) == [result]


UNUSABLE = ["", "v=DKIM1; p=", "v=DKIM1; k=ed25519; p=AAAA", "v=DKIM1; p=%%%", "v=DKIM2; p=AAAA", "v=DKIM1; h=sha1; p=AAAA",
            "v=DKIM1; s=other; p=AAAA", "p=QUFB", "x"]  # fmt: skip


@pytest.mark.parametrize("record", UNUSABLE)
def test_unusable_key_records(record: str) -> None:
    assert isinstance(read_key_record(record, {"a": RSA, "d": "example.com"}), str)


def test_no_answer_is_temporary() -> None:
    made = signed(MAIL, RSA)
    header = read_header(made)
    assert verify(made, header, read_signatures(header)[0], None, NOW).result is Result.TEMPERROR


def test_private_keys_are_loaded_by_kind() -> None:
    der = KEYS[ED25519].private_key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert load_private_key("example.com", "e1", ED25519, der).algorithm == ED25519
    with pytest.raises(ValueError, match="not a private key"):
        load_private_key("example.com", "e1", RSA, der)
