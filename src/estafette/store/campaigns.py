"""Shelf: named campaigns as they are read. They come into being with the first mail that names one (`mail_in.py`)."""

from estafette.parties import CampaignView
from estafette.store.driver import Driver
from estafette.store.unit import Row, Rows, Unit


class Campaigns:
    """`store.campaigns`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def page(self, account_id: int, *, after: int = 0, limit: int = 1000, offset: int = 0, name: str | None = None, since: int | None = None,
                   until: int | None = None, is_descending: bool = False) -> list[CampaignView]:  # fmt: skip
        """In the order of ids; `since` (exclusive) and `until` are about when it began."""
        query = "campaigns_down" if is_descending else "campaigns_up"
        return await self._driver.read(lambda: _page(query, account_id, after, name, since, until, limit, offset))

    async def count(self, account_id: int, name: str | None = None, since: int | None = None, until: int | None = None) -> int:
        """How many `page` would give in all."""
        return await self._driver.read(lambda: _count(account_id, name, since, until))

    async def find(self, account_id: int, campaign_id: int) -> CampaignView | None:
        """By its id."""
        found = await self.page(account_id, after=campaign_id - 1, limit=1)
        return found[0] if found and found[0].id == campaign_id else None

    async def mark(self, account_id: int, campaign_id: int, *, is_starred: bool, is_deleted: bool) -> bool:
        """What the customer makes of it; False when there is none."""
        return await self._driver.write(lambda: _mark(account_id, campaign_id, is_starred, is_deleted))


def _view(row: Row) -> CampaignView:
    return CampaignView(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]), *row[6:])


def _page(query: str, *params: object) -> Unit[list[CampaignView]]:
    return [_view(row) for row in (yield Rows(query, params))]


def _count(account_id: int, name: str | None, since: int | None, until: int | None) -> Unit[int]:
    number: int = (yield Rows("campaigns_count", (account_id, name, since, until)))[0][0]
    return number


def _mark(account_id: int, campaign_id: int, is_starred: bool, is_deleted: bool) -> Unit[bool]:
    return bool((yield Rows("campaign_set", (account_id, campaign_id, int(is_starred), int(is_deleted)))))
