"""Resources about lists: `contactslist` and `listrecipient`."""

from dataclasses import replace
from typing import Final

from estafette.api.rest import jobs
from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found, refused
from estafette.api.rest.people import LIST_ACTION, find_contact, known_properties, trace_of
from estafette.api.rest.reading import date, invalid, number_of, taken
from estafette.api.rest.resource import Action, Filter, Found, Kind, Property, Reply, Resource, Row, Values, changing, fixed, shown
from estafette.audience import Contact, ContactChange, ContactList, ListAction, Subscriber
from estafette.clock import DAY_US
from estafette.mail.address import Address, AddressError
from estafette.newsletters.contact_values import WrongValue
from estafette.newsletters.job_entries import change_of

SHOWN_AFTER_DELETE_US: Final = 60 * DAY_US


def _list_row(one: ContactList) -> Row:
    return {"Address": one.address, "CreatedAt": date(one.created_at), "ID": one.id, "IsDeleted": one.deleted_at is not None, "Name": one.name,
            "SubscriberCount": one.subscribers}  # fmt: skip


async def find_list(call: Call) -> ContactList | None:
    """That of the path, by number or address; for sixty days also a deleted one."""
    number = number_of(call.key)
    shelf = call.store.contacts
    found = await shelf.find_list(call.account_id, number) if number else await shelf.find_list_address(call.account_id, call.key)
    return None if found is None or (found.deleted_at is not None and found.deleted_at < call.now - SHOWN_AFTER_DELETE_US) else found


async def living_list(call: Call) -> ContactList:
    """One that is not deleted. Raises CallRefused 404."""
    found = await find_list(call)
    if found is None or found.deleted_at is not None:
        raise not_found()
    return found


async def _lists(call: Call) -> Found:
    want = call.listing
    wants_deleted = bool(want.get("IsDeleted"))
    found = [one for one in await call.store.contacts.lists(call.account_id) if (one.deleted_at is not None) == wants_deleted]
    rows = [_list_row(one) for one in found if one.id != want.get("ExcludeID") and (one.deleted_at or call.now) > call.now - SHOWN_AFTER_DELETE_US]
    return arrange(rows, want, ("Address", "Name", "ID"))


async def _list(call: Call) -> Row | None:
    found = await find_list(call)
    return _list_row(found) if found else None


async def _create_list(call: Call) -> Row:
    name = call.values["Name"].strip()
    address = call.desk.clock.token_bytes(5).hex()
    made = await call.store.contacts.create_list(call.account_id, name, address, call.now)
    if made is None:
        raise taken("Contactslist", "Name", name)
    return _list_row(made)


async def _update_list(call: Call) -> Row | None:
    found = await find_list(call)
    if found is None:
        raise not_found()
    is_deleted = call.values.get("IsDeleted", found.deleted_at is not None)
    changed = replace(found, name=call.values.get("Name", found.name).strip(), deleted_at=(found.deleted_at or call.now) if is_deleted else None)
    if not changed.name:
        raise invalid({"Name": "mandatory property is empty"})
    if changed == found:
        return None
    if not await call.store.contacts.update_list(changed):
        raise taken("Contactslist", "Name", changed.name)
    return _list_row(changed)


async def _delete_list(call: Call) -> bool:
    found = await find_list(call)
    return found is not None and found.deleted_at is None and await call.store.contacts.update_list(replace(found, deleted_at=call.now))


async def _manage_contact(call: Call) -> Reply:
    one = await living_list(call)
    given = call.values
    known = await known_properties(call)
    try:
        change = change_of(str(given["Email"]), given.get("Name"), given.get("Properties"), known, _exclusion(given["Action"]))
    except (WrongValue, AddressError) as error:
        raise invalid({"Properties": str(error)}) from None
    action = _list_action(given["Action"])
    lists = {one.id: action} if action is not None else {}
    ids = await call.store.contacts.apply(call.account_id, [change], lists, trace_of(call), call.now)
    if ids is None:
        raise not_found()
    return Reply(201, [{"Action": given["Action"], "ContactID": ids[change.address_key], "Email": change.address, "Name": given.get("Name") or "",
                        "Properties": given.get("Properties") or {}}])  # fmt: skip


