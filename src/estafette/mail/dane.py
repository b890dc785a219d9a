"""DANE for SMTP (RFC 7672): whether a certificate chain is one that TLSA records speak of. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

TRUST_ANCHOR: Final = 2
END_ENTITY: Final = 3
_HASHES: Final = {1: hashlib.sha256, 2: hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A TLSA record (RFC 6698 2.1)."""

    usage: int
    selector: int  # 0 = the certificate, 1 = its public key
    matching: int  # 0 = as it is, 1 = SHA-256, 2 = SHA-512
    data: bytes


def usable(records: Sequence[Tlsa]) -> list[Tlsa]:
    """Those that SMTP may go by: usages 2 and 3 (RFC 7672 3.1.3), selectors and hashes that we know. None left: TLS is required, unauthenticated."""
    return [r for r in records if r.usage in (TRUST_ANCHOR, END_ENTITY) and r.selector in (0, 1) and r.matching in (0, *_HASHES) and r.data]


def fault_of(records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], now: datetime) -> str:
    """Why a chain (DER, the server's own certificate first) is not what the records promise; "" when it is.

    Of a server's own certificate neither name nor dates are looked at (RFC 7672 3.1.1); below a trust anchor both are (3.1.2, 3.2.2).
    """
    if not chain:
        return "the server showed no certificate"
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain[:10]]
        if any(_is_match(record, certificates[0]) for record in records if record.usage == END_ENTITY):
            return ""
        anchors = [record for record in records if record.usage == TRUST_ANCHOR]
        return _below_anchor(anchors, certificates, names, now) if anchors else "the certificate is not the one that TLSA promises"
    except (ValueError, TypeError) as error:
        return f"a certificate that cannot be read: {error}"


def _below_anchor(anchors: Sequence[Tlsa], chain: Sequence[x509.Certificate], names: Sequence[str], now: datetime) -> str:
    if not _has_name(chain[0], names):
        return "the certificate is for another name"
    for number, certificate in enumerate(chain):
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            return "a certificate has expired, or is not valid yet"
        if any(_is_match(record, certificate) for record in anchors):
            return ""
        if number + 1 == len(chain):
            break
        try:
            certificate.verify_directly_issued_by(chain[number + 1])
        except (InvalidSignature, ValueError, TypeError):
            return "the chain of certificates is broken"
    return "no certificate of the chain is one that TLSA promises"


def _is_match(record: Tlsa, certificate: x509.Certificate) -> bool:
    if record.selector == 0:
        found = certificate.public_bytes(serialization.Encoding.DER)
    else:
        found = certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return record.data == (found if record.matching == 0 else _HASHES[record.matching](found).digest())


def _has_name(certificate: x509.Certificate, names: Sequence[str]) -> bool:
    try:
        given = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        return False
    wanted = {name.lower().rstrip(".") for name in names}
    parents = {name.partition(".")[2] for name in wanted}
    return any(name.lower() in wanted or (name.startswith("*.") and name[2:].lower() in parents) for name in given)
