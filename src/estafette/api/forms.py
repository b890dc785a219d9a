"""`/v1/estafette/forms`: subscription forms; `/v1/estafette/contacts/{id}/consents`: the proofs of one person."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from estafette.api.body import Hold, read_body
from estafette.api.desk import Desk, answer
from estafette.api.errors import CallRefused, Problem
from estafette.api.feed import given_in
from estafette.api.query import message_id_of, number
from estafette.audience import ConsentAct, ContactProperty, SignUpForm
from estafette.clock import to_iso
from estafette.model import Account
from estafette.signup.book import FormBook, address_of
from estafette.signup.forms import WrongForm
from estafette.signup.pages import snippet

MAX_BODY: Final = 65_536
NO_FORM: Final = Problem("", 404, "There is no such form.")
NO_CONTACT: Final = Problem("", 404, "There is no such contact.")
TEXTS: Final = {
    "language": "Language", "author": "Author", "author_name": "AuthorName", "title": "Title", "intro": "Intro", "words": "Words", "redirect": "Redirect",
}  # fmt: skip
FLAGS: Final = {"asks_name": "AsksName", "is_double": "DoubleOptIn"}
NAMES: Final = {**TEXTS, **FLAGS, "questions": "Questions", "name": "Name", "list_id": "ListID", "is_active": "IsActive"}


async def forms(desk: Desk, request: Request, account: Account) -> Response:
    """GET: all forms of the account. POST: a new one."""
    if request.method == "POST":
        given = await _given(desk, request)
        known = await desk.store.contacts.properties(account.id)
        name, list_id, is_active, definition = _read(given, known)
        try:
            made = await FormBook(desk.store, desk.clock).create(account.id, name, list_id, definition, is_active=is_active)
        except WrongForm as wrong:
            raise _refused(wrong) from None
        return answer(200, _row(desk, made, known))
    known = await desk.store.contacts.properties(account.id)
    rows = [_row(desk, one, known) for one in await desk.store.sign_ups.all(account.id)]
    return answer(200, {"Count": len(rows), "Data": rows})


async def form(desk: Desk, request: Request, account: Account) -> Response:
    """GET, PUT (what is not given stays) and DELETE of one."""
    found = await desk.store.sign_ups.find(account.id, message_id_of(str(request.path_params["id"])) or 0)
    if found is None:
        raise CallRefused(NO_FORM)
    known = await desk.store.contacts.properties(account.id)
    if request.method == "DELETE":
        await desk.store.sign_ups.delete(account.id, found.id, desk.clock.now_us())
        return Response(status_code=204)
    if request.method == "PUT":
        name, list_id, is_active, definition = _read({**_writable(found, known), **await _given(desk, request)}, known)
        try:
            changed = await FormBook(desk.store, desk.clock).change(found, name, list_id, definition, is_active=is_active)
        except WrongForm as wrong:
            raise _refused(wrong) from None
        if changed is None:
            raise CallRefused(NO_FORM)
        found = changed
    return answer(200, _row(desk, found, known))


async def consents(desk: Desk, request: Request, account: Account) -> Response:
    """The proofs of one person, newest first."""
    contact = await desk.store.contacts.find(account.id, message_id_of(str(request.path_params["id"])) or 0)
    if contact is None:
        raise CallRefused(NO_CONTACT)
    given = given_in(request)
    before = message_id_of(given["before"]) if "before" in given else 2**62
    if before is None:
        raise CallRefused(Problem("", 400, 'Invalid value for "before": an ID is expected.'))
    acts = await desk.store.consents.acts(account.id, contact.id, before=before, limit=number(given, "limit", 100, 1000))
    return answer(200, {"Count": len(acts), "Data": [_act(one) for one in acts]})


async def _given(desk: Desk, request: Request) -> dict[str, Any]:
    """The body, with names in lower case. Raises CallRefused."""
    with Hold(desk.budget) as hold:
        body = await read_body(request, hold, MAX_BODY, desk.body_within_s)
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise CallRefused(Problem("mj-0002", 400, f"The body is not JSON: {error}")) from None
    if not isinstance(found, dict):
        raise CallRefused(Problem("mj-0002", 400, "The body is not a JSON object."))
    return {name.lower(): value for name, value in found.items()}


def _read(given: Mapping[str, Any], properties: list[ContactProperty]) -> tuple[str, int, bool, dict[str, Any]]:
    """(name, list, is active, the rest as `read_definition` takes it). Raises CallRefused for what has not its type or is no property."""
    by_wire = {wire.lower(): name for name, wire in NAMES.items()}
    unknown = sorted(name for name in given if name not in by_wire)
    if unknown:
        raise _refused(WrongForm({name[:100]: "there is no such property" for name in unknown}))
    found = {by_wire[name]: value for name, value in given.items()}
    name, list_id, is_active = found.pop("name", ""), found.pop("list_id", 0), found.pop("is_active", True)
    problems = {"name": "a text is expected"} if not isinstance(name, str) else {}
    if not isinstance(list_id, int) or isinstance(list_id, bool):
        problems["list_id"] = "a number is expected"
    if not isinstance(is_active, bool):
        problems["is_active"] = "true or false is expected"
    questions = found.get("questions", [])
    if isinstance(questions, list):
        ids = {one.name.lower(): one.id for one in properties}
        found["questions"] = [_question(entry, ids) for entry in questions]
    if problems:
        raise _refused(WrongForm(problems))
    return name.strip(), list_id, is_active, found


def _question(entry: object, ids: Mapping[str, int]) -> object:
    if not isinstance(entry, dict):
        return entry
    given = {str(name).lower(): value for name, value in entry.items()}
    return {"property_id": ids.get(str(given.get("property", "")).lower()), "label": given.get("label", ""), "is_required": given.get("isrequired", False)}


def _refused(wrong: WrongForm) -> CallRefused:
    text = "; ".join(f'"{NAMES.get(name, name)}": {problem}' for name, problem in wrong.problems.items())
    return CallRefused(Problem("mj-0005", 400, text, tuple(NAMES.get(name, name) for name in wrong.problems)))


def _writable(one: SignUpForm, properties: list[ContactProperty]) -> dict[str, Any]:
    """What a PUT that says nothing leaves, in the names of the wire in lower case."""
    return {name.lower(): value for name, value in _shown(one, properties).items()}


def _shown(one: SignUpForm, properties: list[ContactProperty]) -> dict[str, Any]:
    names = {p.id: p.name for p in properties}
    asked = [{"Property": names[q.property_id], "Label": q.label, "IsRequired": q.is_required} for q in one.definition.questions if q.property_id in names]
    plain = {wire: getattr(one.definition, name) for name, wire in (TEXTS | FLAGS).items()}
    return {"Name": one.name, "ListID": one.list_id, "IsActive": one.is_active, **plain, "Questions": asked}


def _row(desk: Desk, one: SignUpForm, properties: list[ContactProperty]) -> dict[str, Any]:
    url = address_of(one, desk.links_url or desk.public_url)
    counts = {"Asked": one.asked, "Confirmed": one.confirmed, "Refused": one.refused, "CreatedAt": to_iso(one.created_at), "UpdatedAt": to_iso(one.updated_at)}
    return {"ID": one.id, **_shown(one, properties), "Url": url, "Snippet": snippet(one.definition, properties, url), **counts}


def _act(one: ConsentAct) -> dict[str, object]:
    t = one.trace
    return {"ID": one.id, "At": to_iso(one.at), "Act": one.act.value, "ListID": one.list_id, "ListName": one.list_name, "Source": t.source,
            "Evidence": t.evidence, "IP": t.ip, "Words": t.words, "Reason": t.reason}  # fmt: skip
