"""Decides what a failed reply or a fault means: for good or for now, whose fault, which reason the user reads, whether the address rests.

The knowledge is data: `rules/replies.toml`, an ordered list of which the first match wins, and one table per fault. What stands here is what holds
whatever the rules say: a reply below 500 is never permanent, an address is never blocked for a temporary reply, 421 always slows the path down.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from estafette.mail.text_patterns import AnyOf, any_of
from estafette.rules import load

RELATED_TO: Final = {
    "user unknown": "recipient", "mailbox inactive": "recipient", "quota exceeded": "recipient", "invalid domain": "domain", "no mail host": "domain",
    "relay/access denied": "domain", "greylisted": "domain", "sender blocked": "spam", "content blocked": "spam", "policy issue": "spam",
    "system issue": "system", "protocol issue": "system", "connection issue": "system",
}  # fmt: skip
"""error → error_related_to of Mailjet's table (contract 1.4), as far as a receiving side can cause them. Clients compare these strings."""
MAY_BLOCK: Final = frozenset({"user unknown", "mailbox inactive", "invalid domain", "no mail host"})
"""The errors that are evidence about the mailbox or its domain. Any other rule that wants to block an address is a mistake in the data."""
SCOPES: Final = frozenset({"recipient", "message", "host", "path", "us"})
MAX_TEXT: Final = 1000
MIN_HINT_S: Final = 30.0
MAX_HINT_S: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reply or fault means. `(related_to, error)` is a pair of the contract, or two empty strings when nothing failed."""

    permanent: bool
    category: str  # our finer name, e.g. ip_listed
    related_to: str
    error: str
    scope: str  # whose fault: recipient, message, host, path, us
    blocks_address: bool
    slow_down: bool
    wait_hint_s: float  # how long the server asked us to wait; 0 = it did not say
    rule: str  # which rule matched


@dataclass(frozen=True, slots=True)
class Rule:
    """One table of the data, compiled. All conditions that are given must hold; a rule without conditions matches everything."""

    name: str
    category: str
    error: str
    scope: str
    permanence: str  # "code": as the reply's class says; "retry": temporary as long as we can retry, i.e. in a session
    blocks: bool
    slow_down: bool
    codes: tuple[str, ...]  # "5" and "55" stand for all codes that begin so
    enhanced: frozenset[str]  # without the class: "1.1"
    stages: frozenset[str]
    text: AnyOf | None
    unless: AnyOf | None


def classify(code: int, enhanced: str, text: str, stage: str) -> Verdict:
    """The meaning of one reply. `stage` is connect, tls, ehlo, mail, rcpt, data or body; "" when nobody knows (a reply quoted in a report).

    Total: whatever a server may say gets a verdict, and what nobody understands is temporary unless the server said 5xx.
    """
    if 200 <= code <= 299:
        return Verdict(False, "accepted", "", "", "message", False, False, 0.0, "accepted")
    said = _folded(text)
    enhanced = _telling(enhanced, said)
    words = _plain(said, code)
    digits = str(code) if 400 <= code <= 599 else enhanced[:1] if code == 0 else ""
    for rule in reply_rules():
        if _is_match(rule, digits, enhanced[2:], words, stage):
            return _verdict(rule, digits, said, words, stage)
    raise AssertionError("the last rule matches everything")  # load-time check in reply_rules()


def classify_line(line: str) -> Verdict:
    """The meaning of a reply quoted in a report (RFC 3464 2.3.6) or of any sentence: code and enhanced code are read off its text, the stage is unknown."""
    match = _LINE.match(line[:MAX_TEXT]) or _QUOTED.search(line[:MAX_TEXT])
    if match is None:
        return classify(0, "", line, "")
    return classify(int(match[1]), match[2] or "", line[match.end() :], "")


def classify_fault(fault: str) -> Verdict:
    """The meaning of a failure without a reply, e.g. timeout, dns_nxdomain, no_8bitmime. An unknown name is a temporary system issue."""
    faults = fault_verdicts()
    return faults.get(fault) or faults["other"]


@cache
def reply_rules() -> tuple[Rule, ...]:
    """The compiled rules in their order. Raises ValueError naming the rule that breaks a rule of the house."""
    rules = tuple(_rule(table) for table in load("replies")["reply"])
    last = rules[-1]
    if last.codes or last.enhanced or last.stages or last.text or last.unless:
        raise ValueError("replies.toml: the last rule must match everything")
    return rules


@cache
def not_evidence() -> AnyOf:
    """Words that show that a reply speaks of us, so that nothing is held against the recipient's address."""
    return any_of(load("replies")["not_evidence"])


@cache
def fault_verdicts() -> dict[str, Verdict]:
    """fault → verdict, from the same file. Treat as read-only."""
    return {name: _fault(name, table) for name, table in load("replies")["fault"].items()}


def _fault(name: str, table: dict[str, Any]) -> Verdict:
    rule = _rule({"name": f"fault_{name}", **{key: value for key, value in table.items() if key != "permanent"}})
    permanent = bool(table.get("permanent", False))
    return Verdict(
        permanent, rule.category, RELATED_TO[rule.error], rule.error, rule.scope, rule.blocks and permanent, rule.slow_down, 0.0, rule.name
    )


