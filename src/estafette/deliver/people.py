"""What is known of the recipients of newsletters, asked for many at once; the names of an account's properties are a few seconds old at most."""

from collections.abc import Sequence
from typing import Final, Protocol

from estafette.audience import ContactProperty
from estafette.clock import Clock
from estafette.mail.address import AddressError, parse
from estafette.prepare.personal import Person, named_values
from estafette.store.batch import Batcher

CACHE_S: Final = 5.0
MAX_ACCOUNTS: Final = 1000
Values = dict[int, str | int | float | bool]


class PeopleShelf(Protocol):
    """What the store must offer (`store.newsletters.Newsletters` does)."""

    async def people(self, account_id: int, address_keys: Sequence[str]) -> dict[str, tuple[str, Values]]: ...


class PropertyShelf(Protocol):
    """What the store must offer (`store.contacts.Contacts` does)."""

    async def properties(self, account_id: int) -> list[ContactProperty]: ...


class People:
    """One per worker process."""

    def __init__(self, people: PeopleShelf, properties: PropertyShelf, clock: Clock) -> None:
        self._people = people
        self._properties = properties
        self._clock = clock
        self._known: dict[int, tuple[list[ContactProperty], float]] = {}
        self._asking: Batcher[tuple[int, str], tuple[str, Values]] = Batcher(self._ask, limit=500, lanes=1)

    async def person(self, account_id: int, recipient: str) -> Person:
        """Everything that a newsletter may say of a recipient; somebody who is no contact any more has an address only. Raises StoreFault."""
        try:
            key = parse(recipient).key
        except AddressError:
            return Person(recipient)
        name, values = await self._asking.put((account_id, key))
        return Person(recipient, name, named_values(await self._properties_of(account_id), values))

    async def _properties_of(self, account_id: int) -> list[ContactProperty]:
        known = self._known.get(account_id)
        if known is None or known[1] <= self._clock.monotonic():
            known = (await self._properties.properties(account_id), self._clock.monotonic() + CACHE_S)
            if len(self._known) >= MAX_ACCOUNTS:
                del self._known[next(iter(self._known))]
            self._known[account_id] = known
        return known[0]

    async def _ask(self, batch: Sequence[tuple[int, str]]) -> list[tuple[str, Values]]:
        found: dict[tuple[int, str], tuple[str, Values]] = {}
        for account_id in {account_id for account_id, _ in batch}:
            keys = [key for one, key in batch if one == account_id]
            found |= {(account_id, key): known for key, known in (await self._people.people(account_id, keys)).items()}
        return [found.get(who, ("", {})) for who in batch]
