"""Shelf: what people stopped. A hold is one row, whatever the number of messages that it stops; a purge is one row that goes when its work is done."""

from estafette.model import EventKind, Reason, State
from estafette.nouns import Hold
from estafette.store.mail_in import encode_data
from estafette.store.mail_out import as_found
from estafette.store.seam import Policy
from estafette.store.unit import Many, Row, Rows, Runner, Statement, Unit

PURGED = Reason("mailjet", "cancelled")


class Holds:
    """`store.holds`. A hold is of an account (`campaign` "" = all of it), of a destination, or of an account's mail to a destination.

    A destination is stopped for everybody where `account_id` is 0: that is the operator's to say.
    """

    def __init__(self, driver: Runner, policy: Policy) -> None:
        self._driver = driver
        self._policy = policy

    async def put(self, account_id: int, campaign: str, domain: str, now: int, reason: str, *, is_purge: bool = False) -> bool:
        """Stop, from the commit on; False when there is no such campaign. The same again changes the reason, and what was accepted until now is purged."""
        return await self._driver.write(lambda: _put(account_id, campaign, domain, now, reason, is_purge))

    async def lift(self, account_id: int, campaign: str, domain: str) -> bool:
        """Let go on; False when it was not stopped. A purge that has begun cannot be lifted."""
        return await self._driver.write(lambda: _lift(account_id, campaign, domain))

    async def all(self) -> list[Hold]:
        """Everything that is stopped now, oldest first."""
        return await self._driver.read(_all)

    async def work(self, now: int, limit: int) -> int:
        """End up to `limit` messages that purges are about; how many. Any worker may, and several at once."""
        return await self._driver.write(lambda: _work(now, limit, self._policy))


def _put(account_id: int, campaign: str, domain: str, now: int, reason: str, is_purge: bool) -> Unit[bool]:
    campaign_id = 0
    if campaign:
        rows = yield Rows("campaign_get", (account_id, campaign))
        if not rows:
            return False
        campaign_id = rows[0][0]
    yield Rows("hold_put", (account_id, campaign_id, domain, int(is_purge), now, reason))
    return True


def _lift(account_id: int, campaign: str, domain: str) -> Unit[bool]:
    rows = (yield Rows("campaign_get", (account_id, campaign))) if campaign else [(0,)]
    return bool(rows) and bool((yield Rows("hold_lift", (account_id, rows[0][0], domain))))


def _all() -> Unit[list[Hold]]:
    rows = yield Rows("holds")
    return [Hold(i, owner, account, campaign, domain, bool(is_purge), since, reason) for i, owner, account, campaign, domain, is_purge, since, reason in rows]


def _work(now: int, limit: int, policy: Policy) -> Unit[int]:
    """One page of the oldest purge. When the walk has come to the end it begins again, until nothing at all is left, not even under way."""
    ended = 0
    for hold_id, account_id, campaign_id, domain, since, reason, walked in (yield Rows("purge_next")):
        params = (account_id, campaign_id, domain, since)
        rows = yield Rows("purge_page", (*params, walked, limit))
        ended = yield from _end(rows, now, f"purged: {reason}" if reason else "purged", policy)
        if rows:
            yield Many("purge_walked", [(hold_id, rows[-1][0])])
        elif not (yield Rows("purge_left", params)):
            yield Many("purge_done", [(hold_id,)])
        elif walked:
            yield Many("purge_walked", [(hold_id, 0)])
    return ended


def _end(rows: list[Row], now: int, reply: str, policy: Policy) -> Unit[int]:
    removed, settled, events = [], [], []
    for message_id, account_id, attempts, state, site in rows:
        kind = EventKind.SOFT_BOUNCED if attempts else EventKind.BLOCKED
        after = policy.next_state(State(state), kind, attempts)
        if after is None:
            continue
        removed.append((message_id,))
        settled.append((message_id, after.value, PURGED.related_to, PURGED.error, attempts, now, site))
        data = {"attempt": attempts, "error_related_to": PURGED.related_to, "error": PURGED.error} | as_found(State(state), attempts, site, site)
        events.append((account_id, message_id, now, kind.value, 1, reply, encode_data(data)))
    statements: list[Statement] = [Many("queue_remove", removed), Many("message_settle", settled), Many("event_put", events)]
    if removed:
        yield from statements
    return len(removed)
