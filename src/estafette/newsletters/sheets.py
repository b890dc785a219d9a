"""Makes every kind of table file (CSV, TSV, XLSX, a ZIP of one of them) a stream of text in pieces, as `import_rows.py` reads it. Pure.

    for piece in pieces_of(file): ...     # each at most PIECE octets; raises SheetError with what is wrong

An archive is looked through before anything is unpacked: what it says of itself bounds what is read of it.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import IO, Final

from openpyxl import load_workbook

from estafette.newsletters.table_files import MAX_COLUMNS

PIECE: Final = 1_000_000
MAX_OCTETS: Final = 1_000_000_000
MAX_MEMBERS: Final = 1000
MAX_RATIO: Final = 250
"""Unpacked to packed octets from which on an archive is not taken for data; tables reach 50, the worst archives 1032."""
MAX_SHARED: Final = 200_000_000
"""Octets of a workbook's texts, which are held in memory at once."""
MAX_SHEET_ROWS: Final = 1_048_576
_TABLES: Final = (".csv", ".tsv", ".tab", ".txt")


class SheetError(ValueError):
    """A file that cannot be read as a whole; the text says why."""


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """The octets of its table. A workbook becomes CSV in UTF-8: its first sheet."""
    magic = file.read(4)
    file.seek(0)
    if magic != b"PK\x03\x04":
        yield from _limited(file)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            _look_through(archive)
            if "xl/workbook.xml" in archive.namelist():
                yield from _of_workbook(file)
                return
            tables = [one for one in archive.infolist() if one.filename.lower().endswith(_TABLES) and not one.filename.startswith("__MACOSX/")]
            if len(tables) != 1:
                named = ", ".join(one.filename[:80] for one in tables[:5]) or "none"
                raise SheetError(f"the archive must hold one table ({', '.join(_TABLES)}); it holds {len(tables)}: {named}")
            with archive.open(tables[0]) as inner:
                yield from _limited(inner)
    except SheetError:
        raise
    except Exception as error:  # zipfile and its decompressors have no error of their own for what is broken; RuntimeError: it asks for a password
        raise SheetError(f"the archive cannot be read: {error}") from error


def _limited(file: IO[bytes]) -> Iterator[bytes]:
    total = 0
    while piece := file.read(PIECE):
        total += len(piece)
        if total > MAX_OCTETS:
            raise SheetError(f"it is longer than {MAX_OCTETS} octets")
        yield piece


def _look_through(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SheetError(f"the archive holds {len(members)} files; at most {MAX_MEMBERS} are read")
    if sum(one.file_size for one in members) > MAX_OCTETS:
        raise SheetError(f"the archive unpacks to more than {MAX_OCTETS} octets")
    for one in members:
        if one.file_size > PIECE and one.file_size > MAX_RATIO * max(one.compress_size, 1):
            raise SheetError(f"{one.filename[:80]} is packed {one.file_size // max(one.compress_size, 1)} times smaller: that is no table")
        if one.filename == "xl/sharedStrings.xml" and one.file_size > MAX_SHARED:
            raise SheetError(f"the workbook has more than {MAX_SHARED} octets of texts; save it as CSV")


def _of_workbook(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        if not book.worksheets:
            raise SheetError("the workbook has no sheet")
        text = io.StringIO()
        writer = csv.writer(text)
        for cells in book.worksheets[0].iter_rows(max_row=MAX_SHEET_ROWS, max_col=MAX_COLUMNS + 1, values_only=True):
            if any(cell is not None for cell in cells):
                last = max(number for number, cell in enumerate(cells) if cell is not None)
                writer.writerow([_cell(cell) for cell in cells[: last + 1]])
            if text.tell() > PIECE:
                yield text.getvalue().encode("utf-8", "replace")
                text.seek(0)
                text.truncate()
        if text.tell():
            yield text.getvalue().encode("utf-8", "replace")
    except SheetError:
        raise
    except Exception as error:  # the library lets everything through that a broken workbook provokes
        raise SheetError(f"the workbook cannot be read: {type(error).__name__}: {error}") from error


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        case datetime() | date():
            return value.isoformat()
    return str(value)