def _list_action(action: str) -> ListAction | None:
    return ListAction(action) if action in tuple(ListAction) else None


def _exclusion(action: str) -> bool | None:
    return {"excludemarketing": True, "includemarketing": False}.get(action)


# -- listrecipient ----------------------------------------------------------------------------------------------------------


def _recipient_row(one: Subscriber) -> Row:
    s = one.subscription
    return {
        "ContactAlt": one.address, "ContactID": s.contact_id, "ID": s.id, "IsActive": not s.is_unsubscribed and not one.is_excluded,
        "IsUnsubscribed": s.is_unsubscribed, "ListID": s.list_id, "ListName": one.list_name, "SubscribedAt": date(s.subscribed_at),
        "UnsubscribedAt": date(s.unsubscribed_at),
    }  # fmt: skip


async def _recipients(call: Call) -> Found:
    want, shelf = call.listing, call.store.contacts
    list_id, contact_id = want.get("ContactsList"), want.get("Contact")
    if want.get("ContactEmail") is not None:
        contact = await shelf.find_address(call.account_id, want.get("ContactEmail").key)
        if contact is None:
            return Found((), 0 if want.is_count_only else None)
        contact_id = contact.id
    if list_id is not None and contact_id is not None:
        one = await shelf.subscriber_on(call.account_id, list_id, contact_id)
        return arrange([_recipient_row(one)] if one else [], want)
    unsubscribed, excluded = want.get("Unsub"), want.get("IsExcludedFromCampaigns")
    if want.get("Active") is not None:
        unsubscribed = not want.get("Active") if unsubscribed is None else unsubscribed
    if want.is_count_only or want.wants_total:
        if list_id is None:
            total = await shelf.count_subscribers(call.account_id, contact_id, unsubscribed, excluded)
        else:
            total = await shelf.count(call.account_id, list_id=list_id, is_excluded=excluded, is_unsubscribed=unsubscribed)
        if want.is_count_only:
            return Found((), total)
    else:
        total = None
    found = await shelf.subscribers(call.account_id, list_id=list_id, contact_id=contact_id, limit=want.limit, offset=want.offset, is_unsubscribed=unsubscribed,
                                    is_excluded=excluded)  # fmt: skip
    return Found([_recipient_row(one) for one in found], total)


async def _find_recipient(call: Call) -> Subscriber | None:
    number = number_of(call.key)
    return await call.store.contacts.subscriber(call.account_id, number) if number else None


async def _recipient(call: Call) -> Row | None:
    found = await _find_recipient(call)
    return _recipient_row(found) if found else None


async def _contact_given(call: Call, values: Values) -> Contact:
    """By number, or by address; an address that is no contact yet becomes one, as in `contactslist/managecontact`."""
    if "ContactID" in values:
        contact = await call.store.contacts.find(call.account_id, values["ContactID"])
    elif "ContactAlt" in values:
        address: Address = values["ContactAlt"]
        contact = await find_contact(call, str(address))
        if contact is None:
            return Contact(0, call.account_id, str(address), address.key)
    else:
        raise invalid({"ContactID": "mandatory property is missing"})
    if contact is None:
        raise invalid({"ContactID": "there is no such contact"})
    return contact


async def _create_recipient(call: Call) -> Row:
    contact = await _contact_given(call, call.values)
    list_id = call.values["ListID"]
    if contact.id and await call.store.contacts.subscriber_on(call.account_id, list_id, contact.id) is not None:
        raise refused(f"A duplicate ListRecipient already exists: contact {contact.id} on list {list_id}.")
    action = ListAction.UNSUBSCRIBE if call.values.get("IsUnsubscribed") else ListAction.ADD_FORCE
    change = ContactChange(contact.address, contact.address_key)
    ids = await call.store.contacts.apply(call.account_id, [change], {list_id: action}, trace_of(call), call.now)
    made = await call.store.contacts.subscriber_on(call.account_id, list_id, ids[contact.address_key]) if ids else None
    if made is None:
        raise invalid({"ListID": "there is no such list"})
    return _recipient_row(made)


