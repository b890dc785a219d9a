"""Commands about how fast mail goes: shaping explain, check, rehearse, warmup forecast."""

import asyncio
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import click

from estafette.cli.arguments import DOMAIN, SECONDS, SOURCE, TIME
from estafette.cli.ground import NOT_FOUND, PROBLEM, USAGE, Ground, fail, options
from estafette.cli.printing import at, print_facts, print_json, print_table
from estafette.cli.reasons import held_words
from estafette.clock import SECOND_US, to_datetime
from estafette.deliver.dns import DnsResolver
from estafette.deliver.route import NoRoute
from estafette.deliver.router import Router
from estafette.model import Event
from estafette.nouns import PathReport, WorkerReport
from estafette.queue.paths import site_name
from estafette.queue.rate import written
from estafette.queue.rehearsal import Rehearsal, Rehearser, attempt_of
from estafette.queue.shaping import Caps, Effective, Table, limits_for, shown, throughput
from estafette.queue.shaping_file import read, shipped
from estafette.queue.warmup import OTHER, Plan, Ramp, Stage, first, forecast, room
from estafette.queue.warmup_days import Diary
from estafette.settings import ConfigError
from estafette.store.migrate import MigrationError
from estafette.store.opening import open_store
from estafette.store.seam import Store, StoreFault

PAGE = 5000
SHOWN = 40


@click.group()
def shaping() -> None:
    """How fast mail goes where: limits, rules, sources, warm-up."""


def table_of(ground: Ground) -> Table:
    """The table in force; a wrong file ends the command with USAGE."""
    file = ground.config.delivery.shaping_file
    return _table(file, USAGE) if file else shipped()


def _table(file: str, code: int) -> Table:
    try:
        return read(Path(file).read_text("utf-8"), file, shipped())
    except ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(code) from None
    except UnicodeDecodeError as error:
        fail(code, f"{file}: not UTF-8 text (octet {error.start})")
    except OSError as error:
        fail(code, f"{file}: cannot be read: {error.strerror}")


# -- explain ------------------------------------------------------------------------------------------------------------------


@shaping.command()
@click.argument("domain", type=DOMAIN)
@click.option("--source", type=SOURCE, help="Our address that mail leaves from; default: what holds for any.")
@click.option("--mx", "hosts", multiple=True, metavar="HOST", help="MX host of the domain, instead of asking the DNS; may be given several times.")
@click.option("--connect-time", "connect_s", type=SECONDS, default="300ms", show_default=True, help="How long a connection takes to be greeted.")
@click.option("--message-time", "message_s", type=SECONDS, default="300ms", show_default=True, help="How long one message takes.")
@options
def explain(ground: Ground, domain: str, source: str | None, hosts: tuple[str, ...], connect_s: float, message_s: float) -> None:
    """Explain which limits hold for mail to a domain, where each comes from, how much that lets through, and what limits it: by the rules, and now.

    Without a database (or while it does not answer) everything but the last is said.

    \b
    Examples: estafette shaping explain gmail.com
              estafette shaping explain example.com --mx mx1.example.com --source 192.0.2.1
    """
    table = table_of(ground)
    mx = [host.lower().rstrip(".") for host in hosts] or _mx_of(ground, domain)
    d = ground.config.delivery
    effective = limits_for(mx, domain, table, source or "", Caps(d.connections, d.messages_per_connection))
    bounds = throughput(effective, connect_s, message_s)
    rules = [r for r in table.reactions if (not r.providers or effective.provider in r.providers)
             and (not r.hosts or any(h == n or h.endswith("." + n) for h in mx for n in r.hosts))]  # fmt: skip
    paths = _paths_now(ground, site_name(mx), source)
    now = ground.clock.now_us()
    if ground.is_json:
        print_json({"domain": domain, "mx": mx, "provider": effective.provider or None, "source": source,
                    "limits": [_limit_json(effective, number) for number in range(len(effective.origins))],
                    "named_limits": [_finite(dataclasses.asdict(limit)) for limit in effective.named],
                    "throughput": [{"bound": b.what, "messages_per_s": round(b.messages_per_s, 3)} for b in bounds],
                    "rules": [r.name for r in rules], "now": [_path_json(path) for path in paths]})  # fmt: skip
        return
    print_facts({"domain": domain, "MX hosts": ", ".join(mx), "provider": effective.provider or "none that is known", "source": source or "any"})
    click.echo("")
    print_table(("limit", "value", "from", "where", "instead of"),
                [(KEY_NAMES[o.field], shown(o.field, getattr(effective.limits, o.field)), o.layer, o.where, "; ".join(o.replaced)) for o in effective.origins])
    if effective.named:
        click.echo("")
        print_table(("shared limit", "connections", "message_rate", "counted", "where"),
                    [(n.name, shown("connections", n.connections), written(n.messages_per_s), "per source" if n.is_per_source else "over all sources", n.where)
                     for n in effective.named])  # fmt: skip
    click.echo("")
    if bounds:
        click.echo(f"at most {_per_s(bounds[0].messages_per_s)}: limited by {bounds[0].what} (connection {connect_s:g} s, message {message_s:g} s)")
        print_table(("bound", "messages"), [(b.what, _per_s(b.messages_per_s)) for b in bounds])
    if rules:
        click.echo(f"\nrules that listen to its replies: {', '.join(r.name for r in rules)}")
    for path in paths:
        click.echo(f"\nnow: {held_words(path, now) if path.held_by else f'The path to {path.site} is free.'} {path.open} of {path.size} connections "
                   f"(at most {path.limit}), {path.ready} ready, {path.in_flight} under way, {path.answered_per_s:.3g} answers a second.")  # fmt: skip


