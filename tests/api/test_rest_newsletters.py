"""Newsletters over REST v3 (contract 5.5): campaigndraft, its content, test, send, schedule."""

from typing import Any

import msgspec
import pytest

from estafette.accept.ids import IdMaker
from estafette.audience import ContactChange, ListAction, Trace
from estafette.newsletters.conductor import Conductor
from estafette.newsletters.jobs import Jobber
from tests.api.conftest import SECRET, Api
from tests.api.test_rest_contacts import made, rows
from tests.newsletters.test_sheets import workbook

DRAFT: dict[str, Any] = {"Locale": "fr_FR", "Sender": "Acme", "SenderEmail": "news@acme.test", "Subject": "Hello {{data:nick:'you'}}"}


async def draft(api: Api, **changes: Any) -> dict[str, Any]:
    made_list = await made(api, "contactslist", Name=f"L{len(await rows(api, 'contactslist'))}")
    changes_of = [ContactChange(f"p{n}@example.net", f"p{n}@example.net") for n in range(3)]
    await api.store.contacts.apply(api.account.id, changes_of, {made_list["ID"]: ListAction.ADD_FORCE}, Trace("test"), api.clock.now_us())
    return await made(api, "campaigndraft", **({**DRAFT, "ContactsListID": made_list["ID"]} | changes))


async def put(api: Api, verb: str, path: str, body: object = None) -> dict[str, Any]:
    answer = await api.rest(verb, path, body)
    assert answer.status_code in (200, 201), answer.text
    row: dict[str, Any] = answer.json()["Data"][0]
    return row


async def test_a_draft_and_its_content(api: Api) -> None:
    one = await draft(api, Title="Autumn", ReplyEmail="Jo@Acme.test")
    shown = [one[name] for name in ("Status", "Title", "SenderName", "SenderEmail", "ReplyEmail", "EditMode", "Used", "CampaignID")]
    assert shown == [0, "Autumn", "Acme", "news@acme.test", "Jo@acme.test", "html2", False, 0]
    path = f"campaigndraft/{one['ID']}"
    content = await put(api, "POST", f"{path}/detailcontent", {"Html-part": "<p>Hi</p>", "Text-part": "Hi", "Headers": {"X-Shop": "7", "Subject": "New"}})
    assert content == {"Html-part": "<p>Hi</p>", "Text-part": "Hi", "MJMLContent": "", "Headers": {"X-Shop": "7"}}
    kept = await put(api, "PUT", f"{path}/detailcontent", {"Text-part": "Ho"})
    assert (kept["Html-part"], kept["Text-part"], kept["Headers"]) == ("<p>Hi</p>", "Ho", {"X-Shop": "7"})
    emptied = await put(api, "POST", f"{path}/detailcontent", {"MJMLContent": "<mjml><mj-body><mj-text>Hé</mj-text></mj-body></mjml>"})
    assert "Hé" in emptied["Html-part"] and (emptied["Text-part"], emptied["Headers"]) == ("", {})
    again = await put(api, "PUT", f"{path}/detailcontent", {"MJMLContent": "<mjml></mjml>"})
    assert again["Html-part"] == emptied["Html-part"], "changing MJML does not make the HTML again"
    assert (await rows(api, path))[0]["Subject"] == "New"
    assert (await api.rest("PUT", path, {"Title": "Autumn"})).status_code == 304
    assert (await put(api, "PUT", path, {"Status": -1, "IsStarred": True}))["IsArchived"] is True
    assert [row["ID"] for row in await rows(api, "newsletter", IsArchived="true")] == [one["ID"]]
    assert await rows(api, "campaigndraft", Status="0") == []
    for wrong in ({"Headers": {"Bcc": "x@y.test"}}, {"Headers": {"From": "nobody"}}, {"Html-part": 7}, {"MJMLContent": "<mjml><mj-nothing/>", "Html-part": ""}):
        assert (await api.rest("PUT", f"{path}/detailcontent", wrong)).status_code == 400, wrong
    other = await api.another("other", "key2")
    for verb, what in (("GET", path), ("PUT", path), ("GET", f"{path}/detailcontent"), ("POST", f"{path}/send"), ("GET", f"{path}/status")):
        assert (await other.rest(verb, what, {} if verb != "GET" else None)).status_code == 404


