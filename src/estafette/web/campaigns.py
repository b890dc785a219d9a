"""S4 and S6 for campaigns that mail names in its header or options: the list with the main rates, and the report of one."""

from typing import Final

from starlette.responses import Response

from estafette.clock import DAY_US
from estafette.facts import Reach
from estafette.views import Choice
from estafette.web.choosing import HOUR_US
from estafette.web.desk import NOT_FOUND, Refused, Visit
from estafette.web.figures import FiguresDesk, measured
from estafette.web.proofs import REASONS
from estafette.web.report import Period, time_chart
from estafette.web.tiles import nested, partition, tiles

PAGE: Final = 25
FIRST_HOURS: Final = 48
MAX_DAYS: Final = 90


async def campaigns(visit: Visit) -> Response:
    """The list, newest first."""
    before = visit.number(visit.query("before", 20))
    rows = await visit.store.screens.campaigns(visit.account_id, before, PAGE + 1)
    shown = rows[:PAGE]
    tracking = await measured(visit.store, visit.account_id, visit.desk.config.tracking)
    desk = FiguresDesk(visit.store, visit.account_id, tracking.opens)
    since = min((row.created_at for row in shown), default=visit.now)
    figures = await desk.campaigns([row.id for row in shown], Period("", since - DAY_US, visit.now + DAY_US))
    older = visit.url("campaigns", before=shown[-1].id) if len(rows) > PAGE else ""
    return visit.page("campaigns.html", rows=shown, figures=figures, older=older)


async def campaign(visit: Visit) -> Response:
    """The report of one."""
    row = await visit.store.screens.campaign(visit.account_id, int(visit.request.path_params["id"]))
    if row is None:
        raise Refused(NOT_FOUND)
    tracking, formats = await measured(visit.store, visit.account_id, visit.desk.config.tracking), visit.formats
    desk = FiguresDesk(visit.store, visit.account_id, tracking.opens, campaign_id=row.id)
    begin = row.created_at - row.created_at % HOUR_US
    whole = Period("", begin, min(visit.now + HOUR_US, begin + MAX_DAYS * DAY_US))
    first = Period("", begin, begin + FIRST_HOURS * HOUR_US)
    total, persons = await desk.totals(whole)
    happened = await desk.hours(first)
    series = await desk.series(first)
    by_hour = {one.bucket: one.counts for one in happened}
    reading = [(at, by_hour[at]["open_events"] if at in by_hour else 0, by_hour[at]["click_events"] if at in by_hour else 0) for at in first.buckets]
    statistics = visit.store.statistics
    links = await statistics.reach(visit.account_id, row.id, Reach.LINK, is_click=True, since=begin - DAY_US, until=visit.now + DAY_US, limit=100)
    programs = await statistics.reach(visit.account_id, row.id, Reach.AGENT, is_click=False, since=begin - DAY_US, until=visit.now + DAY_US, limit=12)
    reasons = await statistics.reach(visit.account_id, row.id, Reach.REASON, is_click=False, since=begin - DAY_US, until=visit.now + DAY_US, limit=20)
    return visit.page(
        "campaign.html", reasons=reasons, reason_words=REASONS, row=row, figures=total, persons=persons,
        counts=await desk.counts(whole), links=links, programs=programs, reading=reading,
        tiles=tiles(total, None, series, formats, has_opens=tracking.opens, has_clicks=tracking.clicks), pieces=partition(total, formats),
        bars=nested(total, formats), chart=time_chart(first, series, formats), providers=await desk.providers(whole),
        log=await visit.store.screens.log(visit.account_id, Choice(campaign_id=row.id), limit=10),
        link=lambda key: visit.url("activity", status=key, campaign=row.id), most=max(1, *(opens + clicks for _, opens, clicks in reading)),
    )  # fmt: skip
