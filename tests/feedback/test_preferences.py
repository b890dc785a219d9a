"""What a recipient changes by the links of a mail: the page of preferences, reasons, pauses; and links that are older than retention keeps messages."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from starlette.applications import Starlette

from estafette.app.retention import sweep
from estafette.audience import LEAVING, Act, Choices, ContactChange, ListAction, Place, Trace
from estafette.clock import DAY_US
from estafette.config import Retention
from estafette.feedback.orders import reason_of
from estafette.feedback.preference_pages import MAX_LISTS, Asked, Wish, preference_page, read_form
from estafette.feedback.routes import feedback_routes, open_desks
from estafette.model import BlockCause, Options
from estafette.prepare import tokens
from estafette.status.blocking import StatusPolicy
from estafette.web.proofs import REASONS
from tests.feedback.ground import KEYRING, Ground

EVIL = "<script>alert(1)</script>\"'&{x}"
JO = "r1@dest.example"
FOURTEEN_MONTHS_S = 14 * 30.5 * 86_400


@pytest.fixture
async def web(ground: Ground) -> AsyncIterator[httpx2.AsyncClient]:
    visits, leaving = open_desks(ground.store, ground.clock, KEYRING)
    app = Starlette(routes=feedback_routes(visits, leaving))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=("203.0.113.77", 1)), base_url="http://links.test") as client:
        yield client
    await visits.close(1)


def link(number: int = 1, list_id: int = 0, address: str = JO, account_id: int = 1, language: str = "en") -> str:
    seal = tokens.Sealer(KEYRING, account_id, "").unsubscribe(list_id, language)
    return seal.head + tokens.tails([seal], number, address)[0].decode()


async def lists_of_jo(ground: Ground, *names: str) -> list[int]:
    """Lists with Jo on them."""
    made = []
    for name in names:
        one = await ground.store.contacts.create_list(ground.account.id, name, name.lower(), ground.clock.now_us())
        assert one is not None
        made.append(one.id)
        await ground.store.contacts.apply(ground.account.id, [ContactChange(JO, JO)], {one.id: ListAction.ADD_FORCE}, Trace("api", "key k"), 1)
    return made


async def state(ground: Ground) -> tuple[list[bool], bool, int | None]:
    """(unsubscribed per list, has left all, days of pause that are left)."""
    now = ground.clock.now_us()
    known = await ground.store.consents.choices(ground.account.id, JO, now)
    return ([place.is_unsubscribed for place in known.places], known.left_at is not None,
            None if known.paused_until is None else (known.paused_until - now) // DAY_US)  # fmt: skip


async def gets_campaigns(ground: Ground) -> bool:
    """What the road itself says at accept and before each attempt."""
    return not await ground.store.newsletters.refusals(ground.account.id, [JO], Options(campaign="may"), ground.clock.now_us())


async def acts(ground: Ground) -> list[tuple[Act, str, str]]:
    """The proofs, the oldest first."""
    found = await ground.store.contacts.find_address(ground.account.id, JO)
    assert found is not None
    return [(one.act, one.list_name, one.trace.source) for one in reversed(await ground.store.consents.acts(ground.account.id, found.id))]


async def test_a_person_chooses_lists_and_a_language(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    a, b = await lists_of_jo(ground, "Alpha", "Beta")
    foreign = await ground.store.add_account("other", 0)
    secret = await ground.store.contacts.create_list(foreign.id, "Secret", "x", 0)
    assert secret is not None
    path = f"/p/{link(list_id=a)}"
    for _ in range(3):  # whoever looks changes nothing
        page = LexborHTMLParser((await web.get(path)).text)
        await web.head(path)
    assert [box.attributes.get("checked", "no") for box in page.css("input[name=list]")] == [None, None]
    assert "Secret" not in page.html and await state(ground) == ([False, False], False, None) and "r…" in page.body.text()  # type: ignore[union-attr, operator]

    form = {"wish": "save", "shown": [str(a), str(b), str(secret.id)], "list": [str(b), str(secret.id)], "language": "fr", "pause": "0"}
    saved = await web.post(path, data=form)
    assert saved.status_code == 200 and saved.headers["content-language"] == "fr" and "Votre choix est enregistré" in saved.text
    assert await state(ground) == ([True, False], False, None)
    assert await ground.store.contacts.count(foreign.id, list_id=secret.id) == 0
    assert (await acts(ground))[2:] == [(Act.UNSUBSCRIBED, "Alpha", "preferences")]
    assert await ground.kinds(1) == [], "one list is not all mailings: the message bears no mark"
    # what the page did not show stays
    await web.post(path, data={"wish": "save", "shown": str(a), "list": str(a), "pause": "0"})
    assert await state(ground) == ([False, False], False, None)


async def test_a_person_pauses_leaves_all_and_comes_back(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    a, b = await lists_of_jo(ground, "Alpha", "Beta")
    path, both = f"/p/{link(list_id=a)}", {"shown": [str(a), str(b)], "list": [str(a), str(b)]}
    assert "30 days" in (await web.get(path)).text
    await web.post(path, data={"wish": "save", "pause": "30", **both})
    assert await state(ground) == ([False, False], False, 30) and not await gets_campaigns(ground)
    await web.post(path, data={"wish": "save", "pause": "keep", **both})
    assert await state(ground) == ([False, False], False, 30), "a choice of lists does not end a pause"
    ground.clock.advance(31 * 86_400)
    assert await state(ground) == ([False, False], False, None) and await gets_campaigns(ground), "a pause ends by itself"
    await web.post(path, data={"wish": "save", "pause": "90", **both})
    await web.post(path, data={"wish": "save", "pause": "0", **both})
    assert await gets_campaigns(ground)

    await web.post(path, data={"wish": "save", "pause": "180", **both})
    gone = await web.post(path, data={"wish": "leave", "reason": "too_many"})
    assert "no more mailings" in gone.text and await state(ground) == ([True, True], True, None)
    [event] = await ground.events(1)
    assert (event.kind.value, event.data["by"], event.data["reason"]) == ("unsubscribed", "preferences", "too_many")
    await web.post(path, data={"wish": "leave"})
    assert len(await ground.events(1)) == 1, "a repeated one writes nothing"
    await web.post(path, data={"wish": "save", "shown": [str(a), str(b)], "pause": "30"})
    assert await state(ground) == ([True, True], True, None), "who wants no list has still left"
    ground.clock.advance(200 * 86_400)
    assert not await gets_campaigns(ground), "the end of a pause does not bring back who left"
    await web.post(path, data={"wish": "save", "pause": "0", "shown": [str(a), str(b)], "list": str(b)})
    assert await state(ground) == ([True, False], False, None) and await gets_campaigns(ground)
    said = [act for act, name, _ in await acts(ground) if not name]
    assert said == [Act.PAUSED, Act.PAUSED, Act.RESUMED, Act.PAUSED, Act.UNSUBSCRIBED, Act.RESUMED]


async def test_one_list_is_left_from_the_mails_own_page(ground: Ground, web: httpx2.AsyncClient) -> None:
    """Offered to who is on several; mailings go on; undone by the same page; a scanner has pressed nothing."""
    await ground.deliver(1)
    a, b = await lists_of_jo(ground, "Alpha", "Beta")
    path = f"/u/{link(list_id=a)}"
    page = LexborHTMLParser((await web.get(path)).text)
    assert [one.attributes["value"] for one in page.css("button")] == ["unsubscribe", "leave-list"] and "Alpha" in page.css("button")[1].text()
    for _ in range(2):
        left = await web.post(path, data={"action": "leave-list", "reason": "too_many"})
        assert left.status_code == 200 and "Alpha" in left.text and "go on" in left.text
    assert await state(ground) == ([True, False], False, None) and await gets_campaigns(ground)
    [event] = await ground.events(1)
    assert (event.kind.value, event.data["by"], event.data["list"], event.data["reason"]) == ("unsubscribed", "leave-list", a, "too_many")
    page = LexborHTMLParser((await web.get(path)).text)
    assert [one.attributes["value"] for one in page.css("button")] == ["unsubscribe"], "on one list only there is nothing to choose"
    await web.post(path, data={"action": "resubscribe"})
    assert await state(ground) == ([False, False], False, None) and (await ground.state(1))[1] == 0
    assert (await web.post(f"/u/{link()}", data={"action": "leave-list"})).status_code == 400
    assert (await web.post(f"/u/{link(list_id=b + 1)}", data={"action": "leave-list"})).status_code == 400
    assert await state(ground) == ([False, False], False, None)


async def test_measuring_ends_with_one_press_of_mail_already_sent_too(ground: Ground, web: httpx2.AsyncClient) -> None:
    """Withdrawing is one button, for contacts and others alike; openings of the mail that lies there are not kept from then on."""
    await ground.deliver(1)
    pixel = tokens.Sealer(KEYRING, 1, "").open(tokens.OpenMode.FULL)
    image = f"/o/{pixel.head}{tokens.tails([pixel], 1)[0].decode()}"
    await web.get(image)
    assert await ground.kinds(1) == ["opened"]
    path = f"/p/{link()}"
    assert "may be measured" in (await web.get(path)).text
    assert "not measured" in (await web.post(path, data={"wish": "unmeasured"})).text
    assert await ground.store.privacy.consents(1, [JO]) == {JO: (False, False)}
    assert (await web.get(image)).status_code == 200 and await ground.kinds(1) == ["opened"]
    [said] = await ground.store.privacy.list_consents(1)
    assert said.source == "preferences, message 1"
    await web.post(path, data={"wish": "measured"})
    await web.get(image)
    assert await ground.kinds(1) == ["opened", "opened"] and await gets_campaigns(ground)


async def test_somebody_who_is_no_contact_leaves_and_comes_back(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    path = f"/p/{link()}"
    assert "input" not in LexborHTMLParser((await web.get(path)).text).css_first("main").html.split("<details>")[0]  # type: ignore[union-attr]
    await web.post(path, data={"wish": "leave"})
    assert not await gets_campaigns(ground) and await ground.store.contacts.find_address(1, JO) is None
    await web.post(path, data={"wish": "return"})
    assert await gets_campaigns(ground)


async def test_a_complaint_is_not_lifted_by_coming_back(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    [a] = await lists_of_jo(ground, "Alpha")
    await ground.store.add_block(1, JO, BlockCause.COMPLAINT, ground.clock.now_us(), None)
    for wish in ("leave", "return"):
        await web.post(f"/p/{link(list_id=a)}", data={"wish": wish})
    assert await ground.causes() == [(JO, "complaint")]


@pytest.mark.parametrize(
    "body",
    ["", "wish=save&wish=leave", "wish=drop", "wish=save&shown=1&list=2", "wish=save&shown=x", "wish=save&pause=7", "wish=save&language=de",
     "wish=save&" + "&".join(f"shown={i}" for i in range(1, MAX_LISTS + 2)), "List-Unsubscribe=One-Click", "action=unsubscribe"],
)  # fmt: skip
async def test_what_no_page_of_ours_sends_changes_nothing(ground: Ground, web: httpx2.AsyncClient, body: str) -> None:
    await ground.deliver(1)
    await lists_of_jo(ground, "Alpha")
    answer = await web.post(f"/p/{link()}", content=body.encode(), headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 400 and await state(ground) == ([False], False, None) and await ground.events(1) == []


async def test_tokens_that_are_not_ours_open_no_page(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    token = link()
    for wrong in (token[:-1], token + "A", link(account_id=2), link(number=404, address=""), link(address="no address")[:40], "x", "A" * 5000):
        assert (await web.get(f"/p/{wrong}")).status_code == 404 and (await web.post(f"/p/{wrong}", data={"wish": "leave"})).status_code == 404
    assert await ground.causes() == []


@pytest.mark.parametrize("path", ["u", "p"])
async def test_a_link_works_when_retention_has_taken_the_message_away(ground: Ground, web: httpx2.AsyncClient, path: str) -> None:
    """Fourteen months later, by one click, by the page and by the page of preferences: whoever wants out gets out."""
    await ground.deliver(1)
    a, _ = await lists_of_jo(ground, "Alpha", "Beta")
    ground.clock.advance(FOURTEEN_MONTHS_S)
    await sweep(ground.store, ground.clock, Retention())
    assert await ground.store.message(1) is None
    address = f"/{path}/{link(list_id=a)}"
    page = await web.get(address)
    assert page.status_code == 200 and "r…@dest.example" in page.text and "this sender" in page.text and await gets_campaigns(ground)
    form = {"List-Unsubscribe": "One-Click"} if path == "u" else {"wish": "leave", "words": "bye\r\n now"}
    for _ in range(2):
        assert (await web.post(address, data=form)).status_code == 200
    assert await ground.causes() == [(JO, "unsubscribe")] and not await gets_campaigns(ground)
    assert (await state(ground))[0] == ([True, False] if path == "u" else [True, True])
    undo = {"action": "resubscribe"} if path == "u" else {"wish": "return"}
    assert (await web.post(address, data=undo)).status_code == 200 and await gets_campaigns(ground)


async def test_a_link_of_before_addresses_is_answered_as_before(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    assert (await web.get(f"/u/{link(address='')}")).status_code == 200
    ground.clock.advance(FOURTEEN_MONTHS_S)
    await sweep(ground.store, ground.clock, Retention())
    assert (await web.post(f"/u/{link(address='')}", data={"action": "unsubscribe"})).status_code == 404


async def test_a_forgotten_person_still_gets_out_and_is_not_written_down_again(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    [a] = await lists_of_jo(ground, "Alpha")
    found = await ground.store.contacts.find_address(1, JO)
    assert found is not None
    await ground.store.contacts.erase(1, found.id, "x@erased.invalid", ground.clock.now_us())
    assert (await web.post(f"/u/{link(list_id=a)}", data={"action": "unsubscribe"})).status_code == 200
    assert not await gets_campaigns(ground) and await ground.store.contacts.find_address(1, JO) is None


async def test_the_reason_is_kept_with_the_message_and_the_person(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    [a] = await lists_of_jo(ground, "Alpha")
    path = f"/u/{link(list_id=a)}"
    page = LexborHTMLParser((await web.get(path)).text)
    assert [one.attributes["value"] for one in page.css("input[name=reason]")] == list(LEAVING) == list(REASONS)
    assert page.css_first("a").attributes["href"] == f"../p/{link(list_id=a)}"
    await web.post(path, data={"action": "unsubscribe", "reason": "not_asked"})
    [event] = await ground.events(1)
    assert event.data["reason"] == "not_asked"
    found = await ground.store.contacts.find_address(1, JO)
    assert found is not None
    assert [(one.act, one.list_id, one.trace) for one in (await ground.store.consents.acts(1, found.id))[:2]] == [
        (Act.UNSUBSCRIBED, a, Trace("link", "message 1", "203.0.113.0", reason="not_asked")),
        (Act.UNSUBSCRIBED, 0, Trace("link", "message 1", "203.0.113.0", reason="not_asked")),
    ]


def test_a_reason_is_one_of_ours_or_a_bounded_line() -> None:
    assert reason_of([("reason", "too_many")]) == "too_many" and reason_of([("reason", "<b>")]) == ""
    assert reason_of([("reason", "other"), ("words", " a\x00b\r\n  c ")]) == "a b c"
    assert len(reason_of([("words", "x" * 9000)])) == 300


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("notice", ["", "saved", "gone", "back", "unclear"])
def test_every_page_is_whole_and_harmless(language: str, notice: str) -> None:
    evil = Choices(3, "", (Place(1, EVIL, False),), None, 10**15)
    for known in (Choices(0, "", (), None, None), Choices(0, "", (), 5, None), evil, Choices(3, "", (), 5, None)):
        made = preference_page(language, EVIL, f"{EVIL}@x.example", known, notice).decode()
        tree = LexborHTMLParser(made)
        assert tree.css("script, img, link, a, iframe") == [] and "alert(1)</script>" not in made and len(tree.css("h1")) == 1
        named = {one.attributes["id"] for one in tree.css("select")}
        assert {one.attributes["for"] for one in tree.css("label[for]")} == named
        assert all(f.attributes.get("action") is None and f.attributes["method"] == "post" for f in tree.css("form"))


_VALUES = st.one_of(st.sampled_from(["save", "leave", "1", "2", "fr", "30", "0"]), st.text(max_size=5))


@given(st.lists(st.tuples(st.sampled_from(["wish", "shown", "list", "language", "pause", "x"]), _VALUES)))
def test_any_form_is_read_or_refused(fields: list[tuple[str, str]]) -> None:
    asked = read_form(fields)
    assert asked is None or (asked.wanted <= asked.shown and 0 not in asked.shown and asked.pause_days in (None, 0, 30, 90, 180))
    assert read_form([("wish", "save"), ("shown", "1"), ("list", "1")]) == Asked(Wish.SAVE, frozenset({1}), frozenset({1}))


def test_the_policy_lets_a_pause_stop_campaigns_only() -> None:
    """A pause is a block of the cause `unsubscribe`: single mails go on."""
    policy = StatusPolicy()
    assert policy.blocked_reason([BlockCause.UNSUBSCRIBE], Options()) is None
    assert policy.blocked_reason([BlockCause.UNSUBSCRIBE], Options(campaign="may")) is not None
