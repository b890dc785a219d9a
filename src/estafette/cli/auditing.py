"""Which commands change something, and how the audit log tells of them; `estafette audit log` shows it."""

import getpass
import re
from collections.abc import Mapping
from typing import Final

import click

from estafette.cli.ground import Ground, account_named, options
from estafette.cli.printing import at, print_json, print_table
from estafette.store.seam import Store
from estafette.views import AuditEntry

CHANGES: Final = frozenset({
    "account add", "account set", "user add", "user reset", "key add", "key set", "domain add", "domain rotate", "sender add", "queue retry", "queue cancel",
    "queue pause", "queue resume", "queue purge", "queue release", "queue drop", "block add", "block remove", "stats rebuild", "webhook add",
    "webhook remove", "webhook resend", "guard lift", "tracking set", "consent set", "link revoke", "link restore", "route add", "route remove",
    "import", "job pause", "job resume", "job cancel",
    "contact erase", "newsletter cancel", "newsletter create", "newsletter delete", "newsletter pause", "newsletter resume", "newsletter schedule",
    "newsletter send", "newsletter write",
})  # fmt: skip
"""Commands that leave an entry."""
READS: Final = frozenset({
    "serve", "demo", "check", "doctor", "account list", "user list", "key list", "domain list", "sender list", "message list", "message show", "message why",
    "queue show", "queue paused", "queue why", "queue held", "block list", "stats", "audit", "audit log", "bounce explain", "reply explain",
    "shaping explain", "shaping check", "shaping rehearse", "shaping warmup forecast", "webhook list", "webhook test", "webhook log", "guard show",
    "backup", "restore", "tracking show", "consent list", "link list", "tls report", "route list",
    "export", "job list", "job errors",
    "contact show", "newsletter check", "newsletter forecast", "newsletter list", "newsletter show", "newsletter status", "segment list", "segment test",
})  # fmt: skip
"""Those that leave none: they read, or replace the whole database with its log."""
ERASURE: Final = "contact erase"
"""Its entry names nobody: the address would stand in the log for good."""
_LEFT_OUT: Final = frozenset({"config_path", "is_json", "account_name"})
_PASSWORD: Final = re.compile(r"//[^/@\s]*@")


def words_of(path: str) -> str:
    """`estafette account add` → account add."""
    return path.partition(" ")[2]


def told(arguments: Mapping[str, object]) -> str:
    """What was given, without passwords in addresses."""
    given = [f"{name}={value}" for name, value in arguments.items() if name not in _LEFT_OUT and value not in (None, False, ())]
    return _PASSWORD.sub("//***@", " ".join(given))


async def note(store: Store, now: int, words: str, arguments: Mapping[str, object]) -> None:
    """Write into the audit log that a command was carried out."""
    name = arguments.get("account_name") or (arguments.get("name") if words.startswith("account ") else None)
    account = await store.account(str(name)) if name else None
    what = "" if words == ERASURE else told(arguments)
    await store.users.note(account.id if account else 0, f"command line of {_who()}", now, words, what)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "?"


@click.command("log")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="ID", help="Go on behind this entry.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, metavar="N", help="At most so many entries.", show_default=True)
@options
def audit_log(ground: Ground, account_name: str | None, after: int, limit: int) -> None:
    """Show who changed what, by API, dashboard and command line, oldest first. Nothing takes an entry away.

    Example: estafette audit log --account shop --json
    """

    async def work(store: Store) -> tuple[list[AuditEntry], dict[int, str]]:
        owner = (await account_named(store, account_name)).id if account_name else None
        return await store.users.audit_log(owner, after, limit), {a.id: a.name for a in await store.accounts()}

    found, names = ground.run(work)
    if ground.is_json:
        for one in found:
            print_json({"id": one.id, "account": names.get(one.account_id, ""), "at": at(one.at), "who": one.user_name, "what": one.action,
                        "object": one.object, "detail": one.detail})  # fmt: skip
    else:
        rows = [(one.id, at(one.at), names.get(one.account_id, ""), one.user_name, one.action, f"{one.object} {one.detail}".strip()) for one in found]
        print_table(("id", "at", "account", "who", "what", "object"), rows, "nothing was changed yet")
