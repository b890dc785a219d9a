"""Resources made of counters: `statcounters`, `statistics/...`, links, countries and reader programs (contract sections 7.1 to 7.4)."""

from collections.abc import Iterable
from typing import Final

from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, refused
from estafette.api.rest.messages import COMMON
from estafette.api.rest.reading import date, number_of
from estafette.api.rest.resource import Filter, Found, Kind, Resource, Row, shown
from estafette.clock import DAY_US
from estafette.facts import Axis, Reach, Resolution, Slice, Sum, Timing
from estafette.stats.api_rates import ESP_RATES
from estafette.stats.periods import WIDTH_US, pieces
from estafette.stats.providers import OTHERS
from estafette.stats.rates import figures_of_counters
from estafette.stats.statcounters import NAMES, NEVER, added, esp_row, statcounters
from estafette.store.statistics import Selection

MAX_SLICES: Final = 10_000
AXES: Final = {"APIKey": Axis.ACCOUNT, "Campaign": Axis.CAMPAIGN, "Sender": Axis.SENDER}
TIMINGS: Final = {"Message": Timing.MESSAGE, "Event": Timing.EVENT}
RESOLUTIONS: Final = {"Highest": Resolution.FIVE_MINUTES, "Hour": Resolution.HOUR, "Day": Resolution.DAY, "Lifetime": None}
_LETTERS: Final = {"C": "Campaign", "A": "APIKey", "E": "Event", "M": "Message", "S": "Highest", "D": "Day", "H": "Hour", "L": "Lifetime"}
ALL_TIME: Final = (0, 2**53 // DAY_US * DAY_US)


def window(call: Call, *, is_all: bool = False) -> tuple[int, int]:
    """(since, until) of the common filters: today from 00:00 UTC without any, all time for one campaign (`is_all`)."""
    want = call.listing
    since, until = want.get("FromTS"), want.get("ToTS")
    if since is None and is_all:
        return 0, call.now + DAY_US if until is None else until
    today = call.now - call.now % DAY_US
    return (today if since is None else since), (call.now + DAY_US if until is None else until)


async def campaign_of(call: Call) -> int | None:
    """The campaign of the common filters; None: not asked for, 0: there is none such."""
    number, name = call.listing.get("CampaignID"), call.listing.get("CustomCampaign")
    if number is not None:
        found = await call.store.campaigns.find(call.account_id, number) if number > 0 else None
        return found.id if found else 0
    if name is not None:
        named = await call.store.campaigns.page(call.account_id, name=name, limit=1)
        return named[0].id if named else 0
    return None


# -- statcounters -----------------------------------------------------------------------------------------------------------


async def _statcounters(call: Call) -> Found:
    """`CounterType` and `CampaignID` are short for the others. Who leaves out what Mailjet makes mandatory gets the whole life of the key."""
    want = call.listing
    letters = want.get("CounterType") or ""
    short = [_LETTERS.get(letter.upper(), "") for letter in letters]
    if letters and (len(short) != 3 or short[0] not in AXES or short[1] not in TIMINGS or short[2] not in RESOLUTIONS):
        raise refused('Invalid value for "CounterType": a letter of C and A, one of E and M, one of S, D, H and L are expected.')
    source = want.get("CounterSource") or (short[0] if short else "Campaign" if want.get("CampaignID") is not None else "APIKey")
    timing = want.get("CounterTiming") or (short[1] if short else "Message")
    resolution = want.get("CounterResolution") or (short[2] if short else "Lifetime" if want.get("FromTS") is None else "Day")
    if source == "List":
        raise refused("Counters are kept per API key, campaign and sender, not per list.")
    sources = _sources(call, source)
    if AXES[source] is Axis.SENDER and timing == "Event":
        raise refused("CounterTiming=Event is not kept for senders.")
    of = Selection(call.account_id, AXES[source], sources, TIMINGS[timing])
    found = await _slices(call, of, RESOLUTIONS[resolution])
    rows = [_counter_row(call, one, is_lifetime=RESOLUTIONS[resolution] is None) for one in found]
    return arrange(rows, want)


def _sources(call: Call, source: str) -> tuple[str, ...]:
    given = call.listing.get("SourceID") or ((call.listing.get("CampaignID"),) if call.listing.get("CampaignID") is not None else ())
    ids = tuple(str(one).strip().lower() for one in given)
    if source == "APIKey":
        if any(one != str(call.account_id) for one in ids):
            raise refused("SourceID: only the API key that asks.")
        return ("",)
    if not ids:
        raise refused('The filter "SourceID" is mandatory.')
    return ids


async def _slices(call: Call, of: Selection, resolution: Resolution | None) -> list[Slice]:
    if resolution is None:
        return await call.store.statistics.sums(of, pieces(*ALL_TIME))
    since, until = call.listing.get("FromTS"), call.listing.get("ToTS")
    if since is None:
        raise refused('The filter "FromTS" is mandatory unless CounterResolution is Lifetime.')
    until = call.now if until is None else until
    if (until - since) // WIDTH_US[resolution] > MAX_SLICES:
        raise refused(f"More than {MAX_SLICES} time slices: choose a shorter period or a wider resolution.")
    return await call.store.statistics.slices(of, resolution, since, until + 1)


def _counter_row(call: Call, one: Slice, *, is_lifetime: bool) -> Row:
    return {
        "APIKeyID": call.account_id, "SourceID": number_of(one.label) if one.label else call.account_id, "Timeslice": "" if is_lifetime else date(one.bucket),
        **statcounters(one.counts, click_implies_open=True),
    }  # fmt: skip


# -- statistics/... ----------------------------------------------------------------------------------------------------------


async def _link_clicks(call: Call) -> Found:
    campaign_id = await campaign_of(call)
    found = await _reached(call, campaign_id or -1, Reach.LINK, is_click=True, is_all=True)
    rows = [{"URL": one.name, "PositionIndex": number_of(one.detail) + 1, "ClickedMessagesCount": one.messages, "ClickedEventsCount": one.events}
            for one in sorted(found, key=lambda one: number_of(one.detail))]  # fmt: skip
    return arrange(rows, call.listing)


async def _esps(call: Call) -> Found:
    campaign_id = await campaign_of(call)
    of = Selection(call.account_id, Axis.CAMPAIGN, (str(campaign_id or -1),))
    by_name: dict[str, dict[str, int]] = {}
    for one in await call.store.statistics.by_provider(of, pieces(*ALL_TIME)):
        if one.label or any(one.counts[name] for name in ("delivered", "deferred", "exhausted", "hard_errors")):
            name = one.label or OTHERS
            by_name[name] = added([by_name[name], one.counts]) if name in by_name else dict(one.counts)
    rows = [esp_row(name, figures_of_counters(counts, click_implies_open=True)) for name, counts in sorted(by_name.items())]
    wanted = call.listing.get("ESP_Name")
    return arrange([row for row in rows if wanted is None or str(row["ESPName"]).lower() in {one.lower() for one in wanted}], call.listing)


async def _reached(call: Call, campaign_id: int, kind: Reach, *, is_click: bool, is_all: bool) -> list[Sum]:
    since, until = window(call, is_all=is_all)
    return await call.store.statistics.reach(call.account_id, campaign_id, kind, is_click=is_click, since=since - since % DAY_US, until=until, limit=10_000)


async def _countries(call: Call) -> Found:
    campaign_id = await campaign_of(call)
    where, is_all = (0, False) if campaign_id is None else (campaign_id or -1, True)
    opened = {one.name: one.events for one in await _reached(call, where, Reach.COUNTRY, is_click=False, is_all=is_all)}
    clicked = {one.name: one.events for one in await _reached(call, where, Reach.COUNTRY, is_click=True, is_all=is_all)}
    rows = [{"Country": name, "OpenedCount": opened.get(name, 0), "ClickedCount": clicked.get(name, 0)} for name in sorted({*opened, *clicked})]
    return arrange(rows, call.listing)


async def _agents(call: Call) -> Found:
    want = call.listing
    campaign_id = await campaign_of(call)
    where, is_all = (0, False) if campaign_id is None else (campaign_id or -1, True)
    found = await _reached(call, where, Reach.AGENT, is_click=want.get("Event") == "click", is_all=is_all)
    rows = [{"UserAgent": one.name, "Platform": one.detail, "Count": one.events, "DistinctCount": one.messages} for one in found]
    left_out = want.get("ExcludePlatform")
    return arrange([row for row in rows if left_out is None or row["Platform"] != left_out], want, ("Platform",))


async def _top_links(call: Call) -> Found:
    """A link of several places is one here."""
    campaign_id = await campaign_of(call)
    found = await _reached(call, 0 if campaign_id is None else campaign_id or -1, Reach.LINK, is_click=True, is_all=campaign_id is not None)
    is_every = bool(call.listing.get("ActualClicks"))
    rows = [{"ClickedCount": count, "LinkId": n, "Url": url} for n, (url, count) in enumerate(_summed(found, is_every=is_every), 1)]
    return arrange(rows, call.listing)


def _summed(found: Iterable[Sum], *, is_every: bool) -> list[tuple[str, int]]:
    sums: dict[str, int] = {}
    for one in found:
        sums[one.name] = sums.get(one.name, 0) + (one.events if is_every else one.messages)
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


_COUNTERS: Final = (*NAMES, "MessageQueuedCount", "MessageOpenedCount", "MessageClickedCount", *NEVER)
_ESP_COUNTS: Final = tuple(name for name in esp_row("", figures_of_counters(added([]), click_implies_open=True)) if name.endswith("Count"))
_CAMPAIGN: Final = Filter("CampaignID", Kind.INT, "The campaign.", is_required=True)

RESOURCES: Final = (
    Resource("statcounters", "Counters per API key, campaign or sender and time slice.", (
        shown("APIKeyID", Kind.INT, "Number of the account."), shown("SourceID", Kind.INT), shown("Timeslice", Kind.DATE, "Empty for a lifetime."),
        *(shown(name, Kind.INT) for name in sorted(_COUNTERS)),
    ), (
        Filter("CounterSource", Kind.STR, "APIKey when not given.", choices=("APIKey", "Campaign", "List", "Sender")),
        Filter("CounterTiming", Kind.STR, "Under the time of sending, which is the default, or under the time of the event.", choices=tuple(TIMINGS)),
        Filter("CounterResolution", Kind.STR, "Highest is five minutes. Lifetime when not given, Day when FromTS is.", choices=tuple(RESOLUTIONS)),
        Filter("SourceID", Kind.STR, "Campaigns by number, senders by address.", is_several=True),
        Filter("FromTS", Kind.DATE, "Slices that begin from here on; mandatory unless Lifetime."), Filter("ToTS", Kind.DATE, "Until here; now when not given."),
        Filter("CounterType", Kind.STR, "Short for the first three: CEL = Campaign, Event, Lifetime."),
        Filter("CampaignID", Kind.INT, "Short for a source and its number."),
    ), ("Timeslice", "SourceID"), many=_statcounters, note="Counters are not kept per list."),
    Resource("statistics/link-click", "Clicks per link of a campaign and its position.", (
        shown("URL", Kind.STR), shown("PositionIndex", Kind.INT, "From 1."), shown("ClickedMessagesCount", Kind.INT), shown("ClickedEventsCount", Kind.INT),
    ), (_CAMPAIGN,), ("PositionIndex", "ClickedEventsCount"), many=_link_clicks),
    Resource("statistics/recipient-esp", "Figures of a campaign per mailbox provider.", (
        shown("ESPName", Kind.STR), *(shown(name, Kind.INT) for name in _ESP_COUNTS), *(shown(name, Kind.FLOAT) for name in ESP_RATES),
    ), (_CAMPAIGN, Filter("ESP_Name", Kind.STR, is_several=True)), ("ESPName",), many=_esps),
    Resource("geostatistics", "Openings and clicks per country.", (
        shown("Country", Kind.STR), shown("OpenedCount", Kind.INT), shown("ClickedCount", Kind.INT)), COMMON, ("Country", "OpenedCount"), many=_countries),
    Resource("useragentstatistics", "Openings or clicks per reader program.", (
        shown("UserAgent", Kind.STR), shown("Platform", Kind.STR), shown("Count", Kind.INT), shown("DistinctCount", Kind.INT, "Messages."),
    ), (*COMMON, Filter("Event", Kind.STR, choices=("open", "click")), Filter("Platform", Kind.STR), Filter("ExcludePlatform", Kind.STR)),
        ("Count", "UserAgent"), many=_agents),
    Resource("toplinkclicked", "The links that were clicked most.", (
        shown("ClickedCount", Kind.INT), shown("LinkId", Kind.INT, "Rank."), shown("Url", Kind.STR),
    ), (*COMMON, Filter("ActualClicks", Kind.BOOL, "Every click, not every message once.")), ("ClickedCount",), many=_top_links,
        note="Without a campaign: links of mail that belongs to none."),
)  # fmt: skip

