"""Commands about what is measured and kept: tracking of an account, consent of people, links that are taken back."""

import dataclasses

import click

from estafette.cli.arguments import ADDRESS
from estafette.cli.ground import NOT_FOUND, Ground, account_or_only, fail, options
from estafette.cli.printing import print_facts, print_json, print_table
from estafette.clock import to_iso
from estafette.mail.address import Address
from estafette.store.privacy import AccountPolicy, Revocation, StoredConsent
from estafette.store.seam import Store

ACCOUNT = click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
YES_NO = click.Choice(["yes", "no", "default"])
OPENS = {"full": "full", "last-date": "last_date", "off": "off"}


@click.group()
def tracking() -> None:
    """What an account measures and keeps, where it differs from the configuration."""


@tracking.command("show")
@ACCOUNT
@options
def tracking_show(ground: Ground, account_name: str | None) -> None:
    """Show an account's own word; "default" is what the configuration says.

    Example: estafette tracking show --account shop
    """

    async def work(store: Store) -> AccountPolicy:
        return await store.privacy.policy((await account_or_only(store, account_name)).id)

    _print_policy(ground, ground.run(work))


@tracking.command("set")
@ACCOUNT
@click.option("--opens", type=click.Choice([*OPENS, "default"]), help="Openings: every one, the date of a person's last one only, or none.")
@click.option("--clicks", type=YES_NO, help="Whether links are tracked.")
@click.option("--text-links", type=YES_NO, help="Whether links of text parts are tracked too.")
@click.option("--hide-client", type=YES_NO, help="Whether the Received field says nothing of the program that handed the mail over.")
@click.option("--content-days", type=click.IntRange(0, 36_500), metavar="N", help="How long the content of finished mail is kept.")
@click.option("--event-days", type=click.IntRange(1, 36_500), metavar="N", help="How long messages and their events are kept.")
@options
def tracking_set(ground: Ground, account_name: str | None, opens: str | None, clicks: str | None, text_links: str | None, hide_client: str | None,
                 content_days: int | None, event_days: int | None) -> None:  # fmt: skip
    """Change what is given, leave the rest. Running workers know within ten seconds.

    Example: estafette tracking set --account shop --opens last-date --clicks no
    """
    changes: dict[str, str | bool | int | None] = {}
    if opens is not None:
        changes["opens"] = OPENS.get(opens)
    for name, given in (("clicks", clicks), ("text_links", text_links), ("hides_client", hide_client)):
        if given is not None:
            changes[name] = {"yes": True, "no": False}.get(given)
    for name, days in (("content_days", content_days), ("event_days", event_days)):
        if days is not None:
            changes[name] = days
    if not changes:
        raise click.UsageError("nothing to change")

    async def work(store: Store) -> AccountPolicy:
        account = await account_or_only(store, account_name)
        policy = dataclasses.replace(await store.privacy.policy(account.id), **changes)  # type: ignore[arg-type]
        await store.privacy.set_policy(account.id, policy, ground.clock.now_us())
        return policy

    _print_policy(ground, ground.run(work))


