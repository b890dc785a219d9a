"""What a browser is sent to: the target of a link as the value of `Location`, or nothing when it is not a web address. Pure."""

import re
from typing import Final
from urllib.parse import quote, urlsplit

_SAFE: Final = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"<>\\^`{|}')
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def location(url: str) -> bytes | None:
    """The target in ASCII without controls; None unless it is http or https with a host.

    Targets stand in tokens with a MAC, made from mail that a customer handed in: this is the second look.
    """
    if _CONTROL.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host or port == 0 or "\\" in parts.netloc:
        return None
    return quote(url, safe=_SAFE).encode("ascii")
