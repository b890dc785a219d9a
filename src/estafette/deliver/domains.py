"""Domains that accounts send from, for those who let customers add them: made with their signing key, and looked up in the live DNS."""

import asyncio
from collections.abc import Callable

from estafette.clock import Clock
from estafette.config import Config
from estafette.deliver.dns import Resolver
from estafette.deliver.publishing import Published, look_up, published_records
from estafette.mail.zone import Record
from estafette.store.seam import Store
from estafette.vault import Vault, new_dkim_key


class Domains:
    """One per process."""

    def __init__(self, store: Store, clock: Clock, config: Config, vault: Vault, new_resolver: Callable[[], Resolver]) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._vault = vault
        self._new_resolver = new_resolver  # a fresh one for each look: what it remembered would hide what was just published

    async def add(self, account_id: int, name: str) -> str:
        """Make a domain, not yet verified, with its DKIM key, or find it; its ownership token."""
        now = self._clock.now_us()
        if not await self._store.dkim_keys(account_id, name):
            key = await asyncio.to_thread(new_dkim_key, name, self._vault, self._clock)  # RSA takes a tenth of a second
            await self._store.add_dkim_key(account_id, key, now)
        return await self._store.add_domain(account_id, name, False, f"estafette={self._clock.token_bytes(16).hex()}", now)

    async def records(self, account_id: int, name: str, token: str) -> list[Record]:
        """What is to be published. Raises VaultError when a signing key cannot be opened."""
        return await published_records(self._store, account_id, name, token, self._config, self._vault)

    async def look_up(self, account_id: int, name: str, token: str) -> list[Published]:
        """What the DNS says of each record now."""
        return await look_up(await self.records(account_id, name, token), self._new_resolver())
