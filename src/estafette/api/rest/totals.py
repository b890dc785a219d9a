"""The older statistics resources, still called by clients: totals of the key, per campaign, sender, contact and list recipient (contract section 7.6)."""

from typing import Any, Final

from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, refused
from estafette.api.rest.counters import ALL_TIME, campaign_of, window
from estafette.api.rest.messages import COMMON, folded
from estafette.api.rest.reading import date, number_of
from estafette.api.rest.resource import Filter, Found, Kind, Resource, Row, shown
from estafette.clock import SECOND_US
from estafette.facts import Axis, Resolution
from estafette.model import State
from estafette.parties import CampaignView
from estafette.stats.periods import WIDTH_US, pieces
from estafette.stats.rates import Figures, figures, figures_of_counters
from estafette.stats.statcounters import added, averages, legacy_counts
from estafette.store.statistics import RecipientCount, Selection

NOTHING: Final = legacy_counts(Figures())
_COUNTS: Final = tuple(shown(name, Kind.INT) for name in NOTHING)
MAX_TICKS: Final = 5000


def _figures(counts: dict[str, int]) -> Figures:
    return figures_of_counters(counts, click_implies_open=True)


async def _selection(call: Call) -> tuple[Selection, int | None]:
    campaign_id = await campaign_of(call)
    if campaign_id is None:
        return Selection(call.account_id), None
    return Selection(call.account_id, Axis.CAMPAIGN, (str(campaign_id or -1),)), campaign_id


async def _counts(call: Call, since: int, until: int) -> dict[str, int]:
    of, _ = await _selection(call)
    return added(one.counts for one in await call.store.statistics.sums(of, pieces(since, until)))


