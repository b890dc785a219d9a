"""Reads the query of a REST list (contract 5.1): names in any case, the first of a repeated name counts, unknown names are ignored. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from estafette.api.errors import CallRefused, Problem
from estafette.model import MAX_MESSAGE_ID

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 1000
MAX_OFFSET: Final = 100_000
_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false", ""})


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list of messages is asked for."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    is_count_only: bool = False
    custom_id: str | None = None
    has_subject: bool = False
    has_address: bool = False


def read_query(pairs: Iterable[tuple[str, str]]) -> ListQuery:
    """Raises CallRefused for a value that cannot be read."""
    given: dict[str, str] = {}
    for name, value in pairs:
        given.setdefault(name.lower(), value)
    limit = number(given, "limit", DEFAULT_LIMIT, 10**9)
    return ListQuery(
        limit=min(limit, MAX_LIMIT) or MAX_LIMIT,
        offset=number(given, "offset", 0, MAX_OFFSET),
        is_count_only=_flag(given, "countonly"),
        custom_id=_text(given, "customid"),
        has_subject=_flag(given, "showsubject"),
        has_address=_flag(given, "showcontactalt"),
    )


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


def _flag(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise CallRefused(Problem("", 400, f'Invalid value for "{name}": true, false, 1 or 0 is expected.'))
    return text in _TRUE


def _text(given: dict[str, str], name: str) -> str | None:
    text = given.get(name)
    if text is not None and "\0" in text:
        raise CallRefused(Problem("", 400, f'Invalid value for "{name}".'))
    return text
