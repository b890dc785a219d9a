"""Header blocks: found, read, changed and written without touching an octet that nobody asked to change.

A `Field` knows where it stands in the mail. `Header.without` and `prepend` splice; they never write a field again that was there before.
`make_field` writes new ones: encoded words (RFC 2047), folding at existing blanks, never past 998 octets, and no way to inject a line.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from estafette.mail.address import Mailbox
from estafette.mail.words import decode_words, encode_words

MAX_HEADER_OCTETS: Final = 262_144
MAX_FIELDS: Final = 1000
MAX_LINE_OCTETS: Final = 998
FOLD_AT: Final = 76  # RFC 5322 2.1.1 asks for 78, RFC 2047 2 for 76 where there are encoded words
MAX_NAME_WORD: Final = 400  # of a display name, left unencoded: it doubles when all of it must be escaped
FIELD: Final = re.compile(rb"([!-9;-~]{1,200})[ \t]*:([^\r\n]*(?:(?:\r?\n[ \t]|\r(?!\n))[^\r\n]*)*)(?:\r?\n|\Z)")
_FOLD = re.compile(rb"(?:\r?\n|\r)(?=[ \t])")
_PLAIN = re.compile(r"[!-~]{0,900}")  # fits into a line; controls and longer words are encoded
_NAME = re.compile(r"[!-9;-~]{1,76}")
_ATOM_TEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


class HeaderError(ValueError):
    """A header that must not be sent or cannot be accepted; the text says why."""


class Field(NamedTuple):  # many are made for every mail, and a dataclass takes three times as long
    """One field with its place in the mail: `start` at its name, `end` after its line end."""

    name: str  # as written
    raw_value: bytes  # folded, as written
    start: int
    end: int

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def value(self) -> str:
        """Unfolded and stripped, not decoded."""
        return _FOLD.sub(b"", self.raw_value).decode("utf-8", "replace").strip()

    @property
    def text(self) -> str:
        """Unfolded with encoded words decoded."""
        return decode_words(self.value)


@dataclass(frozen=True, slots=True)
class Header:
    """The header block of `raw`, from 0 to `end`; the body begins at `body_start`."""

    fields: tuple[Field, ...]
    end: int  # after the last field, before the empty line
    body_start: int

    by_key: dict[str, list[Field]] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for one in self.fields:
            self.by_key.setdefault(one.name.lower(), []).append(one)

    def all(self, name: str) -> list[Field]:
        return list(self.by_key.get(name.lower(), ()))

    def first(self, name: str) -> Field | None:
        found = self.by_key.get(name.lower())
        return found[0] if found else None

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)


def read_header(raw: bytes) -> Header:
    """Split the header block. Raises HeaderError for what is no header (NUL, a line without colon) and past the limits."""
    if raw[:2] == b"\r\n":
        return Header((), 0, 2)
    gap = raw.find(b"\r\n\r\n", 0, MAX_HEADER_OCTETS + 4)
    end = gap + 2 if gap >= 0 else len(raw)
    if end > MAX_HEADER_OCTETS:
        raise HeaderError(f"the header is longer than {MAX_HEADER_OCTETS} octets")
    fields: list[Field] = []
    position = 0
    while position < end:
        match = FIELD.match(raw, position, end)
        if match is None:
            line = raw[position : position + 60].split(b"\r\n", 1)[0].decode("utf-8", "replace")
            raise HeaderError(f"not a header field: {line!r}")
        fields.append(Field(match[1].decode(), match[2], position, match.end()))
        if len(fields) > MAX_FIELDS:
            raise HeaderError(f"the header has more than {MAX_FIELDS} fields")
        position = match.end()
    if b"\0" in raw[:end]:
        raise HeaderError("the header contains a NUL octet")
    return Header(tuple(fields), end, min(end + 2, len(raw)) if gap >= 0 else end)


def without(raw: bytes, header: Header, drop: Callable[[Field], bool]) -> bytes:
    """`raw` without the fields that `drop` names; every other octet as it was."""
    pieces: list[bytes] = []
    kept_from = 0
    for f in header.fields:
        if drop(f):
            pieces.append(raw[kept_from : f.start])
            kept_from = f.end
    if not pieces:
        return raw
    pieces.append(raw[kept_from:])
    return b"".join(pieces)


def make_field(name: str, value: str) -> bytes:
    """An unstructured field, CRLF at its end. Non-ASCII text becomes encoded words; CR, LF and NUL are refused."""
    _check(name, value)
    return _fold(name, _mixed_words(value))


def make_raw_field(name: str, value: str) -> bytes:
    """A structured field whose value is already encoded (addresses, Message-ID, Content-Type); folded at blanks."""
    _check(name, value)
    return _fold(name, value.split(" "))


def make_mailboxes(name: str, mailboxes: Iterable[Mailbox]) -> bytes:
    """An address-list field such as To. Display names are quoted or encoded as they need."""
    parts = [format_mailbox(m) for m in mailboxes]
    return make_raw_field(name, ", ".join(parts))


def format_mailbox(mailbox: Mailbox) -> str:
    """`"Doe, Jo" <jo@x.fr>` with the display name quoted or as encoded words."""
    name = mailbox.name
    if not name:
        return str(mailbox.address)
    if any(c in name for c in "\r\n\0"):
        raise HeaderError("a name contains CR, LF or NUL")
    if not name.isascii() or not name.isprintable() or "=?" in name or max(map(len, name.split(" "))) > MAX_NAME_WORD:
        shown = " ".join(encode_words(name))
    elif _ATOM_TEXT.fullmatch(name):
        shown = name
    else:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        shown = f'"{escaped}"'
    return f"{shown} <{mailbox.address}>"


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise HeaderError(f"not a header name: {name[:60]!r}")
    for char, called in (("\r", "CR"), ("\n", "LF"), ("\0", "NUL")):
        if char in value:
            raise HeaderError(f"the value of {name} contains {called}")


def _mixed_words(value: str) -> list[str]:
    """Plain words as they are, runs of other words (with the blanks between them) as encoded words."""
    words: list[str] = []
    run: list[str] = []
    blanks = 0  # empty words after the run: inside of it when it goes on, because blanks between two encoded words do not count
    for word in value.split(" "):
        if run and not word:
            blanks += 1
        elif _PLAIN.fullmatch(word) and "=?" not in word:
            words += [*encode_words(" ".join(run)), *[""] * blanks, word]
            run, blanks = [], 0
        else:
            run += [*[""] * blanks, word]
            blanks = 0
    return [*words, *encode_words(" ".join(run)), *[""] * blanks]


def _fold(name: str, words: list[str]) -> bytes:
    lines: list[str] = []
    line = f"{name}:"
    for word in words:
        if len(line.encode()) + 1 + len(word.encode()) > FOLD_AT and line.strip() and line != f"{name}:" and word:
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    lines.append(line)
    folded = "\r\n".join(_hard(part) for part in lines)
    return f"{folded}\r\n".encode()


def _hard(line: str) -> str:
    if len(line.encode()) > MAX_LINE_OCTETS:
        raise HeaderError(f"a header word is longer than {MAX_LINE_OCTETS} octets and cannot be folded")
    return line