def _rule(table: dict[str, Any]) -> Rule:
    known = {"name", "source", "example", "category", "error", "scope", "permanence", "blocks", "slow_down", "codes", "enhanced", "stages", "text", "unless"}
    rule = Rule(
        table["name"], table["category"], table["error"], table["scope"], table.get("permanence", "code"), table.get("blocks", False),
        table.get("slow_down", False), tuple(table.get("codes", ())), frozenset(table.get("enhanced", ())), frozenset(table.get("stages", ())),
        _pattern(table.get("text")), _pattern(table.get("unless")),
    )  # fmt: skip
    wrong = (
        set(table) - known or rule.error not in RELATED_TO or rule.scope not in SCOPES or rule.permanence not in {"code", "retry"}
        or (rule.blocks and rule.error not in MAY_BLOCK)
    )  # fmt: skip
    if wrong:
        raise ValueError(f"replies.toml: rule {rule.name}: unknown key or value, or an address blocked for {rule.error}")
    return rule


def _pattern(alternatives: list[str] | None) -> AnyOf | None:
    return any_of([one if one.isascii() else _without_accents(one) for one in alternatives]) if alternatives else None


def _is_match(rule: Rule, digits: str, detail: str, words: str, stage: str) -> bool:
    return (
        (not rule.codes or (digits != "" and digits.startswith(rule.codes)))
        and (not rule.enhanced or detail in rule.enhanced)
        and (not rule.stages or stage in rule.stages)
        and (rule.text is None or rule.text.search(words) is not None)
        and (rule.unless is None or rule.unless.search(words) is None)
    )


def _verdict(rule: Rule, digits: str, said: str, words: str, stage: str) -> Verdict:
    is_session = stage != ""  # a report tells of somebody else's last attempt: there is nothing left to retry
    permanent = digits.startswith("5") and not (rule.permanence == "retry" and is_session)
    blocks = rule.blocks and permanent and not_evidence().search(words) is None
    is_421 = digits == "421"  # RFC 5321 3.8: the server wants to be left alone
    return Verdict(
        permanent, rule.category, RELATED_TO[rule.error], rule.error, "path" if is_421 else rule.scope, blocks,
        rule.slow_down or is_421, 0.0 if permanent else _wait_hint_s(said), rule.name,
    )  # fmt: skip


# --- reading the text ---------------------------------------------------------------------------------------------------------------------------------

_LINE = re.compile(r"\s{0,9}(?:smtp\s?;\s{0,9})?([245][0-9][0-9])(?![0-9.])[ -]?\s{0,9}(?:([245]\.\d{1,3}\.\d{1,3})(?![0-9.]))?", re.I)
_QUOTED = re.compile(r"(?:said|responded|replied|reply|error|reason|[:;>]|@\S{1,200}) ?:? ?([45][0-9][0-9])[ -] ?(?:([45]\.\d{1,3}\.\d{1,3})(?![0-9.]))?", re.I)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ENHANCED_INSIDE = re.compile(r"(?<![0-9.])[45]\.\d{1,3}\.\d{1,3}(?![0-9.])")
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[a-z0-9.\-]{1,255}")
_BLANKS = re.compile(r"\s{1,99}")
_UNSPECIFIC = frozenset({"", "0.0", "3.0", "5.0"})
_CLOCK_HINT = re.compile(r"(?:\b(?:in|after|for|wait|dans|pendant)|retry[- ]after:?) (\d{1,2}):(\d{2}):(\d{2})\b")
_HINT = re.compile(
    r"(?:\b(?:in|after|for|wait|least|about|another|next|dans|pendant|apres|environ)|retry[- ]after:?|delay:?) ?"
    r"(\d{1,6}|an?|one|une?) ?(seconds?|secondes?|secs?|s|minutes?|mins?|m|hours?|heures?|hrs?|h)\b"
)


def _folded(text: str) -> str:
    """Lower case, without accents, single-spaced, bounded."""
    return _BLANKS.sub(" ", _without_accents(text[:MAX_TEXT].replace("\u2019", "'")).lower())[: 2 * MAX_TEXT].strip()


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _telling(enhanced: str, said: str) -> str:
    """The enhanced code that says most: the given one, or one inside the text when the given one is missing or unspecific; "" for none."""
    given = enhanced if _ENHANCED.fullmatch(enhanced) else ""
    if given[2:] in _UNSPECIFIC:
        inside = _ENHANCED_INSIDE.search(said)
        return inside[0] if inside and (not given or inside[0][2:] not in _UNSPECIFIC) else given
    return given


def _plain(said: str, code: int) -> str:
    """What the patterns see: without mail addresses (they may be called spam@…) and without the code repeated on every line."""
    repeated = re.sub(rf"(?<![0-9]){code}-(?:[245]\.\d{{1,3}}\.\d{{1,3}})? ?", " ", said) if code else said
    return _BLANKS.sub(" ", _ADDRESS.sub("addr", repeated))


def _wait_hint_s(said: str) -> float:
    """Seconds that the text asks us to wait, bounded to 30 s to 6 h; 0 when it names none."""
    clock = _CLOCK_HINT.search(said)
    if clock is not None:
        wait_s = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])
    else:
        match = _HINT.search(said)
        if match is None:
            return 0.0
        wait_s = (int(match[1]) if match[1].isdecimal() else 1) * {"s": 1, "m": 60, "h": 3600}[match[2][0]]
    return min(max(float(wait_s), MIN_HINT_S), MAX_HINT_S) if wait_s else 0.0
