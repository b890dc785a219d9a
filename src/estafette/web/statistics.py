"""S15, statistics over long periods: by time, provider, sender, hour of the week, program and country; and the API call that yields the same."""

import asyncio
from typing import Final

from starlette.responses import Response

from estafette.clock import DAY_US
from estafette.facts import Reach, Timing
from estafette.model import Door
from estafette.stats.api_rates import Definitions
from estafette.web.definitions import rates_table
from estafette.web.desk import Visit
from estafette.web.figures import FiguresDesk, measured
from estafette.web.report import Period, read_period, time_chart, week_grid
from estafette.web.tiles import nested, partition, tiles

WEEKS: Final = 2
"""Of the hour grid."""


async def statistics(visit: Visit) -> Response:
    """The page."""
    tracking, formats = await measured(visit.store, visit.account_id, visit.desk.config.tracking), visit.formats
    period = read_period(visit.request.query_params, visit.now, "30d")
    door = visit.query("source") if visit.query("source") in list(Door) else None
    timing = Timing.EVENT if visit.query("by") == "event" else Timing.MESSAGE
    definitions = Definitions.API if visit.query("definitions") == Definitions.API.value else Definitions.STATUS_PAGE
    desk = FiguresDesk(visit.store, visit.account_id, tracking.opens, door)
    week = Period("", max(period.since, period.until - WEEKS * 7 * DAY_US), period.until)
    reach = visit.store.statistics.reach
    survey, hours, programs, countries, providers, senders = await asyncio.gather(
        desk.survey(period), desk.hours(week),
        reach(visit.account_id, 0, Reach.AGENT, is_click=False, since=period.since, until=period.until, limit=15),
        reach(visit.account_id, 0, Reach.COUNTRY, is_click=False, since=period.since, until=period.until, limit=15),
        desk.providers(period), desk.senders(period),
    )  # fmt: skip
    total, persons, before = survey.total, survey.persons, survey.before
    series = survey.series if timing is Timing.MESSAGE else await desk.series(period, timing)
    grid = week_grid(hours)
    call = f"{visit.desk.config.http.public_url}/v3/REST/statcounters?CounterSource=APIKey&CounterTiming={'Event' if timing is Timing.EVENT else 'Message'}"
    call += f"&CounterResolution={'Day' if period.is_daily else 'Hour'}&FromTS={period.since // 1_000_000}&ToTS={period.until // 1_000_000}"
    if door is not None:  # REST v3 knows no doors: our own call does
        call = f"{visit.desk.config.http.public_url}/v1/estafette/statistics?door={door}&timing={timing.value}&from={period.since // 1_000_000}"
        call += f"&to={period.until // 1_000_000}&by={'day' if period.is_daily else 'hour'}"
    return visit.page(
        "statistics.html", period=period, door=door or "", is_by_event=timing is Timing.EVENT, figures=total, persons=persons,
        tiles=tiles(total, before if before.sent else None, series, formats, has_opens=tracking.opens, has_clicks=tracking.clicks),
        pieces=partition(total, formats), bars=nested(total, formats), chart=time_chart(period, series, formats), providers=providers,
        senders=senders[:50], grid=grid, most=max(1, *(max(row) for row in grid)), programs=programs, countries=countries,
        call=call, definitions=definitions.value, rates=rates_table(total, definitions, formats),
        kept={"period": period.key, "from": visit.query("from"), "to": visit.query("to")},
        link=lambda key: visit.url("activity", status=key, source=door, period=period.key),
    )  # fmt: skip
