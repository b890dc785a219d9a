"""Commands about single messages: message list, show, why."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import click

from estafette.cli.arguments import ADDRESS, MESSAGE_ID
from estafette.cli.ground import NOT_FOUND, Ground, account_named, fail, options
from estafette.cli.printing import at, print_facts, print_json, print_table
from estafette.cli.reasons import Holds, why_waiting
from estafette.cli.timeline import event_json, timeline_lines
from estafette.mail.address import Address
from estafette.model import Event, Mark, MessageView, State
from estafette.queue.holds import Stops
from estafette.status.shown import STATUS_OF_MARK, STATUSES, message_uuid, short_status, shown_status, status_words
from estafette.store.seam import Store, Waiting

PAGE = 1000
STATES_BY_NAME = {"delivered": State.DELIVERED, "soft_bounced": State.SOFT_BOUNCED, "hard_bounced": State.HARD_BOUNCED}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the store can select by, and what remains to be looked at for each message."""

    state: State | None
    mark: int | None
    keeps: Callable[[MessageView], bool]


def filter_of(status: str | None) -> Filter:
    """`status` is an API string (marks included), or the name of a state where that is another word (delivered, soft_bounced, hard_bounced)."""
    if status is None:
        return Filter(None, None, lambda m: True)
    if status in STATES_BY_NAME:
        return Filter(STATES_BY_NAME[status], None, lambda m: True)
    marks = [int(mark) for mark, name in STATUS_OF_MARK.items() if name == status]
    states = [state for state in State if shown_status(state, 0) == status]
    return Filter(states[0] if len(states) == 1 else None, marks[0] if marks else None, lambda m: shown_status(m.state, m.marks) == status)


def message_json(m: MessageView, account: str) -> dict[str, object]:
    """The shape of one message in `message list` and `message show`."""
    return {
        "id": m.id,
        "uuid": message_uuid(m.id),
        "account": account,
        "to": m.recipient,
        "from": m.author,
        "subject": m.subject,
        "state": m.state.value,
        "marks": [mark.name.lower() for mark in Mark if m.marks & mark],
        "status": shown_status(m.state, m.marks),
        "error_related_to": m.reason.related_to,
        "error": m.reason.error,
        "campaign": m.campaign or None,
        "custom_id": m.custom_id or None,
        "attempts": m.attempts,
        "created_at": at(m.created_at),
        "updated_at": at(m.updated_at),
        "next_attempt_at": at(m.due_at),
        "give_up_at": at(m.deadline_at),
    }


@click.group()
def message() -> None:
    """Messages: one mail to one recipient, with its status."""


@message.command("list")
@click.option("--status", "--state", type=click.Choice([*STATUSES, *STATES_BY_NAME]), help="Shown status as in the API, or a state.")
@click.option("--to", "to", type=ADDRESS, metavar="ADDRESS", help="Only messages to this address.")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@click.option("--campaign", metavar="NAME", help="Only messages of this campaign.")
@click.option("--custom-id", metavar="TEXT", help="Only messages with this CustomID.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; default all.")
@click.option("--after", type=MESSAGE_ID, default="0", metavar="ID", help="Only messages after this id: the next page.")
@options
def message_list(
    ground: Ground, status: str | None, to: Address | None, account_name: str | None, campaign: str | None, custom_id: str | None, limit: int | None, after: int
) -> None:
    """List messages, oldest first.

    \b
    Examples: estafette message list --status deferred
              estafette message list --to ann@example.com --json --limit 10
    """
    wanted = filter_of(status)

    async def found(store: Store) -> AsyncIterator[MessageView]:
        owner = (await account_named(store, account_name)).id if account_name else None
        last, kept = after, 0
        while True:
            page = await store.messages(owner, wanted.state, wanted.mark, to.key if to else None, campaign, custom_id, last, PAGE)
            for m in page:
                if wanted.keeps(m):
                    yield m
                    kept += 1
                    if kept == limit:
                        return
            if len(page) < PAGE:
                return
            last = page[-1].id

    async def work(store: Store) -> list[tuple[object, ...]]:
        names = {a.id: a.name for a in await store.accounts()}
        rows: list[tuple[object, ...]] = []
        async for m in found(store):
            if ground.is_json:
                print_json(message_json(m, names.get(m.account_id, "")))
            else:
                rows.append((m.id, at(m.created_at), m.recipient, short_status(m.state, m.marks), m.reason.error, m.subject[:40]))
        return rows

    rows = ground.run(work)
    if not ground.is_json:
        print_table(("id", "accepted", "to", "status", "error", "subject"), rows, "no such message")


@message.command("show")
@click.argument("message_id", type=MESSAGE_ID, metavar="ID")
@options
def message_show(ground: Ground, message_id: int) -> None:
    """Show one message: its status in words and its timeline with every attempt and reply.

    Example: estafette message show 7301922398208
    """

    async def work(store: Store) -> tuple[MessageView, str, list[Event]]:
        found = await store.message(message_id)
        if found is None:
            fail(NOT_FOUND, f"there is no message {message_id}")
        names = {a.id: a.name for a in await store.accounts()}
        return found, names.get(found.account_id, ""), await store.timeline(message_id)

    m, owner, events = ground.run(work)
    if ground.is_json:
        print_json({**message_json(m, owner), "events": [event_json(e) for e in events]})
        return
    print_facts({
        "message": m.id, "uuid": message_uuid(m.id), "account": owner, "to": m.recipient, "from": m.author, "subject": m.subject,
        "campaign": m.campaign, "custom id": m.custom_id, "status": status_words(m.state, m.marks, m.reason),
        "attempts": m.attempts, "next attempt": at(m.due_at) if m.state in (State.QUEUED, State.DEFERRED) else "", "given up at": at(m.deadline_at),
    })  # fmt: skip
    click.echo("")
    for line in timeline_lines(events):
        click.echo(line)


@message.command("why")
@click.argument("message_id", type=MESSAGE_ID, metavar="ID")
@options
def message_why(ground: Ground, message_id: int) -> None:
    """Say why a message is not delivered yet: what holds it, who said so, where it stands, when it goes on.

    Example: estafette message why 7301922398208
    """
    now = ground.clock.now_us()

    async def work(store: Store) -> tuple[MessageView, Waiting | None, Holds]:
        found = await store.message(message_id)
        if found is None:
            fail(NOT_FOUND, f"there is no message {message_id}")
        waiting = await store.waiting(message_id, now)
        stop = Stops(await store.holds.all()).of(found.account_id, found.campaign, found.recipient.rpartition("@")[2].lower())
        paths = [path for report in await store.standing.all() for path in report.paths if waiting is not None and path.site == waiting.site]
        return found, waiting, why_waiting(found, waiting, await store.timeline(message_id), now, stop, paths)

    view, waiting, holds = ground.run(work)
    if ground.is_json:
        print_json({"id": view.id, "state": view.state.value, "holds": holds.what, "said_by": holds.said_by,

                    "ahead": waiting.ahead if waiting else None, "next_attempt_at": at(waiting.due_at) if waiting else None,
                    "give_up_at": at(view.deadline_at), "text": " ".join(holds.sentences)})  # fmt: skip
    else:
        for sentence in holds.sentences:
            click.echo(sentence)
