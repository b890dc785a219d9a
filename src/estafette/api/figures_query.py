"""Reads the query of `/v1/estafette/statistics`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

from estafette.api.errors import CallRefused, Problem
from estafette.clock import DAY_US, SECOND_US
from estafette.facts import Axis, Resolution, Timing
from estafette.stats.api_rates import Definitions
from estafette.stats.periods import WIDTH_US

MAX_SLICES: Final = 3000
LAST_S: Final = 253_402_300_800  # the year 10000
E = TypeVar("E", bound=StrEnum)


class By(StrEnum):
    """One row for the whole, or one per ..."""

    WHOLE = ""
    FIVE_MINUTES = "5m"
    HOUR = "hour"
    DAY = "day"
    PROVIDER = "provider"
    CAMPAIGN = "campaign"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class FiguresQuery:
    """What is asked for."""

    since: int
    until: int
    by: By
    timing: Timing
    definitions: Definitions
    axis: Axis
    source: str
    door: str | None
    provider: str | None
    without_machines: bool

    @property
    def resolution(self) -> Resolution | None:
        """Of a series; None when none is asked for."""
        return Resolution(self.by.value) if self.by in (By.FIVE_MINUTES, By.HOUR, By.DAY) else None


def read_figures_query(given: Mapping[str, str], now: int) -> FiguresQuery:
    """`given`: names in lower case. Raises CallRefused."""
    until = _time(given, "to", now)
    since = _time(given, "from", until - 30 * DAY_US)
    if since >= until:
        raise CallRefused(Problem("", 400, '"from" must be before "to".'))
    campaign, sender = given.get("campaign", ""), given.get("sender", "").lower()
    if campaign and sender:
        raise CallRefused(Problem("", 400, '"campaign" and "sender" cannot be asked for together.'))
    if campaign and not (campaign.isascii() and campaign.isdecimal() and len(campaign) <= 18):
        raise CallRefused(Problem("", 400, 'Invalid value for "campaign": its id is expected.'))
    axis = Axis.CAMPAIGN if campaign else Axis.SENDER if sender else Axis.ACCOUNT
    made = FiguresQuery(
        since, until, _word(given, "by", By), _word(given, "timing", Timing), _word(given, "definitions", Definitions), axis, campaign or sender,
        given.get("door") or None, given.get("provider") or None, given.get("machines", "1") in ("0", "false"),
    )  # fmt: skip
    if "\0" in given.get("sender", "") + given.get("door", "") + given.get("provider", ""):
        raise CallRefused(Problem("", 400, "Invalid character in the query."))
    if made.resolution is not None and (until - since) / WIDTH_US[made.resolution] > MAX_SLICES:
        raise CallRefused(Problem("", 400, f'Too many slices: at most {MAX_SLICES}; choose a shorter period or a wider "by".'))
    if made.timing is Timing.EVENT and (axis is Axis.SENDER or made.by in (By.CAMPAIGN, By.SENDER)):
        raise CallRefused(Problem("", 400, '"timing=event" is not kept for this.'))
    return made


def _time(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, "")
    if not text:
        return default
    try:
        seconds = float(text) if text.isascii() and text.isdecimal() else _moment(text).timestamp()
        if not 0 <= seconds < LAST_S:
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise CallRefused(Problem("", 400, f'Invalid value for "{name}": a time as in RFC 3339, or seconds since 1970, is expected.')) from None
    return int(seconds * SECOND_US)


def _moment(text: str) -> datetime:
    """UTC unless it says otherwise."""
    found = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00").replace(" ", "+"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _word(given: Mapping[str, str], name: str, kind: type[E]) -> E:
    text = given.get(name, "").lower()
    if not text:
        return next(iter(kind))
    if text not in {member.value for member in kind}:
        allowed = ", ".join(member.value for member in kind if member.value)
        raise CallRefused(Problem("", 400, f'Invalid value for "{name}": one of {allowed} is expected.'))
    return kind(text)
