"""Values with parameters (RFC 2045 5.1, RFC 2231), as in Content-Type and Content-Disposition, read leniently and without ever raising.

    read_value('text/html; charset="utf-8"') → ("text/html", {"charset": "utf-8"})

Text in and out is `utf-8` with `surrogateescape`, so that a boundary that is no UTF-8 can still be compared octet by octet.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from estafette.mail.words import find_codec

MAX_SECTIONS: Final = 1000
# Every alternative begins with a character of its own and runs are never tried twice: linear whatever stands there.
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.S)
_ESCAPED = re.compile(r"\\(.)", re.S)
_COMMENT = re.compile(r"(?<!\s)\s+\(.*", re.S)
_SECTION = re.compile(r"([^*]+)(?:\*([0-9]{1,3}))?(\*)?")


def read_value(text: str) -> tuple[str, dict[str, str]]:
    """(main value, parameters), names and main value in lower case. Of a repeated parameter the first counts."""
    main = text.partition(";")[0]
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(text, len(main)):
        name, value = match[1].lower(), _plain(match[2])
        section = _SECTION.fullmatch(name)
        if section is None or (section[2] is None and section[3] is None):
            plain.setdefault(name, value)
        elif len(sections) < MAX_SECTIONS:
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (value, section[3] is not None))
    for name, pieces in sections.items():
        if 0 in pieces:
            plain[name] = _joined(pieces)  # an extended value is better than its ASCII stand-in (RFC 6266 4.3 says so of filenames)
    return _COMMENT.sub("", main).strip().lower(), plain


def _plain(value: str) -> str:
    if value.startswith('"'):
        closed = len(value) > 1 and value.endswith('"')
        return _ESCAPED.sub(r"\1", value[1:-1] if closed else value[1:])
    return _COMMENT.sub("", value).strip()


def _joined(pieces: dict[int, tuple[str, bool]]) -> str:
    """The sections from 0 on without a gap (RFC 2231 3), decoded together: a character may be cut between two sections."""
    charset = "utf-8"
    octets: list[bytes] = []
    for number in range(len(pieces)):
        if number not in pieces:
            break
        value, is_extended = pieces[number]
        if number == 0 and is_extended and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        raw = value.encode("utf-8", "surrogateescape")
        octets.append(unquote_to_bytes(raw) if is_extended else raw)
    whole = b"".join(octets)
    codec = find_codec(charset) or "utf-8"
    try:
        return whole.decode(codec, "surrogateescape")
    except UnicodeError:
        return whole.decode("utf-8", "surrogateescape")
