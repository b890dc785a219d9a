"""A person asks for a copy of what is kept, or to be forgotten, by a link of a mail; both are confirmed by mail."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from starlette.applications import Starlette

from estafette.accept.ids import IdMaker
from estafette.accept.submit import SubmitDoor
from estafette.audience import ContactChange, ListAction, Trace
from estafette.clock import DAY_US
from estafette.feedback.routes import feedback_routes, open_desks
from estafette.mail.token import make_token
from estafette.prepare.tokens import Sealer, tails
from estafette.signup import limits
from estafette.signup.desk import SignUpDesk
from estafette.signup.own_data import KIND, WORDS, Wish, make_asked, own_data_page, read_asked
from estafette.signup.own_data_endpoints import OwnDataPages
from tests.feedback.conftest import ground
from tests.feedback.ground import FOREIGN, KEYRING, Ground

__all__ = ["ground"]
JO = "r1@dest.example"


def link(number: int = 1, address: str = JO, account_id: int = 1) -> str:
    seal = Sealer(KEYRING, account_id, "").unsubscribe(0, "en")
    return seal.head + tails([seal], number, address)[0].decode()


@pytest.fixture
async def web(ground: Ground) -> AsyncIterator[httpx2.AsyncClient]:
    await ground.store.add_domain(ground.account.id, "acme.test", True, "t", 1)
    await ground.deliver(1)
    made = await ground.store.contacts.create_list(ground.account.id, "News", "n", 1)
    assert made is not None
    trace = Trace("form", "form 1", "192.0.2.0", "I want it")
    await ground.store.contacts.apply(ground.account.id, [ContactChange(JO, JO, "Jo")], {made.id: ListAction.ADD_FORCE}, trace, 1)
    door = SubmitDoor(ground.store, ground.clock, IdMaker(0), 1, "mx.acme.test", 3 * 86_400, None)
    desk = SignUpDesk(ground.store, ground.clock, door, KEYRING, "http://links.test")
    visits, leaving = open_desks(ground.store, ground.clock, KEYRING)
    app = Starlette(routes=[*feedback_routes(visits, leaving), *OwnDataPages(desk).routes()])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=("203.0.113.77", 1)), base_url="http://links.test") as client:
        yield client
    await visits.close(1)


async def links(ground: Ground) -> list[str]:
    """What stands in the mails that were accepted since, each to the person and to nobody else."""
    found = []
    for one in (await ground.store.messages(ground.account.id))[1:]:
        content = (await ground.store.contents([one.submission_id]))[one.submission_id]
        assert one.recipient == JO and one.author == "news@acme.test" and not one.campaign
        found += re.findall(r"http://links\.test(/d/[\w-]+)", content.raw.decode().replace("=\r\n", ""))
    return found


async def test_a_copy_is_asked_for_confirmed_and_downloaded(ground: Ground, web: httpx2.AsyncClient) -> None:
    preferences = LexborHTMLParser((await web.get(f"/p/{link()}")).text)
    assert preferences.css_first(".more a").attributes["href"] == f"../m/{link()}"
    page = LexborHTMLParser((await web.get(f"/m/{link()}")).text)
    assert [one.attributes["value"] for one in page.css("button")] == list(WORDS.values()) and await links(ground) == []
    sent = await web.post(f"/m/{link()}", data={"wish": "copy"})
    assert sent.status_code == 200 and "Look into your mailbox" in sent.text and "r…@dest.example" in sent.text
    [confirm] = await links(ground)
    for _ in range(3):  # whoever only looks gets nothing
        shown = await web.get(confirm)
        await web.head(confirm)
    assert shown.headers["content-type"].startswith("text/html") and "I want it" not in shown.text
    assert (await web.post(confirm, data={"wish": "forget"})).status_code == 400 == (await web.post(confirm)).status_code
    copy = await web.post(confirm, data={"wish": "copy"})
    assert copy.headers["content-disposition"].startswith("attachment") and copy.headers["cache-control"] == "no-store"
    kept = copy.json()
    assert (kept["address"], kept["name"], kept["lists"][0]["list"], kept["consent"][0]["words"]) == (JO, "Jo", "News", "I want it")
    assert {one["subject"] for one in kept["messages"]} >= {"Hello"}
    ground.clock.advance(86_400)
    assert (await web.get(confirm)).status_code == 410 == (await web.post(confirm, data={"wish": "copy"})).status_code


async def test_somebody_is_forgotten_when_the_mailbox_says_so(ground: Ground, web: httpx2.AsyncClient) -> None:
    await web.post(f"/m/{link()}", data={"wish": "forget"})
    [confirm] = await links(ground)
    await web.get(confirm)
    assert await ground.store.contacts.find_address(1, JO) is not None
    for _ in range(2):
        assert "You are forgotten" in (await web.post(confirm, data={"wish": "forget"})).text
        assert await ground.store.contacts.find_address(1, JO) is None
    view = await ground.store.message(1)
    assert view is not None and view.recipient.endswith("@erased.invalid")
    entries = await ground.store.users.audit_log(1)
    assert len(await ground.store.contacts.page(1)) == 1, "a repeated word writes nothing"
    assert {(entry.user_name, entry.action) for entry in entries} == {("recipient", "contact.erase")}


async def test_requests_are_few_and_answered_alike(ground: Ground, web: httpx2.AsyncClient) -> None:
    answers = {(await web.post(f"/m/{link()}", data={"wish": "copy"})).text for _ in range(limits.ADDRESS.most + 3)}
    assert len(answers) == 1 and len(await links(ground)) == limits.ADDRESS.most
    codes = [(await web.post(f"/m/{link()}", data={"wish": "copy"})).status_code for _ in range(limits.NETWORK.most)]
    assert codes[-1] == 429
    for body in ("", "wish=", "wish=copy&wish=forget", "wish=1", "action=unsubscribe", "List-Unsubscribe=One-Click"):
        answer = await web.post(f"/m/{link()}", content=body.encode(), headers={"content-type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 400
    for wrong in (link(account_id=2), link()[:-1], "x", link(404, "")):
        assert (await web.post(f"/m/{wrong}", data={"wish": "copy"})).status_code == 404
    gone = await web.post(f"/m/{link(404)}", data={"wish": "copy"})
    assert "too old" in gone.text and len(await links(ground)) == limits.ADDRESS.most, "nobody is known who could write"
    for wrong in ("x", make_asked(Wish.COPY, 2**50, link(), FOREIGN), make_token(KIND, b"\x01" + bytes(5) + b"nonsense", KEYRING), link()):
        assert (await web.post(f"/d/{wrong}", data={"wish": "copy"})).status_code == 404


@given(st.binary(max_size=60), st.sampled_from(list(Wish)))
def test_tokens_bring_what_was_put_in(octets: bytes, wish: Wish) -> None:
    asked = read_asked(make_asked(wish, 5 * DAY_US, link(), KEYRING), KEYRING)
    assert asked is not None and (asked.wish, asked.expires_at, asked.link) == (wish, 5 * DAY_US, link())
    read_asked(make_token(KIND, octets, KEYRING), KEYRING)
    assert read_asked(make_token("click", octets, KEYRING), KEYRING) is None


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("which", ["ask", "sent", "copy", "forget", "forgotten", "late", "unable"])
def test_every_page_is_whole_and_harmless(which: str, language: str) -> None:
    evil = "<script>alert(1)</script>\"'&{author}"
    made = own_data_page(which, language, evil, f"{evil}@x.example").decode()
    tree = LexborHTMLParser(made)
    assert tree.css("script, img, a, iframe") == [] and "alert(1)</script>" not in made and len(tree.css("h1")) == 1
    assert len(tree.css("button")) == {"ask": 2, "copy": 1, "forget": 1}.get(which, 0)
