"""Shelf: what an account measures and keeps, what single people agree to, which links were taken back, what retention takes away."""

from collections.abc import Sequence
from dataclasses import dataclass

from estafette.store.days import Day
from estafette.store.driver import Driver
from estafette.store.unit import Many, Rows, Unit


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """What an account measures and keeps; None = as the installation's configuration says."""

    opens: str | None = None  # full, last_date, off
    clicks: bool | None = None
    text_links: bool | None = None  # links of text parts are tracked too
    hides_client: bool | None = None  # the client's name and address are left out of Received
    content_days: int | None = None  # how long the content of finished mail is kept
    event_days: int | None = None  # how long messages and events are kept

    def has_opens(self, default: bool) -> bool:
        """Whether every opening is counted; `default` is what the installation says."""
        return default if self.opens is None else self.opens == "full"

    def has_clicks(self, default: bool) -> bool:
        """The same of clicks."""
        return default if self.clicks is None else self.clicks


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """What one person agreed to, and who said so."""

    address_key: str
    opens: bool
    clicks: bool
    source: str
    at: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """Links that were taken back."""

    id: int
    kind: str  # campaign, host, link
    value: str
    reason: str
    at: int


class Privacy:
    """`store.privacy`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def policy(self, account_id: int) -> AccountPolicy:
        """The account's own word; all None when it said nothing."""
        return await self._driver.read(lambda: _policy(account_id))

    async def set_policy(self, account_id: int, policy: AccountPolicy, now: int) -> None:
        """Replace it; workers know within seconds."""
        await self._driver.write(lambda: _set_policy(account_id, policy, now))

    async def has_consents(self, account_id: int) -> bool:
        """Whether anybody ever said anything to this account: where nobody did, nobody is asked about."""
        return await self._driver.read(lambda: _has_consents(account_id))

    async def consents(self, account_id: int, address_keys: Sequence[str]) -> dict[str, tuple[bool, bool]]:
        """address key → (opens, clicks), of those who said something."""
        return await self._driver.read(lambda: _consents(account_id, address_keys))

    async def consents_of_messages(self, message_ids: Sequence[int]) -> dict[int, tuple[bool, bool]]:
        """The same by message."""
        return await self._driver.read(lambda: _consents_of_messages(message_ids))

    async def set_consent(self, account_id: int, consent: StoredConsent) -> None:
        """The newest word counts, also for mail that was sent before."""
        await self._driver.write(lambda: _set_consent(account_id, consent))

    async def list_consents(self, account_id: int, after: str = "", limit: int = 1000) -> list[StoredConsent]:
        """By address upward."""
        return await self._driver.read(lambda: _list_consents(account_id, after, limit))

    async def opened_on(self, message_ids: Sequence[int], day: str) -> None:
        """Keep the date of the last opening of the people behind some messages, and nothing else."""
        await self._driver.write(lambda: _opened_on(message_ids, day))

    async def last_open(self, account_id: int, address_key: str) -> str | None:
        """That date; None when there is none."""
        return await self._driver.read(lambda: _last_open(account_id, address_key))

    async def revoke(self, account_id: int, kind: str, value: str, reason: str, now: int) -> Revocation:
        """Take links back: of a campaign, to a host, or one address."""
        return await self._driver.write(lambda: _revoke(account_id, kind, value, reason, now))

    async def restore(self, account_id: int, revocation_id: int, now: int) -> bool:
        """The links lead somewhere again; False when nothing of that number is revoked."""
        return await self._driver.write(lambda: _restore(account_id, revocation_id, now))

    async def revocations(self, account_id: int) -> list[Revocation]:
        """What is revoked now."""
        return await self._driver.read(lambda: _revocations(account_id))

    async def drop_contents(self, account_id: int, before: int, after: int, limit: int) -> tuple[int, int]:
        """Delete the contents of finished submissions that were accepted earlier; returns (how many, the last one's id to go on after)."""
        return await self._driver.write(lambda: _drop_contents(account_id, before, after, limit), is_synced=False)

    async def keep_days(self, wanted: Sequence[Day], contents_before: int, history_before: int) -> tuple[int, int]:
        """On PostgreSQL: make the partitions of the `wanted` days, drop those whose contents (events) nobody wants kept from ids before the given ones.
        Returns (made, dropped)."""
        return await self._driver.keep_days(wanted, contents_before, history_before)

    async def drop_history(self, account_id: int, before: int, limit: int) -> int:
        """Delete the oldest finished submissions that were accepted earlier, with their messages and events; returns how many messages. Counters stay."""
        return await self._driver.write(lambda: _drop_history(account_id, before, limit), is_synced=False)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _policy(account_id: int) -> Unit[AccountPolicy]:
    rows = yield Rows("policy_get", (account_id,))
    if not rows:
        return AccountPolicy()
    opens, clicks, text_links, hides_client, content_days, event_days = rows[0]
    return AccountPolicy(opens, _flag(clicks), _flag(text_links), _flag(hides_client), content_days, event_days)


