"""Every address of the dashboard, with who may ask for it. Mounted by the composition root beside the API."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from estafette.web import (
    activity,
    blocks,
    bulk,
    campaigns,
    contacts,
    domains,
    exporting,
    forms,
    importing,
    lists,
    live,
    message,
    newsletters,
    onboarding,
    overview,
    properties,
    segments,
    sending_queue,
    settings,
    signing_in,
    statistics,
)
from estafette.web.block_file import MAX_OCTETS
from estafette.web.desk import HEADERS, MAX_FORM_BYTES, NOT_FOUND, Endpoint, Refused, Visit, WebDesk, served
from estafette.web.permissions import May
from estafette.web.rendering import ROOT, assets_by_hashed_name

ACCOUNT: Final = ROOT + "/{account:int}"

PUBLIC: Final[tuple[tuple[str, str, Endpoint], ...]] = (
    ("GET", f"{ROOT}/sign-in", signing_in.sign_in_page),
    ("POST", f"{ROOT}/sign-in", signing_in.sign_in),
    ("POST", f"{ROOT}/language", signing_in.set_language),
)
OWN: Final[tuple[tuple[str, str, Endpoint], ...]] = (
    ("GET", f"{ROOT}/", activity.front),
    ("POST", f"{ROOT}/sign-out", signing_in.sign_out),
    ("GET", f"{ROOT}/me", signing_in.me),
    ("POST", f"{ROOT}/me", signing_in.change_me),
    ("GET", f"{ROOT}/users", settings.all_users),
    ("POST", f"{ROOT}/users", settings.change_user),
)
OF_ACCOUNT: Final[tuple[tuple[str, str, Endpoint, May], ...]] = (
    ("GET", "/", overview.overview, May.READ),
    ("GET", "/start", onboarding.start, May.READ),
    ("POST", "/start", onboarding.send_test, May.SEND),
    ("GET", "/domains", domains.domains, May.READ),
    ("POST", "/domains", domains.add, May.DOMAINS),
    ("GET", "/domains/{name}", domains.domain, May.READ),
    ("POST", "/domains/{name}", domains.check, May.DOMAINS),
    ("POST", "/domains/{name}/keys", domains.rotate, May.DOMAINS),
    ("GET", "/live", live.live, May.READ),
    ("GET", "/search", activity.search, May.READ),
    ("GET", "/activity", activity.activity, May.READ),
    ("POST", "/activity", bulk.bulk, May.READ),
    ("POST", "/activity/filters", bulk.save, May.READ),
    ("GET", "/messages/{id:int}", message.message, May.READ),
    ("GET", "/messages/{id:int}/preview", message.preview, May.CONTENT),
    ("GET", "/messages/{id:int}/source", message.source, May.CONTENT),
    ("POST", "/messages/{id:int}/resend", message.again, May.SEND),
    ("POST", "/messages/{id:int}/retry", message.retry, May.RETRY),
    ("POST", "/messages/{id:int}/cancel", message.cancel, May.RETRY),
    ("POST", "/messages/{id:int}/block", message.block, May.BLOCK),
    ("GET", "/blocks", blocks.blocks, May.READ),
    ("POST", "/blocks", blocks.change, May.BLOCK),
    ("POST", "/blocks/import", blocks.take_in, May.BLOCK),
    ("GET", "/queue", sending_queue.queue, May.READ),
    ("POST", "/queue", sending_queue.retry, May.RETRY),
    ("POST", "/queue/resume", sending_queue.resume, May.RESUME),
    ("POST", "/queue/stops", sending_queue.stop, May.PAUSE),
    ("GET", "/campaigns", campaigns.campaigns, May.READ),
    ("GET", "/campaigns/{id:int}", campaigns.campaign, May.READ),
    ("GET", "/lists", lists.lists, May.READ),
    ("POST", "/lists", lists.create, May.CONTACTS),
    ("GET", "/lists/{id:int}", lists.one_list, May.READ),
    ("POST", "/lists/{id:int}", lists.change, May.CONTACTS),
    ("GET", "/contacts", contacts.contacts, May.READ),
    ("GET", "/contacts/{id:int}", contacts.contact, May.READ),
    ("POST", "/contacts/{id:int}/export", contacts.export, May.EXPORT),
    ("POST", "/contacts/{id:int}", contacts.change, May.CONTACTS),
    ("GET", "/segments", segments.segments, May.READ),
    ("POST", "/segments", segments.create, May.CONTACTS),
    ("GET", "/segments/{id:int}", segments.segment, May.READ),
    ("POST", "/segments/{id:int}", segments.change, May.CONTACTS),
    ("GET", "/forms", forms.forms, May.READ),
    ("POST", "/forms", forms.create, May.CONTACTS),
    ("GET", "/forms/new", forms.new, May.CONTACTS),
    ("GET", "/forms/{id:int}", forms.form, May.READ),
    ("POST", "/forms/{id:int}", forms.change, May.CONTACTS),
    ("GET", "/properties", properties.properties, May.READ),
    ("POST", "/properties", properties.create, May.CONTACTS),
    ("GET", "/properties/{id:int}", properties.one_property, May.READ),
    ("POST", "/properties/{id:int}", properties.change, May.CONTACTS),
    ("GET", "/imports", importing.imports, May.CONTACTS),
    ("POST", "/imports", importing.upload, May.CONTACTS),
    ("GET", "/imports/new/{id:int}", importing.look, May.CONTACTS),
    ("POST", "/imports/new/{id:int}", importing.begin, May.CONTACTS),
    ("GET", "/imports/{id:int}", importing.job, May.CONTACTS),
    ("POST", "/imports/{id:int}", importing.change, May.CONTACTS),
    ("GET", "/imports/{id:int}/errors", importing.errors, May.CONTACTS),
    ("GET", "/newsletters", newsletters.newsletters, May.READ),
    ("POST", "/newsletters", newsletters.create, May.NEWSLETTERS),
    ("GET", "/newsletters/{id:int}", newsletters.newsletter, May.READ),
    ("POST", "/newsletters/{id:int}", newsletters.change, May.NEWSLETTERS),
    ("GET", "/newsletters/{id:int}/write", newsletters.writing, May.NEWSLETTERS),
    ("POST", "/newsletters/{id:int}/write", newsletters.write, May.NEWSLETTERS),
    ("GET", "/newsletters/{id:int}/checks", newsletters.checks, May.CONTENT),
    ("GET", "/newsletters/{id:int}/preview", newsletters.preview, May.CONTENT),
    ("GET", "/statistics", statistics.statistics, May.READ),
    ("GET", "/exports", exporting.exports, May.EXPORT),
    ("POST", "/exports", exporting.order, May.EXPORT),
    ("GET", "/exports/{id:int}", exporting.export, May.EXPORT),
    ("GET", "/exports/{id:int}/file", exporting.download, May.EXPORT),
    ("GET", "/settings", settings.settings, May.READ),
    ("POST", "/settings/keys", settings.change_keys, May.KEYS),
    ("POST", "/settings/users", settings.change_users, May.USERS),
    ("POST", "/settings/webhooks", settings.change_webhooks, May.KEYS),
    ("POST", "/settings/tracking", settings.change_tracking, May.PRIVACY),
    ("POST", "/settings/retention", settings.change_retention, May.PRIVACY),
    ("GET", "/settings/{tab}", settings.part, May.READ),
)
"""Addresses below an account, and what a role must allow."""
MOST: Final = {"/imports": importing.MAX_FILE_BYTES, "/blocks/import": 2 * MAX_OCTETS, "/newsletters/{id:int}/write": newsletters.MAX_FORM_BYTES}
"""Forms that bring files, and how large they may be."""


def web_routes(desk: WebDesk) -> list[Route]:
    """What the HTTP listener of a worker mounts."""
    routes = [_route("/", _to_dashboard, "GET"), _route(ROOT, _to_dashboard, "GET"), _route(f"{ROOT}/static/{{name}}", _static, "GET")]
    routes += [_route(path, served(desk, endpoint, is_public=True), method) for method, path, endpoint in PUBLIC]
    routes += [_route(path, served(desk, endpoint), method) for method, path, endpoint in OWN]
    for method, path, endpoint, needs in OF_ACCOUNT:
        routes.append(_route(ACCOUNT + path, served(desk, endpoint, needs=needs, most=MOST.get(path, MAX_FORM_BYTES)), method))
    routes.append(_route(ROOT + "/{path:path}", served(desk, _nothing), "GET", "POST"))
    return routes


def _route(path: str, endpoint: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
    return Route(path, endpoint, methods=list(methods))


async def _to_dashboard(request: Request) -> Response:
    return RedirectResponse(f"{ROOT}/", 303)


async def _nothing(visit: Visit) -> Response:
    raise Refused(NOT_FOUND)


async def _static(request: Request) -> Response:
    """A file of the package under its hashed name, which means that it never changes."""
    asset = assets_by_hashed_name().get(request.path_params["name"])
    if asset is None:
        return Response("", NOT_FOUND, HEADERS)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, 200, headers | {"Content-Encoding": "gzip"}, asset.type)
    return Response(asset.body, 200, headers, asset.type)
