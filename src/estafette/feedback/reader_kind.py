"""Decides whether a person or a machine asked for an image or a link, and why. Pure.

The knowledge about agents and networks is data (`rules/readers.toml`). What stands here holds for every agent: a HEAD request or a prefetch is
no reading, the hidden link is followed by scanners only, nobody follows three links of a mail in two seconds, and nobody clicks a moment
after the delivery. A burst is known only at its third click: the first two are then taken back (`Judgement.takes_back`).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final

from estafette.clock import SECOND_US
from estafette.rules import load


class ReaderKind(StrEnum):
    """Who asked."""

    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"  # could be either; counts as a person


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for an image or a link, as far as the judgement needs it."""

    at: int
    is_click: bool = False
    link: int = 0  # number of the link inside its mail
    is_trap: bool = False  # the hidden link, which no person sees
    is_head: bool = False
    is_prefetch: bool = False
    agent: str = ""
    address: str = ""
    kept_address: str = ""  # as it is kept with the event: mostly cut to its network


@dataclass(frozen=True, slots=True)
class Seen:
    """An earlier visit to the same mail."""

    at: int
    is_click: bool
    link: int
    is_trap: bool
    kept_address: str
    marked_person: bool  # it set the mark "by a person"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who asked and how that is known."""

    kind: ReaderKind
    why: str
    takes_back: bool = False  # the click that set the mark "by a person" belongs to the same machine

    @property
    def is_machine(self) -> bool:
        return self.kind is ReaderKind.MACHINE


@dataclass(frozen=True, slots=True)
class _Row:
    kind: ReaderKind
    why: str
    exact: frozenset[str]
    any: tuple[str, ...]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    agents: tuple[_Row, ...]
    networks: tuple[_Row, ...]
    open_after_s: float
    click_after_s: float
    bursts: tuple[tuple[int, float], ...]
    trap_s: float


RECENT_US: Final = 60 * SECOND_US
"""How far back earlier visits matter."""
NO_AGENT: Final = (ReaderKind.UNKNOWN, "it does not say what it is")
STRANGER: Final = (ReaderKind.UNKNOWN, "an agent that we do not know")


def judge(visit: Visit, delivered_at: int | None, earlier: Sequence[Seen]) -> Judgement:
    """Who asked. `earlier` are the visits to the same mail within `RECENT_US`, whatever their order."""
    rules = _rules()
    if visit.is_trap:
        return Judgement(ReaderKind.MACHINE, "the hidden link, which no person sees", takes_back=_marked(earlier, visit, rules.trap_s, same_address=True))
    if visit.is_head:
        return Judgement(ReaderKind.MACHINE, "a HEAD request: nothing was shown")
    if visit.is_prefetch:
        return Judgement(ReaderKind.MACHINE, "loaded in advance, as its header says")
    if any(s.is_trap and s.kept_address == visit.kept_address and _age_s(visit, s) <= rules.trap_s for s in earlier):
        return Judgement(ReaderKind.MACHINE, "it followed the hidden link too")
    known = _by_agent(visit.agent)
    if known[0] is ReaderKind.MACHINE:
        return Judgement(*known)
    network = _by_network(visit.address)
    if network is not None:
        return Judgement(*network)
    if visit.is_click:
        for links, within_s in rules.bursts:
            followed = {s.link for s in earlier if s.is_click and not s.is_trap and _age_s(visit, s) <= within_s} | {visit.link}
            if len(followed) >= links:
                why = f"{len(followed)} different links within {within_s:g} s"
                return Judgement(ReaderKind.MACHINE, why, takes_back=_marked(earlier, visit, within_s))
    if delivered_at is not None:
        after_s = (visit.at - delivered_at) / SECOND_US
        if after_s < (rules.click_after_s if visit.is_click else rules.open_after_s):
            return Judgement(ReaderKind.MACHINE, f"{max(after_s, 0.0):.1f} s after the delivery")
    return Judgement(*known)


def _age_s(visit: Visit, seen: Seen) -> float:
    return abs(visit.at - seen.at) / SECOND_US


def _marked(earlier: Sequence[Seen], visit: Visit, within_s: float, *, same_address: bool = False) -> bool:
    return any(s.is_click and s.marked_person and _age_s(visit, s) <= within_s and (not same_address or s.kept_address == visit.kept_address) for s in earlier)


@lru_cache(4096)
def _by_agent(agent: str) -> tuple[ReaderKind, str]:
    text = agent.strip().lower()
    if not text:
        return NO_AGENT
    for row in _rules().agents:
        if text in row.exact or any(part in text for part in row.any):
            return row.kind, row.why
    return STRANGER


@lru_cache(4096)
def _by_network(address: str) -> tuple[ReaderKind, str] | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    for row in _rules().networks:
        if any(ip in network for network in row.networks):
            return row.kind, row.why
    return None


@cache
def _rules() -> _Rules:
    """The compiled data. Raises ValueError and KeyError for data that breaks its own rules."""
    tables = load("readers")
    timing = tables["timing"]
    return _Rules(
        tuple(_row(t) for t in tables["agent"]), tuple(_row(t) for t in tables["network"]), timing["open_after_s"], timing["click_after_s"],
        tuple((int(links), float(within_s)) for links, within_s in timing["bursts"]), timing["trap_s"],
    )  # fmt: skip


def _row(table: dict[str, Any]) -> _Row:
    row = _Row(
        ReaderKind(table["kind"]), table["why"], frozenset(table.get("exact", ())), tuple(table.get("any", ())),
        tuple(ipaddress.ip_network(n) for n in table.get("in", ())),
    )  # fmt: skip
    if set(table) - {"name", "kind", "why", "exact", "any", "in"} or any(t != t.lower() for t in (*row.exact, *row.any)):
        raise ValueError(f"readers.toml: {table.get('name')}: an unknown key, or capitals where lower case is compared")
    return row
