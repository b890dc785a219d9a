"""Serves `/v3/REST/...` from the table of resources: finds the resource, reads the request by its description, calls its function, writes the answer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from estafette.api.body import Hold, read_body
from estafette.api.desk import Desk, answer
from estafette.api.errors import CallRefused, Problem
from estafette.api.rest import reading
from estafette.api.rest.call import Call, not_found
from estafette.api.rest.resource import Action, Listing, Reply, Resource, Row
from estafette.api.rest.table import RESOURCES
from estafette.model import Account, Credential

MAX_BODY_BYTES: Final = 10_000_000
MAX_PATH: Final = 1000


async def rest(desk: Desk, request: Request, account: Account) -> Response:
    """The answer to one request. Raises CallRefused."""
    credential: Credential = request.state.credential
    path = str(request.path_params["path"])
    resource, parts = _find(path.split("/"))
    while parts and not parts[-1]:
        parts.pop()
    if len(path) > MAX_PATH or "\0" in path or len(parts) > 3:
        raise not_found()
    action, key, action_id = _place(resource, parts)
    if action is not None:
        return await _act(desk, request, credential, action, key, action_id)
    return await _plain(desk, request, credential, resource, key)


def _find(parts: list[str]) -> tuple[Resource, list[str]]:
    for length in (2, 1):
        found = RESOURCES.get("/".join(parts[:length]).lower())
        if found is not None:
            return found, parts[length:]
    raise CallRefused(Problem("", 400, f'Unknown resource: "{parts[0][:100]}"'), info="Bad Request")


async def _plain(desk: Desk, request: Request, credential: Credential, resource: Resource, key: str) -> Response:
    method = request.method
    if method == "GET":
        call = Call(desk, credential, key, listing=reading.read_listing(resource, request.query_params.multi_items()))
        if key and resource.one is not None:
            return _found(await resource.one(call))
        several = resource.of_one if key else resource.many
        if several is not None:
            found = await several(call)
            return answer(200, _envelope(found.rows, found.total))
    elif method == "POST" and resource.create is not None and not key:
        values = reading.read_body(resource.properties, await _body(desk, request), is_creation=True)
        return answer(201, _envelope([await resource.create(Call(desk, credential, values=values))]))
    elif method == "PUT" and resource.update is not None and key:
        values = reading.read_body(resource.properties, await _body(desk, request), is_creation=False)
        changed = await resource.update(Call(desk, credential, key, values=values))
        return Response(b"", 304) if changed is None else answer(200, _envelope([changed]))
    elif method == "DELETE" and resource.delete is not None and key:
        if not await resource.delete(Call(desk, credential, key)):
            raise not_found()
        return Response(b"", 204)
    raise CallRefused(Problem("", 405, f"{resource.name} does not take {method} {'with' if key else 'without'} an id."), info="Method not allowed")

async def _act(desk: Desk, request: Request, credential: Credential, action: Action, key: str, action_id: str) -> Response:
    function: Callable[[Call], Awaitable[Reply]] | None = getattr(action, request.method.lower(), None)
    if function is None:
        raise CallRefused(Problem("", 405, f"{action.name} does not take {request.method}."), info="Method not allowed")
    values = {}
    if request.method in ("POST", "PUT"):
        values = reading.read_body(action.properties, await _body(desk, request), is_creation=request.method == "POST")
    listing = Listing(limit=reading.MAX_LIMIT)
    reply = await function(Call(desk, credential, key, action_id, listing, values))
    if isinstance(reply.raw, bytes):
        return Response(reply.raw, reply.status, media_type=reply.media)
    return answer(reply.status, _envelope(reply.rows) if reply.rows is not None else reply.raw)


def _place(resource: Resource, rest: list[str]) -> tuple[Action | None, str, str]:
    """(action, key, action id) of what follows the resource's name."""
    if not rest:
        return None, "", ""
    if resource.has_long_keys:
        return None, "/".join(rest), ""
    action = resource.action(rest[0])
    if action is not None and action.on_all:
        if len(rest) > 2:
            raise not_found()
        return action, "", rest[1] if len(rest) > 1 else ""
    if len(rest) == 1:
        return None, rest[0], ""
    action = resource.action(rest[1])
    if action is None or action.on_all:
        raise CallRefused(Problem("", 400, f'Unknown resource: "{resource.name}/{rest[1][:100]}"'), info="Bad Request")
    return action, rest[0], rest[2] if len(rest) > 2 else ""


def _found(row: Row | None) -> Response:
    if row is None:
        raise not_found()
    return answer(200, _envelope([row]))


def _envelope(rows: Sequence[Row], total: int | None = None) -> dict[str, object]:
    """Without a true total, the number of rows; a count alone counts all (contract 5.1)."""
    count = len(rows)
    whole = count if total is None else total
    return {"Count": count if rows else whole, "Data": rows, "Total": whole}


async def _body(desk: Desk, request: Request) -> bytes:
    with Hold(desk.budget) as hold:
        return await read_body(request, hold, min(desk.max_body_bytes, MAX_BODY_BYTES), desk.body_within_s)
