"""Makes 7-bit octets of an 8-bit mail for a server without 8BITMIME (RFC 6152 3), part by part; every part that is 7-bit already stays as it came.

    mail = to_7bit(raw)          # raises CannotConvert with the reason, as a reply text

Texts become quoted-printable or base64, whichever is shorter, everything else base64. What was signed by somebody (multipart/signed) cannot be converted
without breaking the signature, and a header inside (of a part, of an enclosed mail) with raw 8-bit octets has no other form: such a mail is refused.
The header of the mail itself is not looked at: 8-bit octets there are SMTPUTF8's business (RFC 6531 3.5). It must be signed (DKIM) after this.
"""

from collections.abc import Iterator
from typing import Final

from estafette.mail.mime import MESSAGE_TYPES, MimeError, Part, read_parts
from estafette.mail.mime_edit import IDENTITY, KNOWN_ENCODINGS, Edit, Encoded, decode, encode_base64, encode_quoted, header_edits, line_end_of, splice

_SEALED: Final = "multipart/signed"
_UNKNOWN: Final = "unknown-8bit"  # RFC 1428 3
_MASK: Final = bytes(range(128)) + b"?" * 128


class CannotConvert(ValueError):
    """The mail has no 7-bit form; the text says why."""


def to_7bit(raw: bytes) -> bytes:
    """The mail with 7-bit octets only below its own header. Raises CannotConvert."""
    try:
        root = read_parts(raw)
    except MimeError as error:
        raise CannotConvert(f"its parts cannot be told: {error}") from None
    return splice(raw, _part_edits(raw, root, line_end_of(raw), is_root=True))


def _part_edits(raw: bytes, part: Part, line_end: bytes, *, is_root: bool = False) -> Iterator[Edit]:
    if not is_root and not raw[part.start : part.body_start].isascii():
        raise CannotConvert("a header inside of the mail has 8-bit octets")
    if raw[part.body_start : part.body_end].isascii():
        return
    if part.content_type == _SEALED:
        raise CannotConvert("a signed part of it (multipart/signed) has 8-bit octets, and another encoding would break the signature")
    if part.children:
        yield from _encoding_edits(raw, part, line_end)
        yield from _between(raw, part)
        for child in part.children:
            yield from _part_edits(raw, child, line_end)
    elif part.content_type.startswith("multipart/") or (part.content_type in MESSAGE_TYPES and part.encoding in IDENTITY):
        raise CannotConvert(f"a part of it ({part.content_type}) has 8-bit octets and no parts that could be encoded")
    else:
        yield from _leaf_edits(raw, part, line_end)


def _leaf_edits(raw: bytes, part: Part, line_end: bytes) -> list[Edit]:
    if part.encoding not in KNOWN_ENCODINGS:
        raise CannotConvert(f"a part of it is in an encoding that is not known ({part.encoding[:40]})")
    octets = decode(raw, part)
    charset, is_text = part.charset, part.content_type.startswith("text/")
    if is_text and charset in ("", "us-ascii") and not octets.isascii():
        charset = "utf-8" if _is_utf8(octets) else _UNKNOWN
    forms = [(encode_base64(octets, line_end), "base64")]
    if is_text or part.encoding == "quoted-printable":
        forms.append((encode_quoted(octets, line_end), "quoted-printable"))
    body, encoding = min(forms, key=lambda form: len(form[0]))
    if encoding == "base64" and part.start > 0:
        body = body.removesuffix(line_end)  # the delimiter behind it brings the line end
    return [*header_edits(raw, part, Encoded(body, charset, encoding), line_end), Edit(part.body_start, part.body_end, body)]


def _encoding_edits(raw: bytes, part: Part, line_end: bytes) -> list[Edit]:
    """A part that holds parts says 8bit or binary no longer."""
    if part.encoding == "7bit":
        return []
    return header_edits(raw, part, Encoded(b"", part.charset, "7bit"), line_end)


def _between(raw: bytes, part: Part) -> Iterator[Edit]:
    """What stands before, between and behind the parts is shown to nobody (RFC 2046 5.1.1)."""
    at = part.body_start
    for start, end in (*((child.start, child.end) for child in part.children), (part.body_end, part.body_end)):
        if not raw[at:start].isascii():
            yield Edit(at, start, raw[at:start].translate(_MASK))
        at = end


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True
