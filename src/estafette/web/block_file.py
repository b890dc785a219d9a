"""A file of addresses that are not to be attempted: one a line, or the first column of a CSV with an address in it. Pure; everything is bounded."""

import csv
from dataclasses import dataclass
from typing import Final

from estafette.mail.address import AddressError, parse

MAX_OCTETS: Final = 4_000_000
MAX_LINES: Final = 100_000
SHOWN: Final = 100
"""So many wrong lines are told one by one."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A line that holds no address."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class BlockFile:
    """What a file holds: folded addresses, each once, in its order."""

    keys: tuple[str, ...]
    wrong: tuple[Wrong, ...]  # the first of them
    wrong_count: int
    is_cut: bool  # it has more lines than are read


def read_block_file(octets: bytes) -> BlockFile:
    """Read a file. A first line without any `@` is a heading. UTF-8 with or without mark, else Latin-1; commas, semicolons and tabs separate."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    keys: dict[str, None] = {}
    wrong: list[Wrong] = []
    count = 0
    lines = text.splitlines()
    for number, line in enumerate(lines[:MAX_LINES], 1):
        cells = _cells(line)
        if not any(cells) or (number == 1 and "@" not in line):
            continue
        cell = next((one for one in cells if "@" in one), cells[0])
        try:
            keys[parse(cell).key] = None
        except AddressError as error:
            count += 1
            if len(wrong) < SHOWN:
                wrong.append(Wrong(number, line[:200], str(error)))
    return BlockFile(tuple(keys), tuple(wrong), count, len(lines) > MAX_LINES)


def _cells(line: str) -> list[str]:
    separator = max(",;\t", key=line.count)
    try:
        cells = next(csv.reader([line.replace("\0", "\ufffd")], delimiter=separator), [])
    except csv.Error:
        cells = [line]
    return [cell.strip().lstrip("'") for cell in cells] or [""]
