"""What a mail that came back says: who was not reached, for good or for now, why, and which mail of ours it is about.

    read_report(raw).category → "user_unknown"

Ordered by trust: feedback report, delivery-status fields, X-Failed-Recipients, the notice's lines, its sentences, the returned mail. `rule` names what
decided. Nothing here acts: forged reports look like real ones, and only the tag in our own return path proves which message is meant.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from estafette.mail.report_address import find_address, find_addresses
from estafette.mail.report_complaints import Feedback, read_feedback
from estafette.mail.report_dsn import DELAYED, DONE, FAILED, Fate, read_fates
from estafette.mail.report_kinds import SHORT, auto_reply_sign, bounce_sign, find_sign, is_delay, words_of
from estafette.mail.report_notices import Mention, choose_recipients, find_bare_names, find_mentions, section_after
from estafette.mail.report_parts import Letter, read_letter
from estafette.mail.report_reasons import Reason, find_reason
from estafette.mail.report_text import fold

HARD: Final = frozenset({"user_unknown", "mailbox_inactive", "invalid_domain", "no_mail_host"})
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,500})>")
_ANSWERED_5XX = re.compile(r"5\d\d\b")
_QUOTES_REPLY = re.compile(r"(?<![0-9.])[45]\d\d[ -]{1,3}(?:#?[45]\.\d{1,3}\.\d|[<a-zA-Z])")
_BARE_ID = re.compile(r"([^<>\s]{1,500}@[^<>\s]{1,250})")


@dataclass(frozen=True, slots=True)
class Failure:
    """What the report says about one recipient."""

    recipient: str  # as the sender wrote it, in lower case
    is_delayed: bool  # still being tried
    status: str  # "5.1.1"; "" when it is not said
    category: str  # "user_unknown"; "" when no reason is given
    related_to: str
    error: str
    reply: str  # the words that the reason was read off
    rule: str


@dataclass(frozen=True, slots=True)
class Report:
    """A mail that came back, judged. The first failure speaks for the whole where one answer is wanted."""

    is_bounce: bool
    recipients: tuple[str, ...]
    permanent: bool | None  # True: given up; False: still being tried; None: no bounce
    gave_up: bool  # given up for a cause that may have passed (expired, 4.x.x)
    hard: bool | None  # evidence that the address is gone; None when the report gives no reason
    category: str
    related_to: str
    error: str
    is_complaint: bool
    feedback_type: str
    is_autoreply: bool
    original_message_id: str | None  # without angle brackets
    reply: str
    rule: str
    failures: tuple[Failure, ...] = ()
    original: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # header of the returned mail, names in lower case
    envelope_id: str = ""  # Original-Envelope-Id (RFC 3464 2.2.1)


def read_report(raw: bytes) -> Report:
    """Judge a whole mail. Total: whatever comes in gets an answer, in time linear in its size."""
    letter = read_letter(raw)
    feedback = read_feedback(letter)
    if feedback is not None:
        return _feedback(letter, feedback)
    words = words_of(letter)
    if len(words) < SHORT and find_sign("opt_out", words):
        return _feedback(letter, Feedback("opt-out", True, tuple(filter(None, [find_address(letter.first("from"))])), "opt_out"))
    challenge = find_sign("challenge", f"{fold(letter.first('subject'))} {words} {fold(letter.status[:4000])}")
    if challenge:
        return _auto_reply(letter, challenge)
    fates, message = read_fates(letter.status) if letter.status else ([], {})
    actions = {fate.action for fate in fates}
    if not actions & {FAILED, DELAYED} and DONE in actions:
        return _nothing(letter, "delivered")
    is_status = bool(actions & {FAILED, DELAYED}) and (letter.has_status_part or any(fate.address for fate in fates))
    sign = "delivery_status" if is_status else bounce_sign(letter, words)
    machine = auto_reply_sign(letter, words)
    if machine and FAILED not in actions and sign != "x_failed_recipients" and (is_status or not _is_failure(sign, machine, letter)):
        return _auto_reply(letter, machine)
    if not sign:
        return _nothing(letter, "")
    if is_status or any(fate.address for fate in fates):
        failures = _of_fates(letter, fates, words)
    else:
        failures = _of_notice(letter, words)
    return _bounce(letter, failures, words, sign, message)


def _is_failure(sign: str, machine: str, letter: Letter) -> bool:
    """A notice that looks like an answering machine's as well: Exim marks its failures auto-replied, and the returned mail may be a vacation notice."""
    return bool(sign) and (machine == "auto_header" or bool(letter.returned)) and find_sign("auto_reply_subject", letter.first("subject").lower()) == ""


