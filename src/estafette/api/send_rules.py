"""From one entry of `Messages` to a mail with its options, or to everything that is wrong with it (contract 2.2 and 2.3). Pure.

What only the store knows (may this account write as this author?) is asked afterwards, in `send.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from estafette.accept.filling import NO_WISH, Stored, Wish
from estafette.api import errors
from estafette.api.attachments import read_attachments
from estafette.api.errors import Problem
from estafette.api.fields import Fields, Person, folded
from estafette.api.header_rules import read_headers, read_variables
from estafette.clock import DAY_US
from estafette.mail.address import AddressError, Mailbox, parse, parse_mailboxes
from estafette.mail.compose import Draft
from estafette.model import Options

MAX_RECIPIENTS: Final = 50  # different addresses of one message
MAX_MENTIONS: Final = 500  # entries of one of To, Cc, Bcc before they are counted
MAX_SUBJECT: Final = 255
MAX_CAMPAIGN: Final = 255
MAX_URL_TAGS: Final = 256
MAX_REPLY_TO: Final = 10
MAX_AHEAD_DAYS: Final = 90
MAX_TAG: Final = 8192  # CustomID, EventPayload: as over SMTP
SWITCHES: Final = ("account_default", "disabled", "enabled")
_SWITCHED: Final = {"account_default": None, "disabled": False, "enabled": True}
_MERGED_BY_KEY: Final = ("headers", "variables")


@dataclass(frozen=True, slots=True)
class Rules:
    """What this installation knows and grants."""

    categories: frozenset[str] | None = None  # monitoring categories; None: there is no list of them, every name goes
    may_use_sender: bool = False  # the contract's special permission for `Sender`
    has_template_names: bool = False  # v3: TemplateID may be the name of one
    now: int = 0  # of this call: how far `SendAt` may be ahead


DEFAULT_RULES: Final = Rules()
NOBODY: Final = Mailbox("", parse("nobody@invalid"))
"""Stands for the author that the template is to bring."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message that may be sent, as far as its properties tell."""

    draft: Draft
    to: tuple[Person, ...]
    cc: tuple[Person, ...]
    bcc: tuple[Person, ...]
    options: Options
    wish: Wish = NO_WISH
    due_at: int = 0  # 0 = at once

    @property
    def recipients(self) -> list[Person]:
        """Every address once, in the order of their first mention."""
        return _unique((*self.to, *self.cc, *self.bcc))

    @property
    def size_bytes(self) -> int:
        """Roughly what the mail takes."""
        d = self.draft
        return len(d.text) + len(d.html) + sum(len(a.content) for a in (*d.attachments, *d.inlined)) * 4 // 3


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that is not sent."""

    problems: tuple[Problem, ...]


def merged(given: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """A message over the `Globals` (both folded); of Headers and Variables each entry for itself."""
    made = {**defaults, **given}
    for name in _MERGED_BY_KEY:
        ours, theirs = given.get(name), defaults.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            taken = {key.lower() for key in ours} if name == "headers" else set(ours)
            made[name] = {k: v for k, v in theirs.items() if (k.lower() if name == "headers" else k) not in taken} | ours
    return made


def read_message(given: object, defaults: Mapping[str, object], number: int, rules: Rules = DEFAULT_RULES) -> Wanted | Failed:
    """One entry of `Messages`; `defaults` are the folded Globals, `number` its place in the array."""
    if not isinstance(given, dict):
        return Failed((errors.mismatch(f"Messages[{number}]", "message"),))
    problems: list[Problem] = []
    fields = Fields(merged(folded(given), defaults), problems)
    author = fields.person("From", is_required=not fields.is_given("TemplateID"))
    sender = fields.person("Sender")
    if fields.is_given("Sender") and not rules.may_use_sender:
        problems.append(Problem("send-0006", 403, "Your API key is not allowed to use the Sender property.", ("SenderID",)))
    to = fields.people("To", MAX_MENTIONS, is_required=True)
    cc, bcc = fields.people("Cc", MAX_MENTIONS), fields.people("Bcc", MAX_MENTIONS)
    if len(_unique((*to, *cc, *bcc))) > MAX_RECIPIENTS:
        problems.append(Problem("send-0015", 400, f"Total number of recipients exceeded. Max allowed - {MAX_RECIPIENTS}", ("To", "Cc", "Bcc")))
    reply_to = fields.person_or_people("ReplyTo", MAX_REPLY_TO)
    subject = fields.text("Subject", MAX_SUBJECT, is_line=True)
    text, html = fields.text("TextPart"), fields.text("HTMLPart")
    wish = _wish(fields, problems, rules, has_text=bool(fields.raw("TextPart")), has_html=bool(fields.raw("HTMLPart")))
    attached, inlined = read_attachments(fields, problems)
    headers = read_headers(fields.raw("Headers"), problems)
    options = _options(fields, problems, rules)
    due_at = _due_at(fields, problems, rules)
    if problems:
        return Failed(tuple(problems))
    draft = Draft(
        author.mailbox if author else NOBODY, _shown(to), _shown(cc), tuple(person.mailbox for person in reply_to), sender.mailbox if sender else None,
        subject, text, html, attached, inlined, headers,
    )  # fmt: skip
    return Wanted(draft, to, cc, bcc, options, wish, due_at)


def completed(wanted: Wanted, stored: Mapping[int | str, Stored]) -> Wanted | Failed:
    """With what the template's own headers say where the message says nothing: From, Subject, Reply-To (contract 5.6)."""
    if wanted.wish.template is None:
        return wanted
    found = stored.get(wanted.wish.template)
    if found is None:
        text = f"Template {wanted.wish.template} does not exist or does not belong to your API key."
        return Failed((Problem("send-0010", 400, text[:300], ("TemplateID",)),))
    headers = {name.lower(): value for name, value in found.content.headers.items()}
    draft = wanted.draft
    try:
        if draft.author is NOBODY:
            authors = parse_mailboxes(headers.get("from", ""))
            draft = replace(draft, author=authors[0])
        if not draft.reply_to and headers.get("reply-to"):
            draft = replace(draft, reply_to=tuple(parse_mailboxes(headers["reply-to"])))
    except (AddressError, IndexError):
        return Failed((errors.missing("From"),))
    return replace(wanted, draft=draft)


