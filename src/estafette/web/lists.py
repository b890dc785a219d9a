"""S9, the lists of an account, and the contacts on one of them: paged by key, found by address, added one by one."""

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from estafette.audience import ContactChange, ContactList, ListAction, Subscriber, Trace
from estafette.mail.address import AddressError, parse
from estafette.web.desk import NOT_FOUND, Refused, Visit

PAGE: Final = 50
MAX_NAME: Final = 100
WAITING: Final = 1000
"""So many requests that wait to be confirmed are counted."""


async def lists(visit: Visit) -> Response:
    """All of them."""
    return await _all(visit)


async def _all(visit: Visit, status: int = 200, problem: str = "") -> Response:
    found = [one for one in await visit.store.contacts.lists(visit.account_id) if one.deleted_at is None]
    return visit.page("lists.html", status, lists=found, problem=problem, name=visit.given("name", MAX_NAME))


async def create(visit: Visit) -> Response:
    """A new one; its page opens."""
    name = visit.given("name", MAX_NAME)
    made = None
    if name:
        made = await visit.store.contacts.create_list(visit.account_id, name, visit.desk.clock.token_bytes(5).hex(), visit.now)
    if made is None:
        return await _all(visit, 422, "name" if name else "empty")
    await visit.note("list.add", name)
    return visit.go(visit.url(f"lists/{made.id}"), "list_made")


async def one_list(visit: Visit) -> Response:
    """The contacts on it."""
    return await _one(visit, await _found(visit))


async def _one(visit: Visit, found: ContactList, status: int = 200, problem: str = "") -> Response:
    after, state = visit.number(visit.query("after", 20)), visit.query("state", 20)
    wanted = {"subscribed": False, "unsubscribed": True}.get(state)
    text = visit.query("address", 320)
    if text:
        rows = await _with_address(visit, found, text)
    else:
        rows = await visit.store.contacts.subscribers(visit.account_id, list_id=found.id, after=after, limit=PAGE + 1, is_unsubscribed=wanted)
    waiting = len(await visit.store.consents.waiting(visit.account_id, list_id=found.id, now=visit.now, limit=WAITING))
    more = visit.url(f"lists/{found.id}", after=rows[PAGE - 1].subscription.id, state=state) if len(rows) > PAGE else ""
    return visit.page("list.html", status, one=found, rows=rows[:PAGE], more=more, state=state if wanted is not None else "", address=text, problem=problem,
                      waiting=waiting, most_waiting=WAITING)  # fmt: skip


async def _with_address(visit: Visit, found: ContactList, text: str) -> list[Subscriber]:
    try:
        contact = await visit.store.contacts.find_address(visit.account_id, parse(text).key)
    except AddressError:
        return []
    place = await visit.store.contacts.subscriber_on(visit.account_id, found.id, contact.id) if contact is not None else None
    return [place] if place is not None else []


async def change(visit: Visit) -> Response:
    """Add somebody, rename the list, or delete it."""
    found = await _found(visit)
    match visit.given("order"):
        case "add":
            return await _add(visit, found)
        case "rename":
            name = visit.given("name", MAX_NAME)
            if not name or not await visit.store.contacts.update_list(replace(found, name=name)):
                return await _one(visit, found, 422, "name" if name else "empty")
            await visit.note("list.rename", found.name, name)
            return visit.go(visit.url(f"lists/{found.id}"), "list_changed")
        case "delete":
            if visit.given("sure") != "yes":
                return await _one(visit, found, 422, "sure")
            await visit.store.contacts.update_list(replace(found, deleted_at=visit.now))
            await visit.note("list.delete", found.name)
            return visit.go(visit.url("lists"), "list_deleted")
        case _:
            raise Refused(400)


async def _add(visit: Visit, found: ContactList) -> Response:
    try:
        address = parse(visit.given("address", 320))
    except AddressError:
        return await _one(visit, found, 422, "address")
    action = ListAction.ADD_FORCE if visit.given("again") == "yes" else ListAction.ADD_NO_FORCE
    changed = ContactChange(str(address), address.key, visit.given("name", MAX_NAME) or None)
    trace = Trace("dashboard", visit.user_name)
    ids = await visit.store.contacts.apply(visit.account_id, [changed], {found.id: action}, trace, visit.now)
    if ids is None:
        raise Refused(NOT_FOUND)
    await visit.note("contact.add", str(ids[address.key]), found.name)
    return visit.go(visit.url(f"contacts/{ids[address.key]}"), "contact_saved")


async def _found(visit: Visit) -> ContactList:
    found = await visit.store.contacts.find_list(visit.account_id, int(visit.request.path_params["id"]))
    if found is None or found.deleted_at is not None:
        raise Refused(NOT_FOUND)
    return found
