"""Commands about webhooks: who is told of events, what was told, tell again."""

import click

from estafette.api.webhooks.payload import encoded, sample
from estafette.api.webhooks.signing import SECRET_NAME, secret_of
from estafette.api.webhooks.telling import Calling, send_again, shown_url
from estafette.app.beside import caller_of
from estafette.cli.ground import NOT_FOUND, PROBLEM, USAGE, Ground, account_named, account_or_only, fail, options
from estafette.cli.printing import at, print_facts, print_json, print_table
from estafette.nouns import WEBHOOK_TYPES, Webhook, WebhookCall
from estafette.store.seam import Store
from estafette.webguard import read_target


@click.group()
def webhook() -> None:
    """Customers' web addresses that are told of events."""


async def _root(ground: Ground, store: Store) -> bytes:
    return await store.secret(SECRET_NAME, ground.clock.token_bytes(32))


@webhook.command("add")
@click.argument("event_type", type=click.Choice(WEBHOOK_TYPES), metavar="TYPE")
@click.argument("url")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@click.option("--version", type=click.IntRange(1, 2), default=1, help="1: one event per call. 2: arrays of events, at most once a second.")
@click.option("--backup", is_flag=True, help="Told only while the first address for these events is suspended.")
@options
def webhook_add(ground: Ground, event_type: str, url: str, account_name: str | None, version: int, backup: bool) -> None:
    """Tell an address of one TYPE of events: open, click, bounce, spam, blocked, unsub or sent.

    The secret is what the receiver checks signatures with (Standard Webhooks); all events of an account that go to one address have the same.

    Example: estafette webhook add bounce https://shop.example/hook --account shop
    """
    try:
        read_target(url)
    except ValueError as error:
        fail(USAGE, f"URL {error}")

    async def work(store: Store) -> tuple[Webhook, str]:
        owner = await account_or_only(store, account_name)
        made = await store.webhooks.add(owner.id, event_type, url, version, ground.clock.now_us(), is_backup=backup)
        if made is None:
            fail(PROBLEM, f"{owner.name} has {'a backup' if backup else 'an address'} for {event_type} events already")
        return made, secret_of(await _root(ground, store), owner.id, url)

    made, secret = ground.run(work)
    if ground.is_json:
        print_json({"id": made.id, "type": made.event_type, "url": shown_url(made.url), "version": made.version, "backup": made.is_backup, "secret": secret})
    else:
        print_facts({"webhook": made.id, "events": made.event_type, "url": shown_url(made.url), "secret": secret})


@webhook.command("list")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@options
def webhook_list(ground: Ground, account_name: str | None) -> None:
    """List webhooks, whether they are alive, and what waits for them.

    Example: estafette webhook list --json
    """

    async def work(store: Store) -> tuple[list[Webhook], dict[int, tuple[int, int]], dict[int, str]]:
        owner = (await account_named(store, account_name)).id if account_name else None
        found = await store.webhooks.all_of(owner)
        return found, await store.webhooks.waiting([one.id for one in found]), {account.id: account.name for account in await store.accounts()}

    found, waiting, names = ground.run(work)
    rows = [{
        "id": one.id, "account": names.get(one.account_id, ""), "type": one.event_type, "backup": one.is_backup, "url": shown_url(one.url),
        "version": one.version, "status": "alive" if one.is_alive else "dead", "waiting": waiting.get(one.id, (0, 0))[0],
        "failing_since": at(one.failing_since or None), "trouble": one.trouble,
    } for one in found]  # fmt: skip
    if ground.is_json:
        for row in rows:
            print_json(row)
    else:
        heads = ("id", "account", "type", "status", "waiting", "url", "trouble")
        print_table(heads, [[row[head] for head in heads] for row in rows], empty="no webhooks")


