"""`campaigndraft` and the older name of the same, `newsletter`: what goes to a list (contract 5.5). What may be done with them is `newsletters/desk.py`'s."""

from dataclasses import replace
from typing import Any, Final

import msgspec

from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found, refused
from estafette.api.rest.letter_content import ContentError, Parts, parts_of, row_of, with_parts
from estafette.api.rest.people import read_address
from estafette.api.rest.reading import Unreadable, date, invalid, number_of, read_date
from estafette.api.rest.resource import Action, Filter, Found, Kind, Property, Reply, Resource, Row, changing, shown
from estafette.newsletters.audience import campaign_of
from estafette.newsletters.desk import NewsletterDesk, Refused, source_of
from estafette.newsletters.life import Order, State
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source

PAGE: Final = 100
MAX_TESTS: Final = 20
ARCHIVED: Final = -1
STATUSES: Final = {
    State.DRAFT: 0, State.SCHEDULED: 1, State.FREEZING: 1, State.SENDING: 1, State.PAUSED: 1, State.FINISHED: 2, State.CANCELLED: -2,
}  # fmt: skip
"""Never "sent" before every recipient is settled."""
_WORDS: Final = {-2: "deleted", ARCHIVED: "archived", 0: "draft", 1: "programmed", 2: "sent"}


def status_of(one: Newsletter) -> int:
    """The number of its status."""
    return ARCHIVED if one.is_archived else STATUSES[State(one.state)]


def _row(one: Newsletter) -> Row:
    source = source_of(one)
    return {
        "CampaignID": one.submission_id, "ContactsListID": one.list_id, "CreatedAt": date(one.created_at),
        "DeliveredAt": date(one.ended_at if one.state == State.FINISHED else None), "EditMode": one.edit_mode, "ID": one.id,
        "IsArchived": one.is_archived, "IsStarred": one.is_starred, "IsTextPartIncluded": bool(source.text), "Locale": source.locale,
        "ModifiedAt": date(one.updated_at), "ReplyEmail": source.reply_to, "SegmentationID": one.segment_id, "Sender": source.author_name,
        "SenderEmail": source.author, "SenderName": source.author_name, "Status": status_of(one), "Subject": source.subject,
        "TemplateID": one.template_id, "Title": one.title, "Url": "", "Used": one.state != State.DRAFT,
    }  # fmt: skip


async def _with_campaign(call: Call, row: Row) -> Row:
    """`CampaignID` from the campaign that the first piece of the audience brought into being."""
    if not row["CampaignID"]:
        return row
    one = await call.store.newsletters.find(call.account_id, number_of(str(row["ID"])))
    named = await call.store.campaigns.page(call.account_id, name=campaign_of(one), limit=1) if one else []
    return {**row, "CampaignID": named[0].id if named else 0}


async def _find(call: Call) -> Newsletter:
    """That of the path. Raises CallRefused 404."""
    number = number_of(call.key)
    found = await call.store.newsletters.find(call.account_id, number) if number else None
    if found is None:
        raise not_found()
    return found


async def _all(call: Call) -> Found:
    rows: list[Row] = []
    after = 0
    while page := await call.store.newsletters.page(call.account_id, after=after, limit=PAGE):
        rows += [_row(one) for one in page]
        after = page[-1].id
    found = arrange(rows, call.listing, EQUAL)
    return Found([await _with_campaign(call, row) for row in found.rows], found.total)


async def _one(call: Call) -> Row:
    return await _with_campaign(call, _row(await _find(call)))


async def _changed(call: Call, before: Newsletter) -> Newsletter:
    """With the properties of the body. Raises CallRefused."""
    given: dict[str, Any] = call.values
    source = source_of(before)
    if "TemplateID" in given and given["TemplateID"] != before.template_id and given["TemplateID"]:
        content = await call.store.templates.content(call.account_id, given["TemplateID"]) if 0 < given["TemplateID"] < 2**53 else None
        if content is None:
            raise invalid({"TemplateID": "there is no such template, or it is empty"})
        before, source = with_parts(before, source, Parts(content.html or "", content.text or "", content.mjml or "", {}))
    for number in ("ContactsListID", "SegmentationID", "TemplateID"):
        if not 0 <= given.get(number, 0) < 2**53:
            raise invalid({number: "there is none with this number"})
    name = given.get("SenderName") or given.get("Sender") or source.author_name
    reply = given.get("ReplyEmail", source.reply_to)
    source = msgspec.structs.replace(
        source, author=str(given.get("SenderEmail", source.author)), author_name=name,
        reply_to=str(read_address(reply)) if reply and reply != source.reply_to else reply, subject=given.get("Subject", source.subject),
        locale=given.get("Locale", source.locale),
    )  # fmt: skip
    status = given.get("Status", ARCHIVED if before.is_archived else 0)
    if status not in (0, ARCHIVED):
        raise invalid({"Status": "0 (not archived) or -1 (archived) is expected; the actions send and schedule do the rest"})
    return replace(
        before, title=given.get("Title", before.title) or source.subject[:200], letter=msgspec.json.encode(source).decode(),
        list_id=given.get("ContactsListID", before.list_id), segment_id=given.get("SegmentationID", before.segment_id), is_archived=status == ARCHIVED,
        is_starred=given.get("IsStarred", before.is_starred), edit_mode=given.get("EditMode", before.edit_mode),
        template_id=given.get("TemplateID", before.template_id),
    )  # fmt: skip


