"""Commands about one person and about segments: what is known, why somebody is in or out, erasure."""

import click

from estafette.audience import Contact, PropertyValue, Segment
from estafette.cli.ground import NOT_FOUND, PROBLEM, USAGE, Ground, account_or_only, fail, options
from estafette.cli.importing import ACCOUNT
from estafette.cli.printing import print_facts, print_json, print_table
from estafette.clock import DAY_US
from estafette.mail.address import AddressError, parse
from estafette.model import Account, EventKind
from estafette.newsletters.audience import selected
from estafette.newsletters.conductor import VISITS_SINCE_DAYS, read_segment
from estafette.newsletters.person import everything
from estafette.newsletters.segment_language import SegmentError
from estafette.nouns import Member
from estafette.store.seam import Store


async def _contact(store: Store, account: Account, address: str) -> Contact:
    try:
        key = parse(address).key
    except AddressError as error:
        fail(USAGE, str(error))
    found = await store.contacts.find_address(account.id, key)
    if found is None:
        fail(NOT_FOUND, f"{account.name} has no contact {address}")
    return found


@click.group()
def contact() -> None:
    """What is known of one person."""


@contact.command("show")
@click.argument("address")
@ACCOUNT
@options
def contact_show(ground: Ground, address: str, account_name: str | None) -> None:
    """Show everything that is kept of a person: properties, lists with when and by what, proofs of consent, blocks, messages.

    With --json it is what the person may ask for.

    Example: estafette contact show jo@example.net --json > jo.json
    """

    async def work(store: Store) -> dict[str, object]:
        account = await account_or_only(store, account_name)
        return await everything(store, account.id, (await _contact(store, account, address)).address_key, ground.clock.now_us())

    facts = ground.run(work)
    if ground.is_json:
        print_json(facts)
        return
    properties, lists, messages, acts, waiting, blocks = (facts.pop(name) for name in ("properties", "lists", "messages", "consent", "waiting", "blocks"))
    facts.pop("tracking")
    assert isinstance(lists, list) and isinstance(messages, list) and isinstance(properties, dict) and isinstance(acts, list)
    assert isinstance(waiting, list) and isinstance(blocks, list)
    counts = {"messages": len(messages), "waiting to be confirmed": len(waiting), "blocked for": ", ".join(block["cause"] for block in blocks)}
    print_facts({**facts, **properties, **counts})
    click.echo("")
    heads: tuple[str, ...] = ("list", "subscribed_at", "unsubscribed_at", "source", "evidence")
    print_table(heads, [[place[head] or "" for head in heads] for place in lists], empty="on no list")
    click.echo("")
    heads = ("at", "act", "list", "source", "evidence", "ip", "words", "reason")
    print_table(heads, [[act[head] or "" for head in heads] for act in acts], empty="no proof of consent")


@contact.command("erase")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@ACCOUNT
@options
def contact_erase(ground: Ground, address: str, yes: bool, account_name: str | None) -> None:
    """Forget a person: the address gives way to a random one, also on finished messages; the rest is emptied, all lists are left.

    Example: estafette contact erase jo@example.net --yes
    """
    if not yes:
        click.confirm(f"Forget {address} for good?", abort=True, err=True)

    async def work(store: Store) -> bool:
        account = await account_or_only(store, account_name)
        one = await _contact(store, account, address)
        alias = f"{ground.clock.token_bytes(16).hex()}@erased.invalid"
        return await store.contacts.erase(account.id, one.id, alias, ground.clock.now_us())

    done = ground.run(work)
    if ground.is_json:
        print_json({"address": address, "erased": done})
    else:
        click.echo(f"{address} is forgotten")


@click.group()
def segment() -> None:
    """Named expressions over contacts."""


@segment.command("list")
@ACCOUNT
@options
def segment_list(ground: Ground, account_name: str | None) -> None:
    """List segments.

    Example: estafette segment list
    """

    async def work(store: Store) -> list[Segment]:
        return [one for one in await store.contacts.segments((await account_or_only(store, account_name)).id) if one.deleted_at is None]

    found = ground.run(work)
    if ground.is_json:
        for one in found:
            print_json({"id": one.id, "name": one.name, "expression": one.expression})
    else:
        print_table(("id", "name", "expression"), [(one.id, one.name, one.expression) for one in found], empty="no segments")


@segment.command("test")
@click.argument("number", type=int, metavar="ID")
@click.argument("address")
@ACCOUNT
@options
def segment_test(ground: Ground, number: int, address: str, account_name: str | None) -> None:
    """Say whether a contact is in a segment, and what it was judged by. Exit code 1 when it is not.

    Example: estafette segment test 2 jo@example.net
    """

    async def work(store: Store) -> tuple[bool, str, dict[str, PropertyValue]]:
        account = await account_or_only(store, account_name)
        one = await _contact(store, account, address)
        try:
            chosen = await read_segment(store, account.id, number)
        except SegmentError as error:
            fail(NOT_FOUND, str(error))
        since, keys = ground.clock.now_us() - VISITS_SINCE_DAYS * DAY_US, [one.address_key]
        opens = await store.newsletters.last_visits(account.id, keys, EventKind.OPENED.value, since)
        clicks = await store.newsletters.last_visits(account.id, keys, EventKind.CLICKED.value, since)
        member = Member(one.id, one.address, one.address_key, one.name, one.properties)
        expression = next(s.expression for s in await store.contacts.segments(account.id) if s.id == number)
        known = {chosen.names[i]: value for i, value in one.properties.items() if i in chosen.names}
        return bool(selected([member], chosen, opens, clicks, ground.clock.now_us())), expression, known

    is_in, expression, known = ground.run(work)
    if ground.is_json:
        print_json({"address": address, "in": is_in, "expression": expression, "properties": known})
    else:
        print_facts({"address": address, "in the segment": "yes" if is_in else "no", "expression": expression, **known})
    if not is_in:
        raise SystemExit(PROBLEM)