def _paths_now(ground: Ground, site: str, source: str | None) -> list[PathReport]:
    """How the paths to the site stand in the words of the workers that work them; none when nobody does or nobody can be asked."""
    url = ground.config.database.url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return []

    async def look() -> list[WorkerReport]:
        store = await open_store(url, ground.policy(), ground.clock, 1)
        try:
            return await store.standing.all()
        finally:
            await store.close()

    try:
        reports = asyncio.run(look())
    except (StoreFault, MigrationError) as error:
        click.echo(f"estafette: how it stands now is not known: {error}", err=True)
        return []
    return [path for report in reports for path in report.paths if path.site == site and source in (None, path.source)]


def _path_json(path: PathReport) -> dict[str, object]:
    return {"site": path.site, "source": path.source or None, "connections": path.open, "connections_now": path.size, "connections_at_most": path.limit,
            "messages_per_s": path.rate or None, "ready": path.ready, "in_flight": path.in_flight, "answered_per_s": round(path.answered_per_s, 3),
            "held_by": path.held_by or None, "said_by": path.said_by or None, "reply": path.reply or None,
            "paused_until": at(path.paused_until or None)}  # fmt: skip


KEY_NAMES = {"connections": "connections", "connections_per_s": "connection_rate", "messages_per_connection": "messages_per_connection",
             "messages_per_s": "message_rate", "burst": "burst"}  # fmt: skip


def _limit_json(effective: Effective, number: int) -> dict[str, object]:
    origin = effective.origins[number]
    value = getattr(effective.limits, origin.field)
    return {"limit": KEY_NAMES[origin.field], "value": None if math.isinf(value) else value, "shown": shown(origin.field, value), "from": origin.layer,
            "where": origin.where, "instead_of": list(origin.replaced)}  # fmt: skip


def _finite(values: dict[str, object]) -> dict[str, object]:
    return {key: None if value == math.inf else value for key, value in values.items()}


def _per_s(rate: float) -> str:
    return f"{rate:.3g}/s ({rate * 3600:,.0f} per hour)"


def _mx_of(ground: Ground, domain: str) -> list[str]:
    d = ground.config.delivery
    router = Router(DnsResolver([(e.host, e.port) for e in d.dns], d.dns_timeout_s, ground.clock), ground.clock, port=d.port, ipv6=d.ipv6)
    route = asyncio.run(router.route(domain))
    if isinstance(route, NoRoute):
        fail(NOT_FOUND, f"{route.text} (--mx names hosts without asking the DNS)")
    return list(route.hosts)


