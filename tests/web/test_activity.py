"""S2: orders for many messages, choices kept under a name, the provider and how often a mail was opened and clicked."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from estafette.clock import DAY_US
from estafette.model import EventKind, Mark, Outcome, OutcomeKind, Record, Settlement, State
from estafette.store.screens import NEWEST
from estafette.store.seam import Want
from estafette.views import Role
from estafette.web.bulk import MAX_SAVED, MOST, clean_query, done_of
from tests.web.conftest import Site, text_of
from tests.web.test_mail_pages import send


async def delivered(site: Site, recipient: str, host: str) -> int:
    """A message that was delivered, by the mail server of that name."""
    number = await send(site, recipient)
    worker = await site.store.join("test", site.clock.now_us(), site.clock.now_us() + 60_000_000)
    now = site.clock.now_us() + 1
    claim = next(c for c in await site.store.claim(worker.id, [Want("", (9,) * 6)], now) if c.message_id == number)
    await site.store.settle(Settlement(claim, Outcome(OutcomeKind.RELEASED, now, site=host)))
    (claim,) = [c for c in await site.store.claim(worker.id, [Want(host, (9,) * 6)], now) if c.message_id == number]
    await site.store.settle(Settlement(claim, Outcome(OutcomeKind.DELIVERED, now, reply="250 ok", code=250, host=host)))
    return number


async def test_many_messages_get_one_order_and_each_is_noted(inside: Site) -> None:
    sent = await delivered(inside, "a@gmail.com", "gmail-smtp-in.l.google.com")
    waiting = [await send(inside, f"{name}@example.net") for name in "bc"]
    stranger = await inside.store.add_account("stranger", 1)
    page = await inside.get(inside.at("activity"))
    assert [i.attributes["value"] for i in page.css("input[name=id]")] == [str(n) for n in sorted([sent, *waiting], reverse=True)]

    async def order(word: str, **fields: str | list[str]) -> str:
        answer = await inside.post(inside.at("activity"), order=word, query="status=queued&before=5&x=1", key="k", **fields)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    there = await order("cancel", id=[str(waiting[0]), str(sent), "99", "x"])
    assert there == inside.at("activity?status=queued&done_of=1-3")
    assert "Done for 1 of 3 messages. The others do not allow it" in text_of(await inside.get(there))
    states = {n: (await inside.store.message(n)).state for n in (sent, *waiting)}  # type: ignore[union-attr]
    assert states == {sent: State.DELIVERED, waiting[0]: State.BLOCKED, waiting[1]: State.QUEUED}
    now = inside.clock.now_us() + 1
    worker = await inside.store.join("other", now, now + 60_000_000)
    (claim,) = await inside.store.claim(worker.id, [Want("", (9,) * 6)], now)
    await inside.store.settle(Settlement(claim, Outcome(OutcomeKind.DEFERRED, now, reply="450 later", retry_at=now + DAY_US)))
    assert (await order("retry", id=[str(n) for n in waiting])).endswith("1-2")
    for _ in range(2):  # the form twice
        assert (await order("resend", all="1", shown=[str(sent), str(waiting[1])])).endswith("1-2")
    assert len(await inside.store.messages(inside.account.id)) == 4
    assert (await order("resend", id=[str(n) for n in range(1, MOST + 20)])).endswith(f"0-{MOST}")
    audit = [(e.action, e.object) for e in await inside.store.users.audit(inside.account.id, NEWEST, 20)]
    assert [action for action, _ in audit].count("message.cancel") == 1 and ("message.retry", str(waiting[1])) in audit
    assert (await inside.post(inside.at("activity"), order="erase", id="1")).status_code == 400
    assert (await inside.post(f"/app/{stranger.id}/activity", order="cancel", id=str(waiting[1]))).status_code == 404


@pytest.mark.parametrize(("role", "cancel", "resend", "ticks"), [(Role.SUPPORT, 303, 403, 1), (Role.MARKETER, 403, 303, 1), (Role.ANALYST, 403, 403, 0)])
async def test_who_may_order_what(inside: Site, role: Role, cancel: int, resend: int, ticks: int) -> None:
    number = str(await send(inside))
    user = await inside.store.users.lock("ada")
    assert user is not None
    await inside.store.users.set_role(user.user.id, inside.account.id, role)
    assert len((await inside.get(inside.at("activity"))).css("input[name=id]")) == ticks
    assert (await inside.post(inside.at("activity"), order="resend", id=number)).status_code == resend
    assert (await inside.post(inside.at("activity"), order="cancel", id=number)).status_code == cancel


async def test_a_choice_is_kept_under_a_name_by_its_owner(inside: Site) -> None:
    where = inside.at("activity/filters")
    query = "status=hard_error&status=spam&domain=gmail.com&before=17&evil=<x>"
    answer = await inside.post(where, order="save", name="Gmail & co", query=query)
    assert answer.headers["location"] == inside.at("activity?status=hard_error&status=spam&domain=gmail.com&done=filter_saved")
    page = await inside.get(inside.at("activity"))
    assert [a.attributes["href"] for a in page.css(".saved a")] == [inside.at("activity?status=hard_error&status=spam&domain=gmail.com")]
    assert page.css_first(".saved a").text() == "Gmail & co"
    for wrong in ({"name": "", "query": query}, {"name": "n", "query": "before=3"}, {"name": "a\nb", "query": query}):
        assert (await inside.post(where, order="save", **wrong)).status_code == 400, wrong
    lock = await inside.store.users.lock("ada")
    other = await inside.store.users.add("bob", "x", 1)
    assert lock is not None and other is not None
    assert await inside.store.users.filters(other.id, inside.account.id) == []
    for number in range(MAX_SAVED - 1):
        await inside.store.users.save_filter(lock.user.id, inside.account.id, f"f{number}", "status=spam", 1, MAX_SAVED)
    assert (await inside.post(where, order="save", name="more", query=query)).headers["location"].endswith("done=filter_too_many")
    assert (await inside.post(where, order="save", name="f1", query=query)).headers["location"].endswith("done=filter_saved"), "in place of the other"
    assert (await inside.post(where, order="drop", name="Gmail & co")).status_code == 303
    assert (await inside.post(where, order="drop", name="Gmail & co")).status_code == 404


async def test_provider_openings_and_clicks_stand_in_the_log(inside: Site) -> None:
    number = await delivered(inside, "a@gmail.com", "gmail-smtp-in.l.google.com")
    kinds = [EventKind.OPENED, EventKind.OPENED, EventKind.CLICKED]
    await inside.store.record_many([Record(number, kind, inside.clock.now_us(), marks=int(Mark.OPENED | Mark.CLICKED)) for kind in kinds])
    cells = [cell.text().strip() for cell in (await inside.get(inside.at("activity"))).css("#log tbody td")]
    assert "gmail" in cells and cells[-2:] == ["2", "1"]
    assert isinstance(await inside.get(inside.at("")), LexborHTMLParser)


def test_what_an_address_may_say() -> None:
    assert clean_query("status=a&status=b&before=3&done=x&text=") == "status=a&status=b"
    assert [done_of(text) for text in ("3-5", "3", "", "x-1", "²-1", "9999-1")] == [(3, 5), None, None, None, None, None]
