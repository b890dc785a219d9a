"""Commands about messages that are held because the receiving server may have them already: queue held, queue release, queue drop."""

from collections.abc import Awaitable, Callable, Sequence

import click

from estafette.cli.arguments import MESSAGE_ID
from estafette.cli.ground import NOT_FOUND, USAGE, Ground, account_named, fail, options
from estafette.cli.printing import at, print_json, print_table
from estafette.store.seam import HeldMessage, Store

PAGE = 1000


async def _all(store: Store, account_name: str | None) -> list[HeldMessage]:
    owner = (await account_named(store, account_name)).id if account_name else None
    found: list[HeldMessage] = []
    while page := await store.held.list(owner, found[-1].message_id if found else 0, PAGE):
        found += page
    return found


@click.command("held")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@options
def queue_held(ground: Ground, account_name: str | None) -> None:
    """List the messages that wait for a person: an attempt ended so that the receiving server may have the mail, or may not.

    Accounts ask for this (estafette account set NAME --uncertain hold), or single mails (X-Estafette-Uncertain: hold).

    Example: estafette queue held --account shop
    """

    async def work(store: Store) -> tuple[list[HeldMessage], dict[int, str]]:
        return await _all(store, account_name), {a.id: a.name for a in await store.accounts()}

    found, names = ground.run(work)
    if ground.is_json:
        for m in found:
            print_json({"id": m.message_id, "account": names.get(m.account_id, ""), "to": m.recipient, "subject": m.subject, "attempts": m.attempts,
                        "uncertain": m.uncertain, "since": at(m.since), "deadline": at(m.deadline_at)})  # fmt: skip
    else:
        rows = [(m.message_id, names.get(m.account_id, ""), at(m.since), m.recipient, m.attempts, m.uncertain, at(m.deadline_at), m.subject) for m in found]
        print_table(("id", "account", "held since", "to", "attempts", "uncertain", "given up at", "subject"), rows, "nothing is held")


def _which(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        click.option("--all", "is_all", is_flag=True, help="Everything that is held."),
        click.option("--account", "account_name", metavar="NAME", help="All that is held of this account."),
        click.argument("message_ids", type=MESSAGE_ID, nargs=-1, metavar="[ID]..."),
    ):
        command = decorate(command)
    return command


def _decide(ground: Ground, message_ids: Sequence[int], account_name: str | None, is_all: bool,
            verb: Callable[[Store, Sequence[int], int], Awaitable[int]]) -> int:  # fmt: skip
    """Apply a verb to what was named; how many were held."""
    if bool(message_ids) + bool(account_name) + is_all != 1:
        fail(USAGE, "say which: one or more IDs, --account or --all")

    async def work(store: Store) -> int:
        ids = message_ids or [m.message_id for m in await _all(store, account_name)]
        count = 0
        for start in range(0, len(ids), PAGE):
            count += await verb(store, ids[start : start + PAGE], ground.clock.now_us())
        return count

    count = ground.run(work)
    if message_ids and not count:
        fail(NOT_FOUND, "none of these messages is held")
    return count


@click.command("release")
@_which
@options
def queue_release(ground: Ground, message_ids: Sequence[int], account_name: str | None, is_all: bool) -> None:
    """Send held messages again; recipients who have them already get them twice.

    Example: estafette queue release 7301922398208
    """
    count = _decide(ground, message_ids, account_name, is_all, lambda store, ids, now: store.held.release(ids, now))
    if ground.is_json:
        print_json({"released": count})
    else:
        click.echo(f"{count} message{'' if count == 1 else 's'} will be tried again")


@click.command("drop")
@click.option("--delivered", "is_delivered", is_flag=True, help="They arrived: count them as delivered. Without it they are given up.")
@_which
@options
def queue_drop(ground: Ground, message_ids: Sequence[int], account_name: str | None, is_all: bool, is_delivered: bool) -> None:
    """Never send held messages again.

    Example: estafette queue drop 7301922398208 --delivered
    """
    count = _decide(ground, message_ids, account_name, is_all, lambda store, ids, now: store.held.drop(ids, now, is_delivered=is_delivered))
    if ground.is_json:
        print_json({"dropped": count, "delivered": is_delivered})
    else:
        click.echo(f"{count} message{'' if count == 1 else 's'} {'counted as delivered' if is_delivered else 'given up'}")
