"""`/v3/REST/message` and `/v3/REST/messagehistory`: what became of the messages of the account that asks."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from estafette.api.desk import Desk, answer
from estafette.api.errors import CallRefused, Problem
from estafette.api.message_rows import history_row, message_row, rows, size_of
from estafette.api.query import MAX_LIMIT, ListQuery, message_id_of, read_query
from estafette.model import Account, MessageView

NOT_FOUND: Final = Problem("", 404, "Object not found")
MAX_COUNTED: Final = 200_000


async def message(desk: Desk, request: Request, account: Account) -> Response:
    """One message by its id."""
    view = await _own(desk, request, account)
    if view is None:
        raise CallRefused(NOT_FOUND)
    query = read_query(request.query_params.multi_items())
    size = size_of(await desk.store.timeline(view.id))
    return answer(200, rows([message_row(view, size_bytes=size, has_subject=query.has_subject, has_address=query.has_address)]))


async def messages(desk: Desk, request: Request, account: Account) -> Response:
    """A list by id, upward."""
    query = read_query(request.query_params.multi_items())
    if query.is_count_only:
        return answer(200, rows([], await _count(desk, account, query)))
    found = await _page(desk, account, query)
    return answer(200, rows([message_row(view, has_subject=query.has_subject, has_address=query.has_address) for view in found]))


async def history(desk: Desk, request: Request, account: Account) -> Response:
    """The events of one message; of an unknown one there are none (contract 1.3)."""
    view = await _own(desk, request, account)
    events = await desk.store.timeline(view.id) if view else []
    return answer(200, rows([row for event in events if (row := history_row(event))]))


async def unknown_resource(desk: Desk, request: Request, account: Account) -> Response:
    """Everything else under `/v3/REST` (contract 5.1)."""
    name = str(request.path_params["resource"]).partition("/")[0]
    raise CallRefused(Problem("", 400, f'Unknown resource: "{name[:100]}"'), info="Bad Request")


async def _own(desk: Desk, request: Request, account: Account) -> MessageView | None:
    message_id = message_id_of(str(request.path_params["id"]))
    view = await desk.store.message(message_id) if message_id else None
    return view if view and view.account_id == account.id else None


async def _page(desk: Desk, account: Account, query: ListQuery) -> list[MessageView]:
    """The store pages by id; an offset is walked, which is why it is limited."""
    found: list[MessageView] = []
    skip, after = query.offset, 0
    while len(found) < query.limit:
        want = min(MAX_LIMIT, skip + query.limit - len(found))
        page = await desk.store.messages(account.id, custom_id=query.custom_id, after=after, limit=want)
        found += page[skip:]
        skip = max(0, skip - len(page))
        if len(page) < want:
            break
        after = page[-1].id
    return found


async def _count(desk: Desk, account: Account, query: ListQuery) -> int:
    if query.custom_id is None:
        return sum((await desk.store.counts(account.id, None, None)).values())
    count, after = 0, 0
    while count < MAX_COUNTED:
        page = await desk.store.messages(account.id, custom_id=query.custom_id, after=after, limit=MAX_LIMIT)
        count += len(page)
        if len(page) < MAX_LIMIT:
            return count
        after = page[-1].id
    raise CallRefused(Problem("", 400, f"More than {MAX_COUNTED} messages have this CustomID: they are not counted."))
