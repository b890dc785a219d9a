"""Shelf: contacts, their properties, lists, subscriptions, and segments. What belongs to another account is as unknown as what does not exist.

`apply` is the one way in which contacts and subscriptions change: name, exclusion, properties and places on lists are one write, for one
contact or for many, with a proof for each place that changed (`proofs.prove`); `ContactList.subscribers` stays exact because the lists are locked
first (docs/decisions/0033).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from estafette.audience import (
    Act,
    Contact,
    ContactChange,
    ContactList,
    ContactProperty,
    ListAction,
    PropertyKind,
    PropertyValue,
    Segment,
    Subscriber,
    Subscription,
    Trace,
)
from estafette.store.driver import Driver
from estafette.store.proofs import forget, moves, prove
from estafette.store.unit import Many, Row, Rows, Unit

SUBSCRIBING: Final = {
    ListAction.ADD_FORCE: "subscription_force",
    ListAction.ADD_NO_FORCE: "subscription_add",
    ListAction.UNSUBSCRIBE: "subscription_end",
}
MAX_LISTS: Final = 10_000
"""Lists and segments of an account are few; all are read at once."""


class Contacts:
    """`store.contacts`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    # -- contacts
    async def apply(self, account_id: int, changes: Sequence[ContactChange], lists: Mapping[int, ListAction], trace: Trace, now: int,
                    *, keeps_known: bool = False) -> dict[str, int] | None:  # fmt: skip
        """Make or change contacts, and what they are to these lists; the ids by address key. `keeps_known`: contacts that exist keep name and properties.
        None, and nothing is done, when one of the lists is not there."""
        return await self._driver.write(lambda: apply(account_id, changes, lists, trace, now, keeps_known))

    async def find(self, account_id: int, contact_id: int) -> Contact | None:
        """By its id."""
        return await self._driver.read(lambda: find(account_id, contact_id, ""))

    async def find_address(self, account_id: int, address_key: str) -> Contact | None:
        """By its folded address."""
        return await self._driver.read(lambda: find(account_id, 0, address_key))

    async def page(self, account_id: int, *, after: int = 0, limit: int = 1000, offset: int = 0, is_excluded: bool | None = None,
                   by_address: bool = False, is_descending: bool = False) -> list[Contact]:  # fmt: skip
        """Contacts in the order of ids or addresses. Page by `after`; `offset` costs as much as it passes over."""
        return await self._driver.read(lambda: _page(account_id, after, limit, offset, is_excluded, by_address, is_descending))

    async def of_list(self, account_id: int, list_id: int, *, after: int = 0, limit: int = 1000, offset: int = 0, is_excluded: bool | None = None,
                      is_unsubscribed: bool | None = None) -> list[Contact]:  # fmt: skip
        """Contacts on a list, in the order of their ids."""
        return await self._driver.read(lambda: _of_list(account_id, list_id, after, limit, offset, is_excluded, is_unsubscribed))

    async def count(self, account_id: int, *, list_id: int | None = None, is_excluded: bool | None = None, is_unsubscribed: bool | None = None) -> int:
        """How many `page` or `of_list` would give in all."""
        return await self._driver.read(lambda: _count(account_id, list_id, is_excluded, is_unsubscribed))

    async def ids(self, account_id: int, address_keys: Sequence[str]) -> dict[str, int]:
        """Of those among these addresses that are contacts."""
        return await self._driver.read(lambda: _ids(account_id, address_keys))

    async def erase(self, account_id: int, contact_id: int, alias: str, now: int) -> bool:
        """Forget a person: the address becomes `alias` here and on finished messages, the rest is emptied, all lists are left. False when there is none."""
        return await self._driver.write(lambda: _erase(account_id, contact_id, alias, now))

    # -- properties
    async def properties(self, account_id: int) -> list[ContactProperty]:
        """All definitions, by id."""
        return await self._driver.read(lambda: _properties(account_id))

    async def add_property(self, account_id: int, name: str, kind: PropertyKind, now: int) -> ContactProperty | None:
        """None when the account has one of this name, in any case."""
        return await self._driver.write(lambda: _add_property(account_id, name, kind, now))

    async def rename_property(self, account_id: int, property_id: int, name: str) -> bool:
        """False when there is none of this id, or another one has the name."""
        return await self._driver.write(lambda: _done("property_rename", account_id, property_id, name, name.lower()))

    async def set_fallback(self, account_id: int, property_id: int, fallback: PropertyValue | None) -> bool:
        """What mails say for who has no value; False when there is no such property."""
        written = "" if fallback is None else msgspec.json.encode(fallback).decode()
        return await self._driver.write(lambda: _done("property_fallback", account_id, property_id, written))

    async def having(self, account_id: int, property_id: int, sample: int) -> tuple[int, int]:
        """(how many have a value of a property, how many were looked at) among the first contacts of an account, at most `sample`."""
        return await self._driver.read(lambda: _having(account_id, property_id, sample))

    async def drop_property(self, account_id: int, property_id: int, now: int) -> bool:
        """Its values are no longer seen; False when there is none."""
        return await self._driver.write(lambda: _done("property_drop", account_id, property_id, now))

    # -- lists
    async def create_list(self, account_id: int, name: str, address: str, now: int) -> ContactList | None:
        """None when the account has a list of this name."""
        return await self._driver.write(lambda: _create_list(account_id, name, address, now))

    async def find_list(self, account_id: int, list_id: int) -> ContactList | None:
        """By its id, also a deleted one."""
        return await self._driver.read(lambda: _find_list(account_id, list_id, ""))

    async def find_list_address(self, account_id: int, address: str) -> ContactList | None:
        """By the local part of its address, also a deleted one."""
        return await self._driver.read(lambda: _find_list(account_id, 0, address))

    async def lists(self, account_id: int) -> list[ContactList]:
        """All, deleted ones too, by id."""
        return await self._driver.read(lambda: _lists(account_id))

    async def update_list(self, changed: ContactList) -> bool:
        """Name and `deleted_at`; False when there is none of this id, or another one has the name."""
        params = (changed.account_id, changed.id, changed.name, changed.deleted_at, int(changed.deleted_at is not None))
        return await self._driver.write(lambda: _done("list_set", *params))

    # -- subscriptions
    async def subscriber(self, account_id: int, subscription_id: int) -> Subscriber | None:
        """By the subscription's id."""
        return await self._driver.read(lambda: _subscriber(account_id, subscription_id, 0, 0))

    async def subscriber_on(self, account_id: int, list_id: int, contact_id: int) -> Subscriber | None:
        """A contact on a list."""
        return await self._driver.read(lambda: _subscriber(account_id, None, list_id, contact_id))

    async def subscribers(self, account_id: int, *, list_id: int | None = None, contact_id: int | None = None, after: int = 0, limit: int = 1000,
                          offset: int = 0, is_unsubscribed: bool | None = None, is_excluded: bool | None = None) -> list[Subscriber]:  # fmt: skip
        """By subscription id: of a contact, of a list, or of all lists that are not deleted."""
        params = (account_id, after, _bit(is_unsubscribed), _bit(is_excluded), limit, offset)
        return await self._driver.read(lambda: _subscribers(params, list_id, contact_id))

    async def count_subscribers(self, account_id: int, contact_id: int | None = None, is_unsubscribed: bool | None = None,
                                is_excluded: bool | None = None) -> int:  # fmt: skip
        """Places of contacts on lists that are not deleted; for one list see `count`."""
        return await self._driver.read(lambda: _number("subscribers_count", account_id, contact_id, _bit(is_unsubscribed), _bit(is_excluded)))

    # -- segments
    async def create_segment(self, segment: Segment, now: int) -> Segment | None:
        """None when the account has one of this name."""
        return await self._driver.write(lambda: _create_segment(segment, now))

    async def update_segment(self, changed: Segment) -> bool:
        """False when there is none of this id, or another one has the name."""
        params = (
            changed.account_id,
            changed.id,
            changed.name,
            changed.description,
            changed.expression,
            changed.deleted_at,
            int(changed.deleted_at is not None),
        )
        return await self._driver.write(lambda: _done("segment_set", *params))

    async def segments(self, account_id: int) -> list[Segment]:
        """All, deleted ones too, by id."""
        return await self._driver.read(lambda: _segments(account_id))


