"""Octets of a report as text that can be searched: transfer encoding, charset, HTML and accents undone, as far as a bounded beginning goes."""

import base64
import html
import quopri
import re
import unicodedata
from typing import Final

from estafette.mail.words import find_codec

MAX_NOTICE: Final = 65_536
"""Octets read of one part, and characters kept of all notices."""
_TAG = re.compile(
    r"<(?:style|script)\b[^<]{0,20000}</(?:style|script)>|<!--[^>]{0,5000}-->|<(?:br|/p|/div|/tr|/h\d|/li|/td)\b[^<>]{0,500}>|</?[a-z!][^<>@]{0,2000}>", re.I
)


def decoded(octets: bytes, encoding: str) -> bytes:
    """The octets without their transfer encoding; what is cut or damaged is decoded as far as it goes."""
    if encoding == "base64":
        kept = re.sub(rb"[^A-Za-z0-9+/]", b"", octets.split(b"=", 1)[0])
        kept = kept[:-1] if len(kept) % 4 == 1 else kept
        return base64.b64decode(kept + b"=" * (-len(kept) % 4))
    return quopri.decodestring(octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) if encoding == "quoted-printable" else octets


def as_text(octets: bytes, charset: str) -> str:
    """Octets as text, by what they are rather than by what they claim when the two disagree."""
    if b"\x1b$" in octets or b"\x1b(" in octets:
        return octets.decode("iso2022_jp", "replace")
    if not octets.isascii():
        try:
            return octets.decode("utf-8")  # text that is no UTF-8 hardly ever looks like it
        except UnicodeDecodeError as error:
            if error.start >= len(octets) - 4:  # cut inside a character by our own limit
                return octets.decode("utf-8", "replace")
    codec = find_codec(charset) or "latin-1"
    try:
        return octets.decode(codec, "replace")
    except (UnicodeError, LookupError):
        return octets.decode("latin-1")


def plain_of_html(text: str) -> str:
    """What a reader of the page sees, roughly: block ends become line ends; an address in angle brackets is no tag."""
    text = _TAG.sub(lambda tag: "\n" if tag[0][1:3].lower() in ("br", "/p", "/d", "/t", "/h", "/l") else " ", text[:MAX_NOTICE])
    return html.unescape(text).replace("\u00a0", " ")


def fold_pattern(expression: str) -> str:
    """An expression (which is in lower case already) without accents, as the texts are that it is tried on."""
    return expression if expression.isascii() else _without_accents(expression)


def fold(text: str) -> str:
    """Lower case without accents; rules and mail go through it alike."""
    return text.lower() if text.isascii() else _without_accents(text).lower()


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.replace("\u2019", "'")) if not unicodedata.combining(c))
