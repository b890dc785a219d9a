"""Work on many contacts by API: managemanycontacts, importlist, csvimport, and the raw data that they take and give. The work itself is
`newsletters/jobs.py`'s."""

import io
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from estafette.api.body import Hold, read_body
from estafette.api.desk import Desk, answer
from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found, refused
from estafette.api.rest.people import LIST_ACTION, read_list_actions
from estafette.api.rest.reading import date, invalid, number_of
from estafette.api.rest.resource import Action, Filter, Found, Kind, Property, Reply, Resource, Row, fixed, shown
from estafette.audience import ContactJob, JobOrders, JobStatus, ListAction
from estafette.clock import SECOND_US
from estafette.model import Account
from estafette.newsletters.importing import keep
from estafette.newsletters.job_entries import error_file
from estafette.newsletters.sheets import SheetError

STATUSES: Final = {
    JobStatus.WAITING: "Upload", JobStatus.RUNNING: "Importing", JobStatus.COMPLETED: "Completed", JobStatus.FAILED: "Error", JobStatus.ABORTED: "Abort",
}  # fmt: skip
MAX_ENTRIES: Final = 50_000
MAX_COLUMNS: Final = 200
METHODS: Final = (*ListAction, "excludemarketing", "includemarketing")
_EXCLUDES: Final = {"excludemarketing": True, "includemarketing": False}


def job_row(job: ContactJob) -> Row:
    """A job as the actions show it."""
    return {
        "Count": job.done, "Error": job.problem or (f"{job.errors} entries could not be taken" if job.errors else ""),
        "ErrorFile": f"/v3/DATA/batchjob/{job.id}/CSVError/text:csv" if job.errors else "", "JobEnd": date(job.ended_at), "JobStart": date(job.started_at),
        "Status": STATUSES[job.status],
    }  # fmt: skip


async def _start(call: Call, kind: str, orders: JobOrders, data: bytes, total: int) -> Reply:
    for number, _ in orders.lists:
        found = await call.store.contacts.find_list(call.account_id, number)
        if found is None or found.deleted_at is not None:
            raise refused(f"There is no contact list {number}.")
    job = await call.store.contact_jobs.create(ContactJob(0, call.account_id, kind, orders, total=total), call.now, data)
    return Reply(201, [{"JobID": job.id}])


async def _shown_job(call: Call) -> Reply:
    job = await call.store.contact_jobs.find(call.account_id, number_of(call.action_id)) if number_of(call.action_id) else None
    if job is None:
        raise not_found()
    return Reply(200, [job_row(job)])


def _contacts_of(call: Call) -> list[Any]:
    contacts: list[Any] = call.values["Contacts"]
    if not contacts or len(contacts) > MAX_ENTRIES:
        raise invalid({"Contacts": f"one to {MAX_ENTRIES} contacts are expected"})
    return contacts


async def _many_of_account(call: Call) -> Reply:
    if call.action_id:
        raise not_found()
    contacts = _contacts_of(call)
    lists = read_list_actions(call.values["ContactsLists"]) if call.values.get("ContactsLists") else {}
    orders = JobOrders(tuple((number, action.value) for number, action in lists.items()), method="managemanycontacts")
    return await _start(call, "contacts", orders, msgspec.json.encode(contacts), len(contacts))


async def _many_of_list(call: Call) -> Reply:
    contacts = _contacts_of(call)
    method: str = call.values["Action"]
    lists = () if method in _EXCLUDES else ((_list_number(call), method),)
    return await _start(call, "contacts", JobOrders(lists, excludes=_EXCLUDES.get(method), method=method), msgspec.json.encode(contacts), len(contacts))


def _list_number(call: Call) -> int:
    number = number_of(call.key)
    if not number:
        raise not_found()
    return number


async def _import_list(call: Call) -> Reply:
    """`duplicate-override` copies subscriptions over those that are there, `duplicate-no-override` leaves those alone."""
    target, source = _list_number(call), call.values["ListID"]
    method: str = call.values["Action"]
    if await call.store.contacts.find_list(call.account_id, source) is None:
        raise refused(f"There is no contact list {source}.")
    action = {"duplicate-override": ListAction.ADD_FORCE.value, "duplicate-no-override": ListAction.ADD_NO_FORCE.value}.get(method, method)
    return await _start(call, "list", JobOrders(((target, action),), source_list=source, method=method), b"", 0)


