"""Resources about messages: `message`, `messagehistory`, `messagestate`, `messageinformation`, `messagesentstatistics`."""

from typing import Final

from estafette.accept.ids import first_id_at
from estafette.api.message_rows import STATE_IDS, history_row, message_row, size_of, state_id
from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, refused
from estafette.api.rest.reading import date, number_of
from estafette.api.rest.resource import Filter, Found, Kind, Resource, Row, shown
from estafette.mail.address import AddressError, parse
from estafette.model import MAX_MESSAGE_ID, Mark, MessageView, State
from estafette.status.shown import shown_status

PAGE: Final = 1000
MAX_WALK: Final = 200_000
"""Messages that one list may look at: ids are paged, a narrow filter is looked for."""
STATUSES: Final = ("unknown", "queued", "sent", "opened", "clicked", "bounce", "spam", "unsub", "blocked", "softbounced", "hardbounced", "deferred")
"""By their filter numbers (contract 1.3)."""
_BOUNCES: Final = frozenset({"softbounced", "hardbounced"})

COMMON: Final = (
    Filter("CampaignID", Kind.INT, "Messages of this campaign.", alias="Campaign"),
    Filter("CustomCampaign", Kind.STR, "The same by the campaign's name."),
    Filter("FromTS", Kind.DATE, "Accepted later than this."),
    Filter("ToTS", Kind.DATE, "Accepted until this."),
    Filter("MessageStatus", Kind.INT, "Numbers of statuses: " + ", ".join(f"{n} {name}" for n, name in enumerate(STATUSES)) + ".", is_several=True),
)
"""What the contract's common set of filters means here; its other names are passed over."""
MESSAGE_FILTERS: Final = (
    *COMMON,
    Filter("CustomID", Kind.STR),
    Filter("Contact", Kind.STR, "Address, or number of a contact.", alias="ContactAlt"),
    Filter("ShowSubject", Kind.BOOL, "Fill `Subject`."),
    Filter("ShowContactAlt", Kind.BOOL, "Fill `ContactAlt`."),
    Filter("ShowCustomID", Kind.BOOL, "`CustomID` is always filled."),
)
MESSAGE_PROPERTIES: Final = (
    shown("ArrivedAt", Kind.DATE, "When it was accepted."), shown("AttachmentCount", Kind.INT, "Always 0: not kept."),
    shown("AttemptCount", Kind.INT, "Completed attempts."), shown("CampaignID", Kind.INT, "0: of no campaign."),
    shown("ContactAlt", Kind.STR, "The recipient, when asked for."), shown("ContactID", Kind.INT, "0: the recipient is no contact."),
    shown("CustomID", Kind.STR), shown("Delay", Kind.INT, "Always 0."), shown("DestinationID", Kind.INT, "Always 0."),
    shown("FilterTime", Kind.INT, "Always 0."), shown("FromID", Kind.INT, "Always 0."), shown("ID", Kind.INT, "MessageID."),
    shown("IsClickTracked", Kind.BOOL, "Always false: not kept per message."), shown("IsHTMLPartIncluded", Kind.BOOL, "Always false."),
    shown("IsOpenTracked", Kind.BOOL, "Always false."), shown("IsTextPartIncluded", Kind.BOOL, "Always false."),
    shown("IsUnsubTracked", Kind.BOOL, "Always false."), shown("MessageSize", Kind.INT, "Octets of the accepted mail; 0 in lists."),
    shown("SenderID", Kind.INT, "Always 0."), shown("SpamassassinScore", Kind.INT, "Always 0."), shown("SpamassRules", Kind.STR, "Always empty."),
    shown("StateID", Kind.INT, "Number of the reason, as in `messagestate`; 0 = none."), shown("StatePermanent", Kind.BOOL, "A permanent error or a block."),
    shown("Status", Kind.STR, "queued, deferred, sent (the receiving server accepted it), opened, clicked, unsub, spam, softbounced, hardbounced, blocked."),
    shown("Subject", Kind.STR, "When asked for."), shown("UUID", Kind.STR),
)  # fmt: skip


async def own_message(call: Call) -> MessageView | None:
    """The message of the path; None when the account has none."""
    number = number_of(call.key)
    view = await call.store.message(number) if number else None
    return view if view is not None and view.account_id == call.account_id else None


