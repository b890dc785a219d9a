"""Kinds of command-line arguments: a wrong one ends the command with exit code 2 and says what is expected."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from estafette.mail.address import is_deliverable_domain, parse, parse_domain
from estafette.quantities import read_address, read_duration, read_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Kind(click.ParamType[Any]):
    """A click type over a plain function that raises ValueError."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value read, or a usage error."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def read_domain(text: str) -> str:
    """A domain with at least one dot, as A-labels."""
    name = parse_domain(text.strip().rstrip("."))
    if not is_deliverable_domain(name):
        raise ValueError(f'must be a domain such as "example.com", not "{text}"')
    return name


def read_name(text: str) -> str:
    """A name for an account: something that a shell and a table can show."""
    if not 1 <= len(text.strip()) <= 64 or not text.isprintable():
        raise ValueError("must have 1 to 64 printable characters")
    return read_text(text.strip())


def read_time(text: str) -> int:
    """Microseconds since 1970 from "2026-01-31", "2026-01-31T12:00" or "2026-01-31T12:00:00+01:00"; UTC when no zone is given."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'must be a date or time such as "2026-01-31" or "2026-01-31T12:00:00Z", not "{text}"') from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def read_span(text: str) -> int:
    """Microseconds from "90d", "12h" ..."""
    return int(read_duration(text) * 1_000_000)


def read_source(text: str) -> str:
    """One of our addresses that mail leaves from."""
    return read_address(text)


def read_message_id(text: str) -> int:
    """A MessageID: a whole number below 2^53."""
    if not re.fullmatch(r"[0-9]{1,16}", text, re.ASCII) or int(text) >= 2**53:
        raise ValueError(f'must be a message id (a whole number), not "{text}"')
    return int(text)


ADDRESS = _Kind("address", parse)
DOMAIN = _Kind("domain", read_domain)
NAME = _Kind("name", read_name)
TIME = _Kind("time", read_time)
SPAN = _Kind("span", read_span)
MESSAGE_ID = _Kind("id", read_message_id)
SOURCE = _Kind("address", read_source)
SECONDS = _Kind("duration", read_duration)
