"""What every command stands on: configuration, clock, an open store, exit codes, and how a failure is told.

    @root.command()
    @options                       # --config, --json, and the Ground as first argument
    def audit(ground): ...
        ground.run(work)           # opens the store, awaits work(store), closes it, maps faults to exit codes
"""

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import click

from estafette import log
from estafette.clock import Clock, SystemClock
from estafette.config import Config, load
from estafette.model import Account
from estafette.settings import ConfigError
from estafette.status.blocking import StatusPolicy
from estafette.store.migrate import MigrationError
from estafette.store.opening import open_store
from estafette.store.seam import Store, StoreFault
from estafette.vault import VaultError

T = TypeVar("T")

OK = 0
PROBLEM = 1  # the command ran and found a problem, or declined what was asked
USAGE = 2  # wrong arguments or a wrong configuration
NOT_FOUND = 3  # no such account, message, block ...
UNREACHABLE = 4  # the database could not be opened or did not do it

EXIT_CODES = {
    OK: "done, nothing to complain about",
    PROBLEM: "a problem was found, or what was asked was declined",
    USAGE: "wrong arguments or a wrong configuration",
    NOT_FOUND: "no such account, message, block ...",
    UNREACHABLE: "the database could not be reached or did not do it",
}


class Ground:
    """One command's surroundings."""

    def __init__(self, config_path: str | None, is_json: bool = False, clock: Clock | None = None) -> None:
        self.is_json = is_json
        self.clock = clock or SystemClock()
        self.config_path = config_path
        self.afterwards: Callable[[Store], Awaitable[None]] | None = None  # done once, when the command's work is done

    @functools.cached_property
    def config(self) -> Config:
        """The configuration, read once; a wrong one ends the command with USAGE."""
        try:
            config = load(self.config_path, os.environ)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            raise SystemExit(USAGE) from None
        log.configure(config.log.level, config.log.format)
        return config

    def policy(self) -> StatusPolicy:
        """The decisions that the store takes inside its transactions."""
        return StatusPolicy(self.config.blocking.hard_bounce_days, self.config.blocking.soft_bounce_days)

    def run(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """Await `work` with an open store."""

        async def with_store() -> T:
            store = await open_store(self.config.database.url, self.policy(), self.clock)
            try:
                result = await work(store)
                if self.afterwards is not None:
                    await self.afterwards(store)
                    self.afterwards = None
                return result
            finally:
                await store.close()

        try:
            return asyncio.run(with_store())
        except (StoreFault, MigrationError) as error:
            fail(UNREACHABLE, f"the database did not do it: {error}")
        except VaultError as error:
            fail(PROBLEM, str(error))


def fail(code: int, text: str) -> NoReturn:
    """End the command with a sentence on standard error."""
    click.echo(f"estafette: {log.one_line(text)}", err=True)
    raise SystemExit(code)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """`--config` and `--json` for a command; its first argument is the Ground."""

    @click.option("--config", "config_path", metavar="FILE", default=None, help="Configuration file; default ./estafette.toml.")
    @click.option("--json", "is_json", is_flag=True, help="Print JSON: one object, or one object per line for lists.")
    @click.pass_context
    @functools.wraps(command)
    def with_ground(context: click.Context, /, config_path: str | None, is_json: bool, **arguments: Any) -> None:
        ground = Ground(config_path or _outer_config(context), is_json)
        ground.afterwards = _auditing(ground, context, arguments)
        command(ground, **arguments)

    return with_ground


def _auditing(ground: Ground, context: click.Context, arguments: dict[str, Any]) -> Callable[[Store], Awaitable[None]] | None:
    """What writes a changing command into the audit log; None for one that only reads."""
    from estafette.cli import auditing  # it hangs a command on this file

    words = auditing.words_of(context.command_path)
    if words not in auditing.CHANGES:
        return None
    return lambda store: auditing.note(store, ground.clock.now_us(), words, arguments)


def config_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--config` alone, for commands that print no data."""

    @click.option("--config", "config_path", metavar="FILE", default=None, help="Configuration file; default ./estafette.toml.")
    @click.pass_context
    @functools.wraps(command)
    def with_ground(context: click.Context, /, config_path: str | None, **arguments: Any) -> None:
        command(Ground(config_path or _outer_config(context)), **arguments)

    return with_ground


def _outer_config(context: click.Context) -> str | None:
    """`estafette --config FILE account add` means the same as `estafette account add --config FILE`."""
    given: str | None = context.find_root().params.get("config_path") or os.environ.get("ESTAFETTE_CONFIG")
    return given


async def account_named(store: Store, name: str) -> Account:
    """The account of that name, or the end of the command with NOT_FOUND."""
    account = await store.account(name)
    if account is None:
        fail(NOT_FOUND, f"there is no account {name!r} (estafette account list shows them)")
    return account


async def account_or_only(store: Store, name: str | None) -> Account:
    """The named account; without a name the only one there is."""
    if name is not None:
        return await account_named(store, name)
    accounts = await store.accounts()
    if len(accounts) == 1:
        return accounts[0]
    fail(USAGE, "name the account with --account" if accounts else "there is no account yet (estafette account add NAME makes one)")
