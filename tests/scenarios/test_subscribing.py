"""From a form to the last mail, through the running platform and the simulated Internet: asked, confirmed, written to, changed, left. Scanners do nothing."""

import asyncio
import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import httpx2
import msgspec
import pytest
from selectolax.lexbor import LexborHTMLParser

from estafette.audience import Act, FormDefinition, PropertyKind, SignUpForm
from estafette.clock import SystemClock
from estafette.demo.certificate import self_signed
from estafette.demo.internet import Internet
from estafette.demo.letters import Received
from estafette.newsletters.desk import NewsletterDesk
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from tests.scenarios.load import until
from tests.scenarios.platform import DOMAIN, Platform
from tests.scenarios.test_newsletter import finished

JO, ANNA = "jo@friends.test", "anna@friends.test"
LINK = re.compile(r'https?://[^\s"<>]+')


class Boxes:
    """What lies in the mailboxes of the simulated Internet."""

    def __init__(self, internet: Internet) -> None:
        self.mails: list[Received] = []
        receive = internet.people.receive

        def keep(mail: Received, mail_id: str, acts: tuple[object, ...]) -> None:
            self.mails.append(mail)
            receive(mail, mail_id, ())  # nobody of the simulated people acts: this test does

        internet.people.receive = keep  # type: ignore[method-assign, assignment]

    def of(self, address: str) -> list[EmailMessage]:
        found = [email.message_from_bytes(one.content, policy=email.policy.default) for one in self.mails if one.recipient == address]
        return [one for one in found if isinstance(one, EmailMessage)]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


async def scan(web: httpx2.AsyncClient, mails: list[EmailMessage]) -> int:
    """Follow every link of every mail, header and body, as scanners do; how many."""
    found = {link.rstrip(">,") for mail in mails for part in mail.walk() if isinstance(part, EmailMessage) and part.get_content_maintype() == "text"
             for link in LINK.findall(str(part.get_content()))}  # fmt: skip
    found |= {link for mail in mails for link in re.findall(r"<(https?://[^>]+)>", str(mail["List-Unsubscribe"] or ""))}
    for link in found:
        for method in ("HEAD", "GET", "OPTIONS"):
            await web.request(method, link.replace("&amp;", "&"))
    return len(found)


async def send(store: Database, account_id: int, list_id: int, title: str) -> Newsletter:
    desk, clock = NewsletterDesk(store, SystemClock()), SystemClock()
    source = Source(author=f"news@{DOMAIN}", subject=title, html='<p>News for {{data:town}}. <a href="[[PREFERENCES_LINK_EN]]">Choose</a></p>', locale="en")
    draft = await store.newsletters.create(Newsletter(0, account_id, title, letter=msgspec.json.encode(source).decode(), list_id=list_id), clock.now_us())
    await desk.send(draft, clock.now_us())
    return await finished(store, account_id, draft.id)


@pytest.mark.timeout(120)
async def test_from_the_form_to_the_last_mail(tmp_path: Path) -> None:
    """On SQLite; what is written is the same on PostgreSQL by tests/store/test_consents_conformance.py."""
    clock, database_url = SystemClock(), f"sqlite:///{tmp_path}/estafette.db"
    async with Internet(clock, seed=5, tls=self_signed("mx.any.test", clock), pace=0.02) as internet:
        boxes = Boxes(internet)
        sections = {"delivery": 'retry = ["1s", "2s"]\ngive_up_after = "60s"\nipv6 = false'}
        async with Platform(tmp_path, database_url, dns=internet.dns, mx_port=internet.port, sections=sections) as platform:
            store = await open_store(database_url, StatusPolicy(), clock)
            try:
                account = await store.account("shop")
                assert account is not None
                made = await store.contacts.create_list(account.id, "News", "abc", clock.now_us())
                assert made is not None
                definition = FormDefinition("en", f"news@{DOMAIN}", "Shop", "The news of the shop", words="I want the news.")
                town = await store.contacts.add_property(account.id, "town", PropertyKind.STR, clock.now_us())
                assert town is not None and await store.contacts.set_fallback(account.id, town.id, "everywhere")
                form = await store.sign_ups.create(SignUpForm(0, account.id, "formkey", "Footer", made.id, definition), clock.now_us())
                assert form is not None
                async with httpx2.AsyncClient(base_url=platform.http_url, timeout=10) as web:
                    await _journey(store, web, boxes, account.id, made.id)
                platform.assert_nothing_is_missing()
            finally:
                await store.close()


async def _journey(store: Database, web: httpx2.AsyncClient, boxes: Boxes, account_id: int, list_id: int) -> None:
    pages = [LexborHTMLParser((await web.get("/f/formkey")).text) for _ in (JO, ANNA)]
    await asyncio.sleep(2.5)  # nobody fills in a form in less
    for page, address in zip(pages, (JO, ANNA), strict=True):
        shown = page.css_first("input[name=shown]").attributes["value"] or ""
        assert "Look into your mailbox" in (await web.post("/f/formkey", data={"email": address, "agree": "yes", "shown": shown})).text
    await until("both mails are there", lambda: len(boxes.mails) == 2, 30)
    assert await store.contacts.count(account_id) == 0
    asking = [boxes.of(address)[0] for address in (JO, ANNA)]
    assert await scan(web, asking) == 2 and await store.contacts.count(account_id) == 0, "whoever only looks subscribes nobody"
    for mail in asking:
        assert mail["Subject"] == "Please confirm your subscription: The news of the shop" and mail["List-Unsubscribe"] is None
        link = next(one for one in LINK.findall(text_of(mail)) if "/s/" in one)
        assert "You are subscribed" in (await web.post(link, data={"action": "confirm"})).text

    await send(store, account_id, list_id, "First")
    assert [len(boxes.of(address)) for address in (JO, ANNA)] == [2, 2]
    letters = [boxes.of(address)[1] for address in (JO, ANNA)]
    assert all("News for everywhere." in text_of(letter) for letter in letters), "what is said for who has no value"
    assert await scan(web, letters) >= 6
    places = await store.contacts.subscribers(account_id, list_id=list_id)
    assert [place.subscription.is_unsubscribed for place in places] == [False, False], "whoever only looks unsubscribes nobody"
    assert await store.blocks(account_id, SystemClock().now_us()) == []

    choose = next(one for one in LINK.findall(text_of(letters[0])) if "/p/" in one)
    page = LexborHTMLParser((await web.get(choose)).text)
    assert page.css_first("input[name=list]").attributes["value"] == str(list_id) and "News" in page.css_first("main").text()
    gone = await web.post(choose, data={"wish": "leave", "reason": "too_many"})
    assert "no more mailings" in gone.text

    second = await send(store, account_id, list_id, "Second")
    assert second.frozen == 1 and [len(boxes.of(address)) for address in (JO, ANNA)] == [2, 3], "who left gets nothing, who stayed does"
    jo = await store.contacts.find_address(account_id, JO)
    assert jo is not None
    acts = [(one.act, one.trace.source, one.trace.reason) for one in reversed(await store.consents.acts(account_id, jo.id))]
    assert acts == [(Act.ASKED, "form", ""), (Act.CONFIRMED, "form", ""), (Act.SUBSCRIBED, "form", ""), (Act.UNSUBSCRIBED, "preferences", "too_many"),
                    (Act.UNSUBSCRIBED, "preferences", "too_many")]  # fmt: skip
    [first] = [one for one in await store.messages(account_id, recipient_key=JO) if one.subject == "First"]
    assert [event.data["reason"] for event in await store.timeline(first.id) if event.kind.value == "unsubscribed"] == ["too_many"]
