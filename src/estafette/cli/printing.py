"""How results reach the terminal: JSON for scripts, tables for people, plain columns when nobody is looking at a terminal.

Everything that came from outside (replies, subjects, addresses) passes `one_line`, so that no server can draw on the operator's screen.
"""

import sys
from collections.abc import Mapping, Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from estafette.clock import to_iso
from estafette.log import one_line


def print_json(value: object) -> None:
    """One object on one line; surrogates and control characters leave as JSON escapes."""
    click.echo(msgspec.json.encode(value).decode("utf-8"))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]], empty: str = "nothing") -> None:
    """Rows under heads; `empty` is said when there are none."""
    if not rows:
        click.echo(empty)
        return
    cells = [[one_line(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(*heads, box=None, header_style="bold", pad_edge=False)
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(head), *(len(row[i]) for row in cells)) for i, head in enumerate(heads)]
    for row in [list(heads), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_facts(facts: Mapping[str, object]) -> None:
    """`name: value` lines, aligned; empty values are left out."""
    shown = {name: value for name, value in facts.items() if value not in ("", None)}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        click.echo(f"{(name + ':').ljust(width + 2)}{one_line(str(value))}")


def at(time_us: int | None) -> str | None:
    """A stored time as RFC 3339, None for none."""
    return None if time_us is None else to_iso(time_us)


def ago(seconds: float) -> str:
    """A span for people: 45 s, 12 min, 5 h, 3 d."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} d"
