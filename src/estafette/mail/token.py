"""Tokens with a keyed MAC: the return path that names its message (VERP), and signed tokens for links. Nothing is stored for them.

A keyring has a current key and older ones that still open; the key id travels inside. Comparison takes constant time.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_VERP_MAC: Final = 10  # 80 bits in the local part of a return path
_TOKEN_MAC: Final = 16  # 128 bits in links
VERP_PREFIX: Final = "b-"
MIN_KEY: Final = 16


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by id (0-255); `current` makes, all open."""

    current: int
    keys: Mapping[int, bytes]

    def __post_init__(self) -> None:
        if self.current not in self.keys or not all(0 <= i <= 255 and len(key) >= MIN_KEY for i, key in self.keys.items()):
            raise ValueError(f"a keyring needs its current key, ids from 0 to 255 and keys of at least {MIN_KEY} octets")

    def mac(self, key_id: int, purpose: bytes, payload: bytes, size: int) -> bytes:
        """A MAC that is good for one purpose only. Longer keys than BLAKE2b takes, and longer purposes, are hashed, never cut."""
        key, person = self.keys[key_id], purpose
        if len(key) > 64:
            key = hashlib.blake2b(key).digest()
        if len(person) > 16:  # cut, two kinds that begin alike would open each other's tokens
            person = hashlib.blake2b(person, digest_size=16).digest()
        return hashlib.blake2b(payload, key=key, digest_size=size, person=person).digest()


def make_return_path(message_id: int, keyring: Keyring, domain: str) -> str:
    """`b-<base32>@domain`: survives case folding; 29 characters after the prefix."""
    payload = bytes([keyring.current]) + message_id.to_bytes(7, "big")
    mac = keyring.mac(keyring.current, b"verp", payload, _VERP_MAC)
    return f"{VERP_PREFIX}{base64.b32encode(payload + mac).decode().rstrip('=').lower()}@{domain}"


def read_return_path(local: str, keyring: Keyring) -> int | None:
    """The message id that a return path's local part names; None when it is not ours or was touched."""
    if not local.lower().startswith(VERP_PREFIX):
        return None
    text = local[len(VERP_PREFIX) :].upper() if local.isascii() else ""
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        return None
    if base64.b32encode(data).decode().rstrip("=") != text:
        return None  # one spelling only: no bit of it may be changed
    if len(data) != 8 + _VERP_MAC or data[0] not in keyring.keys:
        return None
    payload, mac = data[:8], data[8:]
    if not hmac.compare_digest(mac, keyring.mac(data[0], b"verp", payload, _VERP_MAC)):
        return None
    return int.from_bytes(payload[1:], "big")


def make_token(kind: str, payload: bytes, keyring: Keyring) -> str:
    """A signed token for a link: base64url of key id, payload, MAC over kind and payload."""
    head = bytes([keyring.current]) + payload
    return base64.urlsafe_b64encode(head + keyring.mac(keyring.current, b"link:" + kind.encode(), head, _TOKEN_MAC)).decode().rstrip("=")


def read_token(kind: str, token: str, keyring: Keyring) -> bytes | None:
    """The payload of a token of this kind; None when forged, truncated, foreign or of another kind."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != token:
        return None  # Python passes over foreign characters
    if len(data) <= _TOKEN_MAC or data[0] not in keyring.keys:
        return None
    head, mac = data[:-_TOKEN_MAC], data[-_TOKEN_MAC:]
    return head[1:] if hmac.compare_digest(mac, keyring.mac(data[0], b"link:" + kind.encode(), head, _TOKEN_MAC)) else None
