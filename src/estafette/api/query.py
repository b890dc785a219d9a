"""Reads numbers of a path or query of our own routes. Pure."""

from estafette.api.errors import CallRefused, Problem
from estafette.model import MAX_MESSAGE_ID


def message_id_of(text: str) -> int | None:
    """A MessageID as it stands in a path; None for what cannot be one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        return None
    number = int(text)
    return number if 0 < number <= MAX_MESSAGE_ID else None


def number(given: dict[str, str], name: str, default: int, highest: int) -> int:
    """A whole number of the query. Raises CallRefused."""
    text = given.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) <= highest):
        raise CallRefused(Problem("", 400, f'Invalid value for "{name}": a whole number from 0 to {highest} is expected.'))
    return int(text)
