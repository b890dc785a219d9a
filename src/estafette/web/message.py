"""S3, one message: what it says (preview, source) and everything that happened to it, explained; retry, block and unblock from here."""

import asyncio
from typing import Final

from starlette.responses import Response

from estafette.mail.address import AddressError, parse
from estafette.model import FINAL_STATES, BlockCause, State
from estafette.views import MessagePage
from estafette.web.desk import HEADERS, NOT_FOUND, Refused, Visit
from estafette.web.permissions import May
from estafette.web.reading import Reading, read
from estafette.web.story import story

TABS: Final = ("preview", "html", "text", "headers", "raw")
PREVIEW_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:{images}; font-src 'none'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)
NO_CONTENT: Final = Reading()


async def message(visit: Visit) -> Response:
    """The page."""
    found = await _found(visit)
    may_read = visit.may(May.CONTENT)
    reading = await _reading(visit, found) if may_read else NO_CONTENT
    tab = visit.query("tab")
    if tab not in TABS:
        tab = "preview" if reading.html else "text"
    nodes = story(found.events)
    return visit.page(
        "message.html", m=found, view=found.view, reading=reading, may_read=may_read, tab=tab, tabs=TABS, nodes=nodes,
        with_images=visit.query("images") == "1", is_waiting=found.view.state not in FINAL_STATES, is_queued=found.view.state is State.QUEUED, key=_key(found),
    )  # fmt: skip


async def preview(visit: Visit) -> Response:
    """The HTML of the mail for the frame: no script, no form, nothing loaded from elsewhere unless images were asked for."""
    found = await _found(visit)
    html = (await _reading(visit, found)).html
    images = " https: http:" if visit.query("images") == "1" else ""
    headers = HEADERS | {"Content-Security-Policy": PREVIEW_CSP.format(images=images), "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer"}
    return Response(html, 200, headers, "text/html; charset=utf-8")


async def retry(visit: Visit) -> Response:
    """The next attempt at once."""
    found = await _found(visit)
    await visit.store.retry_now(visit.now, message_id=found.view.id, account_id=visit.account_id)
    await visit.note("message.retry", str(found.view.id))
    return visit.go(visit.url(f"messages/{found.view.id}"), "retried")


async def cancel(visit: Visit) -> Response:
    """A message that waits for its first attempt is taken back."""
    found = await _found(visit)
    is_done = await visit.store.cancel(found.view.id, visit.account_id, visit.now, f"{visit.user_name} took it back")
    if is_done:
        await visit.note("message.cancel", str(found.view.id))
    return visit.go(visit.url(f"messages/{found.view.id}"), "cancelled" if is_done else "too_late")


async def block(visit: Visit) -> Response:
    """Block the recipient of a message, or lift the blocks on him; a reason is asked for."""
    found = await _found(visit)
    key, reason = _key(found), visit.given("reason", 300)
    if not key or not reason:
        raise Refused(400)
    if visit.given("order") == "lift":
        count = await visit.store.lift_blocks(visit.account_id, key, visit.now, f"{visit.user_name}: {reason}")
        await visit.note("block.lift", key, reason)
        return visit.go(visit.url(f"messages/{found.view.id}"), "lifted" if count else "not_blocked")
    await visit.store.add_block(visit.account_id, key, BlockCause.MANUAL, visit.now, None, message_id=found.view.id, reply=reason)
    await visit.note("block.add", key, reason)
    return visit.go(visit.url(f"messages/{found.view.id}"), "blocked")


async def _found(visit: Visit) -> MessagePage:
    found = await visit.store.screens.message(visit.account_id, int(visit.request.path_params["id"]), visit.now)
    if found is None:
        raise Refused(NOT_FOUND)
    return found


async def _reading(visit: Visit, found: MessagePage) -> Reading:
    if not found.has_content:
        return NO_CONTENT
    content = (await visit.store.contents([found.view.submission_id])).get(found.view.submission_id)
    return await asyncio.to_thread(read, content.raw) if content is not None else NO_CONTENT


def _key(found: MessagePage) -> str:
    try:
        return parse(found.view.recipient).key
    except AddressError:
        return ""
