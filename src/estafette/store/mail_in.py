"""Units: mail comes in. One call accepts a whole batch of submissions, so that many accepts share one transaction and one disk sync."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from estafette.clock import DAY_US
from estafette.model import NO_REASON, Accepted, BlockCause, Door, EventKind, NewMessage, Reason, State, Submission
from estafette.store.options import encode_options
from estafette.store.reports import NOT_ATTEMPTED, report_row, told
from estafette.store.seam import Policy
from estafette.store.unit import Many, Rows, Unit

DUPLICATE = Reason("mailjet", "duplicate in campaign")
COMPRESS_FROM_BYTES = 65_536
"""Smaller mails are kept as they are: compressing 10 kB costs more CPU than the sync it saves."""


def accept(groups: Sequence[Sequence[Submission]], policy: Policy) -> Unit[list[list[Accepted]]]:
    """Make submissions durable with their messages, queue rows and events; ask block list, duplicates and idempotency keys on the way.
    A group is what one call brought: when one of its keys is known, nothing of the group is stored."""
    submissions = [submission for group in groups for submission in group]
    gone_reports = yield from told(submissions)
    known_keys = yield from _known_keys(groups)
    replayed = [Accepted(s.id, (), replayed_answer=b"") if s.id in gone_reports else known for s, known in zip(submissions, known_keys, strict=True)]
    fresh = [s for s, known in zip(submissions, replayed, strict=True) if known is None]
    causes = yield from running_blocks(fresh)
    campaigns = yield from campaigns_of(fresh)
    accepted: dict[int, Accepted] = {}
    for submission in fresh:
        messages = [judge(message, submission, causes, policy) for message in submission.messages]
        if submission.options.deduplicate and submission.options.campaign:
            campaign_id = campaigns[submission.account_id, submission.options.campaign]
            for i, message in enumerate(messages):
                if message.state is not State.BLOCKED:
                    first = yield Rows("campaign_first", (campaign_id, message.address_key, message.id))
                    if not first:
                        messages[i] = _blocked(message, DUPLICATE)
        accepted[submission.id] = Accepted(submission.id, tuple(messages))
    gone = yield from _retired(fresh)
    for submission in fresh if gone else ():
        accepted[submission.id] = replace(accepted[submission.id], messages=tuple(
            replace(m, owner=0, state=State.QUEUED) if m.owner in gone else m for m in accepted[submission.id].messages))  # fmt: skip
    yield from insert(fresh, accepted, campaigns)
    made = iter([accepted[s.id] if known is None else known for s, known in zip(submissions, replayed, strict=True)])
    return [[next(made) for _ in group] for group in groups]


def _known_keys(groups: Sequence[Sequence[Submission]]) -> Unit[list[Accepted | None]]:
    """For each submission: None to go on, or the answer that a key of its group was given before (in the store or earlier in this batch)."""
    keyed = [s for group in groups for s in group if s.idempotency_key]
    known: dict[tuple[int, str], tuple[bytes, bytes]] = {}
    if keyed:
        oldest = min(s.accepted_at for s in keyed) - DAY_US
        yield Rows("idempotency_forget", (oldest,))
        rows = yield Rows("idempotency_get", ([s.idempotency_key for s in keyed], oldest))
        known = {(account_id, key): (bytes(fingerprint), bytes(answer)) for account_id, key, fingerprint, answer in rows}
    result: list[Accepted | None] = []
    for group in groups:
        earlier = [(s, known[s.account_id, s.idempotency_key]) for s in group if s.idempotency_key and (s.account_id, s.idempotency_key) in known]
        known.update({(s.account_id, s.idempotency_key): (s.fingerprint, s.answer) for s in group if s.idempotency_key and not earlier})
        if not earlier:
            result += [None] * len(group)
            continue
        is_conflict = any(fingerprint != s.fingerprint for s, (fingerprint, _) in earlier)
        answer = earlier[-1][1][1]  # the last submission of a call carries the answer to the whole call
        result += [Accepted(s.id, (), replayed_answer=answer, is_key_conflict=is_conflict) for s in group]
    return result


def _retired(submissions: Sequence[Submission]) -> Unit[set[int]]:
    """Of the workers that insert messages as claimed by themselves: those that were declared dead meanwhile. Nobody would ever take such a
    message over, because a worker's messages are reclaimed once, when it is retired."""
    owners = sorted({m.owner for s in submissions for m in s.messages if m.owner})
    living = {owner for (owner,) in (yield Rows("workers_of", (owners,)))} if owners else set()
    return set(owners) - living


def running_blocks(submissions: Sequence[Submission]) -> Unit[dict[tuple[int, str], list[BlockCause]]]:
    keys = {m.address_key for s in submissions for m in s.messages}
    causes: dict[tuple[int, str], list[BlockCause]] = {}
    if keys:
        rows = yield Rows("blocks_running", (sorted(keys), max(s.accepted_at for s in submissions)))
        for account_id, address_key, cause in rows:
            causes.setdefault((account_id, address_key), []).append(BlockCause(cause))
    return causes


