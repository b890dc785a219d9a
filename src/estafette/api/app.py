"""Puts the routes together. Every route stands in docs/reference/http-api.md; a test sees to it.

Access is decided by route: whatever is not wrapped by `guarded` is open (`/healthz`, and what describes the API).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from estafette import maillog
from estafette.accept.credentials import SEND, Doorkeeper
from estafette.accept.limits import Bucket, Budget
from estafette.accept.submit import SubmitDoor
from estafette.api.desk import Desk, Endpoint, answer, guarded
from estafette.api.errors import Problem, entry
from estafette.api.feed import again, calls, feed
from estafette.api.figures import guard, statistics
from estafette.api.forms import consents, form, forms
from estafette.api.openapi import openapi
from estafette.api.operations import OPERATIONS
from estafette.api.own import cancel, raw
from estafette.api.preview import preview
from estafette.api.reference_page import reference_page
from estafette.api.rest.jobs import erase, errors_of, upload
from estafette.api.rest.serving import rest
from estafette.api.rest.table import RESOURCES
from estafette.api.send import send, send_v3
from estafette.api.send_rules import DEFAULT_RULES, Rules
from estafette.clock import Clock
from estafette.deliver.domains import Domains
from estafette.store.seam import Store, StoreFault

HEALTH_WITHIN_S: Final = 5.0
TEXTS: Final = {404: "There is nothing at this path.", 405: "This path does not take this method."}


def make_app(
    store: Store,
    keeper: Doorkeeper,
    door: SubmitDoor,
    clock: Clock,
    *,
    public_url: str,
    max_body_bytes: int,
    is_closing: Callable[[], bool],
    rules: Rules = DEFAULT_RULES,
    buckets: dict[int, Bucket] | None = None,
    budget: Budget | None = None,
    body_within_s: float = 120.0,
    has_disk: Callable[[], bool] = lambda: True,
    domains: Domains | None = None,
    inbound_domain: str = "",
    links_url: str = "",
    tracks_opens: bool = True,
    routes: Sequence[Route] = (),
) -> Starlette:
    """The application. `buckets`, `budget` and `has_disk` are shared with the SMTP door when both are in one process: limits hold for both together;
    `routes` are others that the same listener serves, `links_url` is what the addresses of public ones begin with."""
    desk = Desk(store, keeper, door, clock, public_url.rstrip("/"), max_body_bytes, is_closing, rules,
                {} if buckets is None else buckets, budget, body_within_s, has_disk, domains, inbound_domain, links_url, tracks_opens)  # fmt: skip

    file = openapi(OPERATIONS, desk.public_url, RESOURCES.values())
    page = reference_page(OPERATIONS)

    async def described(request: Request) -> Response:
        return answer(200, file)

    async def reference(request: Request) -> Response:
        return HTMLResponse(page)

    async def healthz(request: Request) -> Response:
        return await _healthz(desk)

    async def failed(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        return answer(status, entry(Problem("", status, TEXTS.get(status, "The request cannot be answered.")), desk.identifier()), headers)

    app = Starlette(
        routes=[
            *routes,
            _route("/healthz", healthz, "GET"),
            _route("/v3.1/send", _send(desk, send), "POST"),
            _route("/v3/send", guarded(desk, send_v3, is_v3=True, scope=SEND), "POST"),
            _route("/v3/send/message", guarded(desk, send_v3, is_v3=True, scope=SEND), "POST"),
            _route("/v1/estafette/openapi.json", described, "GET"),
            _route("/v1/estafette/reference", reference, "GET"),
            _route("/v1/estafette/raw", _send(desk, raw), "POST"),
            _route("/v1/estafette/preview", _send(desk, preview), "POST"),
            _route("/v1/estafette/messages/{id}", _v31(desk, cancel), "DELETE"),
            _route("/v1/estafette/statistics", _v31(desk, statistics), "GET"),
            _route("/v1/estafette/guard", _v31(desk, guard), "GET"),
            _route("/v1/estafette/events", _v31(desk, feed), "GET"),
            _route("/v1/estafette/events/{id}/again", _v31(desk, again), "POST"),
            _route("/v1/estafette/webhook-calls", _v31(desk, calls), "GET"),
            _route("/v1/estafette/forms", _v31(desk, forms), "GET", "POST"),
            _route("/v1/estafette/forms/{id}", _v31(desk, form), "GET", "PUT", "DELETE"),
            _route("/v1/estafette/contacts/{id}/consents", _v31(desk, consents), "GET"),
            _route("/v3/DATA/contactslist/{id}/CSVData/{media:path}", _v3(desk, upload), "POST"),
            _route("/v3/DATA/batchjob/{id}/{name}/{media:path}", _v3(desk, errors_of), "GET"),
            _route("/v4/contacts/{id}", _v31(desk, erase), "DELETE"),
            _route("/v3/REST/{path:path}", _v3(desk, rest), "GET", "POST", "PUT", "DELETE"),
        ],
        exception_handlers={HTTPException: failed},
    )
    app.router.redirect_slashes = False  # a redirect would repeat a POST, or lose it
    return app


def _route(path: str, endpoint: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
    """A route in any case: clients write REST and rest, and the oldest lower-case whole paths (contract 5.1)."""
    route = Route(path, endpoint, methods=methods)
    route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE)
    return route


def _send(desk: Desk, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    return guarded(desk, endpoint, is_v3=False, scope=SEND)


def _v31(desk: Desk, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    return guarded(desk, endpoint, is_v3=False)


def _v3(desk: Desk, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    return guarded(desk, endpoint, is_v3=True)


async def _healthz(desk: Desk) -> Response:
    """Fit to take requests: the store answers and we are not closing."""
    if desk.is_closing():
        return answer(503, {"status": "closing"})
    try:
        async with asyncio.timeout(HEALTH_WITHIN_S):
            await desk.store.newest_id()
    except (StoreFault, TimeoutError) as fault:
        maillog.fault("healthz", "", fault)
        return answer(503, {"status": "store unavailable"})
    return answer(200, {"status": "ok"})
