"""Resources about who writes: `sender`, `metasender`, `dns`. Nobody writes as a sender that is not verified; the DNS of its domain tells whose it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found, refused
from estafette.api.rest.reading import date, invalid, number_of
from estafette.api.rest.resource import Action, Filter, Found, Kind, Property, Reply, Resource, Row, changing, fixed, shown
from estafette.deliver.domains import Domains
from estafette.deliver.publishing import Published, Seen
from estafette.mail.address import is_deliverable_domain
from estafette.mail.zone import Record
from estafette.parties import Sender, SendingDomain

MAX_SENDERS: Final = 100
OWNERSHIP_NAME: Final = "_estafette"
STATUSES: Final = {Seen.OK: "OK", Seen.WRONG: "Error", Seen.MISSING: "Not found", Seen.UNKNOWN: "Not checked"}
KINDS: Final = ("transactional", "bulk", "unknown")


def _domains(call: Call) -> Domains:
    if call.desk.domains is None:
        raise refused("This process does not look after domains.", 503)
    return call.desk.domains


def _sender_row(one: Sender, dns_id: int) -> Row:
    status = "Deleted" if one.deleted_at is not None else "Active" if one.is_verified else "Inactive"
    return {
        "CreatedAt": date(one.created_at), "DNSID": dns_id, "Email": one.address, "EmailType": one.kind, "Filename": "", "ID": one.id,
        "IsDefaultSender": one.is_default, "Name": one.name, "Status": status,
    }  # fmt: skip


def domain_of(one: Sender) -> str:
    """The domain of a sender, of an address or whole."""
    return one.address_key.rpartition("@")[2]


async def _dns_ids(call: Call) -> dict[str, int]:
    return {one.name: one.id for one in await call.store.identities.domains(call.account_id)}


async def _senders(call: Call) -> Found:
    want = call.listing
    ids = await _dns_ids(call)
    wants_deleted = want.get("ShowDeleted") or want.get("Status") == "Deleted"
    rows = []
    for one in await call.store.identities.senders(call.account_id):
        if one.deleted_at is not None and not wants_deleted:
            continue
        local = one.address_key.rpartition("@")[0]
        if want.get("Domain") not in (None, domain_of(one)) or want.get("LocalPart") not in (None, local):
            continue
        if want.get("IsDomainSender") not in (None, bool(one.domain)):
            continue
        rows.append(_sender_row(one, ids.get(domain_of(one), 0)))
    return arrange(rows, want, ("DNSID", "Email", "Status"))


async def _find(call: Call) -> Sender | None:
    number, key = number_of(call.key), call.key.replace("%40", "@").lower()
    found = await call.store.identities.senders(call.account_id)
    return next((one for one in found if one.id == number or (one.address_key.lower() == key and one.deleted_at is None)), None)


async def _the_sender(call: Call) -> Sender:
    found = await _find(call)
    if found is None or found.deleted_at is not None:
        raise not_found()
    return found


async def _shown(call: Call, number: int) -> Row | None:
    found = await _find(replace(call, key=str(number)))
    return _sender_row(found, (await _dns_ids(call)).get(domain_of(found), 0)) if found else None


async def _sender(call: Call) -> Row | None:
    found = await _find(call)
    return await _shown(call, found.id) if found else None


async def _create_sender(call: Call) -> Row:
    given = call.values
    address: str = given["Email"]
    local, _, domain = address.rpartition("@")
    if domain.startswith("[") or not is_deliverable_domain(domain):
        raise invalid({"Email": f"{domain} is no domain that mail can come from"})
    known = await call.store.identities.senders(call.account_id)
    if sum(one.deleted_at is None for one in known) >= MAX_SENDERS:
        raise refused(f"An account has at most {MAX_SENDERS} senders.")
    key = f"{local.casefold()}@{domain}"
    before = next((one for one in known if one.address_key == key and one.deleted_at is None), None)
    if before is not None:
        what = "is active" if before.is_verified else "is inactive: use the validate action"
        raise refused(f'There is already a sender {address}, and it {what}.')
    await _domains(call).add(call.account_id, domain)
    is_covered = domain in (await call.store.authors(call.account_id)).domains
    wanted = Sender(0, call.account_id, address, key, given.get("Name", ""), given.get("EmailType", "unknown"), bool(given.get("IsDefaultSender")),
                    is_covered, call.now)  # fmt: skip
    number = await call.store.identities.add_sender(wanted)
    if not number and local == "*":  # made with its domain just now
        made = next(one for one in await call.store.identities.senders(call.account_id) if one.address_key == key)
        await call.store.identities.change_sender(replace(made, name=wanted.name, kind=wanted.kind, is_default=wanted.is_default))
        number = made.id
    row = await _shown(call, number)
    if row is None:
        raise not_found()
    return row


async def _update_sender(call: Call) -> Row | None:
    before, given = await _the_sender(call), call.values
    is_default = given.get("IsDefaultSender", before.is_default)
    after = replace(before, name=given.get("Name", before.name), kind=given.get("EmailType", before.kind), is_default=is_default)
    if after == before or not await call.store.identities.change_sender(after):
        return None
    return await _shown(call, before.id)


async def _delete_sender(call: Call) -> bool:
    found = await _find(call)
    return found is not None and found.deleted_at is None and await call.store.identities.change_sender(
        replace(found, is_verified=False, is_default=False, deleted_at=call.now))  # fmt: skip


async def _validate(call: Call) -> Reply:
    """By the DNS of its domain: the ownership token or this account's own DKIM key. 200 also when it is not valid (contract 5.7)."""
    one = await _the_sender(call)
    if one.is_verified:
        raise refused(f"The sender {one.address} is active already.")
    name = domain_of(one)
    token = await _domains(call).add(call.account_id, name)
    domain = next(d for d in await call.store.identities.domains(call.account_id) if d.name == name)
    published = await _look(call, domain)
    is_own = domain.is_verified or any(p.seen is Seen.OK and p.record.purpose in ("ownership", "dkim") for p in published)
    problem = ""
    if is_own:
        await call.store.identities.change_sender(replace(one, is_verified=True))
    else:
        why = next((p.why for p in published if p.why), "")
        problem = f"{OWNERSHIP_NAME}.{name} has no TXT record {token}, and the DKIM record of this account is not there" + (f" ({why})" if why else "")
    row = {
        "Errors": {"DNSValidationError": problem, "FileValidationError": ""}, "GlobalError": "" if is_own else "The sender could not be validated.",
        "ValidationMethod": ("Domain" if domain.is_verified else "DNS") if is_own else "",
    }  # fmt: skip
    return Reply(200, [row])


