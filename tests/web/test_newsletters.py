"""A newsletter in the dashboard from its title to its report, without script: written, checked, looked at, tried, sent, called back, paused."""

import inspect
import re

import httpx2
from selectolax.lexbor import LexborHTMLParser

from estafette.accept.ids import IdMaker
from estafette.audience import ContactChange, ListAction, Trace
from estafette.newsletters import checks
from estafette.newsletters.conductor import Conductor
from estafette.newsletters.life import State
from estafette.prepare.personal import Source
from estafette.web.findings import FINDINGS, STATES, WEIGHTS
from tests.web.conftest import ORIGIN, Site, text_of
from tests.web.test_audience import new_list


async def drafted(site: Site, **fields: str) -> str:
    """The address of a draft with somebody on its list."""
    number = await new_list(site)
    await site.post(site.at(f"lists/{number}"), order="add", address="jo@example.net", name="Jo")
    made = (await site.post(site.at("newsletters"), title="May")).headers["location"]
    given = {"title": "May", "author": "news@acme.test", "subject": "Hello", "list": str(number), "html": "<p>Hello <script>x</script></p>", **fields}
    answer = await save(site, made, given)
    assert answer.headers["location"].split("?")[0].endswith("/checks")
    return str(made.removesuffix("/write"))


async def save(site: Site, address: str, fields: dict[str, str], file: bytes = b"") -> httpx2.Response:
    """The form with files."""
    files = {"file": ("letter.html", file)}
    return await site.client.post(address, data={"csrf": await site.csrf(), **fields}, files=files, headers={"Origin": ORIGIN})


async def test_it_is_written_checked_and_looked_at(inside: Site) -> None:
    at = await drafted(inside)
    page = await inside.get(at + "/checks")
    assert "holds a script" in text_of(page) and page.css_first("iframe").attributes["sandbox"] == ""
    forecast = text_of(await inside.get(at + "/checks?forecast=1"))
    assert "1 recipients would be written to, 0 would be blocked" in forecast and "example.net" in forecast
    preview = await inside.client.get(at + "/preview")
    assert "<p>Hello" in preview.text and preview.headers["content-security-policy"].endswith("sandbox")
    form = await inside.get(at + "/write")
    assert form.css_first("input[name=subject]").attributes["value"] == "Hello"
    fields = {"title": "May", "author": "news@acme.test", "subject": "Hi", "rate": "3600", "language": "markdown"}
    assert (await save(inside, at + "/write", fields, b"# From a *file*")).status_code == 303
    assert "<h1>From a <em>file</em></h1>" in (await inside.client.get(at + "/preview")).text
    assert (await inside.get(at + "/write")).css_first("input[name=rate]").attributes["value"] == "3600"
    assert (await save(inside, at + "/write", {**fields, "language": "mjml", "html": "<mjml"})).status_code == 422
    assert (await inside.client.get(inside.at("newsletters/99"))).status_code == 404
    await inside.post("/app/language", language="fr", back="/app/")
    assert "Vérifications" in text_of(await inside.get(at + "/checks")) and "brouillon" in text_of(await inside.get(at))


async def test_what_stops_it_is_said(inside: Site) -> None:
    at = await drafted(inside, author="else@other.test", subject="")
    answer = await inside.post(at, order="send", when="now")
    assert "/checks?done=findings" in answer.headers["location"]
    said = text_of(await inside.get(answer.headers["location"]))
    assert "else@other.test is not a verified sender" in said and "There is no subject." in said
    assert "draft" in text_of(await inside.get(at))


