"""S11, imports: a file is uploaded, looked at with its columns, then a job takes it in while its page shows how far it is."""

import io
from typing import Final

from starlette.responses import Response

from estafette.audience import ContactJob, JobOrders, JobStatus, ListAction
from estafette.newsletters.import_rows import ENCODINGS, problem_of
from estafette.newsletters.importing import MAX_STATEMENT, keep, look_through
from estafette.newsletters.job_entries import error_file
from estafette.newsletters.sheets import SheetError
from estafette.web.desk import HEADERS, NOT_FOUND, Refused, Visit
from estafette.web.languages import marked as _

MAX_FILE_BYTES: Final = 1_000_000_000
SHOWN_JOBS: Final = 50
LOOKED_AT: Final = 200_000
"""Octets of an upload that the preview reads; the rest is seen by the job."""
WORDS: Final = {
    JobStatus.WAITING: _("waiting"),
    JobStatus.RUNNING: _("under way"),
    JobStatus.COMPLETED: _("done"),
    JobStatus.FAILED: _("failed"),
    JobStatus.ABORTED: _("stopped"),
}
SEPARATORS: Final = {",": ",", ";": ";", "|": "|", "\t": "⇥"}


async def imports(visit: Visit) -> Response:
    """The jobs, and the form for a file."""
    return await _all(visit)


async def _all(visit: Visit, status: int = 200, problem: str = "") -> Response:
    jobs = await visit.store.contact_jobs.newest(visit.account_id, SHOWN_JOBS)
    return visit.page("imports.html", status, jobs=jobs, problem=problem, words=WORDS)


async def upload(visit: Visit) -> Response:
    """Keep the file; the page to look at it opens."""
    if visit.file is None:
        return await _all(visit, 422, "file")
    try:
        number = await keep(visit.store, visit.account_id, 0, visit.file, visit.now)
    except SheetError as error:
        return await _all(visit, 422, str(error))
    return visit.go(visit.url(f"imports/new/{number}"))


async def look(visit: Visit) -> Response:
    """What the first rows would become, with the encoding, separator and mapping that the address names."""
    return await _look(visit, _orders(visit, dict(visit.request.query_params)))


async def _look(visit: Visit, orders: JobOrders, status: int = 200, problem: str = "") -> Response:
    number = int(visit.request.path_params["id"])
    data = await visit.store.contact_jobs.uploaded(visit.account_id, number)
    if data is None:
        raise Refused(NOT_FOUND)
    head = data if len(data) <= LOOKED_AT else data[: data.rfind(b"\n", 0, LOOKED_AT) + 1 or LOOKED_AT]
    found = None
    try:
        found = await look_through(visit.store, visit.account_id, io.BytesIO(head), orders)
    except SheetError as error:
        problem = str(error)
    columns = [] if found is None else [
        (name, target, [row[at] for row in found.samples if at < len(row)][:3])
        for at, (name, target) in enumerate(zip(found.columns, found.properties, strict=True))
    ]  # fmt: skip
    lists = [one for one in await visit.store.contacts.lists(visit.account_id) if one.deleted_at is None]
    return visit.page(
        "import.html", status, number=number, found=found, columns=columns, lists=lists, orders=orders, problem=problem, encodings=ENCODINGS,
        separators=SEPARATORS, is_whole=len(head) == len(data), properties=await visit.store.contacts.properties(visit.account_id),
        list_id=orders.lists[0][0] if orders.lists else 0,
    )  # fmt: skip


async def begin(visit: Visit) -> Response:
    """Make the job."""
    orders = _orders(visit, {name: values[0] for name, values in visit.form.items()})
    number = int(visit.request.path_params["id"])
    if visit.given("order") == "look":
        return await _look(visit, orders)
    if not orders.lists:
        return await _look(visit, orders, 422, "list")
    if orders.lists[0][1] == ListAction.ADD_FORCE and not orders.statement:
        return await _look(visit, orders, 422, "statement")
    if await visit.store.contact_jobs.uploaded(visit.account_id, number) is None:
        raise Refused(NOT_FOUND)
    found = await visit.store.contacts.find_list(visit.account_id, orders.lists[0][0])
    if found is None or found.deleted_at is not None:
        return await _look(visit, orders, 422, "list")
    made = await visit.store.contact_jobs.create(ContactJob(0, visit.account_id, "csv", orders, number), visit.now)
    await visit.note("import", f"job {made.id}", found.name)
    return visit.go(visit.url(f"imports/{made.id}"), "import_begun")


def _orders(visit: Visit, given: dict[str, str]) -> JobOrders:
    """As the form says; what is wrong in it is guessed again."""
    number, action = visit.number(given.get("list", "")), given.get("action", "")
    lists = ((number, action if action in set(ListAction) else ListAction.ADD_NO_FORCE.value),) if number else ()
    columns = [int(name[2:]) for name in given if name.startswith("c-") and name[2:].isascii() and name[2:].isdigit() and len(name) < 7]
    mapping = tuple((given[f"c-{at}"][:500], given.get(f"m-{at}", "").strip()[:100]) for at in sorted(columns))
    statement = given.get("statement", "").strip()[:MAX_STATEMENT]
    orders = JobOrders(lists, given.get("known") == "keep", None, 0, (), 0, "", given.get("encoding", ""), given.get("separator", ""), mapping, statement)
    return JobOrders(lists, orders.keeps_known, mapping=mapping, statement=statement) if problem_of(orders) else orders


async def job(visit: Visit) -> Response:
    """How far one is."""
    found = await _found(visit)
    failed = await visit.store.contact_jobs.errors(visit.account_id, found.id, limit=20) if found.errors else []
    return visit.page("job.html", job=found, failed=failed, words=WORDS, is_open=found.status in (JobStatus.WAITING, JobStatus.RUNNING))


async def change(visit: Visit) -> Response:
    """Let it wait, go on, or end."""
    found, order = await _found(visit), visit.given("order")
    if order in ("pause", "resume"):
        await visit.store.contact_jobs.pause(visit.account_id, found.id, is_paused=order == "pause")
    elif order == "abort":
        await visit.store.contact_jobs.abort(visit.account_id, found.id, visit.now)
    else:
        raise Refused(400)
    await visit.note(f"import.{order}", f"job {found.id}")
    return visit.go(visit.url(f"imports/{found.id}"), "job_changed")


async def errors(visit: Visit) -> Response:
    """What was not taken, as CSV."""
    found = await _found(visit)
    body = error_file(await visit.store.contact_jobs.errors(visit.account_id, found.id))
    return Response(body, 200, HEADERS | {"Content-Disposition": f'attachment; filename="estafette-import-{found.id}-errors.csv"'}, "text/csv; charset=utf-8")


async def _found(visit: Visit) -> ContactJob:
    found = await visit.store.contact_jobs.find(visit.account_id, int(visit.request.path_params["id"]))
    if found is None:
        raise Refused(NOT_FOUND)
    return found
