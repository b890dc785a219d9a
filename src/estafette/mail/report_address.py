"""Addresses as they stand in notices: found in running text, without what surrounds them, in lower case."""

import re
from typing import Final

MAX_LOCAL: Final = 64
_LOCAL = re.compile(r"""[^\s<>()\[\]{},;:|"@\\]{1,64}\Z|"[^"\n]{1,62}"\Z""")
_DOMAIN = re.compile(r"@((?:[a-z0-9_\u00c0-\u024f\u0370-\u052f-]{1,63}\.){0,20}[a-z0-9_\u00c0-\u024f\u0370-\u052f-]{1,63}|\[[0-9a-f.:]{3,60}\])", re.I)
_FOREIGN = re.compile(r"\A[^\x00-\x7f]{1,64}")
_TAG = re.compile(r"\A(?:smtp|rfc822|envelope-from|from|to|rcpt|mail|e?mail|address|user)=", re.I)  # X.400, Received-SPF
_STRIP: Final = "'`*=“”‘’.-–•>「」"


def find_address(text: str) -> str:
    """The first address of a text, "" for none."""
    found = find_addresses(text, 1)
    return found[0][0] if found else ""


def find_addresses(text: str, limit: int = 50) -> list[tuple[str, int, int]]:
    """(address, start, end) of each address in its order. Linear: only what stands around an @ is looked at."""
    found: list[tuple[str, int, int]] = []
    position = text.find("@")
    while position >= 0 and len(found) < limit:
        domain = _DOMAIN.match(text, position)
        local = _LOCAL.search(text, max(position - MAX_LOCAL, 0), position) if domain else None
        if domain and local:
            name = local[0] if local[0].startswith("=?") else local[0].lstrip(_STRIP)  # an encoded word where none may be
            name = (_FOREIGN.sub("", name) or name) if domain[1].isascii() else name  # a sentence that has no blanks
            host = domain[1].rstrip("-_").rstrip(".")
            name = _TAG.sub("", name)
            if name and host and ("." in host or host.startswith("[") or host == "localhost"):
                found.append((f"{name}@{host}".lower(), position - len(name), position + 1 + len(host)))
        position = text.find("@", position + 1)
    return found


def bare_address(text: str) -> str:
    """The address that a field consists of, also one in letters that running text cannot be trusted with (RFC 6531)."""
    return find_address(text) or (text.strip().strip("<>").lower() if re.fullmatch(r"[^\s@]{1,64}@[^\s@]{1,255}", text.strip()) else "")