def _bit(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def _contact(row: Row) -> Contact:
    properties = msgspec.json.decode(row[7], type=dict[int, str | int | float | bool])
    return Contact(row[0], row[1], row[2], row[3], row[4], bool(row[5]), row[6], properties, row[8], row[9])


def _written(properties: dict[int, PropertyValue]) -> str:
    return msgspec.json.encode(properties).decode()


def apply(account_id: int, changes: Sequence[ContactChange], lists: Mapping[int, ListAction], trace: Trace, now: int,
          keeps_known: bool) -> Unit[dict[str, int] | None]:  # fmt: skip
    for list_id in sorted(lists):
        if not (yield Rows("list_lock", (account_id, list_id))):
            return None
    wanted = {change.address_key: change for change in changes}  # of a repeated address the last one counts
    keys = list(wanted)
    known = {row[3]: _contact(row) for row in (yield Rows("contacts_among", (account_id, keys)))}
    fresh, changed = [], []
    turned = {key: change.is_excluded for key, change in wanted.items()
              if change.is_excluded is not None and change.is_excluded != (key in known and known[key].is_excluded)}  # fmt: skip
    for key, change in wanted.items():
        one = known.get(key)
        if one is None:
            properties = {number: value for number, value in change.properties.items() if value is not None}
            excluded_at = now if change.is_excluded else None
            fresh.append((account_id, change.address, key, change.name or "", int(bool(change.is_excluded)), excluded_at, _written(properties), now))
        elif (after := _changed(one, change, keeps_known, now)) is not None:
            changed.append(after)
    yield Many("contact_put", fresh)
    yield Many("contact_set", changed)
    ids = {key: number for number, key in (yield Rows("contact_ids", (account_id, keys)))}
    numbers = list(ids.values())
    acts = [(0, ids[key], Act.EXCLUDED if is_excluded else Act.INCLUDED) for key, is_excluded in turned.items()]
    for list_id, action in sorted(lists.items()):
        before = {row[0]: bool(row[1]) for row in (yield Rows("subscription_states", (list_id, numbers)))}
        moved, grown = moves(action, before, numbers)
        touched = [number for number, _ in moved]
        if action is ListAction.REMOVE:
            yield Many("subscription_remove", [(list_id, number) for number in touched])
        else:
            yield Many(SUBSCRIBING[action], [(list_id, number, now, trace.source, trace.evidence) for number in touched])
        if grown:
            yield Many("list_count_add", [(list_id, grown)])
        acts += [(list_id, number, act) for number, act in moved]
    yield from prove(account_id, acts, trace, now)
    return ids


def _changed(before: Contact, change: ContactChange, keeps_known: bool, now: int) -> tuple[Any, ...] | None:
    """The columns that `contact_set` writes; None when nothing is different."""
    properties = dict(before.properties)
    name = before.name
    if not keeps_known:
        name = before.name if change.name is None else change.name
        properties |= {number: value for number, value in change.properties.items() if value is not None}
        for number, value in change.properties.items():
            if value is None:
                properties.pop(number, None)
    is_excluded = before.is_excluded if change.is_excluded is None else change.is_excluded
    if (name, is_excluded, properties) == (before.name, before.is_excluded, before.properties):
        return None
    excluded_at = before.excluded_at if is_excluded == before.is_excluded else now
    return (before.id, name, int(is_excluded), excluded_at, _written(properties), now)


def find(account_id: int, contact_id: int, address_key: str) -> Unit[Contact | None]:
    rows = yield Rows("contact_get", (account_id, contact_id, address_key))
    return _contact(rows[0]) if rows else None


def _page(account_id: int, after: int, limit: int, offset: int, is_excluded: bool | None, by_address: bool, is_descending: bool) -> Unit[list[Contact]]:
    name = ("contacts_by_address" if by_address else "contacts") + ("_down" if is_descending else "_up")
    return [_contact(row) for row in (yield Rows(name, (account_id, after, _bit(is_excluded), limit, offset)))]


def _of_list(account_id: int, list_id: int, after: int, limit: int, offset: int, is_excluded: bool | None,
             is_unsubscribed: bool | None) -> Unit[list[Contact]]:  # fmt: skip
    params = (account_id, list_id, after, _bit(is_excluded), _bit(is_unsubscribed), limit, offset)
    return [_contact(row) for row in (yield Rows("contacts_of_list", params))]


def _count(account_id: int, list_id: int | None, is_excluded: bool | None, is_unsubscribed: bool | None) -> Unit[int]:
    if list_id is None:
        return (yield from _number("contacts_count", account_id, _bit(is_excluded)))
    return (yield from _number("contacts_of_list_count", account_id, list_id, _bit(is_excluded), _bit(is_unsubscribed)))


def _ids(account_id: int, address_keys: Sequence[str]) -> Unit[dict[str, int]]:
    return {key: number for number, key in (yield Rows("contact_ids", (account_id, list(address_keys))))}


def _erase(account_id: int, contact_id: int, alias: str, now: int) -> Unit[bool]:
    rows = yield Rows("contact_get", (account_id, contact_id, ""))
    if not rows:
        return False
    yield Many("contact_leave_count", [(contact_id,)])
    yield Many("contact_leave", [(contact_id,)])
    yield from forget(account_id, contact_id, rows[0][3])
    yield Many("contact_messages_erase", [(account_id, rows[0][3], alias)])
    yield Rows("contact_erase", (account_id, contact_id, alias, now))
    return True


def _number(query: str, *params: object) -> Unit[int]:
    number: int = (yield Rows(query, params))[0][0]
    return number


def _done(query: str, *params: object) -> Unit[bool]:
    return bool((yield Rows(query, params)))


def _property(row: Row) -> ContactProperty:
    fallback = msgspec.json.decode(row[5], type=str | int | float | bool) if row[5] else None
    return ContactProperty(row[0], row[1], row[2], PropertyKind(row[3]), row[4], fallback)


def _properties(account_id: int) -> Unit[list[ContactProperty]]:
    return [_property(row) for row in (yield Rows("properties", (account_id,)))]


def _add_property(account_id: int, name: str, kind: PropertyKind, now: int) -> Unit[ContactProperty | None]:
    rows = yield Rows("property_put", (account_id, name, name.lower(), kind.value, now))
    return _property(rows[0]) if rows else None


def _having(account_id: int, property_id: int, sample: int) -> Unit[tuple[int, int]]:
    contacts = yield from _page(account_id, 0, sample, 0, None, False, False)
    return sum(property_id in one.properties for one in contacts), len(contacts)


def _create_list(account_id: int, name: str, address: str, now: int) -> Unit[ContactList | None]:
    rows = yield Rows("list_put", (account_id, name, address, now))
    return ContactList(*rows[0]) if rows else None


def _find_list(account_id: int, list_id: int, address: str) -> Unit[ContactList | None]:
    rows = yield Rows("list_get", (account_id, list_id, address))
    return ContactList(*rows[0]) if rows else None


def _lists(account_id: int) -> Unit[list[ContactList]]:
    return [ContactList(*row) for row in (yield Rows("lists", (account_id, MAX_LISTS)))]


def _subscriber_of(row: Row) -> Subscriber:
    return Subscriber(Subscription(row[0], row[1], row[2], bool(row[3]), row[4], row[5], row[6], row[7]), row[8], row[9], bool(row[10]), row[11])


def _subscriber(account_id: int, subscription_id: int | None, list_id: int, contact_id: int) -> Unit[Subscriber | None]:
    rows = yield Rows("subscriber_get", (account_id, subscription_id, list_id, contact_id))
    return _subscriber_of(rows[0]) if rows else None


def _subscribers(params: tuple[int | None, ...], list_id: int | None, contact_id: int | None) -> Unit[list[Subscriber]]:
    if list_id is not None:
        rows = yield Rows("subscribers_of_list", (*params, list_id))
    elif contact_id is not None:
        rows = yield Rows("subscribers_of_contact", (*params, contact_id))
    else:
        rows = yield Rows("subscribers", params)
    return [_subscriber_of(row) for row in rows]


def _create_segment(segment: Segment, now: int) -> Unit[Segment | None]:
    rows = yield Rows("segment_put", (segment.account_id, segment.name, segment.description, segment.expression, now))
    return Segment(*rows[0]) if rows else None


def _segments(account_id: int) -> Unit[list[Segment]]:
    return [Segment(*row) for row in (yield Rows("segments", (account_id, MAX_LISTS)))]