# -- dns --------------------------------------------------------------------------------------------------------------------


async def _look(call: Call, domain: SendingDomain) -> list[Published]:
    """Look the domain up now, and keep what was found."""
    published = await _domains(call).look_up(call.account_id, domain.name, domain.ownership_token)
    await call.store.identities.checked(replace(
        domain, dkim_status=_status(published, "dkim"), spf_status=_status(published, "spf"), dmarc_status=_status(published, "dmarc"),
        return_path_status=_status(published, "return_path"), checked_at=call.now,
    ))  # fmt: skip
    return published


def _status(published: Sequence[Published], purpose: str) -> str:
    """The worst of a purpose; of several signing keys one is enough."""
    seen = [one.seen for one in published if one.record.purpose == purpose]
    if purpose == "dkim" and Seen.OK in seen:
        return STATUSES[Seen.OK]
    return STATUSES[max(seen, key=(Seen.OK, Seen.UNKNOWN, Seen.MISSING, Seen.WRONG).index)] if seen else "Not checked"


def _dns_row(one: SendingDomain, records: Sequence[Record]) -> Row:
    def of(purpose: str) -> Record:
        return next((record for record in records if record.purpose == purpose), Record("TXT", "", "", purpose))

    return {
        "DKIMRecordName": of("dkim").name, "DKIMRecordValue": of("dkim").value, "DKIMStatus": one.dkim_status, "DMARCStatus": one.dmarc_status,
        "Domain": one.name, "ID": one.id, "IsCheckInProgress": False, "LastCheckAt": date(one.checked_at), "OwnerShipToken": one.ownership_token,
        "OwnerShipTokenRecordName": f"{OWNERSHIP_NAME}.{one.name}", "ReturnPathStatus": one.return_path_status, "SPFRecordValue": of("spf").value,
        "SPFStatus": one.spf_status,
    }  # fmt: skip


async def _dns_list(call: Call) -> Found:
    found = await call.store.identities.domains(call.account_id)
    wanted = call.listing.get("IsSenderIdentified")
    rows = [_dns_row(one, await _domains(call).records(call.account_id, one.name, one.ownership_token)) for one in found if wanted in (None, one.is_verified)]
    return arrange(rows, call.listing, ("SPFStatus", "DKIMStatus", "IsCheckInProgress"))


async def _find_dns(call: Call) -> SendingDomain | None:
    number = number_of(call.key)
    return next((one for one in await call.store.identities.domains(call.account_id) if one.id == number or one.name == call.key.lower()), None)


async def _dns(call: Call) -> Row | None:
    one = await _find_dns(call)
    return _dns_row(one, await _domains(call).records(call.account_id, one.name, one.ownership_token)) if one else None


