"""Seals what must not be readable in a copy of the database (private keys), with one master key that is kept outside of it.

A sealed value is: version octet 1, the first four octets of SHA-256 of the master key (so that a wrong key is told from damage), a nonce of
12 octets, AES-256-GCM's output. The label ("dkim:example.com:e1") is authenticated with it: a sealed value moved to another row does not open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Collection
from itertools import chain, count
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from estafette.clock import Clock, to_datetime
from estafette.config import Config
from estafette.model import DkimKey

_VERSION: Final = b"\x01"
_HEAD_BYTES: Final = 1 + 4 + 12


class VaultError(Exception):
    """The master key is missing, malformed or not the one that sealed this."""


class Vault:
    """Seals and opens with one master key of 32 octets."""

    def __init__(self, master_key: bytes, clock: Clock) -> None:
        if len(master_key) != 32:
            raise VaultError(f"the master key must have 32 octets, not {len(master_key)}")
        self._cipher = AESGCM(master_key)
        self._key_id = hashlib.sha256(master_key).digest()[:4]
        self._clock = clock

    def seal(self, plain: bytes, label: str) -> bytes:
        """`plain`, readable only with this master key and under this label."""
        nonce = self._clock.token_bytes(12)
        return _VERSION + self._key_id + nonce + self._cipher.encrypt(nonce, plain, label.encode())

    def unseal(self, sealed: bytes, label: str) -> bytes:
        """What was sealed under this label; VaultError says whether the key is another one or the value is damaged."""
        if sealed[:1] != _VERSION or len(sealed) < _HEAD_BYTES + 16:
            raise VaultError(f"{label}: not a sealed value")
        if sealed[1:5] != self._key_id:
            raise VaultError(f"{label}: sealed with another master key than the one in use")
        try:
            return self._cipher.decrypt(sealed[5:_HEAD_BYTES], sealed[_HEAD_BYTES:], label.encode())
        except InvalidTag:
            raise VaultError(f"{label}: the sealed value is damaged or belongs to something else") from None


def dkim_label(domain: str, selector: str) -> str:
    """The label under which a signing key is sealed."""
    return f"dkim:{domain}:{selector}"


def new_dkim_key(domain: str, vault: Vault, clock: Clock, algorithm: str = "rsa-sha256", taken: Collection[str] = ()) -> DkimKey:
    """A fresh key (RSA-2048 or Ed25519), PKCS#8 DER, sealed; the selector tells year and month, and none of those in `taken`."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2048) if algorithm == "rsa-sha256" else ed25519.Ed25519PrivateKey.generate()
    der = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    first = f"e{to_datetime(clock.now_us()):%Y%m}"
    selector = next(name for name in chain((first,), (f"{first}-{n}" for n in count(2))) if name not in taken)
    return DkimKey(domain, selector, algorithm, vault.seal(der, dkim_label(domain, selector)))


def open_vault(config: Config, clock: Clock) -> Vault:
    """The vault of this installation: key from the configuration or the environment, else from its file, which is made when missing."""
    if config.secrets.master_key:
        return Vault(_decode(config.secrets.master_key, "secrets.master_key"), clock)
    return Vault(_from_file(config.master_key_path, clock), clock)


def _from_file(path: Path, clock: Clock) -> bytes:
    try:
        return _decode(path.read_text("ascii"), str(path))
    except FileNotFoundError:
        return _create(path, clock)
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"{path}: the master key cannot be read: {error}") from error


def _create(path: Path, clock: Clock) -> bytes:
    """Write a fresh key with mode 0600; when another process was faster, its key is the one."""
    key = clock.token_bytes(32)
    fresh = path.with_name(f"{path.name}.{clock.token_bytes(6).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, base64.b64encode(key) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(fresh, path)  # fails when the name exists, and nobody ever sees half a key
        except FileExistsError:
            return _decode(path.read_text("ascii"), str(path))
        finally:
            os.unlink(fresh)
    except OSError as error:
        raise VaultError(f"{path}: the master key cannot be written: {error.strerror}") from error
    return key


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise VaultError(f"{where}: the master key must be 32 octets in base64 (make one with: openssl rand -base64 32)")
    return key
