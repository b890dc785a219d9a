"""Subscribing on the web, over a real store: forms, limits, the mail that asks to confirm, and what strangers can and cannot do with all of it."""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from starlette.applications import Starlette

from estafette.accept.ids import IdMaker
from estafette.accept.submit import SubmitDoor
from estafette.app.retention import forget_requests
from estafette.audience import Act, ContactChange, FormDefinition, ListAction, PropertyKind, Question, SignUpForm, Trace
from estafette.clock import ManualClock
from estafette.mail.token import Keyring
from estafette.model import Account, BlockCause, Options
from estafette.prepare.personal import named_values
from estafette.signup import limits
from estafette.signup.desk import SignUpDesk
from estafette.signup.endpoints import SignUpPages
from estafette.signup.pages import TRAP, snippet
from estafette.signup.tokens import make_confirm
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store

RING = Keyring(1, {1: b"k" * 32})
PEER = "203.0.113.77"
EVIL = "<script>alert(1)</script>\"'&{x}"
DEFINITION = FormDefinition("en", "news@acme.test", "Acme", "Our news", "Twice a month.", "I want the news of Acme by mail.")


@dataclass
class Site:
    """The public pages of subscribing, and what stands behind them."""

    store: Database
    clock: ManualClock
    account: Account
    list_id: int
    form: SignUpForm
    app: Starlette

    def client(self, peer: str = PEER) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app, client=(peer, 1)), base_url="http://links.test")

    async def change(self, **changed: object) -> None:
        """Another definition."""
        self.form = replace(self.form, definition=replace(self.form.definition, **changed))  # type: ignore[arg-type]
        assert await self.store.sign_ups.update(self.form, self.clock.now_us())

    async def fill_in(self, address: str = "jo@dest.example", peer: str = PEER, waits_s: float = 20, **fields: str) -> httpx2.Response:
        """As a person does it: look, read, write, send."""
        async with self.client(peer) as web:
            page = LexborHTMLParser((await web.get(f"/f/{self.form.key}")).text)
            self.clock.advance(waits_s)
            hidden = {str(one.attributes["name"]): one.attributes["value"] or "" for one in page.css("input[type=hidden]")}
            return await web.post(f"/f/{self.form.key}", data={**hidden, "email": address, "agree": "yes", **fields})

    async def mails(self) -> list[str]:
        """Every mail that was accepted, with its recipient in the first line."""
        found = []
        for one in await self.store.messages(self.account.id):
            content = (await self.store.contents([one.submission_id])).get(one.submission_id)
            if content is None:
                continue  # a blocked one keeps none
            found.append(f"{one.recipient}\n" + content.raw.decode().replace("=\r\n", "").replace("=3D", "="))
        return found

    async def links(self) -> list[str]:
        """The links that confirm."""
        return [re.findall(r"http://links\.test(/s/[\w-]+)", mail)[0] for mail in await self.mails()]

    async def is_subscribed(self, address: str = "jo@dest.example") -> bool:
        contact = await self.store.contacts.find_address(self.account.id, address)
        place = await self.store.contacts.subscriber_on(self.account.id, self.list_id, contact.id) if contact is not None else None
        return place is not None and not place.subscription.is_unsubscribed


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    clock = ManualClock()
    store = await open_store(f"sqlite:///{tmp_path}/estafette.db", StatusPolicy(), clock)
    account = await store.add_account("acme", clock.now_us())
    await store.add_domain(account.id, "acme.test", True, "token", clock.now_us())
    made = await store.contacts.create_list(account.id, "internal-list-7", "aa", clock.now_us())
    assert made is not None
    form = await store.sign_ups.create(SignUpForm(0, account.id, "key123", "Footer", made.id, DEFINITION), clock.now_us())
    assert form is not None
    door = SubmitDoor(store, clock, IdMaker(0), 1, "mx.acme.test", 3 * 86_400, None)
    desk = SignUpDesk(store, clock, door, RING, "http://links.test")
    yield Site(store, clock, account, made.id, form, Starlette(routes=SignUpPages(desk).routes()))
    await store.close()


