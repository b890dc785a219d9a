"""S3, one message: what it says (preview, source) and everything that happened to it, explained; retry, resend, block and unblock from here."""

import asyncio
from typing import Final

from starlette.responses import Response

from estafette.mail.address import AddressError, parse
from estafette.model import FINAL_STATES, BlockCause, State
from estafette.views import MessagePage
from estafette.web.curl import curl_call, file_name
from estafette.web.desk import HEADERS, NOT_FOUND, Refused, Visit
from estafette.web.permissions import May
from estafette.web.reading import Reading, html_with_images, read
from estafette.web.resending import Not, resend, why_not
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
        with_images=visit.query("images") == "1", is_phone=visit.query("width") == "phone", again=why_not(found), problem=visit.query("problem"),
        call=curl_call(found, reading, visit.desk.config.http.public_url) if found.has_content and may_read else "",
        is_waiting=found.view.state not in FINAL_STATES, is_queued=found.view.state is State.QUEUED, key=_key(found),
    )  # fmt: skip


async def preview(visit: Visit) -> Response:
    """The HTML of the mail for the frame: no script, no form, nothing loaded from elsewhere unless images were asked for."""
    raw = await _content(visit, await _found(visit))
    html = await asyncio.to_thread(html_with_images, raw)
    images = " https: http:" if visit.query("images") == "1" else ""
    headers = HEADERS | {"Content-Security-Policy": PREVIEW_CSP.format(images=images), "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer"}
    return Response(html, 200, headers, "text/html; charset=utf-8")


async def source(visit: Visit) -> Response:
    """The mail as a file, as it was accepted."""
    found = await _found(visit)
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{file_name(found.view.id)}"'}
    return Response(await _content(visit, found), 200, headers, "message/rfc822")


async def again(visit: Visit) -> Response:
    """The same mail once more, as a new message; its page opens."""
    found = await _found(visit)
    made = await resend(visit, found, visit.given("key", 40))
    if isinstance(made, Not):
        return visit.go(visit.url(f"messages/{found.view.id}", problem=made.value))
    await visit.note("message.resend", str(found.view.id), str(made))
    return visit.go(visit.url(f"messages/{made}"), "resent")


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


async def _content(visit: Visit, found: MessagePage) -> bytes:
    """Raises Refused 404 when it is not kept."""
    content = (await visit.store.contents([found.view.submission_id])).get(found.view.submission_id) if found.has_content else None
    if content is None:
        raise Refused(NOT_FOUND)
    return content.raw


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
