"""DKIM verification (RFC 6376 6.1, RFC 8463), pure: the key records are looked up by whoever can.

    for signature in read_signatures(raw, header):
        verification = verify(raw, header, signature, record_at(signature.key_name), now_s)
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from estafette.mail.address import AddressError, parse_domain
from estafette.mail.dkim import ED25519, RSA, canonical_body, canonical_field, without_last_empty_lines
from estafette.mail.header import Field, Header

MAX_SIGNATURES: Final = 10
MIN_RSA_BITS: Final = 1024  # RFC 8301 3.2
CLOCK_SKEW_S: Final = 300
_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*([^;]*?)\s*(?:;|\Z)")
_B_VALUE = re.compile(rb"(;[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_WHITE = re.compile(r"\s+")


class Result(Enum):
    """RFC 8601 2.7.1."""

    PASS = "pass"
    FAIL = "fail"
    PERMERROR = "permerror"
    TEMPERROR = "temperror"


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM-Signature field as read; `problem` says what makes it useless."""

    field: Field
    tags: dict[str, str]
    problem: str = ""

    @property
    def domain(self) -> str:
        """d=, lower case."""
        return self.tags.get("d", "").lower()

    @property
    def key_name(self) -> str:
        """Where the key record is."""
        return f"{self.tags.get('s', '')}._domainkey.{self.domain}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What one signature is worth."""

    result: Result
    domain: str
    selector: str
    why: str = ""


def read_signatures(header: Header) -> list[Signature]:
    """The signatures of a mail, from the top; at most `MAX_SIGNATURES`."""
    return [_read(field) for field in header.all("DKIM-Signature")[:MAX_SIGNATURES]]


def _read(field: Field) -> Signature:
    tags = read_tags(field.value)
    if tags is None:
        return Signature(field, {}, "not a list of tags, or a tag given twice")
    missing = [tag for tag in ("v", "a", "b", "bh", "d", "h", "s") if not tags.get(tag)]
    problem = ""
    if missing:
        problem = f"no {missing[0]}= tag"
    elif tags["v"] != "1":
        problem = f"unknown version {tags['v']}"
    elif tags["a"] not in (RSA, ED25519):
        problem = f"unsupported algorithm {tags['a']}"
    elif "from" not in _names(tags["h"]):
        problem = "From is not signed"
    elif tags.get("i") and not _is_within(tags["i"].rpartition("@")[2].lower(), tags["d"].lower()):
        problem = "i= is not within d="
    elif not {*tags.get("c", "simple/simple").split("/")} <= {"simple", "relaxed"}:
        problem = "unknown canonicalisation"
    elif not all((tags.get(name, "0").isascii() and tags.get(name, "0").isdigit()) and len(tags.get(name, "0")) < 16 for name in ("l", "t", "x")):
        problem = "l=, t= and x= must be numbers"
    else:
        try:
            parse_domain(tags["d"])
        except AddressError as error:
            problem = str(error)
    return Signature(field, tags, problem)


def read_tags(text: str) -> dict[str, str] | None:
    """A tag list (RFC 6376 3.2) with all white space taken out of the values; None when malformed or a tag occurs twice."""
    tags: dict[str, str] = {}
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TAG.match(text, position)
        if match is None or match[1] in tags:
            return None
        tags[match[1]] = _WHITE.sub("", match[2])
        position = match.end()
    return tags


