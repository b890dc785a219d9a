"""Resources that list openings, clicks and bounces one by one: `openinformation`, `clickstatistics`, `bouncestatistics` (contract section 5.3)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from estafette.api.message_rows import state_id
from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, refused
from estafette.api.rest.counters import campaign_of, window
from estafette.api.rest.messages import COMMON, folded
from estafette.api.rest.reading import date, number_of
from estafette.api.rest.resource import Filter, Found, Kind, Resource, Row, shown
from estafette.facts import EventView
from estafette.model import EventKind, Reason

MOST: Final = 20_000
"""Rows that one list may look at."""

MakeRow = Callable[[EventView, int], Row]
BOUNCES: Final = (EventKind.HARD_BOUNCED, EventKind.SOFT_BOUNCED)


def _lister(kinds: Sequence[EventKind], make: MakeRow) -> Callable[[Call], Awaitable[Found]]:
    """Rows of the account's events of these kinds; of one message (the path's or the filter's) at any time, else of today unless asked otherwise."""

    async def many(call: Call) -> Found:
        want = call.listing
        message_id = number_of(call.key) or -1 if call.key else want.get("MessageID")
        campaign_id = await campaign_of(call)
        if campaign_id == 0:
            return Found([], 0)
        since, until = window(call, is_all=message_id is not None or campaign_id is not None)
        views = await call.store.statistics.happenings(call.account_id, kinds, since, until, MOST + 1, message_id, campaign_id)
        if len(views) > MOST:
            raise refused(f"More than {MOST} events must be looked at for this: narrow it with FromTS and ToTS, CampaignID or MessageID.")
        ids = await call.store.contacts.ids(call.account_id, sorted({folded(view.recipient) for view in views})) if views else {}
        return arrange([make(view, ids.get(folded(view.recipient), 0)) for view in views], want)

    return many


def _opening(view: EventView, contact_id: int) -> Row:
    event = view.event
    return {
        "ArrivedAt": date(view.sent_at), "CampaignID": view.campaign_id, "ContactID": contact_id, "ID": event.id, "MessageID": event.message_id,
        "OpenedAt": date(event.at), "UserAgentID": 0, "UserAgentFull": str(event.data.get("agent", "")),
    }  # fmt: skip


def _click(view: EventView, contact_id: int) -> Row:
    event = view.event
    return {
        "ClickedAt": date(event.at), "ClickedDelay": event.data.get("after_s", 0), "ContactID": contact_id, "ID": event.id, "MessageID": event.message_id,
        "Url": str(event.data.get("url", "")), "UserAgentID": 0,
    }  # fmt: skip


def _bounce(view: EventView, contact_id: int) -> Row:
    event = view.event
    reason = Reason(str(event.data.get("error_related_to", "")), str(event.data.get("error", "")))
    return {
        "BouncedAt": date(event.at), "CampaignID": view.campaign_id, "ContactID": contact_id, "ID": event.message_id,
        "IsBlocked": bool(event.data.get("blocks_address")), "IsStatePermanent": event.kind is EventKind.HARD_BOUNCED, "StateID": state_id(reason),
    }  # fmt: skip


_FILTERS: Final = (*COMMON, Filter("MessageID", Kind.INT))
_opened, _clicked, _bounced = _lister([EventKind.OPENED], _opening), _lister([EventKind.CLICKED], _click), _lister(BOUNCES, _bounce)

RESOURCES: Final = (
    Resource("openinformation", "Every opening; today's unless asked otherwise.", (
        shown("ArrivedAt", Kind.DATE, "When the message was sent."), shown("CampaignID", Kind.INT), shown("ContactID", Kind.INT, "0: no contact."),
        shown("ID", Kind.INT), shown("MessageID", Kind.INT), shown("OpenedAt", Kind.DATE), shown("UserAgentID", Kind.INT, "Always 0."),
        shown("UserAgentFull", Kind.STR, "The reader's program in its own words, image proxies included."),
    ), _FILTERS, ("OpenedAt", "ID"), "MessageID", many=_opened, of_one=_opened),
    Resource("clickstatistics", "Every click; today's unless asked otherwise.", (
        shown("ClickedAt", Kind.DATE), shown("ClickedDelay", Kind.INT, "Seconds since the first opening."), shown("ContactID", Kind.INT, "0: no contact."),
        shown("ID", Kind.INT), shown("MessageID", Kind.INT), shown("Url", Kind.STR), shown("UserAgentID", Kind.INT, "Always 0."),
    ), _FILTERS, ("ClickedAt", "ID"), many=_clicked),
    Resource("bouncestatistics", "Every bounce; today's unless asked otherwise.", (
        shown("BouncedAt", Kind.DATE), shown("CampaignID", Kind.INT), shown("ContactID", Kind.INT, "0: no contact."), shown("ID", Kind.INT, "MessageID."),
        shown("IsBlocked", Kind.BOOL, "The address is blocked now."), shown("IsStatePermanent", Kind.BOOL), shown("StateID", Kind.INT, "As in messagestate."),
    ), _FILTERS, ("BouncedAt", "ID"), "MessageID", many=_bounced, of_one=_bounced),
)  # fmt: skip
