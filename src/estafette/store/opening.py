"""Opens a store from its URL: `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://user@host/database`."""

import asyncio
from pathlib import Path
from urllib.parse import unquote

from estafette.clock import Clock
from estafette.store.database import Database
from estafette.store.driver import Driver
from estafette.store.seam import Policy, StoreFault
from estafette.store.sqlite import SqliteDriver


async def open_store(url: str, policy: Policy, clock: Clock, connections: int = 6) -> Database:
    """Connect and migrate. Raises StoreFault with what is wrong and ValueError for a URL of neither kind.

    `connections`: at most so many to PostgreSQL (`database.connections`); SQLite has no such thing.
    """
    driver: Driver
    if url.startswith("sqlite:///"):
        path = Path(unquote(url.removeprefix("sqlite:///")))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreFault(f"cannot make the folder of {path}: {error}") from error
        driver = await asyncio.to_thread(SqliteDriver, str(path), clock.now_us)
    elif url.startswith(("postgresql://", "postgres://")):
        try:
            from estafette.store.postgres import PostgresDriver
        except ImportError as error:
            raise StoreFault("PostgreSQL needs the extra: pip install 'estafette[postgres]'") from error
        driver = await PostgresDriver.open(url, clock.now_us(), connections)
    else:
        raise ValueError(f"database url must begin with sqlite:/// or postgresql://, not {url!r}")
    return Database(driver, policy)