async def test_nobody_is_subscribed_before_the_owner_of_the_address_said_so(site: Site) -> None:
    taken = await site.fill_in()
    assert taken.status_code == 200 and "Look into your mailbox" in taken.text and "j…@dest.example" in taken.text
    assert await site.store.contacts.find_address(site.account.id, "jo@dest.example") is None
    [mail], [link] = await site.mails(), await site.links()
    assert mail.startswith("jo@dest.example\n") and "Subject: Please confirm your subscription: Our news" in mail and "internal-list-7" not in mail
    assert "List-Unsubscribe" not in mail and "Auto-Submitted: auto-generated" in mail
    [view] = await site.store.messages(site.account.id)
    assert (view.campaign, view.author) == ("", "news@acme.test")
    assert await site.store.backlog(site.clock.now_us())

    async with site.client("198.51.100.9") as web:
        for _ in range(3):  # a scanner that follows the link, by whichever method it looks
            page = await web.get(link)
            await web.head(link)
        assert page.status_code == 200 and len(LexborHTMLParser(page.text).css("form[method=post] button")) == 1
        for body in (b"", b"action=", b"action=no", b"action=confirm&action=confirm", b"List-Unsubscribe=One-Click"):
            assert (await web.post(link, content=body, headers={"content-type": "application/x-www-form-urlencoded"})).status_code == 400
        assert not await site.is_subscribed()
        site.clock.advance(60)
        assert "You are subscribed" in (await web.post(link, data={"action": "confirm"})).text and await site.is_subscribed()
        again = await web.post(link, data={"action": "confirm"})
        assert again.status_code == 200 and "You are subscribed" in (await web.get(link)).text
    contact = await site.store.contacts.find_address(site.account.id, "jo@dest.example")
    assert contact is not None
    acts = {one.act: one for one in await site.store.consents.acts(site.account.id, contact.id)}
    asked, confirmed = acts[Act.ASKED], acts[Act.CONFIRMED]
    assert asked.trace == Trace("form", f"form {site.form.id}: Footer", "203.0.113.0", "I want the news of Acme by mail.")
    assert confirmed.trace == replace(asked.trace, ip="198.51.100.0") and confirmed.at > asked.at
    form = await site.store.sign_ups.find(site.account.id, site.form.id)
    assert form is not None and (form.asked, form.confirmed, form.refused) == (1, 1, 0)


async def test_known_and_unknown_addresses_get_the_same_answer_and_the_same_mail(site: Site) -> None:
    """Subscribed, unsubscribed, blocked, unknown, and asked too often: no word and no header of the answer differs."""
    now = site.clock.now_us()
    for address, action in (("subscribed@dest.example", ListAction.ADD_FORCE), ("unsubscribed@dest.example", ListAction.UNSUBSCRIBE)):
        await site.store.contacts.apply(site.account.id, [ContactChange(address, address, "Known")], {site.list_id: action}, Trace("api"), now)
    await site.store.add_block(site.account.id, "complained@dest.example", BlockCause.COMPLAINT, now, None)
    answers = {}
    for number, who in enumerate(("subscribed", "unsubscribed", "complained", "unknown")):
        for _ in range(limits.ADDRESS.most + 1):
            found = await site.fill_in(f"{who}@dest.example", peer=f"203.0.113.{number}")
            answers[who, found.status_code, re.sub(r"\w…\w", "", found.text), tuple(sorted(found.headers.items()))] = found
    assert len({key[1:] for key in answers}) == 1
    assert len(await site.store.messages()) == 4 * limits.ADDRESS.most and len(await site.mails()) == 3 * limits.ADDRESS.most
    assert len({mail.partition("\n")[2].split("Subject:")[1].split("/s/")[0].split("Content-Type")[0] for mail in await site.mails()}) == 1


async def test_who_has_left_comes_back_by_the_own_word_only(site: Site) -> None:
    now = site.clock.now_us()
    change = ContactChange("jo@dest.example", "jo@dest.example", "Jo")
    await site.store.contacts.apply(site.account.id, [change], {site.list_id: ListAction.UNSUBSCRIBE}, Trace("api"), now)
    await site.store.consents.leave(site.account.id, "jo@dest.example", None, Trace("link"), now)
    await site.fill_in()
    contact = await site.store.contacts.find_address(site.account.id, "jo@dest.example")
    assert contact is not None and not await site.is_subscribed()
    assert (await site.store.consents.standing(site.account.id, [contact.id], now))[contact.id].is_opt_in_pending
    async with site.client() as web:
        await web.post((await site.links())[0], data={"action": "confirm"})
    assert await site.is_subscribed() and await site.store.consents.standing(site.account.id, [contact.id], site.clock.now_us()) == {}
    assert not await site.store.newsletters.refusals(site.account.id, ["jo@dest.example"], Options(campaign="x"), site.clock.now_us())


