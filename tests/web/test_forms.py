"""Subscription forms and contact properties in the dashboard: every step a person takes, without script, in both languages."""

import msgspec
import pytest

from estafette.audience import ContactChange, ListAction, OptIn, PropertyKind, Segment, Trace
from estafette.clock import DAY_US
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.views import Role
from tests.web.conftest import Site, text_of
from tests.web.test_audience import new_list

FORM = {"name": "Footer", "language": "fr", "author": "news@acme.test", "title": "Nouvelles", "words": "Oui, je veux.", "is_double": "yes", "is_active": "yes"}


async def test_a_form_is_made_shown_changed_and_deleted(inside: Site) -> None:
    number = await new_list(inside)
    city = await inside.store.contacts.add_property(inside.account.id, "city", PropertyKind.STR, 0)
    assert city is not None
    page = await inside.get(inside.at("forms/new"))
    assert "checked" in page.css_first("input[name=is_double]").attributes, "double opt-in is on unless it is switched off"
    asked = {"ask": str(city.id), f"l-{city.id}": "Ville", f"r-{city.id}": "yes"}
    made = await inside.post(inside.at("forms"), order="save", list=str(number), **FORM, **asked)
    assert made.status_code == 303, made.text
    at = made.headers["location"].split("?")[0]
    page = await inside.get(at)
    [form] = await inside.store.sign_ups.all(inside.account.id)
    assert form.definition.questions[0].label == "Ville" and form.definition.is_double and len(form.key) >= 16
    html = page.css_first("textarea[readonly]").text()
    assert f"/f/{form.key}" in html and "<form" in html and "script" not in html and f"/f/{form.key}" in page.css_first("code").text()
    for _ in range(3):
        await inside.store.sign_ups.refuse(form.id)
    listed = text_of(await inside.get(inside.at("forms")))
    assert "Footer" in listed and "News" in listed and "3" in listed and "without confirmation" not in listed
    wrong = await inside.post(at, order="save", list="99", **{**FORM, "redirect": "javascript:alert(1)", "author": "boss@bank.test", "title": "<b>"})
    assert wrong.status_code == 422 and "Choose a list." in wrong.text and "verified sender" in wrong.text and "plain name of a host" in wrong.text
    assert "javascript:alert(1)" in wrong.text and "<b>" not in wrong.text
    assert (await inside.post(at, order="save", list=str(number), **{**FORM, "is_double": "", "is_active": ""})).status_code == 303
    listed = text_of(await inside.get(inside.at("forms")))
    assert "without confirmation" in listed and "off" in listed
    assert (await inside.post(at, order="delete")).status_code == 422
    assert (await inside.post(at, order="delete", sure="yes")).status_code == 303 and (await inside.client.get(at)).status_code == 404
    assert (await inside.post(inside.at("forms"), order="save", list=str(number), **{**FORM, "name": ""})).status_code == 422
    assert (await inside.post(inside.at("forms"), order="save", list="x" * 50)).status_code == 422


async def test_properties_are_made_renamed_and_deleted_with_what_they_touch(inside: Site) -> None:
    at = inside.at("properties")
    for wrong in ({"name": "1st"}, {"name": "a b"}, {"name": "ok", "kind": "x"}, {"name": "ok", "kind": "int", "fallback": "many"}):
        assert (await inside.post(at, **{"kind": "str", **wrong})).status_code == 422
    assert (await inside.post(at, name="city", kind="str", fallback="Paris")).status_code == 303
    assert (await inside.post(at, name="CITY", kind="str")).status_code == 422
    [city] = await inside.store.contacts.properties(inside.account.id)
    assert city.fallback == "Paris"
    number = await new_list(inside)
    changes = [ContactChange(f"p{n}@x.test", f"p{n}@x.test", properties={city.id: "Nantes"} if n < 2 else {}) for n in range(5)]
    await inside.store.contacts.apply(inside.account.id, changes, {number: ListAction.ADD_FORCE}, Trace("api"), 0)
    for name, expression in (("Locals", '(City = "Nantes")'), ("Others", '(capacity = "city")')):
        assert await inside.store.contacts.create_segment(Segment(0, inside.account.id, name, expression), 0)
    for title, subject in (("Draft", "Hello {{data:city:\"you\"}}"), ("Else", "Hello {{data:cityscape}}")):
        letter = msgspec.json.encode(Source(subject=subject)).decode()
        await inside.store.newsletters.create(Newsletter(0, inside.account.id, title, letter=letter), 0)
    await inside.post(inside.at("forms"), order="save", list=str(number), ask=str(city.id), **FORM)
    page = f"{at}/{city.id}"
    shown = text_of(await inside.get(page))
    assert "2 of 5 that were looked at" in shown and all(word in shown for word in ("Locals", "Draft", "Footer"))
    assert "Others" not in shown and "Else" not in shown
    assert (await inside.post(page, order="save", name="town", fallback="")).status_code == 303
    assert (await inside.post(page, order="save", name="not a name", fallback="")).status_code == 422
    [town] = await inside.store.contacts.properties(inside.account.id)
    assert (town.name, town.fallback, town.id) == ("town", None, city.id)
    assert (await inside.post(page, order="delete")).status_code == 422
    assert (await inside.post(page, order="delete", sure="yes")).status_code == 303
    assert (await inside.client.get(page)).status_code == 404 and await inside.store.contacts.properties(inside.account.id) == []
    assert (await inside.get(inside.at("forms"))) and (await inside.get(inside.at(f"forms/{(await inside.store.sign_ups.all(inside.account.id))[0].id}")))


