"""Rows of exported files: CSV that no spreadsheet takes for a formula, and JSON lines. Pure."""

import csv
import io
from collections.abc import Sequence
from typing import Final

import msgspec

from estafette.clock import to_iso
from estafette.model import Block
from estafette.stats.rates import Figures
from estafette.views import Line
from estafette.web.statuses import shown

MESSAGE_COLUMNS: Final = ("id", "accepted_at", "to", "from", "subject", "status", "state", "error_related_to", "error", "campaign", "custom_id", "door",
                          "attempts", "delivered_at", "updated_at")  # fmt: skip
BLOCK_COLUMNS: Final = ("address", "cause", "scope", "since", "until", "message_id", "reply")
FIGURE_COLUMNS: Final = ("from", "processed", "queued", "blocked", "sent", "in_flight", "delivered", "soft_errors", "hard_errors", "opened", "clicked",
                         "unsubscribed", "spam", "definitions")  # fmt: skip
COLUMNS: Final = {"messages": MESSAGE_COLUMNS, "blocks": BLOCK_COLUMNS, "statistics": FIGURE_COLUMNS}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def message_row(line: Line) -> tuple[str | int | None, ...]:
    """The columns of a message."""
    v = line.view
    return (v.id, to_iso(v.created_at), v.recipient, v.author, v.subject, shown(v.state, v.marks).key, v.state.value, v.reason.related_to, v.reason.error,
            v.campaign, v.custom_id, line.door, v.attempts, to_iso(line.delivered_at) if line.delivered_at else None, to_iso(v.updated_at))  # fmt: skip


def block_row(block: Block) -> tuple[str | int | None, ...]:
    """The columns of a block."""
    until = to_iso(block.until) if block.until else None
    return (block.address_key, block.cause.value, block.scope or "account", to_iso(block.since), until, block.message_id, block.reply)


def figures_row(at: int, f: Figures) -> tuple[str | int | None, ...]:
    """The columns of a slice of time; rates are made from them by the definitions that are named."""
    return (to_iso(at), f.processed, f.queued, f.blocked, f.sent, f.in_flight, f.delivered, f.soft_errors, f.hard_errors, f.opened, f.clicked,
            f.unsubscribed, f.spam, "help centre")  # fmt: skip


def guarded(value: str | int | None) -> str | int:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection); numbers stay numbers."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def encoded(kind: str, format_: str, rows: Sequence[tuple[str | int | None, ...]], *, is_first: bool) -> bytes:
    """A part of a file; the first part of a CSV begins with a byte-order mark, which spreadsheets need to see UTF-8, and the heading."""
    columns = COLUMNS[kind]
    if format_ == "jsonl":
        return b"".join(msgspec.json.encode(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if is_first:
        text.write("\ufeff")
        writer.writerow(columns)
    writer.writerows([guarded(value) for value in row] for row in rows)
    return text.getvalue().encode()
