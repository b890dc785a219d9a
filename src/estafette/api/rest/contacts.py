"""Resources about contacts: `contact`, `contactdata`, `contactmetadata`, `contactfilter`, `contactstatistics` stands with the figures."""

from dataclasses import replace
from typing import Final

from estafette.api.rest import jobs
from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found, refused
from estafette.api.rest.people import find_contact, known_properties, read_list_actions, the_contact, trace_of
from estafette.api.rest.reading import date, invalid, number_of, taken
from estafette.api.rest.resource import Action, Filter, Found, Kind, Property, Reply, Resource, Row, changing, fixed, shown
from estafette.audience import Contact, ContactChange, ContactProperty, PropertyKind, Segment, Standing
from estafette.mail.address import Address
from estafette.newsletters.contact_values import MAX_PROPERTIES, WrongValue, is_name, read_values, shown_value
from estafette.newsletters.segment_language import SegmentError, check
from estafette.newsletters.segment_language import parse as parse_segment

# -- contact ----------------------------------------------------------------------------------------------------------------


NOTHING: Final = Standing()
"""Of a contact of whom there is nothing to say."""


async def contact_rows(call: Call, contacts: list[Contact]) -> list[Row]:
    """Contacts as lists show them."""
    counts = await call.store.statistics.recipients(call.account_id, [one.address_key for one in contacts]) if contacts else []
    delivered: dict[str, int] = {}
    last: dict[str, int] = {}
    for count in counts:
        if count.state.value == "delivered":
            delivered[count.address_key] = delivered.get(count.address_key, 0) + count.count
        last[count.address_key] = max(last.get(count.address_key, 0), count.last_at)
    standing = await call.store.consents.standing(call.account_id, [one.id for one in contacts], call.now) if contacts else {}
    return [
        {
            "CreatedAt": date(one.created_at), "DeliveredCount": delivered.get(one.address_key, 0), "Email": one.address,
            "ExclusionFromCampaignsUpdatedAt": date(one.excluded_at), "ID": one.id, "IsExcludedFromCampaigns": one.is_excluded,
            "IsOptInPending": standing.get(one.id, NOTHING).is_opt_in_pending, "IsSpamComplaining": standing.get(one.id, NOTHING).is_complaining,
            "LastActivityAt": date(last.get(one.address_key, one.created_at)), "LastUpdateAt": date(one.updated_at),
            "Name": one.name, "UnsubscribedAt": date(standing.get(one.id, NOTHING).unsubscribed_at),
            "UnsubscribedBy": standing.get(one.id, NOTHING).unsubscribed_by,
        }
        for one in contacts
    ]  # fmt: skip


async def _contacts(call: Call) -> Found:
    want, shelf = call.listing, call.store.contacts
    list_id, excluded, unsubscribed = want.get("ContactsList"), want.get("IsExcludedFromCampaigns"), want.get("IsUnsubscribed")
    if list_id is None and unsubscribed is not None:
        raise refused("IsUnsubscribed is a filter of the contacts of a list: give ContactsList too.")
    total = None
    if want.is_count_only or want.wants_total:
        total = await shelf.count(call.account_id, list_id=list_id, is_excluded=excluded, is_unsubscribed=unsubscribed)
    if want.is_count_only:
        return Found((), total)
    if list_id is not None:
        page = await shelf.of_list(call.account_id, list_id, limit=want.limit, offset=want.offset, is_excluded=excluded, is_unsubscribed=unsubscribed)
    else:
        page = await shelf.page(call.account_id, limit=want.limit, offset=want.offset, is_excluded=excluded, by_address=want.sort == "Email",
                                is_descending=want.is_descending)  # fmt: skip
    return Found(await contact_rows(call, page), total)


async def _contact(call: Call) -> Row | None:
    found = await find_contact(call, call.key)
    return (await contact_rows(call, [found]))[0] if found else None


async def _create_contact(call: Call) -> Row:
    address: Address = call.values["Email"]
    if await call.store.contacts.find_address(call.account_id, address.key) is not None:
        raise taken("Contact", "Email", address)
    change = ContactChange(str(address), address.key, call.values.get("Name"), call.values.get("IsExcludedFromCampaigns"))
    await call.store.contacts.apply(call.account_id, [change], {}, trace_of(call), call.now)
    made = await call.store.contacts.find_address(call.account_id, address.key)
    if made is None:
        raise not_found()
    return (await contact_rows(call, [made]))[0]


