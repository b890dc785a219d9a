"""What may be measured: the tracking of an account (its own word over the installation's) and what single recipients agree to, both a few seconds old at most.

Where nobody of an account ever said anything about consent, nobody is asked about: one look per account, none per message.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from estafette.clock import Clock
from estafette.mail.address import AddressError, parse
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import CONSENT, Consent, Tracking
from estafette.store.batch import Batcher
from estafette.store.privacy import AccountPolicy

CACHE_S: Final = 5.0
MAX_ACCOUNTS: Final = 10_000
MODES: Final = {"full": OpenMode.FULL, "last_date": OpenMode.LAST_DATE, "off": OpenMode.OFF}


class PrivacyShelf(Protocol):
    """What the store must offer (`store.privacy.Privacy` does)."""

    async def policy(self, account_id: int) -> AccountPolicy: ...
    async def has_consents(self, account_id: int) -> bool: ...
    async def consents(self, account_id: int, address_keys: Sequence[str]) -> dict[str, tuple[bool, bool]]: ...


def tracking_of(defaults: Tracking, policy: AccountPolicy) -> Tracking:
    """The installation's tracking with what an account says instead."""
    return replace(
        defaults, opens=defaults.opens if policy.opens is None else MODES[policy.opens], clicks=defaults.clicks if policy.clicks is None else policy.clicks,
        text_links=defaults.text_links if policy.text_links is None else policy.text_links,
    )  # fmt: skip


class Measures:
    """One per worker process."""

    def __init__(self, shelf: PrivacyShelf, clock: Clock, defaults: Tracking) -> None:
        self._shelf = shelf
        self._clock = clock
        self._defaults = defaults
        self._accounts: dict[int, tuple[Tracking, bool, float]] = {}
        self._asking: Batcher[tuple[int, str], Consent] = Batcher(self._ask, limit=200, lanes=1)

    async def tracking(self, account_id: int) -> Tracking:
        """What is measured in the mail of an account. Raises StoreFault."""
        return (await self._account(account_id))[0]

    async def consent(self, account_id: int, recipient: str) -> Consent:
        """What the recipient agrees to. Raises StoreFault."""
        if not (await self._account(account_id))[1]:
            return CONSENT
        try:
            key = parse(recipient).key
        except AddressError:
            return CONSENT
        return await self._asking.put((account_id, key))

    async def _account(self, account_id: int) -> tuple[Tracking, bool, float]:
        known = self._accounts.get(account_id)
        if known is None or known[2] <= self._clock.monotonic():
            tracking = tracking_of(self._defaults, await self._shelf.policy(account_id))
            known = (tracking, await self._shelf.has_consents(account_id), self._clock.monotonic() + CACHE_S)
            if len(self._accounts) >= MAX_ACCOUNTS:
                del self._accounts[next(iter(self._accounts))]
            self._accounts[account_id] = known
        return known

    async def _ask(self, batch: Sequence[tuple[int, str]]) -> list[Consent]:
        found: dict[tuple[int, str], Consent] = {}
        for account_id in {account_id for account_id, _ in batch}:
            keys = [key for one, key in batch if one == account_id]
            for key, (opens, clicks) in (await self._shelf.consents(account_id, keys)).items():
                found[account_id, key] = Consent(opens, clicks)
        return [found.get(who, CONSENT) for who in batch]