def _set_policy(account_id: int, policy: AccountPolicy, now: int) -> Unit[None]:
    flags = [None if flag is None else int(flag) for flag in (policy.clicks, policy.text_links, policy.hides_client)]
    yield Rows("policy_put", (account_id, policy.opens, *flags, policy.content_days, policy.event_days, now))


def _has_consents(account_id: int) -> Unit[bool]:
    return bool((yield Rows("consent_any", (account_id,))))


def _consents(account_id: int, address_keys: Sequence[str]) -> Unit[dict[str, tuple[bool, bool]]]:
    rows = yield Rows("consents_of", (account_id, list(address_keys)))
    return {key: (bool(opens), bool(clicks)) for key, opens, clicks in rows}


def _consents_of_messages(message_ids: Sequence[int]) -> Unit[dict[int, tuple[bool, bool]]]:
    rows = yield Rows("consents_of_messages", (sorted(set(message_ids)),))
    return {message_id: (bool(opens), bool(clicks)) for message_id, opens, clicks in rows}


def _set_consent(account_id: int, consent: StoredConsent) -> Unit[None]:
    yield Rows("consent_put", (account_id, consent.address_key, int(consent.opens), int(consent.clicks), consent.source, consent.at))


def _list_consents(account_id: int, after: str, limit: int) -> Unit[list[StoredConsent]]:
    rows = yield Rows("consent_list", (account_id, after, limit))
    return [StoredConsent(key, bool(opens), bool(clicks), source, at) for key, opens, clicks, source, at in rows]


def _opened_on(message_ids: Sequence[int], day: str) -> Unit[None]:
    yield Many("last_open_put", [(message_id, day) for message_id in sorted(set(message_ids))])


def _last_open(account_id: int, address_key: str) -> Unit[str | None]:
    rows = yield Rows("last_open_get", (account_id, address_key))
    return str(rows[0][0]) if rows else None


def _revoke(account_id: int, kind: str, value: str, reason: str, now: int) -> Unit[Revocation]:
    rows = yield Rows("revocation_put", (account_id, kind, value, reason, now))
    return Revocation(rows[0][0], kind, value, reason, now)


def _restore(account_id: int, revocation_id: int, now: int) -> Unit[bool]:
    return bool((yield Rows("revocation_lift", (account_id, revocation_id, now))))


def _revocations(account_id: int) -> Unit[list[Revocation]]:
    return [Revocation(*row) for row in (yield Rows("revocations", (account_id,)))]


def _drop_contents(account_id: int, before: int, after: int, limit: int) -> Unit[tuple[int, int]]:
    rows = yield Rows("contents_past", (account_id, after, before, limit))
    if rows:
        yield Many("content_drop", [(submission_id,) for (submission_id,) in rows])
    return len(rows), rows[-1][0] if rows else after


def _drop_history(account_id: int, before: int, limit: int) -> Unit[int]:
    rows = yield Rows("history_past", (account_id, before, limit))
    submissions = sorted({submission_id for submission_id, _ in rows})
    if rows:
        yield Many("event_drop", [(message_id,) for _, message_id in rows])
        yield Many("dsn_drop", [(message_id,) for _, message_id in rows])
        yield Many("message_drop", [(message_id,) for _, message_id in rows])
        yield Many("content_drop", [(submission_id,) for submission_id in submissions])
        yield Many("submission_drop", [(submission_id,) for submission_id in submissions])
    return len(rows)