@pytest.mark.parametrize(("change", "name"), [({"SenderEmail": "x"}, "SenderEmail"), ({"Subject": ""}, "Subject"), ({"ReplyEmail": "x"}, None),
                                              ({"EditMode": "paper"}, "EditMode"), ({"Status": 2}, "Status"), ({"TemplateID": 7}, "TemplateID"),
                                              ({"ContactsListID": -1}, "ContactsListID")])  # fmt: skip
async def test_drafts_that_are_none(api: Api, change: dict[str, Any], name: str | None) -> None:
    answer = await api.rest("POST", "campaigndraft", {**DRAFT, "ContactsListID": 1} | change)
    assert answer.status_code == 400 and (name is None or name in answer.json()["ErrorInfo"]), answer.text


async def test_it_is_tried_scheduled_called_back_and_sent(api: Api) -> None:
    one = await draft(api)
    path = f"campaigndraft/{one['ID']}"
    refused = await api.rest("POST", f"{path}/send")
    assert (refused.status_code, list(refused.json()["ErrorInfo"])) == (400, ["texts_missing"])
    await put(api, "POST", f"{path}/detailcontent", {"Html-part": "<p>Hi {{data:nick:'you'}}</p>"})
    assert await put(api, "POST", f"{path}/test", {"Recipients": [{"Email": "boss@example.net", "Name": "B"}]}) == {"Status": "draft"}
    [tried] = await api.sent()
    assert (tried.recipient, b"boss@example.net" in (await api.content(tried)).raw) == ("boss@example.net", True)
    assert (await api.rest("GET", f"{path}/schedule")).status_code == 404
    assert (await api.rest("POST", f"{path}/schedule", {"Date": "2001-01-01T00:00:00Z"})).status_code == 400
    assert await put(api, "POST", f"{path}/schedule", {"Date": "2030-01-02T03:04:05+01:00"}) == {"Date": "2030-01-02T02:04:05Z", "Status": "programmed"}
    assert await put(api, "PUT", f"{path}/schedule", {"Date": "2030-01-03T00:00:00Z"}) == {"Date": "2030-01-03T00:00:00Z", "Status": "programmed"}
    assert (await api.rest("PUT", path, {"Subject": "x"})).status_code == 400, "called back first"
    assert (await api.rest("DELETE", f"{path}/schedule")).status_code == 204
    assert (await rows(api, f"{path}/status")) == [{"Status": "draft"}]
    assert await put(api, "POST", f"{path}/send") == {"Status": "programmed"}

    conductor = Conductor(api.store, api.clock, 1, IdMaker(1).next, lambda: None, 3600.0)
    while await conductor.step():
        pass
    await conductor.step()
    [campaign] = await api.store.campaigns.page(api.account.id)
    [after] = await rows(api, path)
    assert (after["Status"], after["Used"], after["CampaignID"]) == (1, True, campaign.id), "not sent before everybody is settled"
    [row] = await rows(api, "campaign")
    assert (row["NewsLetterID"], row["ListID"], row["FromName"]) == (one["ID"], one["ContactsListID"], "Acme")
    assert len(await rows(api, "message", Campaign=str(campaign.id))) == 3
    assert msgspec.json.encode((await rows(api, "newsletter"))[0]) == msgspec.json.encode(after)


async def test_a_workbook_is_imported_and_a_broken_one_refused(api: Api) -> None:
    one = await made(api, "contactslist", Name="Book")
    url, auth = f"/v3/DATA/contactslist/{one['ID']}/CSVData/text:plain", (api.key, SECRET)
    broken = await api.served().post(url, content=b"PK\x03\x04", auth=auth)
    assert (broken.status_code, "cannot be read" in broken.json()["ErrorMessage"]) == (400, True)
    kept = await api.served().post(url, content=workbook(["email", "nick"], ["zoe@example.net", "Zoé"]), auth=auth)
    await made(api, "csvimport", ContactsListID=one["ID"], DataID=kept.json()["ID"], Method="addforce")
    assert await Jobber(api.store, api.clock, 1).work()
    assert [row["ContactAlt"] for row in await rows(api, "listrecipient", ContactsList=str(one["ID"]))] == ["zoe@example.net"]
