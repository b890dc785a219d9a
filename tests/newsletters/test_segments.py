"""The segment language: what is understood, what is refused and where, and what it means for one contact."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.newsletters.segment_language import MAX_DEPTH, SegmentError, check, parse, properties_of
from estafette.newsletters.segment_meaning import Person, matches, reasons, text_of

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
KINDS = {"age": "int", "city": "str", "birthday": "datetime", "client": "bool", "score": "float"}
ANNA = Person({"age": 34, "city": "Paris", "birthday": datetime(1992, 3, 14, tzinfo=UTC), "client": True, "score": 2.5},
              last_open=NOW - timedelta(days=3), last_click=NOW - timedelta(days=40))  # fmt: skip
NOBODY = Person()


@pytest.mark.parametrize(
    ("text", "anna", "nobody"),
    [
        ("(age >= 18)", True, False),
        ("age=34", True, False),
        ("(age <> 34)", False, False),  # a property that is not there is neither equal nor different
        ("not (age <> 34)", True, True),
        ('(city = "PARIS")', True, False),
        ("(city = 'Paris') AND (client = true)", True, False),
        ("(city = 'Lyon') or (age < 40)", True, False),
        ("(age > 30) XOR (city = 'Paris')", False, False),
        ("(age > 30) xor (city = 'Lyon')", True, False),
        ("not not (age > 30)", True, False),
        ("age > 40 OR age > 30 AND city = 'Paris'", True, False),  # AND binds tighter
        ("(age > 30 OR age > 40) AND city = 'Lyon'", False, False),
        ("IsProvided(city)", True, False),
        ("not(IsProvided(city))", False, True),
        ("StartsWith(city, 'pa')", True, False),
        ('EndsWith(city,"IS")', True, False),
        ("Contains(city, '')", True, False),
        ("IsBetweenNumbers(score, 2, 2.5)", True, False),
        ("IsBetweenNumbers(age, -1, 33)", False, False),
        ("(birthday < ToDate(0))", False, False),
        ("(birthday > ToDate(0))", True, False),
        ("birthday < DateTimeNow()", True, False),
        ("(birthday = '1992-03-14')", True, False),
        ("(birthday = '1992-03-14T01:00:00+01:00')", True, False),
        ("Between(birthday, '1992-01-01', '1992-12-31')", True, False),
        ('(FormatDateTime("MM-dd", birthday) = "03-14")', True, False),
        ('(FormatDateTimeTZ("dd HH", birthday, -1) = "13 23")', True, False),
        ("hasopenedsince(7)", True, False),
        ("hasclickedsince(7)", False, False),
        ("hasclickedsince(60)", True, False),
        ("IsInPreviousDays(birthday, 20000)", True, False),
        ("IsInNextDays(birthday, 20000)", False, False),
    ],
)
def test_what_an_expression_means(text: str, anna: bool, nobody: bool) -> None:
    tree = parse(text)
    check(tree, KINDS)
    assert (matches(tree, ANNA, KINDS, NOW), matches(tree, NOBODY, KINDS, NOW)) == (anna, nobody)
    again = parse(text_of(tree))
    assert (matches(again, ANNA, KINDS, NOW), matches(again, NOBODY, KINDS, NOW)) == (anna, nobody)


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 0, "a property, a value or a function was expected"),
        ("(age >= 18", 10, "')' was expected"),
        ("age 18", 4, "a comparison was expected"),
        ("(age > 18) (age < 9)", 11, "AND, OR or the end was expected"),
        ("age > ", 6, "a property, a value or a function was expected"),
        ("age ; 1", 4, "';' is not understood here"),
        ("os.system('x')", 0, "there is no function 'os.system'"),
        ("Contains(city)", 0, "takes 2 arguments, not 1"),
        ("(height > 3)", 1, "there is no contact property 'height'"),
        ("(age = 'x')", 1, "number cannot be compared with str"),
        ("(client < true)", 1, "have no order"),
        ("Contains(age, 'x')", 0, "wants a property of kind str"),
        ("Contains('x', city)", 0, "wants the name of a property"),
        ("Contains(city, city)", 0, "wants a constant here"),
        ("'open", 0, "is not understood here"),
        ("(" * (MAX_DEPTH + 1) + "age=1" + ")" * (MAX_DEPTH + 1), MAX_DEPTH + 1, "levels of parentheses"),
        ("age=1 OR " * 200 + "age=1", 0, "more than 500 words"),
        ("a" * 10_001, 10_000, "longer than 10000"),
    ],
)
def test_every_mistake_is_told_with_its_place(text: str, at: int, words: str) -> None:
    with pytest.raises(SegmentError) as raised:
        check(parse(text), KINDS)
    assert words in str(raised.value)
    assert raised.value.at == at or words.startswith("more than")


def test_why_in_and_why_out() -> None:
    tree = parse("(age > 40) OR (not (Contains(city, 'ly')) AND hasopenedsince(7))")
    assert [(r.text, r.holds) for r in reasons(tree, ANNA, KINDS, NOW)] == [
        ("age > 40", False), ('contains(city, "ly")', False), ("hasopenedsince(7)", True)]  # fmt: skip
    assert properties_of(tree) == {"age": 1, "city": 29}


@given(st.text(alphabet="()andorxtNOT =<>!'\"\\,.09 agecitycontains\n", max_size=80))
def test_anything_is_understood_or_refused(text: str) -> None:
    try:
        tree = parse(text)
        check(tree, KINDS)
    except SegmentError as error:
        is_placed = 0 <= error.at <= len(text)
        assert is_placed
    else:
        assert matches(tree, ANNA, KINDS, NOW) == matches(parse(text_of(tree)), ANNA, KINDS, NOW)
