"""Makes the object that a customer's program gets for a mail (the Parse API, contract 5.8), and the raw mail with it. Pure."""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from estafette.clock import SECOND_US
from estafette.mail.header import Header, HeaderError, read_header
from estafette.mail.mime import MimeError, Part, read_parts
from estafette.mail.mime_edit import decode, text_of

SINGLE: Final = frozenset({"date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"})
"""Fields that are given as one string; all others as an array of them."""
NO_SCORE: Final = "0"
_ID = re.compile(r"<([0-9a-f]{1,16})@([^<>@\s]{1,255})>", re.I)
MAX_REFERENCES: Final = 50


@dataclass(frozen=True, slots=True)
class Correlation:
    """What the mail that this one answers had been given; empty when it answers none of ours."""

    custom_id: str = ""
    event_payload: str = ""


def answered_submissions(raw: bytes, hostname: str) -> list[int]:
    """Submissions of ours that a mail may be the answer to, by the Message-IDs that it names, the nearest first. They can be guessed: good for a hint only."""
    try:
        header = read_header(raw)
    except HeaderError:
        return []
    named = [field.value for name in ("In-Reply-To", "References") for field in header.all(name)]
    found: list[int] = []
    for text in named:
        for number, host in reversed(_ID.findall(text)[-MAX_REFERENCES:]):
            if host.lower() == hostname.lower() and int(number, 16) < 2**53:
                found.append(int(number, 16))
    return list(dict.fromkeys(found))


def payload_of(raw: bytes, reverse_path: str, recipient: str, received_at: int, correlation: Correlation = Correlation()) -> bytes:
    """The JSON object. Total: of a mail whose parts cannot be read the header and the raw mail are told."""
    try:
        root: Part | None = read_parts(raw)
    except MimeError:
        root = None
    header = root.header if root is not None else _header(raw)
    at = datetime.fromtimestamp(received_at // SECOND_US, UTC)
    told: dict[str, object] = {
        "Sender": reverse_path, "Recipient": recipient, "Date": f"{at:%Y%m%dT%H%M%S}", "From": _first(header, "From"), "Subject": _first(header, "Subject"),
        "Headers": _headers(header), "Parts": [], "Text-part": "", "Html-part": "", "SpamAssassinScore": NO_SCORE, "CustomID": correlation.custom_id,
        "Payload": correlation.event_payload, "RawMessage": base64.b64encode(raw).decode("ascii"),
    }  # fmt: skip
    if root is not None:
        told |= _parts(raw, root)
    return msgspec.json.encode(told)


def _header(raw: bytes) -> Header | None:
    try:
        return read_header(raw)
    except HeaderError:
        return None


def _first(header: Header | None, name: str) -> str:
    field = header.first(name) if header is not None else None
    return _shown(field.text) if field is not None else ""


def _shown(text: str) -> str:
    """Text that JSON can carry: lone surrogates are none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _headers(header: Header | None) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for field in header or ():
        if field.key in SINGLE:
            found.setdefault(field.name, _shown(field.text))
            continue
        values = found.setdefault(field.name, [])
        if isinstance(values, list):
            values.append(_shown(field.text))
    return found


def _parts(raw: bytes, root: Part) -> dict[str, object]:
    """The leaves: the first text of each kind by itself, everything else numbered."""
    told: dict[str, object] = {}
    listed: list[dict[str, object]] = []
    attached = inlined = 0
    for leaf in _leaves(root):
        is_text = leaf.disposition != "attachment" and not leaf.file_name
        if is_text and leaf.content_type == "text/plain" and "Text-part" not in told:
            name = "Text-part"
            told[name] = _shown(text_of(raw, leaf))
        elif is_text and leaf.content_type == "text/html" and "Html-part" not in told:
            name = "Html-part"
            told[name] = _shown(text_of(raw, leaf))
        else:
            is_inline = leaf.disposition == "inline" or (leaf.header.first("Content-ID") is not None and leaf.disposition != "attachment")
            attached, inlined = attached + (not is_inline), inlined + is_inline
            name = f"InlineAttachment{inlined}" if is_inline else f"Attachment{attached}"
            octets = raw[leaf.body_start : leaf.end] if leaf.content_type.startswith("message/") else decode(raw, leaf)
            told[name] = base64.b64encode(octets).decode("ascii")
        listed.append({"Headers": _headers(leaf.header) if leaf is not root else _content_headers(leaf.header), "ContentRef": name})
    return {**told, "Parts": listed}


def _content_headers(header: Header) -> dict[str, str | list[str]]:
    """Of a mail without parts only what is said of its body."""
    return {name: value for name, value in _headers(header).items() if name.lower().startswith("content-")}


def _leaves(root: Part) -> list[Part]:
    """Every part that has none itself; a mail in the mail is one."""
    if root.content_type.startswith("multipart/") and root.children:
        return [leaf for child in root.children for leaf in _leaves(child)]
    return [root]
