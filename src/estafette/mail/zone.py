"""The DNS records that make a domain ready to send: which, under which name, with which value. Pure."""

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

SigningKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a zone."""

    type: str  # TXT, MX, CNAME
    name: str
    value: str  # TXT: whole, without quotes; what is over 255 octets is to be split by whoever publishes it
    purpose: str  # ownership, dkim, spf, dmarc, return_path, tracking


def dkim_value(key: SigningKey) -> str:
    """The value of the key's TXT record (RFC 6376 section 3.6.1; Ed25519: RFC 8463 section 4)."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def spf_value(hostname: str, sources: Sequence[str]) -> str:
    """Every address that mail leaves from; our host's own addresses where the machine chooses (RFC 7208 section 5)."""
    terms = []
    for source in sources:
        address = ipaddress.ip_address(source)
        term = f"a:{hostname}" if address.is_unspecified else f"ip{address.version}:{address}"
        if term not in terms:
            terms.append(term)
    return f"v=spf1 {' '.join(terms)} ~all"


def records_of(
    domain: str, keys: Sequence[tuple[str, str]], ownership_token: str, hostname: str, return_path: str, tracking_url: str, sources: Sequence[str]
) -> list[Record]:
    """All records for a sending domain; `keys` are (selector, TXT value), `ownership_token` "" when the domain is verified already.

    The return path is a domain of the installation, so its records are published once; they are repeated here because mail fails without them.
    No tracking record is made when links lead to an address or to our own host name.
    """
    records = [Record("TXT", f"_estafette.{domain}", ownership_token, "ownership")] if ownership_token else []
    records += [Record("TXT", f"{selector}._domainkey.{domain}", value, "dkim") for selector, value in keys]
    spf = spf_value(hostname, sources)
    records.append(Record("TXT", domain, spf, "spf"))
    records.append(Record("TXT", f"_dmarc.{domain}", "v=DMARC1; p=none", "dmarc"))
    records.append(Record("MX", return_path, f"10 {hostname}", "return_path"))
    if return_path != domain:
        records.append(Record("TXT", return_path, spf, "return_path"))
    host = urlsplit(tracking_url).hostname or ""
    if host not in {hostname, "localhost", ""} and not _is_address(host):
        records.append(Record("CNAME", host, hostname, "tracking"))
    return records


def says_the_same(record: Record, found: str) -> bool:
    """Whether what stands in the DNS does what the record is for: an SPF record may say more, a DMARC policy may be stricter, a key is compared
    without its blanks, of an MX the host counts."""
    if record.purpose == "spf" or (record.type == "TXT" and record.value.startswith("v=spf1")):
        there = found.lower().split()
        return all(term.lower() in there for term in record.value.split()[1:-1])
    if record.purpose == "dmarc":
        return "p=" in found.replace(" ", "")
    if record.type == "MX":
        return found.split()[-1].lower() == record.value.split()[-1].lower()
    return _tags(found) == _tags(record.value)


def _tags(value: str) -> set[str]:
    """A tag list (RFC 6376 section 3.2) as a set; the key type may be left out, it is RSA then."""
    return {"".join(tag.split()) for tag in value.split(";") if tag.strip()} - {"k=rsa"}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