# --- the failures -----------------------------------------------------------------------------------------------------------------------------


def _of_fates(letter: Letter, fates: list[Fate], words: str) -> tuple[Failure, ...]:
    mentions = find_mentions(letter.notice, _ours(letter))
    lines = frozenset(mention.line for mention in mentions if mention.trust >= 4)
    forwarded = {m.address for m in choose_recipients(mentions)} if any(m.trust == 5 for m in mentions) else set()
    listed = [fate for fate in fates if fate.action in (FAILED, DELAYED) or (fate.action == "" and fate.address)]
    failed = [fate for fate in listed if fate.action != DELAYED]
    found: list[Failure] = []
    for fate in failed or listed:
        address = fate.address
        mention = next((m for m in mentions if m.address in (fate.final, fate.original) and m.trust >= 3), None)
        section = _section(letter, mention, mentions, lines) if mention else ""
        if not fate.original and fate.final and forwarded and mention and fate.final not in forwarded and len(failed) == 1:
            address = sorted(forwarded)[0] if len(forwarded) == 1 else address
        if not address and len(failed or listed) == 1:
            return _of_notice(letter, words, fate)
        reason = find_reason(fate.diagnostic, fate.status, section, words if len(listed) == 1 else "")  # of several, whom does it speak of?
        found.append(_failure(address, fate.action == DELAYED, fate.status, reason))
    return tuple(found)


def _of_notice(letter: Letter, words: str, fate: Fate | None = None) -> tuple[Failure, ...]:
    mentions = find_mentions(letter.notice, _ours(letter))
    chosen = choose_recipients(mentions)
    said = [address for value in letter.header.get("x-failed-recipients", ()) for address, _s, _e in find_addresses(value)]
    places = {mention.address: mention for mention in reversed(mentions)}
    if said:
        chosen = [places.get(address) or Mention(address, -1, 5) for address in dict.fromkeys(said)]
    if not chosen:
        chosen = [Mention(address, -1, 0) for address in _elsewhere(letter)]
    lines = frozenset(mention.line for mention in mentions if mention.trust >= 4)
    delayed = is_delay(letter, words) if fate is None else fate.action == DELAYED
    found: list[Failure] = []
    for mention in chosen:
        section = _section(letter, mention, mentions, lines) if mention.line >= 0 else ""
        status = fate.status if fate else ""
        reason = find_reason(fate.diagnostic if fate else "", status, section if len(section) > len(mention.address) + 12 else words, words)
        is_late = delayed and not (not find_sign("delay", words) and _ANSWERED_5XX.match(reason.reply))  # the subject alone speaks of a delay
        found.append(_failure(mention.address, is_late, status or reason.enhanced, reason))
    if not found:
        reason = find_reason(fate.diagnostic if fate else "", fate.status if fate else "", words, words)
        found.append(_failure("", delayed, reason.enhanced, reason))
    return tuple(found)


def _section(letter: Letter, chosen: Mention, mentions: list[Mention], lines: frozenset[int]) -> str:
    """What is said about a recipient; of several places (Exchange has one for people and one for administrators) the one that quotes a reply."""
    places = [chosen, *(m for m in mentions if m.address == chosen.address and m.line > chosen.line and m.trust >= 3)][:4]
    sections = [section_after(letter.notice, place, lines) for place in places]
    return next((section for section in sections if _QUOTES_REPLY.search(section)), sections[0])


