"""The command that replaces a domain's signing keys without a mail that cannot be verified: publish the new record, switch, take the old record out later."""

import dataclasses

import click

from estafette.cli.arguments import DOMAIN
from estafette.cli.ground import NOT_FOUND, PROBLEM, Ground, account_or_only, fail, options
from estafette.cli.printing import print_json, print_table
from estafette.clock import to_iso
from estafette.deliver.dns import DnsResolver
from estafette.deliver.rotation import NotReady, Rotation
from estafette.mail.zone import Record
from estafette.store.seam import Store
from estafette.store.signers import Signer
from estafette.vault import open_vault


@click.command("rotate")
@click.argument("name", type=DOMAIN, metavar="DOMAIN")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@click.option("--ed25519", "is_ed25519", is_flag=True, help="Make an Ed25519 key, which signs beside the RSA key.")
@click.option("--switch", "is_switch", is_flag=True, help="Sign with the new keys from now on; their records must be in the DNS.")
@click.option("--unchecked", is_flag=True, help="With --switch: do not look in the DNS.")
@click.option("--drop", metavar="SELECTOR", help="Delete a key that waits or is retired.")
@options
def domain_rotate(ground: Ground, name: str, account_name: str | None, is_ed25519: bool, is_switch: bool, unchecked: bool, drop: str | None) -> None:
    """Replace the signing keys of a domain, in three steps that never leave a mail unverifiable.

    \b
    1. rotate DOMAIN            makes new keys and prints their records: publish them
    2. rotate DOMAIN --switch   signs with the new keys, within a minute everywhere; the old ones are retired
    3. rotate DOMAIN --drop S   deletes a retired key; take its record out of the DNS a week after the switch
    Example: estafette domain rotate example.com --switch
    """
    if is_switch + is_ed25519 + (drop is not None) > 1:
        raise click.UsageError("give one of --switch, --ed25519 and --drop")

    async def work(store: Store) -> tuple[list[Signer], list[Record]]:
        owner = await account_or_only(store, account_name)
        rotation = Rotation(store, ground.clock, ground.config, open_vault(ground.config, ground.clock), owner.id, name)
        if not await rotation.keys():
            fail(NOT_FOUND, f"{name} has no signing key (estafette domain add {name} makes one)")
        if drop is not None:
            if not await rotation.drop(drop):
                fail(PROBLEM, f"{name} has no key {drop!r} that does not sign")
        elif is_switch:
            await _switch(ground, rotation, unchecked)
        else:
            await rotation.make(is_ed25519=is_ed25519)
        return await rotation.keys(), await rotation.waiting()

    keys, records = ground.run(work)
    if ground.is_json:
        shown = [{"selector": s.key.selector, "algorithm": s.key.algorithm, "state": s.state, "since": to_iso(s.since)} for s in keys]
        print_json({"domain": name, "keys": shown, "publish": [dataclasses.asdict(r) for r in records]})
        return
    print_table(("selector", "algorithm", "state", "since"), [(s.key.selector, s.key.algorithm, s.state, to_iso(s.since)) for s in keys])
    for record in records:
        click.echo(f"\npublish: {record.name} TXT {record.value}")


async def _switch(ground: Ground, rotation: Rotation, unchecked: bool) -> None:
    delivery = ground.config.delivery
    resolver = None if unchecked else DnsResolver([(e.host, e.port) for e in delivery.dns], delivery.dns_timeout_s, ground.clock)
    try:
        await rotation.switch(resolver)
    except NotReady as error:
        one, name = error.record, rotation.name
        if one is None:
            fail(PROBLEM, f"{name} has no new key (estafette domain rotate {name} makes one)")
        fail(PROBLEM, f"{one.record.name} is not in the DNS as it should be ({one.why or one.seen.value}); nothing was changed")
