"""What a report is made of, as text: its notice, its machine-readable fields, the header of the mail it returns. Nothing is judged here.

Real reports are broken in every way: no boundary, fields in the notice, the returned mail pasted below it. All texts are bounded, whatever the size of
the mail, and nothing raises.
"""

import re
from dataclasses import dataclass
from typing import Final

from estafette.mail.header import Header
from estafette.mail.mime import MimeError, Part, read_parts
from estafette.mail.report_returned import HEADER_NAMES, MAX_LINE, cut_returned, header_of_lines, unquoted
from estafette.mail.report_text import MAX_NOTICE, as_text, decoded, plain_of_html

MAX_PARTS_READ: Final = 40
MAX_LINES: Final = 4000
MAX_MAIL: Final = 30_000_000
_STATUS_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status", "message/xdelivery-status"})
_HEADER_TYPES: Final = frozenset({"text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers", "text/rfc822"})
_MESSAGE_TYPES: Final = frozenset({"message/rfc822", "message/global"})
_STATUS_FIELD = re.compile(r"(?:^|\n)[ \t]{0,8}(?:Final-Recipient|Original-Recipient)[ \t]{0,3}:", re.I)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that may be a report, taken apart."""

    header: dict[str, tuple[str, ...]]  # of the mail itself; names in lower case, values unfolded and decoded
    content_type: str
    notice: tuple[str, ...]  # the lines that a person reads, without the returned mail
    status: str  # the text of all delivery-status parts, or of a notice that carries such fields; "" for none
    feedback: str  # the text of message/feedback-report
    returned: dict[str, tuple[str, ...]]  # header of the mail that comes back; empty when it does not
    has_status_part: bool

    def first(self, name: str) -> str:
        return self.header.get(name, ("",))[0]


def read_letter(raw: bytes) -> Letter:
    """Take a mail apart. Total; of a mail past MAX_MAIL only the beginning is looked at."""
    raw = raw[:MAX_MAIL]
    try:
        root = read_parts(raw)
    except MimeError:
        root = _flat(raw)
    if root.header.end == root.header.body_start and 0 < root.header.end < len(raw):  # its header ends without an empty line
        raw = _repaired(raw, root.header.end)
        try:
            root = read_parts(raw)
        except MimeError:
            root = _flat(raw)
    core = _core(root)
    texts: list[tuple[str, str]] = []  # (kind, text) in the order of the mail
    returned: dict[str, tuple[str, ...]] = {}
    attached: dict[str, tuple[str, ...]] = {}  # a header as a plain text beside the report
    for part in _outer(core):
        if part.content_type in _STATUS_TYPES:
            texts.append(("status", _text(raw, part)))
        elif part.content_type == "message/feedback-report":
            texts.append(("feedback", _text(raw, part)))
        elif part.content_type in _HEADER_TYPES or part.content_type in _MESSAGE_TYPES:
            returned = returned or _returned(raw, part)
        elif texts and texts[-1][0] == "status" and part.content_type == "text/plain" and len(loose := _returned(raw, part)) > 2 and HEADER_NAMES & set(loose):
            attached = attached or loose
        elif part.content_type.startswith("text/") or part.content_type in ("multipart/report", "multipart/mixed", "multipart/alternative"):
            texts.append(("notice", _text(raw, part)))
    status = "\n\n".join(text for kind, text in texts if kind == "status")[:MAX_NOTICE]
    notice, pasted = cut_returned(unquoted([line[:MAX_LINE] for kind, text in texts if kind == "notice" for line in text.split("\n")][:MAX_LINES]))
    header = _fields(root.header)
    if core is not root:  # a report in a mail around it: what the report says of itself counts as well
        for name, values in _fields(core.header).items():
            header[name] = (*values, *header.get(name, ()))
    has_status_part = any(kind == "status" and _STATUS_FIELD.search(text) for kind, text in texts)
    if not has_status_part:
        joined = "\n".join(notice)
        found = _STATUS_FIELD.search(joined)
        status = joined[max(found.start() - 2000, 0) :] if found else status
    feedback = "\n".join(text for kind, text in texts if kind == "feedback")[:MAX_NOTICE]
    return Letter(header, core.content_type, tuple(notice), status, feedback, returned or attached or pasted, has_status_part)


def _flat(raw: bytes) -> Part:
    """A mail past the limits of the splitter: its first octets as if they had no parts."""
    try:
        return read_parts(re.sub(rb"(?i)^content-type:", b"X-Content-Type:", raw[:MAX_NOTICE], flags=re.M))
    except MimeError:
        return read_parts(b"\r\n" + raw[:MAX_NOTICE].replace(b":", b" "))


def _repaired(raw: bytes, broken_at: int) -> bytes:
    """A mail whose header a line interrupts that is no field: without such lines, when fields follow them. Gateways that fold wrongly make these."""
    gap = _GAP.search(raw, broken_at, broken_at + MAX_NOTICE)
    if gap is None:
        return raw
    kept, is_field, fields = [], False, 0
    for line in raw[broken_at : gap.start()].split(b"\r" if b"\n" not in raw else b"\n"):
        match = re.match(rb"[A-Za-z][A-Za-z0-9-]{1,60}:", line)
        fields += match is not None and match[0][:-1].lower().decode() in HEADER_NAMES
        is_field = match is not None or (is_field and line[:1] in (b" ", b"\t"))
        if is_field:
            kept.append(line.rstrip(b"\r"))
    if not fields or len(kept) < 2:
        return raw
    end = b"\n" if b"\n" in raw else b"\r"
    return raw[:broken_at] + end.join(kept) + end + end + raw[gap.end() :]


_GAP = re.compile(rb"\r?\n\r?\n|\r\r")


def _core(root: Part) -> Part:
    """The part that is the report: mostly the mail itself; a forwarded one is found by its delivery-status (or feedback) part."""
    found = root
    for part in root.walk():
        if part.content_type in _STATUS_TYPES or part.content_type == "message/feedback-report":
            return found
        if part.content_type == "multipart/report":
            found = part
        elif part.content_type in _MESSAGE_TYPES and part is not root:
            inner = part.children[0] if part.children else None
            if found.content_type == "multipart/report" or inner is None or inner.content_type != "multipart/report":
                return found  # the returned mail; what it carries itself is none of our business
            found = inner
    return root


def _outer(core: Part) -> list[Part]:
    """The leaves of a report in their order: nothing of the returned mail. Where an HTML text stands beside a plain one, the plain one."""
    leaves: list[Part] = []
    waiting = [core]
    while waiting and len(leaves) < MAX_PARTS_READ:
        part = waiting.pop(0)
        if part.content_type == "multipart/alternative" and part.children:
            plain = [child for child in part.children if child.content_type == "text/plain" and child.body_end - child.body_start > 40]
            waiting[:0] = plain[:1] or part.children
        elif part.content_type.startswith("multipart/") and part.children:
            waiting[:0] = part.children
        else:
            leaves.append(part)
    return leaves


def _text(raw: bytes, part: Part) -> str:
    """The body as text: transfer encoding and charset undone, HTML without its tags, line ends as \\n."""
    octets = decoded(raw[part.body_start : min(part.body_end, part.body_start + MAX_NOTICE)], part.encoding)
    text = as_text(octets, part.charset).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    is_html = part.content_type == "text/html" or text.lstrip()[:200].lower().startswith(("<html", "<!doctype html", "<p>", "<div"))
    return plain_of_html(text) if is_html else text


def _fields(header: Header) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for field in header.fields[:200]:
        found[field.key] = (*found.get(field.key, ()), field.text[:MAX_LINE])
    return found


def _returned(raw: bytes, part: Part) -> dict[str, tuple[str, ...]]:
    """The header of a returned mail; where the splitter saw none (a blank line too many, an encoding), its text is read."""
    if part.children and len(part.children[0].header.fields) > 1:
        header = part.children[0].header
        found = _fields(header)
        if "message-id" in found or header.end != header.body_start:
            return found
        return {**header_of_lines(_text(raw, part).lstrip().split("\n")[:500]), **found}  # a line that is no field ended it too early
    return header_of_lines(_text(raw, part).lstrip().split("\n")[:500])
