"""Commands that bring contacts in and out: import, export, job."""

import asyncio
import csv
import sys
from dataclasses import replace
from typing import IO, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from estafette.audience import ContactJob, ContactList, JobOrders, JobStatus, ListAction
from estafette.cli.ground import NOT_FOUND, PROBLEM, USAGE, Ground, account_or_only, fail, options
from estafette.cli.printing import at, print_facts, print_json, print_table
from estafette.model import Account
from estafette.newsletters.contact_values import shown_value
from estafette.newsletters.import_rows import ENCODINGS, problem_of
from estafette.newsletters.importing import MAX_STATEMENT, Preview, look_through, take_in
from estafette.newsletters.job_entries import error_file
from estafette.newsletters.jobs import Jobber
from estafette.newsletters.sheets import SheetError
from estafette.store.seam import Store

ACCOUNT: Final = click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
OPEN: Final = (JobStatus.WAITING, JobStatus.RUNNING)


def bar(label: str) -> Progress:
    """A bar on standard error, nothing when nobody looks at a terminal."""
    return Progress(TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True),
                    disable=not sys.stderr.isatty(), transient=True)  # fmt: skip


async def list_named(store: Store, account: Account, name: str) -> ContactList:
    """The list of that name or number, or the end of the command."""
    lists = [one for one in await store.contacts.lists(account.id) if one.deleted_at is None]
    found = next((one for one in lists if one.name == name), None) or next((one for one in lists if str(one.id) == name), None)
    if found is None:
        fail(NOT_FOUND, f"{account.name} has no list {name!r}; it has {', '.join(one.name for one in lists[:10]) or 'none'}")
    return found


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--list", "list_name", metavar="LIST", help="Name or number of the list; made when --create is given. None: contacts only.")
@click.option("--create", is_flag=True, help="Make the list when there is none of that name.")
@click.option("--map", "maps", multiple=True, metavar="COLUMN=PROPERTY",
              help="Put a column into a property; 'email' for the address, nothing to leave it out.")  # fmt: skip
@click.option("--action", type=click.Choice([action.value for action in ListAction]), default=ListAction.ADD_NO_FORCE.value, show_default=True,
              help="addforce also brings back who unsubscribed.")  # fmt: skip
