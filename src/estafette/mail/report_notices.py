"""Who a notice for people says was not reached, and what was answered: by the shape of its lines, then by the words before an address.

Shapes hold in every language: qmail and Postfix begin a paragraph with `<address>:`, Exim, Exchange and most others put the address on a line of its
own, sendmail writes `550 <address>... User unknown`. Only when no line has such a shape do sentences count, and at last the To of the returned mail.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from estafette.mail.report_address import find_addresses
from estafette.mail.report_text import fold, fold_pattern
from estafette.mail.text_patterns import AnyOf, any_of
from estafette.rules import load

MAX_RECIPIENTS: Final = 200
MAX_SECTION: Final = 1500
ROLES: Final = frozenset({
    "postmaster", "mailer-daemon", "abuse", "support", "helpdesk", "admin", "administrator", "noreply", "no-reply", "webmaster", "hostmaster",
})  # fmt: skip
_ALONE_BEFORE = re.compile(r"""[\s>*•\-–=.\[("'<|「【・#]*(?:\d{1,2}[.)] ?)?[\s<"'\[(]*""")
_ALONE_AFTER = re.compile(r"""[\s>\])"',.;:」】]*(?:<mailto:[^>]{1,300}>?)?(?:[\s>\])"',.;:]*\([^()]{0,200}\)?)?\s*""")
_COLON_AFTER = re.compile(r"""[>"'\])]{0,3}\s?:(?:\s|$)""")
_TEXT_AFTER = re.compile(r"""[>"'\])]{0,3}(?:\.\.\.|\s+(?:on\s|error\b|\[|\(|- |\.\.\.|[45]\d\d\b|#?[45]\.\d)|,? ?(?:failed|unknown|rejected)\b)""", re.I)
_CODE_BEFORE = re.compile(r"\s{0,8}[45]\d\d[ -](?:[45]\.\d{1,3}\.\d{1,3} )?[<\"']{0,2}$")
_TO_LINE = re.compile(r"[ \t]{0,20}(?:to|cc|an|a|para|pour)[ \t]{0,3}:.{0,80}", re.I)  # of a summary of the returned mail
_DIALOGUE = re.compile(r"(?:rcpt to:?|>>> rcpt)", re.I)


@dataclass(frozen=True, slots=True)
class Mention:
    """An address in a notice: on which line, and how sure it is that it is the one that failed."""

    address: str
    line: int
    trust: int  # 5 stood before a forwarding, 4 shape of the line, 3 words or an SMTP command before it, 2 anywhere, 1 in a summary


def find_mentions(lines: tuple[str, ...], not_these: frozenset[str]) -> list[Mention]:
    """Every address that may have failed, in the order of the notice."""
    found: list[Mention] = []
    for number, line in enumerate(lines):
        if "@" not in line or len(found) >= MAX_RECIPIENTS:
            continue
        for address, start, end in find_addresses(line, 10):
            trust = _trust(line, start, end, lines[number - 1] if number else "")
            if trust and not ((address in not_these or address.partition("@")[0] in ROLES) and trust < 4):
                found.append(Mention(address, number, trust))
    return found


def _trust(line: str, start: int, end: int, before: str) -> int:
    ahead, behind = line[:start], line[end:]
    before = before if before.rstrip()[-1:].isalnum() or before.rstrip()[-1:] in tuple(",:<(") else ""  # else its sentence ends there
    said = fold(f"{before[-80:].strip() if len(ahead.strip(' <')) < 12 else ''} {ahead}"[-160:])
    if earlier_address().search(said):
        return 5
    if foreign_address().search(said):
        return 0
    is_first = _ALONE_BEFORE.fullmatch(ahead) is not None
    if is_first and (_ALONE_AFTER.fullmatch(behind) or _COLON_AFTER.match(behind) or _TEXT_AFTER.match(behind)):
        return 4
    if _CODE_BEFORE.match(ahead) and not fold(behind).startswith((">... sender", " sender")):
        return 3
    if recipient_words().search(said):
        return 3
    return 3 if _DIALOGUE.search(ahead) else 1 if _TO_LINE.fullmatch(ahead) else 2


def choose_recipients(mentions: list[Mention]) -> list[Mention]:
    """The mentions of the best trust there is, each address once."""
    if not mentions:
        return []
    best = max(mention.trust for mention in mentions)
    earlier = {mention.line: mention.address for mention in mentions if mention.trust == 5}
    forwarded = dict[str, str]()  # the address that it was forwarded to stands on one of the lines before
    for mention in mentions:
        original = earlier.get(mention.line) or earlier.get(mention.line + 1) or earlier.get(mention.line + 2)
        if mention.trust == 4 and original:
            forwarded.setdefault(mention.address, original)
    chosen: dict[str, Mention] = {}
    for mention in mentions:
        address = forwarded.get(mention.address, mention.address)
        if mention.trust == best or (best == 5 and mention.trust == 4):
            chosen.setdefault(address, Mention(address, mention.line, best))
    return list(chosen.values())


def section_after(lines: tuple[str, ...], mention: Mention, others: frozenset[int]) -> str:
    """What is said about one recipient: from its line to the next recipient or the second empty line."""
    said: list[str] = []
    size = blanks = 0
    for number in range(mention.line, min(mention.line + 60, len(lines))):
        line = lines[number].strip()
        if number > mention.line and number in others and size:
            break
        if not line:
            blanks += size > 120 or number > mention.line
            if blanks > 2 or size > 250:
                break
            continue
        said.append(line)
        size += len(line)
        if size > MAX_SECTION:
            break
    return " ".join(said)


def find_bare_names(lines: tuple[str, ...]) -> list[str]:
    """Names without a domain, each on a line of its own below a line that announces recipients (the domain is the reporting one)."""
    for number, line in enumerate(lines[:-1]):
        if line.rstrip().endswith(":") and re.search("recipient|address|user", fold(" ".join(lines[max(number - 2, 0) : number + 1]))):
            below = [text.strip() for text in lines[number + 1 : number + 12]]
            while below and not below[0]:
                below.pop(0)
            names = []
            for text in below:
                if not re.fullmatch(r"[A-Za-z0-9._+-]{2,40}", text):
                    break
                names.append(text.lower())
            if names:
                return names
    return []


@cache
def recipient_words() -> AnyOf:
    """Words after which the address stands that was not reached."""
    return _patterns("recipient")


@cache
def earlier_address() -> AnyOf:
    """Words before the address that the sender had written, before it was forwarded."""
    return _patterns("earlier_address")


@cache
def foreign_address() -> AnyOf:
    """Words before an address that is somebody else's: who wrote, whom to ask."""
    return _patterns("foreign_address")


def _patterns(table: str) -> AnyOf:
    return any_of(fold_pattern(text) for rule in load("bounces")[table] for text in rule["text"])
