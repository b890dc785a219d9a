"""Units: a person leaves the mailings of an account, comes back, chooses, or wants to be left alone for a while. Each is one write, with its proofs.

To leave is a block of the cause `unsubscribe`, which stops mail of campaigns at accept and before each attempt; a pause is the same with an end.
An address that is no contact can leave as well: the block is by address.
"""

from collections.abc import Collection, Sequence
from typing import Final

from estafette.audience import Act, Choices, Contact, ContactChange, ListAction, Place, Trace
from estafette.clock import to_iso
from estafette.model import BlockCause
from estafette.store import contacts
from estafette.store.proofs import prove
from estafette.store.unit import Many, Rows, Unit

MAX_PLACES: Final = 200
"""Lists of one person that are shown and left at once."""
PAUSED: Final = "paused by the person"


def choices(account_id: int, address_key: str, now: int) -> Unit[Choices]:
    contact = yield from contacts.find(account_id, 0, address_key)
    blocks = yield Rows("unsubscribe_blocks", (account_id, address_key, now))
    left_at = next((since for since, until in blocks if until is None), None)
    paused_until = max((until for _, until in blocks if until is not None), default=None) if left_at is None else None
    if contact is None:
        return Choices(0, "", (), left_at, paused_until)
    language = (yield Rows("contact_language", (contact.id,)))[0][0]
    return Choices(contact.id, language, (yield from _places(contact.id)), left_at, paused_until)


def _places(contact_id: int) -> Unit[tuple[Place, ...]]:
    rows = yield Rows("places_of", (contact_id, MAX_PLACES))
    return tuple(Place(list_id, name, bool(is_unsubscribed)) for list_id, name, is_unsubscribed in rows)


def leave(account_id: int, address_key: str, lists: Sequence[int] | None, trace: Trace, now: int, message_id: int | None) -> Unit[None]:
    """`lists`: whose places end beside; None: all. A repeated call changes nothing."""
    contact = yield from contacts.find(account_id, 0, address_key)
    if not any(until is None for _, until in (yield Rows("unsubscribe_blocks", (account_id, address_key, now)))):
        yield Many("block_put", [(account_id, address_key, "", BlockCause.UNSUBSCRIBE.value, now, None, message_id, "")])
    if contact is not None:
        if (yield from _last_word(contact.id)) != Act.UNSUBSCRIBED:
            yield from prove(account_id, [(0, contact.id, Act.UNSUBSCRIBED)], trace, now)
        ended = [place.list_id for place in (yield from _places(contact.id))] if lists is None else lists
        yield from _put(contact, {number: ListAction.UNSUBSCRIBE for number in ended}, trace, now)


def come_back(account_id: int, address_key: str, lists: Sequence[int], trace: Trace, now: int) -> Unit[None]:
    """The block goes; these places are taken again."""
    contact = yield from contacts.find(account_id, 0, address_key)
    yield from _lift(account_id, address_key, contact, trace, now)
    if contact is not None:
        yield from _put(contact, {number: ListAction.ADD_FORCE for number in lists}, trace, now)


def choose(account_id: int, address_key: str, shown: Collection[int], wanted: Collection[int], language: str, pause_until: int | None, trace: Trace,
           now: int) -> Unit[bool]:  # fmt: skip
    """Of the places that were `shown` those that are `wanted` hold, the others end; who wants one has not left any more. `pause_until`: 0 ends a pause,
    None leaves it. False when the address is no contact."""
    contact = yield from contacts.find(account_id, 0, address_key)
    if contact is None:
        return False
    own = [place.list_id for place in (yield from _places(contact.id)) if place.list_id in shown]
    blocks = yield Rows("unsubscribe_blocks", (account_id, address_key, now))
    has_left, is_paused = any(until is None for _, until in blocks), any(until is not None for _, until in blocks)
    if has_left and not any(number in wanted for number in own):
        pause_until = None  # who has left gets nothing anyway
    elif has_left or (is_paused and pause_until is not None):
        yield from _lift(account_id, address_key, contact, trace, now)
    yield from _put(contact, {number: ListAction.ADD_FORCE if number in wanted else ListAction.UNSUBSCRIBE for number in own}, trace, now)
    if pause_until:
        yield Many("block_put", [(account_id, address_key, "", BlockCause.UNSUBSCRIBE.value, now, pause_until, None, PAUSED)])
        paused = Trace(trace.source, f"until {to_iso(pause_until)[:10]}", trace.ip)
        yield from prove(account_id, [(0, contact.id, Act.PAUSED)], paused, now)
    if language:
        yield Many("contact_language_set", [(contact.id, language)])
    return True


def _lift(account_id: int, address_key: str, contact: Contact | None, trace: Trace, now: int) -> Unit[None]:
    yield Many("blocks_lift_cause", [(account_id, address_key, BlockCause.UNSUBSCRIBE.value, now, "undone by the recipient")])
    if contact is not None and (yield from _last_word(contact.id)) in (Act.UNSUBSCRIBED, Act.PAUSED):
        yield from prove(account_id, [(0, contact.id, Act.RESUMED)], trace, now)


def _last_word(contact_id: int) -> Unit[str]:
    """What the person said last about all mailings; "" for nothing. The block may be there already, by the record of a message."""
    rows = yield Rows("last_act_about_all", (contact_id,))
    return str(rows[0][0]) if rows else ""


def _put(contact: Contact, lists: dict[int, ListAction], trace: Trace, now: int) -> Unit[None]:
    """Each list by itself: one that was deleted meanwhile has no places."""
    change = ContactChange(contact.address, contact.address_key)
    for number, action in sorted(lists.items()):
        yield from contacts.apply(contact.account_id, [change], {number: action}, trace, now, True)
