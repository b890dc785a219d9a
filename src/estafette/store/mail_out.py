"""Units: mail goes out. Claims and settlements are batches; a settlement is written only while its claim holds."""

import zlib
from collections.abc import Iterable, Sequence

from estafette.model import (
    NO_REASON,
    AfterUncertain,
    BlockCause,
    Claimed,
    Content,
    EventKind,
    Options,
    Outcome,
    OutcomeKind,
    Reason,
    Settlement,
    State,
)
from estafette.store.mail_in import encode_data
from estafette.store.options import decode_options
from estafette.store.reports import GIVEN_UP, NOT_ATTEMPTED, RELAYED, report_row
from estafette.store.seam import Policy, Want
from estafette.store.unit import Many, Row, Rows, Unit


def claim(worker_id: int, wants: Sequence[Want], now: int) -> Unit[list[Claimed]]:
    """Take due messages, lane by lane: lane 0 of a site is emptied before lane 1 is looked at. Within a lane accounts and campaigns share what is taken.

    A worker that was declared dead gets nothing: its messages were given back once, and nobody would do it again.
    """
    claimed: list[Claimed] = []
    if not (yield Rows("workers_of", ([worker_id],))):
        return claimed
    for want in wants:
        lanes: dict[int, list[Row]] = {}
        for group in (yield Rows("due_groups", (want.site, now))):
            lanes.setdefault(group[0], []).append(group)
        count = 0
        for lane, waiting in lanes.items():
            if (room := want.rooms[lane] - count) > 0:
                taken = yield from _take(worker_id, want.site, waiting, room, now)
                count += len(taken)
                claimed += taken
    if claimed:
        yield Rows("mark_sent", ([c.message_id for c in claimed], now))
    return claimed


