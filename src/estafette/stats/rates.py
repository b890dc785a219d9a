"""What the figures are and how every named rate is made from them, exactly as the status page defines them. Pure.

Every message is in exactly one bucket, so that two identities always hold:

    processed = queued + blocked + sent
    sent      = delivered + soft errors + hard errors + in flight

*Sent* is here the denominator "everything that left", not the state. A message whose temporary error is being retried is a soft error, and so
is one whose retries ran out; a message whose answer is awaited is in flight. A late bounce moves a message from delivered to an error, with
its marks: marks count only while a message is delivered, but a complaint counts whatever became of the message since.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from estafette.model import Mark, PersonMark, State


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages, counted once each; the last four are sets inside *delivered* (clicked lies inside opened)."""

    queued: int = 0  # waiting for the first attempt, or scheduled
    blocked: int = 0
    in_flight: int = 0  # the receiving server's answer is awaited
    deferred: int = 0  # temporary error, another attempt is planned
    exhausted: int = 0  # temporary errors until the retries ran out
    hard_errors: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    spam: int = 0

    @property
    def soft_errors(self) -> int:
        """Temporary errors, retried or given up."""
        return self.deferred + self.exhausted

    @property
    def sent(self) -> int:
        """The denominator: everything that left, hence neither queued nor blocked."""
        return self.delivered + self.soft_errors + self.hard_errors + self.in_flight

    @property
    def processed(self) -> int:
        """Everything that was accepted."""
        return self.queued + self.blocked + self.sent


_BUCKETS = {
    State.QUEUED: "queued",
    State.BLOCKED: "blocked",
    State.SENT: "in_flight",
    State.DEFERRED: "deferred",
    State.SOFT_BOUNCED: "exhausted",
    State.HARD_BOUNCED: "hard_errors",
    State.DELIVERED: "delivered",
}


def figures(counts: Mapping[tuple[State, int], int], *, click_implies_open: bool, without_machines: bool = False) -> Figures:
    """Figures from messages per (state, marks).

    `without_machines` leaves out openings and clicks that only machines made (privacy proxies, link scanners): who is one is judged in
    `feedback/reader_kind.py`, and a reader that nobody can judge counts as a person.

    `click_implies_open` is whether open tracking is on: a click without a loaded image is then an opening too, because nobody clicks in a mail
    that was not opened. With open tracking off, "opened" needs its own mark (the status page makes tracking a condition of the word).
    """
    opened, clicked = (PersonMark.OPENED, PersonMark.CLICKED) if without_machines else (Mark.OPENED, Mark.CLICKED)
    numbers = dict.fromkeys(Figures.__dataclass_fields__, 0)
    for (state, marks), count in counts.items():
        numbers[_BUCKETS[state]] += count
        if marks & Mark.SPAM:
            numbers["spam"] += count
        if state is State.DELIVERED:
            if marks & opened or (click_implies_open and marks & clicked):
                numbers["opened"] += count
            if marks & clicked:
                numbers["clicked"] += count
            if marks & Mark.UNSUBSCRIBED:
                numbers["unsubscribed"] += count
    return Figures(**numbers)


def figures_of_counters(
    counts: Mapping[str, int], *, click_implies_open: bool, without_machines: bool = False, in_flight: tuple[int, int] = (0, 0)
) -> Figures:
    """The same from a row of counters (`facts.COUNTS`). `in_flight`: messages whose first, and whose later attempt is under way: the queue says so,
    no event does. Those that wait for their first outcome and are not in flight are queued."""
    by = "_by_persons" if without_machines else ""
    first, later = in_flight
    outcomes = sum(counts[name] for name in ("blocked", "deferred", "delivered", "exhausted", "hard_errors"))
    waiting = max(0, counts["processed"] - outcomes)
    first, later = min(first, waiting), min(later, counts["deferred"])
    return Figures(
        queued=waiting - first, blocked=counts["blocked"], in_flight=first + later, deferred=counts["deferred"] - later, exhausted=counts["exhausted"],
        hard_errors=counts["hard_errors"], delivered=counts["delivered"], opened=counts[("engaged" if click_implies_open else "opened") + by],
        clicked=counts["clicked" + by], unsubscribed=counts["unsubscribed"], spam=counts["spam"],
    )  # fmt: skip


def share(part: int, whole: int) -> float:
    """A rate between 0 and 1 (above 1 where the part is no subset); 0 when there is nothing to divide by."""
    return part / whole if whole else 0.0


def delivered_rate(f: Figures) -> float:
    """Delivered ÷ sent."""
    return share(f.delivered, f.sent)


def opened_rate(f: Figures) -> float:
    """Opened ÷ delivered."""
    return share(f.opened, f.delivered)


def clicked_rate(f: Figures) -> float:
    """Clicked ÷ delivered."""
    return share(f.clicked, f.delivered)


def unsubscribed_rate(f: Figures) -> float:
    """Unsubscribed ÷ opened. Above 1 when people unsubscribe in readers that load no images: more unsubscribes than recorded opens."""
    return share(f.unsubscribed, f.opened)


def spam_rate(f: Figures) -> float:
    """Complaints ÷ sent."""
    return share(f.spam, f.sent)


def error_rate(f: Figures) -> float:
    """Soft and hard errors ÷ sent."""
    return share(f.soft_errors + f.hard_errors, f.sent)


def soft_error_rate(f: Figures) -> float:
    """Soft errors ÷ sent: the temporary part of the error rate."""
    return share(f.soft_errors, f.sent)


def hard_error_rate(f: Figures) -> float:
    """Hard errors ÷ sent: the permanent part of the error rate."""
    return share(f.hard_errors, f.sent)


def in_flight_rate(f: Figures) -> float:
    """In flight ÷ sent; with delivered and errors it makes 1."""
    return share(f.in_flight, f.sent)


def blocked_share(f: Figures) -> float:
    """Blocked ÷ processed: blocked is not sent, so it has a denominator of its own."""
    return share(f.blocked, f.processed)


RATES = {
    "delivered": delivered_rate,
    "opened": opened_rate,
    "clicked": clicked_rate,
    "unsubscribed": unsubscribed_rate,
    "spam": spam_rate,
    "errors": error_rate,
    "soft_errors": soft_error_rate,
    "hard_errors": hard_error_rate,
    "in_flight": in_flight_rate,
    "blocked": blocked_share,
}
"""Name in `estafette stats --json` → its function."""


def all_rates(f: Figures) -> dict[str, float]:
    """Every named rate, rounded to six digits."""
    return {name: round(rate(f), 6) for name, rate in RATES.items()}