MANAGE_MANY_OF_ACCOUNT: Final = Action("managemanycontacts", "Make or change many contacts, and put them on lists or take them off: a job.", (
    Property("Contacts", Kind.LIST, "Objects with Email, Name, IsExcludedFromCampaigns, Properties.", on_create=True, is_required=True),
    Property("ContactsLists", Kind.LIST, "Objects with ListID and Action.", on_create=True),
), on_all=True, get=_shown_job, post=_many_of_account)  # fmt: skip
MANAGE_MANY_OF_LIST: Final = Action("managemanycontacts", "The same for one list: a job.", (
    Property("Contacts", Kind.LIST, "Objects with Email, Name, Properties.", on_create=True, is_required=True),
    Property("Action", LIST_ACTION.kind, LIST_ACTION.about, on_create=True, is_required=True, choices=METHODS),
), get=_shown_job, post=_many_of_list)  # fmt: skip
IMPORT_LIST: Final = Action("importlist", "Take over the contacts of another list who have not unsubscribed there: a job.", (
    Property("ListID", Kind.INT, "The other list.", on_create=True, is_required=True),
    Property("Action", Kind.STR, on_create=True, is_required=True, choices=("addforce", "addnoforce", "unsub", "duplicate-override", "duplicate-no-override")),
), get=_shown_job, post=_import_list)  # fmt: skip


# -- csvimport --------------------------------------------------------------------------------------------------------------


def _unix(at_us: int | None) -> int:
    return 0 if at_us is None else at_us // SECOND_US


def _import_row(job: ContactJob) -> Row:
    list_id = job.orders.lists[0][0] if job.orders.lists else 0
    return {
        "AliveAt": _unix(job.ended_at or job.started_at), "ContactsListID": list_id, "Count": job.total, "Current": job.done, "DataID": job.upload_id,
        "ErrTreshold": job.orders.max_errors, "Errcount": job.errors, "ID": job.id, "ImportOptions": "", "JobEnd": _unix(job.ended_at),
        "JobStart": _unix(job.started_at), "Method": job.orders.method, "RequestAt": _unix(job.created_at), "Status": STATUSES[job.status],
    }  # fmt: skip


async def _imports(call: Call) -> Found:
    return arrange([_import_row(job) for job in await call.store.contact_jobs.page(call.account_id, "csv")], call.listing, ("Status", "Method"))


async def _find_import(call: Call) -> ContactJob | None:
    job = await call.store.contact_jobs.find(call.account_id, number_of(call.key)) if number_of(call.key) else None
    return job if job is not None and job.kind == "csv" else None


async def _import(call: Call) -> Row | None:
    job = await _find_import(call)
    return _import_row(job) if job else None


async def _create_import(call: Call) -> Row:
    given = call.values
    method, list_id = given["Method"], given.get("ContactsListID", 0)
    if method in _EXCLUDES and list_id:
        raise refused(f"MJ08 Property ContactsListID is invalid: it must not be given with the method {method}")
    if method not in _EXCLUDES and not list_id:
        raise invalid({"ContactsListID": "mandatory property is missing"})
    if await call.store.contact_jobs.uploaded(call.account_id, given["DataID"]) is None:
        raise invalid({"DataID": "there is no such data"})
    if list_id:
        found = await call.store.contacts.find_list(call.account_id, list_id)
        if found is None or found.deleted_at is not None:
            raise invalid({"ContactsListID": "there is no such list"})
    orders = JobOrders(
        ((list_id, method),) if list_id else (), excludes=_EXCLUDES.get(method), field_names=_field_names(given.get("ImportOptions", "")),
        max_errors=given.get("ErrTreshold", 0), method=method,
    )  # fmt: skip
    return _import_row(await call.store.contact_jobs.create(ContactJob(0, call.account_id, "csv", orders, given["DataID"]), call.now))