async def test_without_confirmation_nothing_that_is_known_changes(site: Site) -> None:
    """A form without double opt-in takes new people and nobody else: strangers write there."""
    city = await site.store.contacts.add_property(site.account.id, "city", PropertyKind.STR, 0)
    assert city is not None
    await site.change(is_double=False, asks_name=True, questions=(Question(city.id, "Your city"),))
    known = ContactChange("left@dest.example", "left@dest.example", "Known", properties={city.id: "Nantes"})
    await site.store.contacts.apply(site.account.id, [known], {site.list_id: ListAction.UNSUBSCRIBE}, Trace("api"), 1)
    evil = {"name": "Evil", f"p{city.id}": "Lyon"}
    answers = {re.sub(r"\w…\w?", "", (await site.fill_in(f"{who}@dest.example", **evil)).text) for who in ("left", "new")}
    assert len(answers) == 1 and await site.mails() == []
    left, new = [await site.store.contacts.find_address(site.account.id, f"{who}@dest.example") for who in ("left", "new")]
    assert left is not None and (left.name, left.properties) == ("Known", {city.id: "Nantes"}) and not await site.is_subscribed("left@dest.example")
    assert new is not None and (new.name, new.properties) == ("Evil", {city.id: "Lyon"}) and await site.is_subscribed("new@dest.example")


async def test_programs_that_fill_in_forms_end_nowhere(site: Site) -> None:
    trapped = await site.fill_in(**{TRAP: "https://spam.example"})
    assert trapped.text == (await site.fill_in("jo2@dest.example", waits_s=20)).text.replace("j…@", "j…@"), "it learns nothing"
    quick = await site.fill_in("quick@dest.example", waits_s=0.5)
    assert "One more press" in quick.text
    async with site.client() as web:
        without = await web.post(f"/f/{site.form.key}", data={"email": "static@dest.example", "agree": "yes"})
        foreign = await web.post(f"/f/{site.form.key}", data={"email": "static@dest.example", "agree": "yes", "shown": "x" * 40})
        assert "One more press" in without.text and "One more press" in foreign.text
        site.clock.advance(7 * 3600)
        old = LexborHTMLParser(without.text).css_first("input[name=shown]").attributes["value"] or ""
        assert "One more press" in (await web.post(f"/f/{site.form.key}", data={"email": "static@dest.example", "agree": "yes", "shown": old})).text
        assert [mail.split("\n")[0] for mail in await site.mails()] == ["jo2@dest.example"]
        # a person with the form of a customer's own page: what was filled in stands there again, one button is left
        page = LexborHTMLParser((await web.post(f"/f/{site.form.key}", data={"email": "static@dest.example", "agree": "yes"})).text)
        assert page.css_first("input[name=email]").attributes["value"] == "static@dest.example" and "checked" in page.css_first("input[name=agree]").attributes
        site.clock.advance(1)
        shown = page.css_first("input[name=shown]").attributes["value"] or ""
        page = LexborHTMLParser((await web.post(f"/f/{site.form.key}", data={"email": "static@dest.example", "agree": "yes", "shown": shown})).text)
        assert page.css_first("input[name=shown]").attributes["value"] == shown, "who presses at once need not wait anew"
        site.clock.advance(2)
        await web.post(f"/f/{site.form.key}", data={"email": "static@dest.example", "agree": "yes", "shown": shown})
    assert len(await site.mails()) == 2
    form = await site.store.sign_ups.find(site.account.id, site.form.id)
    assert form is not None and form.refused == 1


async def test_no_mailbox_is_bombed_and_no_network_asks_without_end(site: Site) -> None:
    other = await site.store.add_account("other", 0)
    await site.store.add_domain(other.id, "acme.test2", True, "t", 0)
    theirs = await site.store.contacts.create_list(other.id, "x", "x", 0)
    assert theirs is not None
    second = await site.store.sign_ups.create(
        SignUpForm(0, other.id, "key456", "Other", theirs.id, replace(DEFINITION, author="a@acme.test2")), site.clock.now_us()
    )
    assert second is not None
    first, spellings = site.form, ["jo@dest.example", "JO@dest.example", "jo+1@dest.example", "jo+2@DEST.example", "jo+3@dest.example", "jo@dest.example"]
    for number, spelling in enumerate(spellings):
        site.form = (first, second)[number % 2]
        assert (await site.fill_in(spelling, peer=f"198.51.100.{number}", waits_s=5)).status_code == 200
    assert len(await site.store.messages()) == limits.ADDRESS.most, "over all forms, accounts and networks"
    site.clock.advance(86_400)
    site.form = first
    await site.fill_in()
    assert len(await site.store.messages()) == limits.ADDRESS.most + 1, "the day after, it works again"

    codes = [(await site.fill_in(f"p{n}@dest.example", waits_s=3)).status_code for n in range(limits.NETWORK.most + 2)]
    assert codes.count(429) >= 2 and codes[-1] == 429 and codes[:15] == [200] * 15
    assert (await site.fill_in("other@dest.example", peer="192.0.2.200")).status_code == 200


