"""S2, orders for many messages at once: send again, take back, try now. Each message is asked for by itself, as on its own page, and noted by itself."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from estafette.views import MessagePage
from estafette.web.desk import Refused, Visit
from estafette.web.permissions import May
from estafette.web.resending import Not, resend

MOST: Final = 50
"""A page of the log."""
KEPT: Final = ("status", "text", "domain", "campaign", "error", "source", "period", "from", "to")
"""Parameters of the log that choose messages; where one reads is none of them."""
MAX_QUERY: Final = 1000
MAX_SAVED: Final = 50


async def bulk(visit: Visit) -> Response:
    """One order for the messages that were ticked; what it changed is told as "so many of so many"."""
    needs, act = ORDERS.get(visit.given("order"), (None, None))
    if needs is None or act is None:
        raise Refused(400)
    visit.need(needs)
    chosen = visit.form.get("shown" if visit.given("all") else "id", [])
    numbers = list(dict.fromkeys(number for text in chosen[:MOST] if (number := visit.number(text))))
    done = 0
    for number in numbers:
        found = await visit.store.screens.message(visit.account_id, number, visit.now)
        done += found is not None and await act(visit, found)
    query = clean_query(visit.given("query", MAX_QUERY))
    return visit.go(visit.url("activity") + "?" + "&".join(filter(None, (query, urlencode({"done_of": f"{done}-{len(numbers)}"})))))


async def _again(visit: Visit, found: MessagePage) -> bool:
    made = await resend(visit, found, visit.given("key", 40))
    if isinstance(made, Not):
        return False
    await visit.note("message.resend", str(found.view.id), str(made))
    return True


async def _back(visit: Visit, found: MessagePage) -> bool:
    is_done = await visit.store.cancel(found.view.id, visit.account_id, visit.now, f"{visit.user_name} took it back")
    if is_done:
        await visit.note("message.cancel", str(found.view.id))
    return is_done


async def _now(visit: Visit, found: MessagePage) -> bool:
    is_done = bool(await visit.store.retry_now(visit.now, message_id=found.view.id, account_id=visit.account_id))
    if is_done:
        await visit.note("message.retry", str(found.view.id))
    return is_done


ORDERS: Final[dict[str, tuple[May, Callable[[Visit, MessagePage], Awaitable[bool]]]]] = {
    "resend": (May.SEND, _again), "cancel": (May.RETRY, _back), "retry": (May.RETRY, _now),
}  # fmt: skip


def clean_query(query: str) -> str:
    """The parameters of a query that choose messages, nothing else."""
    return urlencode([(name, value) for name, value in parse_qsl(query)[:100] if name in KEPT and value])


def done_of(text: str) -> tuple[int, int] | None:
    """What `bulk` says in the address of the log it leads back to; None when it is something else."""
    done, _, of = text.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in (done, of)):
        return None
    return int(done), int(of)


async def save(visit: Visit) -> Response:
    """Keep the choice of the page under a name, or forget one. A person's own, in this account."""
    assert visit.sign_in is not None
    name, user = visit.given("name", 60), visit.sign_in.user
    if visit.given("order") == "drop":
        if not await visit.store.users.drop_filter(user.id, visit.account_id, name):
            raise Refused(404)
        await visit.note("filter.drop", name)
        return visit.go(visit.url("activity"), "filter_dropped")
    query = clean_query(visit.given("query", MAX_QUERY))
    if not name or not name.isprintable() or not query or visit.given("order") != "save":
        raise Refused(400)
    if not await visit.store.users.save_filter(user.id, visit.account_id, name, query, visit.now, MAX_SAVED):
        return visit.go(visit.url("activity") + "?" + query, "filter_too_many")
    await visit.note("filter.save", name)
    return visit.go(visit.url("activity") + "?" + query, "filter_saved")