async def _key_totals(call: Call) -> Found:
    f = _figures(await _counts(call, *ALL_TIME))
    return arrange([{**legacy_counts(f), "APIKeyID": call.account_id, "LastActivity": call.now // SECOND_US if f.processed else 0}], call.listing)


async def _message_totals(call: Call) -> Found:
    is_campaign = await campaign_of(call) is not None
    counts = await _counts(call, *window(call, is_all=is_campaign))
    campaigns = await call.store.statistics.sums_of_all(call.account_id, Axis.CAMPAIGN, pieces(*window(call, is_all=is_campaign)))
    f = _figures(counts)
    return arrange([{
        **legacy_counts(f), **averages(counts, f), "CampaignCount": len(campaigns),
        "TransactionalCount": f.processed - sum(one.counts["processed"] for one in campaigns), "TotalOpensCount": counts["open_events"],
        "TotalClicksCount": counts["click_events"],
    }], call.listing)  # fmt: skip


async def _open_totals(call: Call) -> Found:
    counts = await _counts(call, *window(call, is_all=await campaign_of(call) is not None))
    f = _figures(counts)
    return arrange([{"OpenedCount": f.opened, "OpenedDelay": averages(counts, f)["AverageOpenDelay"], "ProcessedCount": f.processed}], call.listing)


async def _graph(call: Call) -> Found:
    scale = call.listing.get("Scale") or "Day"
    resolution = Resolution.HOUR if scale == "Hour" else Resolution.DAY
    of, campaign_id = await _selection(call)
    since, until = window(call, is_all=campaign_id is not None)
    if campaign_id is None and (until - since) // WIDTH_US[resolution] > MAX_TICKS:
        raise refused(f"More than {MAX_TICKS} ticks: choose a shorter period.")
    found = await call.store.statistics.slices(of, resolution, since - since % WIDTH_US[resolution], until)
    rows = [{**legacy_counts(_figures(one.counts)), "RefTimestamp": str(one.bucket // SECOND_US), "SendtimeStart": one.bucket // SECOND_US} for one in found]
    return arrange(rows, call.listing)


# -- campaigns ----------------------------------------------------------------------------------------------------------------


async def _campaign_page(call: Call) -> tuple[list[CampaignView], int | None]:
    want = call.listing
    number = want.get("CampaignID")
    if number is not None:
        found = await call.store.campaigns.find(call.account_id, number) if number > 0 else None
        return ([found], 1) if found else ([], 0)
    name = want.get("CustomCampaign")
    since, until = want.get("FromTS"), want.get("ToTS")
    total = await call.store.campaigns.count(call.account_id, name, since, until) if want.wants_total or want.is_count_only else None
    if want.is_count_only:
        return [], total
    page = await call.store.campaigns.page(call.account_id, limit=want.limit, offset=want.offset, name=name, since=since, until=until,
                                           is_descending=want.is_descending)  # fmt: skip
    return page, total


async def _campaign_figures(call: Call, campaigns: list[CampaignView]) -> dict[int, Figures]:
    of = Selection(call.account_id, Axis.CAMPAIGN, tuple(str(one.id) for one in campaigns))
    found = await call.store.statistics.sums(of, pieces(*ALL_TIME)) if campaigns else []
    return {number_of(one.label): _figures(one.counts) for one in found}


async def _campaign_totals(call: Call) -> Found:
    campaigns, total = await _campaign_page(call)
    known = await _campaign_figures(call, campaigns)
    return Found([{
        **legacy_counts(known.get(one.id, Figures())), "CampaignID": one.id, "CampaignSubject": one.subject, "CampaignSendStartAt": date(one.first_at or None),
        "CampaignIsStarred": one.is_starred, "ContactListName": "", "SegmentName": "", "NewsLetterID": 0, "LastActivityAt": date(one.last_at or None),
    } for one in campaigns], total)  # fmt: skip


async def _overview(call: Call) -> Found:
    if (call.listing.get("IDType") or "Campaign").lower() != "campaign":
        return Found([], 0)
    campaigns, total = await _campaign_page(call)
    known = await _campaign_figures(call, campaigns)
    return Found([_overview_row(one, known.get(one.id, Figures())) for one in campaigns], total)


async def _overview_one(call: Call) -> Row | None:
    kind, _, number = call.key.rpartition("|")
    found = await call.store.campaigns.find(call.account_id, number_of(number)) if kind.lower() in ("", "campaign") and number_of(number) else None
    return _overview_row(found, (await _campaign_figures(call, [found])).get(found.id, Figures())) if found else None


def _overview_row(one: CampaignView, f: Figures) -> Row:
    return {
        "ClickedCount": f.clicked, "DeliveredCount": f.delivered, "EditMode": "", "EditType": "", "ID": one.id, "IDType": "Campaign", "OpenedCount": f.opened,
        "ProcessedCount": f.processed, "SendTimeStart": one.first_at // SECOND_US, "Starred": one.is_starred, "Status": "sent", "Subject": one.subject,
        "Title": one.name,
    }  # fmt: skip


# -- senders, contacts --------------------------------------------------------------------------------------------------------


async def _sender_totals(call: Call) -> Found:
    found = await call.store.statistics.sums_of_all(call.account_id, Axis.SENDER, pieces(*window(call)))
    return arrange([{**legacy_counts(_figures(one.counts)), "SenderID": 0, "Email": one.label} for one in found], call.listing, ("Email",))


def _of_address(counts: list[RecipientCount], key: str) -> tuple[Figures, int]:
    """(figures, time of the last change) of the messages to one address."""
    own = [one for one in counts if one.address_key == key]
    by: dict[tuple[State, int], int] = {}
    for one in own:
        by[one.state, one.marks] = by.get((one.state, one.marks), 0) + one.count
    return figures(by, click_implies_open=True), max((one.last_at for one in own), default=0)


async def _contact_totals(call: Call) -> Found:
    want = call.listing
    total = await call.store.contacts.count(call.account_id) if want.is_count_only or want.wants_total else None
    if want.is_count_only:
        return Found((), total)
    page = await call.store.contacts.page(call.account_id, limit=want.limit, offset=want.offset)
    counts = await call.store.statistics.recipients(call.account_id, [one.address_key for one in page]) if page else []
    return Found([_contact_row(one.id, *_of_address(counts, one.address_key)) for one in page], total)


async def _contact_total(call: Call) -> Row | None:
    shelf, number = call.store.contacts, number_of(call.key)
    found = await (shelf.find(call.account_id, number) if number else shelf.find_address(call.account_id, folded(call.key.strip())))
    if found is None:
        return None
    counts = await call.store.statistics.recipients(call.account_id, [found.address_key])
    return _contact_row(found.id, *_of_address(counts, found.address_key))


def _contact_row(contact_id: int, f: Figures, last_at: int) -> Row:
    return {**legacy_counts(f), "ContactID": contact_id, "LastActivityAt": date(last_at or None), "MarketingContacts": 0, "UserMarketingContacts": 0}


async def _list_recipients(call: Call) -> Found:
    want = call.listing
    list_id, contact_id, shelf = want.get("ContactsList"), want.get("Contact"), call.store.contacts
    total = None
    if want.is_count_only or want.wants_total:
        total = await (shelf.count(call.account_id, list_id=list_id) if list_id is not None else shelf.count_subscribers(call.account_id, contact_id))
    if want.is_count_only:
        return Found((), total)
    page = await call.store.contacts.subscribers(call.account_id, list_id=list_id, contact_id=contact_id, limit=want.limit,
                                                 offset=want.offset)  # fmt: skip
    keys: list[str] = sorted({folded(one.address) for one in page})
    counts = await call.store.statistics.recipients(call.account_id, keys) if keys else []
    rows: list[dict[str, Any]] = []
    for one in page:
        f, last_at = _of_address(counts, folded(one.address))
        rows.append({**legacy_counts(f), "ListRecipientID": one.subscription.id, "LastActivityAt": date(last_at or None), "Data": []})
    return Found(rows, total)


RESOURCES: Final = (
    Resource("apikeytotals", "All that the API key ever sent.", (
        *_COUNTS, shown("APIKeyID", Kind.INT), shown("LastActivity", Kind.INT, "Unix seconds.")), many=_key_totals),
    Resource("messagestatistics", "One row of sums and averages; today's unless asked otherwise.", (
        *_COUNTS, *(shown(name, Kind.FLOAT) for name in ("AverageOpenDelay", "AverageOpenedCount", "AverageClickDelay", "AverageClickedCount")),
        *(shown(name, Kind.INT) for name in ("CampaignCount", "TransactionalCount", "TotalOpensCount", "TotalClicksCount")),
    ), COMMON, many=_message_totals),
    Resource("openstatistics", "Openings in one row; today's unless asked otherwise.", (
        shown("OpenedCount", Kind.INT), shown("OpenedDelay", Kind.FLOAT, "Seconds on average."), shown("ProcessedCount", Kind.INT)), COMMON, many=_open_totals),
    Resource("graphstatistics", "Sums per day or hour of sending.", (
        *_COUNTS, shown("RefTimestamp", Kind.STR, "Unix seconds."), shown("SendtimeStart", Kind.INT, "Unix seconds."),
    ), (*COMMON, Filter("Scale", Kind.STR, choices=("Hour", "Day"))), ("SendtimeStart",), many=_graph),
    Resource("campaignstatistics", "Sums per campaign.", (
        *_COUNTS, shown("CampaignID", Kind.INT), shown("CampaignSubject", Kind.STR), shown("CampaignSendStartAt", Kind.DATE),
        shown("CampaignIsStarred", Kind.BOOL), shown("ContactListName", Kind.STR, "Always empty."), shown("SegmentName", Kind.STR, "Always empty."),
        shown("NewsLetterID", Kind.INT, "Always 0."), shown("LastActivityAt", Kind.DATE),
    ), COMMON, ("CampaignID",), many=_campaign_totals, note="`FromTS` and `ToTS` are about when the campaign began."),
    Resource("campaignoverview", "Campaigns with their main figures.", (
        *(shown(name, Kind.INT) for name in ("ClickedCount", "DeliveredCount")), shown("EditMode", Kind.STR, "Always empty."),
        shown("EditType", Kind.STR, "Always empty."), shown("ID", Kind.INT), shown("IDType", Kind.STR, "Campaign."), shown("OpenedCount", Kind.INT),
        shown("ProcessedCount", Kind.INT), shown("SendTimeStart", Kind.INT, "Unix seconds."), shown("Starred", Kind.BOOL), shown("Status", Kind.STR),
        shown("Subject", Kind.STR), shown("Title", Kind.STR),
    ), (*COMMON, Filter("IDType", Kind.STR, "Only Campaign has rows.")), ("ID",), "IDType|ID", many=_overview, one=_overview_one),
    Resource("senderstatistics", "Sums per author address; today's unless asked otherwise.", (
        *_COUNTS, shown("SenderID", Kind.INT, "Always 0."), shown("Email", Kind.STR)), (*COMMON, Filter("Email", Kind.STR)), ("Email",), many=_sender_totals),
    Resource("contactstatistics", "What became of the mail to a contact.", (
        *_COUNTS, shown("ContactID", Kind.INT), shown("LastActivityAt", Kind.DATE), shown("MarketingContacts", Kind.INT, "Always 0."),
        shown("UserMarketingContacts", Kind.INT, "Always 0."),
    ), (), (), "Email", many=_contact_totals, one=_contact_total),
    Resource("listrecipientstatistics", "What became of the mail to the contacts of lists.", (
        *_COUNTS, shown("ListRecipientID", Kind.INT), shown("LastActivityAt", Kind.DATE), shown("Data", Kind.LIST, "Always empty."),
    ), (Filter("ContactsList", Kind.INT, alias="ContactsListID"), Filter("Contact", Kind.INT)), many=_list_recipients,
        note="All mail to the address, not only mail to the list."),
)  # fmt: skip