async def _apply_to(call: Call, one: Subscriber, action: ListAction) -> None:
    contact = await call.store.contacts.find(call.account_id, one.subscription.contact_id)
    if contact is None or await call.store.contacts.apply(
        call.account_id, [ContactChange(contact.address, contact.address_key)], {one.subscription.list_id: action}, trace_of(call), call.now
    ) is None:  # fmt: skip
        raise not_found()


async def _update_recipient(call: Call) -> Row | None:
    found = await _find_recipient(call)
    if found is None:
        raise not_found()
    wanted = call.values.get("IsUnsubscribed", found.subscription.is_unsubscribed)
    if wanted == found.subscription.is_unsubscribed:
        return None
    await _apply_to(call, found, ListAction.UNSUBSCRIBE if wanted else ListAction.ADD_FORCE)
    after = await _find_recipient(call)
    return _recipient_row(after) if after else None


async def _delete_recipient(call: Call) -> bool:
    found = await _find_recipient(call)
    if found is None:
        return False
    await _apply_to(call, found, ListAction.REMOVE)
    return True


_MANAGE: Final = (*ListAction, "excludemarketing", "includemarketing")
RESOURCES: Final = (
    Resource("contactslist", "Lists of contacts.", (
        changing("Name", Kind.STR, "One of its kind among the lists that are not deleted.", is_required=True, max_length=200),
        Property("IsDeleted", Kind.BOOL, "False calls a deleted list back, for sixty days.", on_update=True, default=False),
        shown("Address", Kind.STR, "Local part of its own address; random."), shown("CreatedAt", Kind.DATE), shown("ID", Kind.INT),
        shown("SubscriberCount", Kind.INT, "Those who have not unsubscribed."),
    ), (
        Filter("Address", Kind.STR), Filter("ExcludeID", Kind.INT), Filter("ID", Kind.INT, is_several=True),
        Filter("IsDeleted", Kind.BOOL, "True: deleted ones only."), Filter("Name", Kind.STR),
    ), ("ID", "IsDeleted", "Name", "CreatedAt"), "Address", (
        Action("managecontact", "Make or change a contact and put it on the list, or take it off.", (
            Property("Email", Kind.ADDRESS, on_create=True, is_required=True), Property("Name", Kind.STR, on_create=True),
            Property("Action", LIST_ACTION.kind, LIST_ACTION.about, on_create=True, is_required=True, choices=_MANAGE),
            Property("Properties", Kind.OBJECT, on_create=True),
        ), post=_manage_contact),
        jobs.MANAGE_MANY_OF_LIST, jobs.IMPORT_LIST,
    ), many=_lists, one=_list, create=_create_list, update=_update_list, delete=_delete_list),
    Resource("listrecipient", "Contacts on lists.", (
        fixed("ContactID", Kind.INT), fixed("ContactAlt", Kind.ADDRESS, "Instead of ContactID; made a contact when it is none."),
        fixed("ListID", Kind.INT, is_required=True, alias="ContactsListID"), changing("IsUnsubscribed", Kind.BOOL, default=False),
        shown("ID", Kind.INT), shown("IsActive", Kind.BOOL, "Neither unsubscribed nor excluded from campaigns."), shown("ListName", Kind.STR),
        shown("SubscribedAt", Kind.DATE), shown("UnsubscribedAt", Kind.DATE),
    ), (
        Filter("Active", Kind.BOOL, "Not unsubscribed."), Filter("Contact", Kind.INT, alias="ContactID"), Filter("ContactEmail", Kind.ADDRESS),
        Filter("ContactsList", Kind.INT, alias="ListID"), Filter("IsExcludedFromCampaigns", Kind.BOOL), Filter("Unsub", Kind.BOOL, alias="IsUnsubscribed"),
    ), ("ID",), many=_recipients, one=_recipient, create=_create_recipient, update=_update_recipient, delete=_delete_recipient,
        note="Deleted lists are left out of lists of all recipients. Always in ascending order."),
)  # fmt: skip
