"""Commands that run or examine the whole: serve, demo, check, doctor."""

import asyncio
import dataclasses

import click

from estafette.cli import examining
from estafette.cli.examining import Finding
from estafette.cli.ground import PROBLEM, Ground, config_option, fail, options
from estafette.cli.printing import print_json
from estafette.config import ROLES
from estafette.settings import ConfigError
from estafette.store.migrate import MigrationError
from estafette.store.opening import open_store
from estafette.store.seam import StoreFault


@click.command()
@click.option("--roles", metavar="LIST", help=f"What this machine does, separated by commas; of {', '.join(ROLES)}. Default: server.roles.")
@click.option("--workers", type=click.IntRange(0, 64), help="Worker processes; default: server.workers.")
@config_option
def serve(ground: Ground, roles: str | None, workers: int | None) -> None:
    """Run Estafette: take mail, send it, answer the API. Prints `ready` with its listeners; SIGTERM drains and ends it with exit code 0.

    Example: estafette serve --config /etc/estafette.toml
    """
    config = ground.config
    chosen = tuple(role.strip() for role in roles.split(",")) if roles else config.server.roles
    if unknown := [role for role in chosen if role not in ROLES]:
        raise click.UsageError(f"unknown role {unknown[0]!r}; there are {', '.join(ROLES)}")
    server = dataclasses.replace(config.server, roles=chosen, workers=config.server.workers if workers is None else workers)
    from estafette import app  # the whole program: not needed by any other command
    from estafette.cli.shaping import table_of

    table_of(ground)  # a wrong shaping file is refused with its lines; one that becomes wrong later changes nothing
    _end(lambda: app.serve(dataclasses.replace(config, server=server)))


@click.command()
@click.option("--fresh", is_flag=True, help="Begin with an empty database.")
@click.option("--quiet", is_flag=True, help="Send no mail by itself.")
@config_option
def demo(ground: Ground, fresh: bool, quiet: bool) -> None:
    """Run Estafette on loopback with SQLite, a first account, a simulated Internet and a customer that sends a newsletter and transactional mail to it.
    Nothing leaves the machine. A second start goes on where the first one ended.

    Example: estafette demo --fresh
    """
    from estafette import app

    _end(lambda: app.demo(ground.config, is_fresh=fresh, sends=not quiet))


def _end(run: object) -> None:
    """Leave with the exit code that the app returns (None is 0)."""
    assert callable(run)
    try:
        code = run()
    except ConfigError as error:
        fail(2, str(error))
    except (StoreFault, MigrationError) as error:
        fail(4, f"the database did not do it: {error}")
    raise SystemExit(code or 0)


@click.command()
@options
def check(ground: Ground) -> None:
    """Check the configuration and what it speaks of on this machine: certificate, folders, rights. Touches neither database nor network.

    Example: estafette check --config /etc/estafette.toml
    """
    _report(ground, examining.environment(ground.config, ground.clock))


@click.command()
@options
def doctor(ground: Ground) -> None:
    """Check everything that `check` does, and: the database, the DNS, the listeners, the source addresses, the clock, our name.

    Example: estafette doctor --json
    """
    config, clock = ground.config, ground.clock
    found = examining.environment(config, clock) + _database_answers(ground)
    found += examining.name_resolves(config) + examining.dns_answers(config) + examining.listeners_free(config)
    found += examining.sources_are_ours(config) + examining.clock_is_plausible(clock)
    _report(ground, found)


def _database_answers(ground: Ground) -> list[Finding]:
    async def look() -> list[Finding]:
        store = await open_store(ground.config.database.url, ground.policy(), ground.clock)
        try:
            sums = await store.audit()
        finally:
            await store.close()
        difference = sums.accepted - sums.final - sums.queued
        return [
            Finding("database", examining.OK, "answers, its schema is up to date"),
            Finding("conservation", examining.PROBLEM if difference else examining.OK, f"accepted {sums.accepted} = final {sums.final} + queued {sums.queued}"
                    if not difference else f"{difference} messages are missing or counted twice"),
        ]  # fmt: skip

    try:
        return asyncio.run(look())
    except (StoreFault, MigrationError) as error:
        return [Finding("database", examining.PROBLEM, str(error))]


def _report(ground: Ground, found: list[Finding]) -> None:
    for finding in found:
        if ground.is_json:
            print_json({"check": finding.what, "grade": finding.grade, "text": finding.text})
        else:
            click.echo(examining.line(finding))
    if any(finding.grade == examining.PROBLEM for finding in found):
        raise SystemExit(PROBLEM)
