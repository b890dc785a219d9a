"""`parseroute`: which address's mail is posted to which web address (contract section 5.8)."""

from typing import Final

from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found
from estafette.api.rest.reading import invalid, number_of, taken
from estafette.api.rest.resource import Filter, Found, Kind, Resource, Row, changing, fixed, shown
from estafette.mail.address import Address, parse
from estafette.store.parsing import ParseRoute
from estafette.webguard import MAX_URL, read_target


def _row(route: ParseRoute) -> Row:
    return {"APIKeyID": route.account_id, "Email": route.address, "ID": route.id, "Url": route.url}


async def _find(call: Call) -> ParseRoute | None:
    """By its number, or by its address."""
    found = await call.store.parsing.routes(call.account_id)
    return next((one for one in found if one.id == number_of(call.key) or one.address.lower() == call.key.lower()), None)


async def _many(call: Call) -> Found:
    return arrange([_row(one) for one in await call.store.parsing.routes(call.account_id)], call.listing, ("Email", "Url"))


async def _one(call: Call) -> Row | None:
    found = await _find(call)
    return _row(found) if found else None


def _checked(url: str) -> str:
    try:
        target = read_target(url)
    except ValueError as error:
        raise invalid({"Url": str(error)}) from None
    if target.path == "/":
        raise invalid({"Url": "is a bare root: a path is expected"})
    return url


async def _address(call: Call) -> Address:
    """The given address, of a domain that is the account's; or a new one of ours."""
    given = call.values.get("Email")
    if isinstance(given, Address):
        if given.domain not in (await call.store.authors(call.account_id)).domains:
            raise invalid({"Email": f"{given.domain} is not a verified domain of yours"})
        return given
    if not call.desk.inbound_domain:
        raise invalid({"Email": "an address is expected"})
    return parse(f"p-{call.desk.clock.token_bytes(10).hex()}@{call.desk.inbound_domain}")


async def _create(call: Call) -> Row:
    url, address = _checked(call.values["Url"]), await _address(call)
    made = await call.store.parsing.add(call.account_id, address.key, str(address), url, call.now)
    if made is None:
        raise taken("parseroute", "Email", address)
    return _row(made)


async def _update(call: Call) -> Row | None:
    found = await _find(call)
    if found is None:
        raise not_found()
    url = _checked(call.values.get("Url", found.url))
    if url == found.url and not found.failing_since:
        return None
    changed = await call.store.parsing.change(call.account_id, found.id, url)
    if changed is None:
        raise not_found()
    return _row(changed)


async def _delete(call: Call) -> bool:
    found = await _find(call)
    return found is not None and await call.store.parsing.remove(call.account_id, found.id)


RESOURCES: Final = (
    Resource("parseroute", "Mail in: an address, and the web address that its mail is posted to.", (
        shown("APIKeyID", Kind.INT), fixed("Email", Kind.ADDRESS, "Of a verified domain of yours whose MX leads here. Left out: one is made."),
        shown("ID", Kind.INT), changing("Url", Kind.STR, "With a path.", is_required=True, max_length=MAX_URL),
    ), (Filter("Email", Kind.STR), Filter("Url", Kind.STR)), ("ID",), "Email",
        many=_many, one=_one, create=_create, update=_update, delete=_delete),
)  # fmt: skip
