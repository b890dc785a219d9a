"""What a job reads: entries of a JSON array or rows of a table file become changes of contacts, or errors with their reasons. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from estafette.audience import ContactChange, ContactProperty, JobError
from estafette.mail.address import AddressError, parse
from estafette.newsletters.contact_values import WrongValue, read_values
from estafette.newsletters.table_files import Row

MAX_ENTRY: Final = 1000
"""Characters of an entry that an error keeps."""
ADDRESS_NAMES: Final = ("email", "e-mail", "mail", "address", "email address", "adresse", "courriel")


@dataclass(slots=True)
class Piece:
    """A stretch of entries, understood."""

    changes: list[ContactChange] = field(default_factory=list)
    errors: list[JobError] = field(default_factory=list)


def read_entries(entries: Sequence[object], first: int, known: Mapping[str, ContactProperty], excludes: bool | None) -> Piece:
    """Entries as `managemanycontacts` takes them: objects with Email, Name, IsExcludedFromCampaigns, Properties. `first`: position of the first, from 1."""
    piece = Piece()
    for position, entry in enumerate(entries, first):
        try:
            piece.changes.append(_entry(entry, known, excludes))
        except (WrongValue, AddressError) as error:
            piece.errors.append(JobError(position, msgspec.json.encode(entry).decode()[:MAX_ENTRY], str(error)))
    return piece


def change_of(address: str, name: object, properties: object, known: Mapping[str, ContactProperty], is_excluded: bool | None = None) -> ContactChange:
    """One contact as it is given from outside. Raises AddressError and WrongValue."""
    found = parse(address.strip())
    if name is not None and not isinstance(name, str):
        raise WrongValue('"Name": a text is expected')
    if name is not None and ("\0" in name or len(name) > MAX_ENTRY):
        raise WrongValue(f'"Name": a text of at most {MAX_ENTRY} characters is expected')
    if properties is not None and not isinstance(properties, dict):
        raise WrongValue('"Properties": an object is expected')
    return ContactChange(str(found), found.key, name, is_excluded, read_values(properties or {}, known))


def _entry(entry: object, known: Mapping[str, ContactProperty], excludes: bool | None) -> ContactChange:
    if not isinstance(entry, dict):
        raise WrongValue("an object is expected")
    given = {str(name).lower(): value for name, value in entry.items()}
    address = given.get("email")
    if not isinstance(address, str):
        raise WrongValue('"Email" is missing')
    is_excluded = given.get("isexcludedfromcampaigns")
    if is_excluded is not None and not isinstance(is_excluded, bool):
        raise WrongValue('"IsExcludedFromCampaigns": true or false is expected')
    return change_of(address, given.get("name"), given.get("properties"), known, is_excluded if excludes is None else excludes)


def header_of(cells: Sequence[str]) -> tuple[int, list[str]]:
    """(column of the address, names of the columns as properties are called: in lower case, blanks made underscores). The first column when none is
    called like an address."""
    names = [cell.strip().lower() for cell in cells]
    column = next((names.index(name) for name in ADDRESS_NAMES if name in names), 0)
    return column, ["_".join(name.split()) for name in names]


def read_rows(rows: Sequence[Row], column: int, names: Sequence[str], first: int, known: Mapping[str, ContactProperty], excludes: bool | None) -> Piece:
    """Rows of a table file; cells of columns that are no property are passed over. `first`: position of the first row behind the header, from 1."""
    piece = Piece()
    for position, row in enumerate(rows, first):
        try:
            if row.problem:
                raise WrongValue(row.problem)
            if column >= len(row.cells):
                raise WrongValue("there is no address")
            given = {name: cell for number, (name, cell) in enumerate(zip(names, row.cells, strict=False)) if number != column and name in known}
            piece.changes.append(change_of(row.cells[column], None, given, known, excludes))
        except (WrongValue, AddressError) as error:
            piece.errors.append(JobError(position, ",".join(row.cells)[:MAX_ENTRY].replace("\0", ""), str(error)))
    return piece


def error_file(errors: Sequence[JobError]) -> bytes:
    """CSV: the entry and its error. A cell that a spreadsheet would take for a formula is led by an apostrophe."""

    def cell(text: str) -> str:
        return '"' + ("'" if text[:1] in "=+-@\t\r" and text else "") + text.replace('"', '""') + '"'

    return ("position,entry,error\r\n" + "".join(f"{one.position},{cell(one.entry)},{cell(one.reason)}\r\n" for one in errors)).encode()
