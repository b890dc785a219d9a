"""S4 to S8, newsletters: written, checked, looked at, tried, sent with a minute to call it back, watched, paused, cancelled."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import msgspec
from starlette.responses import Response

from estafette.audience import ContactList
from estafette.clock import DAY_US
from estafette.mail.address import AddressError, parse
from estafette.newsletters.audience import campaign_of
from estafette.newsletters.content import ContentError, from_markdown, from_mjml
from estafette.newsletters.desk import NewsletterDesk, source_of
from estafette.newsletters.desk import Refused as NotNow
from estafette.newsletters.life import TABLE, Order, State
from estafette.nouns import Newsletter
from estafette.prepare.personal import Person, Source, Unfillable, encode_source, fill, mail_for, named_values, read_source
from estafette.stats.rates import Figures
from estafette.web.desk import HEADERS, MAX_TEXT_BYTES, NOT_FOUND, Refused, Visit
from estafette.web.figures import FiguresDesk, measured
from estafette.web.findings import FINDINGS, STATES, WEIGHTS
from estafette.web.message import PREVIEW_CSP
from estafette.web.permissions import May
from estafette.web.reading import read
from estafette.web.report import Period

PAGE: Final = 25
MAX_DAYS: Final = 90
MAX_TRIED: Final = 5
MAX_FORECAST: Final = 20_000
"""Subscribers up to which a page counts what would become of them; above, `estafette newsletter forecast` does."""
MAX_FORM_BYTES: Final = 6_000_000
OPEN: Final = (State.SCHEDULED, State.FREEZING, State.SENDING)
LOCALES: Final = {"fr_FR": "Français", "en_US": "English"}
ORDERS: Final = {"call_back": Order.CALL_BACK, "pause": Order.PAUSE, "resume": Order.RESUME, "cancel": Order.CANCEL}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a newsletter is."""

    campaign_id: int = 0
    figures: Figures = field(default_factory=Figures)

    @property
    def settled(self) -> int:
        """Recipients of whom it is known what became of the mail."""
        f = self.figures
        return f.blocked + f.exhausted + f.hard_errors + f.delivered


async def newsletters(visit: Visit) -> Response:
    """The list, newest first."""
    before = visit.number(visit.query("before", 20)) or 2**62
    rows = await visit.store.newsletters.newest(visit.account_id, before=before, limit=PAGE + 1)
    shown = [row for row in rows[:PAGE] if not row.is_archived]
    older = visit.url("newsletters", before=rows[PAGE - 1].id) if len(rows) > PAGE else ""
    progress = {row.id: await _progress(visit, row) for row in shown if row.submission_id}
    return visit.page("newsletters.html", rows=shown, older=older, states=STATES, progress=progress, lists=await _lists(visit))


async def create(visit: Visit) -> Response:
    """A new draft; the page to write it opens."""
    title = visit.given("title", 100)
    if not title:
        raise Refused(400)
    source = Source(locale="fr_FR" if visit.language == "fr" else "en_US")
    made = await visit.store.newsletters.create(Newsletter(0, visit.account_id, title, letter=msgspec.json.encode(source).decode()), visit.now)
    await visit.note("newsletter.add", title)
    return visit.go(visit.url(f"newsletters/{made.id}/write"))


async def newsletter(visit: Visit) -> Response:
    """How it stands, and what can be done with it."""
    return await _one(visit, await _found(visit))


async def _one(visit: Visit, found: Newsletter, status: int = 200, problem: str = "") -> Response:
    state = State(found.state)
    return visit.page(
        "newsletter.html", status, one=found, source=source_of(found), state=state, states=STATES, progress=await _progress(visit, found),
        lists=await _lists(visit), problem=problem, may={order.value for before, order in TABLE if before is state}, is_open=state in OPEN,
    )  # fmt: skip


async def writing(visit: Visit) -> Response:
    """The form with everything that is in it."""
    found = await _found(visit)
    if found.state != State.DRAFT:
        return visit.go(visit.url(f"newsletters/{found.id}"), "not_now")
    return await _form(visit, found, source_of(found))


async def _form(visit: Visit, found: Newsletter, source: Source, status: int = 200, problem: str = "") -> Response:
    authors = await visit.store.authors(visit.account_id)
    segments = [one for one in await visit.store.contacts.segments(visit.account_id) if one.deleted_at is None]
    senders = sorted(authors.addresses) + [f"news@{name}" for name in sorted(authors.domains)]
    return visit.page("write.html", status, one=found, source=source, problem=problem, lists=await _lists(visit), segments=segments, senders=senders,
                      locales=LOCALES)  # fmt: skip


async def write(visit: Visit) -> Response:
    """Keep it. A file, when one came, takes the place of the HTML."""
    found, given = await _found(visit), visit.given
    html = given("html", MAX_TEXT_BYTES)
    if visit.file is not None:
        html = (await asyncio.to_thread(visit.file.read, MAX_TEXT_BYTES)).decode("utf-8", "replace").replace("\0", "")
    source = msgspec.structs.replace(
        source_of(found), author=given("author", 320), author_name=given("author_name", 200), subject=given("subject", 500), html=html,
        text=given("text", MAX_TEXT_BYTES), locale=given("locale") if given("locale") in LOCALES else "",
    )  # fmt: skip
    changed = replace(found, title=given("title", 100) or found.title, list_id=visit.number(given("list")), segment_id=visit.number(given("segment")),
                      rate_per_hour=visit.number(given("rate")))  # fmt: skip
    try:
        if given("language") in ("markdown", "mjml"):
            source = msgspec.structs.replace(source, html=await asyncio.to_thread(from_markdown if given("language") == "markdown" else from_mjml, html))
    except ContentError as error:
        return await _form(visit, changed, source, 422, str(error))
    changed = replace(changed, letter=msgspec.json.encode(source).decode())
    if not await visit.store.newsletters.update(changed, visit.now):
        return visit.go(visit.url(f"newsletters/{found.id}"), "not_now")
    await visit.note("newsletter.write", found.title)
    return visit.go(visit.url(f"newsletters/{found.id}/checks"), "newsletter_saved")


