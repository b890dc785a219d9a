"""S13, the domains: a light per domain, the records to publish with what the DNS says of each now, adding and verifying, new signing keys."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from estafette.deliver.publishing import Published, Seen, look_up, published_records
from estafette.deliver.rotation import NotReady, Rotation
from estafette.mail.address import AddressError, is_deliverable_domain, parse_domain
from estafette.vault import new_dkim_key
from estafette.views import DomainRow
from estafette.web.desk import NOT_FOUND, Refused, Visit
from estafette.web.languages import marked as _

LOOKED_AT: Final = 10
"""Domains of a list whose records are looked up when it is shown; of more, each on its own page."""
KEY_STATES: Final = {"waiting": _("waits to be published"), "signing": _("signs"), "retired": _("signs no more")}
ORDER: Final = ("ownership", "dkim", "spf", "dmarc", "return_path", "tracking")


@dataclass(frozen=True, slots=True)
class Light:
    """A domain with what the DNS says of it, by purpose."""

    row: DomainRow
    seen: dict[str, Seen]  # the worst of the records of a purpose

    @property
    def is_good(self) -> bool:
        return bool(self.seen) and all(seen is Seen.OK for seen in self.seen.values())


async def look(visit: Visit, row: DomainRow) -> list[Published]:
    """The records of a domain with what the DNS says now."""
    token = "" if row.is_verified else row.ownership_token
    records = await published_records(visit.store, visit.account_id, row.name, token, visit.desk.config, visit.desk.vault)
    return await look_up(records, visit.desk.new_resolver())


def light_of(row: DomainRow, published: list[Published]) -> Light:
    """The worst finding of each purpose."""
    badness = (Seen.OK, Seen.UNKNOWN, Seen.MISSING, Seen.WRONG)
    seen: dict[str, Seen] = {}
    for one in published:
        before = seen.get(one.record.purpose, Seen.OK)
        seen[one.record.purpose] = max(before, one.seen, key=badness.index)
    return Light(row, {purpose: seen[purpose] for purpose in ORDER if purpose in seen})


async def domains(visit: Visit) -> Response:
    """The list."""
    return await _page(visit)


async def _page(visit: Visit, status: int = 200, problem: str = "") -> Response:
    rows = await visit.store.screens.domains(visit.account_id)
    lights = [light_of(row, await look(visit, row) if number < LOOKED_AT else []) for number, row in enumerate(rows)]
    return visit.page("domains.html", status, lights=lights, problem=problem, addresses=sorted((await visit.store.authors(visit.account_id)).addresses))


async def add(visit: Visit) -> Response:
    """A new domain with its signing key; it may be sent from when its ownership record is seen in the DNS."""
    try:
        name = parse_domain(visit.given("domain", 255).rstrip("."))
    except AddressError:
        name = ""
    if not is_deliverable_domain(name):
        return await _page(visit, 422, "domain")
    known = await _row(visit, name)
    if known is None:
        if not await visit.store.dkim_keys(visit.account_id, name):
            key = await asyncio.to_thread(new_dkim_key, name, visit.desk.vault, visit.desk.clock)  # RSA takes a tenth of a second
            await visit.store.add_dkim_key(visit.account_id, key, visit.now)
        await visit.store.add_domain(visit.account_id, name, False, f"estafette={visit.desk.clock.token_bytes(16).hex()}", visit.now)
        await visit.note("domain.add", name)
    return visit.go(visit.url(f"domains/{name}"), "domain_added")


async def domain(visit: Visit) -> Response:
    """One domain: its records, each with its state, and all of them as a piece of a zone file; its signing keys."""
    return await _domain_page(visit)


async def _domain_page(visit: Visit, status: int = 200, not_ready: Published | None = None) -> Response:
    row = await _named(visit)
    keys = await _rotation(visit, row.name).keys()
    published = await look(visit, row)
    zone = "\n".join(_zone_line(one) for one in published)
    is_complete = all(p.seen is Seen.OK for p in published)
    return visit.page(
        "domain.html", status, row=row, published=published, light=light_of(row, published), zone=zone, is_complete=is_complete, keys=keys, states=KEY_STATES,
        not_ready=not_ready, has_waiting=any(s.state == "waiting" for s in keys), algorithms={s.key.algorithm for s in keys},
    )  # fmt: skip


async def check(visit: Visit) -> Response:
    """Ask the DNS again; a domain whose ownership record is there is verified."""
    row = await _named(visit)
    published = await look(visit, row)
    owned = any(one.record.purpose == "ownership" and one.seen is Seen.OK for one in published)
    if owned and not row.is_verified:
        await visit.store.add_domain(visit.account_id, row.name, True, row.ownership_token, visit.now)
        await visit.note("domain.verify", row.name)
    return visit.go(visit.url(f"domains/{row.name}"), "domain_verified" if owned and not row.is_verified else "domain_checked")


async def rotate(visit: Visit) -> Response:
    """New signing keys in three steps: made and published, switched to when the DNS has them, the old ones deleted."""
    row = await _named(visit)
    rotation, order, here = _rotation(visit, row.name), visit.given("order"), visit.url(f"domains/{row.name}")
    if order in ("make", "ed25519"):
        made = await rotation.make(is_ed25519=order == "ed25519")
        for signer in made:
            await visit.note("key.make", row.name, f"{signer.key.selector} {signer.key.algorithm}")
        return visit.go(here, "keys_made" if made else "keys_wait")
    if order == "switch":
        try:
            begun = await rotation.switch(visit.desk.new_resolver())
        except NotReady as error:
            if error.record is None:
                raise Refused(400) from None
            return await _domain_page(visit, 422, error.record)
        await visit.note("key.switch", row.name, " ".join(begun))
        return visit.go(here, "keys_switched")
    selector = visit.given("selector", 63)
    if order != "drop" or not await rotation.drop(selector):
        raise Refused(400)
    await visit.note("key.drop", row.name, selector)
    return visit.go(here, "key_dropped")


def _rotation(visit: Visit, name: str) -> Rotation:
    desk = visit.desk
    return Rotation(desk.store, desk.clock, desk.config, desk.vault, visit.account_id, name)


async def _named(visit: Visit) -> DomainRow:
    row = await _row(visit, str(visit.request.path_params["name"]).lower())
    if row is None:
        raise Refused(NOT_FOUND)
    return row


async def _row(visit: Visit, name: str) -> DomainRow | None:
    return next((row for row in await visit.store.screens.domains(visit.account_id) if row.name == name), None)


def _zone_line(one: Published) -> str:
    """As a zone file has it; TXT in strings of at most 255 octets (RFC 1035 section 3.3.14)."""
    value = one.record.value
    if one.record.type == "TXT":
        value = " ".join(f'"{value[i : i + 250]}"' for i in range(0, len(value), 250))
    elif one.record.type in ("MX", "CNAME"):
        value += "."
    return f"{one.record.name}. 3600 IN {one.record.type} {value}"
