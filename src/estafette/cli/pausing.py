"""Commands that stop and let go on: queue pause, resume, purge, paused. Each is one row, whatever the number of messages."""

from collections.abc import Callable

import click

from estafette.cli.arguments import DOMAIN
from estafette.cli.ground import NOT_FOUND, USAGE, Ground, account_named, fail, options
from estafette.cli.printing import at, print_json, print_table
from estafette.cli.queue import queue
from estafette.nouns import Hold
from estafette.store.seam import Store


def _what(command: Callable[..., None]) -> Callable[..., None]:
    """--account, --campaign, --domain."""
    command = click.option("--domain", type=DOMAIN, help="All messages to this domain: of every account, or of the one that is named.")(command)
    command = click.option("--campaign", metavar="NAME", help="Only this campaign of the account.")(command)
    return click.option("--account", "account_name", metavar="NAME", help="All messages of this account.")(command)


async def _target(store: Store, account_name: str | None, campaign: str | None, domain: str | None) -> tuple[int, str, str]:
    if not (account_name or domain) or (campaign and (domain or not account_name)):
        fail(USAGE, "say what: --account NAME, --account NAME --campaign NAME, --domain DOMAIN, or --account NAME --domain DOMAIN")
    return (await account_named(store, account_name)).id if account_name else 0, campaign or "", domain or ""


def _stop(ground: Ground, account_name: str | None, campaign: str | None, domain: str | None, reason: str, *, is_purge: bool) -> None:
    async def work(store: Store) -> None:
        account_id, name, destination = await _target(store, account_name, campaign, domain)
        if not await store.holds.put(account_id, name, destination, ground.clock.now_us(), reason, is_purge=is_purge):
            fail(NOT_FOUND, f"the account has no campaign {name!r}")

    ground.run(work)
    _tell(ground, {"purged" if is_purge else "paused": True, "account": account_name, "campaign": campaign, "domain": domain},
          "what waits ends as blocked, or soft bounced where it was tried before; what is being sent now is not stopped" if is_purge
          else "nothing of it is begun any more; what is being sent now is not stopped")  # fmt: skip


def _tell(ground: Ground, data: dict[str, object], words: str) -> None:
    if ground.is_json:
        print_json(data)
    else:
        click.echo(words)


@queue.command("pause")
@_what
@click.option("--reason", default="", help="Why: shown wherever somebody asks what holds a message.")
@options
def queue_pause(ground: Ground, account_name: str | None, campaign: str | None, domain: str | None, reason: str) -> None:
    """Pause an account, one of its campaigns, or a destination (for one account or all): its messages wait until `queue resume` or their deadline.

    \b
    Examples: estafette queue pause --account shop --campaign sale-2026 --reason "wrong link"
              estafette queue pause --domain example.com
              estafette queue pause --account shop --domain example.com
    """
    _stop(ground, account_name, campaign, domain, reason, is_purge=False)


@queue.command("resume")
@_what
@options
def queue_resume(ground: Ground, account_name: str | None, campaign: str | None, domain: str | None) -> None:
    """Let go on what `queue pause` stopped.

    Example: estafette queue resume --account shop --campaign sale-2026
    """

    async def work(store: Store) -> None:
        if not await store.holds.lift(*await _target(store, account_name, campaign, domain)):
            fail(NOT_FOUND, "that is not paused (estafette queue paused shows what is)")

    ground.run(work)
    _tell(ground, {"resumed": True, "account": account_name, "campaign": campaign, "domain": domain}, "it goes on")


@queue.command("purge")
@_what
@click.option("--reason", default="", help="Why: stands in the timeline of every message.")
@options
def queue_purge(ground: Ground, account_name: str | None, campaign: str | None, domain: str | None, reason: str) -> None:
    """End all messages of an account, a campaign or to a destination that wait now. There is no way back.

    Example: estafette queue purge --account shop --campaign sale-2026 --reason "sent by mistake"
    """
    _stop(ground, account_name, campaign, domain, reason, is_purge=True)


@queue.command("paused")
@options
def queue_paused(ground: Ground) -> None:
    """List what is paused, and what is being purged.

    Example: estafette queue paused
    """
    found: list[Hold] = ground.run(lambda store: store.holds.all())
    if ground.is_json:
        for hold in found:
            print_json({"account": hold.account or None, "campaign": hold.campaign or None, "domain": hold.domain or None, "is_purge": hold.is_purge,
                        "since": at(hold.since), "reason": hold.reason})  # fmt: skip
        return
    print_table(("what", "account", "campaign", "domain", "since", "reason"),
                [("purge" if h.is_purge else "pause", h.account, h.campaign, h.domain, at(h.since), h.reason) for h in found], "nothing is paused")
