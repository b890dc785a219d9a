"""Senders, domains, keys, profile, templates and campaigns over REST v3 (contract 5.5 to 5.9)."""

from typing import Any

import pytest

from tests.api.conftest import Api, call, mail
from tests.api.test_rest_contacts import made, rows


async def test_a_domain_is_proved_by_its_dns(api: Api) -> None:
    sender = await made(api, "sender", Email="*@Shop.test", Name="Shop", IsDefaultSender=True)
    assert (sender["Email"], sender["Status"], sender["IsDefaultSender"]) == ("*@shop.test", "Inactive", True)
    again = await api.rest("POST", "sender", {"Email": "*@shop.test"})
    assert again.status_code == 400 and "use the validate action" in again.json()["ErrorMessage"]
    [dns] = await rows(api, "dns/shop.test")
    assert dns["ID"] == sender["DNSID"] and dns["DKIMStatus"] == dns["SPFStatus"] == "Not checked" and dns["LastCheckAt"] == ""
    assert dns["DKIMRecordName"].endswith("._domainkey.shop.test") and dns["DKIMRecordValue"].startswith("v=DKIM1; k=rsa; p=")

    failed = await api.rest("POST", f"sender/{sender['ID']}/validate")
    [answer] = failed.json()["Data"]
    assert (failed.status_code, answer["GlobalError"], answer["ValidationMethod"]) == (200, "The sender could not be validated.", "")
    assert dns["OwnerShipToken"] in answer["Errors"]["DNSValidationError"]
    assert (await rows(api, f"dns/{dns['ID']}"))[0]["DKIMStatus"] == "Not found"
    mailing = mail(From={"Email": "jo@shop.test"})
    assert (await api.post(call(mailing))).status_code == 403

    api.zone.put(dns["OwnerShipTokenRecordName"], "TXT", "something else", dns["OwnerShipToken"])
    api.zone.put(dns["DKIMRecordName"], "TXT", "v=DKIM1; k=rsa; p=AAAA")
    ok = await api.rest("POST", f"sender/{sender['ID']}/validate")
    assert ok.json()["Data"][0] == {"Errors": {"DNSValidationError": "", "FileValidationError": ""}, "GlobalError": "", "ValidationMethod": "DNS"}
    assert (await api.rest("POST", f"sender/{sender['ID']}/validate")).status_code == 400
    assert (await rows(api, "metasender"))[0]["IsEnabled"] is True
    assert (await api.post(call(mailing))).status_code == 200
    covered = await made(api, "sender", Email="jo@shop.test", EmailType="bulk")
    assert (covered["Status"], covered["EmailType"]) == ("Active", "bulk")

    check = (await api.rest("POST", f"dns/{dns['ID']}/check")).json()["Data"][0]
    assert (check["DKIMStatus"], check["DKIMRecordCurrentValue"], check["SPFStatus"], check["DMARCStatus"]) == (
        "Error", "v=DKIM1; k=rsa; p=AAAA", "Not found", "Not found")  # fmt: skip
    api.zone.put(dns["DKIMRecordName"], "TXT", dns["DKIMRecordValue"])
    api.zone.put("shop.test", "TXT", dns["SPFRecordValue"])
    api.zone.put("_dmarc.shop.test", "TXT", "v=DMARC1; p=none")
    check = (await api.rest("POST", "dns/shop.test/check")).json()["Data"][0]
    assert (check["DKIMStatus"], check["SPFStatus"], check["DMARCStatus"], check["DKIMErrors"]) == ("OK", "OK", "OK", [])
    [after] = await rows(api, "dns", SPFStatus="OK", IsSenderIdentified="true")
    assert (after["DKIMStatus"], after["LastCheckAt"]) == ("OK", "2026-09-21T14:13:20Z")

    assert (await api.rest("DELETE", "sender/*@shop.test")).status_code == 204
    assert [one["Email"] for one in await rows(api, "sender", Domain="shop.test")] == ["jo@shop.test"]
    assert [one["Status"] for one in await rows(api, "sender", ShowDeleted="1", IsDomainSender="1", Domain="shop.test")] == ["Deleted"]
    api.clock.advance(20)
    assert (await api.post(call(mailing))).status_code == 200, "the single address is still a sender"
    assert (await api.post(call(mail(From={"Email": "al@shop.test"})))).status_code == 403


