"""Shelf: mail for customers' programs: which address leads where, and the mails on their way. A mail is stored before it is taken from the world."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from estafette.store.driver import Driver
from estafette.store.unit import Many, Row, Rows, Unit


@dataclass(frozen=True, slots=True)
class ParseRoute:
    """An address and the web address that its mail is posted to."""

    id: int
    account_id: int
    address: str
    url: str
    created_at: int
    failing_since: int = 0  # 0 = the last call succeeded
    trouble: str = ""  # what the last failure was


@dataclass(frozen=True, slots=True)
class ParseMail:
    """A mail on its way to a customer's program."""

    id: int
    route_id: int
    reverse_path: str
    recipient: str
    raw: bytes
    received_at: int
    attempts: int


class Parsing:
    """`store.parsing`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def add(self, account_id: int, address_key: str, address: str, url: str, now: int) -> ParseRoute | None:
        """A route; None when somebody has one for this address."""
        return await self._driver.write(lambda: _one("parse_route_put", (account_id, address_key, address, url, now)))

    async def change(self, account_id: int, route_id: int, url: str) -> ParseRoute | None:
        """Another web address; None when there is no such route."""
        return await self._driver.write(lambda: _one("parse_route_set", (account_id, route_id, url)))

    async def remove(self, account_id: int, route_id: int) -> bool:
        """With the mail that waits for it; False when there is none."""
        return await self._driver.write(lambda: _remove(account_id, route_id))

    async def routes(self, account_id: int | None = None) -> list[ParseRoute]:
        """Of one account or of all, by id."""
        return await self._driver.read(lambda: _routes("parse_routes", (account_id,)))

    async def route_of(self, address_key: str) -> ParseRoute | None:
        """Where mail to this address leads."""
        return await self._driver.read(lambda: _one("parse_route_of", (address_key,)))

    async def waiting(self, route_ids: Sequence[int]) -> dict[int, int]:
        """How many mails wait, for the routes where any do."""
        return await self._driver.read(lambda: _waiting(route_ids))

    async def take(self, mails: Sequence[ParseMail]) -> None:
        """Keep mails that came in until they are told (`id` is ignored)."""
        await self._driver.write(lambda: _take(mails))

    async def due_routes(self, now: int) -> list[ParseRoute]:
        """Those that have mail to be posted now."""
        return await self._driver.read(lambda: _routes("parse_due_routes", (now,)))

    async def due(self, route_id: int, now: int) -> ParseMail | None:
        """The next mail of a route."""
        return await self._driver.read(lambda: _due(route_id, now))

    async def told(self, mail: ParseMail) -> None:
        """It was taken. Unsynced: after a power cut it may be posted again."""
        await self._driver.write(lambda: _told(mail), is_synced=False)

    async def failed(self, mail: ParseMail, at: int, trouble: str, again_at: int | None) -> None:
        """It was not; None: it is given up. What waits behind it rests as well. Unsynced."""
        await self._driver.write(lambda: _failed(mail, at, trouble, again_at), is_synced=False)


def _one(name: str, params: Sequence[int | str]) -> Unit[ParseRoute | None]:
    rows = yield Rows(name, params)
    return ParseRoute(*rows[0]) if rows else None


def _routes(name: str, params: Sequence[int | None]) -> Unit[list[ParseRoute]]:
    return [ParseRoute(*row) for row in (yield Rows(name, params))]


def _remove(account_id: int, route_id: int) -> Unit[bool]:
    is_gone = bool((yield Rows("parse_route_drop", (account_id, route_id))))
    if is_gone:
        yield Many("parse_mails_drop", [(route_id,)])
    return is_gone


def _waiting(route_ids: Sequence[int]) -> Unit[dict[int, int]]:
    return {route_id: count for route_id, count in (yield Rows("parse_waiting", (list(route_ids),)))}


def _take(mails: Sequence[ParseMail]) -> Unit[None]:
    rows: list[Row] = [(m.route_id, m.reverse_path, m.recipient, zlib.compress(m.raw, 1), m.received_at) for m in mails]
    yield Many("parse_mail_put", rows)


def _due(route_id: int, now: int) -> Unit[ParseMail | None]:
    rows = yield Rows("parse_due", (route_id, now))
    if not rows:
        return None
    mail_id, _, reverse_path, recipient, data, received_at, attempts = rows[0]
    return ParseMail(mail_id, route_id, reverse_path, recipient, zlib.decompress(data), received_at, attempts)


def _told(mail: ParseMail) -> Unit[None]:
    yield Many("parse_mail_drop", [(mail.id,)])
    yield Many("parse_health", [(mail.route_id, 0, "")])


def _failed(mail: ParseMail, at: int, trouble: str, again_at: int | None) -> Unit[None]:
    if again_at is None:
        yield Many("parse_mail_drop", [(mail.id,)])
    else:
        yield Many("parse_mail_again", [(mail.id, again_at)])
        yield Many("parse_rest", [(mail.route_id, again_at)])
    yield Many("parse_health", [(mail.route_id, at, trouble)])
