"""Commands about what waits, who is blocked, and the sums: queue, block, stats, audit."""

import dataclasses

import click

from estafette.cli.arguments import ADDRESS, DOMAIN, MESSAGE_ID, SPAN, TIME
from estafette.cli.ground import NOT_FOUND, PROBLEM, USAGE, Ground, account_named, account_or_only, fail, options
from estafette.cli.printing import ago, at, print_facts, print_json, print_table
from estafette.clock import SECOND_US
from estafette.mail.address import Address
from estafette.model import Block, BlockCause
from estafette.nouns import StreamBacklog, WorkerReport
from estafette.stats.folder import rebuild
from estafette.stats.rates import all_rates, figures
from estafette.store.seam import SiteBacklog, Store

ALL_SITES = 1_000_000
SHOWN_SITES = 50
PAGE = 1000


@click.group()
def queue() -> None:
    """The queue: what waits, for whom, since when."""


@queue.command("show")
@options
def queue_show(ground: Ground) -> None:
    """Show how many messages wait (first attempt to come), are deferred (another attempt to come) and are being sent, and for which sites.

    Example: estafette queue show
    """
    now = ground.clock.now_us()

    async def work(store: Store) -> tuple[list[SiteBacklog], list[dict[str, object]]]:
        return await store.backlog(now, ALL_SITES), streams_json(await store.standing.by_stream(now), await store.standing.all(), now)

    sites, streams = ground.run(work)
    total = _sum(sites)
    if ground.is_json:
        print_json({**_site_json(total, now), "streams": streams, "paths": [{"site": s.site or None, "domain": s.domain, **_site_json(s, now)} for s in sites]})
        return
    print_facts({"waiting": total.waiting - total.deferred - total.in_flight, "in flight": total.in_flight, "deferred": total.deferred,
                 "oldest": ago((now - total.oldest_at) / SECOND_US) if sites else ""})  # fmt: skip
    if sites:
        click.echo("")
        rows = [(s.site or "(not yet routed)", s.domain, s.waiting - s.deferred - s.in_flight, s.in_flight, s.deferred, ago((now - s.oldest_at) / SECOND_US))
                for s in sites[:SHOWN_SITES]]  # fmt: skip
        print_table(("site", "domain", "waiting", "in flight", "deferred", "oldest"), rows)
        if len(sites) > SHOWN_SITES:
            click.echo(f"... and {len(sites) - SHOWN_SITES} more sites (--json lists all)")
    if streams:
        click.echo("")
        print_table(("stream", "waiting", "due", "oldest due", "delivered lately", "half within", "99 % within", "objective"),
                    [(s["stream"], s["waiting"], s["due"], _seconds(s["oldest_due_s"]), s["delivered"], _seconds(s["p50_s"]), _seconds(s["p99_s"]),
                      "" if s["is_met"] is None else f"{s['objective_s']:g} s: {'met' if s['is_met'] else 'MISSED'}")
                     for s in streams])  # fmt: skip


def _seconds(value: object) -> str:
    return f"{value:g} s" if value else ""


def streams_json(backlogs: list[StreamBacklog], reports: list[WorkerReport], now: int) -> list[dict[str, object]]:
    """How each kind of mail does: what waits, how long first attempts took lately, and whether its objective is met."""
    names = sorted({b.stream for b in backlogs} | {s.stream for r in reports for s in r.streams})
    found: list[dict[str, object]] = []
    for name in names:
        backlog = next((b for b in backlogs if b.stream == name), StreamBacklog(name, 0, 0, None))
        told = [s for r in reports for s in r.streams if s.stream == name]
        delivered, late = sum(s.delivered for s in told), sum(s.late for s in told)
        objective_s = max((s.objective_s for s in told), default=0.0)
        oldest_s = max(0.0, (now - backlog.oldest_due_at) / SECOND_US) if backlog.oldest_due_at else 0.0
        is_met = None if not objective_s else late <= delivered / 100 and oldest_s <= objective_s
        found.append({"stream": name, "waiting": backlog.waiting, "due": backlog.due, "oldest_due_s": round(oldest_s, 1), "delivered": delivered,
                      "p50_s": max((s.p50_s for s in told), default=0.0), "p99_s": max((s.p99_s for s in told), default=0.0),
                      "objective_s": objective_s or None, "is_met": is_met})  # fmt: skip
    return found


def _sum(sites: list[SiteBacklog]) -> SiteBacklog:
    return SiteBacklog("", "", sum(s.waiting for s in sites), sum(s.deferred for s in sites), sum(s.in_flight for s in sites),
                       min((s.oldest_at for s in sites), default=0))  # fmt: skip


