"""mailjet-rest (PyPI), unmodified: `api_url` is all that is changed."""

import base64
import email
import email.policy
import time
from typing import Any

import msgspec
import pytest
import requests
from mailjet_rest import Client
from mailjet_rest.errors import MailjetAuthError, ValidationError

from tests.clients.conftest import Ground
from tests.scenarios.platform import DOMAIN


def client(ground: Ground, version: str, secret: str = "") -> Client:
    return Client(auth=(ground.key, secret or ground.secret), version=version, api_url=f"{ground.url}/")


def message(to: str, **more: object) -> dict[str, object]:
    return {"From": {"Email": f"news@{DOMAIN}", "Name": "Me"}, "To": [{"Email": to, "Name": "You"}], "Subject": "Hello", "TextPart": "Hi", **more}


def test_send_v31_with_everything(ground: Ground) -> None:
    attachment = {"ContentType": "text/plain", "Filename": "a.txt", "Base64Content": base64.b64encode(b"attached").decode()}
    data = {"Messages": [
        message("py-a@dest.example", Cc=[{"Email": "py-b@dest.example"}], HTMLPart="<h3>Hi</h3>", Attachments=[attachment], CustomID="py"),
        message("py-c@dest.example", TextPart="Hi {{var:name}}", TemplateLanguage=True, Variables={"name": "Zoë"}),
    ]}  # fmt: skip
    answer = client(ground, "v3.1").send.create(data=data)
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["Messages"]
    assert (first["Status"], first["CustomID"], second["Status"]) == ("success", "py", "success")
    a, b, c = ground.mails_to("py-a@dest.example", "py-b@dest.example", "py-c@dest.example")
    assert b"attached" in base64.b64decode(a.content.split(b"base64\r\n\r\n")[-1][:20]) and b"Cc: py-b@dest.example" in b.content
    assert email.message_from_bytes(c.content, policy=email.policy.default).get_content().strip() == "Hi Zoë"  # type: ignore[attr-defined]


def test_what_became_of_it(ground: Ground) -> None:
    answer = client(ground, "v3.1").send.create(data={"Messages": [message("py-read@dest.example")]})
    number = answer.json()["Messages"][0]["To"][0]["MessageID"]
    ground.mails_to("py-read@dest.example")
    rest = client(ground, "v3")
    read = rest.message.get(id=number)
    assert (read.status_code, read.json()["Data"][0]["ID"]) == (200, number)
    assert rest.message.get(filters={"limit": 1}).json()["Count"] == 1


def test_an_error_is_told_in_its_words(ground: Ground) -> None:
    with pytest.raises(ValidationError, match='"not an address" is an invalid email address') as refused:
        client(ground, "v3.1").send.create(data={"Messages": [message("not an address"), message("py-good@dest.example")]})
    assert refused.value.status_code == 400
    bad, good = msgspec.json.decode(refused.value.response_body)["Messages"]
    assert (bad["Errors"][0]["ErrorCode"], bad["Errors"][0]["ErrorRelatedTo"], good["Status"]) == ("mj-0013", ["To[0].Email"], "success")
    ground.mails_to("py-good@dest.example")


def test_the_older_version(ground: Ground) -> None:
    people = [{"Email": "py-old-a@dest.example", "Vars": {"n": "1"}}, {"Email": "py-old-b@dest.example"}]
    data = {"FromEmail": f"news@{DOMAIN}", "FromName": "Me", "Subject": "Hello", "Text-part": 'Hi [[var:n:"-"]]', "Recipients": people}
    answer = client(ground, "v3").send.create(data=data)
    assert answer.status_code == 200, answer.text
    assert [row["Email"] for row in answer.json()["Sent"]] == [person["Email"] for person in people]
    a, b = ground.mails_to("py-old-a@dest.example", "py-old-b@dest.example")
    assert (b"Hi 1" in a.content, b"Hi -" in b.content) == (True, True)


@pytest.mark.parametrize("version", ["v3.1", "v3"])
def test_a_wrong_secret(ground: Ground, version: str) -> None:
    with pytest.raises(MailjetAuthError) as refused:
        client(ground, version, secret="wrong").send.create(data={"Messages": [message("x@dest.example")]})
    assert refused.value.status_code == 401


