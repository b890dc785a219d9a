"""One request to a resource as its functions see it: who asks, for which row, with what."""

from dataclasses import dataclass, field

from estafette.api.desk import Desk
from estafette.api.errors import CallRefused, Problem
from estafette.api.rest.resource import Listing, Values
from estafette.model import Account, Credential
from estafette.store.seam import Store

NOT_FOUND = Problem("", 404, "Object not found")


@dataclass(frozen=True, slots=True)
class Call:
    """`key` is the id or unique key of the path, "" when there is none; `values` what the body gives; `listing` what the query asks."""

    desk: Desk
    credential: Credential
    key: str = ""
    action_id: str = ""
    listing: Listing = field(default_factory=Listing)
    values: Values = field(default_factory=dict)

    @property
    def account(self) -> Account:
        return self.credential.account

    @property
    def account_id(self) -> int:
        return self.credential.account.id

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def now(self) -> int:
        return self.desk.clock.now_us()


def not_found() -> CallRefused:
    """The row of the path is not there, or is another account's."""
    return CallRefused(NOT_FOUND)


def refused(text: str, status: int = 400) -> CallRefused:
    """A refusal in words."""
    return CallRefused(Problem("", status, text))