async def test_a_domain_of_another_account_is_not_proved_by_its_records(api: Api) -> None:
    mine = await made(api, "sender", Email="jo@shop.test")
    [dns] = await rows(api, "dns/shop.test")
    api.zone.put(dns["OwnerShipTokenRecordName"], "TXT", dns["OwnerShipToken"])
    api.zone.put(dns["DKIMRecordName"], "TXT", dns["DKIMRecordValue"])
    other = await api.another("other", "key2")
    theirs = await made(other, "sender", Email="jo@shop.test")
    assert (await other.rest("POST", f"sender/{theirs['ID']}/validate")).json()["Data"][0]["ValidationMethod"] == ""
    assert (await other.rest("POST", f"sender/{mine['ID']}/validate")).status_code == 404
    assert (await api.rest("POST", f"sender/{mine['ID']}/validate")).json()["Data"][0]["ValidationMethod"] == "DNS"


@pytest.mark.parametrize("address", ["x", "*@", "*@*", "a@[192.0.2.1]", "a b@x.test", "*@localhost"])
async def test_senders_that_are_none(api: Api, address: str) -> None:
    assert (await api.rest("POST", "sender", {"Email": address})).status_code == 400


async def test_sub_accounts_and_their_keys(api: Api) -> None:
    api.client()
    sub = await made(api, "apikey", Name="shop", Scopes=["send", "read"], Networks=["192.0.2.9/24"], RatePerSecond=100)
    assert (sub["IsMaster"], sub["IsActive"], sub["Scopes"], sub["Networks"], len(sub["SecretKey"])) == (False, True, ["send", "read"], ["192.0.2.0/24"], 64)
    assert [(one["APIKey"], one["IsMaster"], one["SecretKey"]) for one in await rows(api, "apikey")] == [("key1", True, ""), (sub["APIKey"], False, "")]
    assert len(await rows(api, "apikey", KeyType="Sub")) == 1

    async def as_sub(method: str, path: str, body: object = None) -> int:
        answer = await api.served().request(method, f"/v3/REST/{path}", json=body, auth=(sub["APIKey"], sub["SecretKey"]))
        return answer.status_code

    assert await as_sub("GET", "message") == 200
    assert await as_sub("POST", "contactslist", {"Name": "x"}) == 403
    assert await as_sub("POST", "apikey", {"Name": "x"}) == 403
    changed = await api.rest("PUT", f"apikey/{sub['APIKey']}", {"Scopes": ["read"], "Networks": []})
    assert changed.json()["Data"][0]["Scopes"] == ["read"]
    off = await api.rest("PUT", f"apikey/{sub['ID']}", {"IsActive": False})
    assert off.json()["Data"][0]["Runlevel"] == "Hardlock"
    api.clock.advance(20)
    suspended = await api.served().get("/v3/REST/message", auth=(sub["APIKey"], sub["SecretKey"]))
    assert suspended.status_code == 401 and "temporarily blocked" in suspended.json()["ErrorMessage"]
    assert (await api.rest("PUT", "apikey/key1", {"IsActive": False})).status_code == 400, "nobody locks himself out"
    for wrong in ({"Name": "shop"}, {"Name": "x", "Scopes": ["all"]}, {"Name": "x", "Networks": ["nowhere"]}, {"Name": "x", "RatePerSecond": -1}):
        assert (await api.rest("POST", "apikey", wrong)).status_code == 400
    other = await api.another("other", "key2")
    assert (await other.get(f"/v3/REST/apikey/{sub['APIKey']}")).status_code == 404


async def test_the_profile(api: Api) -> None:
    [profile] = await rows(api, "myprofile")
    changed = await api.rest("PUT", f"myprofile/{profile['ID']}", {"Firstname": "Zoé"})
    assert changed.json()["Data"][0]["Firstname"] == "Zoé"
    assert (await api.rest("PUT", f"myprofile/{profile['ID']}", {"Firstname": "Zoé"})).status_code == 304
    await api.rest("PUT", f"user/{profile['UserID']}", {"Email": "jo@acme.test"})
    assert (await rows(api, "user/jo@acme.test"))[0]["Locale"] == "en_US"
    assert (await rows(api, "myprofile"))[0]["Firstname"] == "Zoé"


