"""Whether a request may be believed: cookies, CSRF tokens, where a form came from, whether a password may cross the connection. Pure."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

SESSION_S: Final = 30 * 86_400
IDLE_S: Final = 3 * 86_400
SEEN_EVERY_S: Final = 300
MAX_TOKEN: Final = 100


@dataclass(frozen=True, slots=True)
class Cookies:
    """How cookies are called and marked on a connection."""

    session: str
    language: str
    is_secure: bool


def cookies_of(scheme: str) -> Cookies:
    """`__Host-` where the connection is encrypted: such a cookie can be set by nobody else (RFC 6265bis section 4.1.3)."""
    return Cookies("__Host-estafette", "__Host-language", True) if scheme == "https" else Cookies("estafette", "language", False)


def may_sign_in(scheme: str, host: str) -> bool:
    """A password crosses an encrypted connection, or none that leaves the machine."""
    return scheme == "https" or is_loopback(host)


def is_loopback(host: str) -> bool:
    """Whether a host name of a request means this machine."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def token_hash(token: str) -> bytes:
    """What the store keeps of a session token."""
    return hashlib.sha256(b"session:" + token.encode("utf-8", "replace")).digest()


def csrf_of(token: str) -> str:
    """The token of every form in a session: whoever can make it has the cookie."""
    return hashlib.sha256(b"csrf:" + token.encode("utf-8", "replace")).hexdigest()


def is_csrf(token: str, given: str) -> bool:
    """Whether a form came from one of our pages in this session."""
    return hmac.compare_digest(csrf_of(token).encode(), given.encode("utf-8", "replace"))


def is_same_origin(headers: Mapping[str, str], origins: frozenset[str]) -> bool:
    """Whether a form was sent by a page of ours: Origin says so, else the browser's Sec-Fetch-Site; a request with neither is not believed."""
    origin = headers.get("origin", "")
    if origin:
        return origin.lower() in origins
    return headers.get("sec-fetch-site", "") == "same-origin"


def origin_of(url: str) -> str:
    """scheme://host[:port] of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def local_path(path: str) -> str:
    """Where to go after the sign-in: a path of the dashboard, never another site (`//host`, `/\\host`)."""
    is_ours = path.startswith("/app/") and "\\" not in path and not any(ord(c) < 33 for c in path)
    return path if is_ours else "/app/"
