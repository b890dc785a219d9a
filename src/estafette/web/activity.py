"""S2, the message log: one table for every message of every origin, filtered by the address of the page, paged by key."""

from typing import Final

from starlette.responses import Response

from estafette.stats.providers import provider_of
from estafette.views import Line
from estafette.web.bulk import clean_query, done_of
from estafette.web.choosing import PERIODS, choice_of, read_filters
from estafette.web.desk import Visit, account_url
from estafette.web.rendering import ROOT
from estafette.web.statuses import STATUSES

PAGE: Final = 50


async def activity(visit: Visit) -> Response:
    """A page of the log."""
    params = visit.request.query_params
    filters = read_filters(params, params.getlist("status"), visit.now)
    if filters.message_id and await visit.store.screens.message(visit.account_id, filters.message_id, visit.now):
        return visit.go(visit.url(f"messages/{filters.message_id}"))
    before, after = (_id(params.get(name, "")) for name in ("before", "after"))
    log = await visit.store.screens.log(visit.account_id, choice_of(filters), before=before, after=after, limit=PAGE)
    campaign = await visit.store.screens.campaign(visit.account_id, filters.campaign) if filters.campaign else None
    kept = {"status": filters.status, "text": filters.text, "domain": filters.domain, "campaign": filters.campaign, "error": filters.error,
            "source": filters.door, "period": filters.period, "from": visit.query("from"), "to": visit.query("to")}  # fmt: skip
    assert visit.sign_in is not None
    saved = await visit.store.users.filters(visit.sign_in.user.id, visit.account_id)
    return visit.page(
        "activity.html", log=log, saved=[(name, visit.url("activity") + "?" + query) for name, query in saved],
        is_kept=bool(clean_query(visit.request.url.query)), bulk=done_of(visit.query("done_of")), provider=_provider,
        filters=filters, campaign=campaign, kept=kept, periods=list(PERIODS), statuses=STATUSES.values(),
        older=visit.url("activity", **kept, before=log.older) if log.older else "",
        newer=visit.url("activity", **kept, after=log.newer) if log.newer else "",
        plain=visit.url("activity"), is_live=not before and not after, drop=lambda name, value="": visit.url("activity", **_without(kept, name, value)),
    )  # fmt: skip


def _provider(line: Line) -> str:
    """The mailbox provider that the message went to, "" while nobody knows."""
    return provider_of(line.site, line.view.recipient.rpartition("@")[2].lower()) if not line.site.startswith("@") else ""


def _without(kept: dict[str, object], name: str, value: str) -> dict[str, object]:
    """The filters without one of them: chips are links that take themselves away."""
    left = dict(kept)
    held = left.get(name)
    left[name] = tuple(one for one in held if one != value) if isinstance(held, tuple) else ""
    return left


def _id(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0


async def search(visit: Visit) -> Response:
    """The field at the top of every page: a message's number leads to it, anything else to the log."""
    return visit.go(visit.url("activity", text=visit.query("text", 200)))


async def front(visit: Visit) -> Response:
    """The first account of whoever signed in; without any, his own page."""
    return visit.go(account_url(visit.memberships[0].account_id) if visit.memberships else f"{ROOT}/me")
