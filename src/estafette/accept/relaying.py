"""From a mail that came whole (SMTP, raw over HTTP) to the mails that are accepted: with its texts made of a template or of tags where its headers ask
for it, one for everybody or one for each recipient. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from estafette.accept.examine import Examined, Refused, examine
from estafette.accept.filling import (
    Allowance,
    Contacts,
    Stored,
    Texts,
    TooMuch,
    Trouble,
    Wish,
    facts_for,
    fill,
    finished,
    has_tags,
    is_personal,
    report,
    texts_of,
)
from estafette.accept.submit import Recipient, Request
from estafette.mail.address import Mailbox
from estafette.mail.compose import Attachment, Draft, compose, is_content_id, is_media_type
from estafette.mail.header import Header, HeaderError, make_field, read_header, without
from estafette.mail.mime import MimeError, Part, find_text_parts, read_parts
from estafette.mail.mime_edit import Edit, decode, replace_text, splice, text_of, text_to_edit
from estafette.mail.smtp.replies import reply
from estafette.model import Options
from estafette.prepare.template.library import Library

NOBODY_KNOWN: Final[Contacts] = {}
_UNSAID: Final = Options(track_opens=False, track_clicks=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with those who get it."""

    raw: bytes
    examined: Examined
    recipients: tuple[Recipient, ...]
    trouble: Trouble | None = None


def speaks_of_recipients(raw: bytes, examined: Examined, stored: Stored | None) -> bool:
    """Whether the recipients' contacts are to be looked up before `letters` is called. A quick look: it may say yes in vain."""
    if not examined.wish.is_set:
        return False
    content = stored.content if stored else None
    texts = Texts(examined.subject, content.text or "", content.html or content.mjml or "") if content else Texts("", raw.decode("ascii", "replace"), "")
    return is_personal(texts, examined.wish)


def letters(
    raw: bytes, examined: Examined, recipients: Sequence[Recipient], stored: Stored | None, library: Library, contacts: Contacts = NOBODY_KNOWN
) -> list[Letter]:
    """At least one. Raises Refused for a mail that cannot be made."""
    wish = examined.wish
    whole = Letter(raw, examined, tuple(recipients))
    if not wish.is_set:
        return [whole]
    try:
        return _filled(whole, wish, stored, library, contacts)
    except (HeaderError, MimeError) as error:
        raise Refused(reply(554, "5.6.0", f"The mail cannot be made of its template: {error}")) from None
    except TooMuch as error:
        raise Refused(reply(552, "5.3.4", f"Too much for one mail, send it to fewer at a time: {error}")) from None


def _filled(whole: Letter, wish: Wish, stored: Stored | None, library: Library, contacts: Contacts) -> list[Letter]:
    raw, examined = whole.raw, whole.examined
    root = read_parts(raw)
    parts = [(part, text) for part in find_text_parts(root) if (text := text_to_edit(raw, part)) is not None]
    texts = texts_of(Texts(examined.subject, "", ""), stored, library)
    if isinstance(texts, Trouble):
        return [replace(whole, trouble=texts)]
    seen = texts if stored else Texts(texts.subject, "\n".join(t for p, t in parts if not _is_html(p)), "\n".join(t for p, t in parts if _is_html(p)))
    if stored is None and not has_tags(seen, wish):
        return [whole]
    groups = [(r,) for r in whole.recipients] if is_personal(seen, wish) else [whole.recipients]
    made = []
    allowance = Allowance()
    for group in groups:
        recipient = Mailbox("", group[0].address) if len(group) == 1 else None
        facts = facts_for(wish.variables, examined.author, recipient, stored.template if stored else None, contacts)
        if stored is not None:
            filled = fill(texts, wish, facts, library, allowance)
            changed = _rebuilt(raw, examined, root, finished(filled.texts, stored))
            trouble = filled.trouble
        else:
            edits, trouble = [], None
            for part, text in parts:
                html, plain = (text, "") if _is_html(part) else ("", text)
                one = fill(Texts("", plain, html), wish, facts, library, allowance)
                trouble = trouble or one.trouble
                edits += replace_text(raw, part, one.texts.html or one.texts.text)
            subject = fill(Texts(examined.subject, "", ""), wish, facts, library, allowance)
            trouble = subject.trouble or trouble
            changed = splice(raw, [*edits, *_subject_edit(examined, finished(subject.texts).subject)])
        allowance.keep(len(changed))
        made.append(Letter(changed, examine(changed), group, trouble))
    return made


