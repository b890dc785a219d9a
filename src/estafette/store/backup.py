"""Copies of a SQLite database while it is in use, and putting one back. PostgreSQL has its own tools for both."""

import os
import shutil
import sqlite3
from pathlib import Path

from estafette.store.seam import StoreFault


def copy_database(database: Path, target: Path) -> int:
    """Write a consistent copy of a database that others may be writing; its size. Raises StoreFault, and leaves nothing behind then."""
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        finally:
            connection.close()
        os.chmod(unfinished, 0o600)
        _settle(unfinished, target)
        return target.stat().st_size
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise StoreFault(f"cannot copy {database} to {target}: {error}") from error


def put_back(copy: Path, database: Path) -> None:
    """Make a copy the database. Nobody may have it open. Raises StoreFault; what was there before is still there then."""
    unfinished = database.with_name(database.name + ".unfinished")
    try:
        connection = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
        try:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            connection.execute("SELECT count(*) FROM migration").fetchone()
        finally:
            connection.close()
        if found != "ok":
            raise StoreFault(f"{copy} is damaged: {found}")
        database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, unfinished)
        os.chmod(unfinished, 0o600)
        for name in (f"{database}-wal", f"{database}-shm"):  # of the database that is replaced
            Path(name).unlink(missing_ok=True)
        _settle(unfinished, database)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise StoreFault(f"cannot put {copy} back as {database}: {error}") from error


def _settle(unfinished: Path, target: Path) -> None:
    """Onto stable storage, then under its name."""
    with open(unfinished, "rb") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
