"""Reads a request's body within its size, its time and the process's memory."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from estafette.accept.limits import Budget
from estafette.api import errors
from estafette.api.errors import CallRefused, Problem

BUSY_AFTER_S = 5


class Hold:
    """Octets that one request keeps of the process's budget; given back together at the end."""

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._held = 0

    def take(self, size: int) -> None:
        """Raises CallRefused 503 when there is no room."""
        if self._budget is None:
            return
        if not self._budget.take(size):
            raise CallRefused(Problem("", 503, "Too much mail is being received at the moment; try again later."), BUSY_AFTER_S)
        self._held += size

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *_: object) -> None:
        if self._budget is not None:
            self._budget.give_back(self._held)
            self._held = 0


async def read_body(request: Request, hold: Hold, max_bytes: int, within_s: float) -> bytes:
    """The whole body. Raises CallRefused: 413 past `max_bytes` (before reading, when its length is announced), 408 past `within_s`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > max_bytes):
        raise _too_large(max_bytes)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(within_s):
            async for piece in request.stream():
                size += len(piece)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                hold.take(len(piece))
                pieces.append(piece)
    except TimeoutError:
        raise CallRefused(Problem("", 408, f"The request did not arrive within {within_s:.0f} s.")) from None
    except ClientDisconnect:
        raise CallRefused(Problem("", 400, "The connection ended before the request was complete.")) from None
    return b"".join(pieces)


def _too_large(max_bytes: int) -> CallRefused:
    return CallRefused(errors.too_large(f"The request is too large. Max allowed - {max_bytes} bytes", status=413))
