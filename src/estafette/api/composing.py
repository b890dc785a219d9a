"""From wanted messages to mails that the submit door takes: texts made of templates and tags, composed, then examined like any other mail. Pure.

A message whose texts speak of its recipient becomes a mail for each of them; any other is one mail for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from estafette.accept.examine import Refused, examine
from estafette.accept.filling import Allowance, Contacts, Stored, Texts, TooMuch, Trouble, facts_for, fill, finished, has_tags, is_personal, texts_of
from estafette.accept.relaying import Letter
from estafette.accept.submit import Recipient
from estafette.api import errors
from estafette.api.errors import CallRefused, Problem
from estafette.api.fields import Person
from estafette.api.send_rules import Failed, Wanted
from estafette.mail.compose import Draft, compose
from estafette.mail.header import HeaderError
from estafette.prepare.template.library import Library


@dataclass(frozen=True, slots=True)
class Made:
    """A message with its mails."""

    wanted: Wanted
    letters: tuple[Letter, ...]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What mails are made with."""

    stored: Mapping[int | str, Stored]  # the templates that are asked for
    library: Library
    randomness: bytes  # 16 octets, for boundaries
    allowance: Allowance
    contacts: Contacts  # the recipients whom `spoken_of` names, as far as the account knows them


def make(messages: Sequence[Wanted | Failed], workshop: Workshop) -> list[Made | Failed]:
    """The mails of every message that has not failed yet. Raises CallRefused when they take too much together."""
    try:
        return [m if isinstance(m, Failed) else _make(m, workshop, b"%d " % i) for i, m in enumerate(messages)]
    except TooMuch as error:
        raise CallRefused(errors.too_large(f"Too much for one call, send fewer messages at a time: {error}.", ("Messages",), 413)) from None


def spoken_of(messages: Sequence[Wanted | Failed], stored: Mapping[int | str, Stored], library: Library) -> set[str]:
    """The lookup keys of the recipients of whom a message's texts speak."""
    found: set[str] = set()
    for message in messages:
        if isinstance(message, Wanted):
            draft, wish = message.draft, message.wish
            texts = texts_of(Texts(draft.subject, draft.text, draft.html), stored[wish.template] if wish.template is not None else None, library)
            if isinstance(texts, Texts) and is_personal(texts, wish):
                found.update(person.key for person in message.recipients)
    return found


def _make(wanted: Wanted, workshop: Workshop, number: bytes) -> Made | Failed:
    wish, draft = wanted.wish, wanted.draft
    stored = workshop.stored[wish.template] if wish.template is not None else None
    try:
        texts = texts_of(Texts(draft.subject, draft.text, draft.html), stored, workshop.library)
        if isinstance(texts, Trouble):
            return Made(wanted, (_letter(draft, wanted.recipients, workshop, number, texts),))
        if not has_tags(texts, wish):
            if stored:
                texts = finished(texts, stored)
            whole = replace(draft, subject=texts.subject, text=texts.text, html=texts.html) if stored else draft
            return Made(wanted, (_letter(whole, wanted.recipients, workshop, number),))
        groups = [[person] for person in wanted.recipients] if is_personal(texts, wish) else [wanted.recipients]
        made = []
        for i, group in enumerate(groups):
            facts = facts_for(wish.variables, draft.author, group[0].mailbox if len(group) == 1 else None, stored.template if stored else None,
                              workshop.contacts)  # fmt: skip
            filled = fill(texts, wish, facts, workshop.library, workshop.allowance)
            t = finished(filled.texts, stored)
            own = replace(draft, subject=t.subject, text=t.text, html=t.html)
            made.append(_letter(own, group, workshop, number + b"%d" % i, filled.trouble))
        return Made(wanted, tuple(made))
    except HeaderError as error:
        return Failed((Problem("mj-0005", 400, f"The mail cannot be written: {error}."),))
    except Refused as refusal:
        return Failed((Problem("mj-0005", 400, f"The mail cannot be accepted: {refusal.reply.text}"),))


def _letter(draft: Draft, people: Sequence[Person], workshop: Workshop, number: bytes, trouble: Trouble | None = None) -> Letter:
    raw = compose(draft, workshop.randomness + number)
    workshop.allowance.keep(len(raw))
    return Letter(raw, examine(raw), tuple(Recipient(person.mailbox.address) for person in people), trouble)