async def _update_contact(call: Call) -> Row | None:
    before = await the_contact(call)
    change = ContactChange(before.address, before.address_key, call.values.get("Name"), call.values.get("IsExcludedFromCampaigns"))
    await call.store.contacts.apply(call.account_id, [change], {}, trace_of(call), call.now)
    after = await call.store.contacts.find(call.account_id, before.id)
    return (await contact_rows(call, [after]))[0] if after is not None and after != before else None


async def _manage_lists(call: Call) -> Reply:
    contact = await the_contact(call)
    given = call.values["ContactsLists"]
    lists = read_list_actions(given)
    if await call.store.contacts.apply(call.account_id, [ContactChange(contact.address, contact.address_key)], lists, trace_of(call), call.now) is None:
        raise refused("A contact list of this call does not exist.")
    return Reply(201, [{"ContactsLists": given}])


async def _lists_of(call: Call) -> Reply:
    contact = await the_contact(call)
    found = await call.store.contacts.subscribers(call.account_id, contact_id=contact.id)
    return Reply(200, [
        {"IsActive": not one.subscription.is_unsubscribed, "IsUnsub": one.subscription.is_unsubscribed, "ListID": one.subscription.list_id,
         "SubscribedAt": date(one.subscription.subscribed_at)}
        for one in found
    ])  # fmt: skip


# -- contactdata ------------------------------------------------------------------------------------------------------------


async def _data(call: Call) -> Found:
    want = call.listing
    properties = list((await known_properties(call)).values())
    if want.is_count_only:
        return Found((), await call.store.contacts.count(call.account_id, list_id=want.get("ContactsList")))
    if want.get("ContactEmail") is not None:
        one = await call.store.contacts.find_address(call.account_id, want.get("ContactEmail").key)
        page = [one] if one else []
    elif want.get("ContactsList") is not None:
        page = await call.store.contacts.of_list(call.account_id, want.get("ContactsList"), limit=want.limit, offset=want.offset)
    else:
        page = await call.store.contacts.page(call.account_id, limit=want.limit, offset=want.offset, is_descending=want.is_descending)
    fields = want.get("Fields")
    shown_ones = properties if fields is None else [one for one in properties if one.name.lower() in {name.lower() for name in fields}]
    return Found([data_row(contact, shown_ones) for contact in page])


def data_row(contact: Contact, properties: list[ContactProperty]) -> Row:
    """What is known of a contact."""
    data = [{"Name": one.name, "Value": shown_value(one.kind, contact.properties[one.id])} for one in properties if one.id in contact.properties]
    return {"ContactID": contact.id, "Data": data, "ID": contact.id, "MethodCollection": ""}


async def _data_one(call: Call) -> Row | None:
    found = await find_contact(call, call.key)
    return data_row(found, list((await known_properties(call)).values())) if found else None


async def _set_data(call: Call) -> Row | None:
    before = await the_contact(call)
    known = await known_properties(call)
    given = {}
    for entry in call.values.get("Data", []):
        named = {str(name).lower(): value for name, value in entry.items()} if isinstance(entry, dict) else {}
        if not isinstance(named.get("name"), str) or "value" not in named:
            raise invalid({"Data": "entries with Name and Value are expected"})
        given[named["name"]] = named["value"]
    try:
        values = read_values(given, known)
    except WrongValue as error:
        raise invalid({"Data": str(error)}) from None
    await call.store.contacts.apply(call.account_id, [ContactChange(before.address, before.address_key, properties=values)], {}, trace_of(call), call.now)
    after = await call.store.contacts.find(call.account_id, before.id)
    return data_row(after, list(known.values())) if after is not None and after != before else None


async def _create_data(call: Call) -> Row:
    key = call.values["ContactID"]
    inner = replace(call, key=str(key))
    await _set_data(inner)
    row = await _data_one(inner)
    if row is None:
        raise not_found()
    return row


async def _drop_data(call: Call) -> bool:
    contact = await find_contact(call, call.key)
    if contact is None:
        return False
    gone = dict.fromkeys(contact.properties)
    await call.store.contacts.apply(call.account_id, [ContactChange(contact.address, contact.address_key, properties=gone)], {}, trace_of(call), call.now)
    return True


