"""S14, the sending queue: what waits, for which destination, since when; retry at once."""

from starlette.responses import Response

from estafette.mail.address import parse_domain
from estafette.store.screens import MAX_QUEUE
from estafette.web.desk import Refused, Visit


async def queue(visit: Visit) -> Response:
    """The page."""
    sites = await visit.store.screens.queue(visit.account_id)
    total = sum(site.waiting + site.in_flight for site in sites)
    return visit.page(
        "queue.html", sites=sites, orders=await visit.store.guard.running(visit.account_id),
        waiting=sum(s.waiting for s in sites), in_flight=sum(s.in_flight for s in sites),
        deferred=sum(s.deferred for s in sites), oldest_at=min((s.oldest_at for s in sites), default=0), is_cut=total >= MAX_QUEUE,
    )  # fmt: skip


async def retry(visit: Visit) -> Response:
    """The next attempt for a domain, or for everything, at once."""
    domain = visit.given("domain", 255)
    try:
        chosen = parse_domain(domain) if domain else None
    except ValueError:
        raise Refused(400) from None
    await visit.store.retry_now(visit.now, domain=chosen, account_id=visit.account_id)
    await visit.note("queue.retry", domain or "*")
    return visit.go(visit.url("queue"), "retried")


async def resume(visit: Visit) -> Response:
    """Lift an order of the reputation guard, with a reason that is kept."""
    number, reason = visit.number(visit.given("id", 20)), visit.given("reason", 300)
    own = {order.id for order in await visit.store.guard.running(visit.account_id)}
    if not reason or number not in own:
        raise Refused(400)
    await visit.store.guard.lift(number, visit.now, f"{visit.user_name}: {reason}")
    await visit.note("guard.lift", str(number), reason)
    return visit.go(visit.url("queue"), "resumed")
