"""Commands about who may send: account, key, domain, sender."""

import dataclasses
import hashlib

import click

from estafette.cli.arguments import ADDRESS, DOMAIN, NAME
from estafette.cli.ground import NOT_FOUND, PROBLEM, Ground, account_named, account_or_only, fail, options
from estafette.cli.printing import print_facts, print_json, print_table
from estafette.clock import Clock
from estafette.deliver.publishing import published_records
from estafette.mail.address import Address
from estafette.mail.zone import Record
from estafette.model import Account, AfterUncertain
from estafette.store.seam import Store
from estafette.vault import new_dkim_key, open_vault


@click.group()
def account() -> None:
    """Accounts: who sends, with keys, domains and limits of their own."""


@account.command("add")
@click.argument("name", type=NAME)
@options
def account_add(ground: Ground, name: str) -> None:
    """Make an account with its first API key; the secret is shown this once.

    Example: estafette account add shop
    """

    async def work(store: Store) -> tuple[str, str]:
        if await store.account(name) is not None:
            fail(PROBLEM, f"there is already an account {name!r} (estafette key add --account {name} makes another key)")
        made = await store.add_account(name, ground.clock.now_us())
        return await _new_key(store, made, ground.clock)

    key, secret = ground.run(work)
    if ground.is_json:
        print_json({"account": name, "key": key, "secret": secret})
    else:
        print_facts({"account": name, "API key": key, "secret": secret})
        click.echo("Key and secret are the SMTP login and the API's user and password. The secret is not stored and not shown again.")


@account.command("list")
@options
def account_list(ground: Ground) -> None:
    """List the accounts.

    Example: estafette account list --json
    """
    accounts = ground.run(lambda store: store.accounts())
    if ground.is_json:
        for one in accounts:
            print_json({"account": one.name, "active": one.is_active, "rate_per_s": one.rate_per_s, "failure_reports": one.failure_reports})
    else:
        rows = [(a.name, "yes" if a.is_active else "no", a.rate_per_s or "no limit", "yes" if a.failure_reports else "no") for a in accounts]
        print_table(("account", "active", "messages/s", "failure reports"), rows, "no account yet: estafette account add NAME")


@account.command("set")
@click.argument("name", type=NAME)
@click.option("--rate", type=click.IntRange(0, 1_000_000), metavar="N", help="Accepted messages per second; 0 = no limit.")
@click.option("--active/--suspended", "is_active", default=None, help="A suspended account can neither log in nor send.")
@click.option("--uncertain", "after_uncertain", type=click.Choice([way.value for way in AfterUncertain]),
              help="What is done with a mail that the receiving server may have already: repeat it, hold it for a person, or wait for evidence first.")
@click.option("--failure-reports/--no-failure-reports", "failure_reports", default=None,
              help="Mail a report (RFC 3464) to the reverse-path of what came by SMTP and could not be delivered.")
@click.option("--require-tls/--allow-clear", "require_tls", default=None, help="Whether its mail may go in clear to servers that offer no TLS.")
@options
def account_set(ground: Ground, name: str, rate: int | None, is_active: bool | None, after_uncertain: str | None, failure_reports: bool | None,
                require_tls: bool | None) -> None:  # fmt: skip
    """Change an account; what is not given stays as it is. Running workers know within ten seconds.

    Example: estafette account set shop --rate 50
    """
    if rate is None and is_active is None and after_uncertain is None and failure_reports is None and require_tls is None:
        raise click.UsageError("nothing to change: give --rate, --active, --suspended, --uncertain, --[no-]failure-reports, --require-tls or --allow-clear")
    way = AfterUncertain(after_uncertain) if after_uncertain else None

    async def work(store: Store) -> Account:
        return await store.configure_account((await account_named(store, name)).id, is_active, rate, way, failure_reports, require_tls)

    now = ground.run(work)
    if ground.is_json:
        print_json({"account": now.name, "active": now.is_active, "rate_per_s": now.rate_per_s, "failure_reports": now.failure_reports,
                    "uncertain": now.after_uncertain.value, "require_tls": now.require_tls})  # fmt: skip
    else:
        print_facts({"account": now.name, "active": "yes" if now.is_active else "no: suspended", "messages/s": now.rate_per_s or "no limit",
                     "uncertain": now.after_uncertain.value, "failure reports": "yes" if now.failure_reports else "no",
                     "TLS": "required" if now.require_tls else "when the server offers it"})  # fmt: skip


@click.group()
def key() -> None:
    """API keys: the logins of an account."""


@key.command("add")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@options
def key_add(ground: Ground, account_name: str | None) -> None:
    """Make another API key; the secret is shown this once.

    Example: estafette key add --account shop
    """

    async def work(store: Store) -> tuple[str, str]:
        return await _new_key(store, await account_or_only(store, account_name), ground.clock)

    made, secret = ground.run(work)
    if ground.is_json:
        print_json({"key": made, "secret": secret})
    else:
        print_facts({"API key": made, "secret": secret})
        click.echo("The secret is not stored and not shown again.")


@key.command("list")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@options
def key_list(ground: Ground, account_name: str | None) -> None:
    """List the API keys of an account; secrets are not stored and cannot be shown.

    Example: estafette key list --account shop
    """

    async def work(store: Store) -> list[tuple[str, bool]]:
        return await store.keys((await account_or_only(store, account_name)).id)

    found = ground.run(work)
    if ground.is_json:
        for name, is_active in found:
            print_json({"key": name, "active": is_active})
    else:
        print_table(("key", "active"), [(name, "yes" if is_active else "no") for name, is_active in found], "no key yet: estafette key add")