@click.option("--statement", default="", metavar="TEXT", help="How these people agreed; kept as a proof with each. Needed for addforce.")
@click.option("--keep-known", is_flag=True, help="Contacts that exist keep what is known of them.")
@click.option("--encoding", type=click.Choice(ENCODINGS), help="Guessed when not given.")
@click.option("--separator", metavar="SIGN", help="Of the columns; guessed when not given. 'tab' for a tab.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@ACCOUNT
@options
def import_(ground: Ground, file: IO[bytes], list_name: str | None, create: bool, maps: tuple[str, ...], action: str, statement: str,
            keep_known: bool, encoding: str | None, separator: str | None, dry_run: bool, account_name: str | None) -> None:  # fmt: skip
    """Import contacts from FILE: CSV, TSV, XLSX, or a ZIP of one of the first two.

    What cannot be taken is passed over, each with its reason: estafette job errors ID. Interrupted, the import goes on with the next worker.

    Example: estafette import people.xlsx --list Customers --map "First name=firstname" --dry-run
    """
    pairs = tuple((name.strip(), wanted.strip()) for name, _, wanted in (one.rpartition("=") for one in maps))
    orders = JobOrders(keeps_known=keep_known, encoding=encoding or "", separator={"tab": "\t"}.get(separator or "", separator or ""), mapping=pairs,
                       method=action, statement=statement.strip()[:MAX_STATEMENT])  # fmt: skip
    for name, problem in problem_of(orders).items():
        fail(USAGE, f"--{name}: {problem}")
    if action == ListAction.ADD_FORCE and not statement.strip() and not dry_run:
        fail(USAGE, "--statement: how did those who had unsubscribed ask for it again?")

    async def work(store: Store) -> Preview | ContactJob:
        account = await account_or_only(store, account_name)
        lists: tuple[tuple[int, str], ...] = ()
        if list_name and create and not dry_run:
            await store.contacts.create_list(account.id, list_name, ground.clock.token_bytes(5).hex(), ground.clock.now_us())
        if list_name and not (create and dry_run):
            lists = (((await list_named(store, account, list_name)).id, action),)
        if dry_run:
            return await look_through(store, account.id, file, orders)
        job = await take_in(store, account.id, file, replace(orders, lists=lists), ground.clock.now_us())
        return await _watched(ground, store, job)

    try:
        done = ground.run(work)
    except SheetError as error:
        fail(PROBLEM, f"{file.name}: {error}")
    if isinstance(done, Preview):
        _show_preview(ground, done)
        return
    _show_jobs(ground, [done])
    if done.status is not JobStatus.COMPLETED:
        raise SystemExit(PROBLEM)


async def _watched(ground: Ground, store: Store, job: ContactJob) -> ContactJob:
    """Work on it here, unless a worker of the running platform was faster; until it is over or paused."""
    jobber = Jobber(store, ground.clock, -int.from_bytes(ground.clock.token_bytes(4)) - 1)
    with bar("import") as progress:
        shown = progress.add_task("import", total=None)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(jobber.work(job.id))
            while job.status in OPEN and not job.is_paused:
                await asyncio.wait([working], timeout=0.3)
                job = await store.contact_jobs.find(job.account_id, job.id) or job
                progress.update(shown, completed=job.done, total=job.total or None)
                if working.done() and job.status in OPEN:
                    await asyncio.sleep(0.3)
    return job


def _show_preview(ground: Ground, found: Preview) -> None:
    columns = [(name, wanted, [row[i] for row in found.samples if i < len(row)])
               for i, (name, wanted) in enumerate(zip(found.columns, found.properties, strict=True))]  # fmt: skip
    new = found.rows - found.errors - found.known - found.repeated
    counts = {"rows": found.rows, "new": new, "known": found.known, "repeated": found.repeated, "errors": found.errors}
    errors = [{"row": one.position, "reason": one.reason} for one in found.first_errors]
    if ground.is_json:
        rows = [{"column": name, "property": wanted, "new": wanted in found.new_properties, "samples": samples} for name, wanted, samples in columns]
        print_json({**counts, "columns": rows, "first_errors": errors})
        return
    print_table(("column", "property", "samples"),
                [(name, f"{wanted or '(left out)'}{' (new)' if wanted in found.new_properties else ''}", ", ".join(samples)[:80])
                 for name, wanted, samples in columns])  # fmt: skip
    click.echo("")
    print_facts(counts)
    for error in errors:
        click.echo(f"row {error['row']}: {error['reason']}")


def _show_jobs(ground: Ground, jobs: list[ContactJob]) -> None:
    rows = [{"id": one.id, "kind": one.kind, "status": "paused" if one.is_paused and one.status in OPEN else one.status.value, "done": one.done,
             "errors": one.errors, "problem": one.problem, "created_at": at(one.created_at), "ended_at": at(one.ended_at)} for one in jobs]  # fmt: skip
    if ground.is_json:
        for row in rows:
            print_json(row)
    else:
        heads = ("id", "kind", "status", "done", "errors", "created_at", "problem")
        print_table(heads, [[row[head] for head in heads] for row in rows], empty="no jobs")


@click.group()
def job() -> None:
    """Imports and other work on many contacts."""


@job.command("list")
@ACCOUNT
@options
def job_list(ground: Ground, account_name: str | None) -> None:
    """List jobs on contacts.

    Example: estafette job list --json
    """

    async def work(store: Store) -> list[ContactJob]:
        return await store.contact_jobs.page((await account_or_only(store, account_name)).id)

    _show_jobs(ground, ground.run(work))


@job.command("errors")
@click.argument("job_id", type=int, metavar="ID")
@ACCOUNT
@options
def job_errors(ground: Ground, job_id: int, account_name: str | None) -> None:
    """Print what a job could not take, as CSV: position, entry, error. Cells that a spreadsheet would take for formulas are made harmless.

    Example: estafette job errors 3 > errors.csv
    """

    async def work(store: Store) -> bytes:
        return error_file(await store.contact_jobs.errors((await account_or_only(store, account_name)).id, job_id))

    click.echo(ground.run(work).decode(), nl=False)


@job.command("pause")
@click.argument("job_id", type=int, metavar="ID")
@ACCOUNT
@options
def job_pause(ground: Ground, job_id: int, account_name: str | None) -> None:
    """Let a job wait before its next piece.

    Example: estafette job pause 3
    """
    _turn(ground, account_name, job_id, "pause")


@job.command("resume")
@click.argument("job_id", type=int, metavar="ID")
@ACCOUNT
@options
def job_resume(ground: Ground, job_id: int, account_name: str | None) -> None:
    """Let a paused job go on where it stood.

    Example: estafette job resume 3
    """
    _turn(ground, account_name, job_id, "resume")


@job.command("cancel")
@click.argument("job_id", type=int, metavar="ID")
@ACCOUNT
@options
def job_cancel(ground: Ground, job_id: int, account_name: str | None) -> None:
    """End a job before its next piece; what it did stays.

    Example: estafette job cancel 3
    """
    _turn(ground, account_name, job_id, "cancel")


def _turn(ground: Ground, account_name: str | None, job_id: int, what: str) -> None:
    async def work(store: Store) -> ContactJob:
        account = await account_or_only(store, account_name)
        if what == "cancel":
            is_done = await store.contact_jobs.abort(account.id, job_id, ground.clock.now_us())
        else:
            is_done = await store.contact_jobs.pause(account.id, job_id, is_paused=what == "pause")
        found = await store.contact_jobs.find(account.id, job_id)
        if found is None:
            fail(NOT_FOUND, f"{account.name} has no job {job_id}")
        if not is_done:
            fail(PROBLEM, f"job {job_id} cannot {what}: it is {'paused' if found.is_paused else found.status.value}")
        return found

    _show_jobs(ground, [ground.run(work)])


@click.command()
@click.option("--list", "list_name", metavar="LIST", help="Only this list's contacts.")
@click.option("--output", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="A file; standard output when not given.")
@ACCOUNT
@options
def export(ground: Ground, list_name: str | None, output: IO[str], account_name: str | None) -> None:
    """Write contacts with their properties as CSV, with --json one object per line.

    Cells that a spreadsheet would take for formulas are led by an apostrophe.

    Example: estafette export --list Customers --output customers.csv
    """

    async def work(store: Store) -> None:
        account = await account_or_only(store, account_name)
        chosen = await list_named(store, account, list_name) if list_name else None
        properties = await store.contacts.properties(account.id)
        total = chosen.subscribers if chosen else await store.contacts.count(account.id)
        writer, after = csv.writer(output, lineterminator="\n"), 0
        if not ground.is_json:
            writer.writerow(["email", "name", "excluded", *(one.name for one in properties)])
        with bar("export") as progress:
            shown = progress.add_task("export", total=total)
            while page := await (store.contacts.of_list(account.id, chosen.id, after=after, is_unsubscribed=False) if chosen
                                 else store.contacts.page(account.id, after=after)):  # fmt: skip
                for one in page:
                    values = {p.name: shown_value(p.kind, one.properties[p.id]) if p.id in one.properties else "" for p in properties}
                    if ground.is_json:
                        print_json({"email": one.address, "name": one.name, "excluded": one.is_excluded, "properties": values})
                    else:
                        cells = [one.address, one.name, str(one.is_excluded).lower(), *values.values()]
                        writer.writerow(["'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and cell else cell for cell in cells])
                after = page[-1].id
                progress.update(shown, advance=len(page))

    ground.run(work)
