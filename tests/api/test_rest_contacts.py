"""Contacts, lists, properties, segments and jobs over REST v3 (contract 5.4)."""

from typing import Any

import pytest

from estafette.api.rest.jobs import error_file
from estafette.audience import ContactChange, JobError, ListAction, OptIn, Trace
from estafette.model import BlockCause
from estafette.newsletters.jobs import PIECE, Jobber
from tests.api.conftest import Api

Rest = Any


async def made(api: Api, resource: str, **values: object) -> dict[str, Any]:
    answer = await api.rest("POST", resource, values)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["Count"] == body["Total"] == 1
    row: dict[str, Any] = body["Data"][0]
    return row


async def rows(api: Api, resource: str, **params: str) -> list[dict[str, Any]]:
    answer = await api.get(f"/v3/REST/{resource}", **params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["Data"]
    return found


async def test_a_contact_from_first_to_last(api: Api) -> None:
    contact = await made(api, "contact", email="Jo@Example.net", NAME="Jo", ID=7, Nonsense=1)
    shown = [contact[name] for name in ("Email", "Name", "IsExcludedFromCampaigns", "CreatedAt")]
    assert shown == ["Jo@example.net", "Jo", False, "2026-09-21T14:13:20Z"]
    number = contact["ID"]
    again = await api.rest("POST", "contact", {"Email": "jo@example.net"})
    assert (again.status_code, again.json()["ErrorMessage"]) == (400, 'MJ18 A Contact resource with value "jo@example.net" for Email already exists.')

    for key in (str(number), "jo@example.net", "jo%40example.net", "jo%2540example.net", "JO@EXAMPLE.NET"):
        assert (await rows(api, f"contact/{key}"))[0] == contact
    bad = await api.get("/v3/REST/contact/nobody")
    assert (bad.status_code, bad.json()["ErrorMessage"]) == (400, 'Invalid email address "nobody", reason: "No @ character in mail"')
    assert (await api.get("/v3/REST/contact/999")).status_code == 404

    unchanged = await api.rest("PUT", f"contact/{number}", {"Name": "Jo"})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    changed = await api.rest("PUT", "contact/jo@example.net", {"IsExcludedFromCampaigns": "true"})
    assert changed.json()["Data"][0]["IsExcludedFromCampaigns"] is True and changed.json()["Data"][0]["Name"] == "Jo"
    assert [one["ID"] for one in await rows(api, "contact", IsExcludedFromCampaigns="1")] == [number]
    assert await rows(api, "contact", isexcludedfromcampaigns="false") == []
    assert (await api.rest("DELETE", f"contact/{number}")).status_code == 405

    other = await api.another("other", "key2")
    assert (await other.get(f"/v3/REST/contact/{number}")).status_code == 404
    assert (await other.rest("PUT", f"contact/{number}", {"Name": "x"})).status_code == 404
    assert await rows(other, "contact") == []
    assert (await other.client().delete(f"/v4/contacts/{number}", auth=("key2", "s3cret"))).status_code == 200
    assert len(await rows(api, f"contact/{number}")) == 1, "somebody else's erasure touches nothing"
    erased = await api.client().delete(f"/v4/contacts/{number}", auth=("key1", "s3cret"))
    assert (erased.status_code, erased.content) == (200, b"")
    assert (await api.get("/v3/REST/contact/jo@example.net")).status_code == 404
    assert [entry.action for entry in await api.store.users.audit_log(api.account.id)] == ["POST", "PUT", "DELETE"]


async def test_pages_sorts_and_totals(api: Api) -> None:
    for name in ("d", "a", "c", "b"):
        await made(api, "contact", Email=f"{name}@x.test")

    async def shown(**params: str) -> str:
        return "".join(row["Email"][0] for row in await rows(api, "contact", **params))

    assert await shown() == "dacb"
    assert await shown(Sort="Email") == "abcd" == await shown(Sort="email ASC")
    assert await shown(Sort="Email DESC", Limit="2", Offset="1") == "cb"
    assert await shown(Sort="ID desc") == "bcad"
    whole = (await api.get("/v3/REST/contact", countOnly="1")).json()
    assert whole == {"Count": 4, "Data": [], "Total": 4}
    both = (await api.get("/v3/REST/contact", countrecords="1", Limit="1")).json()
    assert (both["Count"], both["Total"], len(both["Data"])) == (1, 4, 1)
    wrong = await api.get("/v3/REST/contact", Sort="Name")
    assert wrong.json()["ErrorMessage"] == "Unexpected error during GET: Invalid sort specification: Cannot sort on field Name"


async def test_lists_and_their_recipients(api: Api) -> None:
    news = await made(api, "contactslist", Name="News")
    assert (news["IsDeleted"], news["SubscriberCount"], len(news["Address"])) == (False, 0, 10)
    assert (await api.rest("POST", "contactslist", {"Name": "News"})).status_code == 400
    missing = await api.rest("POST", "contactslist", {})
    assert missing.json()["ErrorMessage"] == "Object properties invalid" and "Name" in missing.json()["ErrorInfo"]

    added = await made(api, f"contactslist/{news['ID']}/managecontact", Email="jo@x.test", Name="Jo", action="AddForce")
    assert (added["Email"], added["Action"]) == ("jo@x.test", "addforce")
    number = added["ContactID"]
    on_news = {"IsActive": True, "IsUnsub": False, "ListID": news["ID"], "SubscribedAt": "2026-09-21T14:13:20Z"}
    assert await rows(api, f"contact/{number}/getcontactslists") == [on_news]
    second = await made(api, "listrecipient", ContactAlt="al@x.test", List=news["ID"])
    assert (second["IsActive"], second["ListName"], second["ListID"]) == (True, "News", news["ID"])
    assert (await api.rest("POST", "listrecipient", {"ContactAlt": "al@x.test", "ListID": news["ID"]})).status_code == 400
    assert (await rows(api, f"contactslist/{news['Address']}"))[0]["SubscriberCount"] == 2

    unsub = await api.rest("PUT", f"listrecipient/{second['ID']}", {"IsUnsubscribed": True})
    assert unsub.json()["Data"][0]["IsUnsubscribed"] is True
    assert [one["ContactID"] for one in await rows(api, "listrecipient", ContactsList=str(news["ID"]), Unsub="false")] == [number]
    assert [one["ID"] for one in await rows(api, "contact", ContactsList=str(news["ID"]), IsUnsubscribed="0")] == [number]
    both = {"ContactsLists": [{"ListID": news["ID"], "Action": "remove"}]}
    assert (await api.rest("POST", f"contact/{number}/managecontactslists", both)).status_code == 201
    assert [one["ID"] for one in await rows(api, "listrecipient")] == [second["ID"]]
    assert (await api.rest("DELETE", f"listrecipient/{second['ID']}")).status_code == 204
    assert (await api.rest("DELETE", f"listrecipient/{second['ID']}")).status_code == 404

    assert (await api.rest("DELETE", f"contactslist/{news['ID']}")).status_code == 204
    assert await rows(api, "contactslist") == []
    assert [one["Name"] for one in await rows(api, "contactslist", IsDeleted="true")] == ["News"]
    assert (await api.rest("POST", f"contactslist/{news['ID']}/managecontact", {"Email": "x@x.test", "Action": "addforce"})).status_code == 404
    back = await api.rest("PUT", f"contactslist/{news['ID']}", {"IsDeleted": False})
    assert back.json()["Data"][0]["IsDeleted"] is False


async def test_properties_and_what_is_known(api: Api) -> None:
    age = await made(api, "contactmetadata", Name="Age", Datatype="int", NameSpace="static")
    assert age == {"Datatype": "int", "ID": age["ID"], "Name": "Age", "NameSpace": "static"}
    for name in ("born:datetime", "vip:bool", "score:float", "city:str"):
        await made(api, "contactmetadata", Name=name.split(":")[0], Datatype=name.split(":")[1])
    assert (await rows(api, "contactmetadata/static|age"))[0] == age == (await rows(api, "contactmetadata", Sort="Name", Limit="1"))[0]
    contact = await made(api, "contact", Email="jo@x.test")
    data = [{"Name": "age", "Value": "42"}, {"Name": "Born", "Value": "1990-02-03T04:05:06Z"}, {"Name": "vip", "Value": 1}, {"Name": "score", "Value": 1.5}]
    answer = await api.rest("PUT", f"contactdata/{contact['ID']}", {"Data": data})
    assert answer.json()["Data"][0]["Data"] == [
        {"Name": "Age", "Value": "42"}, {"Name": "born", "Value": "1990-02-03T04:05:06Z"}, {"Name": "vip", "Value": "true"}, {"Name": "score", "Value": "1.5"},
    ]  # fmt: skip
    assert (await api.rest("PUT", "contactdata/jo@x.test", {"Data": [{"Name": "age", "Value": 42}]})).status_code == 304
    for wrong in ([{"Name": "age", "Value": "x"}], [{"Name": "nothing", "Value": 1}], [{"Value": 1}], ["x"]):
        refusal = await api.rest("PUT", "contactdata/jo@x.test", {"Data": wrong})
        assert (refusal.status_code, list(refusal.json()["ErrorInfo"])) == (400, ["Data"])
    await api.rest("PUT", "contactdata/jo@x.test", {"Data": [{"Name": "vip", "Value": None}]})
    assert [one["Name"] for one in (await rows(api, "contactdata", Fields="vip,AGE"))[0]["Data"]] == ["Age"]
    assert (await api.rest("PUT", f"contactmetadata/{age['ID']}", {"Name": "Years"})).status_code == 200
    assert (await rows(api, "contactdata/jo@x.test"))[0]["Data"][0] == {"Name": "Years", "Value": "42"}
    assert (await api.rest("DELETE", "contactmetadata/Years")).status_code == 204
    assert (await api.rest("DELETE", "contactdata/jo@x.test")).status_code == 204
    assert (await rows(api, "contactdata"))[0]["Data"] == []


async def test_segments(api: Api) -> None:
    await made(api, "contactmetadata", Name="age", Datatype="int")
    adults = await made(api, "contactfilter", Name="Adults", Expression="(age >= 18)", Description="x")
    assert adults["Status"] == "unused"
    wrong = await api.rest("POST", "contactfilter", {"Name": "W", "Expression": "(size > 3)"})
    assert wrong.json()["ErrorInfo"] == {"Expression": "there is no contact property 'size' (at character 2)"}
    assert (await api.rest("DELETE", "contactfilter/Adults")).status_code == 204
    assert await rows(api, "contactfilter") == []
    assert (await rows(api, "contactfilter", ShowDeleted="1"))[0]["Status"] == "deleted"
    back = await api.rest("PUT", f"contactfilter/{adults['ID']}", {"Status": "unused"})
    assert back.json()["Data"][0]["Status"] == "unused"


async def work(api: Api) -> None:
    jobber = Jobber(api.store, api.clock, 1)
    while await jobber.work():
        pass


async def test_many_contacts_in_one_call(api: Api) -> None:
    news = await made(api, "contactslist", Name="News")
    await made(api, "contactmetadata", Name="age", Datatype="int")
    people: list[object] = [{"Email": f"p{n}@x.test", "Name": f"P{n}", "Properties": {"age": n}} for n in range(PIECE + 20)]
    people[3] = {"Email": "no address"}
    people[PIECE + 5] = {"Email": "q@x.test", "Properties": {"age": "old"}}
    job = await made(api, "contact/managemanycontacts", Contacts=people, ContactsLists=[{"ListID": news["ID"], "Action": "addforce"}])
    assert (await rows(api, f"contact/ManageManyContacts/{job['JobID']}"))[0]["Status"] == "Upload"
    await work(api)
    [done] = await rows(api, f"contact/managemanycontacts/{job['JobID']}")
    assert (done["Status"], done["Count"], done["Error"]) == ("Completed", PIECE + 20, "2 entries could not be taken")
    assert (await rows(api, f"contactslist/{news['ID']}"))[0]["SubscriberCount"] == PIECE + 18
    errors = await api.get(done["ErrorFile"])
    assert errors.headers["content-type"].startswith("text/csv")
    assert [line.split(",")[0] for line in errors.text.splitlines()] == ["position", "4", str(PIECE + 6)]
    latest = await api.get(f"/v3/DATA/batchjob/{job['JobID']}/JSONError/application:json/LAST")
    assert [one["Position"] for one in latest.json()] == [4, PIECE + 6]
    assert (await api.get("/v3/DATA/batchjob/999/CSVError/text:csv")).json()["ErrorMessage"] == "Source object not found"

    gone = await made(api, f"contactslist/{news['ID']}/managemanycontacts", Contacts=[{"Email": "p1@x.test"}], Action="unsub")
    out = await made(api, f"contactslist/{news['ID']}/managemanycontacts", Contacts=[{"Email": "p2@x.test"}], Action="excludemarketing")
    second = await made(api, "contactslist", Name="Second")
    copied = await made(api, f"contactslist/{second['ID']}/importlist", ListID=news["ID"], Action="addforce")
    await work(api)
    for resource, number in ((f"contactslist/{news['ID']}/managemanycontacts", gone), (f"contactslist/{news['ID']}/managemanycontacts", out),
                             (f"contactslist/{second['ID']}/importlist", copied)):  # fmt: skip
        assert (await rows(api, f"{resource}/{number['JobID']}"))[0]["Status"] == "Completed"
    assert (await rows(api, f"contactslist/{second['ID']}"))[0]["SubscriberCount"] == PIECE + 17
    assert (await rows(api, "contact/p2@x.test"))[0]["IsExcludedFromCampaigns"] is True


@pytest.mark.parametrize("lists", [
    [{"ListID": 999, "Action": "addforce"}], [{"ListID": 1}], [{"Action": "addforce"}], ["x"], [{"ListID": True, "Action": "unsub"}]])  # fmt: skip
async def test_jobs_on_lists_that_are_none(api: Api, lists: list[object]) -> None:
    answer = await api.rest("POST", "contact/managemanycontacts", {"Contacts": [{"Email": "a@x.test"}], "ContactsLists": lists})
    assert answer.status_code == 400


async def test_a_csv_file(api: Api) -> None:
    news = await made(api, "contactslist", Name="News")
    await made(api, "contactmetadata", Name="age", Datatype="int")
    text = "email;age;First Name\nzoé@x.test;7;Zoé\nal@x.test;x;Al\n".encode("cp1252")
    path = f"/v3/DATA/contactslist/{news['ID']}/CSVData/text:plain"
    uploaded = await api.client().post(path, content=text, auth=("key1", "s3cret"))
    number = uploaded.json()["ID"]
    assert uploaded.status_code == 200 and number > 0
    assert (await api.client().post(path.replace(str(news["ID"]), "99"), content=text, auth=("key1", "s3cret"))).status_code == 404
    job = await made(api, "csvimport", ContactsListID=news["ID"], DataID=number, Method="addnoforce", ImportOptions='{"TimezoneOffset": 2}')
    assert (job["Status"], job["JobStart"]) == ("Upload", 0)
    await work(api)
    [done] = await rows(api, f"csvimport/{job['ID']}")
    assert (done["Status"], done["Count"], done["Current"], done["Errcount"]) == ("Completed", 2, 2, 1)
    [zoe] = await rows(api, "contactdata")
    assert zoe["Data"] == [{"Name": "age", "Value": "7"}, {"Name": "first_name", "Value": "Zoé"}]
    assert (await api.rest("PUT", f"csvimport/{job['ID']}", {"Status": "Abort"})).status_code == 304

    for wrong in ({"Method": "excludemarketing", "ContactsListID": news["ID"]}, {"Method": "addforce"}, {"Method": "addforce", "ContactsListID": 99},
                  {"Method": "x"}, {"Method": "excludemarketing", "ImportOptions": "["}):  # fmt: skip
        assert (await api.rest("POST", "csvimport", {"DataID": number, **wrong})).status_code == 400
    waiting = await made(api, "csvimport", DataID=number, Method="excludemarketing")
    assert (await api.rest("PUT", f"csvimport/{waiting['ID']}", {"Status": "abort"})).json()["Data"][0]["Status"] == "Abort"
    limited = await made(api, "csvimport", ContactsListID=news["ID"], DataID=number, Method="unsub", ErrTreshold=1,
                         ImportOptions='{"FieldNames": ["age", "email"]}')  # fmt: skip
    await work(api)
    assert (await rows(api, f"csvimport/{limited['ID']}"))[0]["Status"] == "Error"


async def test_a_list_that_is_deleted_in_the_middle(api: Api) -> None:
    news = await made(api, "contactslist", Name="News")
    job = await made(api, f"contactslist/{news['ID']}/managemanycontacts", Contacts=[{"Email": "a@x.test"}], Action="addforce")
    await api.rest("DELETE", f"contactslist/{news['ID']}")
    await work(api)
    [done] = await rows(api, f"contactslist/{news['ID']}/managemanycontacts/{job['JobID']}")
    assert (done["Status"], done["Count"], done["Error"]) == ("Error", 0, f"list {news['ID']} is not there any more")
    assert await rows(api, "contact") == []


def test_an_error_file_starts_no_formula() -> None:
    text = error_file([JobError(1, '=HYPERLINK("x")', "-no")]).decode()
    assert text == 'position,entry,error\r\n1,"\'=HYPERLINK(""x"")","\'-no"\r\n'


async def test_a_contact_tells_how_it_stands(api: Api) -> None:
    """Waiting to be confirmed, unsubscribed from a list or from all, complaining: by what the store knows."""
    client, now = api.client(), api.clock.now_us()
    made = await api.store.contacts.create_list(api.account.id, "News", "aa", now)
    assert made is not None
    jo = ContactChange("jo@x.test", "jo@x.test")
    await api.store.contacts.apply(api.account.id, [jo], {made.id: ListAction.ADD_FORCE}, Trace("api"), now)

    async def shown() -> tuple[object, ...]:
        row = (await client.get("/v3/REST/contact/jo@x.test", auth=("key1", "s3cret"))).json()["Data"][0]
        return tuple(row[name] for name in ("IsOptInPending", "IsSpamComplaining", "UnsubscribedAt", "UnsubscribedBy"))

    assert await shown() == (False, False, "", "")
    await api.store.consents.ask(OptIn(0, api.account.id, made.id, 0, "jo@x.test", "jo@x.test", "", {}, "en", "", "", now, now + 10**9))
    await api.store.contacts.apply(api.account.id, [jo], {made.id: ListAction.UNSUBSCRIBE}, Trace("preferences"), now)
    await api.store.add_block(api.account.id, "jo@x.test", BlockCause.COMPLAINT, now, None)
    pending, complaining, at, by = await shown()
    assert (pending, complaining, by) == (True, True, "preferences") and str(at).startswith("20")
