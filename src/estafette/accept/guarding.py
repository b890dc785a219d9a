"""What the reputation guard ordered, as the door asks it: at most `POLL_S` old, kept in memory, no question to the store per mail."""

import asyncio
from typing import Final

from estafette import maillog
from estafette.facts import Stream
from estafette.model import Door, Options, Reason
from estafette.stats.guard_rules import FREE, Verdict, verdicts
from estafette.store.seam import Store

POLL_S: Final = 1.0
STOPPED: Final = Reason("mailjet", "spam preblocked")
"""Row 16 of the contract's table 1.4: refused before sending."""


def stream_of(door: Door, options: Options) -> Stream:
    """A campaign, or a priority below the usual one (contract section 3.3), is bulk."""
    return Stream.BULK if options.campaign or options.priority < 2 or door is Door.CAMPAIGN else Stream.TRANSACTIONAL


class GuardBook:
    """One per worker process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[int, Stream], Verdict] = {}

    def verdict(self, account_id: int, door: Door, options: Options) -> Verdict:
        """What is done with new mail."""
        return self._known.get((account_id, stream_of(door, options)), FREE) if self._known else FREE

    def is_bulk_free(self, account_id: int) -> bool:
        """Whether newsletters of an account may go on: neither slowed nor stopped."""
        return (account_id, Stream.BULK) not in self._known

    async def refresh(self) -> None:
        """Read the orders anew. Raises StoreFault."""
        self._known = verdicts(await self._store.guard.running())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception as fault:  # outermost frame: what was known goes on to hold
                maillog.fault("guard", "orders", fault)
            await asyncio.sleep(POLL_S)
