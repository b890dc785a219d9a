"""The shelf of the reputation guard: its orders, and the mail that waits because of them.

Held messages stand in lanes that nobody claims (their lane plus `LANES`): nothing else about them changes, and claiming costs no more.
"""

from collections.abc import Sequence
from typing import Any, Final

from estafette.facts import Cause, GuardOrder, Step, Stream
from estafette.model import EventKind
from estafette.store.driver import Driver
from estafette.store.mail_in import encode_data
from estafette.store.unit import Many, Row, Rows, Unit

RECOVERED: Final = "the figures are good again"
"""Why the guard itself lifts an order; figures from before a lifting by a person are not held against the account, these are."""


class Guard:
    """See the module."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def running(self, account_id: int | None = None) -> list[GuardOrder]:
        """Orders in force, of one account or of all."""
        return await self._driver.read(lambda: _orders("guard_running", (account_id,)))

    async def history(self, account_id: int | None, limit: int = 100) -> list[GuardOrder]:
        """All orders, newest first."""
        return await self._driver.read(lambda: _orders("guard_history", (account_id, limit)))

    async def forgiven(self, account_id: int) -> dict[tuple[Stream, Cause], int]:
        """When a person last lifted an order of this kind."""
        rows = await self._driver.read(lambda: _rows("guard_lifted_at", (account_id, RECOVERED)))
        return {(Stream(stream), Cause(cause)): lifted_at for stream, cause, lifted_at in rows}

    async def active(self, since: int) -> list[int]:
        """Accounts where anything happened since then, or an order runs."""
        return [row[0] for row in await self._driver.read(lambda: _rows("guard_active", (since,)))]

    async def order(self, order: GuardOrder, why: str, replaces: Sequence[int] = ()) -> None:
        """Put an order in force in the place of others, with its event."""
        await self._driver.write(lambda: _order(order, why, replaces))

    async def lift(self, order_id: int, now: int, reason: str) -> GuardOrder | None:
        """End an order, with its event; None when there is none running."""
        return await self._driver.write(lambda: _lift(order_id, now, reason))

    async def hold(self, account_id: int, streams: Sequence[Stream]) -> int:
        """Keep waiting mail of these streams from being claimed; returns how many messages. Unsynced: it is done again and again."""
        return await self._driver.write(lambda: _count("guard_hold", (account_id, *_which(streams))), is_synced=False) if streams else 0

    async def release(self, account_id: int, streams: Sequence[Stream], limit: int) -> int:
        """Let held mail of these streams go, oldest due first; returns how many. Unsynced."""
        return await self._driver.write(lambda: _count("guard_release", (account_id, *_which(streams), limit)), is_synced=False) if streams else 0

    async def held(self) -> dict[int, tuple[int, int]]:
        """Account → (messages held, when the oldest was accepted)."""
        return {account_id: (count, oldest) for account_id, count, oldest in await self._driver.read(lambda: _rows("guard_held", ()))}


def _which(streams: Sequence[Stream]) -> tuple[int, int]:
    return int(Stream.TRANSACTIONAL in streams), int(Stream.BULK in streams)


def _row(row: Row) -> GuardOrder:
    order_id, account_id, stream, step, cause, part, whole, per_hour, since, lifted_at, lifted_reason = row
    return GuardOrder(account_id, Stream(stream), Step(step), Cause(cause), part, whole, per_hour, since, lifted_at, lifted_reason, order_id)


def _orders(name: str, params: Sequence[Any]) -> Unit[list[GuardOrder]]:
    return [_row(row) for row in (yield Rows(name, params))]


def _rows(name: str, params: Sequence[Any]) -> Unit[list[Row]]:
    rows: list[Row] = yield Rows(name, params)
    return rows


def _count(name: str, params: Sequence[Any]) -> Unit[int]:
    return len((yield Rows(name, params)))


def _order(order: GuardOrder, why: str, replaces: Sequence[int]) -> Unit[None]:
    for order_id in replaces:
        yield Rows("guard_lift", (order_id, order.since, RECOVERED))
    yield Many("guard_put", [(order.account_id, order.stream.value, order.step.value, order.cause.value, order.part, order.whole, order.per_hour, order.since)])
    yield Many("event_put", [_event(order, order.since, why, "guard")])


def _lift(order_id: int, now: int, reason: str) -> Unit[GuardOrder | None]:
    rows = yield Rows("guard_lift", (order_id, now, reason))
    if not rows:
        return None
    order = _row(rows[0])
    yield Many("event_put", [_event(order, now, reason, "guard lifted")])
    return order


def _event(order: GuardOrder, at: int, text: str, what: str) -> Row:
    data: dict[str, str | int] = {"what": what, "stream": order.stream.value, "step": order.step.value, "cause": order.cause.value, "part": order.part,
                                  "whole": order.whole, "per_hour": order.per_hour or ""}  # fmt: skip
    return order.account_id, 0, at, EventKind.NOTE.value, 1, text, encode_data(data)
