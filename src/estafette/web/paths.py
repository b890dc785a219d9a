"""How the paths to a destination stand, for the page of the queue: what workers say of themselves, added up by site. Pure.

A path carries the mail of every account: its speed and limits are shown, never a reply, in which another account's recipient could stand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from estafette.clock import SECOND_US
from estafette.nouns import Hold, WorkerReport
from estafette.web.languages import marked as _

FRESH_US: Final = 30 * SECOND_US
"""A report that is older is of a worker that is gone or stuck."""
HELD_WORDS: Final = {
    "suspended": _("suspended by a rule"),
    "dead": _("no server answers"),
    "asked": _("the server asked us to wait"),
    "lowered": _("slowed down by a rule"),
    "rate": _("at the rate that is set or asked for"),
    "window": _("more connections are opened as mail is taken"),
    "connections": _("all connections are in use"),
}
"""nouns.PathReport.held_by → words."""


@dataclass(frozen=True, slots=True)
class Pace:
    """All paths to a site together."""

    open: int = 0  # connections
    limit: int = 0  # and at most
    rate: float = 0.0  # messages a second that may go, 0 = no limit
    answered_per_s: float = 0.0
    paused_until: int = 0
    held_by: str = ""  # a key of HELD_WORDS, "" = nothing


def paces(reports: Iterable[WorkerReport], now: int) -> dict[str, Pace]:
    """By site, of the workers that are alive."""
    found: dict[str, Pace] = {}
    for report in reports:
        if report.at < now - FRESH_US:
            continue
        for path in report.paths:
            before = found.get(path.site)
            rate = path.rate if before is None else before.rate + path.rate if before.rate and path.rate else 0.0
            before = before or Pace()
            found[path.site] = Pace(
                before.open + path.open, before.limit + path.limit, rate, round(before.answered_per_s + path.answered_per_s, 2),
                max(before.paused_until, path.paused_until), before.held_by or (path.held_by if path.held_by in HELD_WORDS else ""),
            )  # fmt: skip
    return found


def stops_of(holds: Iterable[Hold], account_id: int) -> tuple[list[Hold], Mapping[str, list[Hold]]]:
    """What is stopped of an account or one of its campaigns, and by destination what is stopped there, by the account or for everybody."""
    whole: list[Hold] = []
    by_domain: dict[str, list[Hold]] = {}
    for hold in holds:
        if hold.domain and hold.account_id in (0, account_id):
            by_domain.setdefault(hold.domain, []).append(hold)
        elif not hold.domain and hold.account_id == account_id:
            whole.append(hold)
    return whole, by_domain
