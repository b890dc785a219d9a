"""Sets up what is written to standard error: one record, one line, whatever a peer sent us.

Control characters (and every other character that is not printable: line separators, text-direction marks, lone surrogates) are escaped, so that
nobody can write lines into our log or draw on a terminal. Tracebacks are folded into the same line. What is written where mail happens is
in `maillog.py`.
"""

import json
import logging
import sys
from typing import TextIO

from estafette.clock import to_iso

MAX_LINE = 8000
"""Characters of one line; longer ones are cut, with a note of what is missing."""


def configure(level: str = "info", format: str = "text", stream: TextIO | None = None) -> None:
    """Write records of `level` ("debug", "info", "warning", "error") and above, as "text" or "json", to `stream` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("asyncio", "httpx2", "httpcore2", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def one_line(text: str) -> str:
    """The text with everything unprintable escaped, cut at MAX_LINE."""
    if len(text) > MAX_LINE:
        text = f"{text[:MAX_LINE]}... ({len(text) - MAX_LINE} more characters)"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def field(value: object) -> str:
    """A value as it stands after `name=`: quoted when it would not be readable otherwise."""
    text = one_line(str(value))
    if text == "" or any(c in text for c in ' "='):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


class TextLines(logging.Formatter):
    """`2026-01-01T12:00:00.000Z INFO delivered message=1 to=a@b ...`"""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = getattr(record, "fields", {})
        words = [to_iso(int(record.created * 1e6)), record.levelname, one_line(record.getMessage())]
        words += [f"{name}={field(value)}" for name, value in fields.items()]
        if record.exc_info:
            words.append("exception=" + field(self.formatException(record.exc_info)))
        return " ".join(words)


class JsonLines(logging.Formatter):
    """The same as one JSON object; `at`, `level`, `event`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; json.dumps escapes what is not ASCII."""
        facts: dict[str, object] = {"at": to_iso(int(record.created * 1e6)), "level": record.levelname.lower(), "event": record.getMessage()}
        for name, value in getattr(record, "fields", {}).items():
            facts[name] = value if isinstance(value, int | float | bool) else str(value)[:MAX_LINE]
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)[:MAX_LINE]
        return json.dumps(facts)
