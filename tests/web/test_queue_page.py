"""S14: a destination is stopped, goes on and is ended for one account, with a reason, by whoever may; its speed is shown without another account's words."""

from dataclasses import replace

import pytest

from estafette.clock import SECOND_US
from estafette.model import State
from estafette.nouns import Hold, PathReport, WorkerReport
from estafette.store.screens import NEWEST
from estafette.views import Role
from estafette.web.paths import FRESH_US, Pace, paces, stops_of
from tests.web.conftest import Site, text_of
from tests.web.test_mail_pages import send

PATH = PathReport("mx.example.net", "", "Example", 2, 4, 10, 0.5, 0.4, 3, 2, 0, "rate", "rule x (/etc/shaping.toml:3)", "450 jo@other.test is over quota")


async def test_a_destination_is_stopped_goes_on_and_is_ended(inside: Site) -> None:
    number = await send(inside, "jo@example.net")
    stranger = await inside.store.add_account("stranger", 1)
    await inside.store.holds.put(stranger.id, "", "example.net", inside.clock.now_us(), "not your business")
    page = text_of(await inside.get(inside.at("queue")))
    assert "example.net" in page and "not your business" not in page
    stops = inside.at("queue/stops")
    assert (await inside.post(stops, order="pause", domain="example.net", reason="")).status_code == 422
    assert (await inside.post(stops, order="drop", domain="example.net", reason="x")).status_code == 400
    assert (await inside.post(stops, order="pause", domain="not a domain", reason="x")).status_code == 400
    assert (await inside.post(stops, order="resume", domain="example.net")).status_code == 404
    assert len(await inside.store.holds.all()) == 1, "nothing of it stopped anything"

    assert (await inside.post(stops, order="pause", domain="Example.NET", reason="they move")).status_code == 303
    page = text_of(await inside.get(inside.at("queue")))
    assert "ada: they move" in page and "Let it go on" in page
    assert [(h.account, h.domain, h.is_purge) for h in await inside.store.holds.all() if h.account == "acme"] == [("acme", "example.net", False)]
    assert (await inside.post(stops, order="resume", domain="example.net")).status_code == 303
    assert [h.account for h in await inside.store.holds.all()] == ["stranger"]

    assert (await inside.post(stops, order="purge", domain="example.net", reason="wrong", confirm="example.com")).status_code == 422
    assert (await inside.post(stops, order="purge", domain="example.net", reason="wrong", confirm=" EXAMPLE.net ")).status_code == 303
    assert "being ended" in text_of(await inside.get(inside.at("queue")))
    while await inside.store.holds.work(inside.clock.now_us(), 10):
        pass
    found = await inside.store.message(number)
    assert found is not None and found.state is State.BLOCKED
    audit = [(e.action, e.object, e.detail) for e in await inside.store.users.audit(inside.account.id, NEWEST, 10)]
    assert audit[:3] == [("queue.purge", "example.net", "wrong"), ("queue.resume", "example.net", ""), ("queue.pause", "example.net", "they move")]


async def test_what_the_operator_stopped_for_everybody_is_told_and_not_lifted(inside: Site) -> None:
    await send(inside, "jo@example.net")
    await inside.store.holds.put(0, "", "example.net", inside.clock.now_us(), "asked for")
    await inside.store.holds.put(0, "", "quiet.example", inside.clock.now_us(), "moved")
    page = text_of(await inside.get(inside.at("queue")))
    assert page.count("by the operator, for everybody") == 2 and "Let it go on" not in page
    assert (await inside.post(inside.at("queue/stops"), order="resume", domain="example.net")).status_code == 404
    assert len(await inside.store.holds.all()) == 2


@pytest.mark.parametrize(("role", "pause", "purge"), [(Role.ADMIN, 303, 303), (Role.DEVELOPER, 303, 403), (Role.MARKETER, 403, 403), (Role.SUPPORT, 403, 403)])
async def test_who_may_stop_a_destination(inside: Site, role: Role, pause: int, purge: int) -> None:
    user = await inside.store.users.lock("ada")
    assert user is not None
    await inside.store.users.set_role(user.user.id, inside.account.id, role)
    stops = inside.at("queue/stops")
    assert (await inside.post(stops, order="pause", domain="example.net", reason="x")).status_code == pause
    assert (await inside.post(stops, order="purge", domain="example.net", reason="x", confirm="example.net")).status_code == purge


async def test_speed_and_limits_are_shown_without_the_words_of_a_server_or_a_file(inside: Site) -> None:
    await send(inside, "jo@example.net")
    worker = await inside.store.join("test", inside.clock.now_us(), inside.clock.now_us() + 60 * SECOND_US)
    await inside.store.standing.put(worker.id, WorkerReport("1", inside.clock.now_us(), (replace(PATH, site=""),)))
    page = text_of(await inside.get(inside.at("queue")))
    assert "24 a minute, at most 30" in page and "2 of 10 connections" in page and "at the rate that is set or asked for" in page
    assert "over quota" not in page and "shaping.toml" not in page


def test_paths_to_a_site_are_added_up_and_old_words_are_not_heard() -> None:
    free = replace(PATH, source="192.0.2.1", rate=0.0, held_by="", paused_until=7)
    reports = [WorkerReport("1", 100, (PATH, replace(PATH, site="mx.other"))), WorkerReport("2", 100, (free,)), WorkerReport("3", 100 - FRESH_US - 1, (PATH,))]
    found = paces(reports, 100)
    assert found["mx.example.net"] == Pace(4, 20, 0.0, 0.8, 7, "rate"), "one without a limit: none altogether"
    assert found["mx.other"] == Pace(2, 10, 0.5, 0.4, 0, "rate")
    assert paces([WorkerReport("1", 100, (PATH, PATH))], 100)["mx.example.net"].rate == 1.0


def test_an_account_sees_what_is_stopped_of_its_own_and_for_everybody() -> None:
    def hold(number: int, owner: int, campaign: str = "", domain: str = "") -> Hold:
        return Hold(number, owner, "", campaign, domain, False, 0, "")

    whole, by_domain = stops_of([hold(1, 0, domain="a.test"), hold(2, 7, domain="a.test"), hold(3, 8, domain="a.test"), hold(4, 7), hold(5, 7, "news"),
                                 hold(6, 8)], 7)  # fmt: skip
    assert [h.id for h in whole] == [4, 5] and {name: [h.id for h in held] for name, held in by_domain.items()} == {"a.test": [1, 2]}