def campaigns_of(submissions: Sequence[Submission]) -> Unit[dict[tuple[int, str], int]]:
    ids: dict[tuple[int, str], int] = {}
    for s in submissions:
        name = s.options.campaign
        if name and (s.account_id, name) not in ids:
            rows = yield Rows("campaign_get", (s.account_id, name))
            if not rows:
                yield Many("campaign_put", [(s.account_id, name, s.accepted_at)])
                rows = yield Rows("campaign_get", (s.account_id, name))
            ids[s.account_id, name] = rows[0][0]
    return ids


def judge(message: NewMessage, submission: Submission, causes: dict[tuple[int, str], list[BlockCause]], policy: Policy) -> NewMessage:
    if message.state is State.BLOCKED:
        return message
    running = causes.get((submission.account_id, message.address_key))
    reason = policy.blocked_reason(running, submission.options) if running else None
    return message if reason is None else _blocked(message, reason)


def _blocked(message: NewMessage, reason: Reason) -> NewMessage:
    return replace(message, state=State.BLOCKED, reason=reason, owner=0)


def insert(submissions: Sequence[Submission], accepted: dict[int, Accepted], campaigns: dict[tuple[int, str], int], *, is_more: bool = False) -> Unit[None]:
    """Write submissions with their messages, queue rows and events. `is_more`: these are further recipients of submissions that are there already."""
    submission_rows, content_rows, message_rows, queue_rows, event_rows, key_rows, dsn_rows, report_rows = [], [], [], [], [], [], [], []
    for s in submissions:
        o = s.options
        size = len(s.content)
        messages = accepted[s.id].messages
        submission_rows += [] if is_more else [(
            s.id, s.account_id, s.door.value, s.reverse_path, s.author, s.subject[:255], campaigns.get((s.account_id, o.campaign), 0),
            o.custom_id, encode_options(o), int(s.smtputf8), size, s.accepted_at, s.due_at,
            s.deadline_at)]  # fmt: skip
        if not is_more and (s.door is Door.CAMPAIGN or any(m.state is not State.BLOCKED for m in messages)):
            packed = zlib.compress(s.content, 1) if size >= COMPRESS_FROM_BYTES else s.content
            content_rows.append((s.id, "zlib", packed) if len(packed) < size else (s.id, "", s.content))
        event_rows.append((s.account_id, s.id if is_more else messages[0].id, s.accepted_at, EventKind.ACCEPTED.value, len(messages), "",
                           encode_data({"door": s.door.value, "size": size})))  # fmt: skip
        for m in messages:
            message_rows.append((m.id, s.id, s.account_id, m.recipient, m.address_key, m.state.value, m.reason.related_to, m.reason.error, s.accepted_at))
            if m.notify or m.orcpt:
                dsn_rows.append((m.id, m.notify, m.orcpt))
            if m.state is State.BLOCKED:
                event_rows.append((s.account_id, m.id, s.accepted_at, EventKind.BLOCKED.value, 1, m.explanation, reason_data(m.reason)))
                if m.reason != DUPLICATE:  # which the submitter asked for
                    report_rows.append(report_row(m.id, s.accepted_at, NOT_ATTEMPTED, "", m.explanation or f"not attempted: {m.reason.error}"))
            else:
                queue_rows.append((m.id, s.id, s.account_id, m.recipient, m.domain, m.site, m.lane, s.accepted_at, s.due_at, s.deadline_at,
                                   m.owner, m.notify, campaigns.get((s.account_id, o.campaign), 0), o.monitoring_category))  # fmt: skip
        if s.idempotency_key:
            key_rows.append((s.account_id, s.idempotency_key, s.fingerprint, s.answer, s.accepted_at))
    for name, rows in (("idempotency_put", key_rows), ("submission_put", submission_rows), ("content_put", content_rows),
                       ("message_put", message_rows), ("queue_put", queue_rows), ("event_put", event_rows),
                       ("dsn_put", dsn_rows), ("report_put", report_rows)):  # fmt: skip
        if rows:
            yield Many(name, rows)


def idempotent_answer(account_id: int, key: str, now: int) -> Unit[tuple[bytes, bytes] | None]:
    """(fingerprint, answer) stored for a key within its 24 hours."""
    rows = yield Rows("idempotency_get", ([key], now - DAY_US))
    for owner, _, fingerprint, answer in rows:
        if owner == account_id:
            return bytes(fingerprint), bytes(answer)
    return None


def encode_data(data: dict[str, str | int]) -> str:
    """An event's facts as JSON, empty values left out, '' when nothing is left."""
    kept = {name: value for name, value in data.items() if value not in ("", None)}
    return msgspec.json.encode(kept).decode() if kept else ""


def reason_data(reason: Reason) -> str:
    return encode_data({"error_related_to": reason.related_to, "error": reason.error}) if reason != NO_REASON else ""
