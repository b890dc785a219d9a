"""Lists, contacts and imports in the dashboard: every step a person takes, without script."""

from estafette.audience import ListAction, PropertyKind
from estafette.newsletters.jobs import Jobber
from tests.web.conftest import ORIGIN, Site, text_of


async def new_list(site: Site, name: str = "News") -> int:
    """Made by the form; its number."""
    answer = await site.post(site.at("lists"), name=name)
    assert answer.status_code == 303
    return int(answer.headers["location"].split("?")[0].rsplit("/", 1)[1])


async def upload(site: Site, content: bytes) -> str:
    """The address of the page to look at it."""
    answer = await site.client.post(site.at("imports"), data={"csrf": await site.csrf()}, files={"file": ("people.csv", content)}, headers={"Origin": ORIGIN})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def test_a_list_is_made_filled_renamed_and_deleted(inside: Site) -> None:
    number = await new_list(inside)
    at = inside.at(f"lists/{number}")
    assert (await inside.post(inside.at("lists"), name="News")).status_code == 422
    assert (await inside.post(at, order="add", address="not an address")).status_code == 422
    assert (await inside.post(at, order="add", address="Jo@Example.net", name="Jo")).status_code == 303
    page = await inside.get(at)
    assert "jo@example.net" in text_of(page).lower() and "dashboard" in text_of(page) and "1 subscriber" in text_of(page)
    assert len((await inside.get(at + "?address=Jo@EXAMPLE.net")).css("tbody tr")) == 1
    assert not (await inside.get(at + "?address=jo@example")).css("tbody tr")
    assert (await inside.post(at, order="rename", name="Letters")).status_code == 303
    assert (await inside.post(at, order="delete")).status_code == 422, "not without confirmation"
    assert (await inside.post(at, order="delete", sure="yes")).status_code == 303
    assert (await inside.client.get(at)).status_code == 404


async def test_a_list_is_paged_by_key(inside: Site) -> None:
    number = await new_list(inside)
    for at in range(51):
        await inside.post(inside.at(f"lists/{number}"), order="add", address=f"p{at}@example.net")
    first = await inside.get(inside.at(f"lists/{number}"))
    more = first.css_first("a[rel=next]").attributes["href"]
    assert len(first.css("tbody tr")) == 50 and len((await inside.get(str(more))).css("tbody tr")) == 1


async def test_a_contact_is_changed_unsubscribed_and_forgotten(inside: Site) -> None:
    number = await new_list(inside)
    age = await inside.store.contacts.add_property(inside.account.id, "age", PropertyKind.INT, 0)
    assert age is not None
    at = (await inside.post(inside.at(f"lists/{number}"), order="add", address="jo@example.net")).headers["location"].split("?")[0]
    wrong = await inside.post(at, order="save", name="Jo", **{f"p-{age.id}": "old"})
    assert wrong.status_code == 422 and "age" in wrong.text
    assert (await inside.post(at, order="save", name="Jo", excluded="yes", **{f"p-{age.id}": "42"})).status_code == 303
    page = await inside.get(at)
    assert page.css_first(f"input[name=p-{age.id}]").attributes["value"] == "42" and "excluded from campaigns" in text_of(page)
    assert (await inside.post(at, order="unsubscribe", list=str(number))).status_code == 303
    assert "unsubscribed" in text_of(await inside.get(at))
    assert (await inside.post(at, order="unsubscribe", list="99")).status_code == 404
    found = await inside.client.get(inside.at("contacts?address=JO@example.net"))
    assert found.headers["location"] == at
    assert (await inside.post(at, order="erase", sure="else@example.net")).status_code == 422
    assert (await inside.post(at, order="erase", sure="jo@example.net")).status_code == 303
    assert "erased.invalid" in text_of(await inside.get(at)) and "jo@example.net" not in (await inside.client.get(at)).text
    assert (await inside.client.get(inside.at("contacts/99"))).status_code == 404


async def test_a_file_is_looked_at_mapped_and_imported(inside: Site) -> None:
    number = await new_list(inside)
    look = await upload(inside, b"mail,age\nann@example.net,41\nnobody,2\nbob@example.net,=1+1\n")
    page = await inside.get(look)
    assert text_of(page).count("nobody") and page.css_first("input[name=m-0]").attributes["value"] == "email"
    columns = {"c-0": "mail", "m-0": "email", "c-1": "age", "m-1": "years"}
    again = await inside.post(look, order="look", list=str(number), **columns)
    assert again.status_code == 200 and 'value="years"' in again.text
    assert (await inside.post(look, order="begin", list="0", **columns)).status_code == 422
    unsaid = await inside.post(look, order="begin", list=str(number), action=ListAction.ADD_FORCE.value, **columns)
    assert unsaid.status_code == 422 and "asked for it again" in unsaid.text, "who had unsubscribed is brought back with a word of why only"
    begun = await inside.post(look, order="begin", list=str(number), action=ListAction.ADD_FORCE.value, statement="By letter, in May", **columns)
    job = begun.headers["location"].split("?")[0]
    assert "waiting" in text_of(await inside.get(job))
    assert (await inside.post(job, order="pause")).status_code == 303 and "paused" in text_of(await inside.get(job))
    await inside.post(job, order="resume")
    assert await Jobber(inside.store, inside.clock, 1).work()
    assert "done" in text_of(await inside.get(job)) and "nobody" in text_of(await inside.get(job))
    errors = await inside.client.get(job + "/errors")
    assert errors.headers["content-type"].startswith("text/csv") and "nobody" in errors.text
    assert "ann@example.net" in text_of(await inside.get(inside.at("contacts")))
    ann = await inside.store.contacts.find_address(inside.account.id, "ann@example.net")
    assert ann is not None and "By letter, in May" in text_of(await inside.get(inside.at(f"contacts/{ann.id}")))
    assert len((await inside.get(inside.at("imports"))).css("tbody tr")) == 1


async def test_uploads_that_are_none(inside: Site) -> None:
    token = await inside.csrf()
    for data, files, headers, status in [
        ({"csrf": token}, {"file": ("x.csv", b"")}, {"Origin": ORIGIN}, 422),
        ({"csrf": token}, {"file": ("x.zip", b"PK\x03\x04 no archive")}, {"Origin": ORIGIN}, 422),
        ({"csrf": "forged"}, {"file": ("x.csv", b"email\na@b.test\n")}, {"Origin": ORIGIN}, 403),
        ({"csrf": token}, {"file": ("x.csv", b"email\na@b.test\n")}, {"Origin": "https://evil.test"}, 403),
        ({"csrf": token}, None, {"Origin": ORIGIN}, 400),
    ]:
        answer = await inside.client.post(inside.at("imports"), data=data, files=files, headers=headers)
        assert answer.status_code == status, (data, answer.text[:300])
    assert (await inside.client.get(inside.at("imports/new/7"))).status_code == 404
    assert (await inside.post(inside.at("imports/7"), order="abort")).status_code == 404
