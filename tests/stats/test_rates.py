"""Figures and rates: the status page's definitions, on the worked example and on any counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.model import Mark, PersonMark, State
from estafette.stats.rates import RATES, Figures, all_rates, figures

O, C, U, S = Mark.OPENED, Mark.CLICKED, Mark.UNSUBSCRIBED, Mark.SPAM

WORKED_EXAMPLE = {
    (State.BLOCKED, 0): 400,
    (State.DELIVERED, 0): 9_216 - 2_304,
    (State.DELIVERED, O): 2_304 - 460 - 9,
    (State.DELIVERED, O | C): 460 - 23,
    (State.DELIVERED, O | C | U): 23,
    (State.DELIVERED, O | S): 9,
    (State.DEFERRED, 0): 200,
    (State.SOFT_BOUNCED, 0): 20,
    (State.HARD_BOUNCED, 0): 68,
    (State.SENT, 0): 96,
}


def test_the_worked_example() -> None:
    f = figures(WORKED_EXAMPLE, click_implies_open=False)
    assert (f.processed, f.sent, f.delivered, f.in_flight) == (10_000, 9_600, 9_216, 96)
    assert (f.soft_errors, f.hard_errors, f.opened, f.clicked, f.unsubscribed, f.spam) == (220, 68, 2_304, 460, 23, 9)
    rates = all_rates(f)
    expected = {"delivered": 0.96, "errors": 0.03, "opened": 0.25, "clicked": 0.0499, "unsubscribed": 0.01, "spam": 0.0009, "blocked": 0.04, "in_flight": 0.01}
    assert {name: round(rates[name], 4) for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "f", "expected"),
    [
        ("delivered", Figures(delivered=3, hard_errors=1), 0.75),
        ("delivered", Figures(delivered=1, in_flight=1), 0.5),
        ("delivered", Figures(delivered=1, blocked=9, queued=9), 1),  # blocked and queued are not sent
        ("opened", Figures(delivered=4, in_flight=4, opened=1), 0.25),  # of delivered, not of sent
        ("clicked", Figures(delivered=4, opened=2, clicked=1), 0.25),  # of delivered, not of opened
        ("unsubscribed", Figures(delivered=10, opened=4, unsubscribed=1), 0.25),  # of opened, not of delivered
        ("unsubscribed", Figures(delivered=10, opened=1, unsubscribed=2), 2),  # more unsubscribes than recorded opens
        ("spam", Figures(delivered=3, deferred=1, spam=1), 0.25),  # of sent, not of delivered
        ("errors", Figures(delivered=4, deferred=1, exhausted=1, hard_errors=2), 0.5),
        ("soft_errors", Figures(delivered=6, deferred=1, exhausted=1), 0.25),
        ("hard_errors", Figures(delivered=3, hard_errors=1), 0.25),
        ("in_flight", Figures(delivered=3, in_flight=1), 0.25),
        ("blocked", Figures(blocked=1, queued=1, delivered=2), 0.25),  # of processed
        *[(name, Figures(), 0) for name in RATES],
    ],
)
def test_every_rate_has_its_own_denominator(name: str, f: Figures, expected: float) -> None:
    assert RATES[name](f) == expected


@pytest.mark.parametrize(
    ("state", "marks", "implies", "counted"),
    [
        (State.DELIVERED, C, True, {"opened", "clicked"}),  # images were not loaded, but nobody clicks unread
        (State.DELIVERED, C, False, {"clicked"}),  # open tracking is off: "opened" is not measured
        (State.DELIVERED, O, True, {"opened"}),
        (State.DELIVERED, U, True, {"unsubscribed"}),
        (State.HARD_BOUNCED, O | C | U, True, set()),  # a late bounce is the truth
        (State.HARD_BOUNCED, S, True, {"spam"}),  # but who complains did get the mail
        (State.SENT, 0, True, set()),
    ],
)
def test_what_a_mark_counts_for(state: State, marks: int, implies: bool, counted: set[str]) -> None:
    f = figures({(state, marks): 1}, click_implies_open=implies)
    assert {name for name in ("opened", "clicked", "unsubscribed", "spam") if getattr(f, name)} == counted


PO, PC = PersonMark.OPENED, PersonMark.CLICKED


@pytest.mark.parametrize(
    ("marks", "implies", "with_machines", "without"),
    [
        (O, True, (1, 0), (0, 0)),  # a privacy proxy loaded the images
        (O | PO, True, (1, 0), (1, 0)),
        (O | C | PO, True, (1, 1), (1, 0)),  # a scanner followed the links, a person looked
        (C | PC, True, (1, 1), (1, 1)),
        (C | PC, False, (0, 1), (0, 1)),
    ],
)
def test_machines_can_be_left_out(marks: int, implies: bool, with_machines: tuple[int, int], without: tuple[int, int]) -> None:
    counts = {(State.DELIVERED, marks): 1}
    f, persons = figures(counts, click_implies_open=implies), figures(counts, click_implies_open=implies, without_machines=True)
    assert ((f.opened, f.clicked), (persons.opened, persons.clicked)) == (with_machines, without)
    assert f.delivered == persons.delivered == 1


@given(st.dictionaries(st.tuples(st.sampled_from(State), st.integers(0, 63)), st.integers(0, 10**7)))
def test_every_message_is_in_exactly_one_bucket(counts: dict[tuple[State, int], int]) -> None:
    f = figures(counts, click_implies_open=True)
    assert f.processed == sum(counts.values()) == f.queued + f.blocked + f.sent
    assert f.sent == f.delivered + f.soft_errors + f.hard_errors + f.in_flight
    assert f.clicked <= f.opened <= f.delivered
    if f.sent:
        assert RATES["delivered"](f) + RATES["errors"](f) + RATES["in_flight"](f) == pytest.approx(1)