async def test_what_is_not_confirmed_is_forgotten(site: Site) -> None:
    await site.fill_in()
    [link] = await site.links()
    site.clock.advance(8 * 86_400)
    async with site.client() as web:
        assert (await web.get(link)).status_code == 410 and (await web.post(link, data={"action": "confirm"})).status_code == 410
        assert await forget_requests(site.store, site.clock) == 1
        assert (await web.get(link)).status_code == 410 and (await web.post(link, data={"action": "confirm"})).status_code == 410
        assert await site.store.consents.waiting(site.account.id) == [] and not await site.is_subscribed()
        for wrong in (link[:-1], link + "A", "/s/x", "/s/" + "A" * 5000, f"/s/{make_confirm(1, 2**40, Keyring(1, {1: b'x' * 32}))}"):
            assert (await web.get(wrong)).status_code == 404 and (await web.post(wrong, data={"action": "confirm"})).status_code == 404


async def test_answers_are_judged_field_by_field(site: Site) -> None:
    age = await site.store.contacts.add_property(site.account.id, "age", PropertyKind.INT, 0)
    born = await site.store.contacts.add_property(site.account.id, "born", PropertyKind.DATETIME, 0)
    terms = await site.store.contacts.add_property(site.account.id, "terms", PropertyKind.BOOL, 0)
    assert age is not None and born is not None and terms is not None
    await site.change(questions=(Question(age.id, "Age", True), Question(born.id, "Born"), Question(terms.id, "Terms", True)), asks_name=True)
    wrong = await site.fill_in("no address", agree="", **{f"p{age.id}": "old", f"p{born.id}": "1990-02-31", "name": EVIL})
    page = LexborHTMLParser(wrong.text)
    assert wrong.status_code == 422 and "alert(1)</script>" not in wrong.text
    assert {one.attributes["name"] for one in page.css("[aria-invalid=true]")} == {"email", f"p{age.id}", f"p{born.id}"}
    assert len(page.css(".wrong")) == 5 and page.css_first("input[name=name]").attributes["value"] == EVIL
    good = await site.fill_in(**{f"p{age.id}": "42", f"p{born.id}": "1990-02-28", f"p{terms.id}": "yes", "name": "Jo", "p999": "x", "admin": "1"})
    assert good.status_code == 200
    [waiting] = await site.store.consents.waiting(site.account.id, now=site.clock.now_us())
    assert (waiting.name, waiting.properties[age.id], waiting.properties[terms.id]) == ("Jo", 42, True)
    assert set(waiting.properties) == {age.id, born.id, terms.id}
    async with site.client() as web:
        for body in (b"email=" + b"a" * 20_000, b"&".join(b"a%d=1" % n for n in range(1000)), b"\xff\xfe%zz", b'{"email": "x@y.example"}'):
            assert (await web.post(f"/f/{site.form.key}", content=body, headers={"content-type": "application/x-www-form-urlencoded"})).status_code == 422


async def test_the_browser_goes_where_the_form_says_and_nowhere_else(site: Site) -> None:
    await site.change(redirect="https://shop.example/thanks?a=b")
    went = await site.fill_in(redirect="https://evil.example", next="https://evil.example")
    assert went.status_code == 303 and went.headers["location"] == "https://shop.example/thanks?a=b"
    assert (await site.fill_in(**{TRAP: "x"})).headers["location"] == "https://shop.example/thanks?a=b"
    async with site.client() as web:
        policy = (await web.get(f"/f/{site.form.key}?redirect=https://evil.example")).headers["content-security-policy"]
    assert "form-action 'self' https://shop.example;" in policy and "evil" not in policy


async def test_form_mail_and_pages_speak_the_language_of_the_form(site: Site) -> None:
    await site.change(language="fr", title="Les nouvelles d’Acmé")
    asked = await site.fill_in()
    assert asked.headers["content-language"] == "fr" and "Consultez votre boîte" in asked.text
    [one], [link] = await site.store.messages(site.account.id), await site.links()
    raw = (await site.store.contents([one.submission_id]))[one.submission_id].raw
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Subject"] == "Confirmez votre inscription : Les nouvelles d’Acmé"
    async with site.client() as web:
        page = await web.get(link, headers={"accept-language": "en"})
        assert "Confirmer l’inscription" in page.text and "Les nouvelles d’Acmé" in page.text and 'lang="fr"' in page.text
        await web.post(link, data={"action": "confirm"})
    assert (await site.store.consents.choices(site.account.id, "jo@dest.example", site.clock.now_us())).language == "fr"