@key.command("set")
@click.argument("name", metavar="KEY")
@click.option("--on/--off", "is_active", required=True, help="Whether the key may log in.")
@options
def key_set(ground: Ground, name: str, is_active: bool) -> None:
    """Switch an API key on or off, within ten seconds for running workers.

    Example: estafette key set 4f6c2d0a9b1e4c7d8e3f5a6b7c8d9e0f --off
    """
    if not ground.run(lambda store: store.switch_key(name, is_active)):
        fail(NOT_FOUND, f"there is no API key {name!r}")
    if ground.is_json:
        print_json({"key": name, "active": is_active})
    else:
        print_facts({"key": name, "active": "yes" if is_active else "no"})


async def _new_key(store: Store, owner: Account, clock: Clock) -> tuple[str, str]:
    """(key, secret): 128 and 256 random bits in hexadecimal; the store gets the SHA-256 of the secret's text."""
    made, secret = clock.token_bytes(16).hex(), clock.token_bytes(32).hex()
    await store.add_key(owner.id, made, hashlib.sha256(secret.encode("ascii")).digest(), clock.now_us())
    return made, secret


@click.group()
def domain() -> None:
    """Domains that an account writes from, with their signing keys."""


@domain.command("add")
@click.argument("name", type=DOMAIN, metavar="DOMAIN")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@click.option("--verified", "is_verified", is_flag=True, help="Trust that the domain is the account's, without looking in the DNS.")
@options
def domain_add(ground: Ground, name: str, account_name: str | None, is_verified: bool) -> None:
    """Add a domain, make its DKIM key (RSA-2048) and print the DNS records to publish. Repeating it prints them again.

    Example: estafette domain add example.com --account shop --verified
    """

    async def work(store: Store) -> list[Record]:
        owner = await account_or_only(store, account_name)
        now = ground.clock.now_us()
        vault = open_vault(ground.config, ground.clock)
        if not await store.dkim_keys(owner.id, name):
            await store.add_dkim_key(owner.id, new_dkim_key(name, vault, ground.clock), now)
        token = await store.add_domain(owner.id, name, is_verified, f"estafette={ground.clock.token_bytes(16).hex()}", now)
        is_known = name in (await store.authors(owner.id)).domains
        return await published_records(store, owner.id, name, "" if is_known else token, ground.config, vault)

    records = ground.run(work)
    if ground.is_json:
        print_json({"domain": name, "records": [dataclasses.asdict(r) for r in records]})
    else:
        print_table(("for", "type", "name", "value"), [(r.purpose, r.type, r.name, r.value) for r in records])
        click.echo("If the domain has an SPF record already, add our terms to it: there may be only one.")


@domain.command("list")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@options
def domain_list(ground: Ground, account_name: str | None) -> None:
    """List the verified domains with their DNS records.

    Example: estafette domain list --account shop --json
    """

    async def work(store: Store) -> list[tuple[str, str, list[Record]]]:
        owners = [await account_named(store, account_name)] if account_name else await store.accounts()
        vault = open_vault(ground.config, ground.clock)
        return [
            (owner.name, name, await published_records(store, owner.id, name, "", ground.config, vault))
            for owner in owners
            for name in sorted((await store.authors(owner.id)).domains)
        ]

    found = ground.run(work)
    if ground.is_json:
        for owner, name, records in found:
            print_json({"domain": name, "account": owner, "verified": True, "records": [dataclasses.asdict(r) for r in records]})
    else:
        rows = [(owner, name, r.purpose, r.type, r.name, r.value) for owner, name, records in found for r in records]
        print_table(("account", "domain", "for", "type", "name", "value"), rows, "no verified domain yet: estafette domain add DOMAIN --verified")


@click.group()
def sender() -> None:
    """Single addresses that an account may write as."""


@sender.command("add")
@click.argument("address", type=ADDRESS)
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@click.option("--verified", "is_verified", is_flag=True, help="Trust that the address is the account's, without asking it by mail.")
@options
def sender_add(ground: Ground, address: Address, account_name: str | None, is_verified: bool) -> None:
    """Add an author address.

    Example: estafette sender add news@example.com --account shop --verified
    """

    async def work(store: Store) -> str:
        owner = await account_or_only(store, account_name)
        await store.add_sender(owner.id, address.key, is_verified, ground.clock.now_us())
        return owner.name

    owner = ground.run(work)
    if ground.is_json:
        print_json({"address": str(address), "account": owner, "verified": is_verified})
    else:
        print_facts({"address": str(address), "account": owner, "verified": "yes" if is_verified else "no: it may not send yet"})


@sender.command("list")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@options
def sender_list(ground: Ground, account_name: str | None) -> None:
    """List the verified author addresses.

    Example: estafette sender list --account shop
    """

    async def work(store: Store) -> list[tuple[str, str]]:
        owners = [await account_named(store, account_name)] if account_name else await store.accounts()
        return [(owner.name, address) for owner in owners for address in sorted((await store.authors(owner.id)).addresses)]

    found = ground.run(work)
    if ground.is_json:
        for owner, address in found:
            print_json({"address": address, "account": owner, "verified": True})
    else:
        print_table(("account", "address"), found, "no verified sender yet: estafette sender add ADDRESS --verified")