async def test_the_list_of_another_account_is_none(inside: Site) -> None:
    other = await inside.store.add_account("other", inside.clock.now_us())
    theirs = await inside.store.contacts.create_list(other.id, "Theirs", "abc", 0)
    assert theirs is not None
    secret = ContactChange("secret@other.test", "secret@other.test")
    await inside.store.contacts.apply(other.id, [secret], {theirs.id: ListAction.ADD_FORCE}, Trace("test"), 0)
    at = await drafted(inside, list=str(theirs.id), html="<p>To {{contact:email}} [[data:email:'']]</p>")
    assert "There is no list" in text_of(await inside.get(at + "/checks"))
    for page in (at, at + "/checks", at + "/preview", at + "/write"):
        body = (await inside.client.get(page)).text
        assert "secret@" not in body and "Theirs" not in body, page
    assert "done=findings" in (await inside.post(at, order="send", when="now")).headers["location"]


async def test_it_is_tried_sent_called_back_and_paused(inside: Site) -> None:
    at = await drafted(inside)
    assert (await inside.post(at, order="try", to="no address")).status_code == 422
    assert (await inside.post(at, order="try", to="a@example.net b@example.net")).status_code == 303
    assert len((await inside.get(inside.at("activity"))).css("#log tbody tr")) == 2
    assert (await inside.post(at, order="send", when="later", at="2001-01-01T00:00")).status_code == 422
    assert "done=not_now" in (await inside.post(at, order="pause")).headers["location"]
    assert "done=newsletter_goes" in (await inside.post(at, order="send", when="now")).headers["location"]
    assert page_has(await inside.get(at), "call_back") and "not_now" in (await inside.client.get(at + "/write")).headers["location"]
    await inside.post(at, order="call_back")
    assert not page_has(await inside.get(at), "call_back")
    await inside.post(at, order="send", when="now")
    inside.clock.advance(61)
    conductor = Conductor(inside.store, inside.clock, 1, IdMaker(1).next, lambda: None, 3600.0)
    while await conductor.step():
        pass
    page = await inside.get(at)
    assert page_has(page, "pause") and "0 of 1 recipients are settled" in text_of(page)
    report = next(link.attributes["href"] for link in page.css("a") if "/campaigns/" in (link.attributes["href"] or ""))
    assert "newsletter 1: May" in text_of(await inside.get(str(report)))
    await inside.post(at, order="pause")
    assert page_has(await inside.get(at), "resume")
    await inside.post(at, order="cancel")
    assert "cancelled" in text_of(await inside.get(at)) and "cancelled" in text_of(await inside.get(inside.at("newsletters")))
    copy = await inside.post(at, order="copy", title="June")
    assert (await inside.get(copy.headers["location"])).css_first("input[name=title]").attributes["value"] == "June"
    draft = copy.headers["location"].partition("?")[0].removesuffix("/write")
    assert not page_has(await inside.get(at), "delete") and page_has(await inside.get(draft), "delete")
    await inside.post(draft, order="delete")  # without being sure
    assert (await inside.client.get(draft)).status_code == 200
    await inside.post(draft, order="delete", sure="1")
    assert (await inside.client.get(draft)).status_code == 404
    await inside.post(at, order="delete", sure="1")  # what was sent stays
    assert (await inside.client.get(at)).status_code == 200


def page_has(page: LexborHTMLParser, order: str) -> bool:
    """Whether the page offers an order."""
    return bool(page.css(f"button[value={order}]"))


def test_everything_that_is_found_has_words() -> None:
    codes = set(re.findall(r'Finding\("(\w+)"', inspect.getsource(checks)))
    assert set(FINDINGS) == codes and len(codes) > 15
    assert set(STATES) == set(State) and set(WEIGHTS) == set(checks.Weight)
    loud = Source(author="a@b.test", subject="SHOUTING ALL DAY" * 9, html="<img><script>" + "x" * 200_000 + '<a href="#">a</a><a href="https://bit.ly/x">b</a>')
    for source in (Source(), loud, Source(author="a@b.test", html="{{", subject="x"), Source(author="a@b.test", html="<p>a</p>")):
        for about in (checks.Surroundings(False, False, None), checks.Surroundings(True, False, "L", 0, "broken")):
            for one in checks.findings(source, about):
                assert FINDINGS[one.code] % one.values
