"""`/v1/estafette/statistics` and `/v1/estafette/guard`: an account's figures with their definitions named, and what the guard ordered."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from estafette.api.desk import Desk, answer
from estafette.api.feed import given_in
from estafette.api.figures_query import By, FiguresQuery, read_figures_query
from estafette.api.query import number
from estafette.api.rest.reading import MAX_LIMIT
from estafette.clock import to_iso
from estafette.facts import Axis, GuardOrder, Slice, Timing
from estafette.model import Account
from estafette.stats.api_rates import rates_by
from estafette.stats.guard_rules import explained
from estafette.stats.periods import pieces
from estafette.stats.rates import figures_of_counters
from estafette.stats.statcounters import added
from estafette.store.statistics import Selection


async def statistics(desk: Desk, request: Request, account: Account) -> Response:
    """Figures and rates of a period, whole or per slice, provider, campaign or sender."""
    now = desk.clock.now_us()
    query = read_figures_query(given_in(request), now)
    of = Selection(account.id, query.axis, (query.source,), query.timing, query.door, query.provider)
    found = await _slices(desk, of, query)
    flying = (0, 0)
    if query.by is By.WHOLE:
        found = [Slice("", query.since, added(one.counts for one in found))]
        if query.timing is Timing.MESSAGE and query.axis is not Axis.SENDER and query.provider is None:
            campaign_id = int(query.source) if query.axis is Axis.CAMPAIGN else None
            flying = await desk.store.statistics.in_flight(account.id, query.since, query.until, campaign_id, query.door)
    opens = (await desk.store.privacy.policy(account.id)).has_opens(desk.tracks_opens)
    rows = [_row(one, query, flying, opens) for one in found]
    return answer(200, {
        "Definitions": query.definitions.value, "Timing": query.timing.value, "From": to_iso(query.since), "To": to_iso(query.until), "By": query.by.value,
        "WithoutMachines": query.without_machines, "Count": len(rows), "Data": rows,
    })  # fmt: skip


async def _slices(desk: Desk, of: Selection, query: FiguresQuery) -> list[Slice]:
    shelf = desk.store.statistics
    if query.resolution is not None:
        return await shelf.slices(of, query.resolution, query.since, query.until)
    stretch = pieces(query.since, query.until)
    if query.by is By.PROVIDER:
        return sorted(await shelf.by_provider(of, stretch), key=lambda one: -one.counts["attempts"])
    if query.by in (By.CAMPAIGN, By.SENDER):
        return await shelf.sums_of_all(of.account_id, Axis(query.by.value), stretch, MAX_LIMIT)
    return await shelf.sums(of, stretch)


def _row(one: Slice, query: FiguresQuery, flying: tuple[int, int], opens: bool) -> dict[str, object]:
    f = figures_of_counters(one.counts, click_implies_open=opens, without_machines=query.without_machines, in_flight=flying)
    of = {"At": to_iso(one.bucket)} if query.resolution is not None else {} if query.by is By.WHOLE else {"Of": one.label}
    totals = {"processed": f.processed, "sent": f.sent, "soft_errors": f.soft_errors}
    counts = {name: one.counts[name] for name in ("attempts", "open_events", "click_events", "open_delay_s", "click_delay_s", "delivery_delay_s")}
    return {**of, **totals, **asdict(f), **counts, "rates": rates_by(query.definitions, f)}


async def guard(desk: Desk, request: Request, account: Account) -> Response:
    """The reputation guard's orders for this account: in force, or all with `all=1`."""
    with_past = number(given_in(request), "all", 0, 1)
    orders = await (desk.store.guard.history(account.id) if with_past else desk.store.guard.running(account.id))
    held = (await desk.store.guard.held()).get(account.id, (0, 0))[0]
    return answer(200, {"Count": len(orders), "Held": held, "Data": [order_row(order) for order in orders]})


def order_row(order: GuardOrder) -> dict[str, object]:
    """An order with its sentence."""
    return {
        "ID": order.id, "Stream": order.stream.value, "Step": order.step.value, "Cause": order.cause.value, "Part": order.part, "Whole": order.whole,
        "PerHour": order.per_hour, "Since": to_iso(order.since), "Why": explained(order),
        "LiftedAt": to_iso(order.lifted_at) if order.lifted_at is not None else "", "LiftedReason": order.lifted_reason,
    }  # fmt: skip
