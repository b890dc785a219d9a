"""Subscription forms and proofs of consent by API."""

import msgspec

from estafette.api import shapes
from estafette.audience import ContactChange, ListAction, PropertyKind, Trace
from tests.api.conftest import Api

AUTH = ("key1", "s3cret")
QUESTION = {"Property": "City", "Label": "Ville", "IsRequired": True}
GIVEN = {"Name": "Footer", "Language": "fr", "Author": "news@acme.test", "Words": "Oui", "Questions": [QUESTION]}


async def made(api: Api) -> int:
    """A list, and the property that is asked for."""
    found = await api.store.contacts.create_list(api.account.id, "News", "aa", 0)
    assert found is not None and await api.store.contacts.add_property(api.account.id, "city", PropertyKind.STR, 0)
    return found.id


async def test_a_form_is_made_read_changed_and_deleted(api: Api) -> None:
    number, client = await made(api), api.client()
    created = await client.post("/v1/estafette/forms", auth=AUTH, json={**GIVEN, "listid": number})
    form = msgspec.convert(created.json(), shapes.Form)
    assert (created.status_code, form.ListID, form.DoubleOptIn, form.IsActive, form.Asked) == (200, number, True, True, 0)
    assert form.Questions == [shapes.FormQuestion("city", "Ville", True)]
    assert form.Url.startswith("https://mail.acme.test/f/") and f'action="{form.Url}"' in form.Snippet and "<script" not in form.Snippet
    path = f"/v1/estafette/forms/{form.ID}"
    assert (await client.get(path, auth=AUTH)).json() == created.json()
    changed = await client.put(path, auth=AUTH, json={"Title": "Nouvelles", "DoubleOptIn": False, "IsActive": False})
    assert changed.status_code == 200 and changed.json() == {**created.json(), "Title": "Nouvelles", "DoubleOptIn": False, "IsActive": False,
                                                             "UpdatedAt": changed.json()["UpdatedAt"]}  # fmt: skip
    listed = (await client.get("/v1/estafette/forms", auth=AUTH)).json()
    assert listed == {"Count": 1, "Data": [changed.json()]} and msgspec.convert(listed, shapes.Forms).Count == 1
    assert (await client.delete(path, auth=AUTH)).status_code == 204
    assert [(await client.request(method, path, auth=AUTH, json={})).status_code for method in ("GET", "PUT", "DELETE")] == [404, 404, 404]
    assert (await client.get("/v1/estafette/forms")).status_code == 401


async def test_everything_that_is_wrong_is_named_at_once(api: Api) -> None:
    number, client = await made(api), api.client()

    async def problems(**changed: object) -> list[str]:
        answer = await client.post("/v1/estafette/forms", auth=AUTH, json={**GIVEN, "ListID": number, **changed})
        assert answer.status_code == 400, answer.text
        return sorted(answer.json().get("ErrorRelatedTo", []))

    assert await problems(Name="", ListID=99, Author="boss@bank.example") == ["Author", "ListID", "Name"]
    assert await problems(Language="de", Author="boss@bank.example") == ["Author", "Language"]
    assert await problems(Language="de", Author="x", Redirect="javascript:alert(1)", Intro="x" * 1001) == ["Author", "Intro", "Language", "Redirect"]
    for redirect in ("//evil", "https://user@shop.example/", "https://a.example;sandbox/", "https://a.example\\@b/", "https://[::1]/", "http:///x"):
        assert await problems(Redirect=redirect) == ["Redirect"], redirect
    assert await problems(DoubleOptIn="yes", AsksName=1) == ["AsksName", "DoubleOptIn"]
    assert await problems(Questions=[{"Property": "nobody"}]) == ["Questions"] == await problems(Questions="x")
    assert await problems(Questions=[{"Property": "city"}] * 2) == ["Questions"] == await problems(Questions=[{"Property": "city"}] * 21)
    assert await problems(Colour="red") == ["colour"] and await problems(IsActive="x", ListID="1", Name=5) == ["IsActive", "ListID", "Name"]
    for body in (b"", b"[]", b"{", b'"x"', b"x" * 70_000):
        assert (await client.post("/v1/estafette/forms", auth=AUTH, content=body)).status_code in (400, 413)
    assert (await client.get("/v1/estafette/forms", auth=AUTH)).json()["Count"] == 0


async def test_the_proofs_of_a_person(api: Api) -> None:
    number, client = await made(api), api.client()
    jo = ContactChange("jo@x.test", "jo@x.test")
    for at, action in enumerate((ListAction.ADD_FORCE, ListAction.UNSUBSCRIBE)):
        ids = await api.store.contacts.apply(api.account.id, [jo], {number: action}, Trace("form", "form 1", "192.0.2.0", "yes", "too_many"), at)
    assert ids is not None
    path = f"/v1/estafette/contacts/{ids['jo@x.test']}/consents"
    found = msgspec.convert((await client.get(path, auth=AUTH)).json(), shapes.Consents)
    assert [one.Act for one in found.Data] == ["unsubscribed", "subscribed"] and found.Data[0].Reason == "too_many" and found.Data[1].IP == "192.0.2.0"
    older = await client.get(f"{path}?limit=1&before={found.Data[0].ID}", auth=AUTH)
    assert [one["Act"] for one in older.json()["Data"]] == ["subscribed"]
    assert [(await client.get(f"{path}{query}", auth=AUTH)).status_code for query in ("?limit=x", "?limit=1001", "?before=x")] == [400, 400, 400]
    assert (await client.get("/v1/estafette/contacts/99/consents", auth=AUTH)).status_code == 404