async def test_a_template(api: Api) -> None:
    template = await made(api, "template", Name="Welcome", Purposes=["transactional"], Categories=["full"], EditMode=2, Author="Jo")
    missing = await api.get(f"/v3/REST/template/{template['ID']}/detailcontent")
    assert missing.status_code == 404 and sorted(missing.json()) == ["ErrorIdentifier", "ErrorMessage", "StatusCode"]
    parts: dict[str, Any] = {"Html-part": "<p>Hi {{var:x}}</p>", "Headers": {"Subject": "Hi", "From": "Acme <news@acme.test>"}}
    first = await api.rest("POST", f"template/{template['ID']}/detailcontent", parts)
    assert (first.status_code, first.json()["Data"][0]) == (201, {**parts, "Text-part": None, "MJMLContent": None})
    kept = await api.rest("PUT", "template/apikey|Welcome/detailcontent", {"text-part": "Hi"})
    assert kept.json()["Data"][0] == {**parts, "Text-part": "Hi", "MJMLContent": None}
    assert (await rows(api, f"template/{template['ID']}/detailcontent"))[0]["Text-part"] == "Hi"
    sent = await api.post(call(mail(TextPart=..., TemplateID=template["ID"], TemplateLanguage=True, Variables={"x": "Zoé"})))
    assert sent.status_code == 200, sent.text
    for wrong in ({"Headers": {"X": "a\nb"}}, {"Headers": []}, {"Html-part": 7}):
        assert (await api.rest("PUT", f"template/{template['ID']}/detailcontent", wrong)).status_code == 400
    found = await rows(api, "template", Categories="full,basic", CategoriesSelectionMethod="containsany", OwnerType="apikey")
    assert [one["ID"] for one in found] == [template["ID"]]
    assert await rows(api, "template", Categories="full,basic", CategoriesSelectionMethod="containsall") == []
    assert (await api.rest("PUT", f"template/{template['ID']}", {"Name": "Hello"})).json()["Data"][0]["Name"] == "Hello"
    assert (await api.rest("DELETE", f"template/{template['ID']}")).status_code == 204
    assert await rows(api, "template") == []


async def test_campaigns_come_with_their_mails(api: Api) -> None:
    for subject in ("One", "Two"):
        api.clock.advance(60)
        await api.post(call(mail(CustomCampaign="Spring", Subject=subject)))
    await api.post(call(mail(CustomCampaign="Autumn")))
    first, second = await rows(api, "campaign")
    assert (first["CustomValue"], first["Subject"], first["FromEmail"]) == ("Spring", "One", "news@acme.test")
    assert first["SendStartAt"] < first["SendEndAt"] and second["CustomValue"] == "Autumn"
    assert [one["ID"] for one in await rows(api, "campaign", Sort="ID DESC")] == [second["ID"], first["ID"]]
    assert (await rows(api, "campaign/Spring"))[0] == first
    messages = await rows(api, "message", Campaign=str(first["ID"]))
    assert len(messages) == 2 and {one["CampaignID"] for one in messages} == {first["ID"]}
    assert await rows(api, "message", CustomCampaign="nothing") == []
    starred = await api.rest("PUT", f"campaign/{first['ID']}", {"IsStarred": True})
    assert starred.json()["Data"][0]["IsStarred"] is True
    other = await api.another("other", "key2")
    assert await rows(other, "campaign") == []
    assert (await other.get(f"/v3/REST/campaign/{first['ID']}")).status_code == 404


async def test_messages_by_time_status_and_order(api: Api) -> None:
    for _ in range(3):
        api.clock.advance(60)
        await api.post(call(mail()))
    ids = [view.id for view in await api.sent()]
    middle = (await rows(api, f"message/{ids[1]}"))[0]["ArrivedAt"]
    assert [one["ID"] for one in await rows(api, "message", Sort="ID DESC", Limit="2")] == ids[:0:-1]
    assert [one["ID"] for one in await rows(api, "message", FromTS=middle, Sort="ArrivedAt+DESC".replace("+", " "))] == ids[:1:-1]
    assert [one["ID"] for one in await rows(api, "message", ToTS=middle)] == ids[:2]
    assert len(await rows(api, "message", MessageStatus="1,2")) == 3
    assert await rows(api, "message", MessageStatus="3") == []
    await made(api, "contact", Email="jo@example.net")
    [contact] = await rows(api, "contact")
    assert {one["ContactID"] for one in await rows(api, "message", Contact=str(contact["ID"]))} == {contact["ID"]}
