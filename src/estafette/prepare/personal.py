"""A mail that is made for each of its recipients: one source with tags, filled with what is known of a person. Pure.

    letter = read_source(content.raw)                 # once per submission: the templates are compiled
    filling = fill(letter, person, ...)               # per recipient, immediately before the attempt: the values
    forms.copy_for(filling, ...)                      # put into the mail of all whose texts take the same way
    mail_for(filling)                                 # or composed for this recipient alone, then `make_plan` as for any other mail

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
from estafette.mail.trace import format_date
from estafette.prepare.frames import Marked, Way, mark, way_of
from estafette.prepare.html_walk import text_of_html
from estafette.prepare.template.compiling import Compiled, compile_template, run_through
from estafette.prepare.template.running import Facts, Halted, Json, Value

MAGIC: Final = b'{"estafette":"letter"'
"""What the content of such a submission begins with; no mail does."""
MAX_FRAMES: Final = 32
"""Ways through one newsletter that are kept. A condition doubles them, but most people take few."""


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
    frames: "dict[tuple[Way, Way, Way], Frame]" = field(default_factory=dict, repr=False, compare=False)  # those that were met last
    forms: "dict[object, object]" = field(default_factory=dict, repr=False, compare=False)  # what `forms` keeps of them


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
        compiled = [compile_template(text, is_html=is_html, has_legacy=True) if text else None
                    for text, is_html in ((source.subject, False), (source.text, False), (source.html, True))]  # fmt: skip
    except (msgspec.MsgspecError, AddressError) as error:
        raise Unfillable(f"the newsletter cannot be read: {error}") from error
    except Halted as halted:
        raise Unfillable(str(halted.error)) from halted
    return Letter(source, author, reply_to, compiled[0] or compile_template(""), compiled[1], compiled[2], variables)


@dataclass(frozen=True, slots=True)
class Frame:
    """The texts of all who take the same way. `html` is None where there is none, `text` where it is made from the HTML."""

    key: tuple[Way, Way, Way]
    html: Marked | None
    text: Marked | None
    is_subject_fluid: bool


@dataclass(frozen=True, slots=True)
class Filling:
    """What one recipient's mail consists of."""

    letter: Letter
    frame: Frame
    subject: str
    html: Sequence[str]  # values
    text: Sequence[str]
    to: Mailbox
    message_id: int
    hostname: str
    at_us: int


def fill(letter: Letter, person: Person, message_id: int, hostname: str, at_us: int) -> Filling:
    """The texts run with what is known of a person. Raises Unfillable."""
    to = Mailbox(person.name, parse(person.address))
    facts = Facts(
        letter.variables, dict(person.properties), {"contact": _known(to), "sender": _known(letter.author)}, {}, person.days_since_open,
        person.days_since_click,
    )  # fmt: skip
    subject, html, text = [_run(compiled, facts, letter.source) for compiled in (letter.subject, letter.html, letter.text)]
    (subject_way, _), (html_way, html_values), (text_way, text_values) = way_of(subject), way_of(html), way_of(text)
    key = (subject_way, html_way, text_way)
    frame = letter.frames.get(key)
    if frame is None:
        if len(letter.frames) >= MAX_FRAMES:
            del letter.frames[next(iter(letter.frames))]
        frame = letter.frames[key] = Frame(
            key, mark(html_way, is_html=True) if letter.html is not None else None, mark(text_way, is_html=False) if letter.text is not None else None,
            any(not isinstance(piece, str) for piece in subject_way),
        )  # fmt: skip
    shown = " ".join("".join(subject).split())
    shown = shown if shown.isprintable() else "".join(c if c.isprintable() else " " for c in shown)
    return Filling(letter, frame, shown, html_values, text_values, to, message_id, hostname, at_us)


def mail_for(filling: Filling) -> bytes:
    """The whole mail of one recipient. Raises Unfillable."""
    frame = filling.frame
    html = frame.html.filled(frame.html.written(filling.html)) if frame.html is not None else ""
    text = frame.text.filled(filling.text) if frame.text is not None else text_of_html(html)
    try:
        made = compose(draft_of(filling.letter, filling.to, filling.subject, text, html), filling.message_id.to_bytes(16, "big"))
    except HeaderError as error:
        raise Unfillable(str(error)) from error
    return identity(filling.at_us, f"{filling.message_id:x}", filling.hostname) + made


def draft_of(letter: Letter, to: Mailbox, subject: str, text: str, html: str) -> Draft:
    """The parts of a mail."""
    return Draft(
        letter.author, (to,), reply_to=(letter.reply_to,) if letter.reply_to else (), subject=subject, text=text, html=html,
        headers=tuple(letter.source.headers.items()),
    )  # fmt: skip


def identity(at_us: int, number: str, hostname: str) -> bytes:
    """The fields that make a mail one of its own."""
    return make_raw_field("Date", format_date(at_us)) + make_raw_field("Message-ID", f"<{number}@{hostname}>")


def _run(compiled: Compiled | None, facts: Facts, source: Source) -> list[str]:
    if compiled is None:
        return []
    run = run_through(compiled, facts)
    if run.error is not None and source.has_language:
        raise Unfillable(str(run.error))
    return run.out


def _known(mailbox: Mailbox) -> dict[str, Value]:
    return {"email": str(mailbox.address), "local_part": mailbox.address.local, "domain": mailbox.address.domain, "name": mailbox.name}
