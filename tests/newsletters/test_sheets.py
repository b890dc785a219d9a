"""Table files of every kind as text; archives that are none."""

import io
import zipfile
from datetime import datetime

import pytest
from openpyxl import Workbook

from estafette.audience import JobOrders
from estafette.newsletters.import_rows import ImportReader
from estafette.newsletters.sheets import SheetError, pieces_of
from estafette.newsletters.table_files import MAX_COLUMNS


def read(content: bytes) -> bytes:
    return b"".join(pieces_of(io.BytesIO(content)))


def archive(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.replace("_", "."), content)
    return made.getvalue()


def workbook(*rows: list[object]) -> bytes:
    book, made = Workbook(), io.BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(made)
    return made.getvalue()


def test_text_and_archives_of_it() -> None:
    assert read(b"email\na@x.test\n") == b"email\na@x.test\n" and read(b"") == b""
    assert read(archive(a_csv=b"email\n", readme_md=b"x")) == b"email\n"


def test_a_workbook() -> None:
    made = workbook(["E-mail", "n", "at", "yes"], ["a@x.test", 3.0, datetime(2026, 1, 2), True], [None, None], ["b@x.test", "a,b", None, None])
    assert read(made) == b'E-mail,n,at,yes\r\na@x.test,3,2026-01-02T00:00:00,true\r\nb@x.test,"a,b"\r\n'
    wide = workbook(["c"] * (MAX_COLUMNS + 500))
    assert read(wide).count(b",") == MAX_COLUMNS, "one more than may be: the row is told of as too wide"


@pytest.mark.parametrize(("content", "why"), [
    (archive(a_csv=b"", b_csv=b""), "holds 2"), (archive(a_md=b""), "holds 0"), (b"PK\x03\x04 broken", "cannot be read"),
    (archive(a_csv=b"0" * 30_000_000), "packed"), (archive(**{f"a{n}_md": b"" for n in range(1001)}), "1001 files"),
    (archive(**{"xl/workbook_xml": b"<x/>"}), "workbook cannot be read"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_what_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(SheetError, match=why):
        read(content)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_columns_go_where_they_are_told(size: int) -> None:
    reader = ImportReader(JobOrders(separator=";", encoding="cp1252", mapping=(("Pr\xe9nom", "firstname"), ("Contact", "email"), ("Note", ""))))
    content = "email;Prénom;Contact;Note\nx;Zoé;zoe@x.test;n\n".encode("cp1252")
    rows = [row for start in range(0, len(content), size) for row in reader.feed(content[start : start + size])] + reader.finish()
    assert (reader.column, reader.names[1:], [row.cells for row in rows]) == (2, ["firstname", "email", ""], [("x", "Zoé", "zoe@x.test", "n")])
