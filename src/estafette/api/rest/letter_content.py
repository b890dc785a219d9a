"""The parts of a newsletter as `detailcontent` takes and shows them (contract 5.5). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from estafette.api.errors import Problem
from estafette.api.header_rules import read_headers
from estafette.api.rest.resource import Row
from estafette.mail.address import AddressError, parse_mailbox
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.prepare.template.mjml import to_html
from estafette.prepare.template.running import TemplateError

MAX_PART: Final = 2_000_000
"""Characters of one part."""
_PARTS: Final = {"Html-part": "html", "Text-part": "text", "MJMLContent": "mjml"}
_OWN: Final = ("subject", "from", "reply-to")
"""Header fields that are properties of the newsletter."""


class ContentError(ValueError):
    """A part that cannot be taken; `name` says which."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


@dataclass(frozen=True, slots=True)
class Parts:
    """What `detailcontent` holds; "" = empty."""

    html: str = ""
    text: str = ""
    mjml: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # those of `_OWN` by these names

    def changed(self, given: Mapping[str, Any]) -> "Parts":
        """With what a body gives; MJML becomes HTML where there is none. Raises ContentError."""
        changes: dict[str, str] = {}
        for name, attribute in _PARTS.items():
            value = given.get(name, getattr(self, attribute))
            if value is not None and (not isinstance(value, str) or len(value) > MAX_PART):
                raise ContentError(name, f"a text of at most {MAX_PART} characters is expected")
            changes[attribute] = value or ""
        headers = _headers(given["Headers"]) if given.get("Headers") is not None else self.headers
        if changes["mjml"] and not changes["html"]:
            made = to_html(changes["mjml"])
            if isinstance(made, TemplateError):
                raise ContentError("MJMLContent", str(made))
            changes["html"] = made
        return Parts(**changes, headers=headers)


def _headers(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise ContentError("Headers", "an object is expected")
    own = {name.lower(): value for name, value in given.items() if name.lower() in _OWN}
    for name, value in own.items():
        if not isinstance(value, str) or len(value) > 1000:
            raise ContentError("Headers", f"{name}: a text of at most 1000 characters is expected")
        if name == "subject" and not value.strip():
            raise ContentError("Headers", "subject: it is empty")
        if name != "subject":
            try:
                parse_mailbox(value)
            except AddressError as error:
                raise ContentError("Headers", f"{name}: {error}") from None
    problems: list[Problem] = []
    others = dict(read_headers({name: value for name, value in given.items() if name.lower() not in _OWN}, problems))
    if problems:
        raise ContentError("Headers", problems[0].text)
    return {**others, **own}


def parts_of(one: Newsletter) -> Parts:
    """What it holds now."""
    source = msgspec.json.decode(one.letter, type=Source)
    return Parts(source.html, source.text, one.mjml, source.headers)


def with_parts(one: Newsletter, source: Source, parts: Parts) -> tuple[Newsletter, Source]:
    """The newsletter and its source with other parts."""
    headers = dict(parts.headers)
    subject, author, reply_to = headers.pop("subject", source.subject), headers.pop("from", None), headers.pop("reply-to", None)
    changes: dict[str, Any] = {"subject": " ".join(subject.split())}
    if author is not None:
        mailbox = parse_mailbox(author)
        changes |= {"author": str(mailbox.address), "author_name": mailbox.name or source.author_name}
    if reply_to is not None:
        changes["reply_to"] = str(parse_mailbox(reply_to).address)
    after = msgspec.structs.replace(source, html=parts.html, text=parts.text, headers=headers, **changes)
    return replace(one, mjml=parts.mjml, letter=msgspec.json.encode(after).decode()), after


def row_of(one: Newsletter) -> Row:
    """As `detailcontent` shows it."""
    parts = parts_of(one)
    return {"Headers": parts.headers, "Html-part": parts.html, "MJMLContent": parts.mjml, "Text-part": parts.text}
