"""What a stored mail says, for people: its HTML, its text, its header, its attachments. Pure; everything is hostile and bounded."""

import base64
import binascii
import quopri
from dataclasses import dataclass, field
from typing import Final

from estafette.mail.mime import MimeError, Part, find_text_parts, read_parts

MAX_SHOWN: Final = 2_000_000
MAX_RAW: Final = 300_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not shown."""

    name: str
    type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail, taken apart."""

    html: str = ""
    text: str = ""
    header: tuple[tuple[str, str], ...] = ()
    raw: str = ""
    attachments: tuple[Attachment, ...] = field(default=())
    problem: str = ""  # why it could not be taken apart


def read(raw: bytes) -> Reading:
    """Take a mail apart; one past the limits is shown as it is."""
    shown = raw[:MAX_RAW].decode("utf-8", "replace")
    try:
        root = read_parts(raw)
    except MimeError as error:
        return Reading(raw=shown, problem=str(error))
    parts = find_text_parts(root)
    header = tuple((f.name, f.text[:2000]) for f in root.header)
    files = tuple(Attachment(p.file_name or p.content_type, p.content_type, p.body_end - p.body_start) for p in root.walk()
                  if not p.children and p not in parts and (p.file_name or not p.content_type.startswith("multipart/")))  # fmt: skip
    return Reading(_joined(raw, parts, "text/html"), _joined(raw, parts, "text/plain"), header, shown, files[:200])


def _joined(raw: bytes, parts: list[Part], kind: str) -> str:
    return "\n".join(text_of(raw, p) for p in parts if p.content_type == kind)[:MAX_SHOWN]


def text_of(raw: bytes, part: Part) -> str:
    """A part's text, its transfer encoding and its character set undone as far as they are known."""
    body = raw[part.body_start : part.body_end]
    if part.encoding == "base64":
        try:
            body = base64.b64decode(bytes(c for c in body if c not in b"\r\n\t "), validate=False)
        except (binascii.Error, ValueError):
            pass
    elif part.encoding == "quoted-printable":
        body = quopri.decodestring(body)
    try:
        return body.decode(part.charset or "utf-8", "replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", "replace")
