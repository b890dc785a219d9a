"""DKIM signing (RFC 6376, RFC 8463), relaxed/relaxed, in pieces that follow what changes how often.

    hash = body_hash(body)                          # once per submission
    signed = choose_fields(header)                  # once per submission
    pending = prepare(key, signed, hash, at_s)      # per signature, cheap
    field = pending.complete(sign(key, pending.to_sign))   # the RSA operation: may run in a thread, lets go of the interpreter lock

From and the other fields that a reader sees are named once more in `h=` than they occur (oversigning): nobody can add a second one later.
`h=` is folded at colons only, because some verifiers stumble over blanks inside it.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from estafette.mail.header import Header

RSA: Final = "rsa-sha256"
ED25519: Final = "ed25519-sha256"
SIGNED: Final = (
    "from", "to", "cc", "subject", "date", "message-id", "reply-to", "sender", "in-reply-to", "references", "mime-version", "content-type",
    "content-transfer-encoding", "list-id", "list-unsubscribe", "list-unsubscribe-post", "feedback-id",
)  # fmt: skip
"""The fields that are signed, every one that occurs (RFC 6376 5.4.1)."""
OVERSIGNED: Final = frozenset({"from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version", "content-type"})
_BLANKS = re.compile(rb"[ \t\r\n]+")
_LINE: Final = 74
INLINE_BYTES: Final = 100_000
PIECE_BYTES: Final = 2_000


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the name under which its public half is published: `selector._domainkey.domain`."""

    domain: str
    selector: str
    algorithm: str  # RSA or ED25519
    private_key: RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SignedFields:
    """The header as it is signed: `names` is the value of `h=`, `canonical` the fields in that order."""

    names: bytes
    canonical: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """A signature that lacks only the private-key operation over `to_sign`."""

    to_sign: bytes
    field: bytes  # the DKIM-Signature field up to and including "b="

    def complete(self, signature: bytes) -> bytes:
        """The whole field, CRLF at its end, ready to stand at the top of the mail."""
        text = base64.b64encode(signature)
        first = _LINE - 3
        lines = [text[:first], *(text[i : i + _LINE] for i in range(first, len(text), _LINE))]
        return self.field + b"\r\n\t".join(lines) + b"\r\n"


def load_private_key(domain: str, selector: str, algorithm: str, der: bytes) -> SigningKey:
    """A key from PKCS#8 DER. Raises ValueError when it is of another kind than `algorithm` says."""
    key = serialization.load_der_private_key(der, None)
    expected = RSAPrivateKey if algorithm == RSA else Ed25519PrivateKey
    if not isinstance(key, expected):
        raise ValueError(f"{selector}._domainkey.{domain}: not a private key for {algorithm}")
    return SigningKey(domain, selector, algorithm, key)


def canonical_body(body: bytes) -> bytes:
    """RFC 6376 3.4.4. Whole-body replacements, and none where nothing is to be replaced."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")  # halves every run each time
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    if body.endswith(b" "):
        body = body[:-1]
    return without_last_empty_lines(body)


def without_last_empty_lines(body: bytes) -> bytes:
    """The body ending in exactly one CRLF; nothing when there was nothing else."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    if end == 0:
        return b""
    return body if end == len(body) - 2 else body[:end] + b"\r\n"


def body_hash(body: bytes) -> bytes:
    """The value of `bh=`: base64 of SHA-256."""
    return base64.b64encode(hashed(canonical_body(body)).digest())


def hashed(data: bytes) -> "hashlib._Hash":
    """SHA-256 over `data` so far. In pieces of less than 2 kB unless there are many: `hashlib` lets go of the interpreter lock for more, and a busy loop
    then waits 0.2 ms for threads that sign or write, to save the 10 µs that hashing a mail takes."""
    if len(data) > INLINE_BYTES:
        return hashlib.sha256(data)
    made = hashlib.sha256()
    for at in range(0, len(data), PIECE_BYTES):
        made.update(data[at : at + PIECE_BYTES])
    return made


def canonical_field(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2, with CRLF. `value` is folded as it stands in the mail."""
    return name.lower() + b":" + _BLANKS.sub(b" ", value).strip() + b"\r\n"


def choose_fields(header: Header) -> SignedFields:
    """What of a header is signed. Of a field that occurs often the last occurrence comes first (RFC 6376 5.4.2)."""
    names: list[str] = []
    pieces: list[bytes] = []
    for name in SIGNED:
        found = header.all(name)
        for field in reversed(found):
            names.append(name)
            pieces.append(canonical_field(name.encode(), field.raw_value))
        if name in OVERSIGNED:
            names.append(name)  # one more than there are: a field added later breaks the signature
    return SignedFields(_fold_at_colons(names), b"".join(pieces))


def _fold_at_colons(names: list[str]) -> bytes:
    lines, line = [], ""
    for i, name in enumerate(names):
        word = name + (":" if i < len(names) - 1 else ";")
        if len(line) + len(word) > _LINE - 4 and line:
            lines.append(line)
            line = ""
        line += word
    return "\r\n\t ".join([*lines, line]).encode()


def prepare(key: SigningKey, signed: SignedFields, hash_of_body: bytes, at_s: int) -> Pending:
    """The signature's field and what is to be signed; `at_s` is the time of signing, seconds since 1970."""
    value = (
        f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};\r\n\ts={key.selector}; t={at_s};\r\n\th=".encode()
        + signed.names + b"\r\n\tbh=" + hash_of_body + b";\r\n\tb="
    )  # fmt: skip
    to_sign = signed.canonical + canonical_field(b"dkim-signature", value)[:-2]
    return Pending(to_sign, b"DKIM-Signature:" + value)


def sign(key: SigningKey, to_sign: bytes) -> bytes:
    """The private-key operation: the only expensive step."""
    if isinstance(key.private_key, RSAPrivateKey):
        return key.private_key.sign(to_sign, padding.PKCS1v15(), hashes.SHA256())
    return key.private_key.sign(hashlib.sha256(to_sign).digest())  # RFC 8463 3: Ed25519 over the SHA-256 hash


def public_key_record(key: SigningKey) -> str:
    """The TXT record of the public half (RFC 6376 3.6.1, RFC 8463 4)."""
    public = key.private_key.public_key()
    if isinstance(key.private_key, RSAPrivateKey):
        octets = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(octets).decode()}"
    octets = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(octets).decode()}"
