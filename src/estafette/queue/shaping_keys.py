"""What single keys of a shaping file may be, and how a problem with one is told. Pure; `queue/shaping_file.py` knows the sections."""

import datetime
import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from estafette.mail.reply_rules import fault_verdicts, reply_rules
from estafette.quantities import read_address, read_duration, read_flag, read_hostname, read_integer, read_number, read_text
from estafette.queue.rate import NO_LIMIT
from estafette.queue.reactions import SCOPES

AS_DEFAULT: Final = "default"
"""Written instead of a number: back to what the default says."""
_UNITS_S: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_RATE: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?/ ?(s|min|h|d)", re.ASCII)
_COUNT: Final = re.compile(r"([0-9]{1,6}) ?/ ?([0-9]{0,4}) ?(s|min|h|d)", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)
STAGES: Final = ("connect", "tls", "ehlo", "mail", "rcpt", "data", "body")


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    read: Callable[[object], Any]  # raises ValueError whose text completes "limit.x: ..."
    field: str = ""  # of Limits


def read_rate(value: object) -> float:
    """Events per second from "10/s", "100/min", "2000/h", "50000/d" or "none"."""
    if value == "none":
        return NO_LIMIT
    found = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError(f'must be a rate such as "10/s", "100/min", "2000/h" or "none", not {_written(value)}')
    rate = float(found[1]) / _UNITS_S[found[2]]
    if not 1 / 86_400 <= rate <= 1e6:
        raise ValueError(f"must be between 1/d and 1000000/s, not {value}")
    return rate


def read_count(value: object) -> tuple[int, float]:
    """(how many, within how many seconds) from "3/h" or "5/10min"; 1 means at once."""
    if value == 1 and not isinstance(value, bool):
        return 1, 0.0
    found = _COUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found or not 1 <= int(found[1]) <= 1000 or found[2] == "0":
        raise ValueError(f'must be how many replies within what time, such as "3/h" or "5/10min" (1 to 1000), not {_written(value)}')
    return int(found[1]), float(int(found[2] or 1) * _UNITS_S[found[3]])


def source_address(value: object) -> str:
    """A local address; "" for 0.0.0.0 and ::, the machine's choice."""
    address = read_address(value)
    return "" if address in ("0.0.0.0", "::") else address


def read_date(value: object) -> datetime.date:
    """A TOML date, without quotes."""
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
        raise ValueError(f"must be a date such as 2026-11-24, without quotes, not {_written(value)}")
    return value


def whole(low: int, high: int) -> Callable[[object], int]:
    """A whole number between two bounds."""

    def read(value: object) -> int:
        number = read_integer(value)
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}, not {number}")
        return number

    return read


def number(low: float, high: float) -> Callable[[object], float]:
    """A number between two bounds."""

    def read(value: object) -> float:
        found = read_number(value)
        if not low <= found <= high:
            raise ValueError(f"must be between {low:g} and {high:g}, not {found:g}")
        return found

    return read


def span(low_s: float, high_s: float) -> Callable[[object], float]:
    """A duration between two bounds."""

    def read(value: object) -> float:
        found = read_duration(value)
        if not low_s <= found <= high_s:
            raise ValueError(f"must be between {low_s:g} s and {high_s:g} s, not {value}")
        return found

    return read


def list_of(read_one: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    """A list with at least one entry."""

    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"must be a list in brackets, not {_written(value)}")
        if not value:
            raise ValueError("must have at least one entry")
        return tuple(read_one(entry) for entry in value)

    return read


def one_of(words: Callable[[], Collection[str]]) -> Callable[[object], str]:
    """One of a few words."""

    def read(value: object) -> str:
        text = read_text(value)
        if text not in words():
            raise ValueError(f'"{text}" is not known{meant(text, sorted(words()))}')
        return text

    return read


