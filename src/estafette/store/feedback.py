"""Units: what came back about messages. A batch of facts is one transaction; the state table is asked for each, what it refuses is noted.

A complaint or an unsubscribe blocks the recipient even when the table refuses the mark (a report may overtake the outcome of the attempt, or
come after a late bounce): a person said so, and the block must hold. A bounce blocks only when it moved the message.
"""

from collections.abc import Sequence

from estafette.model import FINAL_STATES, BlockCause, Event, EventKind, Mark, PersonMark, Reason, Record, Recorded, State, Visited
from estafette.store.held import evidence
from estafette.store.mail_in import encode_data
from estafette.store.mail_out import as_found
from estafette.store.people import event_of_row
from estafette.store.reports import report_row
from estafette.store.seam import Policy
from estafette.store.unit import Many, Row, Rows, Unit

RECENT_EVENTS = 5_000
RECENT_ROWS = 500
A_PERSON_SAID = frozenset({BlockCause.COMPLAINT, BlockCause.UNSUBSCRIBE})

MARK_OF = {
    EventKind.OPENED: Mark.OPENED | PersonMark.OPENED,  # who cannot be judged counts as a person
    EventKind.CLICKED: Mark.CLICKED | PersonMark.CLICKED,
    EventKind.UNSUBSCRIBED: Mark.UNSUBSCRIBED,
    EventKind.COMPLAINED: Mark.SPAM,
}
EVIDENCE = frozenset({EventKind.HARD_BOUNCED, EventKind.SOFT_BOUNCED, *MARK_OF})
"""What only a mail that arrived somewhere can bring."""
BLOCK_OF = {EventKind.HARD_BOUNCED: BlockCause.HARD_BOUNCE, EventKind.COMPLAINED: BlockCause.COMPLAINT}

BlockKey = tuple[int, str, BlockCause]


def record(message_id: int, kind: EventKind, at: int, reply: str, data: dict[str, str | int], reason: Reason, policy: Policy) -> Unit[State | None]:
    """One fact, with the mark and the block that its kind brings."""
    block = BLOCK_OF.get(kind) if data.get("blocks_address", 1) else None
    (done,) = yield from record_many([Record(message_id, kind, at, reply, data, reason, MARK_OF.get(kind, 0), block=block)], policy)
    return done.state if done.is_applied else None


def record_groups(groups: Sequence[Sequence[Record]], policy: Policy) -> Unit[list[list[Recorded]]]:
    """`record_many` for the records of several calls."""
    done = iter((yield from record_many([record for group in groups for record in group], policy)))
    return [[next(done) for _ in group] for group in groups]


def record_many(records: Sequence[Record], policy: Policy) -> Unit[list[Recorded]]:
    """Apply facts in their order: events, states, marks and blocks together."""
    ids = sorted({r.message_id for r in records if r.message_id})
    found: dict[int, Row] = {row[0]: row for row in (yield Rows("message_states", (ids,)))} if ids else {}
    yield from _arrived([r for r in records if r.kind in EVIDENCE], found, policy)
    running = yield from _running_blocks(records, found)
    batch = _Batch(found, running, policy)
    done = [batch.apply(record) for record in records]
    for name, rows in (("event_put", batch.events), ("message_touch", list(batch.touched.values())), ("message_mark", list(batch.bounced.values())),
                       ("blocks_lift_cause", batch.lifted), ("block_put", batch.blocks), ("report_put", batch.reports)):  # fmt: skip
        if rows:
            yield Many(name, rows)
    return done


def _arrived(records: Sequence[Record], found: dict[int, Row], policy: Policy) -> Unit[None]:
    """A message that waits after an uncertain attempt, and of which something is heard that only a delivered one can bring, was delivered."""
    waiting = sorted({r.message_id for r in records if r.message_id in found and found[r.message_id][1] == State.DEFERRED
                      and r.account_id in (0, found[r.message_id][4])})  # fmt: skip
    rows = (yield Rows("uncertain_waiting", (waiting,))) if waiting else []
    if not rows:
        return
    after = policy.next_state(State.DEFERRED, EventKind.DELIVERED, 1)
    assert after is not None
    settled, events = [], []
    for message_id, attempts in rows:
        record = next(r for r in records if r.message_id == message_id)
        _, _, marks, tried, account_id, address_key, site = found[message_id]
        found[message_id] = (message_id, after.value, marks, tried, account_id, address_key, site)
        settled.append((message_id, after.value, "", "", attempts, record.at, site))
        data = encode_data(evidence(record.kind.value, attempts, site))
        events.append((account_id, message_id, record.at, EventKind.DELIVERED.value, 1, "", data))
    for name, batch in (("queue_remove", [(m,) for m, _ in rows]), ("message_settle", settled), ("event_put", events)):
        yield Many(name, batch)


def _running_blocks(records: Sequence[Record], found: dict[int, Row]) -> Unit[set[BlockKey]]:
    keys = sorted({found[r.message_id][5] for r in records if r.block and r.message_id in found})
    if not keys:
        return set()
    rows = yield Rows("blocks_running", (keys, max(r.at for r in records)))
    return {(account_id, address_key, BlockCause(cause)) for account_id, address_key, cause in rows}


