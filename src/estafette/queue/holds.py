"""Whether a person has stopped a message: accounts, campaigns and destinations on hold. Pure."""

from collections.abc import Iterable

from estafette.model import Claimed
from estafette.nouns import Hold


class Stops:
    """Everything that is stopped now, looked up by message."""

    def __init__(self, holds: Iterable[Hold] = ()) -> None:
        self._by_key: dict[tuple[int, str, str], Hold] = {}
        for hold in holds:
            key = (hold.account_id, hold.campaign, hold.domain)
            if key not in self._by_key or hold.is_purge:
                self._by_key[key] = hold

    @property
    def has_purge(self) -> bool:
        """True while messages are to be ended."""
        return any(hold.is_purge for hold in self._by_key.values())

    def of(self, account_id: int, campaign: str, domain: str) -> Hold | None:
        """What stops a message; None when nothing does."""
        if not self._by_key:
            return None
        keys = ((account_id, "", ""), (account_id, campaign, ""), (account_id, "", domain), (0, "", domain))
        return next((found for key in keys if (found := self._by_key.get(key)) is not None), None)

    def of_claim(self, claim: Claimed) -> Hold | None:
        """The same for a claimed message."""
        return self.of(claim.account_id, claim.campaign, claim.domain) if self._by_key else None
