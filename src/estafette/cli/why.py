"""The command `queue why`: what holds the mail to a destination now, who said so, and when it goes on."""

import click

from estafette.cli.arguments import DOMAIN
from estafette.cli.ground import Ground, options
from estafette.cli.printing import at, print_json
from estafette.cli.queue import queue
from estafette.cli.reasons import forecast_s, held_words, why_domain
from estafette.model import Event, EventKind
from estafette.nouns import DomainBacklog, Hold, PathReport
from estafette.store.seam import Store


async def _last_deferral(store: Store, backlog: DomainBacklog) -> Event | None:
    events = await store.timeline(backlog.deferred_id) if backlog.deferred_id else []
    return next((event for event in reversed(events) if event.kind is EventKind.DEFERRED), None)


@queue.command("why")
@click.argument("domain", type=DOMAIN)
@options
def queue_why(ground: Ground, domain: str) -> None:
    """Say why mail to a domain is not delivered yet: the limit, rule, reply or person that holds it, and when it goes on and is done.

    Example: estafette queue why example.com
    """
    now = ground.clock.now_us()

    async def work(store: Store) -> tuple[list[DomainBacklog], list[PathReport], list[Hold], list[Event]]:
        backlogs = await store.standing.of_domain(domain, now)
        paths = [path for report in await store.standing.all() for path in report.paths if path.site in {b.site for b in backlogs}]
        deferrals = [event for b in backlogs if (event := await _last_deferral(store, b)) is not None]
        return backlogs, paths, [hold for hold in await store.holds.all() if hold.domain == domain], deferrals

    backlogs, paths, holds, deferrals = ground.run(work)
    sentences = why_domain(domain, backlogs, paths, holds, deferrals, now)
    if not ground.is_json:
        for sentence in sentences:
            click.echo(sentence)
        return
    print_json({
        "domain": domain, "waiting": sum(b.waiting for b in backlogs), "due": sum(b.due for b in backlogs), "deferred": sum(b.deferred for b in backlogs),
        "in_flight": sum(b.in_flight for b in backlogs), "next_attempt_at": at(min((b.next_due_at for b in backlogs), default=None)),
        "done_in_s": forecast_s(backlogs, paths, now),
        "paused_by": [{"reason": hold.reason, "is_purge": hold.is_purge, "since": at(hold.since)} for hold in holds],
        "paths": [{"site": p.site, "source": p.source or None, "open": p.open, "connections": p.size, "at_most": p.limit, "rate_per_s": p.rate or None,
                   "answered_per_s": p.answered_per_s, "ready": p.ready, "in_flight": p.in_flight, "paused_until": at(p.paused_until or None),
                   "held_by": p.held_by or None, "said_by": p.said_by or None, "reply": p.reply or None, "text": held_words(p, now)} for p in paths],
        "text": " ".join(sentences),
    })  # fmt: skip
