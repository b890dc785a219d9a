"""Why a mail came back, from everything that was said about it, the most telling first.

Order of trust: what the words of the Diagnostic-Code mean, what the words of the notice mean (the quoted reply before its sentences), the body patterns of
`rules/bounces.toml`, and only then the bare codes: Status, enhanced code, reply code.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from estafette.mail.reply_rules import RELATED_TO, Verdict, classify, not_evidence, reply_rules
from estafette.mail.report_kinds import Sign, signs
from estafette.mail.report_text import fold
from estafette.rules import load

_REPLY = re.compile(r"(?<![0-9.])([45][0-9][0-9])(?:[ -]{1,3}|: ?)(?:[(#<: ]{0,3}([45]\.\d{1,3}\.\d{1,3})(?![0-9.])[)>]?)?")
_ENHANCED = re.compile(r"(?<![0-9.])([45]\.\d{1,3}\.\d{1,3})(?![0-9.])")
_AT_RCPT = re.compile(r"rcpt ?(?:to|command|response)|does ?n.t like recipient|does not like recipient|recipient (?:address )?rejected", re.I)
_HOLLOW = re.compile(r"service (?:is )?(?:currently )?unavailable", re.I)  # sendmail ends every transcript with it
_GENERIC: Final = frozenset({"refused", "not_understood", "busy", "policy", "refused_content", "refused_sender", "refused_connection"})
_SPECIFIC: Final = frozenset({"1.1", "2.2", "7.13"})
"""Status codes that nobody writes for something else (Status 5.1.2, 5.2.1 and 5.4.x stand for many things)."""
MAX_SAID: Final = 1200


@dataclass(frozen=True, slots=True)
class Reason:
    """What the mail was refused for. `error` "" when nobody says."""

    error: str  # Mailjet's name
    rule: str  # the rule that decided: of replies.toml, or `reason.<name>` of bounces.toml
    reply: str  # the words it was read off
    enhanced: str  # "5.1.1"; "" when no code was found

    @property
    def related_to(self) -> str:
        return RELATED_TO.get(self.error, "")

    @property
    def category(self) -> str:
        return self.error.replace("/", "_").replace(" ", "_")


def find_reason(diagnostic: str, status: str, section: str, notice: str) -> Reason:
    """The reason for one recipient: Diagnostic-Code and Status, what the notice says about it, and the (folded) notice as a whole."""
    weak: list[tuple[Verdict, str, str]] = []
    for said in (diagnostic, section):
        if not said.strip():
            continue
        verdict, text, enhanced = read_reply(said[:MAX_SAID], status if said is diagnostic else "")
        if is_telling(verdict) and not (verdict.rule == "system" and _HOLLOW.search(text)):
            return Reason(verdict.error, verdict.rule, text, enhanced or status)
        weak.append((verdict, text, enhanced))
    if status[2:] in _SPECIFIC:
        verdict = classify(0, status, "", "")
        return Reason(verdict.error, verdict.rule, diagnostic or section[:MAX_SAID] or status, status)
    for said in (fold(section)[:MAX_SAID], notice):
        sentence = find_sentence(said)
        if sentence:
            return Reason(sentence[0], sentence[1], section[:MAX_SAID] or diagnostic, status)
    if status:
        weak.insert(0, (classify(0, status, "", ""), diagnostic or status, status))
    for verdict, text, enhanced in weak:
        if verdict.rule not in _GENERIC and verdict.rule not in _GENERIC_CODES:
            return Reason(verdict.error, verdict.rule, text, enhanced or status)
    for verdict, text, enhanced in weak:
        if verdict.rule in ("policy", "refused", "policy_by_code", "refused_content", "busy", "refused_sender"):
            return Reason(verdict.error, verdict.rule, text, enhanced or status)
    return Reason("", "", diagnostic or section[:MAX_SAID], status)


_GENERIC_CODES: Final = frozenset({"policy_by_code"})


def read_reply(said: str, status: str) -> tuple[Verdict, str, str]:
    """(verdict, reply text, enhanced code) of the reply that a text quotes; without one, of the text itself."""
    match = _REPLY.search(said)
    stage = "rcpt" if _AT_RCPT.search(said) else ""
    if match is None:
        inside = _ENHANCED.search(said)
        enhanced = status or (inside[1] if inside else "")
        return classify(0, enhanced, said, ""), said, enhanced
    text = said[match.end() :]
    enhanced = match[2] or status
    verdict = classify(int(match[1]), enhanced, text, "")
    if not is_telling(verdict) and stage:
        at_rcpt = classify(int(match[1]), enhanced, text, stage)
        if at_rcpt.rule == "no_such_mailbox_at_rcpt" and verdict.rule == "refused" and not not_evidence().search(fold(text)):
            verdict = at_rcpt
    return verdict, said[match.start() :], enhanced


def is_telling(verdict: Verdict) -> bool:
    """The verdict rests on words, not on a code alone."""
    return verdict.rule in _word_rules()


@cache
def _word_rules() -> frozenset[str]:
    return frozenset(rule.name for rule in reply_rules() if rule.text is not None) - _GENERIC


def find_sentence(folded: str) -> tuple[str, str] | None:
    """(error, rule) of the first body pattern that is found."""
    for sign, error in _reasons():
        if sign.patterns.search(folded):
            return error, f"reason.{sign.name}"
    return None


@cache
def _reasons() -> tuple[tuple[Sign, str], ...]:
    return tuple((sign, table["error"]) for sign, table in zip(signs("reason"), load("bounces")["reason"], strict=True))