def _site_json(s: SiteBacklog, now: int) -> dict[str, object]:
    """Waiting, in flight and deferred add up to everything that is queued; the store's `waiting` counts all three."""
    return {"waiting": s.waiting - s.deferred - s.in_flight, "in_flight": s.in_flight, "deferred": s.deferred,
            "oldest_age_s": max(0, (now - s.oldest_at) // SECOND_US) if s.oldest_at else 0}  # fmt: skip


@queue.command("retry")
@click.argument("message_id", type=MESSAGE_ID, metavar="[ID]", required=False)
@click.option("--domain", type=DOMAIN, help="All messages to this domain.")
@click.option("--account", "account_name", metavar="NAME", help="All messages of this account.")
@click.option("--all", "is_all", is_flag=True, help="Everything that waits.")
@options
def queue_retry(ground: Ground, message_id: int | None, domain: str | None, account_name: str | None, is_all: bool) -> None:
    """Try waiting messages at once instead of at their next planned time.

    \b
    Examples: estafette queue retry 7301922398208
              estafette queue retry --domain example.com
    """
    if message_id is None and domain is None and account_name is None and not is_all:
        fail(USAGE, "say what to retry: an ID, --domain, --account or --all")

    async def work(store: Store) -> int:
        owner = (await account_named(store, account_name)).id if account_name else None
        if message_id is not None and await store.message(message_id) is None:
            fail(NOT_FOUND, f"there is no message {message_id}")
        return await store.retry_now(ground.clock.now_us(), message_id, domain, owner)

    count = ground.run(work)
    if ground.is_json:
        print_json({"retried": count})
    else:
        click.echo(f"{count} message{'' if count == 1 else 's'} will be tried at once")


@queue.command("cancel")
@click.argument("message_id", type=MESSAGE_ID, metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the message's timeline.")
@options
def queue_cancel(ground: Ground, message_id: int, reason: str) -> None:
    """Never attempt a message that waits for its first attempt, because it was sent for later or its path is full.

    Example: estafette queue cancel 7301922398208 --reason "wrong price"
    """
    why = f"cancelled by the operator{': ' if reason else ''}{reason}"

    async def work(store: Store) -> bool:
        if await store.message(message_id) is None:
            fail(NOT_FOUND, f"there is no message {message_id}")
        return await store.cancel(message_id, None, ground.clock.now_us(), why)

    if not ground.run(work):
        fail(PROBLEM, f"message {message_id} does not wait for its first attempt")
    if ground.is_json:
        print_json({"cancelled": message_id})
    else:
        click.echo(f"message {message_id} is cancelled")


@click.group()
def block() -> None:
    """The block list: addresses that are not attempted, why and until when."""


def _block_json(b: Block, owner: str) -> dict[str, object]:
    return {"address": b.address_key, "cause": b.cause.value, "since": at(b.since), "until": at(b.until), "account": owner, "id": b.id,
            "scope": b.scope, "message": b.message_id, "reply": b.reply}  # fmt: skip


@block.command("list")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@click.option("--address", type=ADDRESS, help="Only this address.")
@options
def block_list(ground: Ground, account_name: str | None, address: Address | None) -> None:
    """List the blocks that are in force.

    Example: estafette block list --json
    """

    async def work(store: Store) -> list[tuple[Block, str]]:
        owner = (await account_named(store, account_name)).id if account_name else None
        names = {a.id: a.name for a in await store.accounts()}
        found: list[tuple[Block, str]] = []
        last = 0
        while page := await store.blocks(owner, ground.clock.now_us(), address.key if address else None, last, PAGE):
            found += [(b, names.get(b.account_id, "")) for b in page]
            last = page[-1].id
        return found

    blocks = ground.run(work)
    if ground.is_json:
        for b, owner in blocks:
            print_json(_block_json(b, owner))
    else:
        rows = [(owner, b.address_key, b.cause.value, at(b.since), at(b.until) or "lifted by a person", b.reply[:60]) for b, owner in blocks]
        print_table(("account", "address", "cause", "since", "until", "evidence"), rows, "no address is blocked")


@block.command("add")
@click.argument("address", type=ADDRESS)
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@click.option("--for", "span", type=SPAN, metavar="SPAN", help='How long, such as "90d"; default until a person lifts it.')
@click.option("--reason", default="", metavar="TEXT", help="Why; kept with the block.")
@options
def block_add(ground: Ground, address: Address, account_name: str | None, span: int | None, reason: str) -> None:
    """Block an address.

    Example: estafette block add ann@example.com --reason "asked by telephone"
    """

    async def work(store: Store) -> tuple[Block, str]:
        owner = await account_or_only(store, account_name)
        now = ground.clock.now_us()
        return await store.add_block(owner.id, address.key, BlockCause.MANUAL, now, now + span if span else None, reply=reason), owner.name

    made, owner = ground.run(work)
    if ground.is_json:
        print_json(_block_json(made, owner))
    else:
        print_facts({"address": made.address_key, "account": owner, "until": at(made.until) or "lifted by a person"})


@block.command("remove")
@click.argument("address", type=ADDRESS)
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@click.option("--reason", default="lifted from the command line", metavar="TEXT", help="Why; kept with the lifted block.")
@options
def block_remove(ground: Ground, address: Address, account_name: str | None, reason: str) -> None:
    """Lift all blocks of an address.

    Example: estafette block remove ann@example.com --reason "mailbox is back"
    """

    async def work(store: Store) -> int:
        owner = await account_or_only(store, account_name)
        return await store.lift_blocks(owner.id, address.key, ground.clock.now_us(), reason)

    count = ground.run(work)
    if count == 0:
        fail(NOT_FOUND, f"{address} is not blocked")
    if ground.is_json:
        print_json({"address": address.key, "lifted": count})
    else:
        click.echo(f"{address}: {count} block{'' if count == 1 else 's'} lifted")


@click.group(invoke_without_command=True)
@click.option("--from", "since", type=TIME, metavar="T", help="Messages accepted from this time on (UTC unless it says otherwise).")
@click.option("--to", "until", type=TIME, metavar="T", help="Messages accepted before this time.")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@options
def stats(ground: Ground, since: int | None, until: int | None, account_name: str | None) -> None:
    """Print what became of the messages that were accepted in a period, and the rates.

    \b
    Sent is everything that left: delivered, errors and in flight; neither queued nor blocked.
    By persons: without the openings and clicks that only privacy proxies and link scanners made.
    Example: estafette stats --from 2026-01-01 --to 2026-02-01
    """
    if click.get_current_context().invoked_subcommand is not None:
        return

    async def work(store: Store) -> dict[str, object]:
        owner = (await account_named(store, account_name)).id if account_name else None
        counts = await store.counts(owner, since, until)
        made = figures(counts, click_implies_open=ground.config.tracking.opens)
        persons = figures(counts, click_implies_open=ground.config.tracking.opens, without_machines=True)
        totals = {"processed": made.processed, "sent": made.sent, "soft_errors": made.soft_errors}
        without = {"opened": persons.opened, "clicked": persons.clicked, "rates": all_rates(persons)}
        return {**totals, **dataclasses.asdict(made), "rates": all_rates(made), "without_machines": without}

    numbers = ground.run(work)
    if ground.is_json:
        print_json(numbers)
        return
    rates, without = numbers.pop("rates"), numbers.pop("without_machines")
    assert isinstance(rates, dict)
    assert isinstance(without, dict)
    order = ("processed", "queued", "blocked", "sent", "in_flight", "delivered", "soft_errors", "hard_errors", "opened", "clicked", "unsubscribed", "spam")
    rate_of = {"soft_errors": "soft_errors", "hard_errors": "hard_errors"} | {name: name for name in rates}
    base = {"delivered": "sent", "opened": "delivered", "clicked": "delivered", "unsubscribed": "opened", "spam": "sent", "soft_errors": "sent",
            "hard_errors": "sent", "in_flight": "sent", "blocked": "processed"}  # fmt: skip
    rows = [(name.replace("_", " "), numbers[name], f"{rates[rate_of[name]]:.2%} of {base[name]}" if name in base and numbers[base[name]] else "")
            for name in order]  # fmt: skip
    for name in ("opened", "clicked"):
        share = f"{without['rates'][name]:.2%} of delivered" if numbers["delivered"] else ""
        rows.insert([row[0] for row in rows].index(name) + 1, ("- by persons", without[name], share))
    print_table(("", "messages", "rate"), rows)


@stats.command("rebuild")
@options
def stats_rebuild(ground: Ground) -> None:
    """Empty the counters of the statistics and make them again from the events.

    Nothing is lost and nothing has to stop; until it is done the dashboard shows less than there is.

    Example: estafette stats rebuild
    """
    count = ground.run(rebuild)
    if ground.is_json:
        print_json({"events": count})
    else:
        click.echo(f"{count} events counted again")


@click.group(invoke_without_command=True)
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@options
def audit(ground: Ground, account_name: str | None) -> None:
    """Prove that no message was lost: accepted = final + queued, counted from three independent places. Exit code 1 when they differ.

    Example: estafette audit --json
    """
    if click.get_current_context().invoked_subcommand is not None:
        return

    async def work(store: Store) -> dict[str, int]:
        owner = (await account_named(store, account_name)).id if account_name else None
        found = await store.audit(owner)
        return {"accepted": found.accepted, "final": found.final, "queued": found.queued, "difference": found.accepted - found.final - found.queued}

    sums = ground.run(work)
    if ground.is_json:
        print_json(sums)
    else:
        print_facts(sums)
        click.echo("Nothing is missing." if sums["difference"] == 0 else "The sums differ: messages are missing or counted twice.")
    if sums["difference"]:
        raise SystemExit(PROBLEM)