@pytest.mark.parametrize("role", [Role.ANALYST, Role.SUPPORT, Role.DEVELOPER])
async def test_who_may_not_change_contacts_only_looks(inside: Site, role: Role) -> None:
    number = await new_list(inside)
    await inside.post(inside.at("forms"), order="save", list=str(number), **FORM)
    [form] = await inside.store.sign_ups.all(inside.account.id)
    [(user, _)] = await inside.store.users.members(inside.account.id)
    await inside.store.users.set_role(user.id, inside.account.id, role)
    for path in ("forms", f"forms/{form.id}", "properties"):
        assert (await inside.client.get(inside.at(path))).status_code == 200
        assert (await inside.post(inside.at(path), order="save", name="x", kind="str")).status_code == 403
    assert (await inside.client.get(inside.at("forms/new"))).status_code == 403
    assert await inside.store.contacts.properties(inside.account.id) == []


async def test_a_list_tells_how_many_wait(inside: Site) -> None:
    number, now = await new_list(inside), inside.clock.now_us()
    assert "wait" not in text_of(await inside.get(inside.at(f"lists/{number}")))
    for at in range(2):
        wanted = OptIn(0, inside.account.id, number, 0, f"p{at}@x.test", f"p{at}@x.test", "", {}, "en", "", "", now, now + DAY_US)
        await inside.store.consents.ask(wanted)
    assert "2 requests wait to be confirmed" in text_of(await inside.get(inside.at(f"lists/{number}")))
    inside.clock.advance(86_401)
    assert "wait" not in text_of(await inside.get(inside.at(f"lists/{number}")))


async def test_the_proofs_stand_on_the_contacts_page(inside: Site) -> None:
    number = await new_list(inside)
    jo = ContactChange("jo@x.test", "jo@x.test")
    trace = Trace("form", "form 1: Footer", "192.0.2.0", "Yes <b>please</b>", "too_many")
    ids = await inside.store.contacts.apply(inside.account.id, [jo], {number: ListAction.ADD_FORCE}, trace, 0)
    assert ids is not None
    page = f"contacts/{ids['jo@x.test']}"
    shown = text_of(await inside.get(inside.at(page)))
    assert "by a subscription form" in shown and "192.0.2.0" in shown and "Yes <b>please</b>" in shown and "too many mails" in shown
    file = await inside.post(inside.at(f"{page}/export"))
    kept = file.json()
    assert file.headers["content-disposition"].startswith("attachment") and (kept["address"], kept["lists"][0]["list"]) == ("jo@x.test", "News")
    assert kept["consent"][0]["words"] == "Yes <b>please</b>" and kept["consent"][0]["ip"] == "192.0.2.0" and kept["blocks"] == kept["messages"] == []
    for at in range(60):
        await inside.store.contacts.apply(inside.account.id, [jo], {number: (ListAction.UNSUBSCRIBE, ListAction.ADD_FORCE)[at % 2]}, Trace("api"), at)
    older = (await inside.get(inside.at(page))).css_first("a[rel=next]").attributes["href"]
    assert "by a subscription form" in text_of(await inside.get(str(older)))
