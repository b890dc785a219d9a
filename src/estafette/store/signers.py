"""Shelf: the signing keys of a domain through their life: waiting until published, signing, retired. `dkim_keys` of the road sees those that sign."""

from dataclasses import dataclass

from estafette.model import DkimKey
from estafette.store.driver import Driver
from estafette.store.unit import Many, Rows, Unit


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and where it is in its life."""

    key: DkimKey
    state: str  # waiting, signing, retired
    since: int


class Signers:
    """`store.signers`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def list(self, account_id: int, domain: str) -> list[Signer]:
        """All keys of a domain, oldest first."""
        return await self._driver.read(lambda: _list(account_id, domain))

    async def add(self, account_id: int, key: DkimKey, now: int) -> bool:
        """A key that waits; False when its selector is taken."""
        return await self._driver.write(lambda: _add(account_id, key, now))

    async def switch(self, account_id: int, domain: str, now: int) -> tuple[str, ...]:
        """Let the waiting keys sign; those of the same algorithms that did are retired. Returns the selectors that begin."""
        return await self._driver.write(lambda: _switch(account_id, domain, now))

    async def drop(self, account_id: int, domain: str, selector: str) -> bool:
        """Delete a key that does not sign; False when there is none of that name, or it does sign."""
        return await self._driver.write(lambda: _drop(account_id, domain, selector))


def _list(account_id: int, domain: str) -> Unit[list[Signer]]:
    return [Signer(DkimKey(row[0], row[1], row[2], bytes(row[3])), row[4], row[5]) for row in (yield Rows("signers", (account_id, domain)))]


def _add(account_id: int, key: DkimKey, now: int) -> Unit[bool]:
    return bool((yield Rows("signer_put", (account_id, key.domain, key.selector, key.algorithm, key.sealed_private_key, now))))


def _switch(account_id: int, domain: str, now: int) -> Unit[tuple[str, ...]]:
    yield Many("signers_retire", [(account_id, domain, now)])
    return tuple(sorted(selector for (selector,) in (yield Rows("signers_begin", (account_id, domain, now)))))


def _drop(account_id: int, domain: str, selector: str) -> Unit[bool]:
    return bool((yield Rows("signer_drop", (account_id, domain, selector))))
