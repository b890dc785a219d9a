"""What a stored mail says, for people: its HTML, its text, its header, its attachments. Pure; everything is hostile and bounded."""

from dataclasses import dataclass, field
from typing import Final

from estafette.mail.mime import MimeError, Part, find_text_parts, read_parts
from estafette.mail.mime_edit import text_of

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
    """At most `MAX_SHOWN` octets are decoded: what is longer is cut."""
    texts, left = [], MAX_SHOWN
    for part in parts:
        if part.content_type == kind and left > 0:
            texts.append(text_of(raw[: part.body_start + left], part))
            left -= part.body_end - part.body_start
    return "\n".join(texts)
