"""What TemplateID, TemplateLanguage and Variables make of the texts of a mail (contract 6): pure, and the same for every door.

An error of the template language blocks the messages of that mail, or is passed over where the submitter asks for it; either way it is told with its
line, column and variable, and reported to the address that was named for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from estafette.mail.address import Mailbox, parse
from estafette.mail.compose import Attachment, Draft
from estafette.mail.report_text import plain_of_html
from estafette.model import Reason
from estafette.nouns import Template, TemplateContent
from estafette.prepare.template.compiling import MAX_SOURCE, render
from estafette.prepare.template.legacy import fill_legacy, has_legacy_tags
from estafette.prepare.template.library import Library
from estafette.prepare.template.running import Facts, Json, TemplateError

BAD_TEMPLATE: Final = Reason("content", "bad or empty template")
LANGUAGE_ERROR: Final = Reason("content", "error in template language")
REPORTER: Final = "templating-language-error"
MAX_STEPS_TOGETHER: Final = 1_000_000
MAX_OCTETS_TOGETHER: Final = 128_000_000
STEPS_PER_TAG: Final = 10
"""What compiling costs."""
MAX_REPORTED: Final = 1_000_000
_PERSONAL: Final = ("data:", "mj:contact", "segment:", "openedsince", "clickedsince")


class TooMuch(Exception):
    """The texts of one call or mail take more than they may together."""


class Allowance:
    """What the texts of one call or mail may take together: many messages, each within its own budget, would still stop a process."""

    __slots__ = ("_octets", "_steps")

    def __init__(self, steps: int = MAX_STEPS_TOGETHER, octets: int = MAX_OCTETS_TOGETHER) -> None:
        self._steps = steps
        self._octets = octets

    def spend(self, steps: int) -> None:
        """Raises TooMuch."""
        self._steps -= steps
        if self._steps < 0:
            raise TooMuch("the templates take too many steps together")

    def keep(self, octets: int) -> None:
        """A mail that was made. Raises TooMuch."""
        self._octets -= octets
        if self._octets < 0:
            raise TooMuch("the mails that are made are too large together")


@dataclass(frozen=True, slots=True)
class Wish:
    """How the submitter wants the texts to be made."""

    template: int | str | None = None  # its id, or its name
    has_language: bool = False
    variables: Json = field(default_factory=dict)
    reports_to: str = ""  # who is told of an error; "" = nobody
    is_delivered_anyway: bool = False

    @property
    def is_set(self) -> bool:
        return self.template is not None or self.has_language or bool(self.variables)


NO_WISH: Final = Wish()


@dataclass(frozen=True, slots=True)
class Stored:
    """A template of the account with its parts."""

    template: Template
    content: TemplateContent


@dataclass(frozen=True, slots=True)
class Texts:
    """What templates are filled into."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the texts are not what was wanted."""

    reason: Reason
    explanation: str
    is_blocking: bool
    reports_to: str = ""
    error: TemplateError | None = None  # the same as a value, where it is the language's
    part: str = ""  # Subject, TextPart, HTMLPart: where that is


@dataclass(frozen=True, slots=True)
class Filled:
    texts: Texts
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the account knows of a recipient."""

    id: int
    name: str
    data: Json  # properties by name


Contacts = Mapping[str, Known]
"""By the address's lookup key; only those whom the account knows."""


def facts_for(variables: Json, author: Mailbox, recipient: Mailbox | None, template: Template | None, contacts: Contacts) -> Facts:
    """What tags may name. `recipient`: None where the texts are shared by several."""
    mj: dict[str, dict[str, object]] = {"sender": _person(author)}
    data: Json = {}
    if recipient is not None:
        mj["contact"] = _person(recipient)
        known = contacts.get(recipient.address.key)
        if known is not None:
            data = known.data
            mj["contact"] |= {"ID": known.id, "name": recipient.name or known.name}
    if template is not None:
        mj["template"] = {"ID": template.id, "name": template.name, "copyright": template.copyright}
    return Facts(variables, data, mj)  # type: ignore[arg-type]  # JSON as it should be


def _person(mailbox: Mailbox) -> dict[str, object]:
    return {"email": str(mailbox.address), "local_part": mailbox.address.local, "domain": mailbox.address.domain, "name": mailbox.name}


