"""S12, the block list: who is not attempted, why, with which evidence, until when; lifted with a reason that is kept."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from estafette.clock import DAY_US
from estafette.mail.address import AddressError, parse
from estafette.model import BlockCause
from estafette.web.block_file import MAX_OCTETS, BlockFile, read_block_file
from estafette.web.desk import Refused, Visit
from estafette.web.explaining import BLOCK_CAUSES

PAGE: Final = 50
WEEKS: Final = 13
WEEK_US: Final = 7 * DAY_US
BATCH: Final = 2000


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file."""

    added: int
    known: int
    file: BlockFile


async def blocks(visit: Visit) -> Response:
    """The list, newest first."""
    return await _page(visit)


async def _page(visit: Visit, status: int = 200, problem: str = "", taken: "Taken | None" = None) -> Response:
    cause = visit.query("cause") if visit.query("cause") in BLOCK_CAUSES else ""
    text, before = visit.query("text", 200), visit.query("before")
    number = int(before) if before.isascii() and before.isdigit() and len(before) <= 16 else 0
    rows = await visit.store.screens.blocks(visit.account_id, visit.now, cause=cause, text=text, before=number, limit=PAGE + 1)
    ends = dict(await visit.store.screens.block_ends(visit.account_id, visit.now))
    weeks = [(visit.now + week * WEEK_US, ends.get(week, 0)) for week in range(WEEKS)]
    return visit.page(
        "blocks.html", status, rows=rows[:PAGE], causes=BLOCK_CAUSES, cause=cause, text=text, weeks=weeks, most=max(1, *(count for _, count in weeks)),
        older=visit.url("blocks", cause=cause, text=text, before=rows[PAGE - 1].id) if len(rows) > PAGE else "", problem=problem, taken=taken,
    )  # fmt: skip


async def take_in(visit: Visit) -> Response:
    """A file of addresses, blocked until a person lifts it. Lines that hold none are told; the others count."""
    reason = visit.given("reason", 300)
    if visit.file is None:
        return await _page(visit, 422, "file")
    if not reason:
        return await _page(visit, 422, "reason")
    found = await asyncio.to_thread(lambda file: read_block_file(file.read(MAX_OCTETS)), visit.file)
    added = 0
    for start in range(0, len(found.keys), BATCH):
        added += await visit.store.add_blocks(visit.account_id, found.keys[start : start + BATCH], BlockCause.IMPORT, visit.now, reason)
    await visit.note("block.import", str(added), reason)
    return await _page(visit, 200 if found.keys else 422, taken=Taken(added, len(found.keys) - added, found))


async def change(visit: Visit) -> Response:
    """Lift or add one."""
    order, reason = visit.given("order"), visit.given("reason", 300)
    try:
        key = parse(visit.given("address", 320)).key
    except AddressError:
        return await _page(visit, 422, "address")
    if not reason:
        return await _page(visit, 422, "reason")
    if order == "lift":
        count = await visit.store.lift_blocks(visit.account_id, key, visit.now, f"{visit.user_name}: {reason}")
        await visit.note("block.lift", key, reason)
        return visit.go(visit.url("blocks"), "lifted" if count else "not_blocked")
    if order == "add":
        await visit.store.add_block(visit.account_id, key, BlockCause.MANUAL, visit.now, None, reply=reason)
        await visit.note("block.add", key, reason)
        return visit.go(visit.url("blocks"), "blocked")
    raise Refused(400)
