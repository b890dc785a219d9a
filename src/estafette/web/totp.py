"""Time-based one-time passwords (RFC 6238 with RFC 4226: SHA-1, 30 seconds, six digits). Pure."""

import base64
import hmac
import struct
from typing import Final
from urllib.parse import quote

STEP_S: Final = 30
SECRET_BYTES: Final = 20


def code_at(secret: bytes, step: int) -> str:
    """The six digits of a time step (RFC 4226 section 5.3)."""
    digest = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def step_of(secret: bytes, code: str, now_s: int) -> int | None:
    """The time step that a code belongs to, one before or after now included (RFC 6238 section 5.2); None for a wrong one."""
    digits = code.replace(" ", "")
    now = now_s // STEP_S
    found = None
    for step in (now - 1, now, now + 1):
        if step >= 0 and hmac.compare_digest(code_at(secret, step).encode(), digits.encode("utf-8", "replace")):
            found = step
    return found


def secret_text(secret: bytes) -> str:
    """As authenticator programs take it: base32 in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def enrolment_url(secret: bytes, name: str, issuer: str) -> str:
    """What opens an authenticator program."""
    plain = secret_text(secret).replace(" ", "")
    return f"otpauth://totp/{quote(issuer)}:{quote(name)}?secret={plain}&issuer={quote(issuer)}"
