"""The content of one part, taken out and put back, while every octet that is not replaced stays as it came.

    text = text_to_edit(raw, part)                          # None: leave this part alone
    raw = splice(raw, replace_text(raw, part, change(text)))

A part keeps its charset and transfer encoding as long as they can hold the new text; otherwise its header fields are changed with it.
"""

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from estafette.mail.header import MAX_LINE_OCTETS, Field, make_raw_field
from estafette.mail.mime import Part
from estafette.mail.words import encode_parameter, find_codec

IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})
KNOWN_ENCODINGS: Final = IDENTITY | {"base64", "quoted-printable"}
_QP_LINE: Final = 72  # of 76 (RFC 2045 6.7): room for the soft break and for a first octet that becomes three
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
# A soft break (with the blanks that a gateway put behind it), octets in hexadecimal, blanks at a line's end (6.7 rule 3).
_QP = re.compile(rb"=[ \t]*(?:\r\n|\n|\r|\Z)|((?:=[0-9A-Fa-f]{2})+)|(?<![ \t])[ \t]+(?=\r?\n|\Z)")
_QP_UNSAFE: Final = {
    b"\r\n": re.compile(rb"(?:[^\t\r\n -<>-~]|\r(?!\n)|(?<!\r)\n)+|[ \t](?=\r\n|\Z)"),
    b"\n": re.compile(rb"[^\t\n -<>-~]+|[ \t](?=\n|\Z)"),
    b"\r": re.compile(rb"[^\t\r -<>-~]+|[ \t](?=\r|\Z)"),
}
_QP_PIECE = re.compile(rb".{1,%d}(?<!=)(?<!=.)" % _QP_LINE, re.S)
_EXACT: Final = ("utf-8", "ascii", "iso8859", "cp125")
_DASHED = re.compile(rb"(?:\A|(?<=[\r\n]))--[^\r\n]*")
_CHARSET = re.compile(rb'(;[ \t\r\n]*charset[ \t\r\n]*=[ \t\r\n]*)("[^"\\]*"|[^\s;"]+)', re.I)


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `replacement` where `start` to `end` was; an insertion when they are equal."""

    start: int
    end: int
    replacement: bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body as it stands in the mail, and what its header must say of it."""

    body: bytes
    charset: str
    encoding: str


def splice(raw: bytes, edits: Iterable[Edit]) -> bytes:
    """`raw` with the edits made. They are sorted and must not overlap or lie outside: ValueError (a bug of the caller, never of the mail)."""
    pieces: list[bytes] = []
    kept_from = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if not kept_from <= edit.start <= edit.end <= len(raw):
            raise ValueError(f"an edit from {edit.start} to {edit.end} overlaps the one before or lies outside of the mail")
        pieces += (raw[kept_from : edit.start], edit.replacement)
        kept_from = edit.end
    return b"".join([*pieces, raw[kept_from:]]) if pieces else raw


def decode(raw: bytes, part: Part) -> bytes:
    """The body of a part without its transfer encoding. What is wrong in it is passed over (RFC 2045 6.7, 6.8), never raised."""
    body = raw[part.body_start : part.body_end]
    if part.encoding == "base64":
        return _from_base64(body)
    if part.encoding == "quoted-printable":
        return _QP.sub(_from_qp, body)
    return body


def _from_base64(body: bytes) -> bytes:
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:  # cut off: decode the whole quantums and what the last one still says
        text = _NOT_BASE64.sub(b"", body.partition(b"=")[0])
        text = text[: len(text) - 1] if len(text) % 4 == 1 else text
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _from_qp(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].replace(b"=", b"").decode("ascii")) if match[1] else b""