def test_a_newsletter_from_contacts_to_statistics(ground: Ground) -> None:
    rest = client(ground, "v3")

    def made(answer: Any) -> dict[str, Any]:
        assert answer.status_code in (200, 201), answer.text
        row: dict[str, Any] = answer.json()["Data"][0]
        return row

    people = ["py-nl-a@dest.example", "py-nl-b@dest.example"]
    made(rest.contactmetadata.create(data={"Name": "nick", "Datatype": "str", "NameSpace": "static"}))
    audience = made(rest.contactslist.create(data={"Name": "py readers"}))
    for address in people:
        entry = {"Email": address, "Action": "addforce", "Properties": {"nick": address[6]}}
        made(rest.contactslist_managecontact.create(id=audience["ID"], data=entry))
    draft = made(rest.campaigndraft.create(data={"Locale": "en_US", "Sender": "Me", "SenderEmail": f"news@{DOMAIN}", "Subject": "Hello {{data:nick:'you'}}",
                                                 "ContactsListID": audience["ID"], "Title": "py autumn"}))  # fmt: skip
    content = {"Html-part": "<p>Dear {{data:nick:'you'}}</p>"}
    assert made(rest.campaigndraft_detailcontent.create(id=draft["ID"], data=content))["Html-part"] == content["Html-part"]
    made(rest.campaigndraft_test.create(id=draft["ID"], data={"Recipients": [{"Email": "py-nl-test@dest.example", "Name": "T"}]}))
    [tried] = ground.mails_to("py-nl-test@dest.example")
    assert b"Dear you" in tried.content and b"[Test] Hello you" in tried.content
    assert made(rest.campaigndraft_send.create(id=draft["ID"]))["Status"] == "programmed"
    a, b = ground.mails_to(*people)
    said = [mail.content.replace(b"=\r\n", b"") for mail in (a, b)]  # values stand on lines of their own, between soft line breaks
    assert b"Dear a" in said[0] and b"Dear b" in said[1] and b"List-Unsubscribe:" in a.content
    deadline = time.monotonic() + 60
    while rest.campaigndraft_status.get(id=draft["ID"]).json()["Data"][0]["Status"] != "sent":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    after = made(rest.campaigndraft.get(id=draft["ID"]))
    campaign = made(rest.campaign.get(id=after["CampaignID"]))
    assert (campaign["NewsLetterID"], campaign["ListID"]) == (draft["ID"], audience["ID"])
    while True:  # counters follow the events in a moment
        counted = rest.statcounters.get(filters={"CounterSource": "Campaign", "SourceID": campaign["ID"], "CounterTiming": "Message",
                                                 "CounterResolution": "Lifetime"})  # fmt: skip
        if made(counted)["MessageSentCount"] == 2:
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_contacts_lists_and_a_job(ground: Ground) -> None:
    rest = client(ground, "v3")

    def made(answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 201, answer.text
        row: dict[str, Any] = answer.json()["Data"][0]
        return row

    name = f"py-{ground.platform.key[:6]}"
    news = made(rest.contactslist.create(data={"Name": name}))
    made(rest.contactmetadata.create(data={"Name": "py_age", "Datatype": "int", "NameSpace": "static"}))
    one = made(rest.contact.create(data={"Email": "py-one@dest.example", "Name": "One"}))
    assert rest.contact.get(id="py-one@dest.example").json()["Data"][0]["ID"] == one["ID"]
    with pytest.raises(ValidationError):
        rest.contact.create(data={"Email": "py-one@dest.example"})
    made(rest.contactslist_managecontact.create(id=news["ID"], data={"Email": "py-two@dest.example", "Action": "addnoforce", "Properties": {"py_age": 7}}))
    rest.contact_managecontactslists.create(id=one["ID"], data={"ContactsLists": [{"ListID": news["ID"], "Action": "addforce"}]})
    known = rest.contactdata.get(id="py-two@dest.example").json()["Data"][0]
    assert known["Data"] == [{"Name": "py_age", "Value": "7"}]
    assert rest.contactdata.update(id=one["ID"], data={"Data": [{"Name": "py_age", "Value": 9}]}).status_code == 200
    members = rest.listrecipient.get(filters={"ContactsList": news["ID"], "Limit": 1, "Offset": 1, "countOnly": 1}).json()
    assert members == {"Count": 2, "Data": [], "Total": 2}

    job = made(rest.contact_managemanycontacts.create(data={
        "Contacts": [{"Email": f"py-m{n}@dest.example"} for n in range(20)], "ContactsLists": [{"ListID": news["ID"], "Action": "addforce"}],
    }))  # fmt: skip
    deadline = time.monotonic() + 50
    while (status := rest.contact_managemanycontacts.get(action_id=job["JobID"]).json()["Data"][0])["Status"] != "Completed":
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    assert rest.contactslist.get(id=news["ID"]).json()["Data"][0]["SubscriberCount"] == 22
    assert rest.contactslist.delete(id=news["ID"]).status_code == 204


def test_templates_senders_and_what_the_api_says_of_itself(ground: Ground) -> None:
    rest = client(ground, "v3")
    template = rest.template.create(data={"Name": "py-welcome", "EditMode": 2, "Purposes": ["transactional"]}).json()["Data"][0]
    parts = {"Html-part": "<p>Hi</p>", "Text-part": "Hi", "Headers": {"Subject": "Hi"}}
    assert rest.template_detailcontent.create(id=template["ID"], data=parts).status_code == 201
    assert rest.template_detailcontent.get(id=template["ID"]).json()["Data"][0]["Text-part"] == "Hi"
    assert rest.template.delete(id=template["ID"]).status_code == 204
    assert [one["Status"] for one in rest.sender.get(filters={"Email": f"*@{DOMAIN}"}).json()["Data"]] == ["Active"]
    [dns] = rest.dns.get(id=DOMAIN).json()["Data"]
    assert rest.dns_check.create(id=dns["ID"]).json()["Data"][0]["DKIMStatus"] in ("OK", "Error", "Not found", "Not checked")
    names = {one["Name"] for one in rest.metadata.get(filters={"Limit": 0}).json()["Data"]}
    assert {"message", "contact", "contactslist", "listrecipient", "sender", "template", "statcounters", "eventcallbackurl"} <= names
