"""MTA-STS (RFC 8461): what a domain says about TLS to its mail servers, read from its TXT record and its policy file. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_POLICY_BYTES: Final = 64_000
MAX_AGE_S: Final = 31_557_600  # RFC 8461 3.2: one year
MAX_MX: Final = 200
ENFORCE, TESTING, NONE = "enforce", "testing", "none"


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy file."""

    mode: str  # enforce, testing, none
    mx: tuple[str, ...]  # host names, or *. and a name below which one label may stand
    max_age_s: int
    lines: tuple[str, ...] = ()  # as they stood there, for reports


def read_record(texts: Sequence[str]) -> str:
    """The id in the TXT records of _mta-sts.DOMAIN; "" when there is no policy. More than one record counts as none (RFC 8461 3.1)."""
    found = [text for text in texts if text.startswith("v=STSv1;")]
    if len(found) != 1:
        return ""
    fields = dict(field.strip().partition("=")[::2] for field in found[0].split(";") if "=" in field)
    given = fields.get("id", "").strip()
    return given if given.isalnum() and given.isascii() and len(given) <= 32 else ""


def read_policy(data: bytes) -> StsPolicy:
    """The policy in a file (RFC 8461 3.2). Raises ValueError with what is wrong."""
    if len(data) > MAX_POLICY_BYTES:
        raise ValueError(f"more than {MAX_POLICY_BYTES} octets")
    lines = tuple(line.strip() for line in data.decode("utf-8").replace("\r\n", "\n").split("\n") if line.strip())
    values: dict[str, str] = {}
    mx: list[str] = []
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"a line without a colon: {line[:60]!r}")
        key, value = key.strip(), value.strip()
        if key == "mx":
            mx.append(value.lower().rstrip("."))
        else:
            values.setdefault(key, value)  # of several the first counts
    mode, age = values.get("mode", ""), values.get("max_age", "")
    if values.get("version") != "STSv1":
        raise ValueError("the version is not STSv1")
    if mode not in (ENFORCE, TESTING, NONE):
        raise ValueError(f"an unknown mode: {mode[:20]!r}")
    if not age.isascii() or not age.isdecimal() or len(age) > 10:
        raise ValueError("max_age is not a number")
    if not mx and mode != NONE:
        raise ValueError("names no mx")
    return StsPolicy(mode, tuple(mx[:MAX_MX]), min(int(age), MAX_AGE_S), lines[: MAX_MX + 4])


def matches(host: str, patterns: Sequence[str]) -> bool:
    """True when a policy allows an MX host (RFC 8461 4.1): a wildcard stands for exactly one label, the leftmost."""
    _, _, parent = host.partition(".")
    return any(pattern == host or (pattern.startswith("*.") and pattern[2:] == parent) for pattern in patterns)