# -- contactmetadata --------------------------------------------------------------------------------------------------------


def _metadata_row(one: ContactProperty) -> Row:
    return {"Datatype": one.kind.value, "ID": one.id, "Name": one.name, "NameSpace": "static"}


async def _find_metadata(call: Call) -> ContactProperty | None:
    """By number, name, or `static|name`."""
    name = call.key.lower().removeprefix("static|")
    number = number_of(call.key)
    return next((one for one in (await known_properties(call)).values() if one.id == number or one.name.lower() == name), None)


async def _metadata(call: Call) -> Found:
    return arrange([_metadata_row(one) for one in (await known_properties(call)).values()], call.listing, ("Datatype", "NameSpace"))


async def _metadata_one(call: Call) -> Row | None:
    found = await _find_metadata(call)
    return _metadata_row(found) if found else None


async def _create_metadata(call: Call) -> Row:
    name = _property_name(call.values["Name"])
    if len(await known_properties(call)) >= MAX_PROPERTIES:
        raise refused(f"An account has at most {MAX_PROPERTIES} contact properties.")
    made = await call.store.contacts.add_property(call.account_id, name, PropertyKind(call.values["Datatype"]), call.now)
    if made is None:
        raise taken("Contactmetadata", "Name", name)
    return _metadata_row(made)


async def _update_metadata(call: Call) -> Row | None:
    found = await _find_metadata(call)
    if found is None:
        raise not_found()
    name = _property_name(call.values.get("Name", found.name))
    if call.values.get("Datatype", found.kind) != found.kind:
        raise invalid({"Datatype": "the type of a property cannot change: values of the old type are kept under it"})
    if name == found.name:
        return None
    if not await call.store.contacts.rename_property(call.account_id, found.id, name):
        raise taken("Contactmetadata", "Name", name)
    return _metadata_row(replace(found, name=name))


def _property_name(name: str) -> str:
    if not is_name(name):
        raise invalid({"Name": "letters, digits, underscores, dots and dashes are expected, a letter first, at most 100 characters"})
    return name


async def _drop_metadata(call: Call) -> bool:
    found = await _find_metadata(call)
    return found is not None and await call.store.contacts.drop_property(call.account_id, found.id, call.now)


# -- contactfilter ----------------------------------------------------------------------------------------------------------


def _filter_row(one: Segment) -> Row:
    status = "deleted" if one.deleted_at is not None else "unused"
    return {"Description": one.description, "Expression": one.expression, "ID": one.id, "Name": one.name, "Status": status}


async def _filters(call: Call) -> Found:
    found = await call.store.contacts.segments(call.account_id)
    wants_deleted = call.listing.get("ShowDeleted") or call.listing.get("Status") == "deleted"
    return arrange([_filter_row(one) for one in found if wants_deleted or one.deleted_at is None], call.listing, ("Status",))


async def _find_filter(call: Call) -> Segment | None:
    number = number_of(call.key)
    found = await call.store.contacts.segments(call.account_id)
    return next((one for one in found if one.id == number or (one.name == call.key and one.deleted_at is None)), None)


async def _filter(call: Call) -> Row | None:
    found = await _find_filter(call)
    return _filter_row(found) if found else None


async def _checked(call: Call, expression: str) -> str:
    kinds = {name: one.kind.value for name, one in (await known_properties(call)).items()}
    try:
        check(parse_segment(expression), kinds)
    except SegmentError as error:
        raise invalid({"Expression": str(error)}) from None
    return expression


async def _create_filter(call: Call) -> Row:
    given = call.values
    wanted = Segment(0, call.account_id, given["Name"], await _checked(call, given["Expression"]), given.get("Description", ""))
    made = await call.store.contacts.create_segment(wanted, call.now)
    if made is None:
        raise taken("Contactfilter", "Name", given["Name"])
    return _filter_row(made)


async def _update_filter(call: Call) -> Row | None:
    found = await _find_filter(call)
    if found is None:
        raise not_found()
    given = call.values
    status = given.get("Status", "deleted" if found.deleted_at is not None else "unused")
    changed = replace(
        found, name=given.get("Name", found.name), description=given.get("Description", found.description),
        expression=await _checked(call, given["Expression"]) if "Expression" in given else found.expression,
        deleted_at=(found.deleted_at or call.now) if status == "deleted" else None,
    )  # fmt: skip
    if changed == found:
        return None
    if not await call.store.contacts.update_segment(changed):
        raise taken("Contactfilter", "Name", changed.name)
    return _filter_row(changed)


