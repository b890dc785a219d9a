"""Orders and numbers that no form of ours sends: refused, and nothing is changed."""

import pytest

from estafette.store.screens import NEWEST
from estafette.web.figures import measured
from tests.web.conftest import Site, text_of

NUMBERS = ["\u00b2", "\u0661", "9" * 20, "-1", "1.5", "x"]


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_number_that_is_none_is_refused(inside: Site, number: str) -> None:
    assert (await inside.post(inside.at("settings/webhooks"), order="remove", id=number)).status_code == 404
    assert (await inside.post(inside.at("queue/resume"), id=number, reason="looked at it")).status_code == 400
    for page in ("campaigns", "settings/audit"):
        assert (await inside.client.get(inside.at(page), params={"before": number})).status_code == 200


async def test_an_order_that_nobody_knows_switches_nothing(inside: Site) -> None:
    await inside.store.add_key(inside.account.id, "k1", b"x" * 32, 1)
    assert (await inside.post(inside.at("settings/keys"), order="flip", key="k1")).status_code == 400
    assert await inside.store.keys(inside.account.id) == [("k1", True)]
    assert (await inside.post(inside.at("settings/keys"), order="off", key="k1")).status_code == 303
    assert await inside.store.keys(inside.account.id) == [("k1", False)]
    assert (await inside.post(inside.at("settings/users"), order="raise", name="bob", role="viewer")).status_code == 400
    assert await inside.store.users.lock("bob") is None


async def test_an_account_says_what_is_measured_and_how_long_it_is_kept(inside: Site) -> None:
    """And every figure follows: with openings off, a click is no opening any more, and the tile says that nothing is measured."""
    answer = await inside.post(inside.at("settings/tracking"), opens="off", clicks="no", text_links="", hides_client="yes")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, inside.at("settings/tracking"))
    policy = await inside.store.privacy.policy(inside.account.id)
    assert (policy.opens, policy.clicks, policy.text_links, policy.hides_client) == ("off", False, None, True)
    seen = await measured(inside.store, inside.account.id, inside.desk.config.tracking)
    assert (seen.opens, seen.clicks) == (False, False) and inside.desk.config.tracking.opens
    assert (await inside.post(inside.at("settings/tracking"), opens="some", clicks="", text_links="", hides_client="")).status_code == 400

    answer = await inside.post(inside.at("settings/retention"), content_days="3", event_days="")
    assert answer.status_code == 303
    assert "3 days" in text_of(await inside.get(inside.at("settings/retention")))
    for wrong in ("0.5", "-1", "x", "36501", "²"):
        assert (await inside.post(inside.at("settings/retention"), content_days=wrong, event_days="30")).status_code == 422
    assert (await inside.post(inside.at("settings/retention"), content_days="3", event_days="0")).status_code == 422
    policy = await inside.store.privacy.policy(inside.account.id)
    assert (policy.content_days, policy.event_days, policy.opens) == (3, None, "off")
    audit = [(entry.action, entry.detail) for entry in await inside.store.users.audit(inside.account.id, NEWEST, 10)]
    assert ("retention.set", "content=3 events=default") in audit and ("tracking.set", "opens=off clicks=no text=default client=yes") in audit