# -- check --------------------------------------------------------------------------------------------------------------------


@shaping.command()
@click.argument("file", metavar="[FILE]", required=False)
@options
def check(ground: Ground, file: str | None) -> None:
    """Check a shaping file (default: delivery.shaping_file): every problem with its line, or what it says. Nothing is changed.

    Example: estafette shaping check /etc/estafette/shaping.toml
    """
    chosen = file or ground.config.delivery.shaping_file
    if not chosen:
        fail(USAGE, "name a FILE: delivery.shaping_file is empty")
    under, table = shipped(), _table(chosen, PROBLEM)
    ours = {"" if s in ("0.0.0.0", "::") else s for s in ground.config.delivery.sources}
    strange = [f"pool {pool.name}: {source.address or 'the machine'} is not in delivery.sources" for pool in table.pools for source in pool.sources
               if source.address not in ours]  # fmt: skip
    strange += [f"warm-up of {plan.source}: no pool and not in delivery.sources" for plan in table.warmups
                if plan.source not in ours | {s.address for p in table.pools for s in p.sources}]  # fmt: skip
    facts = {"sections with limits": len(table.layers) - len(under.layers), "providers of its own": len(table.providers) - len(under.providers),
             "rules": len(set(table.reactions) - set(under.reactions)),
             "shipped rules switched off or replaced": len(set(under.reactions) - set(table.reactions)),
             "shared limits": len(set(table.named) - set(under.named)), "pools": len(table.pools), "warm-ups": len(table.warmups)}  # fmt: skip
    if ground.is_json:
        print_json({"file": chosen, "warnings": strange, **{key.replace(" ", "_").replace("-", "_"): value for key, value in facts.items()}})
        return
    click.echo(f"{chosen}: ok")
    print_facts({key: value for key, value in facts.items() if value})
    for text in strange:
        click.echo(f"warning: {text}")


# -- rehearse -----------------------------------------------------------------------------------------------------------------


@shaping.command()
@click.argument("file")
@click.option("--from", "since", type=TIME, metavar="T", help="Only attempts from then on; default: all that are recorded.")
@click.option("--to", "until", type=TIME, metavar="T", help="Only attempts before then.")
@options
def rehearse(ground: Ground, file: str, since: int | None, until: int | None) -> None:
    """Rehearse a shaping file on the recorded attempts: which rules would have begun, what that would have spared and held up. Changes nothing.

    Example: estafette shaping rehearse proposed.toml --from 2026-11-01
    """
    rehearser = Rehearser(table_of(ground), _table(file, PROBLEM))

    def hear(event: Event) -> None:
        if (since is None or event.at >= since) and (until is None or event.at < until) and (attempt := attempt_of(event)) is not None:
            rehearser.hear(attempt)

    ground.run(lambda store: _read_events(store, hear))
    found = rehearser.result()
    if ground.is_json:
        print_json({"attempts": found.attempts, "failed": found.failed, "from": at(int(found.first_s * SECOND_US)) if found.attempts else None,
                    "to": at(int(found.last_s * SECOND_US)) if found.attempts else None, "rules": [dataclasses.asdict(r) for r in found.rules],
                    "limits": [_finite(dataclasses.asdict(limit)) for limit in found.limits]})  # fmt: skip
        return
    _show_rehearsal(found)


