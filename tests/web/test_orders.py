"""Orders and numbers that no form of ours sends: refused, and nothing is changed."""

import pytest

from tests.web.conftest import Site

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
