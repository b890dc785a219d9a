"""Replaces the signing keys of a domain without a mail that cannot be verified (decision 15): publish the new record, switch, take the old one out later.

    rotation = Rotation(store, clock, config, vault, account_id, "example.com")
    await rotation.make(); await rotation.waiting()      # records to publish
    await rotation.switch(resolver)                      # signs with the new keys; raises NotReady
    await rotation.drop(selector)                        # deletes one that does not sign
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from estafette.clock import Clock
from estafette.config import Config
from estafette.deliver.dns import Resolver
from estafette.deliver.publishing import Published, Seen, look_up, published_records
from estafette.mail.zone import Record
from estafette.store.seam import Store
from estafette.store.signers import Signer
from estafette.vault import Vault, new_dkim_key

RSA: Final = "rsa-sha256"
ED25519: Final = "ed25519-sha256"


class NotReady(Exception):
    """The keys are not switched: none waits (`record` None), or a record is not in the DNS as it should be."""

    def __init__(self, record: Published | None) -> None:
        super().__init__(record)
        self.record = record


@dataclass(frozen=True, slots=True)
class Rotation:
    """The keys of one domain of one account."""

    store: Store
    clock: Clock
    config: Config
    vault: Vault
    account_id: int
    name: str

    async def keys(self) -> list[Signer]:
        """All of them, oldest first; none for a domain without a signing key."""
        return await self.store.signers.list(self.account_id, self.name)

    async def waiting(self) -> list[Record]:
        """The records of the keys that wait: to be published before the switch. Raises VaultError when a key cannot be read."""
        names = {f"{s.key.selector}._domainkey.{self.name}" for s in await self.keys() if s.state == "waiting"}
        records = await published_records(self.store, self.account_id, self.name, "", self.config, self.vault)
        return [record for record in records if record.name in names]

    async def make(self, *, is_ed25519: bool = False) -> list[Signer]:
        """A waiting key for each algorithm that signs, or an Ed25519 key, which signs beside RSA; none where one waits already. What was made."""
        signers = await self.keys()
        waits = {s.key.algorithm for s in signers if s.state == "waiting"}
        wanted = {ED25519} if is_ed25519 else {s.key.algorithm for s in signers if s.state == "signing"} or {RSA}
        taken = {s.key.selector for s in signers}
        for algorithm in sorted(wanted - waits):
            key = await asyncio.to_thread(new_dkim_key, self.name, self.vault, self.clock, algorithm, frozenset(taken))  # RSA takes a tenth of a second
            await self.store.signers.add(self.account_id, key, self.clock.now_us())
            taken.add(key.selector)
        before = {s.key.selector for s in signers}
        return [s for s in await self.keys() if s.key.selector not in before]

    async def switch(self, resolver: Resolver | None) -> tuple[str, ...]:
        """Sign with the waiting keys from now on, within a minute everywhere; the selectors that begin. Without a resolver the DNS is not asked.

        Raises NotReady, and changes nothing then.
        """
        records = await self.waiting()
        if not records:
            raise NotReady(None)
        if resolver is not None:
            for one in await look_up(records, resolver):
                if one.seen is not Seen.OK:
                    raise NotReady(one)
        return await self.store.signers.switch(self.account_id, self.name, self.clock.now_us())

    async def drop(self, selector: str) -> bool:
        """Delete a key that waits or is retired; False when there is none of that name, or it signs."""
        return await self.store.signers.drop(self.account_id, self.name, selector)