def _print_policy(ground: Ground, policy: AccountPolicy) -> None:
    facts = dataclasses.asdict(policy)
    if ground.is_json:
        print_json(facts)
    else:
        print_facts({name.replace("_", " "): "default" if value is None else {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
                     for name, value in facts.items()})  # fmt: skip


@click.group()
def consent() -> None:
    """What single people agree to. It counts for mail that was sent before, too."""


@consent.command("set")
@click.argument("address", type=ADDRESS)
@ACCOUNT
@click.option("--opens", type=click.Choice(["yes", "no"]), required=True, help="Whether openings of this person may be kept.")
@click.option("--clicks", type=click.Choice(["yes", "no"]), required=True, help="Whether clicks of this person may be kept.")
@click.option("--source", default="", metavar="TEXT", help="Who said so, and where.")
@options
def consent_set(ground: Ground, address: Address, account_name: str | None, opens: str, clicks: str, source: str) -> None:
    """Keep what a person agrees to.

    Example: estafette consent set jo@example.com --opens no --clicks no --source "letter of 3 May"
    """
    said = StoredConsent(address.key, opens == "yes", clicks == "yes", source[:200], ground.clock.now_us())

    async def work(store: Store) -> None:
        await store.privacy.set_consent((await account_or_only(store, account_name)).id, said)

    ground.run(work)
    _print_consents(ground, [said])


@consent.command("list")
@ACCOUNT
@click.option("--after", default="", metavar="ADDRESS", help="Go on behind this address.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@options
def consent_list(ground: Ground, account_name: str | None, after: str, limit: int) -> None:
    """List those who said something, by address.

    Example: estafette consent list --account shop
    """

    async def work(store: Store) -> list[StoredConsent]:
        return await store.privacy.list_consents((await account_or_only(store, account_name)).id, after, limit)

    _print_consents(ground, ground.run(work))


def _print_consents(ground: Ground, found: list[StoredConsent]) -> None:
    if ground.is_json:
        for one in found:
            print_json({"address": one.address_key, "opens": one.opens, "clicks": one.clicks, "source": one.source, "at": to_iso(one.at)})
    else:
        rows = [(one.address_key, "yes" if one.opens else "no", "yes" if one.clicks else "no", to_iso(one.at), one.source) for one in found]
        print_table(("address", "opens", "clicks", "since", "source"), rows, "nobody said anything")


@click.group()
def link() -> None:
    """Links that are taken back: readers see a page instead of the target."""


@link.command("revoke")
@ACCOUNT
@click.option("--campaign", metavar="NAME", help="All links of a campaign.")
@click.option("--host", metavar="HOST", help="All links to a host and its subdomains.")
@click.option("--url", metavar="URL", help="One address, exactly as it stands in the mail.")
@click.option("--reason", default="", metavar="TEXT")
@options
def link_revoke(ground: Ground, account_name: str | None, campaign: str | None, host: str | None, url: str | None, reason: str) -> None:
    """Take links back, also of mail that was sent long ago.

    Example: estafette link revoke --host phished.example --reason "taken over"
    """
    given = [(kind, value) for kind, value in (("campaign", campaign), ("host", host and host.lower()), ("link", url)) if value]
    if len(given) != 1:
        raise click.UsageError("give one of --campaign, --host and --url")

    async def work(store: Store) -> Revocation:
        return await store.privacy.revoke((await account_or_only(store, account_name)).id, *given[0], reason[:200], ground.clock.now_us())

    _print_revocations(ground, [ground.run(work)])


@link.command("restore")
@click.argument("number", type=int)
@ACCOUNT
@options
def link_restore(ground: Ground, number: int, account_name: str | None) -> None:
    """Let the links of a revocation lead somewhere again.

    Example: estafette link restore 3
    """

    async def work(store: Store) -> bool:
        return await store.privacy.restore((await account_or_only(store, account_name)).id, number, ground.clock.now_us())

    if not ground.run(work):
        fail(NOT_FOUND, f"nothing is revoked under the number {number} (estafette link list shows what is)")
    print_json({"restored": number}) if ground.is_json else click.echo("restored")


@link.command("list")
@ACCOUNT
@options
def link_list(ground: Ground, account_name: str | None) -> None:
    """List what is taken back now.

    Example: estafette link list --json
    """

    async def work(store: Store) -> list[Revocation]:
        return await store.privacy.revocations((await account_or_only(store, account_name)).id)

    _print_revocations(ground, ground.run(work))


def _print_revocations(ground: Ground, found: list[Revocation]) -> None:
    if ground.is_json:
        for one in found:
            print_json({"number": one.id, "kind": one.kind, "value": one.value, "reason": one.reason, "at": to_iso(one.at)})
    else:
        print_table(("number", "kind", "value", "since", "reason"), [(r.id, r.kind, r.value, to_iso(r.at), r.reason) for r in found], "nothing is revoked")
