"""The demo's world with a fixed seed: every figure of the platform equals the ledger of the simulated Internet, per provider and in total."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser

from estafette.clock import SystemClock
from estafette.demo.certificate import self_signed
from estafette.demo.crowd import subscribers
from estafette.demo.customer import Customer
from estafette.demo.internet import Internet
from estafette.demo.providers import provider_of
from estafette.model import FINAL_STATES, MessageView, State
from estafette.stats.rates import Figures, figures
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from tests.scenarios.load import until
from tests.scenarios.platform import DOMAIN, Platform

SEED = 11
SUBSCRIBERS = 120
PACE = 0.4  # slow enough that people are not taken for machines
NAMES = ("processed", "blocked", "sent", "delivered", "soft_errors", "hard_errors", "opened", "clicked", "unsubscribed", "spam")


@pytest.mark.timeout(240)
async def test_every_figure_equals_the_ledger(tmp_path: Path) -> None:
    clock = SystemClock()
    people = subscribers(SEED, SUBSCRIBERS, without=frozenset({"dead.test", "slow.test"}))
    with_twice = [*people, *people[20:30]]  # duplicates in a campaign are blocked
    sections = {"delivery": 'retry = ["1s", "2s", "3s"]\ngive_up_after = "25s"\nipv6 = false', "inbound": 'fbl_addresses = ["fbl@relay.test"]'}
    url = f"sqlite:///{tmp_path}/estafette.db"
    async with Internet(clock, seed=SEED, tls=self_signed("mx.any.test", clock), fbl_address="fbl@relay.test", pace=PACE) as internet:
        async with Platform(tmp_path, url, dns=internet.dns, mx_port=internet.port, workers=2, sections=sections) as platform:
            internet.people.send_to(platform.ports["inbound"])
            http = f"http://127.0.0.1:{platform.ports['http']}"
            customer = Customer(http, f"127.0.0.1:{platform.ports['submission']}", platform.key, platform.secret, f"news@{DOMAIN}", SEED)
            await customer.campaign(1, with_twice)
            await customer.errands(range(30), people)
            await _at_rest(url, internet, sum(customer.handed.values()))
            await customer.campaign(2, people)  # who bounced, complained or unsubscribed gets nothing any more
            messages = await _at_rest(url, internet, sum(customer.handed.values()))
            platform.assert_nothing_is_missing()
            told = platform.command("stats", "--json")
            shown = await _dashboard(http, platform.command("user", "reset", "admin", "--json")["password"])
    assert customer.refused == [] and internet.people.faults == []
    assert all(count == 1 for count in internet.ledger.deliveries.values()), "a mail came twice"
    for without_machines in (False, True):
        expected = internet.ledger.expected(customer.handed, without_machines=without_machines)
        counts: dict[str, Counter[tuple[State, int]]] = {}
        for message in messages:
            provider = provider_of(message.recipient.rpartition("@")[2]).name
            counts.setdefault(provider, Counter())[message.state, message.marks] += 1
        found = {name: figures(c, click_implies_open=True, without_machines=without_machines) for name, c in counts.items()}
        assert found == expected, internet.ledger.to_json()
    total = _sum(internet.ledger.expected(customer.handed).values())
    assert {name: told[name] for name in NAMES} == {name: getattr(total, name) for name in NAMES}
    errors = total.soft_errors + total.hard_errors
    assert shown == {"sent": total.sent, "delivered": total.delivered, "opened": total.opened, "clicked": total.clicked, "unsubscribed": total.unsubscribed,
                     "spam": total.spam, "errors": errors, "blocked": total.blocked}  # fmt: skip
    assert min(total.delivered, total.opened, total.clicked, total.unsubscribed, total.spam, total.blocked, total.soft_errors, total.hard_errors) > 0


async def _at_rest(url: str, internet: Internet, count: int) -> list[MessageView]:
    """The messages, once every mail is settled and every reader has done what there was to do."""
    store = await open_store(url, StatusPolicy(), SystemClock())

    async def rests() -> bool:
        messages = await store.messages(limit=10_000)
        return len(messages) == count and all(m.state in FINAL_STATES for m in messages) and internet.people.busy == 0

    try:
        await until("everything is settled and the readers are done", rests, 150)
        await until("what they did is written", lambda: _is_still(store), 30)
        return await store.messages(limit=10_000)
    finally:
        await store.close()


async def _is_still(store: Database) -> bool:
    """No event for a second."""
    before = await store.events((0, 0), 100_000)
    await asyncio.sleep(1.0)
    return await store.events(before[1], 10) == ([], before[1])


def _sum(parts: object) -> Figures:
    total: Counter[str] = Counter()
    for part in parts:  # type: ignore[attr-defined]
        total.update({name: getattr(part, name) for name in Figures.__dataclass_fields__})
    return Figures(**total)


async def _dashboard(http: str, password: str) -> dict[str, int]:
    """What the tiles of the first screen say: measure → count."""
    async with httpx2.AsyncClient(base_url=http, follow_redirects=True, headers={"origin": http, "accept-language": "en"}) as browser:
        form = LexborHTMLParser((await browser.get("/app/sign-in")).text)
        hidden = {i.attributes["name"]: i.attributes["value"] for i in form.css("form[action$=sign-in] input[type=hidden], main input[type=hidden]")}
        page = await browser.post("/app/sign-in", data={**hidden, "name": "admin", "password": password})
        tiles = LexborHTMLParser((await browser.get("/app/1/?period=24h")).text).css("a.tile")
        assert page.status_code == 200 and len(tiles) == 8, page.text[:2000]
        found = {}
        for tile in tiles:
            key = next(name.removeprefix("k-") for name in (tile.attributes["class"] or "").split() if name.startswith("k-"))
            (count,) = tile.css(".count")
            found[key] = int(count.text().replace(",", ""))
        return found
