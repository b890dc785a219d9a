"""S9, segments: an expression is written, its mistake is shown with the place, a bounded sample is counted, and one contact is judged: why in, why out."""

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from estafette.audience import Segment
from estafette.clock import DAY_US, to_datetime
from estafette.mail.address import AddressError, parse
from estafette.model import EventKind
from estafette.newsletters import segment_language as language
from estafette.newsletters.audience import Segment as Judge
from estafette.newsletters.audience import kinds_of, person_of, selected
from estafette.newsletters.conductor import VISITS_SINCE_DAYS
from estafette.newsletters.segment_language import SegmentError
from estafette.newsletters.segment_meaning import Reason, reasons
from estafette.nouns import Member
from estafette.web.desk import NOT_FOUND, Refused, Visit

MAX_NAME: Final = 100
SAMPLE: Final = 1000
"""So many contacts the count is made of: of the account, the oldest."""


async def segments(visit: Visit) -> Response:
    """All of them."""
    return await _all(visit)


async def _all(visit: Visit, status: int = 200, problem: str = "") -> Response:
    found = [one for one in await visit.store.contacts.segments(visit.account_id) if one.deleted_at is None]
    return visit.page("segments.html", status, segments=found, problem=problem, name=visit.given("name", MAX_NAME))


async def create(visit: Visit) -> Response:
    """A new one; its page opens, where the expression is written."""
    name = visit.given("name", MAX_NAME)
    made = await visit.store.contacts.create_segment(Segment(0, visit.account_id, name, ""), visit.now) if name else None
    if made is None:
        return await _all(visit, 422, "name" if name else "empty")
    await visit.note("segment.add", name)
    return visit.go(visit.url(f"segments/{made.id}"))


async def segment(visit: Visit) -> Response:
    """The expression, how many of a sample are in it, and why one contact is or is not."""
    found = await _found(visit)
    return await _one(visit, found, found.expression)


async def _one(visit: Visit, found: Segment, expression: str, status: int = 200, problem: str = "") -> Response:
    properties = await visit.store.contacts.properties(visit.account_id)
    judge, mistake = None, None
    kinds, names = kinds_of(properties)
    if expression:
        try:
            tree = language.parse(expression)
            language.check(tree, kinds)
            judge = Judge(tree, kinds, names)
        except SegmentError as error:
            mistake = error
    members, chosen = await _sample(visit, judge) if judge is not None else ([], [])
    address = visit.query("address", 320)
    is_in, why = await _why(visit, judge, address) if judge is not None and address else (None, [])
    at = mistake.at if mistake is not None else 0
    return visit.page(
        "segment.html", status, one=found, expression=expression, mistake=mistake,
        before=expression[:at], wrong=expression[at : at + 20], sample=len(members), chosen=chosen, address=address, is_in=is_in, why=why,
        properties=properties, functions=sorted(language.FUNCTIONS), problem=problem,
    )  # fmt: skip


async def change(visit: Visit) -> Response:
    """Keep another name and expression, or delete it. A wrong expression is not kept."""
    found = await _found(visit)
    if visit.given("order") == "delete":
        if visit.given("sure") != "yes":
            return await _one(visit, found, found.expression, 422, "sure")
        await visit.store.contacts.update_segment(replace(found, deleted_at=visit.now))
        await visit.note("segment.delete", found.name)
        return visit.go(visit.url("segments"), "segment_deleted")
    name, expression = visit.given("name", MAX_NAME), visit.given("expression", language.MAX_LENGTH + 1)
    kinds, _ = kinds_of(await visit.store.contacts.properties(visit.account_id))
    try:
        language.check(language.parse(expression), kinds)
    except SegmentError:
        return await _one(visit, found, expression, 422)
    if not name or not await visit.store.contacts.update_segment(replace(found, name=name, expression=expression)):
        return await _one(visit, found, expression, 422, "name" if name else "empty")
    await visit.note("segment.write", name, expression[:300])
    return visit.go(visit.url(f"segments/{found.id}"), "segment_saved")


async def _visits(visit: Visit, judge: Judge, keys: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    if not judge.asks_for_visits or not keys:
        return {}, {}
    since, shelf = visit.now - VISITS_SINCE_DAYS * DAY_US, visit.store.newsletters
    opens = await shelf.last_visits(visit.account_id, keys, EventKind.OPENED.value, since)
    return opens, await shelf.last_visits(visit.account_id, keys, EventKind.CLICKED.value, since)


async def _sample(visit: Visit, judge: Judge) -> tuple[list[Member], list[Member]]:
    """(contacts that were looked at, those of them who are in)."""
    page = await visit.store.contacts.page(visit.account_id, limit=SAMPLE)
    members = [Member(one.id, one.address, one.address_key, one.name, one.properties) for one in page]
    opens, clicks = await _visits(visit, judge, [one.address_key for one in members])
    return members, selected(members, judge, opens, clicks, visit.now)


async def _why(visit: Visit, judge: Judge, address: str) -> tuple[bool | None, list[Reason]]:
    """Whether the contact is in, None when there is none, and every comparison with its outcome."""
    try:
        one = await visit.store.contacts.find_address(visit.account_id, parse(address).key)
    except AddressError:
        one = None
    if one is None:
        return None, []
    member = Member(one.id, one.address, one.address_key, one.name, one.properties)
    opens, clicks = await _visits(visit, judge, [one.address_key])
    person = person_of(member, judge, opens, clicks)
    return bool(selected([member], judge, opens, clicks, visit.now)), reasons(judge.tree, person, judge.kinds, to_datetime(visit.now))


async def _found(visit: Visit) -> Segment:
    number = int(visit.request.path_params["id"])
    found = next((one for one in await visit.store.contacts.segments(visit.account_id) if one.id == number and one.deleted_at is None), None)
    if found is None:
        raise Refused(NOT_FOUND)
    return found
