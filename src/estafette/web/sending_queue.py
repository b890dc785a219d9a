"""S14, the sending queue: what waits, for which destination, since when, how fast it goes; retry at once, stop a destination, let it go on, end what waits."""

from typing import Final

from starlette.responses import Response

from estafette.mail.address import parse_domain
from estafette.store.screens import MAX_QUEUE
from estafette.web.desk import Refused, Visit
from estafette.web.paths import HELD_WORDS, paces, stops_of
from estafette.web.permissions import May
from estafette.web.story import story

SHOWN_ATTEMPTS: Final = 20


async def queue(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def _page(visit: Visit, status: int = 200, problem: str = "") -> Response:
    screens = visit.store.screens
    now = await screens.queue(visit.account_id)
    reports = await visit.store.standing.all()
    whole, by_domain = stops_of(await visit.store.holds.all(), visit.account_id)
    attempts = [(one, story([one.event])[0]) for one in await screens.attempts(visit.account_id, SHOWN_ATTEMPTS)]
    waiting = {site.domain for site in now.sites}
    return visit.page(
        "queue.html", status, queue=now, orders=await visit.store.guard.running(visit.account_id), is_cut=now.waiting + now.in_flight >= MAX_QUEUE,
        paces=paces(reports, visit.now), held_words=HELD_WORDS, whole=whole, stops=by_domain, attempts=attempts, problem=problem,
        empty_stops=[hold for domain, held in sorted(by_domain.items()) if domain not in waiting for hold in held],
    )  # fmt: skip


async def retry(visit: Visit) -> Response:
    """The next attempt for a domain, or for everything, at once."""
    domain = visit.given("domain", 255)
    chosen = _domain(visit) if domain else None
    await visit.store.retry_now(visit.now, domain=chosen, account_id=visit.account_id)
    await visit.note("queue.retry", domain or "*")
    return visit.go(visit.url("queue"), "retried")


async def stop(visit: Visit) -> Response:
    """Stop the account's mail to a destination, let it go on, or end what waits for it; only the account's: others go on sending there."""
    order, domain, reason = visit.given("order"), _domain(visit), visit.given("reason", 300)
    holds = visit.store.holds
    if order == "resume":
        if not await holds.lift(visit.account_id, "", domain):
            raise Refused(404)
        await visit.note("queue.resume", domain)
        return visit.go(visit.url("queue"), "destination_goes_on")
    if order not in ("pause", "purge"):
        raise Refused(400)
    if not reason:
        return await _page(visit, 422, "reason")
    if order == "purge":
        visit.need(May.PURGE)
        if visit.given("confirm", 255).lower() != domain:
            return await _page(visit, 422, "confirm")
    words = f"{visit.user_name}: {reason}"
    await holds.put(visit.account_id, "", domain, visit.now, words, is_purge=order == "purge")
    await visit.note(f"queue.{order}", domain, reason)
    return visit.go(visit.url("queue"), "destination_stopped" if order == "pause" else "destination_purged")


def _domain(visit: Visit) -> str:
    try:
        return parse_domain(visit.given("domain", 255))
    except ValueError:
        raise Refused(400) from None


async def resume(visit: Visit) -> Response:
    """Lift an order of the reputation guard, with a reason that is kept."""
    number, reason = visit.number(visit.given("id", 20)), visit.given("reason", 300)
    own = {order.id for order in await visit.store.guard.running(visit.account_id)}
    if not reason or number not in own:
        raise Refused(400)
    await visit.store.guard.lift(number, visit.now, f"{visit.user_name}: {reason}")
    await visit.note("guard.lift", str(number), reason)
    return visit.go(visit.url("queue"), "resumed")
