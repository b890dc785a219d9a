"""Figures as people read them, in both languages; the worked example of the design as a golden table."""

import pytest

from estafette.clock import DAY_US, SECOND_US
from estafette.stats.api_rates import Definitions, rates_by
from estafette.stats.rates import Figures
from estafette.web.definitions import rates_table
from estafette.web.formats import Formats
from estafette.web.tiles import nested, partition, tiles

FR, EN = Formats("fr"), Formats("en")
NARROW = "\u202f"
EXAMPLE = Figures(blocked=400, in_flight=96, deferred=220, hard_errors=68, delivered=9216, opened=2304, clicked=460, unsubscribed=23, spam=9)
GOLDEN = {
    "delivered": (f"96,0{NARROW}%", "96.0%", 9216, 9600), "errors": (f"3,0{NARROW}%", "3.0%", 288, 9600), "opened": (f"25,0{NARROW}%", "25.0%", 2304, 9216),
    "clicked": (f"5,0{NARROW}%", "5.0%", 460, 9216), "unsubscribed": (f"1,0{NARROW}%", "1.0%", 23, 2304), "spam": (f"0,09{NARROW}%", "0.09%", 9, 9600),
    "blocked": (f"4,0{NARROW}%", "4.0%", 400, 10_000),
}  # fmt: skip


@pytest.mark.parametrize(("formats", "column"), [(FR, 0), (EN, 1)])
def test_the_worked_example(formats: Formats, column: int) -> None:
    made = {t.measure.key: t for t in tiles(EXAMPLE, None, [], formats, has_opens=True, has_clicks=True)}
    assert {key: (made[key].share, made[key].part, made[key].base) for key in GOLDEN} == {
        key: (row[column], row[2], row[3]) for key, row in GOLDEN.items()
    }


def test_the_parts_of_the_flow_add_up_to_everything_processed() -> None:
    pieces = partition(EXAMPLE, EN)
    assert sum(piece.count for piece in pieces) == EXAMPLE.processed
    assert abs(sum(piece.width for piece in pieces) - 1000) < 1e-6
    bars = nested(EXAMPLE, EN)
    assert [(b.count, b.base) for b in bars] == [(2304, 9216), (460, 9216), (23, 2304)]


@pytest.mark.parametrize(("part", "whole", "fr", "en"), [
    (0, 0, "n. d.", "n/a"), (0, 10, f"0,0{NARROW}%", "0.0%"), (1, 100_000, f"< 0,01{NARROW}%", "< 0.01%"), (5, 10_000, f"0,05{NARROW}%", "0.05%"),
    (1, 1000, f"0,1{NARROW}%", "0.1%"), (3, 2, f"150,0{NARROW}%", "150.0%"), (9216, 9216, f"100,0{NARROW}%", "100.0%"),
])  # fmt: skip
def test_a_share_is_never_nothing_when_there_is_something(part: int, whole: int, fr: str, en: str) -> None:
    assert (FR.share(part, whole), EN.share(part, whole)) == (fr, en)


def test_a_change_is_told_in_points() -> None:
    assert (EN.points(30, 100, 25, 100), FR.points(1, 100, 25, 1000), EN.points(1, 4, 1, 4), EN.points(1, 2, 0, 0)) == ("+5.0", "−1,5", "±0.0", "")


def test_tracking_that_is_off_and_more_unsubscribes_than_opens() -> None:
    odd = Figures(delivered=10, opened=1, unsubscribed=3)
    made = {t.measure.key: t for t in tiles(odd, None, [], EN, has_opens=False, has_clicks=True)}
    assert made["opened"].is_off and not made["clicked"].is_off
    assert (made["unsubscribed"].share, bool(made["unsubscribed"].note)) == ("300.0%", True)


def test_health_is_judged_by_the_limits_of_the_design() -> None:
    for spam, expected in [(7, ""), (8, "amber"), (10, "red")]:
        made = {t.measure.key: t for t in tiles(Figures(delivered=10_000, spam=spam), None, [], EN, has_opens=True, has_clicks=True)}
        assert made["spam"].health == expected


@pytest.mark.parametrize(("us", "expected"), [
    (320_000, "320 ms"), (5_500_000, "5.5 s"), (59 * SECOND_US, "59 s"), (90 * SECOND_US, "1 min 30 s"),
    (3600 * SECOND_US, "1 h"), (12_000 * SECOND_US, "3 h 20"),
    (DAY_US, "1 d"), (12 * DAY_US, "12 d"), (-5, "0 ms"),
])  # fmt: skip
def test_durations(us: int, expected: str) -> None:
    assert EN.duration(us) == expected


def test_numbers_sizes_and_times() -> None:
    assert (FR.number(9216), EN.number(9216)) == (f"9{NARROW}216", "9,216")
    assert [EN.size(n) for n in (413, 12_400, 999_000, 2_500_000)] == ["413 B", "12.4 kB", "999 kB", "2.5 MB"]
    assert FR.size(12_400) == "12,4 ko"
    at = 1_795_783_553 * SECOND_US
    assert (EN.when(at), FR.when(at), EN.iso(at)) == ("27 Nov 2026, 12:45:53", "27 nov. 2026, 12:45:53", "2026-11-27T12:45:53.000Z")
    assert (EN.short(at, at), EN.short(at, at + DAY_US)) == ("12:45:53", "27 Nov 12:45")


def test_both_families_of_rates_are_the_functions_of_the_same_name() -> None:
    f = Figures(10, 40, 5, 25, 15, 30, 875, 300, 90, 9, 2)
    table = {rate.key: rate for rate in rates_table(f, Definitions.API, EN)}
    assert {key: round(rate.part / rate.base, 6) for key, rate in table.items()} == rates_by(Definitions.API, f)
    table = {rate.key: rate for rate in rates_table(f, Definitions.STATUS_PAGE, EN)}
    theirs = rates_by(Definitions.STATUS_PAGE, f)
    assert {key for key in theirs if key in table} >= {"delivered", "opened", "clicked", "unsubscribed", "spam", "blocked"}
    assert all(round(rate.part / rate.base, 6) == theirs[key] for key, rate in table.items() if key in theirs)
