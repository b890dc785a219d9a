"""S10, all contacts of an account, and what is known of one of them: lists with their proofs, properties, messages; erased on request."""

from typing import Final

import msgspec
from starlette.responses import Response

from estafette.audience import Contact, ContactChange, ListAction, Trace
from estafette.mail.address import AddressError, parse
from estafette.newsletters.contact_values import WrongValue, read_values, shown_value
from estafette.newsletters.person import everything
from estafette.views import Choice
from estafette.web.desk import HEADERS, MAX_FORM_BYTES, NOT_FOUND, Refused, Visit
from estafette.web.proofs import ACTS, REASONS, WAYS

PAGE: Final = 50
PLACES: Final = 200
SHOWN_MESSAGES: Final = 10
SHOWN_ACTS: Final = 50
ACTIONS: Final = {"subscribe": ListAction.ADD_FORCE, "unsubscribe": ListAction.UNSUBSCRIBE, "remove": ListAction.REMOVE}


async def contacts(visit: Visit) -> Response:
    """All, by number; an address opens the contact who has it."""
    text, is_unknown = visit.query("address", 320), False
    if text:
        try:
            found = await visit.store.contacts.find_address(visit.account_id, parse(text).key)
        except AddressError:
            found = None
        if found is not None:
            return visit.go(visit.url(f"contacts/{found.id}"))
        is_unknown = True
    rows = await visit.store.contacts.page(visit.account_id, after=visit.number(visit.query("after", 20)), limit=PAGE + 1)
    more = visit.url("contacts", after=rows[PAGE - 1].id) if len(rows) > PAGE else ""
    return visit.page("contacts.html", rows=rows[:PAGE], more=more, address=text, is_unknown=is_unknown)


async def contact(visit: Visit) -> Response:
    """Everything that is kept of one."""
    return await _one(visit, await _found(visit))


async def _one(visit: Visit, found: Contact, status: int = 200, problem: str = "") -> Response:
    shelf = visit.store.contacts
    places = await shelf.subscribers(visit.account_id, contact_id=found.id, limit=PLACES)
    known = await shelf.properties(visit.account_id)
    values = [(one, shown_value(one.kind, found.properties[one.id]) if one.id in found.properties else "") for one in known]
    there = {place.subscription.list_id for place in places}
    others = [one for one in await shelf.lists(visit.account_id) if one.deleted_at is None and one.id not in there]
    log = await visit.store.screens.log(visit.account_id, Choice(recipient_key=found.address_key), limit=SHOWN_MESSAGES)
    before = visit.number(visit.query("before", 20)) or 2**62
    acts = await visit.store.consents.acts(visit.account_id, found.id, before=before, limit=SHOWN_ACTS + 1)
    waiting = await visit.store.consents.waiting(visit.account_id, address_key=found.address_key, now=visit.now, limit=PLACES)
    blocks = await visit.store.screens.blocks(visit.account_id, visit.now, text=found.address_key, limit=5)
    return visit.page(
        "contact.html", status, one=found, places=places, values=values, others=others, log=log, problem=problem, acts=acts[:SHOWN_ACTS],
        more=visit.url(f"contacts/{found.id}", before=acts[SHOWN_ACTS - 1].id) if len(acts) > SHOWN_ACTS else "", waiting=waiting,
        act_words=ACTS, way_words=WAYS, reason_words=REASONS,
        is_blocked=any(block.address_key == found.address_key for block in blocks),
    )  # fmt: skip


async def export(visit: Visit) -> Response:
    """Everything that is kept of one, as JSON: what the person may ask for."""
    found = await _found(visit)
    body = msgspec.json.format(msgspec.json.encode(await everything(visit.store, visit.account_id, found.address_key, visit.now)), indent=2)
    await visit.note("contact.export", str(found.id))
    return Response(body, 200, HEADERS | {"Content-Disposition": f'attachment; filename="estafette-contact-{found.id}.json"'}, "application/json")


async def change(visit: Visit) -> Response:
    """Save name and properties, change what the contact is to a list, exclude from campaigns, or forget the person."""
    found = await _found(visit)
    order, here = visit.given("order"), visit.url(f"contacts/{found.id}")
    if order == "erase":
        if visit.given("sure", 320).lower() != found.address.lower():
            return await _one(visit, found, 422, "sure")
        await visit.store.contacts.erase(visit.account_id, found.id, f"{visit.desk.clock.token_bytes(16).hex()}@erased.invalid", visit.now)
        await visit.note("contact.erase", str(found.id))
        return visit.go(visit.url("contacts"), "contact_erased")
    changed, lists = ContactChange(found.address, found.address_key), dict[int, ListAction]()
    if order == "save":
        known = {one.name.lower(): one for one in await visit.store.contacts.properties(visit.account_id)}
        given = {name: visit.given(f"p-{one.id}", MAX_FORM_BYTES) or None for name, one in known.items()}
        try:
            values = read_values(given, known)
        except WrongValue as error:
            return await _one(visit, found, 422, str(error))
        changed = ContactChange(found.address, found.address_key, visit.given("name", 200), visit.given("excluded") == "yes", values)
    elif order in ACTIONS:
        lists = {visit.number(visit.given("list", 20)): ACTIONS[order]}
    else:
        raise Refused(400)
    if await visit.store.contacts.apply(visit.account_id, [changed], lists, Trace("dashboard", visit.user_name), visit.now) is None:
        raise Refused(NOT_FOUND)
    await visit.note(f"contact.{order}", str(found.id))
    return visit.go(here, "contact_saved")


async def _found(visit: Visit) -> Contact:
    found = await visit.store.contacts.find(visit.account_id, int(visit.request.path_params["id"]))
    if found is None:
        raise Refused(NOT_FOUND)
    return found
