"""S9, the properties that an account keeps of its contacts: named, of a kind, with a word for who has no value; deleted when it was shown what that touches."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from estafette.audience import ContactProperty, PropertyKind, PropertyValue, Segment, SignUpForm
from estafette.newsletters.contact_values import MAX_PROPERTIES, WrongValue, is_name, read_value, shown_value
from estafette.newsletters.life import State
from estafette.newsletters.segment_language import SegmentError, parse, properties_of
from estafette.nouns import Newsletter
from estafette.web.desk import NOT_FOUND, Refused, Visit
from estafette.web.languages import marked as _

SAMPLE: Final = 10_000
"""So many contacts are looked at to tell how many have a value: of the account, the oldest."""
NEWSLETTERS: Final = 200
MAX_TEXT: Final = 1000
KINDS: Final = {
    PropertyKind.STR: _("text"),
    PropertyKind.INT: _("whole number"),
    PropertyKind.FLOAT: _("number"),
    PropertyKind.DATETIME: _("date"),
    PropertyKind.BOOL: _("yes or no"),
}


@dataclass(frozen=True, slots=True)
class Touched:
    """What would be different without a property."""

    having: int  # contacts that have a value, among those looked at
    looked_at: int
    segments: list[Segment]
    forms: list[SignUpForm]
    newsletters: list[Newsletter]  # that were not sent yet


async def properties(visit: Visit) -> Response:
    """All of them."""
    return await _all(visit)


async def _all(visit: Visit, status: int = 200, problem: str = "") -> Response:
    rows = [(one, _fallback(one)) for one in await visit.store.contacts.properties(visit.account_id)]
    given = {name: visit.given(name, MAX_TEXT) for name in ("name", "kind", "fallback")}
    return visit.page("properties.html", status, rows=rows, problem=problem, given=given, kinds=KINDS, is_full=len(rows) >= MAX_PROPERTIES)


async def create(visit: Visit) -> Response:
    """A new one."""
    name, kind = visit.given("name", MAX_TEXT), visit.given("kind", 20)
    if not is_name(name):
        return await _all(visit, 422, "name")
    if kind not in tuple(PropertyKind):
        return await _all(visit, 422, "kind")
    fallback = _read(PropertyKind(kind), visit.given("fallback", MAX_TEXT))
    if isinstance(fallback, WrongValue):
        return await _all(visit, 422, "fallback")
    if len(await visit.store.contacts.properties(visit.account_id)) >= MAX_PROPERTIES:
        return await _all(visit, 422, "full")
    made = await visit.store.contacts.add_property(visit.account_id, name, PropertyKind(kind), visit.now)
    if made is None:
        return await _all(visit, 422, "taken")
    if fallback is not None:
        await visit.store.contacts.set_fallback(visit.account_id, made.id, fallback)
    await visit.note("property.add", name)
    return visit.go(visit.url("properties"), "property_saved")


async def one_property(visit: Visit) -> Response:
    """One, with what it touches."""
    return await _one(visit, await _found(visit))


async def _one(visit: Visit, found: ContactProperty, status: int = 200, problem: str = "") -> Response:
    fallback = visit.given("fallback", MAX_TEXT) if problem else _fallback(found)
    return visit.page("property.html", status, one=found, touched=await _touched(visit, found), kinds=KINDS, problem=problem, fallback=fallback, sample=SAMPLE)


async def change(visit: Visit) -> Response:
    """Another name or word for who has no value; or delete it."""
    found, shelf = await _found(visit), visit.store.contacts
    match visit.given("order"):
        case "save":
            name = visit.given("name", MAX_TEXT)
            fallback = _read(found.kind, visit.given("fallback", MAX_TEXT))
            if isinstance(fallback, WrongValue):
                return await _one(visit, found, 422, "fallback")
            if name != found.name and (not is_name(name) or not await shelf.rename_property(visit.account_id, found.id, name)):
                return await _one(visit, found, 422, "taken" if is_name(name) else "name")
            await shelf.set_fallback(visit.account_id, found.id, fallback)
            await visit.note("property.change", found.name, name)
            return visit.go(visit.url(f"properties/{found.id}"), "property_saved")
        case "delete":
            if visit.given("sure") != "yes":
                return await _one(visit, found, 422, "sure")
            await shelf.drop_property(visit.account_id, found.id, visit.now)
            await visit.note("property.delete", found.name)
            return visit.go(visit.url("properties"), "property_deleted")
        case _:
            raise Refused(400)


async def _touched(visit: Visit, found: ContactProperty) -> Touched:
    having, looked_at = await visit.store.contacts.having(visit.account_id, found.id, SAMPLE)
    segments = [one for one in await visit.store.contacts.segments(visit.account_id) if one.deleted_at is None and _asks(one.expression, found.name)]
    forms = [one for one in await visit.store.sign_ups.all(visit.account_id) if any(q.property_id == found.id for q in one.definition.questions)]
    tag = re.compile(rf"data:{re.escape(found.name)}(?![\w.-])", re.I)
    newest = await visit.store.newsletters.newest(visit.account_id, limit=NEWSLETTERS)
    waiting = [one for one in newest if one.state in (State.DRAFT, State.SCHEDULED) and tag.search(one.letter)]
    return Touched(having, looked_at, segments, forms, waiting)


def _asks(expression: str, name: str) -> bool:
    """Whether a segment's expression asks for a property; one that cannot be read asks for nothing."""
    try:
        return name.lower() in {one.lower() for one in properties_of(parse(expression))}
    except SegmentError:
        return False


def _read(kind: PropertyKind, text: str) -> PropertyValue | WrongValue | None:
    """The value that was typed; None for nothing."""
    try:
        return read_value(kind, text or None)
    except WrongValue as wrong:
        return wrong


def _fallback(one: ContactProperty) -> str:
    return "" if one.fallback is None else shown_value(one.kind, one.fallback)


async def _found(visit: Visit) -> ContactProperty:
    number = int(visit.request.path_params["id"])
    found = next((one for one in await visit.store.contacts.properties(visit.account_id) if one.id == number), None)
    if found is None:
        raise Refused(NOT_FOUND)
    return found
