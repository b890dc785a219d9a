"""Reads the filters of a message list from its address, so that a link says everything, and writes the chips that show them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from estafette.clock import DAY_US, SECOND_US
from estafette.mail.address import AddressError, parse
from estafette.model import Door
from estafette.views import Choice
from estafette.web.statuses import GROUPS, STATUSES, chosen

HOUR_US: Final = 3600 * SECOND_US
PERIODS: Final = {"24h": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US, "90d": 90 * DAY_US}
MAX_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list's address asks for. Unknown values are left out, never an error: addresses are pasted and cut."""

    status: tuple[str, ...] = ()
    text: str = ""
    domain: str = ""
    campaign: int = 0
    error: str = ""
    door: str = ""
    period: str = ""
    since: int = 0
    until: int = 0
    message_id: int = 0  # the text is the number of a message

    @property
    def is_any(self) -> bool:
        """Whether anything is filtered."""
        return self != Filters()


def read_filters(values: Mapping[str, str], statuses: Sequence[str], now: int) -> Filters:
    """The filters of an address; `statuses` are all values of `status`, which may be given several times."""
    text = values.get("text", "").strip()[:MAX_TEXT]
    period = values.get("period", "")
    since, until = read_day(values.get("from", "")), read_day(values.get("to", ""))
    return Filters(
        status=tuple(dict.fromkeys(s for s in statuses if s in STATUSES or s in GROUPS)),
        text=text,
        domain=values.get("domain", "").strip().lower().lstrip("@")[:255],
        campaign=_number(values.get("campaign", "")),
        error=values.get("error", "").strip()[:100],
        door=values.get("source", "") if values.get("source", "") in list(Door) else "",
        period=period if period in PERIODS else "",
        since=since or (now - PERIODS[period] if period in PERIODS else 0),
        until=until + DAY_US if until else 0,
        message_id=_number(text) if len(text) >= 10 else 0,
    )


def choice_of(filters: Filters) -> Choice:
    """What the store is asked for. A whole address is looked up, any other text is searched for."""
    states, marks = chosen(list(filters.status))
    key = _address_key(filters.text)
    return Choice(states, marks, key, "" if key else filters.text, filters.domain, filters.campaign, filters.error, filters.door, filters.since, filters.until)


def _address_key(text: str) -> str:
    if "@" not in text.strip("@"):
        return ""
    try:
        return parse(text).key
    except AddressError:
        return ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0


def read_day(text: str) -> int:
    """Midnight UTC of a date such as 2026-11-27 as a stored time; 0 for anything else."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * SECOND_US
    except (ValueError, OverflowError):
        return 0
