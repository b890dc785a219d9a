"""Threats of the model (SECURITY.md) that are met by the dashboard and the guard of reputation."""

import sqlite3
from pathlib import Path

import pytest

from estafette.clock import SECOND_US
from estafette.facts import Cause, Step, Stream
from estafette.stats.guard_rules import Measure, decide
from tests.web.conftest import ORIGIN, PASSWORD, Site, inside, site

__all__ = ["inside", "site"]  # fixtures


async def test_threat_19_a_session_is_new_at_each_sign_in_and_ends_everywhere(site: Site) -> None:
    """A token that somebody else chose is worth nothing; the one that counts stands nowhere in clear; a new password ends the others."""
    site.client.cookies.set("estafette", "chosen-by-somebody-else")
    answer = await site.sign_in()
    token = answer.cookies["estafette"]
    assert token != "chosen-by-somebody-else" and len(token) >= 32
    site.client.cookies.clear()
    site.client.cookies.set("estafette", "chosen-by-somebody-else")
    assert (await site.client.get(site.at("activity"))).status_code == 303
    site.client.cookies.set("estafette", token)
    assert (await site.client.get(site.at("activity"))).status_code == 200
    answer = await site.post("/app/sign-out")
    assert answer.status_code == 303
    site.client.cookies.set("estafette", token)
    assert (await site.client.get(site.at("activity"))).status_code == 303


async def test_threat_19_the_api_takes_no_cookies_and_a_form_of_another_site_does_nothing(inside: Site) -> None:
    assert (await inside.client.get("/v3/REST/message")).status_code == 401
    for origin in ("https://evil.test", "null", ORIGIN.replace("http:", "https:"), f"{ORIGIN}.evil.test"):
        fields = {"csrf": await inside.csrf(), "order": "add", "address": "a@b.test"}
        answer = await inside.client.post(inside.at("blocks"), data=fields, headers={"Origin": origin})
        assert answer.status_code == 403, origin
    assert await inside.store.screens.blocks(inside.account.id, inside.clock.now_us()) == []


async def test_threat_19_what_is_stored_opens_nothing(inside: Site, tmp_path: Path) -> None:
    token = inside.client.cookies["estafette"]
    octets = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert token.encode() not in octets and PASSWORD.encode() not in octets
    with sqlite3.connect(next(tmp_path.glob("*.db"))) as connection:
        assert connection.execute("SELECT count(*) FROM dashboard_session").fetchone()[0] == 1


@pytest.mark.parametrize(("complaints", "errors"), [(30, 0), (0, 1500)], ids=["spam", "bad addresses"])
def test_threat_28_a_campaign_that_hurts_stops_itself_and_orders_go_on(complaints: int, errors: int) -> None:
    """Hour by hour the figures of 10,000 messages to a bought list: a warning, a limit, a stop that only a person lifts; transactional mail goes on."""
    running, steps = None, []
    for hour in range(1, 11):
        for cause, part in ((Cause.SPAM, complaints * hour // 10), (Cause.HARD_ERRORS, errors * hour // 10)):
            order, is_over = decide(7, Stream.BULK, Measure(cause, part, 10_000), running, hour * 3600 * SECOND_US)
            if order is not None and (running is None or running.cause is cause or order.step is Step.STOP):
                running = order
                steps.append(order.step)
            elif is_over and running is not None and running.cause is cause:
                running = None
    assert steps == [Step.WARN, Step.SLOW, Step.STOP] or steps == [Step.SLOW, Step.STOP]
    assert decide(7, Stream.BULK, Measure(Cause.SPAM, 0, 10_000), running, 0) == (None, False)
    for cause, part in ((Cause.SPAM, complaints), (Cause.HARD_ERRORS, errors)):
        order, _ = decide(7, Stream.TRANSACTIONAL, Measure(cause, part, 10_000), None, 0)
        assert order is None or order.step is Step.WARN
