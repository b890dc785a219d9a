"""Shelf: proofs of consent, and subscriptions that wait to be confirmed (double opt-in). Proofs are added, never changed, and go with the person.

An address that somebody typed in is no contact until its owner has said so: `ask` keeps it aside, `confirm` makes contact, subscription and proofs at once.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum

import msgspec

from estafette.audience import Act, Choices, ConsentAct, ContactChange, ListAction, OptIn, Standing, Trace
from estafette.model import BlockCause
from estafette.store import contacts, leaving
from estafette.store.driver import Driver
from estafette.store.proofs import prove
from estafette.store.unit import Many, Row, Rows, Unit

PRUNE: int = 1000


class Confirmation(StrEnum):
    """What became of a request to confirm."""

    DONE = "done"
    BEFORE = "before"  # it was confirmed before; nothing was changed
    GONE = "gone"  # unknown or expired, or the list is not there any more


class Consents:
    """`store.consents`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    # -- proofs
    async def acts(self, account_id: int, contact_id: int, *, before: int = 2**62, limit: int = 1000) -> list[ConsentAct]:
        """The proofs of one person, the newest first; page by the last one's id."""
        return await self._driver.read(lambda: _acts(account_id, contact_id, before, limit))

    async def note(self, account_id: int, contact_id: int, list_id: int, act: Act, trace: Trace, now: int) -> None:
        """Add a proof of something that changes no place on a list: all mail was left, a pause."""
        await self._driver.write(lambda: prove(account_id, [(list_id, contact_id, act)], trace, now))

    async def standing(self, account_id: int, contact_ids: Sequence[int], now: int) -> dict[int, Standing]:
        """How these contacts stand towards the account's lists as a whole; those of whom there is nothing to say are left out."""
        return await self._driver.read(lambda: _standing(account_id, contact_ids, now))

    # -- what the person chooses
    async def choices(self, account_id: int, address_key: str, now: int) -> Choices:
        """What somebody gets from an account."""
        return await self._driver.read(lambda: leaving.choices(account_id, address_key, now))

    async def leave(self, account_id: int, address_key: str, lists: Sequence[int] | None, trace: Trace, now: int, message_id: int | None = None) -> None:
        """No mailing of the account any more; the places on `lists` (None: on all) end as well."""
        await self._driver.write(lambda: leaving.leave(account_id, address_key, lists, trace, now, message_id))

    async def come_back(self, account_id: int, address_key: str, lists: Sequence[int], trace: Trace, now: int) -> None:
        """Mailings are wanted again, also those of `lists`."""
        await self._driver.write(lambda: leaving.come_back(account_id, address_key, lists, trace, now))

    async def choose(self, account_id: int, address_key: str, shown: Collection[int], wanted: Collection[int], language: str, pause_until: int | None,
                     trace: Trace, now: int) -> bool:  # fmt: skip
        """See `leaving.choose`."""
        return await self._driver.write(lambda: leaving.choose(account_id, address_key, shown, wanted, language, pause_until, trace, now))

    # -- waiting to be confirmed
    async def ask(self, wanted: OptIn) -> int:
        """Keep a subscription that waits; its id."""
        return await self._driver.write(lambda: _ask(wanted))

    async def opt_in(self, opt_in_id: int) -> OptIn | None:
        """By its id, until it is pruned."""
        return await self._driver.read(lambda: _opt_in(opt_in_id))

    async def waiting(self, account_id: int, *, address_key: str | None = None, list_id: int | None = None, after: int = 0, now: int = 0,
                      limit: int = 1000) -> list[OptIn]:  # fmt: skip
        """Those that can still be confirmed, by id."""
        return await self._driver.read(lambda: _waiting((account_id, address_key, list_id, after, now, limit)))

    async def confirm(self, opt_in_id: int, trace: Trace, now: int) -> Confirmation:
        """Make contact, subscription and proofs of a waiting one, and lift the block that an earlier unsubscribe was. A second call changes nothing."""
        return await self._driver.write(lambda: _confirm(opt_in_id, trace, now))

    async def prune(self, before: int) -> int:
        """Forget those that ended earlier; how many, of at most 1000."""
        return await self._driver.write(lambda: _prune(before), is_synced=False)