async def walk(call: Call) -> tuple[list[MessageView], int]:
    """(the page that was asked for, how many there are when that was asked)."""
    want = call.listing
    statuses = _statuses(want.get("MessageStatus"))
    if statuses is not None and not statuses:
        return [], 0
    address = await _address(call)
    campaign = await _campaign(call)
    if address == "" or campaign == "":
        return [], 0
    if want.is_count_only and not want.filters:
        return [], sum((await call.store.counts(call.account_id, None, None)).values())
    since, until = want.get("FromTS"), want.get("ToTS")
    down = want.is_descending
    after = MAX_MESSAGE_ID if down else first_id_at(since) - 1 if since is not None else 0
    needs_all = want.is_count_only or want.wants_total
    found: list[MessageView] = []
    count = looked = 0
    while True:
        page = await call.store.messages(call.account_id, recipient_key=address, campaign=campaign, custom_id=want.get("CustomID"), after=after, limit=PAGE,
                                         is_descending=down)  # fmt: skip
        for view in page:
            is_within = (since is None or view.created_at > since) and (until is None or view.created_at <= until)
            if not is_within or (statuses is not None and shown_status(view.state, view.marks) not in statuses):
                continue
            count += 1
            if want.offset < count <= want.offset + want.limit and not want.is_count_only:
                found.append(view)
        looked += len(page)
        end = since if down else until
        is_past = end is not None and bool(page) and ((page[-1].created_at <= end) if down else page[-1].created_at > end)
        if len(page) < PAGE or is_past or (count >= want.offset + want.limit and not needs_all):
            return found, count
        if looked >= MAX_WALK:
            raise refused(f"More than {MAX_WALK} messages must be looked at for this: narrow it with FromTS, CustomID, Campaign or Contact.")
        after = page[-1].id


def _statuses(numbers: tuple[int, ...] | None) -> frozenset[str] | None:
    if numbers is None or 0 in numbers:  # 0: processed, which all are
        return None
    names = {STATUSES[number] for number in numbers if 0 < number < len(STATUSES)}
    return frozenset(names | _BOUNCES if "bounce" in names else names)


async def _address(call: Call) -> str | None:
    """Folded; None: any; "": of nobody."""
    given = call.listing.get("Contact")
    if given is None:
        return None
    if "@" in given:
        try:
            return parse(given).key
        except AddressError:
            return ""
    contact = await call.store.contacts.find(call.account_id, number_of(given)) if number_of(given) else None
    return contact.address_key if contact else ""


async def _campaign(call: Call) -> str | None:
    """A name; None: any; "": of no campaign that there is."""
    number = call.listing.get("CampaignID")
    if number is None:
        name = call.listing.get("CustomCampaign")
        return None if name is None else str(name)
    found = await call.store.campaigns.find(call.account_id, number) if number > 0 else None
    return found.name if found else ""


async def contact_ids(call: Call, views: list[MessageView]) -> dict[str, int]:
    """Contacts among the recipients, by folded address."""
    return await call.store.contacts.ids(call.account_id, list({key_of(view) for view in views})) if views else {}


def key_of(view: MessageView) -> str:
    """The recipient as contacts are looked up by."""
    return folded(view.recipient)


def folded(address: str) -> str:
    """An address as contacts and messages are looked up by; what is no address stands for itself."""
    try:
        return parse(address).key
    except AddressError:
        return address


async def _messages(call: Call) -> Found:
    views, count = await walk(call)
    ids = await contact_ids(call, views)
    want = call.listing
    rows = [
        message_row(view, contact_id=ids.get(key_of(view), 0), has_subject=bool(want.get("ShowSubject")), has_address=bool(want.get("ShowContactAlt")))
        for view in views
    ]
    return Found(rows, count if want.is_count_only or want.wants_total else None)


async def _message(call: Call) -> Row | None:
    view = await own_message(call)
    if view is None:
        return None
    ids = await contact_ids(call, [view])
    want = call.listing
    return message_row(
        view, size_bytes=size_of(await call.store.timeline(view.id)), contact_id=ids.get(key_of(view), 0), has_subject=bool(want.get("ShowSubject")),
        has_address=bool(want.get("ShowContactAlt")),
    )  # fmt: skip


async def _history(call: Call) -> Found:
    """Of an unknown message there are none (contract 1.3)."""
    view = await own_message(call)
    events = await call.store.timeline(view.id) if view else []
    return Found([row for event in events if (row := history_row(event))])


async def _states(call: Call) -> Found:
    rows = [{"ID": number, "RelatedTo": related, "State": error} for (related, error), number in sorted(STATE_IDS.items(), key=lambda one: one[1])]
    return arrange(rows, call.listing)


async def _information(call: Call) -> Found:
    views, count = await walk(call)
    ids = await contact_ids(call, views)
    return Found([_information_row(view, ids.get(key_of(view), 0), 0) for view in views], count if call.listing.wants_total else None)


async def _information_one(call: Call) -> Row | None:
    view = await own_message(call)
    if view is None:
        return None
    ids = await contact_ids(call, [view])
    return _information_row(view, ids.get(key_of(view), 0), size_of(await call.store.timeline(view.id)))


