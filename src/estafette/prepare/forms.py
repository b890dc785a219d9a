"""A newsletter compiled once for all whose texts take the same way: for each of them only values are put in, tokens made, octets joined. Pure.

    made = copy_for(filling, claim, content, keys, tracking, consent)
    pending_signatures(made.plan, at_s, made.copy)

What a recipient gets is what the mail of `personal.mail_for`, compiled alone, would be: the same parts, texts, links and fields (a property test compares
them), though not in the same lines of quoted-printable. Whoever brings values that could change more than their place (markup, parts of tags, controls, blanks
that would be lost, an address in the place of a name) gets exactly that mail.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from estafette.mail.address import Address, Mailbox
from estafette.mail.compose import compose
from estafette.mail.dkim import SigningKey, canonical_field
from estafette.mail.header import HeaderError, make_field, make_mailboxes
from estafette.model import Claimed, Content
from estafette.prepare.compiling import compile_letter
from estafette.prepare.frames import Words, is_odd
from estafette.prepare.html_walk import text_of_html
from estafette.prepare.letter import Copy, Letter
from estafette.prepare.own import Given, NotAlike, Own
from estafette.prepare.personal import Filling, Unfillable, draft_of, identity, mail_for
from estafette.prepare.plan import Plan, chosen_keys, make_plan
from estafette.prepare.tracking import Consent, Tracking, wanted

MAX_FORMS: Final = 32
"""Forms of one newsletter that are kept: ways through its texts, times what people agree to."""
_FIRST_HEAD: Final = 1_000_000
_ID, _TO, _SUBJECT = range(3)


@dataclass(frozen=True, slots=True)
class Form:
    """See the module. `letter` is None for a text whose values may change anything: everybody gets a mail compiled alone."""

    tracking: Tracking
    keys: tuple[SigningKey, ...]
    plan: Plan
    letter: Letter | None
    own: Own | None


@dataclass(frozen=True, slots=True)
class Made:
    """The mail of one recipient, unsigned."""

    plan: Plan
    copy: Copy | None  # None: the plan's own mail
    is_from_form: bool


def copy_for(filling: Filling, claim: Claimed, content: Content, keys: Sequence[SigningKey], tracking: Tracking, consent: Consent) -> Made:
    """See the module. Raises Unfillable."""
    form = _form_of(filling, content, keys, tracking, consent)
    if form.letter is not None and form.own is not None:
        given = _given(filling)
        try:
            if given is not None:
                return Made(form.plan, form.letter.copy_for(claim.message_id, claim.recipient, form.own.values(given)), is_from_form=True)
        except NotAlike:
            pass
    plan = make_plan(replace(content, raw=mail_for(filling)), keys, tracking)
    return Made(plan, plan.copy_for(claim, consent) if plan.is_personal else None, is_from_form=False)


def _form_of(filling: Filling, content: Content, keys: Sequence[SigningKey], tracking: Tracking, consent: Consent) -> Form:
    """The form that is kept, or a new one when settings or keys have changed."""
    known, key = filling.letter.forms, (filling.frame.key, consent)
    form = known.get(key)
    chosen = chosen_keys(keys)
    if isinstance(form, Form) and form.keys == chosen and (form.tracking is tracking or form.tracking == tracking):
        return form
    if len(known) >= MAX_FORMS:
        del known[next(iter(known))]
    made = known[key] = _compiled(filling, content, chosen, tracking, consent)
    return made


def _compiled(filling: Filling, content: Content, keys: tuple[SigningKey, ...], tracking: Tracking, consent: Consent) -> Form:
    frame, letter = filling.frame, filling.letter
    holds = wanted(tracking, content.options)
    plan = Plan(content, b"", False, False, keys, None, b"", holds, is_personal=True)
    alone = Form(tracking, keys, plan, None, None)
    sample = _given(filling)
    if sample is None or any(one is not None and is_odd(one) for one in (frame.html, frame.text)) or (holds.text_links and (holds.clicks or holds.url_tags)):
        return alone
    constants = [text for one in (frame.html, frame.text) if one is not None for text in one.constants]
    source = letter.source
    words = Words([*constants, *source.headers.values(), filling.hostname, source.author, source.author_name, source.reply_to])
    of_html = len(frame.html.kinds) if frame.html is not None else 0
    html = frame.html.with_words(words) if frame.html is not None else ""
    text = frame.text.with_words(words, of_html) if frame.text is not None else text_of_html(html)
    number, to, subject = [words.word(_FIRST_HEAD + i) for i in (_ID, _TO, _SUBJECT)]
    draft = draft_of(letter, Mailbox("", Address(to, "to.invalid")), subject if frame.is_subject_fluid else filling.subject, text, html)
    raw = identity(filling.at_us, number, filling.hostname) + compose(draft, content.submission_id.to_bytes(16, "big"), is_encoded=True)
    raw = raw.replace(f"{to}@to.invalid".encode("ascii"), to.encode("ascii"), 1)
    own = Own(words.pattern, words.octets, of_html, _FIRST_HEAD, sample)
    try:
        made = compile_letter(replace(content, raw=raw), holds, consent, bool(keys), own)
        own.values(sample)
    except NotAlike:
        return alone
    if own.placed != _expected(filling, of_html, words.pattern.findall(text)):
        return alone
    return Form(tracking, keys, replace(plan, left_off=made.left_off), made, own)


def _expected(filling: Filling, of_html: int, in_text: Sequence[str]) -> set[tuple[bool, int]]:
    """What must have found its place: a word that nobody replaced would be read by somebody."""
    return {*[(True, i) for i in range(of_html)], *[(False, int(number)) for number in in_text]}


def _given(filling: Filling) -> Given | None:
    """What the recipient brings; None when it could change more than its place."""
    frame = filling.frame
    if not str(filling.to.address).isascii() or (frame.is_subject_fluid and not filling.subject):
        return None
    written: list[str] = []
    if frame.html is not None:
        written = frame.html.written(filling.html)
        if not frame.html.is_plain(filling.html, written):
            return None
    if frame.text is not None and not frame.text.is_plain(filling.text, filling.text):
        return None
    try:
        to = make_mailboxes("To", (filling.to,))[4:-2]
        subject = make_field("Subject", filling.subject)[9:-2] if frame.is_subject_fluid else b""
    except HeaderError as error:
        raise Unfillable(str(error)) from error
    number = b"%x" % filling.message_id
    head = (number, number, to, canonical_field(b"", to)[1:-2], subject, canonical_field(b"", subject)[1:-2])
    return Given(written, filling.text if frame.text is not None else filling.html, filling.message_id, head)
