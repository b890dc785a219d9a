"""What the resources about contacts share: the contact of a path, properties by name, list actions of a body, the trace that a change leaves."""

from typing import Any, Final

from estafette.api.rest.call import Call, not_found, refused
from estafette.api.rest.reading import invalid, number_of
from estafette.api.rest.resource import Kind, Property
from estafette.audience import Contact, ContactProperty, ListAction, Trace
from estafette.mail.address import Address, AddressError, parse

API: Final = "api"
MAX_ACTIONS: Final = 100
LIST_ACTION: Final = Property("Action", Kind.STR, "What is done with contact and list.", on_create=True, is_required=True, choices=tuple(ListAction))


def trace_of(call: Call) -> Trace:
    """What a subscription keeps of the call that made it."""
    return Trace(API, f"key {call.credential.key}")


async def find_contact(call: Call, key: str) -> Contact | None:
    """A contact by its number or its address, which may still be percent-encoded. Raises CallRefused for what is neither."""
    number = number_of(key)
    if number:
        return await call.store.contacts.find(call.account_id, number)
    address = read_address(key.replace("%40", "@"))
    return await call.store.contacts.find_address(call.account_id, address.key)


def read_address(text: str) -> Address:
    """Raises CallRefused in the contract's words."""
    try:
        return parse(text)
    except AddressError as error:
        reason = "No @ character in mail" if "@" not in text else str(error)
        raise refused(f'Invalid email address "{text[:254]}", reason: "{reason}"') from None


async def the_contact(call: Call) -> Contact:
    """That of the path. Raises CallRefused 404."""
    contact = await find_contact(call, call.key)
    if contact is None:
        raise not_found()
    return contact


async def known_properties(call: Call) -> dict[str, ContactProperty]:
    """The account's definitions, by name in lower case."""
    return {one.name.lower(): one for one in await call.store.contacts.properties(call.account_id)}


def read_list_actions(given: list[Any]) -> dict[int, ListAction]:
    """Lists and what is done with each. Raises CallRefused with the entries that are wrong, as the contract shows them."""
    found: dict[int, ListAction] = {}
    if not given or len(given) > MAX_ACTIONS:
        raise invalid({"ContactsLists": f"one to {MAX_ACTIONS} lists are expected"})
    for entry in given:
        named = {str(name).lower(): value for name, value in entry.items()} if isinstance(entry, dict) else {}
        number = named.get("listid", named.get("list"))
        action = str(named.get("action", "")).lower()
        number = number_of(number) if isinstance(number, str) else number
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**53:
            raise invalid({"ContactsLists": "ListID: list id is missing or not valid"})
        if action not in tuple(ListAction):
            raise invalid({"ContactsLists": "Action: action is missing or not valid"})
        found[number] = ListAction(action)
    return found
