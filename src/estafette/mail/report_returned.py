"""Where the mail that comes back begins in the text of a notice, and its header, however it was pasted, indented, quoted or cut."""

import re
from functools import cache
from typing import Final

from estafette.mail.report_text import fold, fold_pattern
from estafette.mail.text_patterns import AnyOf, any_of
from estafette.rules import load

MAX_LINE: Final = 2000
_FIELD = re.compile(r"[ \t>]{0,12}([A-Za-z][A-Za-z0-9-]{1,60})[ \t]{0,3}:[ \t]?(.*)")
_FORWARDED = re.compile(r"[-\s]{0,20}(?:begin )?forwarded message|[-\s]{2,20}original message", re.I)
HEADER_NAMES: Final = frozenset({
    "return-path", "received", "date", "from", "to", "cc", "subject", "message-id", "mime-version", "content-type", "content-transfer-encoding", "reply-to",
    "sender", "references", "in-reply-to", "x-mailer", "user-agent", "delivered-to", "list-id", "precedence", "dkim-signature", "list-unsubscribe",
})  # fmt: skip
_SURE_NAMES: Final = frozenset({"return-path", "received", "message-id", "mime-version", "dkim-signature"})


def header_of_lines(lines: list[str]) -> dict[str, tuple[str, ...]]:
    """Fields read off text, also indented or quoted, up to the first line that is none and continues none."""
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    misses = 0
    for line in lines:
        match = _FIELD.match(line)
        if match and (not name or not line[:1].isspace() or match[1].lower() in HEADER_NAMES):
            name = match[1].lower()
            found[name] = (*found.get(name, ()), match[2].strip()[:MAX_LINE])
        elif name and line[:1].isspace() and line.strip():
            *before, last = found[name]
            found[name] = (*before, f"{last} {line.strip()}"[:MAX_LINE])
        elif not line.strip() and found:
            if "message-id" in found or len(found) > 5:
                break
            misses += 1
        else:
            misses += 1  # the first lines are often half a field
        if misses > 40:
            break
    return found


def cut_returned(lines: list[str]) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """(the lines before the returned mail, its header): where a line announces it, or where a header stands in the text."""
    for number, line in enumerate(lines):
        if len(line) < 200 and line.strip() and _is_cut(line):
            return lines[:number], header_of_lines(lines[number + 1 :])
    start = _header_block(lines)
    if start is None:
        return lines, {}
    end = start
    while end < len(lines) and lines[end].strip():
        end += 1
    return [*lines[:start], *lines[end:]], header_of_lines(lines[start:])


def unquoted(lines: list[str]) -> list[str]:
    """A report that a person passed on as a quotation: without the marks, and without the header that was quoted with it."""
    quoted = sum(line.startswith(">") for line in lines)
    begin = next((n for n, line in enumerate(lines[:40]) if _FORWARDED.match(line)), None)
    if begin is None or quoted * 2 < len(lines) - begin:
        return lines
    plain = [re.sub(r"^>[ \t]?", "", line) for line in lines[begin + 1 :]]
    while plain and (not plain[0].strip() or _FIELD.match(plain[0])):
        plain.pop(0)
    return plain


def _is_cut(line: str) -> bool:
    return returned_marks().search(fold(line).strip()) is not None


def _header_block(lines: list[str]) -> int | None:
    """Where at least three fields of a mail follow each other, one of them a sure sign."""
    start, names = None, set[str]()
    for number, line in enumerate(lines):
        match = _FIELD.match(line)
        name = match[1].lower() if match else ""
        if name in HEADER_NAMES or (names and name.startswith("x-")):
            start = number if start is None else start
            names.add(name)
            if len(names) >= 3 and names & _SURE_NAMES:
                return start
        elif not (start is not None and line[:1].isspace() and line.strip()):
            start, names = None, set()
    return None


@cache
def returned_marks() -> AnyOf:
    """Lines after which the returned mail begins."""
    return any_of(fold_pattern(text) for rule in load("bounces")["returned"] for text in rule["text"])
