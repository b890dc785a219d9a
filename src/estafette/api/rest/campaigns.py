"""`campaign`: campaigns that came into being with a mail that names one (CustomCampaign, X-Mailjet-Campaign)."""

from typing import Final

from estafette.api.rest.call import Call, not_found
from estafette.api.rest.reading import date, number_of
from estafette.api.rest.resource import Filter, Found, Kind, Property, Resource, Row, shown
from estafette.mail.address import AddressError, parse
from estafette.newsletters.audience import campaign_of, newsletter_in
from estafette.newsletters.desk import source_of
from estafette.parties import CampaignView

SENT: Final = 2


def _author(one: CampaignView) -> str:
    try:
        return str(parse(one.author))
    except AddressError:
        return one.author


def _row(one: CampaignView) -> Row:
    return {
        "CampaignType": 1, "ClickTracked": 0, "CreatedAt": date(one.created_at), "CustomValue": one.name, "FirstMessageID": one.first_message_id,
        "FromEmail": _author(one), "FromID": 0, "FromName": "", "HasHtmlCount": 0, "HasTxtCount": 0, "ID": one.id, "IsDeleted": one.is_deleted,
        "IsStarred": one.is_starred, "ListID": 0, "NewsLetterID": 0, "OpenTracked": 0, "SegmentationID": 0, "SendEndAt": date(one.last_at),
        "SendStartAt": date(one.first_at), "SpamassScore": 0, "Status": SENT, "Subject": one.subject, "UnsubscribeTrackedCount": 0, "WorkflowID": 0,
    }  # fmt: skip


async def _shown(call: Call, one: CampaignView) -> Row:
    """Its row; that of a newsletter names it, with its list and segment."""
    number = newsletter_in(one.name)
    letter = await call.store.newsletters.find(call.account_id, number) if number else None
    if letter is None or campaign_of(letter) != one.name:
        return _row(one)
    return {**_row(one), "ListID": letter.list_id, "NewsLetterID": letter.id, "SegmentationID": letter.segment_id, "FromName": source_of(letter).author_name}


async def _found(call: Call) -> tuple[list[CampaignView], int | None]:
    want, shelf = call.listing, call.store.campaigns
    name, since, until = want.get("CustomCampaign"), want.get("FromTS"), want.get("ToTS")
    total = await shelf.count(call.account_id, name, since, until) if want.is_count_only or want.wants_total else None
    if want.is_count_only:
        return [], total
    if want.get("CampaignID") is not None:
        one = await shelf.find(call.account_id, want.get("CampaignID")) if want.get("CampaignID") > 0 else None
        return [one] if one else [], total
    page = await shelf.page(call.account_id, limit=want.limit, offset=want.offset, name=name, since=since, until=until, is_descending=want.is_descending)
    return page, total


async def _campaigns(call: Call) -> Found:
    found, total = await _found(call)
    deleted = call.listing.get("IsDeleted")
    return Found([await _shown(call, one) for one in found if deleted is None or one.is_deleted == deleted], total)


async def _find(call: Call) -> CampaignView | None:
    """By number, or by its name (CustomValue)."""
    number = number_of(call.key)
    if number:
        return await call.store.campaigns.find(call.account_id, number)
    found = await call.store.campaigns.page(call.account_id, name=call.key, limit=1)
    return found[0] if found else None


async def _campaign(call: Call) -> Row | None:
    found = await _find(call)
    return await _shown(call, found) if found else None


async def _update(call: Call) -> Row | None:
    before = await _find(call)
    if before is None:
        raise not_found()
    is_starred, is_deleted = call.values.get("IsStarred", before.is_starred), call.values.get("IsDeleted", before.is_deleted)
    if (is_starred, is_deleted) == (before.is_starred, before.is_deleted):
        return None
    await call.store.campaigns.mark(call.account_id, before.id, is_starred=is_starred, is_deleted=is_deleted)
    return await _campaign(call)


_WHEN: Final = (Filter("FromTS", Kind.DATE, "Begun later than this."), Filter("ToTS", Kind.DATE, "Begun until this."),
                Filter("CampaignID", Kind.INT, alias="ID"), Filter("CustomCampaign", Kind.STR, "By its name."))  # fmt: skip
_ZERO: Final = ("ClickTracked", "FromID", "HasHtmlCount", "HasTxtCount", "OpenTracked", "SpamassScore", "UnsubscribeTrackedCount", "WorkflowID")
_NEWSLETTER: Final = ("ListID", "NewsLetterID", "SegmentationID")
RESOURCES: Final = (
    Resource("campaign", "Campaigns, which come into being with the first mail that names one.", (
        Property("IsDeleted", Kind.BOOL, on_update=True, default=False), Property("IsStarred", Kind.BOOL, on_update=True, default=False),
        *(shown(name, Kind.INT, "Always 0.") for name in _ZERO), *(shown(name, Kind.INT, "Of a newsletter; else 0.") for name in _NEWSLETTER),
        shown("CampaignType", Kind.INT, "Always 1."), shown("CreatedAt", Kind.DATE),
        shown("CustomValue", Kind.STR, "The name."), shown("FirstMessageID", Kind.INT), shown("FromEmail", Kind.STR, "Author of the first mail."),
        shown("FromName", Kind.STR, "Of a newsletter; else empty."), shown("ID", Kind.INT), shown("SendEndAt", Kind.DATE, "When the last mail was accepted."),
        shown("SendStartAt", Kind.DATE), shown("Status", Kind.INT, "Always 2, sent."), shown("Subject", Kind.STR, "Of the first mail."),
    ), (*_WHEN, Filter("IsDeleted", Kind.BOOL)), ("ID", "CreatedAt"), "CustomValue", many=_campaigns, one=_campaign, update=_update),
)  # fmt: skip