async def _check_dns(call: Call) -> Reply:
    one = await _find_dns(call)
    if one is None:
        raise not_found()
    published = await _look(call, one)

    def errors(purpose: str) -> list[str]:
        return [f"{p.record.name}: {p.why or STATUSES[p.seen]}" for p in published if p.record.purpose == purpose and p.seen is not Seen.OK]

    def values(purpose: str) -> list[str]:
        return [text for p in published if p.record.purpose == purpose for text in p.found]

    return Reply(200, [{
        "DKIMErrors": errors("dkim"), "DKIMRecordCurrentValue": (values("dkim") or [""])[0], "DKIMStatus": _status(published, "dkim"),
        "DMARCErrors": errors("dmarc"), "DMARCStatus": _status(published, "dmarc"), "OwnerShipStatus": _status(published, "ownership"),
        "ReturnPathErrors": errors("return_path"), "ReturnPathStatus": _status(published, "return_path"), "SPFErrors": errors("spf"),
        "SPFRecordsCurrentValues": values("spf"), "SPFStatus": _status(published, "spf"),
    }])  # fmt: skip


async def _metasenders(call: Call) -> Found:
    """Domains as a whole are valid for every key of the account: what Mailjet calls metasenders."""
    found = [one for one in await call.store.identities.senders(call.account_id) if one.domain and one.deleted_at is None]
    return arrange([_metasender_row(one) for one in found], call.listing)


def _metasender_row(one: Sender) -> Row:
    return {"CreatedAt": date(one.created_at), "Description": one.name, "Email": one.address, "Filename": "", "ID": one.id, "IsEnabled": one.is_verified}


async def _metasender(call: Call) -> Row | None:
    found = await _find(call)
    return _metasender_row(found) if found is not None and found.domain and found.deleted_at is None else None


RESOURCES: Final = (
    Resource("sender", "Addresses and domains that the account may write as.", (
        fixed("Email", Kind.ADDRESSES, "An address, or `*@domain` for a whole domain.", is_required=True), changing("Name", Kind.STR),
        changing("EmailType", Kind.STR, choices=KINDS, default="unknown"), changing("IsDefaultSender", Kind.BOOL, default=False),
        shown("CreatedAt", Kind.DATE), shown("DNSID", Kind.INT, "Its domain, in `dns`."), shown("Filename", Kind.STR, "Always empty."),
        shown("ID", Kind.INT), shown("Status", Kind.STR, "Inactive, Active, Deleted."),
    ), (
        Filter("DNSID", Kind.INT), Filter("Domain", Kind.STR), Filter("Email", Kind.STR), Filter("IsDomainSender", Kind.BOOL),
        Filter("LocalPart", Kind.STR), Filter("ShowDeleted", Kind.BOOL), Filter("Status", Kind.STR, choices=("Inactive", "Active", "Deleted")),
    ), ("ID", "Email", "Name"), "Email", (
        Action("validate", "Look the domain up in the live DNS: the ownership token, or the DKIM key of this account, makes the sender active.",
               (Property("Method", Kind.STR, "Passed over.", on_create=True),), post=_validate),
    ), many=_senders, one=_sender, create=_create_sender, update=_update_sender, delete=_delete_sender,
        note=f"At most {MAX_SENDERS}. An address of a domain that is active is active at once."),
    Resource("metasender", "Whole domains among the senders, which are valid for every key of the account.", (
        shown("CreatedAt", Kind.DATE), shown("Description", Kind.STR), shown("Email", Kind.STR), shown("Filename", Kind.STR, "Always empty."),
        shown("ID", Kind.INT), shown("IsEnabled", Kind.BOOL),
    ), (), ("ID", "Email"), "Email", many=_metasenders, one=_metasender),
    Resource("dns", "Domains with the DNS records that they need, and what was found there last.", (
        shown("DKIMRecordName", Kind.STR), shown("DKIMRecordValue", Kind.STR), shown("DKIMStatus", Kind.STR, "OK, Error, Not checked, Not found."),
        shown("DMARCStatus", Kind.STR, "Ours: Mailjet does not look at it."), shown("Domain", Kind.STR), shown("ID", Kind.INT),
        shown("IsCheckInProgress", Kind.BOOL, "Always false: a check is over when it is answered."), shown("LastCheckAt", Kind.DATE),
        shown("OwnerShipToken", Kind.STR), shown("OwnerShipTokenRecordName", Kind.STR), shown("ReturnPathStatus", Kind.STR, "Ours: whether bounces come back."),
        shown("SPFRecordValue", Kind.STR), shown("SPFStatus", Kind.STR),
    ), (
        Filter("SPFStatus", Kind.STR), Filter("DKIMStatus", Kind.STR), Filter("IsCheckInProgress", Kind.BOOL),
        Filter("IsSenderIdentified", Kind.BOOL, "The domain is verified."),
    ), ("ID", "Domain"), "Domain", (Action("check", "Look it up in the live DNS now.", post=_check_dns),), many=_dns_list, one=_dns,
        note="A domain comes with its first sender."),
)  # fmt: skip
