"""The public paths over ASGI with a real store: what is answered, what is written, and what a GET never does."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import httpx2
import pytest
from starlette.applications import Starlette

from estafette.feedback.holders import HolderStore
from estafette.feedback.permissions import revoked_of
from estafette.feedback.preferences import Preferring
from estafette.feedback.routes import Leaving, feedback_routes
from estafette.feedback.unsubscribing import Unsubscribing
from estafette.feedback.visits import PIXEL, Limits, Visits
from estafette.model import Mark, Record, Recorded, State
from estafette.prepare.tokens import TRAP_LINK, OpenMode, read_click
from estafette.store.privacy import Revocation, StoredConsent
from estafette.store.seam import StoreFault
from tests.feedback.ground import BROWSER, FOREIGN, KEYRING, Ground, campaign_click, click, flipped, permissions, pixel, unsubscribe

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


class Troubled:
    """A store whose first writes fail; it tells when a record came too early and when one was written."""

    def __init__(self, ground: Ground, failures: int) -> None:
        self.store, self.failures = ground.store, failures
        self.visited, self.message, self.consents, self.privacy = ground.store.visited, ground.store.message, ground.store.consents, ground.store.privacy
        self.was_early, self.was_written = asyncio.Event(), asyncio.Event()

    async def record_many(self, records: Sequence[Record]) -> list[Recorded]:
        if self.failures:
            self.failures -= 1
            raise StoreFault("disk full", is_full=True)
        done = await self.store.record_many(records)
        (self.was_early if any(d.is_early for d in done) else self.was_written).set()
        return done


def leaving_of(store: HolderStore, ground: Ground) -> Leaving:
    return Leaving(Unsubscribing(store, ground.clock, KEYRING), Preferring(store, ground.clock, KEYRING))


def client_of(visits: Visits, leaving: Leaving, peer: str = "203.0.113.77") -> httpx2.AsyncClient:
    app = Starlette(routes=feedback_routes(visits, leaving))
    transport = httpx2.ASGITransport(app, client=(peer, 12345))
    return httpx2.AsyncClient(transport=transport, base_url="https://links.relay.test", headers={"user-agent": BROWSER}, follow_redirects=False)


@pytest.fixture
async def web(ground: Ground) -> AsyncIterator[httpx2.AsyncClient]:
    visits = Visits(ground.store, permissions(ground), ground.clock, KEYRING, country_of=lambda address: "FR" if address.startswith("203.") else "")
    async with client_of(visits, leaving_of(ground.store, ground)) as client:
        yield client
    await visits.close(5)
    assert visits.lost == 0


async def test_the_image_is_an_opening(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    first = await web.get(f"/o/{pixel(1)}")
    assert (first.status_code, first.content, first.headers["content-type"]) == (200, PIXEL, "image/gif")
    assert "no-store" in first.headers["cache-control"] and "set-cookie" not in first.headers
    await web.get(f"/o/{pixel(1)}")
    events = await ground.events(1)
    assert [e.kind.value for e in events] == ["opened", "opened"]
    assert events[0].data == {"reader": "human", "why": "a browser", "ip": "203.0.113.0", "agent": BROWSER, "geo": "FR", "first": 1, "marked": 17,
                              "after_s": 10, "site": "mx"}  # fmt: skip
    assert "first" not in events[1].data
    assert await ground.state(1) == (State.DELIVERED, 17)


async def test_a_link_leads_to_its_target_and_is_a_click(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    answer = await web.get(f"/c/{click(1, link=3)}")
    assert (answer.status_code, answer.headers["location"], answer.content) == (302, "https://shop.example/a?b=c", b"")
    assert "no-store" in answer.headers["cache-control"]
    (event,) = await ground.events(1)
    assert (event.kind.value, event.data["url"], event.data["link"]) == ("clicked", "https://shop.example/a?b=c", 3)
    assert await ground.state(1) == (State.DELIVERED, 34)


async def test_forged_cut_and_foreign_tokens_lead_nowhere(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    wrong = [*flipped(click(1)), click(1, keyring=FOREIGN), pixel(1), unsubscribe(1), "é", "A" * 5000, "https://evil.example/", "x?url=https://evil.example/"]
    for token in wrong:
        answer = await web.get(f"/c/{token}")
        assert (answer.status_code, answer.headers.get("location")) == (404, None), token
    assert "This link is not valid" in (await web.get("/c/x")).text
    assert "Ce lien" in (await web.get("/c/x", headers={"accept-language": "fr"})).text
    for token in [*flipped(pixel(1)), click(1), pixel(1, keyring=FOREIGN)]:
        answer = await web.get(f"/o/{token}")
        assert answer.status_code == 404 and answer.content in (PIXEL, b"Not Found"), token
    for token in [*flipped(unsubscribe(1)), click(1), unsubscribe(1, keyring=FOREIGN)]:
        assert (await web.get(f"/u/{token}")).status_code == 404
        assert (await web.post(f"/u/{token}", data=ONE_CLICK)).status_code == 404
    assert await ground.events(1) == []
    assert await ground.causes() == []


async def test_a_token_of_another_account_changes_nothing(ground: Ground, web: httpx2.AsyncClient) -> None:
    """The MAC holds, the message is somebody else's: possible only by a mistake of ours, and harmless then too."""
    await ground.deliver(1)
    assert (await web.get(f"/o/{pixel(1, account_id=2)}")).status_code == 200
    assert (await web.get(f"/c/{click(1, account_id=2)}")).status_code == 302
    assert (await web.post(f"/u/{unsubscribe(1, account_id=2)}", data=ONE_CLICK)).status_code == 404
    assert (await web.post(f"/u/{unsubscribe(404)}", data=ONE_CLICK)).status_code == 404
    assert await ground.events(1) == []


