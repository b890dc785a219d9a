"""Wake-up hints between the machines of one PostgreSQL: LISTEN and NOTIFY, "something was queued". A hint that is lost costs one poll, nothing else.

A notification is a transaction of its own, one for all that happens within `PAUSE_S`: PostgreSQL orders the commits of those that notify, so it must not
be a part of the ones that carry mail. Listening takes a connection of its own, which PgBouncer in transaction mode cannot give: then there are no hints.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import asyncpg

from estafette.store.postgres import FAULTS, connection_options

CHANNEL: Final = "estafette_queued"
PAUSE_S: Final = 0.02
AGAIN_S: Final = 5.0
"""So long until a lost connection is made anew."""


class Wire:
    """The hints of one worker. `machine` names the supervisor that it belongs to: workers of one machine have a shorter way (app/wake.py)."""

    def __init__(self, url: str, machine: str, hear: Callable[[], None]) -> None:
        self._options = connection_options(url)
        self._machine = machine
        self._hear = hear
        self._connection: Any = None
        self._is_rung = asyncio.Event()

    async def run(self) -> None:
        """Listen and tell until cancelled, whatever becomes of the connection."""
        while True:
            with contextlib.suppress(*FAULTS):
                await self._follow()
            await asyncio.sleep(AGAIN_S)

    def ring(self) -> None:
        """Tell the other machines."""
        self._is_rung.set()

    async def _follow(self) -> None:
        connection = await asyncpg.connect(**self._options, timeout=AGAIN_S, command_timeout=AGAIN_S)
        try:
            connection.add_termination_listener(lambda _: self.ring())  # so that the loop below notices
            await connection.add_listener(CHANNEL, self._heard)
            self._hear()  # what was said while nobody listened
            while not connection.is_closed():
                await self._is_rung.wait()
                self._is_rung.clear()
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, self._machine)
                await asyncio.sleep(PAUSE_S)
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, machine: str) -> None:
        if machine != self._machine:
            self._hear()


def can_listen(url: str) -> bool:
    """Whether this database passes hints on: PostgreSQL itself, not PgBouncer (store/postgres.py says how a URL tells)."""
    return url.startswith(("postgresql://", "postgres://")) and "statement_cache_size" not in connection_options(url)