class _Batch:
    """The rows of one transaction while its records are gone through."""

    def __init__(self, found: dict[int, Row], running: set[BlockKey], policy: Policy) -> None:
        self._found = found
        self._running = running
        self._policy = policy
        self.events: list[Row] = []
        self.touched: dict[int, Row] = {}
        self.bounced: dict[int, Row] = {}
        self.blocks: list[Row] = []
        self.lifted: list[Row] = []
        self.reports: list[Row] = []

    def apply(self, r: Record) -> Recorded:
        """One record on what those before it left."""
        row = self._found.get(r.message_id)
        if row is None or (r.account_id and r.account_id != row[4]):
            if r.message_id == 0 and r.kind is EventKind.NOTE:
                self.events.append((0, 0, r.at, r.kind.value, 1, r.reply, encode_data(r.data)))
                return Recorded(None, is_applied=True)
            return Recorded()
        _, before, marks, attempts, account_id, address_key, _ = row
        state = State(before)
        if r.is_patient and state is State.SENT:
            return Recorded(state, is_early=True)
        after = state if r.kind is EventKind.NOTE else self._policy.next_state(state, r.kind, attempts)
        if after is not state and state not in FINAL_STATES:
            after = None  # it is in the queue: the outcome of its own attempt is still to come, a report about it is early or wrong
        is_known = after is None or marks & r.marks == r.marks
        if r.is_once and is_known and r.block is not None and (account_id, address_key, r.block) in self._running:
            return Recorded(state, is_applied=after is not None)
        is_first = after is not None and bool(r.marks & ~marks)
        self._tell(r, row, after, is_first)
        if r.block is not None and (after is not None or r.block in A_PERSON_SAID):
            self._block(r, account_id, address_key, r.block)
        if r.lifts is not None:
            self._running.discard((account_id, address_key, r.lifts))
            self.blocks = [b for b in self.blocks if (b[0], b[1], b[3]) != (account_id, address_key, r.lifts.value)]
            self.lifted.append((account_id, address_key, r.lifts.value, r.at, r.reply or "undone by the recipient"))
        if after is None:
            return Recorded(state, is_applied=False)
        self._move(r, row, after)
        return Recorded(after, is_applied=True, is_first=is_first)

    def _tell(self, r: Record, row: Row, after: State | None, is_first: bool) -> None:
        message_id, state, marks, attempts, account_id, _, site = row
        facts = {**r.data, "error_related_to": r.reason.related_to, "error": r.reason.error}
        kind = r.kind
        if after is None:
            kind, facts = EventKind.NOTE, {**facts, "refused": r.kind.value, "state": state}
        elif r.marks or r.unmarks or after is not State(state):
            facts |= {"first": int(is_first) or "", "marked": r.marks & ~r.unmarks & ~marks or "", "unmarked": r.unmarks & marks or "", "marks": marks or "",
                      **as_found(State(state), attempts, site, site)}  # fmt: skip
            if facts["was"] == State.DELIVERED and after is State.DELIVERED:
                facts["was"] = ""  # what marks find, always
        self.events.append((account_id, message_id, r.at, kind.value, 1, r.reply, encode_data(facts)))

    def _move(self, r: Record, row: Row, after: State) -> None:
        message_id, before, marks, attempts, account_id, address_key, site = row
        marked = (marks | r.marks) & ~r.unmarks
        if after is not State(before):
            self.bounced[message_id] = (message_id, after.value, marked, r.reason.related_to, r.reason.error, r.at)
            self.touched.pop(message_id, None)
            self.reports.append(report_row(message_id, r.at, str(r.data.get("status", "")), "", r.reply))
        elif marked != marks:
            if message_id in self.bounced:
                _, state, _, related_to, error, _ = self.bounced[message_id]
                self.bounced[message_id] = (message_id, state, marked, related_to, error, r.at)
            else:
                self.touched[message_id] = (message_id, after.value, marked, r.at)
        self._found[message_id] = (message_id, after.value, marked, attempts, account_id, address_key, site)

    def _block(self, r: Record, account_id: int, address_key: str, cause: BlockCause) -> None:
        if (account_id, address_key, cause) not in self._running:
            self._running.add((account_id, address_key, cause))
            self.blocks.append((account_id, address_key, "", cause.value, r.at, self._policy.block_until(cause, r.at), r.message_id, r.reply))


def visited(message_ids: Sequence[int], since: int) -> Unit[dict[int, Visited]]:
    ids = sorted(set(message_ids))
    rows = yield Rows("visited", (ids,))
    newest = (yield Rows("visits_recent", (ids, RECENT_EVENTS, since, RECENT_ROWS))) if rows else []
    recent: dict[int, list[Event]] = {}
    for row in reversed(newest):
        event = event_of_row(row)
        recent.setdefault(event.message_id, []).append(event)
    return {
        message_id: Visited(message_id, account_id, marks, delivered_at, tuple(recent.get(message_id, ())), opened_at)
        for message_id, account_id, marks, delivered_at, opened_at in rows
    }