@webhook.command("remove")
@click.argument("webhook_id", type=int, metavar="ID")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@options
def webhook_remove(ground: Ground, webhook_id: int, account_name: str | None) -> None:
    """Remove a webhook with everything that waits for it.

    Example: estafette webhook remove 3 --account shop
    """

    async def work(store: Store) -> bool:
        return await store.webhooks.remove((await account_or_only(store, account_name)).id, webhook_id)

    if not ground.run(work):
        fail(NOT_FOUND, f"there is no webhook {webhook_id}")
    if ground.is_json:
        print_json({"id": webhook_id, "removed": True})
    else:
        click.echo(f"webhook {webhook_id} removed")


@webhook.command("test")
@click.argument("webhook_id", type=int, metavar="ID")
@options
def webhook_test(ground: Ground, webhook_id: int) -> None:
    """Call a webhook now with a sample event and show the answer. Exit code 1 when it is not 200.

    Example: estafette webhook test 3
    """

    async def work(store: Store) -> WebhookCall:
        hook = next((one for one in await store.webhooks.all_of() if one.id == webhook_id), None)
        if hook is None:
            fail(NOT_FOUND, f"there is no webhook {webhook_id}")
        calling = Calling(caller_of(ground.config), ground.clock, await _root(ground, store))
        text = encoded(sample(hook.event_type, ground.clock.now_us()))
        _, made = await calling.call(hook, (text if hook.version == 1 else f"[{text}]").encode(), [0])
        calling.caller.close()
        await store.webhooks.called([made], [], [], [])
        return made

    made = ground.run(work)
    if ground.is_json:
        print_json(_row(made))
    else:
        print_facts({"status": made.status or "no answer", "trouble": made.trouble, "after": f"{made.duration_ms} ms", "answer": made.answer})
    if made.trouble:
        raise SystemExit(PROBLEM)


@webhook.command("log")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@click.option("--failed", is_flag=True, help="Only calls that failed.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help="At most so many, newest first.")
@options
def webhook_log(ground: Ground, account_name: str | None, failed: bool, limit: int) -> None:
    """List the calls of the last week, newest first.

    Example: estafette webhook log --account shop --failed
    """

    async def work(store: Store) -> list[WebhookCall]:
        owner = (await account_named(store, account_name)).id if account_name else None
        return await store.webhooks.calls(owner, only_failed=failed, limit=limit)

    found = ground.run(work)
    if ground.is_json:
        for one in found:
            print_json(_row(one))
    else:
        print_table(("call", "at", "webhook", "status", "events", "trouble"),
                    [(one.id, at(one.at), one.webhook_id, one.status or "none", len(one.event_ids), one.trouble) for one in found],
                    empty="no calls")  # fmt: skip


def _row(call: WebhookCall) -> dict[str, object]:
    return {
        "id": call.id, "webhook": call.webhook_id, "url": call.url, "at": at(call.at), "status": call.status, "trouble": call.trouble,
        "duration_ms": call.duration_ms, "events": list(call.event_ids), "body": call.body, "answer": call.answer,
    }  # fmt: skip


@webhook.command("resend")
@click.argument("call_id", type=int, metavar="CALL")
@click.option("--account", "account_name", metavar="NAME", help="Account; may be left out when there is only one.")
@options
def webhook_resend(ground: Ground, call_id: int, account_name: str | None) -> None:
    """Tell the events of a call (its number stands in the log) once more, to whoever is told of them now.

    Example: estafette webhook resend 4711 --account shop
    """

    async def work(store: Store) -> int:
        owner = await account_or_only(store, account_name)
        call = await store.webhooks.call(owner.id, call_id)
        if call is None:
            fail(NOT_FOUND, f"there is no call {call_id} of {owner.name}")
        return await send_again(store, owner.id, call.event_ids, ground.clock.now_us())

    count = ground.run(work)
    if ground.is_json:
        print_json({"call": call_id, "events": count})
    else:
        click.echo(f"{count} event{'' if count == 1 else 's'} on the way again")
