"""Turns requests for images and links into facts about messages: who asked is judged, the marks follow. Pure.

The mark of a message says that its image was fetched or a link followed, by whomever; a second bit says that somebody did who is not known to be
a machine (`model.PersonMark`), and rates are made with or without it. A HEAD request and the hidden link mark nothing, they leave a note.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from estafette.clock import SECOND_US
from estafette.feedback.reader_kind import Judgement, Seen, Visit, judge
from estafette.model import Event, EventKind, Mark, PersonMark, Record, Visited

MAX_AGENT: Final = 500
MAX_EARLIER: Final = 100


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose token is ours."""

    message_id: int
    account_id: int
    visit: Visit
    url: str = ""  # where a link leads
    country: str = ""  # two letters, "" = unknown
    is_patient: bool = True  # the attempt may still be under way: nothing is written then
    keeps_date_only: bool = False  # of an opening: only the date of the last one is kept


def is_agreed(request: Request, consent: tuple[bool, bool] | None) -> bool:
    """Whether the reader agrees (opens, clicks) to the visit being kept; None: never said anything, so what was sent holds. The hidden link measures nobody."""
    return consent is None or request.visit.is_trap or consent[request.visit.is_click]


def kept_address(address: str, *, is_whole: bool) -> str:
    """An address as it is kept: cut to its network (/24, /48) unless the operator wants it whole (standards.md 1.6); "" for what is none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if is_whole:
        return str(ip)
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False).network_address)


def shown_agent(text: str) -> str:
    """A User-Agent as it is kept: bounded, on one line."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_AGENT]).strip()


def records(requests: Sequence[Request], known: Mapping[int, Visited]) -> list[Record]:
    """The facts of a batch, in its order. What an earlier request of the batch did counts for the later ones."""
    seen = {message_id: [_seen(event) for event in visited.recent] for message_id, visited in known.items()}
    marks = {message_id: visited.marks for message_id, visited in known.items()}
    made = []
    for request in requests:
        visit, visited = request.visit, known.get(request.message_id)
        earlier = seen.setdefault(request.message_id, [])
        judgement = judge(visit, visited.delivered_at if visited else None, earlier)
        record = _record(request, judgement, (visited.opened_at if visit.is_click else visited.delivered_at) if visited else None)
        made.append(record)
        before = marks.get(request.message_id, 0)
        marked = record.marks & ~before
        marks[request.message_id] = (before | record.marks) & ~record.unmarks
        if not visit.is_click:
            continue  # openings tell nothing about later visits
        del earlier[:-MAX_EARLIER]
        earlier.append(Seen(visit.at, visit.is_click, visit.link, visit.is_trap, visit.kept_address, bool(marked & PersonMark.CLICKED)))
    return made


def _record(request: Request, judgement: Judgement, since: int | None) -> Record:
    """`since`: what the delay is counted from: the delivery for an opening, the first opening for a click."""
    visit = request.visit
    kind, mark, person = (
        (EventKind.CLICKED, Mark.CLICKED, PersonMark.CLICKED) if visit.is_click else (EventKind.OPENED, Mark.OPENED, PersonMark.OPENED)
    )
    marks = int(mark) if judgement.is_machine else mark | person
    if visit.is_head or visit.is_trap:
        kind, marks = EventKind.NOTE, 0
    data: dict[str, str | int] = {
        "reader": judgement.kind.value, "why": judgement.why, "ip": visit.kept_address, "agent": visit.agent, "geo": request.country,
        "url": request.url, "what": "" if kind is not EventKind.NOTE else "hidden link" if visit.is_trap else "head request",
    }  # fmt: skip
    if visit.is_click:
        data["link"] = visit.link
    if since is not None:
        data["after_s"] = max(0, visit.at - since) // SECOND_US
    return Record(
        request.message_id, kind, visit.at, data=data, marks=marks, unmarks=int(PersonMark.CLICKED) if judgement.takes_back else 0,
        account_id=request.account_id, is_patient=request.is_patient,
    )  # fmt: skip


def _seen(event: Event) -> Seen:
    """What an event that was written by `_record` says about the visit that it stands for."""
    link, marked = event.data.get("link", 0), event.data.get("marked", 0)
    is_trap = event.data.get("what") == "hidden link"
    return Seen(
        event.at, event.kind is EventKind.CLICKED, link if isinstance(link, int) else 0, is_trap, str(event.data.get("ip", "")),
        bool(isinstance(marked, int) and marked & PersonMark.CLICKED),
    )  # fmt: skip
