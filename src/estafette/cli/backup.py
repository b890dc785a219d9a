"""Commands about copies of the database: backup, restore."""

from pathlib import Path

import click

from estafette.cli.ground import PROBLEM, UNREACHABLE, USAGE, Ground, fail, options
from estafette.cli.printing import print_json
from estafette.store.backup import copy_database, put_back
from estafette.store.seam import Store, StoreFault


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options
def backup(ground: Ground, file: Path) -> None:
    """Copy the SQLite database into FILE while Estafette runs. The key file of the database is not in it: keep that one apart.

    Of a PostgreSQL database make copies with its own tools (pg_basebackup with archived WAL, or pg_dump).

    Example: estafette backup /var/backups/estafette.db
    """
    database = ground.config.database.sqlite_path
    if database is None:
        fail(USAGE, "PostgreSQL is copied with its own tools: pg_basebackup with archived WAL, or pg_dump")
    try:
        size = copy_database(database, file)
    except StoreFault as fault:
        fail(UNREACHABLE, str(fault))
    if ground.is_json:
        print_json({"file": str(file), "size": size})
    else:
        click.echo(f"{file}: {size} octets")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--in-place", "is_in_place", is_flag=True, help="The database was put back already, by other means (PostgreSQL's).")
@options
def restore(ground: Ground, file: Path | None, is_in_place: bool) -> None:
    """Put a copy of the database back, and hold every message that waits in it: it may have been sent after the copy was made, and is not sent again
    before somebody says so (estafette queue held, release, drop). What was accepted after the copy was made is not in it.

    Estafette must not be running.

    \b
    Examples: estafette restore /var/backups/estafette.db
              estafette restore --in-place
    """
    if (file is None) != is_in_place:
        fail(USAGE, "say what to put back: a FILE, or --in-place when PostgreSQL's own tools did it")
    database = ground.config.database.sqlite_path
    if file is not None:
        if database is None:
            fail(USAGE, "PostgreSQL is put back with its own tools; then run: estafette restore --in-place")
        if database.exists() and ground.run(lambda store: _is_served(store, ground.clock.now_us())):
            fail(PROBLEM, "estafette serve is running: stop it first")
        try:
            put_back(file, database)
        except StoreFault as fault:
            fail(UNREACHABLE, str(fault))
    count = ground.run(lambda store: store.held.hold_restored(ground.clock.now_us()))
    if ground.is_json:
        print_json({"held": count})
    else:
        click.echo(f"restored; {count} message{'' if count == 1 else 's'} held: estafette queue held lists them")


async def _is_served(store: Store, now: int) -> bool:
    return any(worker.lease_until > now for worker in await store.workers())