async def _create(call: Call) -> Row:
    draft = await _changed(call, Newsletter(0, call.account_id, "", letter=msgspec.json.encode(Source()).decode()))
    return _row(await call.store.newsletters.create(draft, call.now))


async def _keep(call: Call, before: Newsletter, after: Newsletter) -> Newsletter:
    if not await call.store.newsletters.update(after, call.now):
        raise refused(f"Only a draft can be changed, and {before.id} is {before.state}: DELETE its schedule first, as long as it has not started.")
    return replace(after, updated_at=call.now)


async def _update(call: Call) -> Row | None:
    before = await _find(call)
    after = await _changed(call, before)
    return None if after == before else await _with_campaign(call, _row(await _keep(call, before, after)))


# -- detailcontent ----------------------------------------------------------------------------------------------------------


async def _content(call: Call) -> Reply:
    return Reply(200, [row_of(await _find(call))])


async def _put_content(call: Call, before: Newsletter, parts: Parts, status: int) -> Reply:
    try:
        parts = parts.changed(call.values)
    except ContentError as error:
        raise invalid({error.name: str(error)}) from None
    after, source = with_parts(before, source_of(before), parts)
    after = replace(after, letter=msgspec.json.encode(source).decode())
    return Reply(status, [row_of(await _keep(call, before, after) if after != before else after)])


async def _post_content(call: Call) -> Reply:
    return await _put_content(call, await _find(call), Parts(), 201)


async def _update_content(call: Call) -> Reply:
    before = await _find(call)
    return await _put_content(call, before, parts_of(before), 200)


# -- what is done with it -----------------------------------------------------------------------------------------------------


def _desk(call: Call) -> NewsletterDesk:
    return NewsletterDesk(call.store, call.desk.clock)


def _as_refusal(error: Refused) -> Exception:
    """In the contract's shape: what is to be mended stands by its code."""
    wrong = {one.code: ", ".join(f"{name}: {value}" for name, value in one.values.items()) or str(error) for one in error.findings}
    return invalid(wrong) if wrong else refused(f"{str(error)[:1].upper()}{str(error)[1:]}.")


async def _send(call: Call) -> Reply:
    try:
        sent = await _desk(call).send(await _find(call), call.now)
    except Refused as error:
        raise _as_refusal(error) from None
    return Reply(201, [{"Status": _WORDS[status_of(sent)]}])


async def _schedule(call: Call, status: int) -> Reply:
    given = call.values.get("Date")
    try:
        at = call.now if isinstance(given, str) and given.strip().upper() == "NOW" else read_date(given)
    except Unreadable as error:
        raise invalid({"Date": f"NOW, or {error}"}) from None
    if at < call.now - 60_000_000:
        raise invalid({"Date": "is in the past"})
    try:
        one = await _desk(call).send(await _find(call), at)
    except Refused as error:
        raise _as_refusal(error) from None
    return Reply(status, [_schedule_row(one)])


def _schedule_row(one: Newsletter) -> Row:
    return {"Date": date(one.start_at), "Status": _WORDS[status_of(one)]}


async def _post_schedule(call: Call) -> Reply:
    return await _schedule(call, 201)


async def _put_schedule(call: Call) -> Reply:
    return await _schedule(call, 200)


async def _get_schedule(call: Call) -> Reply:
    one = await _find(call)
    if one.start_at is None:
        raise not_found()
    return Reply(200, [_schedule_row(one)])


async def _delete_schedule(call: Call) -> Reply:
    try:
        await _desk(call).order(await _find(call), Order.CALL_BACK)
    except Refused as error:
        raise _as_refusal(error) from None
    return Reply(204, raw=b"")


async def _test(call: Call) -> Reply:
    if not 0 < len(call.values["Recipients"]) <= MAX_TESTS:
        raise invalid({"Recipients": f"one to {MAX_TESTS} recipients are expected"})
    recipients = []
    for entry in call.values["Recipients"]:
        given = {str(name).lower(): value for name, value in entry.items()} if isinstance(entry, dict) else {}
        address, name = given.get("email"), given.get("name") or ""
        if not isinstance(address, str) or not isinstance(name, str):
            raise invalid({"Recipients": "objects with Email, and perhaps Name, are expected"})
        recipients.append((read_address(address), name[:200]))
    one = await _find(call)
    call.desk.draw(call.account, len(recipients))
    try:
        await _desk(call).try_on(call.desk.door, call.account, one, recipients)
    except Refused as error:
        raise _as_refusal(error) from None
    return Reply(201, [{"Status": _WORDS[status_of(one)]}])