def _is_html(part: Part) -> bool:
    return part.content_type == "text/html"


def _subject_edit(examined: Examined, subject: str) -> list[Edit]:
    field = examined.header.first("Subject")
    return [Edit(field.start, field.end, make_field("Subject", subject))] if field is not None and subject != examined.subject else []


def _rebuilt(raw: bytes, examined: Examined, root: Part, texts: Texts) -> bytes:
    """The mail's own header and files around the template's texts."""
    shown = {id(part) for part in find_text_parts(root)}
    leaves = [part for part in root.walk() if not part.children and id(part) not in shown]
    files = [_file(raw, part) for part in leaves]
    body = compose(Draft(examined.author, text=texts.text, html=texts.html, attachments=tuple(f for f in files if not f.content_id),
                         inlined=tuple(f for f in files if f.content_id)), raw[-4096:])  # fmt: skip
    described = read_header(body)
    kept = without(raw[: examined.header.end], examined.header, lambda f: f.key == "subject" or f.key == "mime-version" or f.key.startswith("content-"))
    if kept and not kept.endswith(b"\r\n"):
        kept += b"\r\n"
    subject = make_field("Subject", texts.subject) if texts.subject else b""
    return kept + subject + _fields(body, described) + b"\r\n" + body[described.body_start :]


def _fields(body: bytes, header: Header) -> bytes:
    return b"".join(body[f.start : f.end] for f in header if f.key == "mime-version" or f.key.startswith("content-"))


def _file(raw: bytes, part: Part) -> Attachment:
    field = part.header.first("content-id")
    content_id = field.value.strip("<> ") if field else ""
    name = "".join(c for c in part.file_name if c.isprintable())[:255]
    content_type = part.content_type if is_media_type(part.content_type) else "application/octet-stream"
    content = text_of(raw, part).encode("utf-8", "replace") if content_type.startswith("text/") else decode(raw, part)
    return Attachment(content_type, name, content, content_id if is_content_id(content_id) else "")


def requests_for(request: Request, made: Sequence[Letter], hostname: str, randomness: bytes) -> list[Request]:
    """The requests of all letters, behind the reports of what went wrong. An idempotency key and its answer go with the last."""
    found: list[Request] = []
    reports: list[Request] = []
    for letter in made:
        trouble = letter.trouble
        is_blocked = trouble is not None and trouble.is_blocking
        found.append(replace(request, raw=letter.raw, examined=letter.examined, recipients=letter.recipients, answer=None, idempotency_key="",
                             blocked=trouble.reason if trouble and is_blocked else None, explanation=trouble.explanation if trouble else ""))  # fmt: skip
        if trouble is not None and trouble.reports_to:
            reports.append(report_request(request, trouble, letter.examined.subject, letter.raw, hostname, randomness + b"%d" % len(found)))
    found = reports + found
    key = request.idempotency_key
    if key:
        found = [replace(one, idempotency_key=f"{key}\n{i}") for i, one in enumerate(found)]
        found[-1] = replace(found[-1], idempotency_key=key, answer=request.answer)
    return found


def report_request(request: Request, trouble: Trouble, subject: str, raw: bytes, hostname: str, randomness: bytes) -> Request:
    """The report as a mail of its own: never answered, never tracked."""
    draft = report(trouble, subject, raw, hostname)
    mail = compose(draft, randomness)
    return replace(request, reverse_path="", recipients=(Recipient(draft.to[0].address),), raw=mail, examined=examine(mail), options=_UNSAID,
                   due_at=0, smtputf8=draft.to[0].address.needs_smtputf8, idempotency_key="", answer=None, blocked=None, explanation="")  # fmt: skip
