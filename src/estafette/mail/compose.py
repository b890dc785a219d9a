"""Writes a mail from its parts: addresses, subject, texts, attachments. Pure; a whole message comes out, CRLF line ends.

    mixed( alternative( text, related( html, inlined... ) ), attachments... )        each level only when it is needed

Date, Message-ID and Received are left out: `accept` writes them. Bcc is never written. Boundaries come from octets that the caller hands in,
and are made anew until none occurs in the content. Nothing that is handed in can begin a new header line: HeaderError.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from estafette.mail.address import Mailbox
from estafette.mail.header import HeaderError, make_field, make_mailboxes, make_raw_field
from estafette.mail.words import encode_parameter

MAX_LINE: Final = 998  # RFC 5322 2.1.1, without CRLF
ENCODED_LINE: Final = 76  # RFC 2045 6.7 and 6.8
OPAQUE: Final = "application/octet-stream"
WRITTEN_HERE: Final = frozenset({
    "from", "sender", "reply-to", "to", "cc", "bcc", "resent-bcc", "subject", "date", "message-id", "received", "return-path",
    "mime-version", "content-type", "content-transfer-encoding", "content-disposition", "content-id", "content-description",
})  # fmt: skip
"""Fields that `Draft.headers` may not hold, lower case: they are made of the other parts, by `accept`, or by the last hop."""

_TOKEN: Final = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"
_MEDIA_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})((?:\s*;\s*{_TOKEN}=(?:{_TOKEN}|\"[ !#-\[\]-~]*\"))*)\s*;?\s*", re.ASCII)
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNSAFE_SECTION = re.compile(rb"[^A-Za-z0-9!#$&+.^_`{}~-]")
_SECTION_CHARACTERS: Final = 54


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with the mail; with a `content_id` the HTML refers to it as `cid:`."""

    content_type: str  # type/subtype, parameters allowed
    filename: str
    content: bytes
    content_id: str = ""  # without angle brackets


@dataclass(frozen=True, slots=True)
class Draft:
    """The parts of a mail. Empty means absent."""

    author: Mailbox
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    sender: Mailbox | None = None
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    inlined: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A MIME entity: its Content-* fields, then either its encoded body or its parts."""

    fields: bytes
    body: bytes = b""
    kind: str = ""  # alternative, related, mixed; "" = a leaf
    parts: tuple["_Part", ...] = ()


def compose(draft: Draft, randomness: bytes, *, is_encoded: bool = False) -> bytes:
    """The mail. `randomness`: 16 octets or more that boundaries are derived from; `is_encoded`: no text stays as it is, because others will be put into it.
    Raises HeaderError for a value that is no header's."""
    root = _structure(draft, is_encoded=is_encoded)
    boundaries = _boundaries(randomness, [leaf.body for leaf in _leaves(root)])
    pieces = [_header(draft)]
    _write(root, boundaries, pieces)
    if not pieces[-1].endswith(b"\r\n"):
        pieces.append(b"\r\n")
    return b"".join(pieces)


def is_media_type(text: str) -> bool:
    """True for `type/subtype`, with or without parameters (RFC 2045 5.1), of at most 255 characters."""
    return len(text) <= 255 and _MEDIA_TYPE.fullmatch(text) is not None


def is_content_id(text: str) -> bool:
    """True for what may stand between the angle brackets of Content-ID; wider than RFC 2045 7, which wants an @ that nobody misses."""
    return _CONTENT_ID.fullmatch(text) is not None


def _header(draft: Draft) -> bytes:
    fields = [make_mailboxes("From", [draft.author])]
    if draft.sender:
        fields.append(make_mailboxes("Sender", [draft.sender]))
    if draft.reply_to:
        fields.append(make_mailboxes("Reply-To", draft.reply_to))
    if draft.to:
        fields.append(make_mailboxes("To", draft.to))
    if draft.cc:
        fields.append(make_mailboxes("Cc", draft.cc))
    if draft.subject:
        fields.append(make_field("Subject", draft.subject))
    for name, value in draft.headers:
        if name.lower() in WRITTEN_HERE:
            raise HeaderError(f"{name} is not a header of its own")
        fields.append(make_field(name, value))
    return b"".join([*fields, b"MIME-Version: 1.0\r\n"])


# -- structure ----------------------------------------------------------------------------------------------------------------


def _structure(draft: Draft, *, is_encoded: bool) -> _Part:
    inlined = [_file(a, "inline") for a in draft.inlined]
    bodies: list[_Part] = []
    if draft.text or not draft.html:
        bodies.append(_text("plain", draft.text, is_encoded))
    if draft.html:
        html = _text("html", draft.html, is_encoded)
        bodies.append(_together("related", [html, *inlined], "text/html") if inlined else html)
        inlined = []
    body = bodies[0] if len(bodies) == 1 else _together("alternative", bodies)
    files = [*inlined, *(_file(a, "attachment") for a in draft.attachments)]
    return _together("mixed", [body, *files]) if files else body


