"""What a stored mail says, for people: its HTML, its text, its header, its attachments. Pure; everything is hostile and bounded."""

import base64
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from estafette.mail.mime import MimeError, Part, find_text_parts, read_parts
from estafette.mail.mime_edit import decode, text_of

MAX_SHOWN: Final = 2_000_000
MAX_RAW: Final = 300_000
MAX_INLINE: Final = 6_000_000
PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_CID: Final = re.compile(r"cid:([^\s\"'<>()]{1,250})", re.IGNORECASE)


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


def html_with_images(raw: bytes) -> str:
    """The HTML with the pictures that the mail brings along (`cid:`, RFC 2392) as `data:` addresses; "" when it cannot be taken apart.

    Raster formats only: an SVG may hold more than a picture. At most `MAX_INLINE` octets are put in, however often a picture is named.
    """
    try:
        root = read_parts(raw)
    except MimeError:
        return ""
    pictures: dict[str, Part] = {}
    for part in root.walk():
        field = part.header.first("content-id")
        if field is not None and part.content_type in PICTURES and not part.is_protected:
            pictures.setdefault(field.value.strip("<> \t"), part)
    left = MAX_INLINE
    made: dict[str, str] = {}

    def shown(match: re.Match[str]) -> str:
        nonlocal left
        name = unquote(match[1])
        part = pictures.get(name)
        if part is None or part.body_end - part.body_start > left:
            return match[0]
        if name not in made:
            made[name] = f"data:{part.content_type};base64,{base64.b64encode(decode(raw, part)).decode('ascii')}"
        if len(made[name]) > left:
            return match[0]
        left -= len(made[name])
        return made[name]

    return _CID.sub(shown, _joined(raw, find_text_parts(root), "text/html"))


def _joined(raw: bytes, parts: list[Part], kind: str) -> str:
    """At most `MAX_SHOWN` octets are decoded: what is longer is cut."""
    texts, left = [], MAX_SHOWN
    for part in parts:
        if part.content_type == kind and left > 0:
            texts.append(text_of(raw[: part.body_start + left], part))
            left -= part.body_end - part.body_start
    return "\n".join(texts)
