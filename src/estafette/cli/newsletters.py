"""Commands about newsletters: what there is, whether it may go, send it, stop it, watch it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Final

import click
import msgspec

from estafette.app.beside import caller_of
from estafette.cli.ground import NOT_FOUND, PROBLEM, USAGE, Ground, account_or_only, fail, options
from estafette.cli.importing import ACCOUNT, bar, list_named
from estafette.cli.printing import at, print_facts, print_json, print_table
from estafette.clock import SECOND_US
from estafette.mail.address import AddressError, parse_mailbox
from estafette.model import State as MessageState
from estafette.newsletters.checks import Finding
from estafette.newsletters.content import MAX_SOURCE, ContentError, from_markdown, from_mjml, with_inline_styles
from estafette.newsletters.desk import NewsletterDesk, Refused, source_of
from estafette.newsletters.forecast import Forecast
from estafette.newsletters.life import Order, State
from estafette.newsletters.segment_language import SegmentError
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.store.seam import Store

WAITING: Final = (MessageState.QUEUED, MessageState.DEFERRED)
OVER: Final = (State.FINISHED, State.CANCELLED)
Work = Callable[[Store, NewsletterDesk, Newsletter], Awaitable[Newsletter]]


@click.group()
def newsletter() -> None:
    """Mails to everybody on a list."""


async def _found(store: Store, account_name: str | None, number: int) -> Newsletter:
    account = await account_or_only(store, account_name)
    found = await store.newsletters.find(account.id, number)
    if found is None:
        fail(NOT_FOUND, f"{account.name} has no newsletter {number} (estafette newsletter list shows them)")
    return found


def _row(one: Newsletter) -> dict[str, object]:
    return {"id": one.id, "title": one.title, "state": one.state, "list": one.list_id, "segment": one.segment_id, "recipients": one.frozen,
            "start_at": at(one.start_at), "started_at": at(one.started_at), "ended_at": at(one.ended_at), "rate_per_hour": one.rate_per_hour}  # fmt: skip


@newsletter.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help="At most so many, newest first.")
@ACCOUNT
@options
def newsletter_list(ground: Ground, limit: int, account_name: str | None) -> None:
    """List newsletters, newest first.

    Example: estafette newsletter list --json
    """

    async def work(store: Store) -> list[Newsletter]:
        return await store.newsletters.newest((await account_or_only(store, account_name)).id, limit=limit)

    rows = [_row(one) for one in ground.run(work)]
    if ground.is_json:
        for row in rows:
            print_json(row)
    else:
        heads = ("id", "title", "state", "recipients", "started_at", "ended_at")
        print_table(heads, [[row[head] or "" for head in heads] for row in rows], empty="no newsletters")


@newsletter.command("show")
@click.argument("number", type=int, metavar="ID")
@ACCOUNT
@options
def newsletter_show(ground: Ground, number: int, account_name: str | None) -> None:
    """Show a newsletter with its texts.

    Example: estafette newsletter show 3
    """
    one = ground.run(lambda store: _found(store, account_name, number))
    source = source_of(one)
    facts = {**_row(one), "author": source.author, "name": source.author_name, "subject": source.subject}
    if ground.is_json:
        print_json({**facts, "html": source.html, "text": source.text})
        return
    print_facts(facts)
    click.echo(f"\n{source.text or source.html}")


@newsletter.command("create")
@click.argument("title")
@click.option("--list", "list_name", metavar="LIST", required=True, help="Name or number of the list.")
@click.option("--segment", "segment_id", type=int, default=0, metavar="ID", help="Only those of the list who are in it.")
@click.option("--from", "author", metavar="ADDRESS", required=True, help="A verified sender of the account; 'Name <address>' names him.")
@click.option("--subject", required=True, help="May hold tags, as {{data:firstname:'you'}}.")
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the footer and the page to unsubscribe.")
@click.option("--rate", "rate_per_hour", type=click.IntRange(0), default=0, metavar="N", help="So many an hour; 0 = as fast as receiving servers let.")
@ACCOUNT
@options
def newsletter_create(ground: Ground, title: str, list_name: str, segment_id: int, author: str, subject: str, language: str, rate_per_hour: int,
                      account_name: str | None) -> None:  # fmt: skip
    """Make a draft without texts; `newsletter write` fills it.

    Example: estafette newsletter create Autumn --list Customers --from "Shop <news@shop.example>" --subject "Autumn is here"
    """
    try:
        mailbox = parse_mailbox(author)
    except AddressError as error:
        fail(USAGE, f"--from: {error}")
    source = Source(author=str(mailbox.address), author_name=mailbox.name, subject=subject, locale=language)

    async def work(store: Store) -> Newsletter:
        account = await account_or_only(store, account_name)
        chosen = await list_named(store, account, list_name)
        draft = Newsletter(0, account.id, title[:180], letter=msgspec.json.encode(source).decode(), list_id=chosen.id, segment_id=segment_id,
                           rate_per_hour=rate_per_hour)  # fmt: skip
        return await store.newsletters.create(draft, ground.clock.now_us())

    _show(ground, ground.run(work))


@newsletter.command("write")
@click.argument("number", type=int, metavar="ID")
@click.option("--file", "file", type=click.File("r", encoding="utf-8"), help="HTML, Markdown (.md), MJML (.mjml) or plain text (.txt), by its name.")
@click.option("--url", help="A web page; it is fetched once, redirects are not followed, networks of your own are refused.")
@click.option("--inline-styles", is_flag=True, help="Put the rules of the page's style sheets into its elements.")
@ACCOUNT
@options
def newsletter_write(ground: Ground, number: int, file: IO[str] | None, url: str | None, inline_styles: bool, account_name: str | None) -> None:
    """Put texts into a draft: its HTML, or with a .txt file its plain text.

    Example: estafette newsletter write 3 --file autumn.mjml
    """
    if (file is None) == (url is None):
        fail(USAGE, "one of --file and --url is expected")

    async def work(store: Store) -> Newsletter:
        one = await _found(store, account_name, number)
        name, text = (file.name.lower(), file.read()) if file is not None else ("page.html", await _fetched(ground, str(url)))
        source = source_of(one)
        if name.endswith(".txt"):
            source = msgspec.structs.replace(source, text=text)
        else:
            html = from_markdown(text) if name.endswith(".md") else from_mjml(text) if name.endswith(".mjml") else text
            source = msgspec.structs.replace(source, html=with_inline_styles(html) if inline_styles else html)
        after = replace(one, letter=msgspec.json.encode(source).decode(), mjml=text if name.endswith(".mjml") else one.mjml)
        if not await store.newsletters.update(after, ground.clock.now_us()):
            fail(PROBLEM, f"only a draft can be written; this one is {one.state}")
        return after

    try:
        _show(ground, ground.run(work))
    except (ContentError, UnicodeDecodeError) as error:
        fail(PROBLEM, str(error))


async def _fetched(ground: Ground, url: str) -> str:
    caller = caller_of(ground.config)
    try:
        answer = await caller.get(url, MAX_SOURCE + 1)
    finally:
        caller.close()
    if answer.status != 200:
        raise ContentError(f"{url} cannot be fetched: {answer.error or f'it answered {answer.status}'}")
    return answer.body.decode("utf-8", "replace")


def _show(ground: Ground, one: Newsletter) -> None:
    if ground.is_json:
        print_json(_row(one))
    else:
        print_facts(_row(one))


@newsletter.command("check")
@click.argument("number", type=int, metavar="ID")
@ACCOUNT
@options
def newsletter_check(ground: Ground, number: int, account_name: str | None) -> None:
    """Say what stops a newsletter and what deserves a second look. Exit code 1 when something stops it.

    Example: estafette newsletter check 3
    """

    async def work(store: Store) -> list[Finding]:
        return await NewsletterDesk(store, ground.clock).examine(await _found(store, account_name, number))

    found = ground.run(work)
    rows = [{"weight": one.weight.value, "code": one.code, **one.values} for one in found]
    if ground.is_json:
        for row in rows:
            print_json(row)
    else:
        print_table(("weight", "what", "values"), [(one.weight.value, one.code, _values(one)) for one in found], empty="nothing to say")
    if any(row["weight"] == "stops" for row in rows):
        raise SystemExit(PROBLEM)


@newsletter.command("forecast")
@click.argument("number", type=int, metavar="ID")
@ACCOUNT
@options
def newsletter_forecast(ground: Ground, number: int, account_name: str | None) -> None:
    """Say what would become of the recipients if a newsletter went now: how many are blocked and why, and where the others are.

    Example: estafette newsletter forecast 3
    """

    async def work(store: Store) -> tuple[Newsletter, Forecast]:
        one = await _found(store, account_name, number)
        try:
            return one, await NewsletterDesk(store, ground.clock).forecast(one)
        except SegmentError as error:
            fail(PROBLEM, f"its segment: {error}")

    one, found = ground.run(work)
    seconds = found.takes_s(one.rate_per_hour)
    facts: dict[str, object] = {"recipients": found.recipients, "outside_of_segment": found.outside, "going": found.going.total(),
                                "blocked": found.blocked.total(), "takes_s": None if seconds is None else round(seconds)}  # fmt: skip
    domains = [{"domain": name, "going": count, "blocked": found.blocked_at[name]} for name, count in found.going.most_common(20)]
    if ground.is_json:
        print_json({**facts, "blocked_by": dict(found.blocked.most_common()), "domains": domains})
        return
    print_facts({**facts, **{f"  {reason}": count for reason, count in found.blocked.most_common()}})
    click.echo("")
    print_table(("domain", "going", "blocked"), [[row[head] for head in ("domain", "going", "blocked")] for row in domains], empty="nobody")


def _values(one: Finding) -> str:
    return ", ".join(f"{name}: {value}" for name, value in one.values.items())


@newsletter.command("send")
@click.argument("number", type=int, metavar="ID")
@click.option("--now", is_flag=True, help="At once, not in a minute.")
@click.option("--watch", is_flag=True, help="Stay until every recipient is settled.")
@ACCOUNT
@options
def newsletter_send(ground: Ground, number: int, now: bool, watch: bool, account_name: str | None) -> None:
    """Send a newsletter in a minute; until then `newsletter cancel` makes it a draft again.

    Example: estafette newsletter send 3 --watch
    """

    async def work(store: Store, desk: NewsletterDesk, one: Newsletter) -> Newsletter:
        return await desk.send(one, ground.clock.now_us() if now else None)

    _ordered(ground, account_name, number, work, watch=watch)


@newsletter.command("schedule")
@click.argument("number", type=int, metavar="ID")
@click.argument("when", metavar="TIME")
@ACCOUNT
@options
def newsletter_schedule(ground: Ground, number: int, when: str, account_name: str | None) -> None:
    """Send a newsletter at TIME, as 2026-12-24T08:00+01:00; without a zone it is UTC.

    Example: estafette newsletter schedule 3 2026-12-24T08:00+01:00
    """
    try:
        read = datetime.fromisoformat(when)
    except ValueError:
        fail(USAGE, f"TIME {when!r}: as 2026-12-24T08:00+01:00 is expected")
    start_at = int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()) * SECOND_US
    if start_at < ground.clock.now_us():
        fail(USAGE, f"TIME {when!r} is in the past")

    async def work(store: Store, desk: NewsletterDesk, one: Newsletter) -> Newsletter:
        return await desk.send(one, start_at)

    _ordered(ground, account_name, number, work)


@newsletter.command("pause")
@click.argument("number", type=int, metavar="ID")
@ACCOUNT
@options
def newsletter_pause(ground: Ground, number: int, account_name: str | None) -> None:
    """Stop sending; what waits keeps waiting.

    Example: estafette newsletter pause 3
    """
    _ordered(ground, account_name, number, lambda store, desk, one: desk.order(one, Order.PAUSE))


@newsletter.command("resume")
@click.argument("number", type=int, metavar="ID")
@ACCOUNT
@options
def newsletter_resume(ground: Ground, number: int, account_name: str | None) -> None:
    """Go on with a paused newsletter.

    Example: estafette newsletter resume 3
    """
    _ordered(ground, account_name, number, lambda store, desk, one: desk.order(one, Order.RESUME))


@newsletter.command("cancel")
@click.argument("number", type=int, metavar="ID")
@ACCOUNT
@options
def newsletter_cancel(ground: Ground, number: int, account_name: str | None) -> None:
    """End a newsletter: who has not got it gets none. One that has not started is a draft again.

    Example: estafette newsletter cancel 3
    """
    _ordered(ground, account_name, number, lambda store, desk, one: desk.order(one, Order.CANCEL))


@newsletter.command("delete")
@click.argument("number", type=int, metavar="ID")
@ACCOUNT
@options
def newsletter_delete(ground: Ground, number: int, account_name: str | None) -> None:
    """Delete a draft. What was sent stays, for its report.

    Example: estafette newsletter delete 3
    """

    async def work(store: Store) -> bool:
        return await store.newsletters.discard((await account_or_only(store, account_name)).id, number)

    if not ground.run(work):
        fail(NOT_FOUND, f"there is no draft {number}: it does not exist, or it is no draft any more")
    if ground.is_json:
        print_json({"deleted": number})
    else:
        click.echo(f"deleted: draft {number}")


@newsletter.command("status")
@click.argument("number", type=int, metavar="ID")
@click.option("--watch", is_flag=True, help="Stay until every recipient is settled.")
@ACCOUNT
@options
def newsletter_status(ground: Ground, number: int, watch: bool, account_name: str | None) -> None:
    """Show how far a newsletter is: recipients by what became of their mail.

    Example: estafette newsletter status 3 --watch
    """

    async def work(store: Store, desk: NewsletterDesk, one: Newsletter) -> Newsletter:
        return one

    _ordered(ground, account_name, number, work, watch=watch)


def _ordered(ground: Ground, account_name: str | None, number: int, work: Work, *, watch: bool = False) -> None:
    """Do it, watch it if asked for, show how it stands."""

    async def run(store: Store) -> tuple[Newsletter, dict[MessageState, int]]:
        one = await work(store, NewsletterDesk(store, ground.clock), await _found(store, account_name, number))
        if watch:
            one = await _watched(store, one)
        return one, await _counts(store, one)

    try:
        one, counts = ground.run(run)
    except Refused as refused:
        for finding in refused.findings:
            click.echo(f"{finding.code}  {_values(finding)}".rstrip(), err=True)
        fail(PROBLEM, str(refused))
    by_state = {state.value: count for state, count in sorted(counts.items())}
    if ground.is_json:
        print_json({**_row(one), "by_state": by_state})
    else:
        print_facts({**_row(one), **by_state})


async def _counts(store: Store, one: Newsletter) -> dict[MessageState, int]:
    counts: dict[MessageState, int] = {}
    for (state, _), count in (await store.newsletters.counts(one.submission_id) if one.submission_id else {}).items():
        counts[state] = counts.get(state, 0) + count
    return counts


async def _watched(store: Store, one: Newsletter) -> Newsletter:
    """Until it is over, paused, or a draft again."""
    with bar("newsletter") as progress:
        shown = progress.add_task("newsletter", total=None)
        while one.state not in (*OVER, State.PAUSED, State.DRAFT):
            counts = await _counts(store, one)
            progress.update(shown, completed=sum(n for state, n in counts.items() if state not in WAITING), total=one.frozen or None)
            await asyncio.sleep(0.5)
            one = await store.newsletters.find(one.account_id, one.id) or one
    return one
