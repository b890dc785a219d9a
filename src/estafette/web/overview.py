"""S1, the first screen: the eight tiles with their rates, the flow, the mail over time, providers, queue, causes, what is recent."""

import asyncio

from starlette.responses import Response

from estafette.accept.ids import first_id_at
from estafette.facts import Timing
from estafette.model import Door
from estafette.views import Choice
from estafette.web.desk import Visit
from estafette.web.figures import FiguresDesk, measured
from estafette.web.onboarding import steps_left
from estafette.web.report import Period, read_period, time_chart
from estafette.web.tiles import nested, partition, tiles


async def overview(visit: Visit) -> Response:
    """The page."""
    tracking = await measured(visit.store, visit.account_id, visit.desk.config.tracking)
    period = read_period(visit.request.query_params, visit.now)
    door = visit.query("source") if visit.query("source") in list(Door) else None
    is_by_event = visit.query("by") == "event"
    desk = FiguresDesk(visit.store, visit.account_id, tracking.opens, door)
    formats = visit.formats
    screens = visit.store.screens
    (survey, providers, causes, queue), (campaigns, log, orders, steps) = await asyncio.gather(
        asyncio.gather(desk.survey(period), desk.providers(period), screens.error_causes(visit.account_id, first_id_at(period.since)),
                       screens.queue(visit.account_id)),
        asyncio.gather(screens.campaigns(visit.account_id, limit=5), screens.log(visit.account_id, Choice(), limit=10),
                       visit.store.guard.running(visit.account_id), steps_left(visit)),
    )  # fmt: skip
    now, before, series = survey.total, survey.before, survey.series
    shown = await desk.series(period, Timing.EVENT) if is_by_event else series
    since = min((c.created_at for c in campaigns), default=visit.now)
    kept = {"source": door or "", "from": visit.query("from"), "to": visit.query("to")}
    return visit.page(
        "overview.html", period=period, figures=now, orders=orders,
        tiles=tiles(now, before if before.sent else None, series, formats, has_opens=tracking.opens, has_clicks=tracking.clicks),
        pieces=partition(now, formats), bars=nested(now, formats), chart=time_chart(period, shown, formats),
        is_by_event=is_by_event, providers=providers[:9], sites=queue.sites[:6],
        waiting=queue.waiting + queue.in_flight, oldest_at=queue.oldest_at,
        causes=causes,
        campaigns=campaigns, campaign_figures=await desk.campaigns([c.id for c in campaigns], Period("", since, visit.now)), log=log, door=door or "",
        steps_left=steps, kept=kept, link=lambda key: visit.url("activity", status=key, source=door, **_dates(visit, period)),
    )  # fmt: skip


def _dates(visit: Visit, period: Period) -> dict[str, object]:
    """The period for an address of the message log."""
    return {"period": period.key} if period.key else {"from": visit.query("from"), "to": visit.query("to")}
