"""Shelf: what the screens of the dashboard show. Nothing here counts history: lists page by key, looks are bounded in rows."""

from dataclasses import replace
from typing import Any, Final

from estafette.model import Block, Reason, State
from estafette.store.driver import Driver
from estafette.store.options import decode_options
from estafette.store.people import block_of_row, event_of_row, view_of_row
from estafette.store.unit import Row, Rows, Unit
from estafette.views import Attempt, CampaignRow, Choice, DomainRow, ErrorCause, KeyRow, Line, Log, MessagePage, QueueNow, SiteQueue

NEWEST: Final = 2**62
LOOKS: Final = (200, 800, 2000, 2000)
"""How many messages are looked at one after the other for a page of those that fit, before it is said that there may be more."""
MAX_EVENTS: Final = 400
MAX_QUEUE: Final = 100_000
MAX_ENDS: Final = 50_000
MAX_FAILURES: Final = 2_000
MAX_RECENT: Final = 400
TROUBLED: Final = frozenset({State.DEFERRED, State.SOFT_BOUNCED, State.HARD_BOUNCED, State.BLOCKED})
COMPLAINED: Final = 12


class Screens:
    """`store.screens`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def log(self, account_id: int, choice: Choice, *, before: int = 0, after: int = 0, limit: int = 50) -> Log:
        """A page of messages, newest first: older than `before`, or newer than `after`, or the newest."""
        return await self._driver.read(lambda: _log(account_id, choice, before, after, limit))

    async def message(self, account_id: int, message_id: int, now: int) -> MessagePage | None:
        """All of one message; another account's is as unknown as one that does not exist."""
        return await self._driver.read(lambda: _message(account_id, message_id, now))

    async def newest_event(self, account_id: int) -> int:
        """Grows whenever anything happens in the account."""
        return int((await self._driver.read(lambda: _rows("newest_event_of", (account_id,))))[0][0])

    async def campaigns(self, account_id: int, before: int = 0, limit: int = 25) -> list[CampaignRow]:
        """Campaigns that mail named in its header or options, the newest first."""
        return [CampaignRow(*row) for row in await self._driver.read(lambda: _rows("campaign_rows", (account_id, before or NEWEST, limit)))]

    async def campaign(self, account_id: int, campaign_id: int) -> CampaignRow | None:
        """One of them."""
        rows = await self._driver.read(lambda: _rows("campaign_row", (account_id, campaign_id)))
        return CampaignRow(*rows[0]) if rows else None

    async def campaign_named(self, account_id: int, name: str) -> int:
        """Its id, 0 when there is none of that name."""
        rows = await self._driver.read(lambda: _rows("campaign_named", (account_id, name)))
        return int(rows[0][0]) if rows else 0

    async def sources(self, account_id: int, axis: str, limit: int = 200) -> list[str]:
        """What was counted on an axis (senders, campaigns), by name."""
        return [row[0] for row in await self._driver.read(lambda: _rows("counter_sources", (account_id, axis, limit)))]

    async def queue(self, account_id: int) -> QueueNow:
        """What waits, by domain and site, the most first; of at most MAX_QUEUE messages."""
        rows = await self._driver.read(lambda: _rows("queue_sites", (account_id, MAX_QUEUE)))
        return QueueNow(tuple(SiteQueue(row[0], row[1], *map(int, row[2:7])) for row in rows), *map(int, rows[0][7:])) if rows else QueueNow()

    async def attempts(self, account_id: int, limit: int = 20) -> list[Attempt]:
        """How the newest attempts ended, of the newest MAX_RECENT events."""
        rows = await self._driver.read(lambda: _rows("attempts_of", (account_id, MAX_RECENT, limit)))
        return [Attempt(row[3], row[2], row[8], event_of_row(row)) for row in rows]

    async def blocks(self, account_id: int, now: int, *, cause: str = "", text: str = "", before: int = 0, limit: int = 50) -> list[Block]:
        """Running blocks, the newest first."""
        params = (account_id, before or NEWEST, now, cause, like(text), limit)
        return [block_of_row(row) for row in await self._driver.read(lambda: _rows("block_rows", params))]

    async def block_ends(self, account_id: int, now: int) -> list[tuple[int, int]]:
        """(week from now, blocks that end in it), of the next MAX_ENDS."""
        return [(int(week), int(count)) for week, count in await self._driver.read(lambda: _rows("block_weeks", (account_id, now, MAX_ENDS)))]

    async def error_causes(self, account_id: int, since_id: int) -> list[ErrorCause]:
        """Reasons among the newest MAX_FAILURES failures from an id on."""
        rows = await self._driver.read(lambda: _rows("error_causes", (account_id, since_id, MAX_FAILURES)))
        return [ErrorCause(Reason(related_to, error), State(state), int(count)) for related_to, error, state, count in rows]

    async def domains(self, account_id: int) -> list[DomainRow]:
        """Domains, verified or not."""
        rows = await self._driver.read(lambda: _rows("domain_rows", (account_id,)))
        return [DomainRow(name, bool(is_verified), token, at) for name, is_verified, token, at in rows]

    async def keys(self, account_id: int) -> list[KeyRow]:
        """API keys, the oldest first."""
        return [KeyRow(key, bool(is_active), at) for key, is_active, at in await self._driver.read(lambda: _rows("key_rows", (account_id,)))]


