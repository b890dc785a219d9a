"""Turns the text of a configuration file and the environment into typed sections, and says in one go everything that is wrong. Pure.

A section is a frozen dataclass whose fields come from `setting`. This module knows how to read *any* tree of such sections; which sections
and keys exist is in `config.py`. A problem names the file, the line, the key, what is wrong and, for a misspelt key, the likely one.
"""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from estafette.quantities import Kind

PREFIX = "ESTAFETTE_"
T = TypeVar("T")


class ConfigError(Exception):
    """The configuration cannot be used; `problems` has one line for each thing to repair."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the reference: everything that is to be known about a key."""

    key: str  # as written in the file; the attribute's name without its unit
    kind: Kind
    default: Any  # as a person would write it
    help: str
    low: float | None = None  # smallest and largest value, in the attribute's unit
    high: float | None = None
    secret: bool = False  # never printed


def setting(kind: Kind, default: Any, help: str, *, low: Any = None, high: Any = None, secret: bool = False) -> Any:
    """A field of a section: `default`, `low` and `high` are written as a person would write them in the file."""
    element = kind.read if not kind.name.startswith("list of") else lambda value: kind.read([value])[0]
    row = Setting("", kind, default, help, None if low is None else element(low), None if high is None else element(high), secret)
    return dataclasses.field(default=kind.read(default), metadata={"setting": row}, repr=not secret)


def settings_of(section: type) -> Iterator[tuple[str, Setting]]:
    """(attribute, row) of every key of a section, in order."""
    for entry in dataclasses.fields(section):
        row: Setting = entry.metadata["setting"]
        yield entry.name, dataclasses.replace(row, key=entry.name.removesuffix(row.kind.suffix) if row.kind.suffix else entry.name)


def sections_of(tree: type) -> dict[str, type]:
    """Section name → its dataclass, in order."""
    return {entry.name: entry.type for entry in dataclasses.fields(tree) if isinstance(entry.type, type)}


def variable(section: str, key: str) -> str:
    """The environment variable that overrides a key."""
    return f"{PREFIX}{section}_{key}".upper()


def read(tree: type[T], text: str, file: str, environ: Mapping[str, str]) -> T:
    """The tree with the values of a TOML text, overridden by the environment; ConfigError lists every problem found."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}: not valid TOML: {error}"]) from None
    problems: list[str] = []
    sections = sections_of(tree)
    for name, value in given.items():
        if name not in sections:
            hint = _did_you_mean(name, sections) if isinstance(value, dict) else _belongs_to(name, sections)
            problems.append(f"{file}:{_line_of(text, name, None)}: [{name}]: unknown section{hint}" if isinstance(value, dict)
                            else f"{file}:{_line_of(text, '', name)}: {name}: stands outside of any section{hint}")  # fmt: skip
        elif not isinstance(value, dict):
            problems.append(f"{file}:{_line_of(text, '', name)}: {name}: is a section, to be written [{name}]")
            given[name] = {}
    problems += _unknown_variables(sections, environ)
    built = {
        name: _section(section, given.get(name, {}), lambda key, name=name: f"{file}:{_line_of(text, name, key)}: {name}.{key}", name, environ, problems)
        for name, section in sections.items()
    }
    if problems:
        raise ConfigError(problems)
    return tree(**built)


def _section(section: type, given: dict[str, object], place: Any, name: str, environ: Mapping[str, str], problems: list[str]) -> Any:
    rows = {row.key: (attribute, row) for attribute, row in settings_of(section)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in rows:
            problems.append(f"{place(key)}: unknown key{_did_you_mean(key, rows)}")
            continue
        attribute, row = rows[key]
        _take(values, attribute, row, value, place(key), problems)
    for key, (attribute, row) in rows.items():
        named = variable(name, key)
        if named in environ:
            raw = environ[named]
            value = [entry.strip() for entry in raw.split(",") if entry.strip()] if row.kind.name.startswith("list of") else raw
            _take(values, attribute, row, value, named, problems)
    return section(**values)


def _take(values: dict[str, Any], attribute: str, row: Setting, value: object, place: str, problems: list[str]) -> None:
    try:
        read_value = row.kind.read(value)
        for entry in read_value if isinstance(read_value, tuple) else (read_value,):
            _check_range(row, entry)
    except ValueError as error:
        text = str(error) if not row.secret else str(error).split(", not ")[0]
        problems.append(f"{place}: {text}")
    else:
        values[attribute] = read_value


def _check_range(row: Setting, value: Any) -> None:
    unit = {"_s": " s", "_bytes": " octets"}.get(row.kind.suffix, "")
    if row.low is not None and value < row.low:
        raise ValueError(f"must be at least {row.low:g}{unit}, not {value:g}")
    if row.high is not None and value > row.high:
        raise ValueError(f"must be at most {row.high:g}{unit}, not {value:g}")


def _unknown_variables(sections: dict[str, type], environ: Mapping[str, str]) -> list[str]:
    """Variables that name a section of ours but no key of it; other ESTAFETTE_ variables are none of our business."""
    problems = []
    for name in sorted(environ):
        for section, tree in sections.items():
            if name.startswith(f"{PREFIX}{section}_".upper()):
                known = [variable(section, row.key) for _, row in settings_of(tree)]
                if name not in known:
                    problems.append(f"{name}: unknown variable{_did_you_mean(name, known)}")
    return problems


def _did_you_mean(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _belongs_to(key: str, sections: dict[str, type]) -> str:
    homes = [name for name, section in sections.items() if any(row.key == key for _, row in settings_of(section))]
    return f"; it belongs under [{homes[0]}]" if homes else ""


_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')")
_KEY = re.compile(r"\s*(?:([A-Za-z0-9_-]+)|\"([^\"]*)\"|'([^']*)')\s*(?:\.\s*([A-Za-z0-9_-]+)\s*)?[=.]")


def _line_of(text: str, section: str, key: str | None) -> int:
    """The line on which a section (key None) or one of its keys stands; 1 when the layout is too clever to tell."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header and "=" not in line.split("]")[0]:
            current = header[1].strip("\"'")
            if key is None and current == section:
                return number
            continue
        found = _KEY.match(line)
        if found:
            name = found[1] or found[2] or found[3] or ""
            if (key is not None and current == section and name == key) or (current == "" and name == section and key in (None, found[4])):
                return number
    return 1