def text_of(raw: bytes, part: Part) -> str:
    """The text of a part to be read, stored or shown: octets that its charset has no character for are U+FFFD.

    Where the charset is missing, wrong or unknown it is UTF-8 if it can be, else Windows-1252.
    """
    octets = decode(raw, part)
    codec = find_codec(part.charset)
    if codec is None or (codec == "ascii" and not octets.isascii()):
        try:
            return octets.decode()
        except UnicodeDecodeError:
            codec = "cp1252"
    return octets.decode(codec, "replace")


def text_to_edit(raw: bytes, part: Part) -> str | None:
    """The text of a part such that `replace_text` puts every octet back that stays in it; None when it must be left alone.

    Octets that are no characters of the charset are lone surrogates (U+DC80 to U+DCFF): do not store or show this text.
    None: the part is protected, has parts of its own, an unknown transfer encoding, or octets that could not be kept.
    """
    if part.is_protected or part.children or part.encoding not in KNOWN_ENCODINGS:
        return None
    octets = decode(raw, part)
    try:
        text = octets.decode(_codec_of(part.charset), "surrogateescape")
        return text if _octets(text, part.charset) is not None else None
    except UnicodeError:
        return None


def _codec_of(charset: str) -> str:
    return find_codec(charset) or "ascii"  # what is declared wrongly still looks like ASCII, and surrogates carry the rest


def _octets(text: str, charset: str) -> bytes | None:
    """The text in its charset; None when it does not hold it."""
    codec = _codec_of(charset)
    try:
        octets = text.encode(codec, "surrogateescape")
        if not codec.startswith(_EXACT) and octets.decode(codec, "surrogateescape") != text:
            return None  # some take near characters for equal: Shift_JIS writes a yen sign as a backslash
    except UnicodeError:
        return None
    return octets


def encode_text(text: str, charset: str, encoding: str, line_end: bytes = b"\r\n") -> Encoded:
    """A text as the body of a part. `line_end` is that of the mail: what quoted-printable and unencoded text show as line ends.

    Falls back to UTF-8 in base64 when the charset cannot hold the text, and to quoted-printable when unencoded text would need what the
    encoding or SMTP forbids (8-bit in 7bit, NUL, bare CR or LF, lines past 998 octets). An empty charset stays empty while the text is ASCII.
    """
    octets = _octets(text, charset)
    if octets is None:
        charset, encoding = "utf-8", "base64"
        octets = text.encode("utf-8", "surrogateescape") if _octets(text, "utf-8") is not None else text.encode("utf-8", "replace")
    if encoding in IDENTITY:
        if _may_stand_unencoded(octets, encoding, line_end):
            return Encoded(octets, charset, encoding)
        encoding = "quoted-printable"
    if encoding == "quoted-printable":
        return Encoded(encode_quoted(octets, line_end), charset, encoding)
    return Encoded(encode_base64(octets, line_end), charset, "base64")


def encode_base64(octets: bytes, line_end: bytes) -> bytes:
    """Lines of 76, each with its line end (RFC 2045 6.8)."""
    coded = binascii.b2a_base64(octets, newline=False)
    return b"".join(coded[i : i + 76] + line_end for i in range(0, len(coded), 76))


def _may_stand_unencoded(octets: bytes, encoding: str, line_end: bytes) -> bool:
    if (encoding == "7bit" and not octets.isascii()) or b"\0" in octets:
        return False
    lines = octets.split(line_end)
    return all(len(line) <= MAX_LINE_OCTETS and b"\r" not in line and b"\n" not in line for line in lines)


def encode_quoted(octets: bytes, line_end: bytes) -> bytes:
    """Lines of at most 76; none begins like a delimiter or like an mbox's "From "."""
    escaped = _QP_UNSAFE[line_end].sub(lambda m: b"".join(b"=%02X" % octet for octet in m[0]), octets)
    lines: list[bytes] = []
    for line in escaped.split(line_end):
        pieces = [line] if len(line) <= _QP_LINE else _QP_PIECE.findall(line)
        lines.append((b"=" + line_end).join(b"=%02X" % piece[0] + piece[1:] if piece.startswith((b"--", b"From ")) else piece for piece in pieces))
    return line_end.join(lines)