def _or_default(read: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: AS_DEFAULT if value == AS_DEFAULT else read(value)


def _or_none(read: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: NO_LIMIT if value == "none" else read(value)


def _words(value: object) -> str:
    text = read_text(value).lower()
    if len(text.strip()) < 3:
        raise ValueError(f'"{text}" is too short to tell one reply from another')
    return text


def _code(value: object) -> str:
    text = str(value) if isinstance(value, int) else read_text(value)
    if not re.fullmatch(r"[45][0-9]{0,2}", text, re.ASCII):
        raise ValueError(f'must be the beginning of a reply code of failure such as "421" or "45", not "{text}"')
    return text


def _enhanced(value: object) -> str:
    text = read_text(value)
    if not re.fullmatch(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}", text, re.ASCII):
        raise ValueError(f'must be an enhanced code such as "4.7.0", not "{text}"')
    return text


def _name(value: object) -> str:
    text = read_text(value)
    if not _NAME.fullmatch(text):
        raise ValueError(f'must be a short name in lower case such as "yahoo_complaints", not "{text}"')
    return text


def _host(value: object) -> str:
    name = read_hostname(value)
    if not name:
        raise ValueError("must name a host")
    return name


def _pattern(value: object) -> str:
    text = read_text(value)
    if not text:
        raise ValueError("must not be empty")
    return text


def _weighted(value: object) -> tuple[tuple[str, float], ...]:
    """["192.0.2.1", ...], or {"192.0.2.1" = 3, ...} with weights."""
    if isinstance(value, dict):
        pairs = tuple((source_address(address), number(0, 1000)(weight)) for address, weight in value.items())
    else:
        pairs = tuple((address, 1.0) for address in list_of(source_address)(value))
    if not pairs or len({address for address, _ in pairs}) < len(pairs):
        raise ValueError("must name at least one source, and each once")
    return pairs


def _categories() -> set[str]:
    return {rule.category for rule in reply_rules()} | {verdict.category for verdict in fault_verdicts().values()}


LIMITS: Final[dict[str, Key]] = {
    "connections": Key(_or_default(whole(1, 1000)), "connections"),
    "connection_rate": Key(_or_default(read_rate), "connections_per_s"),
    "messages_per_connection": Key(_or_default(whole(1, 100_000)), "messages_per_connection"),
    "message_rate": Key(_or_default(read_rate), "messages_per_s"),
    "burst": Key(_or_default(whole(1, 100_000)), "burst"),
}
PROVIDER_ONLY: Final = {"mx": Key(list_of(_host))}
TOTALS: Final = {"total_connections": Key(_or_none(whole(1, 100_000))), "total_message_rate": Key(read_rate), "total_burst": Key(whole(1, 100_000))}
LIMIT: Final = {
    "connections": Key(whole(1, 100_000)), "message_rate": Key(read_rate), "burst": Key(whole(1, 100_000)), "mx": Key(list_of(_host)),
    "domains": Key(list_of(_host)), "sources": Key(list_of(source_address)), "per": Key(one_of(lambda: ("source", "all"))),
}  # fmt: skip
POOL: Final = {
    "sources": Key(_weighted), "accounts": Key(list_of(_pattern)), "streams": Key(list_of(_pattern)), "campaigns": Key(list_of(_pattern)),
}  # fmt: skip
STREAM: Final = {"deliver_within": Key(span(0.1, 86_400))}
WARMUP: Final = {"started": Key(read_date)}
RAMP: Final = {
    "first_day": Key(whole(1, 1_000_000)), "growth": Key(number(1.01, 10)), "warm_at": Key(whole(1, 100_000_000)),
    "hold_deferred": Key(number(0, 1)), "stop_deferred": Key(number(0, 1)), "hold_bounced": Key(number(0, 1)), "stop_bounced": Key(number(0, 1)),
    "hold_complained": Key(number(0, 1)), "stop_complained": Key(number(0, 1)),
}  # fmt: skip
LOWERED: Final = ("connections", "connection_rate", "messages_per_connection", "message_rate")
"""What a rule can lower for a while."""
RULE: Final = {
    "name": Key(_name), "off": Key(read_flag), "providers": Key(list_of(_name)), "hosts": Key(list_of(_host)), "text": Key(list_of(_words)),
    "codes": Key(list_of(_code)), "enhanced": Key(list_of(_enhanced)), "categories": Key(list_of(one_of(_categories))),
    "stages": Key(list_of(one_of(lambda: STAGES))), "after": Key(read_count), "for": Key(span(1, 7 * 86_400)), "suspend": Key(one_of(lambda: SCOPES)),
    **{key: LIMITS[key] for key in LOWERED},
}  # fmt: skip


# -- telling --------------------------------------------------------------------------------------------------------------------

Lines = Mapping[tuple[str, ...], int]
"""Where sections and keys stand in a text: ("provider", "google", "mx") → line; the rows of [[rule]] are counted from 0."""


class Reader:
    """Reads tables of values and collects problems."""

    def __init__(self, lines: Lines, file: str) -> None:
        self.file = file
        self.problems: list[str] = []
        self._lines = lines
        self._troubled: set[tuple[str, ...]] = set()
        self._titles: dict[tuple[str, ...], str] = {}

    def where(self, path: tuple[str, ...]) -> str:
        """FILE:LINE of a section or key, or of what is around it; the file alone when the layout is too clever."""
        for length in range(len(path), 0, -1):
            if (line := self._lines.get(path[:length])) is not None:
                return f"{self.file}:{line}"
        return self.file

    def problem(self, path: tuple[str, ...], text: str) -> None:
        """Something is wrong with a section or key."""
        title = self._titles.get(path[:2])
        words = [title, *path[2:]] if title else [part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in path]
        line = f"{self.where(path)}: {'.'.join(words)}: {text}"
        self._troubled.add(path[:2])
        if line not in self.problems:
            self.problems.append(line)

    def sorted_problems(self) -> list[str]:
        """All problems in the order of the file."""
        return sorted(self.problems, key=self._line_of)

    def _line_of(self, problem: str) -> int:
        line = problem.removeprefix(f"{self.file}:").split(":", 1)[0]
        return int(line) if line.isdecimal() else 0

    def has_problem(self, path: tuple[str, ...]) -> bool:
        """True when something of this section was told already."""
        return path[:2] in self._troubled

    def read(self, path: tuple[str, ...], read: Callable[[object], Any], value: object) -> Any:
        """A value, or None and a problem."""
        try:
            return read(value)
        except ValueError as error:
            self.problem(path, str(error))
            return None

    def section(self, path: tuple[str, ...], value: object) -> dict[str, Any]:
        """The table at a path; {} and a problem for anything else."""
        if isinstance(value, dict):
            return value
        self.problem(path, f"is a section, to be written [{'.'.join(path)}]")
        return {}

    def sections(self, path: tuple[str, ...], value: object) -> list[tuple[str, dict[str, Any]]]:
        """The named tables below a path."""
        return [(name, self.section((*path, name), inner)) for name, inner in self.section(path, value).items()]

    def values(self, path: tuple[str, ...], given: Mapping[str, object], keys: Mapping[str, Key], *, ignore: Sequence[str] = (), quietly: bool = False,
               title: str = "") -> dict[str, Any]:  # fmt: skip
        """Key → value of those that can be used; the others become problems unless `quietly`: then they are told elsewhere."""
        if title:
            self._titles[path] = title
        found: dict[str, Any] = {}
        for name, value in given.items():
            if name in keys:
                try:
                    found[name] = keys[name].read(value)
                except ValueError as error:
                    if not quietly:
                        self.problem((*path, name), str(error))
            elif name not in ignore and not quietly:
                self.problem((*path, name), f"unknown key{meant(name, list(keys))}")
        return found


def meant(word: str, known: Sequence[str], *, only_close: bool = False) -> str:
    """The suggestion at the end of a problem."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return "" if only_close or not known else f"; known are {', '.join(known)}"


_HEADER: Final = re.compile(r"\s*\[(\[)?([^\]]*)\]")
_PART: Final = re.compile(r"\s*(?:([A-Za-z0-9_-]+)|\"([^\"]*)\"|'([^']*)')\s*")


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """Where the sections and keys of a TOML text stand. A guess by the look of the lines, good enough for pointing at them."""
    lines: dict[tuple[str, ...], int] = {}
    rows: dict[tuple[str, ...], int] = {}
    current: tuple[str, ...] = ()
    for count, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header and (parts := _parts(header[2])) and "=" not in line.split("]")[0]:
            if header[1]:
                rows[parts] = rows.get(parts, -1) + 1
                parts = (*parts, str(rows[parts]))
            current = parts
            for length in range(1, len(parts) + 1):
                lines.setdefault(parts[:length], count)
        elif "=" in line and (key := _parts(line.split("=", 1)[0])):
            for length in range(1, len(key) + 1):
                lines.setdefault((*current, *key[:length]), count)
    return lines


def _parts(text: str) -> tuple[str, ...]:
    """The parts of a dotted key; () when it is none."""
    parts: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        parts.append(match[1] or match[2] or match[3] or "")
        position = match.end()
        if position == len(text):
            return tuple(parts)
        if text[position] != ".":
            return ()
        position += 1
    return ()


def _written(value: object) -> str:
    """The value as the person wrote it, cut short."""
    if isinstance(value, str):
        return '"' + value[:60].encode("unicode_escape").decode() + '"'
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else str(value)[:60]