def _field_names(options: str) -> tuple[str, ...]:
    """Of ImportOptions, a JSON object in a text."""
    if not options.strip():
        return ()
    try:
        given = {str(name).lower(): value for name, value in msgspec.json.decode(options.encode(), type=dict).items()}
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        raise invalid({"ImportOptions": "a JSON object is expected"}) from None
    names = given.get("fieldnames", [])
    if not isinstance(names, list) or len(names) > MAX_COLUMNS or not all(isinstance(name, str) and "\0" not in name for name in names):
        raise invalid({"ImportOptions": f"FieldNames: an array of at most {MAX_COLUMNS} texts is expected"})
    return tuple(names)


async def _update_import(call: Call) -> Row | None:
    job = await _find_import(call)
    if job is None:
        raise not_found()
    if call.values.get("Status") != STATUSES[JobStatus.ABORTED] or not await call.store.contact_jobs.abort(call.account_id, job.id, call.now):
        return None
    return await _import(call)


# -- /v3/DATA and /v4 -------------------------------------------------------------------------------------------------------


async def upload(desk: Desk, request: Request, account: Account) -> Response:
    """`POST /v3/DATA/contactslist/{id}/CSVData/...`: keep a file for a csvimport."""
    number = number_of(str(request.path_params["id"]))
    found = await desk.store.contacts.find_list(account.id, number) if number else None
    if found is None or found.deleted_at is not None:
        raise not_found()
    with Hold(desk.budget) as hold:
        body = await read_body(request, hold, desk.max_body_bytes, desk.body_within_s)
        if not body:
            raise refused("There is no data in this request.")
        try:
            return answer(200, {"ID": await keep(desk.store, account.id, found.id, io.BytesIO(body), desk.clock.now_us())})
        except SheetError as error:
            raise refused(f"The data cannot be read: {error}.") from None


async def errors_of(desk: Desk, request: Request, account: Account) -> Response:
    """`GET /v3/DATA/batchjob/{id}/CSVError/...` or JSONError: entries that could not be taken, each with its reason."""
    number = number_of(str(request.path_params["id"]))
    found = await desk.store.contact_jobs.errors(account.id, number) if number else []
    if not found:
        raise refused("Source object not found", 404)
    if str(request.path_params["name"]).lower() == "jsonerror":
        return answer(200, [{"Entry": one.entry, "Error": one.reason, "Position": one.position} for one in found])
    return Response(error_file(found), 200, media_type="text/csv; charset=utf-8")


async def erase(desk: Desk, request: Request, account: Account) -> Response:
    """`DELETE /v4/contacts/{id}`: forget a person; 200 without body, whoever is asked for (contract 1.5)."""
    number = number_of(str(request.path_params["id"]))
    if number:
        alias = f"{desk.clock.token_bytes(16).hex()}@erased.invalid"
        await desk.store.contacts.erase(account.id, number, alias, desk.clock.now_us())
    return Response(b"", 200)


RESOURCES: Final = (
    Resource("csvimport", "Imports of uploaded CSV data into a list: jobs.", (
        fixed("ContactsListID", Kind.INT, "Not with excludemarketing and includemarketing.", default=0), fixed("DataID", Kind.INT, is_required=True),
        fixed("Method", Kind.STR, is_required=True, choices=METHODS),
        fixed("ImportOptions", Kind.STR, "A JSON object in a text; of it FieldNames counts: column names instead of a header row.", max_length=20_000),
        fixed("ErrTreshold", Kind.INT, "More errors end the import; 0: any number.", default=0),
        Property("Status", Kind.STR, "Abort ends the import.", on_update=True, choices=tuple(STATUSES.values())), shown("AliveAt", Kind.INT),
        shown("Count", Kind.INT, "Entries, as far as they are known."), shown("Current", Kind.INT, "Entries that were gone through."),
        shown("Errcount", Kind.INT), shown("ID", Kind.INT), shown("JobEnd", Kind.INT, "Unix seconds, 0 = not yet."),
        shown("JobStart", Kind.INT, "Unix seconds, 0 = not yet."), shown("RequestAt", Kind.INT, "Unix seconds."),
    ), (Filter("Status", Kind.STR), Filter("Method", Kind.STR)), ("ID",), many=_imports, one=_import, create=_create_import, update=_update_import,
        note="Data is uploaded by `POST /v3/DATA/contactslist/{id}/CSVData/text:plain`; what could not be taken is read from "
             "`/v3/DATA/batchjob/{id}/CSVError/text:csv`. Encoding and separator are guessed. XLSX and ZIP are taken as well."),
)  # fmt: skip
