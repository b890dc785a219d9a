"""Reads the values that people write in configuration: durations, sizes, listeners, addresses, names. Pure.

Every function takes what TOML gave (any object) and returns the typed value, or raises `ValueError` whose text completes the sentence
"submission.max_size: ...". `Kind` couples such a function with its name for the reference pages.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNITS_BYTES: Final = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_NUMBER_UNIT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]{1,3})", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[!-~]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a listener sits or a server is found: an IP address (or `localhost`) and a port; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value: how it is called in the reference, how it is written, how it is read."""

    name: str
    example: str
    read: Callable[[object], Any]
    suffix: str = ""  # unit of the attribute's name in code, not part of the key: `max_size_bytes` is written `max_size`


def read_text(value: object) -> str:
    """One line of text."""
    if not isinstance(value, str):
        raise ValueError(f"must be text in quotes, not {_what(value)}")
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError("must not contain control characters")
    return value


def read_flag(value: object) -> bool:
    """true or false."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:  # from the environment
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {_what(value)}")
    return value


def read_integer(value: object) -> int:
    """A whole number."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):  # from the environment
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {_what(value)}")
    return value


def read_number(value: object) -> float:
    """A number, fractions allowed."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", value, re.ASCII):  # from the environment
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError(f"must be a number, not {_what(value)}")
    return float(value)


def read_duration(value: object) -> float:
    """Seconds from "200ms", "30s", "5m", "72h" or "90d". A bare number is refused: nobody can tell what it counts."""
    found = _NUMBER_UNIT.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found or found[2] not in _UNITS_S:
        raise ValueError(f'must be a duration such as "30s", "5m", "72h" or "90d", not {_what(value)}')
    return float(found[1]) * _UNITS_S[found[2]]


def read_size(value: object) -> int:
    """Octets from "25MB" (25,000,000), "25MiB" (26,214,400), "64kB" or a whole number of octets."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _NUMBER_UNIT.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found or found[2].upper() not in _UNITS_BYTES:
        raise ValueError(f'must be a size such as "64kB", "25MB" or "1GiB", not {_what(value)}')
    return int(float(found[1]) * _UNITS_BYTES[found[2].upper()])


def read_address(value: object) -> str:
    """An IPv4 or IPv6 address in its canonical form."""
    text = read_text(value)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f'must be an IP address such as "192.0.2.1" or "2001:db8::1", not "{text}"') from None


def read_endpoint(value: object) -> Endpoint:
    """ "127.0.0.1:2525", "[::1]:2525" or "localhost:2525"."""
    text = read_text(value)
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or int(port) > 65_535:
        raise ValueError(f'must be an address and a port such as "127.0.0.1:2525" or "[::1]:2525", not "{text}"')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f'an IPv6 address is written in brackets: "[{host}]:{port}"')
    if host == "localhost":
        return Endpoint(host, int(port))
    if host in {"", "*"}:
        raise ValueError(f'name the address: "0.0.0.0:{port}" for all of IPv4, "[::]:{port}" for all of IPv6')
    return Endpoint(read_address(host), int(port))


def read_hostname(value: object) -> str:
    """A host or domain name in lower case, IDNA names as A-labels; "" where empty is allowed."""
    text = read_text(value).rstrip(".").lower()
    if text and (len(text) > 253 or not _HOSTNAME.fullmatch(text)):
        raise ValueError(f'must be a domain name such as "mail.example.com" (an accented name in its xn-- form), not "{text}"')
    return text


def read_mailbox(value: object) -> str:
    """A plain address such as fbl@example.com; the local part keeps its case."""
    text = read_text(value)
    local, at, domain = text.rpartition("@")
    if not at or not re.fullmatch(r"[!-?A-~]{1,64}", local, re.ASCII) or not domain:
        raise ValueError(f'must be an e-mail address such as "fbl@example.com", not "{text}"')
    return f"{local}@{read_hostname(domain)}"


def read_feedback_id(value: object) -> str:
    """What stands for this installation at the end of Feedback-ID: 5 to 15 characters, as Gmail wants it; "" = no such field."""
    text = read_text(value)
    if text and not re.fullmatch(r"[A-Za-z0-9._-]{5,15}", text):
        raise ValueError(f'must be 5 to 15 letters, digits, dots, dashes and underscores, not "{text}"')
    return text


def read_url(value: object) -> str:
    """An http or https address without the slash at its end; "" where empty is allowed."""
    text = read_text(value).rstrip("/")
    if text and not _URL.fullmatch(text):
        raise ValueError(f'must be a web address such as "https://mail.example.com", not "{text}"')
    return text


def read_network(value: object) -> str:
    """A network such as 10.0.0.0/8, or one address."""
    text = read_text(value)
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f'must be a network such as "10.0.0.0/8", not "{text}"') from None


def read_database_url(value: object) -> str:
    """ "sqlite:///relative/path.db", "sqlite:////absolute/path.db" or "postgresql://user@host/db". The text is never echoed: it may hold a password."""
    text = read_text(value)
    if not re.match(r"sqlite:///.|postgres(ql)?://", text):
        raise ValueError('must begin with "sqlite:///" (a file) or "postgresql://"')
    return text


def choice(*allowed: str) -> Kind:
    """One of a few words."""

    def read(value: object) -> str:
        text = read_text(value)
        if text not in allowed:
            raise ValueError(f'must be one of {", ".join(allowed)}, not "{text}"')
        return text

    return Kind("one of " + ", ".join(f'"{word}"' for word in allowed), f'"{allowed[0]}"', read)


def list_of(kind: Kind, *, at_least: int = 0) -> Kind:
    """A list whose every entry is of `kind`; in the environment, entries are separated by commas."""

    def read(value: object) -> tuple[Any, ...]:
        if isinstance(value, str):
            raise ValueError(f'must be a list such as [{kind.example}], not "{value}"')
        if not isinstance(value, list | tuple):
            raise ValueError(f"must be a list such as [{kind.example}], not {_what(value)}")
        if len(value) < at_least:
            raise ValueError(f"must have at least {at_least} entry")
        return tuple(kind.read(entry) for entry in value)

    return Kind(f"list of {kind.name}", f"[{kind.example}]", read, kind.suffix)


TEXT: Final = Kind("text", '"text"', read_text)
FLAG: Final = Kind("true or false", "true", read_flag)
INTEGER: Final = Kind("whole number", "10", read_integer)
NUMBER: Final = Kind("number", "0.1", read_number)
DURATION: Final = Kind("duration", '"5m"', read_duration, "_s")
SIZE: Final = Kind("size", '"25MB"', read_size, "_bytes")
ADDRESS: Final = Kind("IP address", '"192.0.2.1"', read_address)
NETWORK: Final = Kind("network", '"10.0.0.0/8"', read_network)
ENDPOINT: Final = Kind("address:port", '"127.0.0.1:2525"', read_endpoint)
FEEDBACK_ID: Final = Kind("identifier", '"estafette"', read_feedback_id)
HOSTNAME: Final = Kind("domain name", '"mail.example.com"', read_hostname)
MAILBOX: Final = Kind("e-mail address", '"fbl@example.com"', read_mailbox)
URL: Final = Kind("web address", '"https://mail.example.com"', read_url)
DATABASE_URL: Final = Kind("database address", '"sqlite:///data/estafette.db"', read_database_url)
PATH: Final = Kind("file path", '"/etc/estafette/tls.pem"', read_text)


def _what(value: object) -> str:
    """The value as the person wrote it, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value[:60].encode("unicode_escape").decode() + '"'
    if isinstance(value, int | float):
        return repr(value)
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else f"a {type(value).__name__}"