async def test_a_default_is_said_for_who_has_no_value(site: Site) -> None:
    """In what newsletters and the Send API know of contacts; the own value comes first, and a default of a dropped property is gone."""
    born = await site.store.contacts.add_property(site.account.id, "born", PropertyKind.DATETIME, 0)
    city = await site.store.contacts.add_property(site.account.id, "city", PropertyKind.STR, 0)
    assert born is not None and city is not None
    await site.store.contacts.set_fallback(site.account.id, city.id, "Paris")
    await site.store.contacts.set_fallback(site.account.id, born.id, 0)
    people = [ContactChange("a@x.test", "a@x.test", properties={city.id: "Nantes"}), ContactChange("b@x.test", "b@x.test")]
    await site.store.contacts.apply(site.account.id, people, {}, Trace("api"), 1)
    known = await site.store.contacts.properties(site.account.id)
    assert [named_values(known, {city.id: "Nantes"}), named_values(known, {})] == [{"born": 0, "city": "Nantes"}, {"born": 0, "city": "Paris"}]
    door = SubmitDoor(site.store, site.clock, IdMaker(0), 1, "mx.acme.test", 3 * 86_400, None)
    found = await door.contacts(site.account.id, ["a@x.test", "b@x.test"])
    assert [found[key].data for key in ("a@x.test", "b@x.test")] == [{"born": "1970-01-01T00:00:00.000Z", "city": "Nantes"},
                                                                           {"born": "1970-01-01T00:00:00.000Z", "city": "Paris"}]  # fmt: skip
    assert await site.store.contacts.drop_property(site.account.id, city.id, 2)
    assert (await door.contacts(site.account.id, ["b@x.test"]))["b@x.test"].data == {"born": "1970-01-01T00:00:00.000Z"}


async def test_a_form_that_is_off_gone_or_without_list_is_no_page(site: Site) -> None:
    async with site.client() as web:
        for path in ("/f/nope", "/f/" + "x" * 300, "/f/%00"):
            assert (await web.get(path)).status_code == 404
        assert await site.store.sign_ups.update(replace(site.form, is_active=False), 1)
        assert (await web.get(f"/f/{site.form.key}")).status_code == 404
        assert await site.store.sign_ups.update(site.form, 1) and (await web.get(f"/f/{site.form.key}")).status_code == 200
        found = await site.store.contacts.find_list(site.account.id, site.list_id)
        assert found is not None and await site.store.contacts.update_list(replace(found, deleted_at=1))
        assert (await web.post(f"/f/{site.form.key}", data={"email": "jo@dest.example"})).status_code == 404
        assert await site.store.contacts.update_list(found)
        assert await site.store.sign_ups.delete(site.account.id, site.form.id, 1) and not await site.store.sign_ups.delete(site.account.id, site.form.id, 1)
        assert (await web.get(f"/f/{site.form.key}")).status_code == 404


async def test_a_form_whose_author_is_not_verified_writes_to_nobody(site: Site) -> None:
    await site.change(author="boss@bank.example")
    assert (await site.fill_in()).status_code == 503 and await site.mails() == []


async def test_the_form_for_other_pages_is_whole_and_harmless(site: Site) -> None:
    city = await site.store.contacts.add_property(site.account.id, "city", PropertyKind.STR, 0)
    assert city is not None
    definition = replace(DEFINITION, title=EVIL, intro=EVIL, words=EVIL, questions=(Question(city.id, EVIL, True),), asks_name=True)
    made = snippet(definition, [city], 'http://links.test/f/k"')
    tree = LexborHTMLParser(made)
    assert "alert(1)</script>" not in made and tree.css("script, link, style, img, iframe, [class]") == []
    form = tree.css_first("form")
    assert (form.attributes["action"], form.attributes["method"]) == ('http://links.test/f/k"', "post")
    assert {one.attributes["name"] for one in tree.css("input")} == {"email", "name", f"p{city.id}", "agree", TRAP}
    assert {one.attributes["for"] for one in tree.css("label[for]")} <= {one.attributes["id"] for one in tree.css("input[id]")}
    await site.change(title=EVIL, intro=EVIL, words=EVIL, questions=definition.questions)
    async with site.client() as web:
        page = await web.get(f"/f/{site.form.key}")
    assert page.status_code == 200 and "alert(1)</script>" not in page.text and LexborHTMLParser(page.text).css("script, img, iframe") == []