async def _status(call: Call) -> Reply:
    return Reply(200, [{"Status": _WORDS[status_of(await _find(call))]}])


# -- descriptions -----------------------------------------------------------------------------------------------------------

EQUAL: Final = ("ContactsListID", "EditMode", "ID", "IsArchived", "IsStarred", "Locale", "SegmentationID", "SenderEmail", "Status", "Subject",
                "TemplateID", "Title")  # fmt: skip


def _part(name: str, about: str, kind: Kind = Kind.ANY) -> Property:
    return Property(name, kind, about, on_create=True, on_update=True)


_DATE: Final = Property("Date", Kind.ANY, "RFC 3339, Unix seconds, or NOW.", on_create=True, on_update=True, is_required=True)
_ACTIONS: Final = (
    Action("detailcontent", "The parts. POST empties what is not given, PUT keeps it.", (
        _part("Html-part", "HTML."), _part("Text-part", "Plain text; made from the HTML when it is empty."),
        _part("MJMLContent", "MJML; made HTML when there is none, and not again."),
        _part("Headers", "Further header fields; Subject, From and Reply-To change the properties."),
    ), get=_content, post=_post_content, put=_update_content),
    Action("test", f"Send it to at most {MAX_TESTS} addresses as it would look to them.", (
        Property("Recipients", Kind.LIST, "Objects with Email and Name.", on_create=True, is_required=True),
    ), post=_test),
    Action("send", "Send it now, when nothing that is looked at before stops it; what does stands in ErrorInfo by its code.", post=_send),
    Action("schedule", "When it goes. DELETE makes it a draft again.", (_DATE,), get=_get_schedule, post=_post_schedule, put=_put_schedule,
           delete=_delete_schedule),
    Action("status", "In words: draft, programmed, sent, archived, deleted.", get=_status),
)  # fmt: skip


def _resource(name: str, about: str, modes: tuple[str, ...]) -> Resource:
    return Resource(name, about, (
        changing("Locale", Kind.STR, "Language of the footer and the page to unsubscribe.", is_required=True, max_length=20),
        changing("Sender", Kind.STR, "Name of the author.", is_required=True, max_length=200),
        changing("SenderEmail", Kind.ADDRESS, "Must be a sender of the account when it goes.", is_required=True),
        changing("Subject", Kind.STR, "May hold tags.", is_required=True), changing("ContactsListID", Kind.INT, is_required=True),
        changing("SenderName", Kind.STR, "The same as Sender; goes first.", max_length=200), changing("ReplyEmail", Kind.STR, max_length=254),
        changing("SegmentationID", Kind.INT, "Only those of the list who are in it.", default=0),
        changing("TemplateID", Kind.INT, "Its parts are taken over when it is set.", default=0),
        changing("Title", Kind.STR, "The subject when it is empty.", max_length=180), changing("EditMode", Kind.STR, choices=modes, default=modes[0]),
        changing("IsStarred", Kind.BOOL, default=False), changing("Status", Kind.INT, "-2 cancelled, -1 archived, 0 draft, 1 programmed or on its way, "
                 "2 sent: every recipient is settled. 0 and -1 can be written.", default=0),
        shown("CampaignID", Kind.INT, "0 before it started."), shown("CreatedAt", Kind.DATE), shown("DeliveredAt", Kind.DATE, "When it was finished."),
        shown("ID", Kind.INT), shown("IsArchived", Kind.BOOL), shown("IsTextPartIncluded", Kind.BOOL), shown("ModifiedAt", Kind.DATE),
        shown("Url", Kind.STR, "Always empty."), shown("Used", Kind.BOOL, "No draft any more."),
    ), tuple(Filter(one, Kind.BOOL if one.startswith("Is") else Kind.INT if one.endswith("ID") or one == "Status" else Kind.STR) for one in EQUAL),
        ("ID", "CreatedAt", "ModifiedAt", "Status", "Subject", "Title"), actions=_ACTIONS, many=_all, one=_one, create=_create, update=_update,
        note="Nothing is lost when a draft is sent by mistake: `send` is refused with the reasons while something stops it.")  # fmt: skip


RESOURCES: Final = (
    _resource("campaigndraft", "Newsletters: a mail to everybody on a list, or to a segment of it.", ("html2", "tool2", "mjml")),
    _resource("newsletter", "The older name of campaigndraft: the same rows.", ("html2", "tool2", "mjml", "html", "tool")),
)