def _failure(address: str, is_delayed: bool, status: str, reason: Reason) -> Failure:
    if is_delayed and not reason.error:  # a delay without a reason: nothing answered so far, as far as we can tell
        reason = Reason("connection issue", "delayed", reason.reply, reason.enhanced)
    return Failure(address, is_delayed, status, reason.category, reason.related_to, reason.error, reason.reply, reason.rule)


def _elsewhere(letter: Letter) -> list[str]:
    """Recipients that the notice does not name: a name below a line that announces it, a header field, the returned mail's only recipient."""
    domain = find_address(letter.first("from")).partition("@")[2]
    names = find_bare_names(letter.notice)
    if names and domain:
        return [f"{name}@{domain}" for name in names]
    for name in ("x-bounced-address", "x-original-recipient", "x-failed-recipient", "x-actual-recipient"):
        found = find_address(letter.first(name))
        if found:
            return [found]
    for name in ("x-rcpt-to", "to"):
        addresses = [address for value in letter.returned.get(name, ()) for address, _start, _end in find_addresses(value, 5)]
        if len(set(addresses)) == 1:
            return addresses[:1]
    return []


def _ours(letter: Letter) -> frozenset[str]:
    """Addresses of the notice's own envelope and of the returned mail's author: they are mentioned, but did not fail."""
    values = [value for name in ("to", "from", "return-path", "reply-to", "sender", "delivered-to") for value in letter.header.get(name, ())]
    values += [value for name in ("from", "return-path", "sender", "reply-to") for value in letter.returned.get(name, ())]
    return frozenset(address for value in values for address, _start, _end in find_addresses(value, 5))


# --- the answers --------------------------------------------------------------------------------------------------------------------------------


def _bounce(letter: Letter, failures: tuple[Failure, ...], words: str, sign: str, message: dict[str, str]) -> Report:
    first = next((failure for failure in failures if not failure.is_delayed), failures[0])
    delayed = all(failure.is_delayed for failure in failures)
    gave_up = not delayed and (first.status.startswith("4") or (not first.status.startswith("5") and bool(find_sign("expired", words))))
    hard: bool | None = False
    if not delayed:
        hard = (first.category in HARD and not (gave_up and first.category != "user_unknown")) if first.category else None
    named = tuple(dict.fromkeys(failure.recipient for failure in failures if failure.recipient))
    return Report(
        True, named, not delayed, gave_up, hard, first.category, first.related_to, first.error, False, "", False, _original_id(letter, message), first.reply,
        f"{sign}, {first.rule}" if first.rule else sign, failures, letter.returned, message.get("original-envelope-id", ""),
    )  # fmt: skip


def _feedback(letter: Letter, feedback: Feedback) -> Report:
    category = "complaint" if feedback.is_complaint else ""
    return Report(
        False, feedback.recipients, None, False, None, category, "", "", feedback.is_complaint, feedback.feedback_type, False, _original_id(letter, {}), "",
        feedback.rule, (), letter.returned,
    )  # fmt: skip


def _auto_reply(letter: Letter, rule: str) -> Report:
    return Report(False, (), None, False, None, "auto_reply", "", "", False, "", True, _original_id(letter, {}), "", rule, (), letter.returned)


def _nothing(letter: Letter, rule: str) -> Report:
    original = _original_id(letter, {}) if rule else None
    return Report(False, (), None, False, None, "", "", "", False, "", False, original, "", rule, (), letter.returned)


def _original_id(letter: Letter, message: dict[str, str]) -> str | None:
    """The Message-ID of the mail that came back: from its header, else from the report's own fields."""
    texts = [*letter.returned.get("message-id", ()), message.get("original-message-id", ""), *letter.header.get("x-original-message-id", ())]
    texts += [*letter.header.get("in-reply-to", ()), *(value.split()[-1] for value in letter.header.get("references", ()) if value.split())]
    for number, text in enumerate(texts):
        match = _MESSAGE_ID.search(text) or _BARE_ID.search(text) or (re.fullmatch(r"\s*<?([^<>\s]{6,500})>?\s*", text) if number == 0 else None)
        if match:
            return match[1]
    return None