def _information_row(view: MessageView, contact_id: int, size_bytes: int) -> Row:
    is_over = view.state in (State.DELIVERED, State.SOFT_BOUNCED, State.HARD_BOUNCED, State.BLOCKED)
    return {
        "CampaignID": view.campaign_id, "ClickTrackedCount": int(bool(view.marks & Mark.CLICKED)), "ContactID": contact_id,
        "CreatedAt": date(view.created_at), "ID": view.id, "MessageSize": size_bytes, "OpenTrackedCount": int(bool(view.marks & Mark.OPENED)),
        "QueuedCount": int(not is_over), "SendEndAt": date(view.updated_at) if is_over else "", "SentCount": int(view.state is State.DELIVERED),
        "SpamAssassinRules": {"ALT": "", "ID": -1}, "SpamAssassinScore": 0,
    }  # fmt: skip


async def _sent(call: Call) -> Found:
    views, count = await walk(call)
    ids = await contact_ids(call, views)
    return Found([_sent_row(view, ids.get(key_of(view), 0)) for view in views], count if call.listing.wants_total else None)


async def _sent_one(call: Call) -> Row | None:
    view = await own_message(call)
    return _sent_row(view, (await contact_ids(call, [view])).get(key_of(view), 0)) if view else None


def _sent_row(view: MessageView, contact_id: int) -> Row:
    status = shown_status(view.state, view.marks)
    is_bounced = view.state in (State.SOFT_BOUNCED, State.HARD_BOUNCED)
    is_spam = bool(view.marks & Mark.SPAM)
    return {
        "ArrivalTs": date(view.created_at), "Blocked": view.state is State.BLOCKED, "Bounce": is_bounced,
        "BounceDate": date(view.updated_at) if is_bounced else "", "BounceReason": view.reason.error if is_bounced else "",
        "CampaignID": view.campaign_id, "Click": bool(view.marks & Mark.CLICKED), "CntRecipients": 1,
        "ComplaintDate": date(view.updated_at) if is_spam else "", "ContactID": contact_id, "Details": view.reason.error, "FBLSource": "",
        "MessageID": view.id, "Open": bool(view.marks & Mark.OPENED), "Queued": status in ("queued", "deferred"),
        "Sent": view.state is State.DELIVERED, "Spam": is_spam, "StateID": state_id(view.reason),
        "StatePermanent": view.state in (State.HARD_BOUNCED, State.BLOCKED), "Status": status, "ToEmail": view.recipient,
        "Unsub": bool(view.marks & Mark.UNSUBSCRIBED),
    }  # fmt: skip


_BOOLS: Final = ("Blocked", "Bounce", "Click", "Open", "Queued", "Sent", "Spam", "Unsub", "StatePermanent")

RESOURCES: Final = (
    Resource("message", "Messages: one mail to one recipient each.", MESSAGE_PROPERTIES, MESSAGE_FILTERS, ("ID", "ArrivedAt"), many=_messages, one=_message),
    Resource("messagehistory", "What happened to one message, in order.", (
        shown("Comment", Kind.STR, "The receiving server's reply."), shown("EventAt", Kind.INT, "Unix seconds."),
        shown("EventType", Kind.STR, "sent, opened, clicked, bounced, blocked, unsub, spam."), shown("State", Kind.STR, "Reason of a bounce or block."),
        shown("Useragent", Kind.STR), shown("UseragentID", Kind.INT, "Always 0."),
    ), of_one=_history),
    Resource("messagestate", "The reasons of errors and blocks, with their numbers.",
             (shown("ID", Kind.INT), shown("RelatedTo", Kind.STR), shown("State", Kind.STR)), many=_states),
    Resource("messageinformation", "Counts of one message.", (
        shown("CampaignID", Kind.INT), shown("ClickTrackedCount", Kind.INT), shown("ContactID", Kind.INT), shown("CreatedAt", Kind.DATE),
        shown("ID", Kind.INT), shown("MessageSize", Kind.INT, "0 in lists."), shown("OpenTrackedCount", Kind.INT), shown("QueuedCount", Kind.INT),
        shown("SendEndAt", Kind.DATE), shown("SentCount", Kind.INT), shown("SpamAssassinRules", Kind.OBJECT, "Always empty."),
        shown("SpamAssassinScore", Kind.INT, "Always 0."),
    ), COMMON, many=_information, one=_information_one),
    Resource("messagesentstatistics", "What became of one message, as flags.", (
        *(shown(name, Kind.BOOL) for name in _BOOLS),
        *(shown(name, Kind.DATE) for name in ("ArrivalTs", "BounceDate", "ComplaintDate")),
        *(shown(name, Kind.INT) for name in ("CampaignID", "CntRecipients", "ContactID", "MessageID", "StateID")),
        *(shown(name, Kind.STR) for name in ("BounceReason", "Details", "FBLSource", "Status", "ToEmail")),
    ), (*COMMON, Filter("Contact", Kind.STR), Filter("CustomID", Kind.STR)), many=_sent, one=_sent_one),
)  # fmt: skip
