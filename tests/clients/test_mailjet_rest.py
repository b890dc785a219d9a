"""mailjet-rest (PyPI), unmodified: `api_url` is all that is changed."""

import base64
import email
import email.policy
import time
from typing import Any

import msgspec
import pytest
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
    assert b"Dear a" in a.content and b"Dear b" in b.content and b"List-Unsubscribe:" in a.content
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
