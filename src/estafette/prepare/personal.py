"""A mail that is made for each of its recipients: one source with tags, filled with what is known of a person. Pure.

    source = read_source(content.raw)                 # once per submission: the templates are compiled
    raw = mail_for(source, person, ...)               # per recipient, immediately before the attempt
    make_plan(replace(content, raw=raw), ...)         # then as any other mail: links, pixel, unsubscribing, signatures

The source is JSON, kept once as the submission's content.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from estafette.audience import ContactProperty, PropertyValue
from estafette.mail.address import AddressError, Mailbox, parse
from estafette.mail.compose import Draft, compose
from estafette.mail.header import HeaderError, make_raw_field
from estafette.mail.report_text import plain_of_html
from estafette.mail.trace import format_date
from estafette.prepare.template.compiling import Compiled, compile_template, render
from estafette.prepare.template.legacy import fill_legacy
from estafette.prepare.template.running import Facts, Halted, Json, Value

MAGIC: Final = b'{"estafette":"letter"'
"""What the content of such a submission begins with; no mail does."""


class Source(msgspec.Struct, frozen=True):
    """What a newsletter is made from; texts may hold tags of the template language and the older `[[data:...]]`."""

    estafette: str = "letter"
    author: str = ""
    author_name: str = ""
    reply_to: str = ""
    subject: str = ""
    text: str = ""  # "" = made from the HTML
    html: str = ""
    has_language: bool = True
    locale: str = ""  # of the footer and the page to unsubscribe
    variables: dict[str, msgspec.Raw] = {}
    headers: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a recipient."""

    address: str
    name: str = ""
    properties: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # by name
    days_since_open: float | None = None
    days_since_click: float | None = None


class Unfillable(Exception):
    """The mail cannot be made for this person; the text says which tag, where."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A source that was read."""

    source: Source
    author: Mailbox
    reply_to: Mailbox | None
    subject: Compiled
    text: Compiled | None
    html: Compiled | None
    variables: Json


def named_values(known: Sequence[ContactProperty], values: Mapping[int, PropertyValue]) -> dict[str, PropertyValue]:
    """What mails know of a contact, by the names of the properties: the own value, else what the property says for who has none."""
    found = {one.name: values.get(one.id, one.fallback) for one in known}
    return {name: value for name, value in found.items() if value is not None}


def is_letter(raw: bytes) -> bool:
    """Whether a content is the source of a personal mail."""
    return raw.startswith(MAGIC)


def encode_source(source: Source) -> bytes:
    """The content of a submission. Begins with MAGIC."""
    return msgspec.json.encode(source)  # fields in their order, so that it begins with MAGIC


def read_source(raw: bytes) -> Letter:
    """Raises Unfillable for a source that no mail can be made from."""
    try:
        source = msgspec.json.decode(raw, type=Source)
        author = Mailbox(source.author_name, parse(source.author))
        reply_to = Mailbox("", parse(source.reply_to)) if source.reply_to else None
        variables = {name: msgspec.json.decode(value) for name, value in source.variables.items()}
        compiled = [compile_template(text, is_html=is_html) if text else None
                    for text, is_html in ((source.subject, False), (source.text, False), (source.html, True))]  # fmt: skip
    except (msgspec.MsgspecError, AddressError) as error:
        raise Unfillable(f"the newsletter cannot be read: {error}") from error
    except Halted as halted:
        raise Unfillable(str(halted.error)) from halted
    return Letter(source, author, reply_to, compiled[0] or compile_template(""), compiled[1], compiled[2], variables)


def mail_for(letter: Letter, person: Person, message_id: int, hostname: str, at_us: int) -> bytes:
    """The whole mail of one recipient. Raises Unfillable."""
    to = Mailbox(person.name, parse(person.address))
    facts = Facts(
        letter.variables, dict(person.properties), {"contact": _known(to), "sender": _known(letter.author)}, {}, person.days_since_open,
        person.days_since_click,
    )  # fmt: skip
    subject = " ".join(_filled(letter.subject, facts, letter.source).split())
    html = _filled(letter.html, facts, letter.source) if letter.html is not None else ""
    text = _filled(letter.text, facts, letter.source) if letter.text is not None else plain_of_html(html).strip()
    draft = Draft(
        letter.author, (to,), reply_to=(letter.reply_to,) if letter.reply_to else (), subject="".join(c if c.isprintable() else " " for c in subject),
        text=text, html=html, headers=tuple(letter.source.headers.items()),
    )  # fmt: skip
    try:
        made = compose(draft, message_id.to_bytes(16, "big"))
    except HeaderError as error:
        raise Unfillable(str(error)) from error
    identity = make_raw_field("Date", format_date(at_us)) + make_raw_field("Message-ID", f"<{message_id:x}@{hostname}>")
    return identity + made


def _filled(compiled: Compiled | None, facts: Facts, source: Source) -> str:
    if compiled is None:
        return ""
    rendered = render(compiled, facts)
    if rendered.error is not None and source.has_language:
        raise Unfillable(str(rendered.error))
    return fill_legacy(rendered.text, facts.var, facts.data)


def _known(mailbox: Mailbox) -> dict[str, Value]:
    return {"email": str(mailbox.address), "local_part": mailbox.address.local, "domain": mailbox.address.domain, "name": mailbox.name}
