"""Shelf: newsletters, their audience piece by piece, and what is known of the people in it.

A piece of the audience and the cursor behind it are one write: killed at any instant, the next worker goes on with nobody lost and nobody doubled.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from estafette.model import Accepted, BlockCause, Options, Reason, State, Submission
from estafette.nouns import Member, Newsletter
from estafette.store import mail_in
from estafette.store.driver import Driver
from estafette.store.seam import Policy
from estafette.store.unit import Row, Rows, Unit


class Newsletters:
    """`store.newsletters`."""

    def __init__(self, driver: Driver, policy: Policy) -> None:
        self._driver = driver
        self._policy = policy

    async def create(self, newsletter: Newsletter, now: int) -> Newsletter:
        """A draft, with its id."""
        return await self._driver.write(lambda: _create(newsletter, now))

    async def update(self, newsletter: Newsletter, now: int) -> bool:
        """Replace a draft; of one that is no draft any more only rate, archiving and star. False when it is not there or cannot be changed so."""
        return await self._driver.write(lambda: _update(newsletter, now))

    async def discard(self, account_id: int, newsletter_id: int) -> bool:
        """Delete a draft; False when there is none of that number, or it is no draft any more."""
        return bool(await self._driver.write(lambda: _discard(account_id, newsletter_id)))

    async def find(self, account_id: int, newsletter_id: int) -> Newsletter | None:
        """By its id."""
        return await self._driver.read(lambda: _find(account_id, newsletter_id))

    async def page(self, account_id: int, *, after: int = 0, limit: int = 1000) -> list[Newsletter]:
        """By id upward."""
        return await self._driver.read(lambda: _list("newsletter_list", (account_id, after, limit)))

    async def newest(self, account_id: int, *, before: int = 2**62, limit: int = 50) -> list[Newsletter]:
        """By id downward."""
        return await self._driver.read(lambda: _list("newsletter_newest", (account_id, before, limit)))

    async def open(self) -> list[Newsletter]:
        """Those of all accounts that are scheduled or under way."""
        return await self._driver.read(lambda: _list("newsletter_open", ()))

    async def turn(self, newsletter: Newsletter, state: str, now: int, *, start_at: int | None = None, ended_at: int | None = None) -> bool:
        """Go from the state that the newsletter was seen in to another; False when it is in another one by now."""
        started_at = now if state == "freezing" else None
        params = (newsletter.account_id, newsletter.id, newsletter.state, state, start_at, now, started_at, ended_at)
        return await self._driver.write(lambda: _turn(params))

    async def audience(self, list_id: int, after: int, limit: int) -> list[Member]:
        """Subscribed contacts of a list behind a contact, in their order; who is excluded from campaigns is left out."""
        return await self._driver.read(lambda: _audience(list_id, after, limit))

    async def freeze(self, newsletter: Newsletter, cursor: int, submission: Submission) -> bool:
        """Make a piece of the audience messages of the newsletter's submission, and move the cursor; False when somebody else was faster, or it was paused.
        A piece without messages moves the cursor alone."""
        return await self._driver.write(lambda: _freeze(newsletter, cursor, submission, self._policy))

    async def is_waiting(self, submission_id: int) -> bool:
        """Whether messages of a submission still wait or are under way."""
        return await self._driver.read(lambda: _is_waiting(submission_id))

    async def counts(self, submission_id: int) -> dict[tuple[State, int], int]:
        """Messages per (state, marks) of one newsletter."""
        return await self._driver.read(lambda: _counts(submission_id))

    async def refusals(self, account_id: int, address_keys: Sequence[str], options: Options, now: int) -> dict[str, Reason]:
        """Who among these would not be written to now with such options: address key → why."""
        return await self._driver.read(lambda: _refusals(account_id, address_keys, options, now, self._policy))

    async def people(self, account_id: int, address_keys: Sequence[str]) -> dict[str, tuple[str, dict[int, str | int | float | bool]]]:
        """address key → (name, property values by id)."""
        return await self._driver.read(lambda: _people(account_id, address_keys))

    async def last_visits(self, account_id: int, address_keys: Sequence[str], kind: str, since: int) -> dict[str, int]:
        """address key → when they last opened or clicked (`kind`), of those who did since."""
        return await self._driver.read(lambda: _last_visits(account_id, address_keys, kind, since))


def _newsletter(row: Row) -> Newsletter:
    return Newsletter(row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6], row[7], row[8], row[9], row[10], row[11], row[12], row[13], row[14],
                      row[15], row[16], bool(row[17]), row[18], row[19], row[20])  # fmt: skip


def _create(n: Newsletter, now: int) -> Unit[Newsletter]:
    rows = yield Rows("newsletter_put", (n.account_id, n.title, n.letter, n.list_id, n.segment_id, n.rate_per_hour, int(n.is_starred), n.edit_mode, n.mjml,
                                           n.template_id, now))  # fmt: skip
    return replace(n, id=rows[0][0], created_at=now, updated_at=now)


def _update(n: Newsletter, now: int) -> Unit[bool]:
    params = (n.account_id, n.id, n.title, n.letter, n.list_id, n.segment_id, n.rate_per_hour, int(n.is_archived), int(n.is_starred), n.edit_mode,
              n.mjml, n.template_id, now)  # fmt: skip
    return bool((yield Rows("newsletter_set", params)))


def _discard(account_id: int, newsletter_id: int) -> Unit[Sequence[object]]:
    rows: Sequence[object] = yield Rows("newsletter_discard", (account_id, newsletter_id))
    return rows


def _find(account_id: int, newsletter_id: int) -> Unit[Newsletter | None]:
    rows = yield Rows("newsletter_get", (account_id, newsletter_id))
    return _newsletter(rows[0]) if rows else None


def _list(query: str, params: Sequence[int]) -> Unit[list[Newsletter]]:
    return [_newsletter(row) for row in (yield Rows(query, params))]


def _turn(params: Sequence[object]) -> Unit[bool]:
    return bool((yield Rows("newsletter_turn", params)))


def _audience(list_id: int, after: int, limit: int) -> Unit[list[Member]]:
    return [Member(row[0], row[1], row[2], row[3], _values(row[4])) for row in (yield Rows("audience", (list_id, after, limit)))]


def _values(text: str) -> dict[int, str | int | float | bool]:
    return msgspec.json.decode(text, type=dict[int, str | int | float | bool], strict=False)


def _freeze(newsletter: Newsletter, cursor: int, submission: Submission, policy: Policy) -> Unit[bool]:
    count = len(submission.messages)
    is_more = newsletter.submission_id != 0
    submission_id = submission.id if count else newsletter.submission_id
    if not (yield Rows("newsletter_advance", (newsletter.id, newsletter.cursor, cursor, count, submission_id, submission.accepted_at))):
        return False
    if not count:
        return True
    causes = yield from mail_in.running_blocks([submission])
    campaigns = yield from mail_in.campaigns_of([submission])
    messages = tuple(mail_in.judge(message, submission, causes, policy) for message in submission.messages)
    yield from mail_in.insert([submission], {submission.id: Accepted(submission.id, messages)}, campaigns, is_more=is_more)
    return True


def _is_waiting(submission_id: int) -> Unit[bool]:
    return bool((yield Rows("submission_waiting", (submission_id,))))


def _counts(submission_id: int) -> Unit[dict[tuple[State, int], int]]:
    return {(State(state), marks): count for state, marks, count in (yield Rows("submission_counts", (submission_id,)))}


def _refusals(account_id: int, address_keys: Sequence[str], options: Options, now: int, policy: Policy) -> Unit[dict[str, Reason]]:
    causes: dict[str, list[BlockCause]] = {}
    for owner, key, cause in (yield Rows("blocks_running", (list(address_keys), now))):
        if owner == account_id:
            causes.setdefault(key, []).append(BlockCause(cause))
    reasons = {key: policy.blocked_reason(running, options) for key, running in causes.items()}
    return {key: reason for key, reason in reasons.items() if reason is not None}


def _people(account_id: int, address_keys: Sequence[str]) -> Unit[dict[str, tuple[str, dict[int, str | int | float | bool]]]]:
    rows = yield Rows("contacts_of_keys", (account_id, list(address_keys)))
    return {key: (name, _values(properties)) for key, name, properties in rows}


def _last_visits(account_id: int, address_keys: Sequence[str], kind: str, since: int) -> Unit[dict[str, int]]:
    return dict((yield Rows("last_visits", (account_id, list(address_keys), kind, since))))
