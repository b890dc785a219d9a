"""`eventcallbackurl`: which address is told of which events (contract section 4.1)."""

from typing import Final

from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found
from estafette.api.rest.reading import invalid, number_of, taken
from estafette.api.rest.resource import Action, Filter, Found, Kind, Reply, Resource, Row, changing, fixed, shown
from estafette.api.webhooks.payload import encoded, sample
from estafette.nouns import WEBHOOK_TYPES, Parcel, Webhook
from estafette.webguard import MAX_URL, read_target

NUMBERS: Final = {1: "click", 2: "bounce", 3: "spam", 4: "blocked", 5: "unsub", 6: "open", 7: "sent"}
"""Of the filter."""


def _row(hook: Webhook) -> Row:
    return {
        "APIKeyID": hook.account_id, "EventType": hook.event_type, "ID": hook.id, "IsBackup": hook.is_backup, "Status": "alive" if hook.is_alive else "dead",
        "Url": hook.url, "Version": hook.version,
    }  # fmt: skip


async def _own(call: Call) -> list[Webhook]:
    return await call.store.webhooks.all_of(call.account_id)


async def _find(call: Call) -> Webhook | None:
    """By its number, or by `type|backup`."""
    name, _, backup = call.key.lower().partition("|")
    is_backup = backup in ("1", "true", "backup")
    hooks = await _own(call)
    return next((one for one in hooks if one.id == number_of(call.key) or (one.event_type == name and one.is_backup is is_backup)), None)


async def _many(call: Call) -> Found:
    rows = [_row(one) for one in await _own(call)]
    wanted = call.listing.get("EventType")
    name = NUMBERS.get(number_of(wanted), wanted.lower()) if wanted is not None else None
    return arrange([row for row in rows if name is None or row["EventType"] == name], call.listing, ("IsBackup", "Status", "Version"))


async def _one(call: Call) -> Row | None:
    found = await _find(call)
    return _row(found) if found else None


def _checked(url: str) -> str:
    try:
        target = read_target(url)
    except ValueError as error:
        raise invalid({"Url": str(error)}) from None
    if target.path == "/":
        raise invalid({"Url": "is a bare root: a path is expected"})
    return url


def _version(given: object) -> int:
    if given not in (1, 2):
        raise invalid({"Version": "1 or 2 is expected"})
    return 1 if given == 1 else 2


async def _create(call: Call) -> Row:
    values = call.values
    made = await call.store.webhooks.add(
        call.account_id, values["EventType"], _checked(values["Url"]), _version(values.get("Version", 1)), call.now,
        is_backup=values.get("IsBackup", False),
    )  # fmt: skip
    if made is None:
        raise taken("eventcallbackurl", "EventType", values["EventType"])
    return _row(made)


async def _update(call: Call) -> Row | None:
    found = await _find(call)
    if found is None:
        raise not_found()
    url, version = _checked(call.values.get("Url", found.url)), _version(call.values.get("Version", found.version))
    if (url, version) == (found.url, found.version) and (found.is_alive or "Url" not in call.values):
        return None
    changed = await call.store.webhooks.change(call.account_id, found.id, url, version)
    if changed is None:
        raise not_found()
    return _row(changed)


async def _delete(call: Call) -> bool:
    found = await _find(call)
    return found is not None and await call.store.webhooks.remove(call.account_id, found.id)


async def _test(call: Call) -> Reply:
    """A sample goes the way of every event: it is queued, told and logged."""
    found = await _find(call)
    if found is None:
        raise not_found()
    await call.store.webhooks.send_again([Parcel(found.id, 0, 0, encoded(sample(found.event_type, call.now)), queued_at=call.now)])
    return Reply(200, rows=[_row(found)])


RESOURCES: Final = (
    Resource("eventcallbackurl", "Addresses that are told of events.", (
        shown("APIKeyID", Kind.INT), fixed("EventType", Kind.STR, is_required=True, choices=WEBHOOK_TYPES), shown("ID", Kind.INT),
        fixed("IsBackup", Kind.BOOL, "Told while the primary address is suspended.", default=False),
        shown("Status", Kind.STR, "alive or dead; changing the URL revives."), changing("Url", Kind.STR, "With a path.", is_required=True, max_length=MAX_URL),
        changing("Version", Kind.INT, "1: one object per call, 2: arrays, at most once a second.", default=1),
    ), (Filter("EventType", Kind.STR, "Its name, or 1 click, 2 bounce, 3 spam, 4 blocked, 5 unsub, 6 open, 7 sent."), Filter("IsBackup", Kind.BOOL),
        Filter("Status", Kind.STR), Filter("Version", Kind.INT)), ("ID",), "EventType|IsBackup",
        (Action("test", "Tell the address a sample event.", post=_test),),
        many=_many, one=_one, create=_create, update=_update, delete=_delete),
)  # fmt: skip
