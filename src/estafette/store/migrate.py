"""Numbered, forward-only migrations with checksums; what a driver has to run to bring a database up to date.

Each `migrations/NNNN_name.sql` is applied once, in a transaction together with the record that it ran. A file that changed after it was
applied stops the start: the schema would no longer be what the files say.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

CREATE_RECORD = "CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at BIGINT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sha256: str  # of the file as shipped
    statements: tuple[str, ...]  # for one dialect


class MigrationError(Exception):
    """The database and the shipped migrations disagree; a person must look."""


def load(dialect: str) -> list[Migration]:
    """All migrations in order, their statements made for `dialect`. A semicolon ends a statement, `\\;` stands for itself (in a procedure)."""
    found = []
    for file in resources.files("estafette.store").joinpath("migrations").iterdir():
        named = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", file.name)
        if named:
            text = file.read_text("utf-8")
            digest = hashlib.sha256(text.encode()).hexdigest()
            found.append(Migration(int(named[1]), named[2], digest, tuple(_statements(text, dialect))))
    return sorted(found, key=lambda m: m.number)


def pending(migrations: list[Migration], applied: list[tuple[int, str]]) -> list[Migration]:
    """Those still to be run, given the (number, sha256) rows of the database."""
    known = {m.number: m for m in migrations}
    for number, digest in applied:
        if number not in known:
            raise MigrationError(f"the database has migration {number:04}, which this version does not know: it was made by a newer Estafette")
        if known[number].sha256 != digest:
            raise MigrationError(f"migration {number:04} was changed after it had been applied")
    done = {number for number, _ in applied}
    return [m for m in migrations if m.number not in done]


def _statements(text: str, dialect: str) -> list[str]:
    marker, other = ("--pg ", "--lite ") if dialect == "postgres" else ("--lite ", "--pg ")
    lines = []
    for line in text.splitlines():
        if line.startswith(other):
            continue
        line = line.removeprefix(marker)
        lines.append(line.split("-- ", 1)[0].rstrip() if "-- " in line else line)
    sql = "\n".join(lines)
    if dialect == "sqlite":
        sql = sql.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY").replace("BYTEA", "BLOB")
    return [s.strip().replace("\\;", ";") for s in re.split(r"(?<!\\);", sql) if s.strip()]
