"""Decides what a mail that came back changes: a report with a valid token moves its message, anything else leaves a note. Pure.

    token in the return path   a bounce moves the message and may block its address; an answering machine, a delay, a reply leave a note
    token in the address u-…   unsubscribes, unless an answering machine or a mail system wrote
    complaint                  marks spam and blocks; the token may stand in the mail that it returns, where feedback loops leave headers alone
    no valid token             a note that names no message: a forged report must not be able to stop mail to its victim

Nothing is looked up by Message-ID or recipient: both can be guessed, a MAC cannot.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from estafette.feedback.recipients import Desk, Destination
from estafette.feedback.unsubscribe_records import unsubscribed
from estafette.mail.reports import Report
from estafette.mail.token import Keyring, read_return_path
from estafette.model import BlockCause, EventKind, Mark, Reason, Record
from estafette.prepare.tokens import read_click, read_open, read_unsubscribe, read_unsubscribe_address

PASSING: Final = frozenset({"quota exceeded", "greylisted", "system issue", "protocol issue", "connection issue"})
"""Errors that are never for good (contract 1.4), whatever code the report gives them."""
MAX_REPLY: Final = 1000
SCANNED: Final = 262_144
MAX_TOKENS: Final = 200
_RETURN_PATH = re.compile(r"\b(b-[a-z2-7]{29})@", re.I)
_UNSUBSCRIBE = re.compile(r"\b(u-[a-z2-7]{29,62})@", re.I)
_LINK = re.compile(r"/([coup])/([A-Za-z0-9_-]{40,2000})(?![A-Za-z0-9_-])")
_SOFT_BREAKS = re.compile(r"=\r?\n|\r?\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as it came in, for one of its recipients."""

    at: int
    peer: str  # IP address of the client
    reverse_path: str
    destination: Destination
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Inside:
    """Messages of ours that are named, with a valid MAC, by the mail that a report returns; 0 = none."""

    by_return_path: int = 0  # good for bounces
    by_any: int = 0  # good for complaints


def match(arrival: Arrival, report: Report, inside: Inside) -> Record:
    """The one fact that a mail is for one of its recipients."""
    desk, message_id = arrival.destination.desk, arrival.destination.message_id
    if desk in (Desk.COMPLAINTS, Desk.POSTMASTER):  # a forged return path is not forgiven for a token in the text
        message_id = inside.by_any if report.is_complaint else inside.by_return_path
    if not message_id:
        return _note(arrival, report, 0, "")
    if report.is_complaint:
        return _complaint(arrival, report, message_id)
    if report.is_bounce and desk is not Desk.UNSUBSCRIBE:
        return _bounce(arrival, report, message_id)
    if desk is Desk.UNSUBSCRIBE and not (report.is_bounce or report.is_autoreply or not arrival.reverse_path):
        list_id = arrival.destination.leaving.list_id if arrival.destination.leaving is not None else 0
        return unsubscribed(message_id, 0, arrival.at, "mail", list_id, {"agent": "List-Unsubscribe", "peer": arrival.peer})
    return _note(arrival, report, message_id, "")


def _bounce(arrival: Arrival, report: Report, message_id: int) -> Record:
    if not report.permanent:
        return _note(arrival, report, message_id, "delayed")
    reason = Reason(report.related_to, report.error)
    kind, block = EventKind.HARD_BOUNCED, None
    if report.hard:
        block = BlockCause.HARD_BOUNCE
    elif report.gave_up or report.error in PASSING:
        kind = EventKind.SOFT_BOUNCED
        # as after retries of our own: the address rests unless the fault was the mail's or ours
        block = BlockCause.SOFT_BOUNCE if report.related_to in ("recipient", "domain") else None
    data = {**_facts(arrival, report), "stage": "report", "blocks_address": int(block is not None) or ""}
    return Record(message_id, kind, arrival.at, _shown(report.reply, MAX_REPLY), data, reason, block=block)


def _complaint(arrival: Arrival, report: Report, message_id: int) -> Record:
    data = {**_facts(arrival, report), "source": arrival.reverse_path.rpartition("@")[2], "feedback": _shown(report.feedback_type, 80)}
    return Record(
        message_id, EventKind.COMPLAINED, arrival.at, _shown(report.reply, MAX_REPLY), data, marks=int(Mark.SPAM), block=BlockCause.COMPLAINT, is_once=True
    )


def _note(arrival: Arrival, report: Report, message_id: int, what: str) -> Record:
    data = {**_facts(arrival, report), "what": what or what_it_is(report)}
    if not message_id:
        why = f"no valid token ({arrival.destination.desk.value})"
        data |= {"to": _shown(arrival.destination.address, 254), "why": why, "for": _shown(", ".join(report.recipients), 500)}
    return Record(message_id, EventKind.NOTE, arrival.at, _shown(report.reply, MAX_REPLY), data)


def what_it_is(report: Report) -> str:
    """One word or two for a timeline."""
    if report.is_complaint:
        return "complaint"
    if report.is_bounce:
        return "bounce" if report.permanent else "delayed"
    if report.is_autoreply:
        return "auto-reply"
    if report.feedback_type:
        return f"feedback: {_shown(report.feedback_type, 70)}"
    return "delivery report" if report.rule else "reply"


def _facts(arrival: Arrival, report: Report) -> dict[str, str | int]:
    return {
        "peer": arrival.peer, "from": _shown(arrival.reverse_path, 254), "subject": _shown(arrival.subject, 200), "category": report.category,
        "rule": _shown(report.rule, 200),
    }  # fmt: skip


def _shown(text: str, limit: int) -> str:
    """What strangers wrote, as it is kept: bounded, on one line, without the octets that a database or a terminal would trip over."""
    return "".join(c if c.isprintable() else " " for c in text[:limit]).strip()


def find_inside(report: Report, raw: bytes, keyring: Keyring) -> Inside:
    """The messages that the returned mail names. Redacted reports lose addresses and keep headers: Return-Path, List-Unsubscribe, links.

    The header of the returned mail is asked first; the whole text only when it names one message and no other (a reply may quote several mails).
    """
    fields = [f"{value}\n" for name in ("return-path", "x-return-path", "list-unsubscribe") for value in report.original.get(name, ())]
    text = _SOFT_BREAKS.sub("", raw[:SCANNED].decode("latin-1"))
    by_return_path = _first_of(_return_paths("".join(fields), keyring)) or _only_of(_return_paths(text, keyring))
    by_any = by_return_path or _first_of(_others("".join(fields), keyring)) or _only_of(_others(text, keyring))
    return Inside(by_return_path, by_any)


def _return_paths(text: str, keyring: Keyring) -> Iterable[int]:
    for found in _bounded(_RETURN_PATH, text):
        yield read_return_path(found[1], keyring) or 0


def _others(text: str, keyring: Keyring) -> Iterable[int]:
    for found in _bounded(_UNSUBSCRIBE, text):
        leaving = read_unsubscribe_address(found[1], keyring)
        yield leaving.message_id if leaving is not None else 0
    for found in _bounded(_LINK, text):
        read = {"c": read_click, "o": read_open, "u": read_unsubscribe, "p": read_unsubscribe}[found[1]]
        token = read(found[2], keyring)
        yield token.message_id if token is not None else 0


def _bounded(pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    for number, found in enumerate(pattern.finditer(text)):
        if number >= MAX_TOKENS:
            return
        yield found


def _first_of(ids: Iterable[int]) -> int:
    return next((i for i in ids if i), 0)


def _only_of(ids: Iterable[int]) -> int:
    found = {i for i in ids if i}
    return found.pop() if len(found) == 1 else 0
