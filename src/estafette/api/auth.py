"""Reads HTTP Basic credentials (RFC 7617) and the client's address. Pure; the login itself is the doorkeeper's."""

import base64
import ipaddress
from dataclasses import dataclass
from typing import Final

V3_REALM: Final = 'Basic realm="Provide an apiKey and secretKey"'
MAX_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Given:
    """A key and a secret as they were presented."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "Given(hidden)"  # never in a log or a traceback


def credentials_of(header: str) -> Given | None:
    """The key and secret of an Authorization header; None when it has none, or none that could be a key of ours."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None
    key, colon, secret = decoded.partition(":")
    if not colon or not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        return None
    return Given(key, secret)


def peer_of(host: str) -> str:
    """The client's address as it may stand in a Received field and in the log."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return "unknown"
