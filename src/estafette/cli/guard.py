"""Commands about the reputation guard: what it ordered and why, lift an order."""

import click

from estafette.cli.ground import NOT_FOUND, Ground, account_named, fail, options
from estafette.cli.printing import at, print_json, print_table
from estafette.facts import GuardOrder
from estafette.stats.guard_rules import explained
from estafette.store.seam import Store


@click.group()
def guard() -> None:
    """The reputation guard: it warns, slows and stops mail that ruins your name."""


@guard.command("show")
@click.option("--account", "account_name", metavar="NAME", help="Only this account's.")
@click.option("--all", "with_past", is_flag=True, help="Lifted orders too, newest first.")
@options
def guard_show(ground: Ground, account_name: str | None, with_past: bool) -> None:
    """List the orders in force, with what was measured and how much mail is held.

    Example: estafette guard show --all
    """

    async def work(store: Store) -> tuple[list[GuardOrder], dict[int, str], dict[int, tuple[int, int]]]:
        owner = (await account_named(store, account_name)).id if account_name else None
        found = await (store.guard.history(owner) if with_past else store.guard.running(owner))
        return found, {account.id: account.name for account in await store.accounts()}, await store.guard.held()

    found, names, held = ground.run(work)
    rows = [{
        "id": one.id, "account": names.get(one.account_id, ""), "stream": one.stream.value, "step": one.step.value, "cause": one.cause.value,
        "since": at(one.since), "part": one.part, "whole": one.whole, "per_hour": one.per_hour or None, "held": held.get(one.account_id, (0, 0))[0],
        "why": explained(one), "lifted_at": at(one.lifted_at), "lifted_reason": one.lifted_reason,
    } for one in found]  # fmt: skip
    if ground.is_json:
        for row in rows:
            print_json(row)
        return
    heads = ("id", "account", "step", "since", "held", "why", *(("lifted_at", "lifted_reason") if with_past else ()))
    print_table(heads, [[row[head] if row[head] is not None else "" for head in heads] for row in rows], empty="the guard has nothing to say")


@guard.command("lift")
@click.argument("order_id", type=int, metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the order and told as an event.")
@options
def guard_lift(ground: Ground, order_id: int, reason: str) -> None:
    """Lift an order. Mail from before is not held against the account again; what was held goes out.

    Example: estafette guard lift 3 --reason "the bought list is deleted"
    """
    order = ground.run(lambda store: store.guard.lift(order_id, ground.clock.now_us(), reason))
    if order is None:
        fail(NOT_FOUND, f"there is no running order {order_id}")
    if ground.is_json:
        print_json({"id": order.id, "stream": order.stream.value, "step": order.step.value, "lifted_at": at(order.lifted_at), "reason": reason})
    else:
        click.echo(f"order {order.id} lifted: {order.stream.value} mail goes on")