def texts_of(texts: Texts, stored: Stored | None, library: Library) -> Texts | Trouble:
    """The texts with the template's in place of them; the caller's subject comes before the template's."""
    if stored is None:
        return texts
    content = stored.content
    html: str | TemplateError = content.html or (library.html_of(content.mjml) if content.mjml else "")
    if isinstance(html, TemplateError):
        return Trouble(BAD_TEMPLATE, f"the MJML of template {stored.template.id} cannot be compiled: {html.text}", is_blocking=True)
    if not (html or content.text):
        return Trouble(BAD_TEMPLATE, f"template {stored.template.id} is empty", is_blocking=True)
    return Texts(texts.subject or _default_header(content.headers, "subject"), content.text or texts.text, html)


def _default_header(headers: Mapping[str, str], name: str) -> str:
    return next((value for given, value in headers.items() if given.lower() == name), "")


def is_personal(texts: Texts, wish: Wish) -> bool:
    """Whether the texts speak of the recipient, so that everybody needs his own."""
    if wish.has_language:
        whole = f"{texts.subject}\n{texts.text}\n{texts.html}".lower()
        return any(word in whole for word in _PERSONAL)
    return any("[[data:" in text for text in (texts.subject, texts.text, texts.html))


def fill(texts: Texts, wish: Wish, facts: Facts, library: Library, allowance: Allowance) -> Filled:
    """The texts with their tags evaluated, in the language where that is switched on, and the older tags. Raises TooMuch."""
    error: TemplateError | None = None
    wrong = ""
    made = []
    for part, source in (("Subject", texts.subject), ("TextPart", texts.text), ("HTMLPart", texts.html)):
        text = source
        if wish.has_language and ("{{" in source or "{%" in source):
            text, found = _evaluated(source, wish, facts, library, allowance, is_html=part == "HTMLPart")
            if found is not None and error is None:
                error, wrong = found, part
        made.append(fill_legacy(text, facts.var, facts.data))
    filled = Texts(*made)
    if error is None:
        return Filled(filled)
    trouble = Trouble(LANGUAGE_ERROR, str(error), is_blocking=not wish.is_delivered_anyway, reports_to=wish.reports_to, error=error, part=wrong)
    return Filled(filled, trouble)


def has_tags(texts: Texts, wish: Wish) -> bool:
    """Whether `fill` has anything to do."""
    return any(has_legacy_tags(text) or (wish.has_language and ("{{" in text or "{%" in text)) for text in (texts.subject, texts.text, texts.html))


def _evaluated(
    source: str, wish: Wish, facts: Facts, library: Library, allowance: Allowance, *, is_html: bool
) -> tuple[str, TemplateError | None]:
    if not library.has(source, is_html=is_html):
        allowance.spend(STEPS_PER_TAG * (source.count("{{") + source.count("{%")))
    compiled = library.get(source, is_html=is_html)
    if isinstance(compiled, TemplateError):
        return source[:MAX_SOURCE], compiled
    rendered = render(compiled, facts, is_lenient=wish.is_delivered_anyway)
    allowance.spend(rendered.steps)
    return rendered.text, rendered.error


def report(trouble: Trouble, subject: str, raw: bytes, hostname: str) -> Draft:
    """The mail that tells of an error (contract 6.4): the subject quotes that of the mail, whose source is attached."""
    text = f"{trouble.explanation}\n\n" + (
        "The mail was not sent.\n" if trouble.is_blocking else "The mail was sent all the same, as TemplateErrorDeliver asks for it.\n"
    )
    shown = "".join(c if c.isprintable() else " " for c in subject)[:200]
    return Draft(
        Mailbox("", parse(f"{REPORTER}@{hostname}")), (Mailbox("", parse(trouble.reports_to)),), subject=f'Error in template language: "{shown}"',
        text=text, attachments=(Attachment("application/octet-stream", "mail.eml", raw[:MAX_REPORTED]),), headers=(("Auto-Submitted", "auto-generated"),),
    )  # fmt: skip


def finished(texts: Texts, stored: Stored | None = None) -> Texts:
    """The subject as one line: what variables bring into it must not begin another field. The text made of the HTML where the template asks for it."""
    subject = " ".join("".join(c if c.isprintable() or c == " " else " " for c in texts.subject).split())
    makes_text = stored is not None and stored.template.makes_text and not texts.text
    return Texts(subject, _text_of(texts.html) if makes_text else texts.text, texts.html)


def _text_of(html: str) -> str:
    """What a reader sees of a page, its blocks as paragraphs."""
    body = html[max(0, html.lower().find("<body")) :]
    lines = (" ".join(line.split()) for line in plain_of_html(body).splitlines())
    return "\n\n".join(line for line in lines if line)
