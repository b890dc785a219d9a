"""The shelf of webhooks: customers' endpoints, the parcels on their way to them, the log of calls.

Nothing here is synced but what people enter: a power cut takes back parcels together with the follower's position, or makes a call that was made be
made again (at least once is the promise).
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from estafette.facts import EventView, Position
from estafette.nouns import Parcel, Webhook, WebhookCall
from estafette.store.driver import Driver
from estafette.store.statistics import event_view, move, position
from estafette.store.unit import Many, Row, Rows, Unit

FOLLOWER: Final = "webhooks"
TRIM_LIMIT: Final = 5000
NEWEST: Final = 2**62


class Webhooks:
    """See the module."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    # -- endpoints ------------------------------------------------------------------------------------------------------

    async def add(self, account_id: int, event_type: str, url: str, version: int, now: int, *, is_backup: bool = False) -> Webhook | None:
        """A new webhook; None when the account has one for these events (and this role)."""
        return await self._driver.write(lambda: _add(account_id, event_type, url, version, now, is_backup))

    async def change(self, account_id: int, webhook_id: int, url: str, version: int) -> Webhook | None:
        """Another address or version; a suspended webhook lives again. None when there is none."""
        return await self._driver.write(lambda: _one("webhook_change", (account_id, webhook_id, url, version)))

    async def remove(self, account_id: int, webhook_id: int) -> bool:
        """With its parcels; False when there is none."""
        return await self._driver.write(lambda: _remove(account_id, webhook_id))

    async def all_of(self, account_id: int | None = None) -> list[Webhook]:
        """Of one account or of all, by id."""
        return await self._driver.read(lambda: _many("webhooks", (account_id,)))

    async def waiting(self, webhook_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Webhook → (parcels, when the oldest was queued), where there are any."""
        rows = await self._driver.read(lambda: _rows("parcels_waiting", (list(webhook_ids),)))
        return {webhook_id: (count, oldest) for webhook_id, count, oldest in rows}

    # -- parcels --------------------------------------------------------------------------------------------------------

    async def position(self) -> Position:
        """How far events were made into parcels."""
        return await self._driver.read(lambda: position(FOLLOWER))

    async def newest(self) -> Position | None:
        """The position behind every event that can be read now; None when there is none."""
        rows = await self._driver.read(lambda: _rows("newest_event", ()))
        return (rows[0][0], rows[0][1]) if rows else None

    async def queue(self, before: Position, after: Position, parcels: Sequence[Parcel]) -> bool:
        """Parcels of the events between two positions; False when somebody else has made them from `before` on. Unsynced."""
        return await self._driver.write(lambda: _queue(before, after, parcels), is_synced=False)

    async def send_again(self, parcels: Sequence[Parcel]) -> None:
        """Queue parcels because a person asked."""
        await self._driver.write(lambda: _put(parcels))

    async def due_webhooks(self, now: int) -> list[Webhook]:
        """Those that have parcels due and are not paused."""
        return await self._driver.read(lambda: _many("webhooks_due", (now,)))

    async def due(self, webhook_ids: Sequence[int], now: int, limit: int, *, one_per_message: bool) -> list[Parcel]:
        """Due parcels of webhooks that share an address, oldest first; none that stands behind an earlier one of its message that is not due, or
        (`one_per_message`) behind any."""
        rows = await self._driver.read(lambda: _rows("parcels_due", (list(webhook_ids), now, limit, int(one_per_message))))
        return [Parcel(*row) for row in rows]

    async def called(self, calls: Sequence[WebhookCall], told: Sequence[int], again: Sequence[tuple[int, int, int]], health: Sequence[Webhook],
                     moves: Sequence[tuple[int, int, int]] = ()) -> None:  # fmt: skip
        """Write what became of calls: the log, parcels told, parcels to be tried again (id, attempts, due), health of webhooks, and parcels that go to
        another webhook (from, to, due). Unsynced."""
        await self._driver.write(lambda: _called(calls, told, again, health, moves), is_synced=False)

    # -- the log --------------------------------------------------------------------------------------------------------

    async def calls(self, account_id: int | None, *, webhook_id: int | None = None, only_failed: bool = False, before: int = NEWEST,
                    limit: int = 50) -> list[WebhookCall]:  # fmt: skip
        """Newest first, from the one before `before` on."""
        rows = await self._driver.read(lambda: _rows("webhook_calls", (account_id, before, webhook_id, int(only_failed), limit)))
        return [_call(row) for row in rows]

    async def call(self, account_id: int, call_id: int) -> WebhookCall | None:
        """One."""
        rows = await self._driver.read(lambda: _rows("webhook_call_get", (account_id, call_id)))
        return _call(rows[0]) if rows else None

    async def views(self, account_id: int, event_ids: Sequence[int]) -> list[EventView]:
        """Events of an account by their ids."""
        rows = await self._driver.read(lambda: _rows("event_views_by_id", (account_id, list(event_ids))))
        return [event_view(row) for row in rows]

    async def trim(self, before: int) -> None:
        """Forget calls and give up parcels that are older, a bounded number at a time. Unsynced."""
        await self._driver.write(lambda: _trim(before), is_synced=False)


def _webhook(row: Row) -> Webhook:
    return Webhook(row[0], row[1], row[2], bool(row[3]), *row[4:])


def _call(row: Row) -> WebhookCall:
    webhook_id, account_id, url, at, status, trouble, duration_ms, event_ids, body, answer, call_id = row
    return WebhookCall(webhook_id, account_id, url, at, status, trouble, duration_ms, tuple(msgspec.json.decode(event_ids)), body, answer, call_id)


def _one(name: str, params: Sequence[Any]) -> Unit[Webhook | None]:
    rows = yield Rows(name, params)
    return _webhook(rows[0]) if rows else None


def _many(name: str, params: Sequence[Any]) -> Unit[list[Webhook]]:
    return [_webhook(row) for row in (yield Rows(name, params))]


def _rows(name: str, params: Sequence[Any]) -> Unit[list[Row]]:
    rows: list[Row] = yield Rows(name, params)
    return rows


def _add(account_id: int, event_type: str, url: str, version: int, now: int, is_backup: bool) -> Unit[Webhook | None]:
    webhook_id = (yield Rows("webhook_next_id"))[0][0]
    return (yield from _one("webhook_put", (webhook_id, account_id, event_type, int(is_backup), url, version, now)))


def _remove(account_id: int, webhook_id: int) -> Unit[bool]:
    if not (yield Rows("webhook_remove", (account_id, webhook_id))):
        return False
    yield Many("parcels_remove_of", [(webhook_id,)])
    return True


def _queue(before: Position, after: Position, parcels: Sequence[Parcel]) -> Unit[bool]:
    if not (yield from move(FOLLOWER, before, after)):
        return False
    yield from _put(parcels)
    return True


def _put(parcels: Sequence[Parcel]) -> Unit[None]:
    if parcels:
        yield Many("parcel_put", [(p.webhook_id, p.event_id, p.message_id, p.payload, p.queued_at) for p in parcels])


def _called(calls: Sequence[WebhookCall], told: Sequence[int], again: Sequence[tuple[int, int, int]], health: Sequence[Webhook],
            moves: Sequence[tuple[int, int, int]]) -> Unit[None]:  # fmt: skip
    log = [(c.webhook_id, c.account_id, c.url, c.at, c.status, c.trouble, c.duration_ms, msgspec.json.encode(c.event_ids).decode(), c.body, c.answer)
           for c in calls]  # fmt: skip
    healths = [(w.id, w.failures, w.failing_since, w.paused_until, w.suspended_at, w.trouble, w.url) for w in health]
    for name, rows in (("parcel_told", [(i,) for i in told]), ("parcel_again", again), ("webhook_health", healths), ("parcels_move", moves),
                       ("webhook_call_put", log)):  # fmt: skip
        if rows:
            yield Many(name, rows)


def _trim(before: int) -> Unit[None]:
    yield Many("webhook_calls_forget", [(before, TRIM_LIMIT)])
    yield Many("parcels_forget", [(before, TRIM_LIMIT)])
