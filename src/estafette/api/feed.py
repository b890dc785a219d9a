"""`/v1/estafette/`: the feed of an account's events, from which everything can be read again, and the log of its webhooks' calls."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from estafette.api.desk import Desk, answer
from estafette.api.errors import CallRefused, Problem
from estafette.api.query import message_id_of, number
from estafette.api.webhooks.payload import feed_entry
from estafette.api.webhooks.telling import send_again
from estafette.clock import to_iso
from estafette.facts import Position
from estafette.model import Account
from estafette.nouns import WebhookCall
from estafette.store.webhooks import NEWEST

MAX_EVENTS: Final = 1000
NO_EVENT: Final = Problem("", 404, "Object not found")
NOBODY: Final = Problem("", 409, "No webhook of this account is told of this event.")


async def feed(desk: Desk, request: Request, account: Account) -> Response:
    """Events in the order in which they count, from the one behind `after` on. What a running transaction may still write before them is waited for,
    so a reader that goes on from the last cursor misses nothing."""
    given = given_in(request)
    limit = min(number(given, "limit", 100, 10**9), MAX_EVENTS) or MAX_EVENTS
    after = _cursor(given.get("after", ""))
    views, last = await desk.store.statistics.views(after, limit, account.id)
    return answer(200, {"Count": len(views), "Data": [feed_entry(view) for view in views], "Next": f"{last[0]}.{last[1]}"})


async def calls(desk: Desk, request: Request, account: Account) -> Response:
    """The account's calls, newest first; `before` is the ID to go on from, `failed=1` leaves out what succeeded."""
    given = given_in(request)
    limit = min(number(given, "limit", 50, 10**9), MAX_EVENTS) or MAX_EVENTS
    found = await desk.store.webhooks.calls(
        account.id, webhook_id=number(given, "webhook", 0, 10**9) or None, only_failed=bool(number(given, "failed", 0, 1)),
        before=_id(given.get("before", "")) or NEWEST, limit=limit,
    )  # fmt: skip
    return answer(200, {"Count": len(found), "Data": [call_row(call) for call in found]})


async def again(desk: Desk, request: Request, account: Account) -> Response:
    """Tell one event once more."""
    event_id = _id(str(request.path_params["id"]))
    if not event_id or not await desk.store.webhooks.views(account.id, [event_id]):
        raise CallRefused(NO_EVENT)
    if not await send_again(desk.store, account.id, [event_id], desk.clock.now_us()):
        raise CallRefused(NOBODY)
    return answer(202, {"Count": 1, "Data": [{"event": str(event_id)}]})


def call_row(call: WebhookCall) -> dict[str, object]:
    """A call as the log shows it."""
    return {
        "ID": call.id, "WebhookID": call.webhook_id, "Url": call.url, "At": to_iso(call.at), "Status": call.status, "Trouble": call.trouble,
        "DurationMs": call.duration_ms, "Events": [str(event_id) for event_id in call.event_ids], "Body": call.body, "Answer": call.answer,
    }  # fmt: skip


def given_in(request: Request) -> dict[str, str]:
    """The query: names in lower case, the first of a repeated name counts."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(name.lower(), value)
    return given


def _id(text: str) -> int:
    return message_id_of(text) or 0


def _cursor(text: str) -> Position:
    xact, _, event_id = text.partition(".")
    if not text:
        return 0, 0
    if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (xact, event_id)):
        raise CallRefused(Problem("", 400, 'Invalid value for "after": a cursor of this feed is expected.'))
    return int(xact), int(event_id)
