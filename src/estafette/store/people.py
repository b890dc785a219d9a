"""Units: what came back, and what people ask and order."""

from collections.abc import Sequence
from typing import Any

import msgspec

from estafette.model import Block, BlockCause, Event, EventKind, MessageView, Reason, State
from estafette.store.mail_in import reason_data
from estafette.store.seam import Audit, Policy, SiteBacklog, Waiting
from estafette.store.unit import Many, Row, Rows, Unit


def block_of_row(row: Row) -> Block:
    return Block(row[0], row[1], row[2], row[3], BlockCause(row[4]), *row[5:])


def add_block(account_id: int, address_key: str, cause: BlockCause, now: int, until: int | None, scope: str, message_id: int | None, reply: str) -> Unit[Block]:
    yield Many("block_put", [(account_id, address_key, scope, cause.value, now, until, message_id, reply)])
    return block_of_row((yield Rows("block_get", (account_id, address_key)))[0])


def add_blocks(account_id: int, address_keys: Sequence[str], cause: BlockCause, now: int, reply: str) -> Unit[int]:
    known = {key for (key,) in (yield Rows("blocks_for_good", (list(address_keys), account_id)))}
    fresh = [key for key in dict.fromkeys(address_keys) if key not in known]
    if fresh:
        yield Many("block_put", [(account_id, key, "", cause.value, now, None, None, reply) for key in fresh])
    return len(fresh)


def lift_blocks(account_id: int, address_key: str, now: int, reason: str) -> Unit[int]:
    return len((yield Rows("blocks_lift", (account_id, address_key, now, reason))))


def blocks(account_id: int | None, now: int, address_key: str | None, after: int, limit: int) -> Unit[list[Block]]:
    return [block_of_row(row) for row in (yield Rows("blocks_list", (after, account_id, address_key, now, limit)))]


def view_of_row(row: Row) -> MessageView:
    before, (state, marks, related_to, error), after = row[:6], row[6:10], row[10:]
    return MessageView(*before, State(state), marks, Reason(related_to, error), *after)  # type: ignore[call-arg]  # row edge


def messages(is_descending: bool, *params: Any) -> Unit[list[MessageView]]:
    """Parameters as the query `messages` names them: after, account, state, mark, recipient key, campaign, custom id, limit."""
    return [view_of_row(row) for row in (yield Rows("messages_down" if is_descending else "messages", params))]


def message(message_id: int) -> Unit[MessageView | None]:
    rows = yield Rows("message_one", (message_id,))
    return view_of_row(rows[0]) if rows else None


def event_of_row(row: Row) -> Event:
    event_id, account_id, message_id, at, kind, count, reply, data = row[:8]
    return Event(event_id, account_id, message_id, at, EventKind(kind), count, reply, msgspec.json.decode(data) if data else {})


def timeline(message_id: int) -> Unit[list[Event]]:
    rows = yield Rows("message_one", (message_id,))
    if not rows:
        return []
    return [event_of_row(row) for row in (yield Rows("timeline", (message_id, rows[0][2])))]


def events(after: tuple[int, int], limit: int) -> Unit[tuple[list[Event], tuple[int, int]]]:
    rows = yield Rows("events", (after[1], after[0], limit))
    return [event_of_row(row) for row in rows], ((rows[-1][8], rows[-1][0]) if rows else after)


def counts(account_id: int | None, since: int | None, until: int | None) -> Unit[dict[tuple[State, int], int]]:
    return {(State(state), marks): n for state, marks, n in (yield Rows("counts", (account_id, since, until)))}


def backlog(limit: int) -> Unit[list[SiteBacklog]]:
    return [SiteBacklog(site, domain, n, int(deferred), int(flying), oldest) for site, domain, n, deferred, flying, oldest in (yield Rows("backlog", (limit,)))]


def waiting(message_id: int, now: int) -> Unit[Waiting | None]:
    rows = yield Rows("waiting", (message_id, now))
    return Waiting(*rows[0]) if rows else None


def retry_now(now: int, message_id: int | None, domain: str | None, account_id: int | None) -> Unit[int]:
    rows = yield Rows("retry_now", (now, message_id, domain, account_id))
    if rows:
        yield Many("event_put", [(account, m, now, EventKind.REQUEUED.value, 1, "", "") for m, account in rows])
    return len(rows)


CANCELLED = Reason("mailjet", "cancelled")


def cancel(message_id: int, account_id: int | None, now: int, why: str, policy: Policy) -> Unit[bool]:
    rows = yield Rows("cancel", (message_id, account_id))
    if not rows:
        return False
    view = view_of_row((yield Rows("message_one", (message_id,)))[0])
    state = policy.next_state(view.state, EventKind.BLOCKED, view.attempts)
    assert state is not None  # what waits for its first attempt is QUEUED
    yield Many("message_mark", [(message_id, state.value, view.marks, CANCELLED.related_to, CANCELLED.error, now)])
    yield Many("event_put", [(rows[0][0], message_id, now, EventKind.BLOCKED.value, 1, why, reason_data(CANCELLED))])
    return True


def audit(account_id: int | None) -> Unit[Audit]:
    accepted = (yield Rows("audit_accepted", (account_id,)))[0][0]
    final = (yield Rows("audit_final", (account_id,)))[0][0]
    queued = (yield Rows("audit_queued", (account_id,)))[0][0]
    return Audit(int(accepted), final, queued)