async def test_no_methods_but_those(web: httpx2.AsyncClient) -> None:
    for path, method in ((f"/o/{pixel(1)}", "POST"), (f"/c/{click(1)}", "POST"), (f"/u/{unsubscribe(1)}", "PUT"), (f"/c/{click(1)}", "OPTIONS")):
        answer = await web.request(method, path)
        assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True)


async def test_a_scanner_that_follows_every_link_unsubscribes_nobody_and_is_found_out(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    paths = [f"/c/{click(1, link=n, url=f'https://shop.example/{n}')}" for n in range(5)]
    for path in [*paths, f"/u/{unsubscribe(1)}", f"/o/{pixel(1)}"]:
        assert (await web.get(path)).status_code in (200, 302)
        ground.clock.advance(0.1)
    assert await ground.causes() == []
    events = await ground.events(1)
    assert [e.data["reader"] for e in events] == ["human", "human", "machine", "machine", "machine", "human"]
    assert "different links within" in str(events[2].data["why"])
    state, marks = await ground.state(1)
    assert (state, marks & 34) == (State.DELIVERED, Mark.CLICKED)  # followed, and by nobody


async def test_a_scanner_that_asks_at_once_is_found_out_in_one_batch(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    await asyncio.gather(*(web.get(f"/c/{click(1, link=n)}") for n in range(8)))
    assert [e.data["reader"] for e in await ground.events(1)] == ["human"] * 2 + ["machine"] * 6
    assert (await ground.state(1))[1] == Mark.CLICKED


async def test_the_hidden_link_betrays_what_follows_it(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    assert (await web.get(f"/c/{click(1, link=1)}")).status_code == 302
    assert (await web.get(f"/c/{click(1, link=TRAP_LINK)}")).status_code == 302
    assert (await web.get(f"/o/{pixel(1)}")).status_code == 200
    assert [(e.kind.value, e.data["why"]) for e in await ground.events(1)][1:] == [
        ("note", "the hidden link, which no person sees"), ("opened", "it followed the hidden link too")]  # fmt: skip
    assert (await ground.state(1))[1] == Mark.CLICKED | Mark.OPENED


async def test_head_and_prefetch_are_machines(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    head = await web.head(f"/c/{click(1)}")
    assert (head.status_code, head.headers["location"]) == (302, "https://shop.example/a?b=c")
    await web.head(f"/o/{pixel(1)}")
    assert await ground.state(1) == (State.DELIVERED, 0)
    await web.get(f"/c/{click(1)}", headers={"sec-purpose": "prefetch;prerender"})
    assert [(e.kind.value, e.data["reader"]) for e in await ground.events(1)] == [("note", "machine"), ("note", "machine"), ("clicked", "machine")]
    assert await ground.state(1) == (State.DELIVERED, Mark.CLICKED)


async def test_a_pixel_that_may_leave_only_a_date_leaves_no_event(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    assert (await web.get(f"/o/{pixel(1, mode=OpenMode.LAST_DATE)}")).content == PIXEL
    assert await ground.events(1) == []


async def test_a_visit_may_overtake_the_end_of_its_attempt(ground: Ground) -> None:
    await ground.deliver(1, settle=False)
    store = Troubled(ground, failures=0)
    visits = Visits(store, permissions(ground), ground.clock, KEYRING)
    async with client_of(visits, leaving_of(store, ground)) as web:
        visit = asyncio.create_task(web.get(f"/o/{pixel(1)}"))
        await store.was_early.wait()
        assert await ground.events(1) == []
        await ground.settle(1)
        assert (await visit).status_code == 200
    assert await ground.kinds(1) == ["opened"]


# -- unsubscribing ----------------------------------------------------------------------------------------------------------


async def test_get_shows_a_page_and_only_the_button_acts(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    path = f"/u/{unsubscribe(1, language='fr')}"
    for _ in range(3):
        page = await web.get(path)
        assert page.status_code == 200 and "Me désabonner" in page.text and "news@acme.test" in page.text and "r1@dest" not in page.text
    assert (await web.head(path)).status_code == 200
    assert page.headers["content-security-policy"].startswith("default-src 'none'") and "no-store" in page.headers["cache-control"]
    assert await ground.events(1) == []

    done = await web.post(path, data={"action": "unsubscribe"})
    assert done.status_code == 200 and "Vous êtes désabonné" in done.text and "Annuler" in done.text
    assert await ground.causes() == [("r1@dest.example", "unsubscribe")]
    assert await ground.state(1) == (State.DELIVERED, Mark.UNSUBSCRIBED)
    assert "Annuler" in (await web.get(path)).text

    undone = await web.post(path, data={"action": "resubscribe"})
    assert undone.status_code == 200 and "de nouveau abonné" in undone.text
    assert await ground.causes() == [] and await ground.state(1) == (State.DELIVERED, 0)
    assert await ground.kinds(1) == ["unsubscribed", "note"]
    assert "Me désabonner" in (await web.get(path)).text


@pytest.mark.parametrize("as_multipart", [False, True])
async def test_one_click_acts_without_cookie_login_or_redirect_and_once(ground: Ground, web: httpx2.AsyncClient, as_multipart: bool) -> None:
    await ground.deliver(1)
    path = f"/u/{unsubscribe(1)}"
    for _ in range(3):
        answer = await (web.post(path, files={"List-Unsubscribe": (None, "One-Click")}) if as_multipart else web.post(path, data=ONE_CLICK))
        assert answer.status_code == 200 and "location" not in answer.headers and "set-cookie" not in answer.headers
    (event,) = await ground.events(1)
    assert (event.kind.value, event.data["by"], event.data["agent"]) == ("unsubscribed", "one-click", "List-Unsubscribe")
    assert await ground.causes() == [("r1@dest.example", "unsubscribe")]


async def test_twenty_clicks_at_once_are_one(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1)
    answers = await asyncio.gather(*(web.post(f"/u/{unsubscribe(1)}", data=ONE_CLICK) for _ in range(20)))
    assert {a.status_code for a in answers} == {200}
    assert await ground.kinds(1) == ["unsubscribed"] and len(await ground.causes()) == 1


@pytest.mark.parametrize("body", [b"", b"x=y", b"List-Unsubscribe=One-Click" + b"&a=b" * 10_000])
async def test_a_post_that_orders_nothing_changes_nothing(ground: Ground, web: httpx2.AsyncClient, body: bytes) -> None:
    await ground.deliver(1)
    answer = await web.post(f"/u/{unsubscribe(1)}", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 400 and "Nothing was changed" in answer.text and "<form" in answer.text
    assert await ground.events(1) == []


async def test_an_unsubscribe_holds_even_when_the_mail_is_not_delivered_as_far_as_we_know(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1, settle=False)
    for _ in range(2):
        assert (await web.post(f"/u/{unsubscribe(1)}", data=ONE_CLICK)).status_code == 200
    assert await ground.causes() == [("r1@dest.example", "unsubscribe")]
    assert await ground.kinds(1) == ["note"]


# -- a store in trouble -----------------------------------------------------------------------------------------------------


async def test_the_reader_does_not_wait_for_a_store_in_trouble_and_nothing_is_lost(ground: Ground) -> None:
    await ground.deliver(1)
    broken = Troubled(ground, 3)
    visits = Visits(broken, permissions(ground), ground.clock, KEYRING, limits=Limits(answer_within_s=0.05))
    async with client_of(visits, leaving_of(broken, ground)) as web:
        assert (await web.get(f"/c/{click(1)}")).status_code == 302
        assert await ground.events(1) == []
        assert (await web.post(f"/u/{unsubscribe(1)}", data=ONE_CLICK)).status_code == 503  # never a success that is not stored
        await broken.was_written.wait()
    await visits.close(5)
    assert (await ground.kinds(1), visits.lost) == (["clicked"], 0)


async def test_memory_is_bounded(ground: Ground) -> None:
    await ground.deliver(1)
    visits = Visits(Troubled(ground, 1), permissions(ground), ground.clock, KEYRING, limits=Limits(waiting=5, answer_within_s=0.01))
    async with client_of(visits, leaving_of(ground.store, ground)) as web:
        answers = await asyncio.gather(*(web.get(f"/o/{pixel(1)}") for _ in range(8)))
    assert {a.status_code for a in answers} == {200}
    await visits.close(5)
    assert len(await ground.events(1)) + visits.lost == 8 and visits.lost == 3


# -- consent, the date alone, links taken back -------------------------------------------------------------------------------


async def test_a_withdrawn_consent_stops_the_pixels_of_mail_already_sent(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1, 2)
    say = ground.store.privacy.set_consent
    await say(ground.account.id, StoredConsent("r1@dest.example", opens=False, clicks=True, source="letter", at=1))
    for number in (1, 2):
        assert (await web.get(f"/o/{pixel(number)}")).content == PIXEL
        assert (await web.get(f"/c/{click(number)}")).status_code == 302
    assert (await ground.kinds(1), await ground.kinds(2)) == (["clicked"], ["opened", "clicked"])
    await say(ground.account.id, StoredConsent("r1@dest.example", opens=True, clicks=False, source="form", at=2))
    assert (await web.get(f"/c/{click(1)}")).status_code == 302
    assert (await web.get(f"/o/{pixel(1)}")).status_code == 200
    assert await ground.kinds(1) == ["clicked", "opened"]


async def test_the_date_of_the_last_opening_is_all_that_is_kept(ground: Ground, web: httpx2.AsyncClient) -> None:
    await ground.deliver(1, 2)
    token = pixel(1, mode=OpenMode.LAST_DATE)
    assert (await web.get(f"/o/{token}")).content == PIXEL
    first = await ground.store.privacy.last_open(ground.account.id, "r1@dest.example")
    ground.clock.advance(3 * 86_400)
    await web.get(f"/o/{token}")
    last = await ground.store.privacy.last_open(ground.account.id, "r1@dest.example")
    assert first is not None and last is not None and len(first) == 10 and first < last
    assert await ground.events(1) == [] and await ground.state(1) == (State.DELIVERED, 0)
    await ground.store.privacy.set_consent(ground.account.id, StoredConsent("r2@dest.example", opens=False, clicks=False, source="", at=1))
    await web.get(f"/o/{pixel(2, mode=OpenMode.LAST_DATE)}")
    assert await ground.store.privacy.last_open(ground.account.id, "r2@dest.example") is None


@pytest.mark.parametrize(("kind", "value"), [("host", "shop.example"), ("host", "example"), ("link", "https://shop.example/a?b=c")])
async def test_a_link_that_was_taken_back_leads_nowhere(ground: Ground, web: httpx2.AsyncClient, kind: str, value: str) -> None:
    await ground.deliver(1)
    revoked = await ground.store.privacy.revoke(ground.account.id, kind, value, "taken over", 1)
    answer = await web.get(f"/c/{click(1)}", headers={"accept-language": "fr"})
    assert (answer.status_code, answer.headers.get("location")) == (410, None) and "retiré" in answer.text
    assert (await web.get(f"/c/{click(1, url='https://myshop.examples/')}")).status_code == 302
    assert await ground.kinds(1) == ["clicked"]
    assert await ground.store.privacy.restore(ground.account.id, revoked.id, 2)
    ground.clock.advance(10)
    assert (await web.get(f"/c/{click(1)}")).status_code == 302


def test_a_revoked_campaign_covers_its_links_only() -> None:
    revoked = revoked_of([Revocation(1, "campaign", "may", "", 1)])
    links = [read_click(campaign_click(name), KEYRING) for name in ("may", "june", "")]
    assert [link is not None and revoked.covers(link) for link in links] == [True, False, False]
