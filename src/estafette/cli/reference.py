"""Writes docs/reference/settings.md, commands.md and rest.md from the settings, the commands and the resources themselves.

    python -m estafette.cli.reference docs/reference

A test fails when the files differ from what this makes, so they cannot drift.
"""

import sys
from pathlib import Path

import click

from estafette.api.rest.describing import page
from estafette.api.rest.table import ABSENT, RESOURCES
from estafette.cli.ground import EXIT_CODES
from estafette.config import Config
from estafette.settings import Setting, sections_of, settings_of, variable

_HEAD = "<!-- Made by `python -m estafette.cli.reference docs/reference`; a test fails when it is not up to date. -->\n"


def settings_page() -> str:
    """The page of all sections and keys."""
    parts = [
        "# Settings\n", _HEAD,
        "One TOML file, given with `--config` (default `./estafette.toml` when there is one). Every key has a default. Unknown keys, wrong types",
        "and values out of range stop the start, each with its line. Every key can be overridden by an environment variable, named under it;",
        "lists are then separated by commas.\n",
        'Durations are written with their unit: `"200ms"`, `"30s"`, `"5m"`, `"72h"`, `"90d"`. Sizes: `"64kB"`, `"25MB"` (25,000,000 octets),',
        '`"25MiB"` (26,214,400). `estafette check` tells whether a configuration can be used.\n',
    ]  # fmt: skip
    for name, section in sections_of(Config).items():
        parts.append(f"## [{name}]\n\n{(section.__doc__ or '').strip()}\n")
        for _, row in settings_of(section):
            parts.append(_setting(name, row))
    return "\n".join(parts)


def _setting(section: str, row: Setting) -> str:
    limits = []
    if row.low is not None:
        limits.append(f"at least {_written(row, row.low)}")
    if row.high is not None:
        limits.append(f"at most {_written(row, row.high)}")
    kind = ", ".join([row.kind.name, *limits])
    secret = "  \nSecret: never printed." if row.secret else ""
    return f"### {section}.{row.key}\n\n{row.help}\n\n`{row.key} = {_toml(row.default)}` · {kind} · `{variable(section, row.key)}`{secret}\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


_SECONDS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_OCTETS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3), ("B", 1))


def _written(row: Setting, value: float) -> str:
    """A limit as a person would write it in the file."""
    units = {"_s": _SECONDS, "_bytes": _OCTETS}.get(row.kind.suffix)
    if units is None:
        return f"{value:,g}" if value != int(value) else f"{int(value):,}"
    for unit, size in units:
        if value and value % size == 0:
            return f"{int(value // size)}{unit}"
    return f"0{units[-1][0]}" if value == 0 else f"{value * 1000:g}ms"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its words."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


def commands_page() -> str:
    """The page of all commands: their help texts."""
    from estafette.cli.root import root

    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    parts = [
        "# Commands\n", _HEAD,
        "All take `--config FILE`; those that print data take `--json` and then print one object, or one object per line for lists.\n",
        f"| exit code | meaning |\n|---|---|\n{codes}\n",
    ]  # fmt: skip
    for words, command in commands(root):
        path = "estafette " + " ".join(words)
        with click.Context(command, info_name=path, terminal_width=120, **root.context_settings) as context:  # as people get it
            parts.append(f"## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def rest_page() -> str:
    """The page of all resources of REST v3."""
    return page(list(RESOURCES.values()), ABSENT)


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "rest.md": rest_page}


def main(folder: str) -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")