def verify(raw: bytes, header: Header, signature: Signature, record: str | None, now_s: int) -> Verification:
    """Check one signature. `record` is the text of its key record; None: the DNS did not answer (temporary), "" = there is none."""
    tags = signature.tags

    def verdict(result: Result, why: str = "") -> Verification:
        return Verification(result, signature.domain, tags.get("s", ""), why)

    if signature.problem:
        return verdict(Result.PERMERROR, signature.problem)
    if tags.get("x") and int(tags["x"]) < now_s - CLOCK_SKEW_S:
        return verdict(Result.FAIL, "the signature has expired")
    if record is None:
        return verdict(Result.TEMPERROR, "the key could not be looked up")
    key = read_key_record(record, tags)
    if isinstance(key, str):
        return verdict(Result.PERMERROR, key)
    header_kind, _, body_kind = tags.get("c", "simple/simple").partition("/")
    body = raw[header.body_start :]
    body = canonical_body(body) if body_kind == "relaxed" else _simple_body(body)
    if "l" in tags:
        if int(tags["l"]) > len(body):
            return verdict(Result.PERMERROR, "l= is larger than the body")
        body = body[: int(tags["l"])]
    try:
        if base64.b64decode(tags["bh"], validate=True) != hashlib.sha256(body).digest():
            return verdict(Result.FAIL, "the body was changed")
        octets = base64.b64decode(tags["b"], validate=True)
    except (binascii.Error, ValueError):
        return verdict(Result.PERMERROR, "bh= or b= is not base64")
    signed = _signed_octets(raw, header, signature, header_kind)
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(octets, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(octets, hashlib.sha256(signed).digest())
    except InvalidSignature:
        return verdict(Result.FAIL, "the header was changed, or the key is another one")
    return verdict(Result.PASS)


def read_key_record(record: str, tags: dict[str, str]) -> RSAPublicKey | Ed25519PublicKey | str:
    """The public key of a record (RFC 6376 3.6.1), or why it cannot be used for a signature with these tags."""
    fields = read_tags(record)
    if not record or fields is None:
        return "no key record" if not record else "the key record is malformed"
    kind = fields.get("k", "rsa")
    if fields.get("v", "DKIM1") != "DKIM1" or tags["a"].split("-")[0] != kind:
        return "the key record is for another algorithm"
    if "h" in fields and "sha256" not in fields["h"].split(":"):
        return "the key record does not allow SHA-256"
    if "s" in fields and not {"*", "email"} & {*fields["s"].split(":")}:
        return "the key record is not for e-mail"
    if "s" in fields.get("t", "").split(":") and tags.get("i", "").rpartition("@")[2].lower() not in ("", tags["d"].lower()):
        return "the key record forbids subdomains in i="
    if not fields.get("p"):
        return "the key was revoked"
    try:
        octets = base64.b64decode(fields["p"], validate=True)
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)
        key = serialization.load_der_public_key(octets)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return "the public key cannot be read"
    if not isinstance(key, RSAPublicKey):
        return "the public key is not an RSA key"
    return key if key.key_size >= MIN_RSA_BITS else f"an RSA key of {key.key_size} bits is too short"


def _signed_octets(raw: bytes, header: Header, signature: Signature, kind: str) -> bytes:
    """The fields that h= names, each name taking the next occurrence from the bottom, then the signature's own field without its b=."""
    waiting: dict[str, list[Field]] = {}
    for field in header:
        waiting.setdefault(field.key, []).append(field)
    pieces = [_canonical(raw, waiting[name].pop(), kind) for name in _names(signature.tags["h"]) if waiting.get(name)]
    own = raw[signature.field.start : signature.field.end]
    colon = own.index(b":")
    value = _B_VALUE.sub(rb"\1", b";" + own[colon + 1 :], count=1)[1:]
    if kind == "relaxed":
        return b"".join(pieces) + canonical_field(b"dkim-signature", value)[:-2]
    return b"".join(pieces) + (own[: colon + 1] + value).removesuffix(b"\r\n")


def _canonical(raw: bytes, field: Field, kind: str) -> bytes:
    if kind == "relaxed":
        return canonical_field(field.name.rstrip().encode(), field.raw_value)
    return raw[field.start : field.end]


def _simple_body(body: bytes) -> bytes:
    return without_last_empty_lines(body if body.endswith(b"\r\n") else body + b"\r\n") or b"\r\n"


def _names(h: str) -> list[str]:
    return [name.strip().lower() for name in h.split(":")]


def _is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")