def like(text: str) -> str:
    """A pattern for "contains"; "" for ""."""
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if text else ""


def _rows(query: str, params: Row) -> Unit[list[Row]]:
    rows: list[Row] = yield Rows(query, params)
    return rows


def _source(choice: Choice) -> tuple[str, tuple[Any, ...]]:
    """The narrowest index that holds every message of the choice."""
    if choice.recipient_key:
        return "address_ids", (choice.recipient_key,)
    if choice.states and not choice.marks and TROUBLED.issuperset(choice.states):
        return "troubled_ids", ()
    if not choice.states and choice.marks and not choice.marks & ~COMPLAINED:
        return "complained_ids", ()
    return "log_ids", ()


def _log(account_id: int, choice: Choice, before: int, after: int, limit: int) -> Unit[Log]:
    is_upward = bool(after)
    source, extra = _source(choice)
    at = after or before or NEWEST
    if choice.campaign_id and not before and not after:
        at = (yield Rows("campaign_last_id", (choice.campaign_id,)))[0][0] + 1
    filters = (int(bool(choice.states or choice.marks)), [s.value for s in choice.states], choice.marks, like(choice.text),
               "%@" + like(choice.domain)[1:-1] if choice.domain else "", choice.campaign_id, choice.error, choice.door, choice.since,
               choice.until)  # fmt: skip
    lines: list[Line] = []
    has_more = is_cut = False
    for look in LOOKS:
        rows = yield Rows(f"{source}_{'newer' if is_upward else 'older'}", (account_id, at, look, *extra))
        ids = [row[0] for row in rows]
        if ids:
            found = yield Rows("log_lines", (ids, *filters))
            fitting = [Line(view_of_row(row[:17]), row[17], row[18], row[19]) for row in (reversed(found) if is_upward else found)]
            lines += fitting
            at = ids[-1]
        has_more = len(lines) > limit
        is_cut = len(ids) == look and not has_more
        if has_more or not is_cut or (choice.since and not is_upward and lines and lines[-1].view.created_at < choice.since):
            break
    del lines[limit:]
    if read := [line.view.id for line in lines if line.view.marks]:
        counts = {row[0]: (int(row[1]), int(row[2])) for row in (yield Rows("log_readings", (read,)))}
        lines = [replace(line, opens=counts[line.view.id][0], clicks=counts[line.view.id][1]) if line.view.id in counts else line for line in lines]
    edge = lines[-1].view.id if has_more else at if is_cut else None
    if is_upward:
        lines.reverse()
        return Log(tuple(lines), lines[-1].view.id if lines else after, edge, is_cut)
    return Log(tuple(lines), edge, (lines[0].view.id if lines else None) if before else None, is_cut)


def _message(account_id: int, message_id: int, now: int) -> Unit[MessagePage | None]:
    rows = yield Rows("message_page", (account_id, message_id))
    if not rows:
        return None
    row = rows[0]
    events = yield Rows("message_events", (message_id, row[2], MAX_EVENTS))
    causes = yield Rows("address_causes", (account_id, row[22], now))
    return MessagePage(view_of_row(row[:17]), row[17], row[18], decode_options(row[19]), row[20], bool(row[21]), tuple(event_of_row(e) for e in events),
                       tuple(cause for (cause,) in causes))  # fmt: skip
