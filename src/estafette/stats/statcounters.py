"""The counters of the API (contract sections 7.1, 7.3 and 7.6), made from our counter rows. Pure; asking and answering is the API's."""

from collections.abc import Iterable, Mapping
from typing import Final

from estafette.facts import COUNTS
from estafette.stats.api_rates import ESP_RATES, attempted
from estafette.stats.providers import OTHERS
from estafette.stats.rates import Figures, figures_of_counters

NAMES: Final = {
    "Total": "processed",
    "MessageSentCount": "delivered",
    "MessageDeferredCount": "deferred",
    "MessageBlockedCount": "blocked",
    "MessageSoftBouncedCount": "exhausted",
    "MessageHardBouncedCount": "hard_errors",
    "MessageUnsubscribedCount": "unsubscribed",
    "MessageSpamCount": "spam",
    "EventOpenedCount": "open_events",
    "EventClickedCount": "click_events",
    "EventUnsubscribedCount": "unsubscribe_events",
    "EventSpamCount": "spam_events",
    "EventOpenDelay": "open_delay_s",
    "EventClickDelay": "click_delay_s",
}
"""Counter of the API → column."""
NEVER: Final = ("MessageWorkFlowExitedCount", "EventWorkflowExitedCount")
"""Counters of what we do not have."""


def added(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of counter rows."""
    total = dict.fromkeys(COUNTS, 0)
    for row in rows:
        for name in COUNTS:
            total[name] += row[name]
    return total


def statcounters(counts: Mapping[str, int], *, click_implies_open: bool) -> dict[str, int]:
    """One row's counters, all of them, all integers. Waiting mail is *queued* by MESSAGE timing; no event says so, so by EVENT timing it is 0."""
    made = figures_of_counters(counts, click_implies_open=click_implies_open)
    row = {name: counts[column] for name, column in NAMES.items()}
    row["MessageQueuedCount"] = made.queued
    row["MessageOpenedCount"] = made.opened
    row["MessageClickedCount"] = made.clicked
    return row | dict.fromkeys(NEVER, 0)


def esp_row(provider: str, f: Figures) -> dict[str, str | int | float]:
    """One row of `statistics/recipient-esp`; rates are fractions of four decimals."""
    row: dict[str, str | int | float] = {
        "ESPName": provider or OTHERS,
        "AttemptedMessagesCount": attempted(f),
        "DeliveredMessagesCount": f.delivered,
        "OpenedMessagesCount": f.opened,
        "ClickedMessagesCount": f.clicked,
        "DeferredMessagesCount": f.deferred,
        "SoftBouncedMessagesCount": f.exhausted,
        "HardBouncedMessagesCount": f.hard_errors,
        "UnsubscribedMessagesCount": f.unsubscribed,
        "SpamReportsCount": f.spam,
    }
    return row | {name: round(rate(f), 4) for name, rate in ESP_RATES.items()}


def legacy_counts(f: Figures) -> dict[str, int]:
    """The counts of the older resources (contract section 5.3 note 2), each with `Count` at its end."""
    return {
        "BlockedCount": f.blocked,
        "BouncedCount": f.exhausted + f.hard_errors,
        "ClickedCount": f.clicked,
        "DeferredCount": f.deferred,
        "DeliveredCount": f.delivered,
        "HardBouncedCount": f.hard_errors,
        "OpenedCount": f.opened,
        "PreQueuedCount": 0,
        "ProcessedCount": f.processed,
        "QueuedCount": f.queued + f.in_flight,
        "SoftBouncedCount": f.exhausted,
        "SpamComplaintCount": f.spam,
        "UnsubscribedCount": f.unsubscribed,
        "WorkFlowExitedCount": 0,
    }


def averages(counts: Mapping[str, int], f: Figures) -> dict[str, float]:
    """What `messagestatistics` derives; a click's delay is divided by the openings (contract section 7.1)."""

    def over(part: int, whole: int) -> float:
        return round(part / whole, 4) if whole else 0.0

    return {
        "AverageOpenDelay": over(counts["open_delay_s"], f.opened),
        "AverageOpenedCount": over(counts["open_events"], f.opened),
        "AverageClickDelay": over(counts["click_delay_s"], f.opened),
        "AverageClickedCount": over(counts["click_events"], f.clicked),
    }
