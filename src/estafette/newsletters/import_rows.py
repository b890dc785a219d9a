"""Reads the octets of an import file into rows under their columns' names, as the orders of the import say. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from estafette.audience import JobOrders
from estafette.newsletters.job_entries import header_of
from estafette.newsletters.table_files import SEPARATORS, Row, TableReader, guess

CHUNK: Final = 65_536
ENCODINGS: Final = ("utf-8", "cp1252", "iso-8859-15", "iso-8859-2", "cp1250", "cp1251", "utf-16-le", "utf-16-be", "mac-roman")
"""What a person may choose; everything else would be guessed wrong too."""


class ImportReader:
    """Feed it octets; it gives the data rows. `names` and `column` are known from the first row on."""

    def __init__(self, orders: JobOrders) -> None:
        self._orders = orders
        self._reader: TableReader | None = None
        self.names: list[str] = []  # of the columns, as properties are called; "" = passed over
        self.column = 0  # that of the address
        self.header: tuple[str, ...] = ()
        if orders.field_names:
            self._read_header(orders.field_names)

    def feed(self, octets: bytes) -> list[Row]:
        """The data rows that are complete now. The first call sees enough to guess encoding and separator."""
        if self._reader is None:
            shape = guess(octets[:CHUNK])
            self._reader = TableReader(replace(shape, encoding=self._orders.encoding or shape.encoding, separator=self._orders.separator or shape.separator))
        return self._data(self._reader.feed(octets))

    def finish(self) -> list[Row]:
        """The last rows."""
        return self._data(self._reader.finish()) if self._reader is not None else []

    def _data(self, rows: list[Row]) -> list[Row]:
        if rows and not self.names:
            self._read_header(rows[0].cells)
            return rows[1:]
        return rows

    def _read_header(self, cells: Sequence[str]) -> None:
        self.header = tuple(cells)
        self.column, names = header_of(cells) if cells else (0, [])
        mapping = {name.strip().lower(): wanted.strip().lower() for name, wanted in self._orders.mapping}
        given = [mapping.get(cell.strip().lower()) for cell in cells]
        self.column = given.index("email") if "email" in given else self.column
        self.names = [name if wanted is None else wanted for wanted, name in zip(given, names, strict=True)]


def problem_of(orders: JobOrders) -> Mapping[str, str]:
    """What is wrong with the orders of an import, by the order's name."""
    wrong = {}
    if orders.encoding and orders.encoding not in ENCODINGS:
        wrong["encoding"] = f"one of {', '.join(ENCODINGS)} is expected"
    if orders.separator and orders.separator not in SEPARATORS:
        wrong["separator"] = "one of , ; | or a tab is expected"
    return wrong
