"""Which links were taken back, and who withdrew consent: asked when a link or an image is used, whatever held when the mail was sent. Pure parts first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from estafette.clock import Clock
from estafette.prepare.tokens import Click, campaign_mark
from estafette.store.privacy import Revocation

CACHE_S: Final = 3.0
MAX_ACCOUNTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Revoked:
    """What an account has taken back, ready to be looked up."""

    campaigns: frozenset[int] = frozenset()  # campaign_mark
    hosts: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()

    def covers(self, click: Click) -> bool:
        """Whether a link leads nowhere any more. A host covers its subdomains."""
        labels = click.host.split(".")
        is_host = bool(self.hosts) and any(".".join(labels[start:]) in self.hosts for start in range(len(labels)))
        return (click.campaign != 0 and click.campaign in self.campaigns) or is_host or click.url in self.links


def revoked_of(revocations: Sequence[Revocation]) -> Revoked:
    """The look-up of a list."""
    values: dict[str, list[str]] = {"campaign": [], "host": [], "link": []}
    for one in revocations:
        values[one.kind].append(one.value)
    return Revoked(frozenset(map(campaign_mark, values["campaign"])), frozenset(host.lower() for host in values["host"]), frozenset(values["link"]))


class PrivacyShelf(Protocol):
    """What the store must offer (`store.privacy.Privacy` does)."""

    async def revocations(self, account_id: int) -> list[Revocation]: ...
    async def consents_of_messages(self, message_ids: Sequence[int]) -> dict[int, tuple[bool, bool]]: ...
    async def opened_on(self, message_ids: Sequence[int], day: str) -> None: ...


class Permissions:
    """One per worker process: what was taken back is a few seconds old at most, consents are asked each time."""

    def __init__(self, shelf: PrivacyShelf, clock: Clock) -> None:
        self.shelf = shelf
        self._clock = clock
        self._known: dict[int, tuple[Revoked, float]] = {}

    async def is_revoked(self, click: Click) -> bool:
        """Whether the link leads nowhere any more. Raises StoreFault."""
        known = self._known.get(click.account_id)
        if known is None or known[1] <= self._clock.monotonic():
            known = (revoked_of(await self.shelf.revocations(click.account_id)), self._clock.monotonic() + CACHE_S)
            if len(self._known) >= MAX_ACCOUNTS:
                del self._known[next(iter(self._known))]
            self._known[click.account_id] = known
        return known[0].covers(click)