async def checks(visit: Visit) -> Response:
    """Everything that is to be said before it goes, and how it will look."""
    found = await _found(visit)
    desk = NewsletterDesk(visit.store, visit.desk.clock)
    said = await desk.examine(found)
    goes_to = next((one for one in await _lists(visit) if one.id == found.list_id), None)
    may_forecast = goes_to is not None and goes_to.subscribers <= MAX_FORECAST and not any(one.code == "segment_broken" for one in said)
    forecast = await desk.forecast(found) if may_forecast and visit.query("forecast") == "1" else None
    formats = visit.formats
    lines = [(WEIGHTS[one.weight], FINDINGS[one.code],
              {name: formats.number(value) if isinstance(value, int) else value for name, value in one.values.items()}) for one in said]  # fmt: skip
    return visit.page("checks.html", one=found, lines=lines, source=source_of(found), phone=visit.query("width") == "phone",
                      may_forecast=may_forecast, forecast=forecast)  # fmt: skip


async def preview(visit: Visit) -> Response:
    """The HTML as the first contact of the list would get it; as it was written when it cannot be filled."""
    found = await _found(visit)
    source = source_of(found)
    known = await visit.store.contacts.properties(visit.account_id)
    first = await visit.store.newsletters.audience(found.list_id, 0, 1) if any(one.id == found.list_id for one in await _lists(visit)) else []
    person = Person("someone@example.com")
    if first:
        person = Person(first[0].address, first[0].name, named_values(known, first[0].properties))
    try:
        html = read(mail_for(fill(read_source(encode_source(source)), person, 1, visit.desk.config.server.hostname, visit.now))).html
    except Unfillable:
        html = source.html
    headers = HEADERS | {"Content-Security-Policy": PREVIEW_CSP.format(images=""), "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer"}
    return Response(html, 200, headers, "text/html; charset=utf-8")


async def change(visit: Visit) -> Response:
    """Send it, try it, call it back, pause it, let it go on, cancel it, copy it, or delete a draft."""
    found, order = await _found(visit), visit.given("order")
    desk = NewsletterDesk(visit.store, visit.desk.clock)
    here = visit.url(f"newsletters/{found.id}")
    done = "newsletter_changed"
    try:
        if order == "send":
            at = None
            if visit.given("when") == "later":
                at = _time(visit.given("at"))
                if at is None or at < visit.now:
                    return await _one(visit, found, 422, "at")
            await desk.send(found, at)
            done = "newsletter_goes"
        elif order == "try":
            return await _try(visit, desk, found)
        elif order == "copy":
            copy = replace(found, id=0, title=visit.given("title", 100) or found.title)
            made = await visit.store.newsletters.create(copy, visit.now)
            here = visit.url(f"newsletters/{made.id}/write")
        elif order == "delete":
            if not visit.given("sure") or not await visit.store.newsletters.discard(visit.account_id, found.id):
                return visit.go(here, "not_now")
            here, done = visit.url("newsletters"), "draft_deleted"
        elif order in ORDERS:
            await desk.order(found, ORDERS[order])
        else:
            raise Refused(400)
    except NotNow as error:
        return visit.go(f"{here}/checks" if error.findings else here, "findings" if error.findings else "not_now")
    await visit.note(f"newsletter.{order}", found.title)
    return visit.go(here, done)


async def _try(visit: Visit, desk: NewsletterDesk, found: Newsletter) -> Response:
    visit.need(May.SEND)
    given = [one for one in visit.given("to", 2000).replace(",", " ").replace(";", " ").split() if one]
    try:
        addresses = [(parse(one), "") for one in given]
    except AddressError:
        addresses = []
    if not 0 < len(addresses) <= MAX_TRIED:
        return await _one(visit, found, 422, "to")
    account = next(a for a in await visit.store.accounts() if a.id == visit.account_id)
    try:
        await desk.try_on(visit.desk.door, account, found, addresses)
    except NotNow as error:
        return await _one(visit, found, 422, str(error))
    await visit.note("newsletter.try", found.title)
    return visit.go(visit.url(f"newsletters/{found.id}"), "newsletter_tried")


def _time(text: str) -> int | None:
    """A date and time of a form, in UTC; None when it is none."""
    try:
        return int(datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        return None


async def _progress(visit: Visit, found: Newsletter) -> Progress:
    campaign_id = await visit.store.screens.campaign_named(visit.account_id, campaign_of(found)) if found.submission_id else 0
    if not campaign_id:
        return Progress()
    begin = (found.started_at or found.created_at) - DAY_US
    tracking = await measured(visit.store, visit.account_id, visit.desk.config.tracking)
    desk = FiguresDesk(visit.store, visit.account_id, tracking.opens, campaign_id=campaign_id)
    return Progress(campaign_id, await desk.total(Period("", begin, min(visit.now + DAY_US, begin + MAX_DAYS * DAY_US))))


async def _lists(visit: Visit) -> list[ContactList]:
    return [one for one in await visit.store.contacts.lists(visit.account_id) if one.deleted_at is None]


async def _found(visit: Visit) -> Newsletter:
    found = await visit.store.newsletters.find(visit.account_id, int(visit.request.path_params["id"]))
    if found is None:
        raise Refused(NOT_FOUND)
    return found
