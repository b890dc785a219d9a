"""Reads `Attachments` and `InlinedAttachments` (contract 2.2): strict base64, whitespace in it ignored; 15 MB in all. Pure."""

import base64
from typing import Final

from estafette.api import errors
from estafette.api.errors import Problem
from estafette.api.fields import Fields, folded
from estafette.mail.compose import Attachment, is_content_id, is_media_type

MAX_BYTES: Final = 15 * 1024 * 1024  # decoded, attached and inlined together
MAX_COUNT: Final = 100
MAX_FILENAME: Final = 255


def read_attachments(fields: Fields, problems: list[Problem]) -> tuple[tuple[Attachment, ...], tuple[Attachment, ...]]:
    """(attached, inlined)."""
    room = MAX_BYTES
    attached, room = _read(fields.raw("Attachments"), "Attachments", room, problems, is_inlined=False)
    inlined, room = _read(fields.raw("InlinedAttachments"), "InlinedAttachments", room, problems, is_inlined=True)
    if room < 0:
        text = f"The attachments are too large. Max allowed - {MAX_BYTES} bytes in total, decoded"
        problems.append(errors.too_large(text, ("Attachments", "InlinedAttachments")))
    return attached, inlined


def _read(value: object, name: str, room: int, problems: list[Problem], *, is_inlined: bool) -> tuple[tuple[Attachment, ...], int]:
    """The files, and the octets that may still come; below zero nothing more is decoded."""
    if value is None:
        return (), room
    if not isinstance(value, list):
        problems.append(errors.mismatch(name, "array of attachments"))
        return (), room
    if len(value) > MAX_COUNT:
        problems.append(errors.array_too_long(name, MAX_COUNT))
        return (), room
    found = []
    for i, entry in enumerate(value):
        path = f"{name}[{i}]"
        if not isinstance(entry, dict):
            problems.append(errors.mismatch(path, "attachment"))
            continue
        fields = Fields(folded(entry), problems, path)
        before = len(problems)
        content_type = fields.text("ContentType", is_required=True).strip()
        filename = fields.text("Filename", MAX_FILENAME, is_required=True, is_line=True)
        content_id = _content_id(fields, path, problems) if is_inlined else ""
        encoded = "".join(fields.text("Base64Content", is_required=True).split())
        if content_type and not is_media_type(content_type):
            problems.append(errors.not_allowed(f"{path}.ContentType", f'"{content_type[:100]}" is not a media type.'))
        room -= len(encoded) * 3 // 4
        if room < -2:  # two octets may be padding
            return (), -1
        content = _decode(encoded, f"{path}.Base64Content", problems) if len(problems) == before else b""
        if len(problems) == before:
            room += len(encoded) * 3 // 4 - len(content)
            found.append(Attachment(content_type, filename, content, content_id))
    return tuple(found), room


def _content_id(fields: Fields, path: str, problems: list[Problem]) -> str:
    given = fields.text("ContentID", is_required=True).strip()
    content_id = given[1:-1] if given.startswith("<") and given.endswith(">") else given
    if given and not is_content_id(content_id):
        problems.append(errors.not_allowed(f"{path}.ContentID", f'"{given[:100]}" is not a content id: at most 255 visible ASCII characters without < and >.'))
    return content_id


def _decode(encoded: str, path: str, problems: list[Problem]) -> bytes:
    if not encoded:
        problems.append(errors.empty_text(path))
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        problems.append(errors.not_allowed(path, f'"{path}" is not valid base64: {error}.'))
        return b""
