"""Reads import files (CSV, TSV and their relatives) in a stream: octets in, rows out, every mistake with its line. Pure.

    shape = guess(first_octets)                 # encoding, separator, whether there is a header; all may be changed by a person
    reader = TableReader(shape)
    for chunk in file: rows += reader.feed(chunk)
    rows += reader.finish()

Memory is bounded by one row (`MAX_ROW`), whatever the file says about quotes.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_ROW: Final = 100_000
"""Characters of one row; a quote that is never closed ends there."""
MAX_COLUMNS: Final = 200
SEPARATORS: Final = (",", ";", "\t", "|")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ADDRESS: Final = re.compile(r"[^\s@,;\t|\"']{1,64}@[^\s@,;\t|\"']{1,255}\.[^\s@,;\t|\"']")  # bounded: it is tried at every place of a long line


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written."""

    encoding: str = "utf-8"
    separator: str = ","
    has_header: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `problem`: why it cannot be read; `cells` are empty then."""

    line: int  # where it begins, from 1
    cells: tuple[str, ...] = ()
    problem: str = ""
    text: str = ""  # as it stood in the file, when there is a problem


def guess(head: bytes) -> Shape:
    """The shape of a file from its first octets (64 kB are enough)."""
    encoding = _encoding_of(head)
    text = head.decode(encoding, "replace").removeprefix("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()][:20]
    complete = lines[:-1] if len(lines) > 1 and not text.endswith(("\n", "\r")) else lines
    separator = max(SEPARATORS, key=lambda sign: _fitness(complete, sign)) if complete else ","
    has_header = bool(complete) and not _ADDRESS.search(complete[0])
    return Shape(encoding, separator, has_header)


def _encoding_of(head: bytes) -> str:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if len(head) >= 4 and head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if len(head) >= 4 and head[0::2].count(0) > len(head) // 4:
        return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
        return "utf-8"
    except UnicodeDecodeError:
        return "cp1252"


def _fitness(lines: list[str], separator: str) -> tuple[int, int]:
    """How many lines have as many of the separator as the first, and how many that is."""
    counts = [_outside_quotes(line).count(separator) for line in lines]
    return (sum(count == counts[0] for count in counts) if counts[0] else 0, counts[0])


def _outside_quotes(line: str) -> str:
    return re.sub(r'"(?:[^"]|"")*"', "", line)


class TableReader:
    """See the module. Rows come with the number of the line in which they begin."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._decoder = codecs.getincrementaldecoder(shape.encoding)(errors="replace")
        self._rest = ""
        self._line = 1
        self._is_first = True
        self._is_skipping = False  # inside of a row that was given up

    def feed(self, octets: bytes) -> list[Row]:
        """The rows that are complete now."""
        text = self._decoder.decode(octets)
        if self._is_first and text:
            text, self._is_first = text.removeprefix("\ufeff"), False
        self._rest += text
        return list(self._rows(is_end=False))

    def finish(self) -> list[Row]:
        """The last rows."""
        self._rest += self._decoder.decode(b"", final=True)
        return list(self._rows(is_end=True))

    def _rows(self, *, is_end: bool) -> Iterator[Row]:
        rest = self._rest.replace("\r\n", "\n")
        if rest.endswith("\r") and not is_end:
            rest, kept = rest[:-1], "\r"
        else:
            kept = ""
        rest = rest.replace("\r", "\n")
        start = 0
        if self._is_skipping:
            end = rest.find("\n")
            start = end + 1 if end >= 0 else len(rest)
            self._is_skipping = end < 0
            self._line += end >= 0
        while start < len(rest):
            end = _end_of_row(rest, start)
            if end < 0 and not is_end and len(rest) - start <= MAX_ROW:
                break
            if end < 0 or end - start > MAX_ROW:
                end, problem = _give_up(rest, start, end, is_end=is_end)
            else:
                problem = ""
            text = rest[start:end]
            yield from self._row(text, problem)
            self._is_skipping = bool(problem) and end == len(rest) and not is_end
            self._line += text.count("\n") + (not self._is_skipping)
            start = end + 1
        self._rest = rest[start:] + kept

    def _row(self, text: str, problem: str) -> Iterator[Row]:
        if not text.strip():
            return
        if problem:
            yield Row(self._line, (), problem, text[:1000])
            return
        if '"' not in text:
            cells = text.split(self._shape.separator)
        else:
            try:
                cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=self._shape.separator, strict=True), [])
            except csv.Error as error:
                yield Row(self._line, (), f"its quotes are broken: {error}", text[:1000])
                return
        if len(cells) > MAX_COLUMNS:
            yield Row(self._line, (), f"it has {len(cells)} columns; more than {MAX_COLUMNS} cannot be read", text[:1000])
            return
        yield Row(self._line, tuple(cell.strip() for cell in cells))


def _end_of_row(text: str, start: int) -> int:
    """Where the line end of the row that begins at `start` is, outside of quotes; -1 when it has not come yet."""
    end = text.find("\n", start)
    while end >= 0 and text.count('"', start, end) % 2:  # inside of quotes
        end = text.find("\n", text.find('"', end) + 1) if text.find('"', end) >= 0 else -1
    return end


def _give_up(text: str, start: int, end: int, *, is_end: bool) -> tuple[int, str]:
    """End of a row that has none, or is too long: the next line end, so that the rows behind it are read."""
    if end < 0 and is_end and text.count('"', start) % 2 == 0:
        return len(text), ""
    next_line = text.find("\n", start)
    problem = "a quote in it is never closed" if text.count('"', start, start + MAX_ROW) % 2 else f"it is longer than {MAX_ROW} characters"
    return (next_line if next_line >= 0 else len(text)), problem
