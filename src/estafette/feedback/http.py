"""The little of HTTP that the endpoints need: an ASGI application per path, answers in one piece, what a request says of itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from estafette.feedback.pages import HEADERS, Page, language_of, page

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

READS: Final = ("GET", "HEAD")
BODY_WITHIN_S: Final = 15.0
_PAGE_HEADERS: Final = tuple((name.encode(), value.encode()) for name, value in HEADERS)


class Endpoint:
    """One path. Not a function: `Route` hands requests to it as they are, without making objects of them."""

    def __init__(self, handler: Handler, *methods: str) -> None:
        self._handler = handler
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in self._methods:
            await answer(send, 405, b"", [(b"allow", ", ".join(self._methods).encode())])
            return
        await self._handler(scope, receive, send)


async def answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """A whole response. The server leaves the body out for HEAD."""
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def answer_page(scope: Scope, send: Send, status: int, which: Page, language: str = "", author: str = "", recipient: str = "",
                      extra: Iterable[tuple[bytes, bytes]] = (), preferences: str = "", list_name: str = "") -> None:  # fmt: skip
    """One of our pages, in the language of the link or of the browser."""
    chosen = language_of(language, header(scope, b"accept-language"))
    await answer_html(send, status, page(which, chosen, author, recipient, preferences, list_name), chosen, extra)


async def answer_html(send: Send, status: int, body: bytes, language: str, extra: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """A page that was made already."""
    await answer(send, status, body, (*_PAGE_HEADERS, (b"content-language", language.encode()), *extra))


async def read_body(receive: Receive, most: int, within_s: float = BODY_WITHIN_S) -> bytes | None:
    """The body; None when it is too long, too slow or broken off."""
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > most:
                    return None
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        return None


def header(scope: Scope, name: bytes) -> str:
    """The first header of that name, "" for none."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""


def token_of(scope: Scope) -> str:
    """The part of the path that is the token."""
    token: str = scope["path_params"]["token"]
    return token


def peer_of(scope: Scope) -> str:
    """The client's address, behind a trusted proxy the one that the proxy saw."""
    client = scope.get("client")
    return str(client[0]) if client else ""
