"""S9, subscription forms: made, edited, counted, and given out as a page and as HTML for other pages."""

from typing import Any, Final

from starlette.responses import Response

from estafette.audience import ContactList, FormDefinition, PropertyKind, SignUpForm
from estafette.signup.book import FormBook, address_of
from estafette.signup.forms import WrongForm
from estafette.signup.pages import snippet
from estafette.web.desk import MAX_FORM_BYTES, NOT_FOUND, Refused, Visit
from estafette.web.languages import marked as _

MAX_ASKED: Final = 40
"""So many properties can be chosen from on the page; by API all can."""
LANGUAGES: Final = {"fr": "Français", "en": "English"}
FIELDS: Final = ("language", "author", "author_name", "title", "intro", "words", "redirect")
PROBLEMS: Final = {
    "name": _("Give the form a name of at most 100 characters."),
    "list_id": _("Choose a list."),
    "language": _("Choose a language."),
    "author": _("The author must be a verified sender of this account."),
    "redirect": _("The address to go to must begin with http:// or https:// and a plain name of a host."),
    "questions": _("At most 20 properties can be asked for."),
}


async def forms(visit: Visit) -> Response:
    """All of them, with what came of each."""
    return visit.page("forms.html", forms=await visit.store.sign_ups.all(visit.account_id), lists={one.id: one.name for one in await _lists(visit)})


async def new(visit: Visit) -> Response:
    """An empty form to fill in."""
    return await _edit(visit, None, _empty(visit))


async def create(visit: Visit) -> Response:
    """Make it; its page opens."""
    name, list_id, given, is_active = _given(visit)
    try:
        made = await FormBook(visit.store, visit.desk.clock).create(visit.account_id, name, list_id, given, is_active=is_active)
    except WrongForm as wrong:
        return await _edit(visit, None, _shown(visit, given, name, list_id, is_active), wrong)
    await visit.note("form.add", name)
    return visit.go(visit.url(f"forms/{made.id}"), "form_saved")


async def form(visit: Visit) -> Response:
    """Counts, address, HTML, and everything that can be changed."""
    found = await _found(visit)
    return await _edit(visit, found, found)


async def change(visit: Visit) -> Response:
    """Save it, or delete it."""
    found = await _found(visit)
    if visit.given("order") == "delete":
        if visit.given("sure") != "yes":
            return await _edit(visit, found, found, WrongForm({"sure": ""}))
        await visit.store.sign_ups.delete(visit.account_id, found.id, visit.now)
        await visit.note("form.delete", found.name)
        return visit.go(visit.url("forms"), "form_deleted")
    if visit.given("order") != "save":
        raise Refused(400)
    name, list_id, given, is_active = _given(visit)
    try:
        changed = await FormBook(visit.store, visit.desk.clock).change(found, name, list_id, given, is_active=is_active)
    except WrongForm as wrong:
        return await _edit(visit, found, _shown(visit, given, name, list_id, is_active), wrong)
    if changed is None:
        raise Refused(NOT_FOUND)
    await visit.note("form.change", name)
    return visit.go(visit.url(f"forms/{found.id}"), "form_saved")


async def _edit(visit: Visit, kept: SignUpForm | None, shown: SignUpForm, wrong: WrongForm | None = None) -> Response:
    """`kept`: the form as it is in the store, `shown`: as it stands in the fields."""
    known = await visit.store.contacts.properties(visit.account_id)
    url = address_of(kept, visit.desk.config.tracking.url) if kept is not None else ""
    asked = {one.property_id: one for one in shown.definition.questions}
    problems = wrong.problems if wrong is not None else {}
    waiting = await visit.store.consents.waiting(visit.account_id, list_id=kept.list_id, now=visit.now, limit=1000) if kept is not None else []
    return visit.page(
        "form.html", 422 if wrong else 200, kept=kept, one=shown, d=shown.definition, url_of_form=url, problems=problems, problem_words=PROBLEMS,
        html=snippet(kept.definition, known, url) if kept is not None else "", lists=await _lists(visit), languages=LANGUAGES, asked=asked,
        properties=sorted(known, key=lambda p: (p.id not in asked, p.id))[:MAX_ASKED], bool_kind=PropertyKind.BOOL,
        waiting=sum(one.form_id == kept.id for one in waiting) if kept is not None else 0,
    )  # fmt: skip


def _given(visit: Visit) -> tuple[str, int, dict[str, Any], bool]:
    """(name, list, definition as `read_definition` takes it, is active)."""
    given: dict[str, Any] = {name: visit.given(name, MAX_FORM_BYTES).replace("\r\n", "\n") for name in FIELDS}
    given |= {name: visit.given(name) == "yes" for name in ("asks_name", "is_double")}
    asked = [visit.number(value) for value in visit.form.get("ask", [])]
    given["questions"] = [{"property_id": number, "label": visit.given(f"l-{number}", MAX_FORM_BYTES), "is_required": visit.given(f"r-{number}") == "yes"}
                          for number in asked]  # fmt: skip
    return visit.given("name", 1000), visit.number(visit.given("list", 20)), given, visit.given("is_active") == "yes"


def _shown(visit: Visit, given: dict[str, Any], name: str, list_id: int, is_active: bool) -> SignUpForm:
    """What was given, whatever is wrong with it, to be shown again. The questions are chosen anew."""
    definition = FormDefinition(**{key: value for key, value in given.items() if key != "questions"})
    return SignUpForm(0, visit.account_id, "", name, list_id, definition, is_active)


def _empty(visit: Visit) -> SignUpForm:
    return SignUpForm(0, visit.account_id, "", "", visit.number(visit.query("list", 20)), FormDefinition(visit.language, ""))


async def _lists(visit: Visit) -> list[ContactList]:
    return [one for one in await visit.store.contacts.lists(visit.account_id) if one.deleted_at is None]


async def _found(visit: Visit) -> SignUpForm:
    found = await visit.store.sign_ups.find(visit.account_id, int(visit.request.path_params["id"]))
    if found is None:
        raise Refused(NOT_FOUND)
    return found
