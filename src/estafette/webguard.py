"""Where a customer's web address may lead: never into this machine or its network, unless the operator names the network. Pure.

A URL is text from outside that we will follow from inside (SSRF). It is judged twice: its form when it is entered, and the addresses that its name
resolves to at every call; the connection then goes to the address that was judged, so that a name cannot change its mind in between.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL: Final = 2048
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*\.?", re.ASCII)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """A web address taken apart."""

    is_tls: bool
    host: str  # lower case, A-labels, or an address without brackets
    port: int
    path: str  # with its query, at least "/"
    user: str = ""
    password: str = ""

    @property
    def host_header(self) -> str:
        """As it stands in the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def read_target(url: str) -> Target:
    """The parts of an http or https address; user and password may stand in it. Raises ValueError saying what is wrong."""
    if len(url) > MAX_URL:
        raise ValueError(f"is longer than {MAX_URL} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("has characters that do not belong into a web address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a web address") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("does not begin with http:// or https://")
    if parts.fragment:
        raise ValueError("has a fragment (#)")
    host = (parts.hostname or "").lower()
    if _address(host) is None and not _HOST.fullmatch(host):
        raise ValueError("has no valid host name")
    if port == 0:
        raise ValueError("has no valid port")
    is_tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_tls, host, port or (443 if is_tls else 80), path, unquote(parts.username or ""), unquote(parts.password or ""))


def read_network(text: str) -> Network:
    """A network such as 10.0.0.0/8, or one address. Raises ValueError."""
    return ipaddress.ip_network(text)


def is_reachable(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether a resolved address may be connected to: it is public, or lies in a network that the operator allows."""
    ip = _address(address)
    if ip is None:
        return False
    inner = _inner(ip)
    if any(ip in network or inner in network for network in allowed):
        return True
    return inner.is_global and not inner.is_multicast and not inner.is_reserved and not getattr(inner, "is_site_local", False)


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _inner(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
