"""Where the parts of a mail stand (RFC 2045, 2046, 2183): a tree of offsets into octets that nobody copies or writes again.

    root = read_parts(raw)
    for part in find_text_parts(root): ...      # what a reader is shown and what may be edited

Lenient: whatever arrives is read, with the odd line ends, missing ends and broken fields of real mail; only `MimeError` for the limits is raised.
A line ends with LF, with or without CR before it; in a mail without any LF, with CR.

Every octet is looked at once per level of nesting, by `find` and not line by line, and levels are limited.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from estafette.mail.header import FIELD, MAX_FIELDS, MAX_HEADER_OCTETS, Field, Header
from estafette.mail.parameters import read_value
from estafette.mail.words import decode_words

MAX_DEPTH: Final = 50
MAX_PARTS: Final = 1000
MAX_LOOKALIKES: Final = 100_000
"""Lines that begin like a delimiter and are none, per mail: each costs a look."""
_CR_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:([^\r]*(?:\r[ \t][^\r]*)*)(?:\r|\Z)")
_TYPE = re.compile(r"[!#-'*+.0-9^-~-]+/[!#-'*+.0-9^-~-]+")  # tokens of RFC 2045 5.1, in lower case
_WORD = re.compile(r"[!-:<-~]+")
# After the boundary: the mark of the last one, blanks that gateways put there (RFC 2046 5.1.1), the line end.
_TAIL_LF = re.compile(rb"(--)?[ \t]*\r?(\n|\Z)")
_TAIL_CR = re.compile(rb"(--)?[ \t]*(\r|\Z)")
_BEFORE = re.compile(rb">?From [^\r\n]*(?:\r?\n|\r|\Z)|[ \t]+(?:\r?\n|\r)")  # the line of an mbox, or a line of blanks
MESSAGE_TYPES: Final = frozenset({"message/rfc822", "message/global"})
_SEALED: Final = frozenset({"multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", *MESSAGE_TYPES})


class MimeError(ValueError):
    """A mail past one of the limits; the text says which."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part from `start` to `end`, offsets into the mail; the line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1)."""

    start: int
    end: int
    header: Header  # its offsets are those of the mail, too
    content_type: str  # "text/html"; RFC 2045 5.2's default when there is none or it cannot be read
    parameters: Mapping[str, str]  # of Content-Type, names in lower case
    encoding: str  # "base64", in lower case; "7bit" when there is none
    disposition: str  # "attachment", "inline"; "" when there is none
    file_name: str  # from Content-Disposition or Content-Type, decoded; "" when there is none
    is_protected: bool  # signed, encrypted or a mail in the mail, or below one of these: never edited
    children: tuple["Part", ...]  # of a multipart; the one message of message/rfc822

    @property
    def body_start(self) -> int:
        return self.header.body_start

    @property
    def body_end(self) -> int:
        return self.end

    @property
    def charset(self) -> str:
        """As declared, in lower case; "" when nothing is declared."""
        return self.parameters.get("charset", "").strip().lower()

    def walk(self) -> Iterator["Part"]:
        """This part and everything below it, in the order of the mail."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(slots=True)
class _Reading:
    """One run of read_parts: the mail, its line end, and what is left of the limits."""

    raw: bytes
    line_end: bytes = field(init=False)
    parts: int = 0
    lookalikes: int = 0

    def __post_init__(self) -> None:
        self.line_end = b"\n" if b"\n" in self.raw else b"\r"


def read_parts(raw: bytes) -> Part:
    """The tree of a whole mail. Raises MimeError past MAX_DEPTH, MAX_PARTS, MAX_LOOKALIKES and the limits of a header; nothing else."""
    return _read(_Reading(raw), 0, len(raw), "text/plain", False, 0)


def _read(reading: _Reading, start: int, end: int, default_type: str, is_protected: bool, depth: int) -> Part:
    reading.parts += 1
    if depth > MAX_DEPTH:
        raise MimeError(f"parts are nested deeper than {MAX_DEPTH} levels")
    if reading.parts > MAX_PARTS:
        raise MimeError(f"the mail has more than {MAX_PARTS} parts")
    header = _read_header(reading, start, end)
    content_type, parameters = _value(header, "content-type")
    if not _TYPE.fullmatch(content_type):
        content_type = default_type if header.first("content-type") is None else "text/plain"
    disposition, disposed = _value(header, "content-disposition")
    encoding = _first_word(_value(header, "content-transfer-encoding")[0]) or "7bit"
    is_protected = is_protected or content_type in _SEALED
    ranges: list[tuple[int, int]] = []
    default_below = "text/plain"
    if content_type.startswith("multipart/"):
        default_below = "message/rfc822" if content_type == "multipart/digest" else "text/plain"  # RFC 2046 5.1.5
        boundary = parameters.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")
        if boundary and b"\r" not in boundary and b"\n" not in boundary:
            ranges = _split(reading, header.body_start, end, boundary)
    elif content_type in MESSAGE_TYPES and encoding not in ("base64", "quoted-printable"):  # encoded ones cannot be shown as offsets
        ranges = [(header.body_start, end)]
    children = tuple([_read(reading, first, last, default_below, is_protected, depth + 1) for first, last in ranges])
    shown = {name: _clean(value) for name, value in parameters.items()}
    file_name = decode_words(_clean(disposed.get("filename") or shown.get("name", "")))
    return Part(start, end, header, content_type, shown, encoding, _first_word(disposition), file_name, is_protected, children)


def _split(reading: _Reading, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """Where the parts between the delimiters of one multipart stand; preamble and epilogue are in none of them.

    The whole line must be the delimiter: with the prefix comparison that RFC 2046 also allows, an inner boundary that begins like the outer
    one would end the outer part. Without a last delimiter the last part goes to the end.
    """
    raw, line_end = reading.raw, reading.line_end
    tail_of = (_TAIL_LF if line_end == b"\n" else _TAIL_CR).match
    mark = line_end + b"--" + boundary
    found: list[tuple[int, int]] = []
    opened = -1
    position = start - 1  # the line end before the body may be that of a delimiter
    while (hit := raw.find(mark, position, end)) >= 0:
        tail = tail_of(raw, hit + len(mark), end)
        if tail is None:
            reading.lookalikes += 1
            if reading.lookalikes > MAX_LOOKALIKES:
                raise MimeError(f"the mail has more than {MAX_LOOKALIKES} lines that begin like a delimiter and are none")
            position = hit + len(mark)
            continue
        if opened >= 0:
            last = hit - 1 if line_end == b"\n" and hit > opened and raw[hit - 1] == 0x0D else hit
            found.append((opened, max(opened, last)))
            if reading.parts + len(found) > MAX_PARTS:
                raise MimeError(f"the mail has more than {MAX_PARTS} parts")
        if tail[1] or not tail[2]:  # the last delimiter, or one with nothing after it
            return found
        opened = tail.end()
        position = opened - 1
    if opened >= 0:
        found.append((opened, end))
    return found


def _read_header(reading: _Reading, start: int, end: int) -> Header:
    """As `header.read_header`, but nothing is refused: the first line that is no field begins the body."""
    raw = reading.raw
    field_at, empty = (FIELD.match, (b"\n", b"\r\n")) if reading.line_end == b"\n" else (_CR_FIELD.match, (b"\r",))
    fields: list[Field] = []
    before = _BEFORE.match(raw, start, end)
    position = before.end() if before else start
    while position < end:
        match = field_at(raw, position, end)
        if match is None:
            blank = next((len(line) for line in empty if raw.startswith(line, position, end)), 0)
            return Header(tuple(fields), position, position + blank)
        fields.append(Field(match[1].decode("ascii"), match[2], position, match.end()))
        position = match.end()
        if len(fields) > MAX_FIELDS or position - start > MAX_HEADER_OCTETS:
            raise MimeError(f"a header is longer than {MAX_HEADER_OCTETS} octets or {MAX_FIELDS} fields")
    return Header(tuple(fields), position, position)


def _value(header: Header, name: str) -> tuple[str, dict[str, str]]:
    found = header.first(name)
    if found is None:
        return "", {}
    unfolded = found.raw_value.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\r", b"")
    return read_value(unfolded.decode("utf-8", "surrogateescape"))


def _first_word(text: str) -> str:
    match = _WORD.match(text)
    return match[0] if match else ""


def _clean(text: str) -> str:
    """Octets that are no UTF-8 as U+FFFD, so that the text can be stored and shown."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def find_text_parts(part: Part) -> list[Part]:
    """The text/plain and text/html parts that a reader is shown, in order: no attachments, nothing named like a file, nothing protected."""
    if part.is_protected:
        return []
    if part.content_type == "multipart/related":
        return find_text_parts(_root_of_related(part)) if part.children else []  # the others are what the root refers to (RFC 2387)
    if part.content_type.startswith("multipart/"):
        return [found for child in part.children for found in find_text_parts(child)]
    is_shown = part.content_type in ("text/plain", "text/html") and part.disposition != "attachment" and not part.file_name
    return [part] if is_shown else []


def _root_of_related(part: Part) -> Part:
    wanted = part.parameters.get("start", "").strip()
    for child in part.children if wanted else ():
        content_id = child.header.first("content-id")
        if content_id is not None and content_id.value == wanted:
            return child
    return part.children[0]
