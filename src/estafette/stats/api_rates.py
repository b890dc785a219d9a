"""The rates of the API's guides, which divide otherwise than the status page (contract section 1.2): one function each. Pure.

The status page's are in `rates.py` and are the default everywhere; an answer of ours names the family that it uses (`Definitions`). *Total* is
everything that was processed, blocked mail included; what these guides call *sent* was accepted by the receiving server, our *delivered*.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from estafette.stats.rates import Figures, all_rates, share


class Definitions(StrEnum):
    """By which family rates are made."""

    STATUS_PAGE = "status-page"
    API = "api"


def api_delivered_rate(f: Figures) -> float:
    """Delivered ÷ total."""
    return share(f.delivered, f.processed)


def api_blocked_rate(f: Figures) -> float:
    """Blocked ÷ total."""
    return share(f.blocked, f.processed)


def api_soft_bounced_rate(f: Figures) -> float:
    """Temporary errors whose retries ran out ÷ total."""
    return share(f.exhausted, f.processed)


def api_hard_bounced_rate(f: Figures) -> float:
    """Hard errors ÷ total."""
    return share(f.hard_errors, f.processed)


def api_deferred_rate(f: Figures) -> float:
    """Temporary errors that are being retried ÷ total."""
    return share(f.deferred, f.processed)


def api_opened_rate(f: Figures) -> float:
    """Opened ÷ delivered."""
    return share(f.opened, f.delivered)


def api_click_through_rate(f: Figures) -> float:
    """Clicked ÷ opened."""
    return share(f.clicked, f.opened)


def api_clicked_of_delivered_rate(f: Figures) -> float:
    """Clicked ÷ delivered."""
    return share(f.clicked, f.delivered)


def api_unsubscribed_rate(f: Figures) -> float:
    """Unsubscribed ÷ delivered."""
    return share(f.unsubscribed, f.delivered)


def api_spam_rate(f: Figures) -> float:
    """Complaints ÷ delivered."""
    return share(f.spam, f.delivered)


API_RATES: Final[dict[str, Callable[[Figures], float]]] = {
    "delivered": api_delivered_rate,
    "opened": api_opened_rate,
    "clicked": api_click_through_rate,
    "clicked_of_delivered": api_clicked_of_delivered_rate,
    "unsubscribed": api_unsubscribed_rate,
    "spam": api_spam_rate,
    "soft_bounced": api_soft_bounced_rate,
    "hard_bounced": api_hard_bounced_rate,
    "deferred": api_deferred_rate,
    "blocked": api_blocked_rate,
}


def attempted(f: Figures) -> int:
    """The denominator of the providers' statistics: tried at least once, hence not blocked and with an outcome."""
    return f.delivered + f.soft_errors + f.hard_errors


ESP_RATES: Final[dict[str, Callable[[Figures], float]]] = {
    "OpenRate": lambda f: share(f.opened, attempted(f)),
    "ClickThroughRate": lambda f: share(f.clicked, f.opened),
    "SoftBouncedRate": lambda f: share(f.exhausted, attempted(f)),
    "HardBouncedRate": lambda f: share(f.hard_errors, attempted(f)),
    "UnsubscribedRate": lambda f: share(f.unsubscribed, f.delivered),
    "SpamReportsRate": lambda f: share(f.spam, f.delivered),
    "DeferredRate": lambda f: share(f.deferred, attempted(f)),
}
"""Property of `statistics/recipient-esp` → its function (contract section 7.3)."""


def rates_by(definitions: Definitions, f: Figures) -> dict[str, float]:
    """Every rate of a family, rounded to six digits."""
    if definitions is Definitions.STATUS_PAGE:
        return all_rates(f)
    return {name: round(rate(f), 6) for name, rate in API_RATES.items()}
