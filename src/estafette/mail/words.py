"""Encoded words (RFC 2047), extended parameters (RFC 2231) and charset names: text in mail that is not ASCII."""

import base64
import binascii
import codecs
import re
from functools import lru_cache
from typing import Final

_WORD_TEXT: Final = r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\s]*)\?="
_WORD = re.compile(_WORD_TEXT)
_WORDS = re.compile(rf"{_WORD_TEXT}(?:[ \t\r\n]*{_WORD_TEXT})*")
_Q_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_WORD_OCTETS: Final = 39  # "=?utf-8?b?" + 52 + "?=" = 64: a line with "Reply-To: " before it is still within 76 (RFC 2047 2)
_PARAMETER_SAFE = re.compile(rb"[A-Za-z0-9!#$&+.^_`{}~-]")
# Controls, line separators and halves of characters. Not `str.isprintable`: it takes the joiners of emoji and Persian for unprintable too.
_UNFIT = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_FOR_MAIL: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
"""Python's codecs that are no charsets: some take quadratic time, some warn, one always fails."""
_ALIASES: Final = {"iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "x-sjis": "shift_jis", "x-gbk": "gbk", "x-euc-jp": "euc_jp"}


@lru_cache(512)
def find_codec(charset: str) -> str | None:
    """Python's name of the codec for a charset of a mail; None when there is none that may be used."""
    name = charset.strip().lower()
    if not 0 < len(name) <= 40 or not name.isascii() or not name.isprintable():
        return None
    try:
        codec = codecs.lookup(_ALIASES.get(name, name))
        b"x".decode(codec.name, "replace")  # refuses what is no text encoding, like hex and zip
    except (LookupError, ValueError):
        return None
    return None if codec.name.replace("-", "_") in _NOT_FOR_MAIL else codec.name


def decode_words(text: str) -> str:
    """Unstructured text with its encoded words decoded; what cannot be decoded stays as it is."""
    if "=?" not in text:
        return text
    return _WORDS.sub(_decode_run, text)


def _decode_run(run: re.Match[str]) -> str:
    """Words with nothing but blanks between them (which do not count: RFC 2047 6.2), those of one charset together.

    Together, because many mailers cut inside a character although they must not.
    """
    pieces: list[str] = []
    codec = ""
    octets: list[bytes] = []
    end = 0
    for word in _WORD.finditer(run[0]):
        found, blanks = _octets_of(word), run[0][end : word.start()]
        if found is None or found[0] != codec:
            pieces.append(_decode(octets, codec))
            if end and (found is None or not codec):
                pieces.append(blanks)  # beside a word that stays as it is
            codec, octets = found[0] if found else "", []
        if found is None:
            pieces.append(word[0])
        else:
            octets.append(found[1])
        end = word.end()
    return "".join([*pieces, _decode(octets, codec)])


def _octets_of(word: re.Match[str]) -> tuple[str, bytes] | None:
    codec = find_codec(word[1].split("*")[0])  # charset*language: RFC 2231 5
    if codec is None:
        return None
    try:
        if word[2] in "bB":
            return codec, base64.b64decode(word[3] + "=" * (-len(word[3]) % 4))
        return codec, _Q_HEX.sub(lambda m: bytes([int(m[1], 16)]), word[3].replace("_", " ").encode("latin-1"))
    except (binascii.Error, ValueError):
        return None


def _decode(octets: list[bytes], codec: str) -> str:
    if not octets:
        return ""
    return _UNFIT.sub(" ", b"".join(octets).decode(codec, "replace"))  # a decoded CR LF must not become structure


def encode_words(text: str) -> list[str]:
    """`text` as encoded words, each at most 75 characters and cut between characters, never inside one."""
    words: list[str] = []
    piece = b""
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(piece) + len(octets) > _WORD_OCTETS:
            words.append(_word(piece))
            piece = b""
        piece += octets
    return [*words, _word(piece)] if piece else words


def _word(octets: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(octets).decode()}?="


def encode_parameter(name: str, value: str) -> str:
    """`name="value"`, or `name*=utf-8''...` (RFC 2231) when the value is not printable ASCII."""
    if value.isascii() and value.isprintable():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{escaped}"'
    octets = value.encode("utf-8", "replace")
    percent = "".join(chr(b) if _PARAMETER_SAFE.fullmatch(bytes([b])) else f"%{b:02X}" for b in octets)
    return f"{name}*=utf-8''{percent}"
