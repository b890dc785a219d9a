"""Import files as people have them: encodings, separators, quotes, and what is broken, with its line."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.newsletters.table_files import MAX_ROW, Row, Shape, TableReader, guess


def read(octets: bytes, shape: Shape, size: int = 1 << 16) -> list[Row]:
    reader = TableReader(shape)
    rows = [row for start in range(0, len(octets), size) for row in reader.feed(octets[start : start + size])]
    return [*rows, *reader.finish()]


@pytest.mark.parametrize(
    ("head", "shape"),
    [
        (b"email,name\na@b.example,Anna\n", Shape()),
        (b"a@b.example,Anna\nc@d.example,Carl\n", Shape(has_header=False)),
        (b"email;name;city\na@b.example;Anna;Paris\n", Shape(separator=";")),
        (b"email\tname\na@b.example\tAnna, the first\n", Shape(separator="\t")),
        (b'"email"|"a,b,c"\n"x@y.example"|"1,2,3"\n', Shape(separator="|")),
        ("email;prénom\na@b.example;Zoé\n".encode("cp1252"), Shape("cp1252", ";")),
        ("email;prénom\na@b.example;Zoé\n".encode("utf-8-sig"), Shape("utf-8", ";")),
        ("email;prénom\na@b.example;Zoé\n".encode("utf-16"), Shape("utf-16-le", ";")),
        ("email;prénom\na@b.example;Zoé\n".encode("utf-16-be"), Shape("utf-16-be", ";")),
        ("email\na@b.example;caf\u00e9".encode()[:-1], Shape("utf-8", ",")),  # cut within a character
        (b"", Shape(has_header=False)),
        (b"a@b.example", Shape(has_header=False)),
    ],
)
def test_the_shape_is_guessed(head: bytes, shape: Shape) -> None:
    assert guess(head) == shape


def test_rows_have_the_number_of_their_line() -> None:
    text = 'email,note\r\n\r\na@b.example,"two\r\nlines, ""quoted"""\r\nc@d.example, plain \r\ne@f.example,"open\r\ng@h.example,last'
    assert read(text.encode(), Shape()) == [
        Row(1, ("email", "note")),
        Row(3, ("a@b.example", 'two\nlines, "quoted"')),
        Row(5, ("c@d.example", "plain")),
        Row(6, (), "a quote in it is never closed", 'e@f.example,"open'),
        Row(7, ("g@h.example", "last")),
    ]


def test_what_is_broken_ends_at_its_line() -> None:
    long, wide = b"y" * (MAX_ROW + 10), b"," * 1_000_000
    rows = read(b"a@b.example,x\nb@b.example," + long + b"\nc@b.example,z\n" + wide + b'\nd@b.example,"q"q\ne@b.example', Shape())
    assert [(row.line, row.cells[:1], row.problem) for row in rows] == [
        (1, ("a@b.example",), ""),
        (2, (), f"it is longer than {MAX_ROW} characters"),
        (3, ("c@b.example",), ""),
        (4, (), f"it is longer than {MAX_ROW} characters"),
        (5, (), "its quotes are broken: ',' expected after '\"'"),
        (6, ("e@b.example",), ""),
    ]
    assert all(len(row.text) <= 1000 for row in rows)
    assert "columns" in read(b"," * 500, Shape())[0].problem


CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\0\ufeff"), max_size=12).map(str.strip)


@given(st.lists(st.lists(CELL, min_size=2, max_size=4).filter(lambda row: any(row)), max_size=6), st.sampled_from([",", ";", "\t"]), st.integers(1, 7))
def test_what_is_written_is_read_whatever_the_chunks(rows: list[list[str]], separator: str, size: int) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(rows)
    found = read(out.getvalue().encode(), Shape(separator=separator), size)
    assert [list(row.cells) for row in found] == rows and not any(row.problem for row in found)