def _take(worker_id: int, site: str, groups: Sequence[Row], room: int, now: int) -> Unit[list[Claimed]]:
    """From the groups of one lane: an equal part from each, and what the small ones leave from the large ones."""
    taken: list[Claimed] = []
    first = now % len(groups)  # who is first when there is not room for all changes by itself
    open_groups = [*groups[first:], *groups[:first]]
    while open_groups and len(taken) < room:
        part = max(1, (room - len(taken)) // len(open_groups))
        still_open = []
        for group in open_groups[: room - len(taken)]:
            lane, account_id, campaign_id, account, campaign = group
            rows = yield Rows("claim_group", (site, lane, account_id, campaign_id, now, worker_id, part))
            taken += [Claimed(*row, account, campaign) for row in rows]  # type: ignore[call-arg]  # row edge
            if len(rows) == part:
                still_open.append(group)
        open_groups = still_open
    return sorted(taken, key=lambda c: (c.due_at, c.message_id))


def contents(submission_ids: Sequence[int]) -> Unit[dict[int, Content]]:
    """What `prepare` needs, per submission."""
    rows = yield Rows("contents", (list(submission_ids),))
    return {
        row[0]: Content(row[0], row[1], row[2], row[3], decode_options(row[4]), row[5], bool(row[6]),
                        zlib.decompress(row[8]) if row[7] == "zlib" else bytes(row[8]))
        for row in rows
    }  # fmt: skip


def still_blocked(claims: Sequence[Claimed], now: int, policy: Policy) -> Unit[dict[int, Reason]]:
    """The block list asked again: message id → reason for those that may not go."""
    rows = yield Rows("still_blocked", ([c.message_id for c in claims], now))
    causes: dict[int, tuple[list[BlockCause], Options]] = {}
    for message_id, cause, options in rows:
        causes.setdefault(message_id, ([], decode_options(options)))[0].append(BlockCause(cause))
    reasons = {message_id: policy.blocked_reason(found, options) for message_id, (found, options) in causes.items()}
    return {message_id: reason for message_id, reason in reasons.items() if reason is not None}


_EVENT_OF = {
    OutcomeKind.DELIVERED: EventKind.DELIVERED,
    OutcomeKind.DEFERRED: EventKind.DEFERRED,
    OutcomeKind.BLOCKED: EventKind.BLOCKED,
}


def event_of(outcome: Outcome) -> EventKind | None:
    """The event that an outcome is; None for RELEASED, which tells nothing."""
    if outcome.is_uncertain and outcome.kind is OutcomeKind.DEFERRED:
        return EventKind.UNCERTAIN
    if outcome.kind is OutcomeKind.BOUNCED:
        return EventKind.HARD_BOUNCED if outcome.is_permanent else EventKind.SOFT_BOUNCED
    return _EVENT_OF.get(outcome.kind)


def settle(settlements: Sequence[Settlement], policy: Policy) -> Unit[list[bool]]:
    """Write outcomes: event, state, queue row and block of each message together; False where the claim no longer held."""
    rows = yield Rows("held", (sorted(s.claim.message_id for s in settlements),))
    way_of = yield from ways(s.claim.message_id for s in settlements if s.outcome.is_uncertain and s.outcome.kind is OutcomeKind.DEFERRED)
    held = {row[0]: row for row in rows}
    done, removed, again, settled, released, events, blocks, reports = [], [], [], [], [], [], [], []
    for s in settlements:
        claim, o = s.claim, s.outcome
        row = held.get(claim.message_id)
        if row is None or (row[1], row[7]) != (claim.owner, claim.turn):
            done.append(False)
            continue
        _, _, lane, attempts, state, account_id, address_key, _, site = row
        kind = event_of(o)
        after = policy.next_state(State(state), kind, attempts) if kind else (State.DEFERRED if attempts else State.QUEUED)
        if after is None:  # illegal: the table refuses, the message is given back and the refusal noted
            events.append((account_id, claim.message_id, o.at, EventKind.NOTE.value, 1, o.reply, encode_data({"refused": str(kind), "state": state})))
            again.append((claim.message_id, attempts, lane, o.retry_at or o.at, o.site, 0, 0))
            done.append(False)
            continue
        del held[claim.message_id]
        done.append(True)
        if kind is None:
            again.append((claim.message_id, attempts, lane, o.retry_at or claim.due_at, o.site, 0, 0))
            released.append((claim.message_id, after.value, o.at))
            continue
        tried = attempts + (kind is not EventKind.BLOCKED)
        settled_at = site or (claim.site if kind is not EventKind.BLOCKED else "")
        facts = _facts(o, tried) | as_found(State(state), attempts, site, settled_at)
        way = way_of.get(claim.message_id)
        owner, again_at = (0, o.retry_at) if way is None else policy.resume(way, o.at, o.retry_at)
        if way is not None:
            facts |= {"way": way.value, "retry_at": again_at}
        events.append((account_id, claim.message_id, o.at, kind.value, 1, o.reply, encode_data(facts)))
        reason = NO_REASON if after is State.DELIVERED else o.reason
        settled.append((claim.message_id, after.value, reason.related_to, reason.error, tried, o.at, settled_at))
        if after is State.DEFERRED:
            again.append((claim.message_id, tried, lane if o.lane is None else o.lane, again_at, o.site, owner, int(o.is_uncertain)))
        else:
            removed.append((claim.message_id,))
            if after is not State.DELIVERED:
                reports.append(report_row(claim.message_id, o.at, NOT_ATTEMPTED if after is State.BLOCKED else o.enhanced, o.host, o.reply))
            elif "SUCCESS" in claim.notify:
                reports.append(report_row(claim.message_id, o.at, o.enhanced, o.host, o.reply, RELAYED))
        if o.blocks_address and o.kind is OutcomeKind.BOUNCED:
            cause = BlockCause.HARD_BOUNCE if o.is_permanent else BlockCause.SOFT_BOUNCE
            blocks.append((account_id, address_key, "", cause.value, o.at, policy.block_until(cause, o.at), claim.message_id, o.reply))
    for name, batch in (("queue_remove", removed), ("queue_again", again), ("message_settle", settled), ("message_release", released),
                        ("event_put", events), ("block_put", blocks), ("report_put", reports)):  # fmt: skip
        if batch:
            yield Many(name, batch)
    return done


def ways(message_ids: Iterable[int]) -> Unit[dict[int, AfterUncertain]]:
    """What is to be done with messages whose attempt is uncertain: the submission's choice, else the account's."""
    ids = sorted(message_ids)
    rows = (yield Rows("uncertain_ways", (ids,))) if ids else []
    return {message_id: AfterUncertain(decode_options(options).after_uncertain or way) for message_id, way, options in rows}


def as_found(state: State, attempts: int, site_before: str, site: str) -> dict[str, str | int]:
    """What an event tells of its message as it found it, so that statistics are made of events alone (decision 37): the state unless it was
    waiting for its first outcome, the site that it is counted under from now on, and whether it was counted under none after an attempt."""
    was = State.DEFERRED if attempts and state in (State.QUEUED, State.SENT) else state
    return {
        "was": was.value if was not in (State.QUEUED, State.SENT) else "",
        "site": site, "site_is_new": int(site != site_before and attempts > 0) or "",
    }  # fmt: skip


def _facts(o: Outcome, attempt: int) -> dict[str, str | int]:
    return {
        "attempt": attempt, "host": o.host, "address": o.address, "source": o.source, "tls": o.tls, "tls_wanted": o.tls_wanted,
        "stage": o.stage, "code": o.code or "",
        "enhanced": o.enhanced, "category": o.category, "error_related_to": o.reason.related_to, "error": o.reason.error,
        "scope": o.scope.value if o.kind is not OutcomeKind.DELIVERED else "", "retry_at": o.retry_at or "", "duration_ms": o.duration_ms,
        "transcript": o.transcript, "untracked": o.untracked, "blocks_address": int(o.blocks_address) or "",
        "uncertain": int(o.is_uncertain) or "",
    }  # fmt: skip


def expire(now: int, limit: int, policy: Policy) -> Unit[int]:
    """Give up waiting messages past their deadline, whatever their queue state; the last deferral's reason is kept as the reason."""
    rows = yield Rows("past_deadline", (now, limit))
    removed, settled, events, blocks, reports = [], [], [], [], []
    for message_id, account_id, attempts, address_key, related_to, error, state, site in rows:
        after = policy.next_state(State(state), EventKind.SOFT_BOUNCED, attempts)
        if after is None:
            continue
        reply = "given up: the deadline passed before any attempt succeeded"
        removed.append((message_id,))
        reports.append(report_row(message_id, now, GIVEN_UP, "", reply))
        settled.append((message_id, after.value, related_to or "system", error or "system issue", attempts, now, site))
        blocks_address = attempts > 0 and related_to not in ("", "system")
        facts = {"attempt": attempts, "stage": "deadline", "error_related_to": related_to, "error": error, "blocks_address": int(blocks_address) or "",
                 **as_found(State(state), attempts, site, site)}  # fmt: skip
        events.append((account_id, message_id, now, EventKind.SOFT_BOUNCED.value, 1, reply, encode_data(facts)))
        if blocks_address:
            blocks.append((account_id, address_key, "", BlockCause.SOFT_BOUNCE.value, now, policy.block_until(BlockCause.SOFT_BOUNCE, now), message_id, reply))
    for name, batch in (("queue_remove", removed), ("message_settle", settled), ("event_put", events), ("block_put", blocks), ("report_put", reports)):
        if batch:
            yield Many(name, batch)
    return len(removed)


def due_sites(now: int, limit: int, after: str) -> Unit[list[str]]:
    unrouted = yield Rows("due_groups", ("", now))
    sites = {"": None} if unrouted else {}
    while len(sites) < limit:  # a site comes once for each of its groups
        asked = limit - len(sites)
        rows = yield Rows("due_sites", (now, asked, after))
        sites.update((site, None) for (site,) in rows)
        if len(rows) < asked:
            break
        after = rows[-1][0]
    return list(sites)


def held_by(worker_id: int) -> Unit[list[int]]:
    return [message_id for (message_id,) in (yield Rows("held_by", (worker_id,)))]


def newest_id() -> Unit[int]:
    newest: int = (yield Rows("newest_id"))[0][0]
    return newest