def _act(row: Row) -> ConsentAct:
    return ConsentAct(row[0], row[1], row[2], row[3], Act(row[4]), Trace(*row[5:10]), row[10], row[11])


def _acts(account_id: int, contact_id: int, before: int, limit: int) -> Unit[list[ConsentAct]]:
    return [_act(row) for row in (yield Rows("consent_acts", (account_id, contact_id, before, limit)))]


def _standing(account_id: int, contact_ids: Sequence[int], now: int) -> Unit[dict[int, Standing]]:
    ids = list(contact_ids)
    waiting = {row[0] for row in (yield Rows("opt_in_contacts", (account_id, ids, now)))}
    newest: dict[int, tuple[int, str]] = {}
    for query in ("unsubscriptions_of", "unsubscribe_blocks_of"):
        for number, at, source in (yield Rows(query, (account_id, ids, now))):
            newest[number] = max(newest.get(number, (0, "")), (at, source))
    complaining = {row[0] for row in (yield Rows("complaint_blocks_of", (account_id, ids, now)))}
    found: dict[int, Standing] = {}
    for number in sorted({*waiting, *newest, *complaining}):
        at, source = newest.get(number, (None, ""))
        found[number] = Standing(number in waiting, at, source, number in complaining)
    return found


def _ask(w: OptIn) -> Unit[int]:
    properties = msgspec.json.encode(w.properties).decode()
    rows = yield Rows("opt_in_put", (w.account_id, w.list_id, w.form_id, w.address, w.address_key, w.name, properties, w.language, w.ip, w.words, w.asked_at,
                                      w.expires_at))  # fmt: skip
    if w.form_id:
        yield Many("sign_up_form_count", [(w.form_id, 1, 0, 0)])
    return int(rows[0][0])


def _opt_in_of(row: Row) -> OptIn:
    number, account_id, list_id, form_id, address, address_key, name, properties, *rest = row
    values = msgspec.json.decode(properties, type=dict[int, str | int | float | bool])
    return OptIn(number, account_id, list_id, form_id, address, address_key, name, values, *rest)


def _opt_in(opt_in_id: int) -> Unit[OptIn | None]:
    rows = yield Rows("opt_in_get", (opt_in_id,))
    return _opt_in_of(rows[0]) if rows else None


def _waiting(params: tuple[object, ...]) -> Unit[list[OptIn]]:
    return [_opt_in_of(row) for row in (yield Rows("opt_ins_waiting", params))]


def _confirm(opt_in_id: int, trace: Trace, now: int) -> Unit[Confirmation]:
    rows = yield Rows("opt_in_confirm", (opt_in_id, now))
    if not rows:
        found = yield from _opt_in(opt_in_id)
        return Confirmation.BEFORE if found is not None and found.confirmed_at is not None else Confirmation.GONE
    one = _opt_in_of(rows[0])
    if not (yield Rows("list_lock", (one.account_id, one.list_id))):
        return Confirmation.GONE
    change = ContactChange(one.address, one.address_key, one.name or None, properties=dict(one.properties))
    ids = yield from contacts.apply(one.account_id, [change], {}, trace, now, False)
    assert ids is not None  # no list was asked for
    number = ids[one.address_key]
    asked = Trace(trace.source, trace.evidence, one.ip, one.words)
    yield from prove(one.account_id, [(one.list_id, number, Act.ASKED)], asked, one.asked_at)
    yield from prove(one.account_id, [(one.list_id, number, Act.CONFIRMED)], trace, now)
    yield from contacts.apply(one.account_id, [change], {one.list_id: ListAction.ADD_FORCE}, trace, now, True)
    yield Many("blocks_lift_cause", [(one.account_id, one.address_key, BlockCause.UNSUBSCRIBE.value, now, "subscribed again, and confirmed it")])
    if one.form_id:
        yield Many("sign_up_form_count", [(one.form_id, 0, 1, 0)])
    if one.language:
        yield Many("contact_language_set", [(number, one.language)])
    return Confirmation.DONE


def _prune(before: int) -> Unit[int]:
    return len((yield Rows("opt_ins_prune", (before, PRUNE))))