def line_end_of(raw: bytes) -> bytes:
    """CRLF, unless the mail has none: then what `read_parts` took for it."""
    if b"\r\n" in raw or (b"\n" not in raw and b"\r" not in raw):
        return b"\r\n"
    return b"\n" if b"\n" in raw else b"\r"


def replace_text(raw: bytes, part: Part, text: str) -> list[Edit]:
    """The edits that give a part (of this `raw`, with a text_to_edit) another text: its body and, where they must change, its header fields."""
    line_end = line_end_of(raw)
    old = raw[part.body_start : part.body_end]
    new = encode_text(text, part.charset, part.encoding, line_end)
    if new.encoding in IDENTITY and not set(_DASHED.findall(new.body)) <= set(_DASHED.findall(old)):
        new = encode_text(text, part.charset, "quoted-printable", line_end)  # a new line that might be the delimiter of a part around this one
    body = new.body
    if new.encoding == "base64" and part.start > 0:
        body = body.removesuffix(line_end)  # the delimiter after it brings the line end
    if (body, new.charset, new.encoding) == (old, part.charset, part.encoding):
        return []
    if part.end < len(raw) and raw[part.end] not in b"\r\n":
        body += line_end  # an empty part between two delimiters that share one line end
    return [*header_edits(raw, part, new, line_end), Edit(part.body_start, part.body_end, body)]


def header_edits(raw: bytes, part: Part, new: Encoded, line_end: bytes) -> list[Edit]:
    """The edits that make the header of a part say what its new body is."""
    edits: list[Edit] = []
    added: list[bytes] = []
    if new.charset != part.charset:
        content_type = part.header.first("content-type")
        if content_type is None:
            added.append(_field("Content-Type", f"{part.content_type}; charset={new.charset}", line_end))
        else:
            edits.append(_charset_edit(raw, part, content_type, new.charset, line_end))
    if new.encoding != part.encoding:
        encoding = part.header.first("content-transfer-encoding")
        line = _field("Content-Transfer-Encoding", new.encoding, line_end)
        if encoding is None:
            added.append(line)
        else:
            edits.append(Edit(encoding.start, encoding.end, line))
    if added and part.start == 0 and part.header.first("mime-version") is None:
        added.insert(0, _field("MIME-Version", "1.0", line_end))
    at = part.header.end
    is_open = at > part.start and raw[at - 1] not in b"\r\n" and not any(e.end == at and e.replacement.endswith(line_end) for e in edits)
    ends = at == part.body_start  # the mail stopped after its header, or its body came without an empty line
    inserted = (line_end if is_open else b"") + b"".join(added) + (line_end if ends else b"")
    return [*edits, Edit(at, at, inserted)] if inserted else edits


def _charset_edit(raw: bytes, part: Part, content_type: Field, charset: str, line_end: bytes) -> Edit:
    """Another charset in its place; the field made anew where it has no single plain one."""
    found = list(_CHARSET.finditer(content_type.raw_value))
    if len(found) == 1 and found[0][2].strip(b'" \t').lower() == part.charset.encode("utf-8"):
        value_start = raw.index(b":", content_type.start) + 1
        return Edit(value_start + found[0].start(2), value_start + found[0].end(2), charset.encode("ascii"))
    field = _field("Content-Type", f"{part.content_type}; charset={charset}", b"")
    for name, value in part.parameters.items():
        written = encode_parameter(name, value)
        if name != "charset" and len(written) < MAX_LINE_OCTETS and name.isascii() and name.isprintable():
            field += b";" + line_end + b"\t" + written.encode("ascii")
    return Edit(content_type.start, content_type.end, field + line_end)


def _field(name: str, value: str, line_end: bytes) -> bytes:
    return make_raw_field(name, value).replace(b"\r\n", line_end)