def _show_rehearsal(found: Rehearsal) -> None:
    if not found.attempts:
        click.echo("no attempts are recorded for that time: nothing to rehearse on")
        return
    click.echo(f"{found.attempts} attempts, {found.failed} of them failed, {at(int(found.first_s * SECOND_US))} to {at(int(found.last_s * SECOND_US))}\n")
    rows = [(r.name, r.change, r.begun_before, r.begun, f"{r.in_force_s / 60:.0f} min", r.spared, r.held, r.example[:60]) for r in found.rules
            if r.begun or r.begun_before or r.change != "same"]  # fmt: skip
    heads = ("rule", "change", "begins now", "would begin", "in force", "failures spared", "delivered later", "because of")
    print_table(heads, rows, "no rule would have begun")
    if found.limits:
        click.echo("")
        print_table(("site", "source", "limit", "now", "proposed", "attempts", "sent later"),
                    [(x.site, x.source or "any", KEY_NAMES[x.field], shown(x.field, x.before), shown(x.field, x.after), x.attempts, x.held)
                     for x in found.limits[:SHOWN]])  # fmt: skip
        if len(found.limits) > SHOWN:
            click.echo(f"... and {len(found.limits) - SHOWN} more (--json lists all)")


async def _read_events(store: Store, hear: Callable[[Event], None]) -> None:
    cursor = (0, 0)
    while True:
        page, cursor = await store.events(cursor, PAGE)
        for event in page:
            hear(event)
        if len(page) < PAGE:
            return


# -- warm-up ------------------------------------------------------------------------------------------------------------------


@shaping.group()
def warmup() -> None:
    """New source addresses: what they may carry, and when they are warm."""


@warmup.command("forecast")
@click.argument("source", type=SOURCE, required=False, metavar="[SOURCE]")
@click.option("--volume", type=click.IntRange(1, 10**9), required=True, help="Messages per day to the provider, from all sources together.")
@click.option("--provider", default=OTHER, show_default=True, help='A provider of the table, or "other".')
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How far to look.")
@options
def warmup_forecast(ground: Ground, source: str | None, volume: int, provider: str, days: int) -> None:
    """Forecast the warm-up of a source towards one provider, from where it stands today, if all days are good; without SOURCE that of a new one.

    Example: estafette shaping warmup forecast 192.0.2.9 --provider google --volume 20000
    """
    table = table_of(ground)
    known = [p.name for p in table.providers]
    if provider not in (*known, OTHER):
        fail(NOT_FOUND, f"there is no provider {provider!r}; known are {', '.join([*known, OTHER])}")
    plan = next((p for p in table.warmups if p.source == source), None)
    if source is not None and plan is None:
        fail(NOT_FOUND, f'there is no [warmup."{source}"] in the shaping file (without SOURCE a new source is forecast)')
    ramp = plan.ramp_for(provider) if plan is not None else Ramp()
    stage, used = _today(ground, table, plan, provider) if plan is not None else (first(ramp), 0)
    rows = forecast(ramp, stage, volume, days)
    is_done = rows[-1].overflow == 0
    today = to_datetime(ground.clock.now_us()).date()
    if ground.is_json:
        print_json({"source": source, "provider": provider, "cap_today": None if stage.is_warm else stage.cap, "sent_today": used, "verdict": stage.verdict,
                    "warm_on_day": rows[-1].day if is_done else None,
                    "days": [_finite(dataclasses.asdict(r)) for r in rows]})  # fmt: skip
        return
    left = room(stage, used)
    allowed = "warm: no cap" if math.isinf(left) else f"{stage.cap} messages, {int(left)} of them left"
    print_facts({"source": source or "a new one", "provider": provider, "today": allowed, "judged": stage.verdict})
    click.echo("")
    print_table(("day", "date", "cap", "carries", "warm sources carry"),
                [(r.day, today.fromordinal(today.toordinal() + r.day - 1), "none" if math.isinf(r.cap) else int(r.cap), r.carried, r.overflow) for r in rows])
    last = rows[-1]
    click.echo("")
    click.echo(f"it carries all {volume} a day from day {last.day} on" if is_done else f"after {days} days it carries {last.carried} of {volume} a day")


def _today(ground: Ground, table: Table, plan: Plan, provider: str) -> tuple[Stage, int]:
    diary = Diary(table)
    ground.run(lambda store: _read_events(store, diary.hear))
    today = to_datetime(ground.clock.now_us()).date()
    return diary.stage(plan, provider, today), diary.sent_today(plan, provider, today)