async def _drop_filter(call: Call) -> bool:
    found = await _find_filter(call)
    return found is not None and found.deleted_at is None and await call.store.contacts.update_segment(replace(found, deleted_at=call.now))


RESOURCES: Final = (
    Resource("contact", "People whom the account writes to.", (
        fixed("Email", Kind.ADDRESS, "One contact for each address.", is_required=True), changing("Name", Kind.STR),
        changing("IsExcludedFromCampaigns", Kind.BOOL, "Gets no campaign of any list; transactional mail still goes.", default=False),
        shown("CreatedAt", Kind.DATE), shown("DeliveredCount", Kind.INT), shown("ExclusionFromCampaignsUpdatedAt", Kind.DATE), shown("ID", Kind.INT),
        shown("IsOptInPending", Kind.BOOL, "A subscription of this contact waits to be confirmed."), shown("IsSpamComplaining", Kind.BOOL),
        shown("LastActivityAt", Kind.DATE), shown("LastUpdateAt", Kind.DATE),
        shown("UnsubscribedAt", Kind.DATE, "The newest that holds, of a list or of all mailings."),
        shown("UnsubscribedBy", Kind.STR, "By which way: link, preferences, mail, api, dashboard, import."),
    ), (
        Filter("ContactsList", Kind.INT, "Contacts of this list.", alias="ContactsListID"), Filter("IsExcludedFromCampaigns", Kind.BOOL),
        Filter("IsUnsubscribed", Kind.BOOL, "Of a list: give ContactsList too."),
    ), ("ID", "Email", "CreatedAt"), "Email", (
        Action("managecontactslists", "Put the contact on lists, or take it off.", (
            Property("ContactsLists", Kind.LIST, "Objects with ListID and Action.", on_create=True, is_required=True),), post=_manage_lists),
        Action("getcontactslists", "Lists that the contact is on.", get=_lists_of),
        jobs.MANAGE_MANY_OF_ACCOUNT,
    ), many=_contacts, one=_contact, create=_create_contact, update=_update_contact),
    Resource("contactdata", "What is known of contacts: values of their properties.", (
        fixed("ContactID", Kind.INT, "The contact.", is_required=True), changing("Data", Kind.LIST, "Objects with Name and Value; null takes a value away."),
        shown("ID", Kind.INT, "The contact."), shown("MethodCollection", Kind.STR, "Always empty."),
    ), (
        Filter("ContactEmail", Kind.ADDRESS), Filter("ContactsList", Kind.INT), Filter("Fields", Kind.STR, "Only these properties.", is_several=True),
    ), ("ID",), "ContactID or Email", many=_data, one=_data_one, create=_create_data, update=_set_data, delete=_drop_data),
    Resource("contactmetadata", "Definitions of contact properties.", (
        changing("Name", Kind.STR, is_required=True, max_length=100), changing("Datatype", Kind.STR, is_required=True, choices=tuple(PropertyKind)),
        fixed("NameSpace", Kind.STR, "Historic data is not kept.", choices=("static",), default="static"), shown("ID", Kind.INT),
    ), (Filter("Datatype", Kind.STR, choices=tuple(PropertyKind)), Filter("NameSpace", Kind.STR)), ("ID", "Name"), "NameSpace|Name", many=_metadata,
        one=_metadata_one, create=_create_metadata, update=_update_metadata, delete=_drop_metadata),
    Resource("contactfilter", "Segments: a named expression over contacts.", (
        changing("Name", Kind.STR, is_required=True, max_length=200), changing("Description", Kind.STR), changing("Expression", Kind.STR, is_required=True,
        max_length=10_000), Property("Status", Kind.STR, "`unused` calls a deleted one back.", on_update=True, choices=("used", "unused", "deleted")),
        shown("ID", Kind.INT),
    ), (Filter("ShowDeleted", Kind.BOOL), Filter("Status", Kind.STR, choices=("used", "unused", "deleted"))), ("ID", "Name"), "Name", many=_filters,
        one=_filter, create=_create_filter, update=_update_filter, delete=_drop_filter),
)  # fmt: skip
