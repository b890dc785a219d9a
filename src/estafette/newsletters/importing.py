"""Takes import files in, and looks through them without changing anything, for screens and commands."""

import asyncio
from dataclasses import dataclass, field
from typing import IO, Final

from estafette.audience import ContactJob, JobError, JobOrders
from estafette.newsletters.contact_values import is_name
from estafette.newsletters.import_rows import CHUNK, ImportReader
from estafette.newsletters.job_entries import read_rows
from estafette.newsletters.sheets import SheetError, pieces_of
from estafette.newsletters.table_files import Row
from estafette.store.seam import Store

SAMPLES: Final = 5
SHOWN_ERRORS: Final = 20
MAX_STATEMENT: Final = 2000  # characters of what is said about how the people of a file agreed


@dataclass(slots=True)
class Preview:
    """What an import would do."""

    columns: tuple[str, ...] = ()
    properties: list[str] = field(default_factory=list)  # of the columns, in their order; "" = passed over
    new_properties: list[str] = field(default_factory=list)  # that would be made
    rows: int = 0
    known: int = 0  # contacts that exist already
    repeated: int = 0  # addresses that stood in the file before
    errors: int = 0
    samples: list[tuple[str, ...]] = field(default_factory=list)
    first_errors: list[JobError] = field(default_factory=list)


async def keep(store: Store, account_id: int, list_id: int, file: IO[bytes], now: int) -> int:
    """Keep a file for a job to come, as text in pieces; the id of the upload. Raises SheetError and StoreFault."""
    pieces = pieces_of(file)
    first = await asyncio.to_thread(next, pieces, b"")
    if not first:
        raise SheetError("it is empty")
    upload_id, position = await store.contact_jobs.upload(account_id, list_id, first, now), 0
    while piece := await asyncio.to_thread(next, pieces, b""):
        position += 1
        await store.contact_jobs.add_piece(upload_id, position, piece)
    return upload_id


async def take_in(store: Store, account_id: int, file: IO[bytes], orders: JobOrders, now: int) -> ContactJob:
    """Keep the file and make the job that imports it. Raises SheetError and StoreFault."""
    upload_id = await keep(store, account_id, 0, file, now)
    return await store.contact_jobs.create(ContactJob(0, account_id, "csv", orders, upload_id), now)


async def look_through(store: Store, account_id: int, file: IO[bytes], orders: JobOrders) -> Preview:
    """Raises SheetError and StoreFault. Of addresses, what is kept in memory are short hashes."""
    found, reader, seen = Preview(), ImportReader(orders), set[int]()
    known = {one.name.lower(): one for one in await store.contacts.properties(account_id)}
    for piece in pieces_of(file):
        for start in range(0, len(piece), CHUNK):
            await _look(store, account_id, reader, await asyncio.to_thread(reader.feed, piece[start : start + CHUNK]), found, seen)
    await _look(store, account_id, reader, reader.finish(), found, seen)
    if not reader.names:
        raise SheetError("the file has no header row")
    found.columns = reader.header
    found.properties = ["email" if number == reader.column else name if is_name(name) else "" for number, name in enumerate(reader.names)]
    found.new_properties = [name for number, name in enumerate(found.properties) if name and number != reader.column and name not in known]
    return found


async def _look(store: Store, account_id: int, reader: ImportReader, rows: list[Row], found: Preview, seen: set[int]) -> None:
    if not rows:
        return
    known = {one.name.lower(): one for one in await store.contacts.properties(account_id)}
    piece = await asyncio.to_thread(read_rows, rows, reader.column, reader.names, found.rows + 1, known, None)
    found.samples += [row.cells for row in rows if not row.problem][: SAMPLES - len(found.samples)]
    found.rows += len(rows)
    found.errors += len(piece.errors)
    found.first_errors += piece.errors[: SHOWN_ERRORS - len(found.first_errors)]
    fresh = {change.address_key for change in piece.changes if hash(change.address_key) not in seen}
    found.repeated += len(piece.changes) - len(fresh)
    seen.update(hash(key) for key in fresh)
    found.known += len(await store.contacts.ids(account_id, list(fresh)))