def _wish(fields: Fields, problems: list[Problem], rules: Rules, *, has_text: bool, has_html: bool) -> Wish:
    """The template's properties; whether the account has such a template is asked later."""
    template = fields.raw("TemplateID")
    if not isinstance(template, str) or not rules.has_template_names:
        template = fields.integer("TemplateID")
    if template is not None and has_html:
        problems.append(Problem("send-0004", 400, '"HTMLPart" and "TemplateID" both bring HTML: give one of them.', ("HTMLPart", "TemplateID")))
    elif not (has_text or has_html or fields.is_given("TemplateID")):
        text = 'At least "HTMLPart", "TextPart" or "TemplateID" must be provided.'
        problems.append(Problem("send-0003", 400, text, ("TextPart", "HTMLPart", "TemplateID")))
    has_language = fields.flag("TemplateLanguage")
    reporting = fields.person("TemplateErrorReporting")
    is_delivered = fields.flag("TemplateErrorDeliver")
    if not has_language and (fields.is_given("TemplateErrorReporting") or is_delivered):
        text = '"TemplateErrorReporting" and "TemplateErrorDeliver" need "TemplateLanguage" to be true.'
        problems.append(Problem("send-0016", 400, text, ("TemplateLanguage",)))
    variables = read_variables(fields.raw("Variables"), problems)
    return Wish(template, has_language, variables, str(reporting.mailbox.address) if reporting else "", is_delivered)


def _due_at(fields: Fields, problems: list[Problem], rules: Rules) -> int:
    """`SendAt`, our extension."""
    value = fields.raw("SendAt")
    found = 0 if value is None else read_time(value, "SendAt", rules.now)
    if isinstance(found, Problem):
        problems.append(found)
        return 0
    return found


def read_time(value: object, name: str, now: int) -> int | Problem:
    """When something is to be sent, in microseconds: RFC 3339 with a zone, or seconds since 1970. A time that is past is as good as now."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return errors.mismatch(name, "RFC 3339 time or seconds since 1970")
    try:
        at = value * 1_000_000 if isinstance(value, int) else int(_time_of(value).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return errors.not_allowed(name, f'"{name}" must be an RFC 3339 time with a zone, like 2026-12-24T18:00:00Z, or seconds since 1970.')
    if not 0 <= at <= now + MAX_AHEAD_DAYS * DAY_US:
        return errors.not_allowed(name, f'"{name}" may be at most {MAX_AHEAD_DAYS} days ahead.')
    return at


def _time_of(text: str) -> datetime:
    found = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    if found.tzinfo is None:
        raise ValueError("no zone")
    return found


def _options(fields: Fields, problems: list[Problem], rules: Rules) -> Options:
    campaign = fields.text("CustomCampaign", MAX_CAMPAIGN, is_line=True)
    deduplicate = fields.flag("DeduplicateCampaign")
    if deduplicate and not fields.raw("CustomCampaign"):
        text = '"DeduplicateCampaign" needs "CustomCampaign".'
        problems.append(Problem("send-0012", 400, text, ("CustomCampaign", "DeduplicateCampaign")))
    category = fields.text("MonitoringCategory", MAX_TAG, is_line=True)
    if category and rules.categories is not None and category not in rules.categories:
        problems.append(Problem("send-0013", 400, f'There is no monitoring category "{category[:100]}".', ("MonitoringCategory",)))
    priority = fields.integer("Priority")
    if priority not in (None, 0, 1, 2, 3):
        problems.append(errors.not_allowed("Priority", '"Priority" must be 0, 1, 2 or 3.'))
    return Options(
        custom_id=_without_nul(fields, problems, "CustomID"), event_payload=_without_nul(fields, problems, "EventPayload"),
        campaign=campaign, deduplicate=deduplicate, priority=2 if priority is None else priority,
        track_opens=_SWITCHED[fields.choice("TrackOpens", SWITCHES)], track_clicks=_SWITCHED[fields.choice("TrackClicks", SWITCHES)],
        monitoring_category=category, url_tags=fields.text("URLTags", MAX_URL_TAGS, is_line=True),
    )  # fmt: skip


def _without_nul(fields: Fields, problems: list[Problem], name: str) -> str:
    """Free text, line ends and all; but a text column of PostgreSQL holds no NUL."""
    text = fields.text(name, MAX_TAG)
    if "\0" in text:
        problems.append(errors.not_allowed(name, f'"{name}" contains a NUL character.'))
    return text


def _unique(people: tuple[Person, ...]) -> list[Person]:
    first: dict[str, Person] = {}
    for person in people:
        first.setdefault(person.key, person)
    return list(first.values())


def _shown(people: tuple[Person, ...]) -> tuple[Mailbox, ...]:
    return tuple(person.mailbox for person in _unique(people))