def _together(kind: str, parts: list[_Part], root_type: str = "") -> _Part:
    # RFC 2387 3.1: multipart/related names the type of its root
    return _Part(f'; type="{root_type}"'.encode() if root_type else b"", kind=kind, parts=tuple(parts))


def _leaves(part: _Part) -> Iterator[_Part]:
    if not part.kind:
        yield part
    for inner in part.parts:
        yield from _leaves(inner)


def _write(part: _Part, boundaries: Iterator[str], pieces: list[bytes]) -> None:
    if not part.kind:
        pieces += (part.fields, b"\r\n", part.body)
        return
    boundary = next(boundaries)
    delimiter = f"\r\n--{boundary}".encode()
    pieces.append(f'Content-Type: multipart/{part.kind}{part.fields.decode()};\r\n boundary="{boundary}"\r\n'.encode())
    for inner in part.parts:
        pieces += (delimiter, b"\r\n")
        _write(inner, boundaries, pieces)
    pieces += (delimiter, b"--\r\n")


def _boundaries(randomness: bytes, contents: list[bytes]) -> Iterator[str]:
    """Boundaries that occur in no content. `=_` cannot occur in quoted-printable or base64 (RFC 2045 6.7), but in 7bit text it can."""
    number = 0
    while True:
        boundary = f"=_{hashlib.sha256(b'%d ' % number + randomness).hexdigest()[:32]}"
        number += 1
        if not any(boundary.encode() in content for content in contents):
            yield boundary


# -- leaves -------------------------------------------------------------------------------------------------------------------


def _text(subtype: str, text: str, is_encoded: bool) -> _Part:
    lines = _LINE_END.sub("\r\n", text) if "\r" in text else text.replace("\n", "\r\n")  # much faster, and nearly always enough
    octets = lines.encode("utf-8", "replace")
    encoding, body = _encode_text(octets, is_encoded)
    return _Part(f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n".encode(), body)


def _encode_text(octets: bytes, is_encoded: bool) -> tuple[str, bytes]:
    """7bit where RFC 2045 2.7 allows it, else the shorter of the two encodings."""
    if not is_encoded and octets.isascii() and b"\0" not in octets and max(map(len, octets.split(b"\r\n"))) <= MAX_LINE:
        return "7bit", octets
    # with LF in and CRLF made afterwards: b2a_qp takes the style of its soft breaks from the first line end, and there may be none
    printable = binascii.b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")
    return ("quoted-printable", printable) if len(printable) <= _base64_size(len(octets)) else ("base64", _encode_base64(octets))


def _base64_size(count: int) -> int:
    characters = (count + 2) // 3 * 4
    return characters + 2 * -(-characters // ENCODED_LINE)


def _encode_base64(octets: bytes) -> bytes:
    encoded = base64.b64encode(octets)
    return b"".join(encoded[i : i + ENCODED_LINE] + b"\r\n" for i in range(0, len(encoded), ENCODED_LINE))


def _file(attachment: Attachment, disposition: str) -> _Part:
    content_type = _media_type(attachment.content_type)
    shown = [disposition, *_parameter("filename", attachment.filename)] if attachment.filename else [disposition]
    fields = [
        make_raw_field("Content-Type", content_type),
        make_raw_field("Content-Disposition", "; ".join(shown)),
        b"Content-Transfer-Encoding: base64\r\n",
    ]
    if attachment.content_id:
        if not is_content_id(attachment.content_id):
            raise HeaderError(f"not a Content-ID: {attachment.content_id[:60]!r}")
        fields.append(make_raw_field("Content-ID", f"<{attachment.content_id}>"))
    return _Part(b"".join(fields), _encode_base64(attachment.content))


def _media_type(text: str) -> str:
    """The type as given; multipart and message types, which must not be base64 (RFC 2045 6.4), are shown as opaque."""
    match = _MEDIA_TYPE.fullmatch(text) if len(text) <= 255 else None
    if match is None or _CONTROL.search(text):
        raise HeaderError(f"not a media type: {text[:60]!r}")
    if match[1].lower().startswith(("multipart/", "message/")):
        return OPAQUE
    return match[1] + match[2]


def _parameter(name: str, value: str) -> list[str]:
    """One parameter, or its sections (RFC 2231 3) when it does not fit on a line."""
    if _CONTROL.search(value):
        raise HeaderError(f"the {name} contains a control character")
    whole = encode_parameter(name, value)
    if len(whole) <= ENCODED_LINE:
        return [whole]
    sections, section = [], "utf-8''"
    for octet in value.encode("utf-8", "replace"):
        unit = f"%{octet:02X}" if _UNSAFE_SECTION.match(bytes([octet])) else chr(octet)
        if len(section) + len(unit) > _SECTION_CHARACTERS:
            sections.append(section)
            section = ""
        section += unit
    return [f"{name}*{i}*={s}" for i, s in enumerate([*sections, section])]
