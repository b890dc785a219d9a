"""Live parts: one stream per page (server-sent events) that says "something happened in this account", at most twice a second.

What happened is fetched by the page itself. Streams are few per worker and end with it; a page without one asks every ten seconds.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response, StreamingResponse

from estafette.store.seam import StoreFault
from estafette.web.desk import HEADERS, Visit, WebDesk

MAX_STREAMS: Final = 100
LOOK_EVERY_S: Final = 0.7
BEAT_EVERY: Final = 20
"""After so many looks without news a comment is sent, so that proxies and closed browsers are noticed."""
LOOKS: Final = 850
"""A stream ends after ten minutes; the browser opens another, and is asked again whether it may."""


async def live(visit: Visit) -> Response:
    """The stream of an account."""
    if len(visit.desk.live) >= MAX_STREAMS:
        return Response("", 204, HEADERS)  # 204 tells an EventSource to stay away
    headers = HEADERS | {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(visit.desk, visit.account_id), 200, headers, "text/event-stream")


async def _changes(desk: WebDesk, account_id: int) -> AsyncIterator[str]:
    place = object()
    desk.live.add(id(place))
    try:
        last = await desk.store.screens.newest_event(account_id)
        yield "retry: 5000\n\n"
        quiet = 0
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_EVERY_S)
            if desk.is_closing():
                return
            newest = await desk.store.screens.newest_event(account_id)
            if newest != last:
                last, quiet = newest, 0
                yield f"event: change\ndata: {newest}\n\n"
            elif (quiet := quiet + 1) % BEAT_EVERY == 0:
                yield ":\n\n"
    except StoreFault:
        return
    finally:
        desk.live.discard(id(place))
