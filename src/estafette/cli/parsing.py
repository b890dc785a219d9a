"""Commands about mail that is handed to customers' programs (the Parse API)."""

import click

from estafette.cli.arguments import ADDRESS
from estafette.cli.ground import NOT_FOUND, PROBLEM, USAGE, Ground, account_named, account_or_only, fail, options
from estafette.cli.printing import at, print_facts, print_json, print_table
from estafette.mail.address import Address, parse
from estafette.store.parsing import ParseRoute
from estafette.store.seam import Store
from estafette.webguard import read_target


@click.group()
def route() -> None:
    """Mail in for customers' programs: an address, and the web address that its mail is posted to."""


@route.command("add")
@click.argument("url")
@click.option("--email", type=ADDRESS, metavar="ADDRESS", help="Of a verified domain of the account whose MX leads here. Left out: one is made.")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@options
def route_add(ground: Ground, url: str, email: Address | None, account_name: str | None) -> None:
    """Post every mail to an address as a JSON object to a web address, until it is taken.

    Example: estafette route add https://shop.example/mail --email orders@in.shop.example
    """
    try:
        read_target(url)
    except ValueError as error:
        fail(USAGE, f"URL {error}")

    async def work(store: Store) -> ParseRoute:
        owner = await account_or_only(store, account_name)
        address = email or parse(f"p-{ground.clock.token_bytes(10).hex()}@{ground.config.inbound.domain}")
        if email is not None and email.domain not in (await store.authors(owner.id)).domains:
            fail(PROBLEM, f"{email.domain} is not a verified domain of {owner.name} (estafette domain add {email.domain})")
        made = await store.parsing.add(owner.id, address.key, str(address), url, ground.clock.now_us())
        if made is None:
            fail(PROBLEM, f"{address} leads somewhere already")
        return made

    _show(ground, ground.run(work))


def _show(ground: Ground, one: ParseRoute) -> None:
    if ground.is_json:
        print_json({"id": one.id, "email": one.address, "url": one.url})
    else:
        print_facts({"route": one.id, "mail to": one.address, "is posted to": one.url})


@route.command("list")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@options
def route_list(ground: Ground, account_name: str | None) -> None:
    """List the routes, what waits for them and since when they fail.

    Example: estafette route list --json
    """

    async def work(store: Store) -> tuple[list[ParseRoute], dict[int, int]]:
        found = await store.parsing.routes((await account_named(store, account_name)).id if account_name else None)
        return found, await store.parsing.waiting([one.id for one in found])

    found, waiting = ground.run(work)
    if ground.is_json:
        for one in found:
            print_json({"id": one.id, "email": one.address, "url": one.url, "waiting": waiting.get(one.id, 0),
                        "failing_since": at(one.failing_since or None), "trouble": one.trouble})  # fmt: skip
    else:
        rows = [(one.id, one.address, one.url, waiting.get(one.id, 0), one.trouble) for one in found]
        print_table(("route", "mail to", "is posted to", "waiting", "trouble"), rows, "no routes")


@route.command("remove")
@click.argument("route_id", type=int, metavar="ID")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@options
def route_remove(ground: Ground, route_id: int, account_name: str | None) -> None:
    """Remove a route with the mail that waits for it.

    Example: estafette route remove 3 --account shop
    """

    async def work(store: Store) -> bool:
        return await store.parsing.remove((await account_or_only(store, account_name)).id, route_id)

    if not ground.run(work):
        fail(NOT_FOUND, f"there is no route {route_id}")
    if ground.is_json:
        print_json({"id": route_id, "removed": True})
    else:
        click.echo(f"route {route_id} removed")
