"""Orders and numbers that no form of ours sends: refused, and nothing is changed."""

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser

from estafette.clock import DAY_US
from estafette.model import BlockCause
from estafette.store.screens import NEWEST
from estafette.web.block_file import MAX_LINES, SHOWN, read_block_file
from estafette.web.figures import measured
from tests.web.conftest import ORIGIN, Site, text_of

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


async def test_a_list_of_blocks_is_taken_in_and_its_wrong_lines_are_told(inside: Site) -> None:
    await inside.store.add_block(inside.account.id, "known@b.test", BlockCause.MANUAL, 1, None)
    await inside.store.add_block(inside.account.id, "resting@b.test", BlockCause.SOFT_BOUNCE, 1, inside.clock.now_us() + DAY_US)
    lines = ["Email;Nom", "A@b.test;Ann", "a@B.TEST;again", "no address here", "known@b.test", "'=bad@b.test", "resting@b.test", "", "x@y@z", "\0"]

    async def sent(content: bytes | None, reason: str = "from before") -> httpx2.Response:
        files = {"file": ("list.csv", content, "text/csv")} if content is not None else {"other": ("", b"", "text/csv")}
        data = {"csrf": await inside.csrf(), "reason": reason}
        return await inside.client.post(inside.at("blocks/import"), data=data, files=files, headers={"Origin": ORIGIN})

    answer = await sent("\r\n".join(lines).encode())
    assert answer.status_code == 200
    page = LexborHTMLParser(answer.text)
    told = text_of(page)
    assert "3 addresses are blocked now." in told and "1 was blocked already." in told and "Line 4: no address here" in told and "Line 9" in told
    now = inside.clock.now_us()
    kept = {block.address_key: block for block in await inside.store.blocks(inside.account.id, now) if block.cause is BlockCause.IMPORT}
    assert sorted(kept) == ["=bad@b.test", "a@b.test", "resting@b.test"]
    assert {(block.until, block.reply) for block in kept.values()} == {(None, "from before")}
    assert "0 addresses are blocked now." in text_of(LexborHTMLParser((await sent(b"a@b.test\n")).text))
    assert (await sent(b"nobody\n")).status_code == 422
    assert (await sent(None)).status_code in (400, 422)
    assert (await sent(b"c@b.test\n", reason="")).status_code == 422
    assert len(await inside.store.blocks(inside.account.id, now, "c@b.test")) == 0


def test_a_file_of_blocks_is_bounded() -> None:
    found = read_block_file(b"\n".join(b"u%d@b.test" % n for n in range(MAX_LINES + 5)))
    assert (len(found.keys), found.is_cut) == (MAX_LINES, True)
    found = read_block_file(b'"' * 1_000_000 + b"\n" + b"\xff\xfe@\n" * 2000)
    assert found.keys == () or len(found.keys) <= 1
    assert len(found.wrong) == SHOWN < found.wrong_count
