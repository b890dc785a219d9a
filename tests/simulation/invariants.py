"""What must hold (standards.md section 2.4): I1-I5 and I7 as questions to the database, the ledgers of the customers and those of the receivers.

I8 (one seed, one trace) is a matter of running twice. I6 (fair shares between accounts) has its own test.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from estafette.clock import SECOND_US
from estafette.mail.token import Keyring, read_return_path
from estafette.model import FINAL_STATES, EventKind, Mark, State
from estafette.status.transitions import next_state
from tests.simulation.loop import START_US, Process, SimulatedLoop
from tests.simulation.network import End
from tests.simulation.reporters import Reporters
from tests.simulation.senders import Order
from tests.simulation.store import Disk, Entry

OUTCOMES = (EventKind.DELIVERED, EventKind.DEFERRED, EventKind.UNCERTAIN, EventKind.SOFT_BOUNCED, EventKind.HARD_BOUNCED, EventKind.BLOCKED)
ATTEMPT_SLACK_S = 30.0
"""From the last look at deadline and block list to MAIL FROM at the receiver: loading the content, signing, the way there."""


@dataclass(slots=True)
class Sight:
    """One observation about one message, for the story."""

    at_s: float
    text: str


@dataclass(slots=True)
class Witness:
    """Sees every attempt at the receivers and every commit, and says at once what must not be."""

    loop: SimulatedLoop
    shift_s: list[float]
    of_worker: dict[int, Process]
    is_strict: bool = True  # the store never fails
    jumped_s: float = 0.0  # by so much the wall clock may have gone back, or forward
    violations: list[str] = field(default_factory=list)
    story: dict[int, list[Sight]] = field(default_factory=lambda: defaultdict(list))  # message → what happened; 0 = everything else
    copies: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # message → how often a receiver took it
    excused: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # message → copies that a power cut made possible
    unsettled: dict[int, int] = field(default_factory=dict)  # message → taken since its last settlement
    subjects: dict[int, bytes] = field(default_factory=dict)
    disk: Disk = field(init=False)
    reporters: Reporters = field(init=False)
    bodies: dict[bytes, bytes] = field(default_factory=dict)  # subject → body as handed in
    final: dict[int, str] = field(default_factory=dict)
    _keyring: Keyring | None = None

    def now_us(self) -> int:
        return START_US + int((self.loop.now_s + self.shift_s[0]) * SECOND_US)

    def tell(self, message_id: int, text: str) -> None:
        self.story[message_id].append(Sight(self.loop.now_s, text))

    def violated(self, text: str, message_id: int = 0) -> None:
        self.tell(message_id, f"*** {text}")
        where = f"message {message_id}, " if message_id else ""
        self.violations.append(f"{text} ({where}at {self.loop.now_s:.3f} s)")

    # -- the receivers' side

    def attempt_begins(self, reverse_path: str, end: End) -> int:
        """MAIL FROM has arrived: I3."""
        if self._keyring is None:
            self._keyring = Keyring(1, {1: self.disk.ask("SELECT value FROM installation WHERE name = 'tokens'")[0][0]})
        message_id = read_return_path(reverse_path.partition("@")[0], self._keyring) or 0
        process, now = end.peer.process, self.now_us()
        self.tell(message_id, f"{process.name} begins an attempt at {end.get_extra_info('sockname')[0]}")
        self.loop.note(f"attempt {message_id}")
        if not message_id:
            self.violated(f"I0: a return path that names nothing: {reverse_path}")
        if process.is_dead or process.was_stopped or not end.peer.is_open:
            return message_id  # its last words; whether it was declared dead before, it could not know
        rows = self.disk.ask("SELECT q.owner, q.due_at, q.deadline_at, m.account_id, m.address_key FROM queue q JOIN message m ON m.id = q.message_id "
                             "WHERE q.message_id = ?", message_id)  # fmt: skip
        if not rows:
            self.violated("I3: an attempt at a message that is final or unknown", message_id)
            return message_id
        owner, due_at, deadline_at, account_id, address_key = rows[0]
        if self.of_worker.get(owner) is not process and not self._is_lapsed(process):
            self.violated(f"I3: an attempt by {process.name}, and the message is held by {owner}", message_id)
        if due_at > now + self.jumped_s * SECOND_US and self.of_worker.get(owner) is process:
            self.violated(f"I3: an attempt {(due_at - now) / SECOND_US:.3f} s before it is due", message_id)
        if deadline_at + (ATTEMPT_SLACK_S + self.jumped_s) * SECOND_US < now:
            self.violated(f"I3: an attempt {(now - deadline_at) / SECOND_US:.3f} s after the deadline", message_id)
        blocks = self.disk.ask("SELECT since FROM block WHERE account_id = ? AND address_key = ? AND lifted_at IS NULL AND scope = '' AND since < ? "
                               "AND cause <> 'unsubscribe' AND (until IS NULL OR until > ?)",  # that stops campaigns only, and these are none
                               account_id, address_key, now - (ATTEMPT_SLACK_S + self.jumped_s) * SECOND_US, now)
        if blocks:
            self.violated(f"I3: an attempt {(now - blocks[0][0]) / SECOND_US:.0f} s after the address was blocked", message_id)
        return message_id

    def took(self, message_id: int, recipient: str, reverse_path: str, content: bytes, end: End) -> None:
        """The receiver has the mail: I4's numerator, and whether the mail is whole."""
        self.loop.note(f"took {message_id}")
        self.tell(message_id, f"{end.get_extra_info('sockname')[0]} takes the mail")
        self.copies[message_id] += 1
        self.unsettled[message_id] = self.unsettled.get(message_id, 0) + 1
        head, _, body = content.partition(b"\r\n\r\n")
        subject = next((line for line in head.split(b"\r\n") if line.startswith(b"Subject: ")), b"")[9:]
        is_whole = b"This is " + subject in body if subject.startswith(b"letter ") else self.bodies.get(subject) == body
        if not is_whole or not head.startswith(b"DKIM-Signature:"):
            self.violated("I0: the mail that arrived is not the mail that was handed in", message_id)
        self.reporters.think_about(message_id, recipient, reverse_path, content)

    def connecting(self, process: Process, provider: str, open_now: dict[Process, int], limit: int) -> None:
        """A worker opens a connection to a provider: I5. With a store that fails now and then leases lapse, and holders overlap for a while."""
        others = {p: n for p, n in open_now.items() if p is process or not self._is_lapsed(p)}
        if open_now[process] > limit or (self.is_strict and sum(others.values()) > limit and not self._is_lapsed(process)):
            self.violated(f"I5: connections to {provider}: { {p.name: n for p, n in others.items()} }, the limit is {limit}")

    def _is_lapsed(self, process: Process) -> bool:
        worker_id = next((w for w, p in self.of_worker.items() if p is process), 0)
        rows = self.disk.ask("SELECT lease_until FROM worker WHERE id = ?", worker_id)
        return process.was_stopped or bool(self.jumped_s) or not rows or rows[0][0] < self.now_us()

    # -- the store's side

    def written(self, entries: list[Entry]) -> None:
        """A commit: the ledger of settlements."""
        for name, rows, _ in entries:
            if name == "event_put":
                for _, message_id, _, kind, _, reply, _ in rows:
                    self.tell(message_id, f"event {kind} {reply[:80]}")
                    if kind in OUTCOMES:
                        self.unsettled.pop(message_id, None)

    def power_cut(self, lost: int) -> None:
        """What was taken and not settled is sent again without anybody's knowing when its claim is lost too, which is not synced."""
        self.tell(0, f"power cut, {lost} unsynced transactions lost")
        unclaimed = {m for (m,) in self.disk.ask("SELECT message_id FROM queue WHERE owner = 0")}
        for message_id, count in self.unsettled.items():
            self.excused[message_id] += count if message_id in unclaimed else 0
        self.unsettled.clear()

    # -- checks over everything

    def look(self) -> None:
        """What holds at every moment."""
        audit = {state: n for state, n in self.disk.ask("SELECT state, count(*) FROM message GROUP BY state")}
        accepted = self.disk.ask("SELECT COALESCE(sum(count), 0) FROM event WHERE kind = 'accepted'")[0][0]
        queued = self.disk.ask("SELECT count(*) FROM queue")[0][0]
        final = sum(n for state, n in audit.items() if state in FINAL_STATES)
        if not accepted == final + queued == sum(audit.values()):
            self.violated(f"I7: accepted {accepted}, final {final}, queued {queued}, messages {sum(audit.values())}")
        both = self.disk.ask("SELECT q.message_id FROM queue q JOIN message m ON m.id = q.message_id "
                             "WHERE m.state IN ('delivered', 'soft_bounced', 'hard_bounced', 'blocked')")  # fmt: skip
        for (message_id,) in both:
            self.violated("I1: final and in the queue", message_id)
        now_final = dict(self.disk.ask("SELECT id, state FROM message WHERE state IN ('delivered', 'soft_bounced', 'hard_bounced', 'blocked')"))
        for message_id, state in self.final.items():
            is_reported = state == State.DELIVERED and now_final.get(message_id) == State.HARD_BOUNCED and "bounce" in self.reporters.sent.get(message_id, ())
            if now_final.get(message_id) != state and not is_reported:
                self.violated(f"I2: was {state}, is {now_final.get(message_id)}", message_id)
        self.final = now_final

    def overdue(self, slack_s: float) -> None:
        """I1: nobody waits beyond the deadline. Asked while the platform and its database are up for long enough."""
        for message_id, state in self.disk.ask("SELECT m.id, m.state FROM queue q JOIN message m ON m.id = q.message_id WHERE q.deadline_at < ?",
                                               self.now_us() - slack_s * SECOND_US):  # fmt: skip
            self.violated(f"I1: still {state} more than {slack_s:.0f} s after the deadline", message_id)

    def settle_accounts(self, orders: Iterable[Order]) -> None:
        """At the end: promises against the database, copies against uncertain attempts, states against events."""
        self._promises(orders)
        uncertain = self._fold()
        for message_id, copies in self.copies.items():
            if copies > 1 + uncertain.get(message_id, 0) + self.excused[message_id]:
                self.violated(f"I4: {copies} copies, {uncertain.get(message_id, 0)} uncertain attempts", message_id)
        self._reports()
        for (message_id,) in self.disk.ask("SELECT id FROM message WHERE state = 'delivered'"):
            if not self.copies[message_id]:
                self.violated("I4: delivered, and nobody has it", message_id)

    def _promises(self, orders: Iterable[Order]) -> None:
        stored: dict[str, list[int]] = defaultdict(list)
        for submission_id, subject in self.disk.ask("SELECT id, subject FROM submission ORDER BY id"):
            stored[subject].append(submission_id)
        for order in orders:
            made = stored.pop(order.subject, [])
            promised = {int(promise, 16) for promise in order.promises}
            for submission_id in promised - set(made):
                self.violated(f"I1: {order.subject} was accepted as {submission_id:x} and is not in the store")
            if order.key and len(made) > 1 and self.jumped_s < 80_000:  # keys are kept for a day by the wall clock
                self.violated(f"I4: {order.subject} was stored {len(made)} times under one idempotency key")
            if len(made) > order.tries:
                self.violated(f"I4: {order.subject} was stored {len(made)} times, handed in {order.tries} times")
            for submission_id in made:
                recipients = self.disk.ask("SELECT recipient FROM message WHERE submission_id = ?", submission_id)
                if sorted(r for (r,) in recipients) != sorted(set(order.recipients)):
                    self.violated(f"I1: {order.subject} has the messages {recipients} and not {order.recipients}")
        for subject in stored:
            if not subject.startswith("letter "):  # newsletters have an account of their own (letters.py)
                self.violated(f"I1: {subject!r} was never handed in")

    def _reports(self) -> None:
        """What was said about a mail is written, once it was answered with 250; a complaint blocks, whatever became of the message."""
        kinds: dict[int, set[str]] = defaultdict(set)
        for message_id, kind in self.disk.ask("SELECT message_id, kind FROM event"):
            kinds[message_id].add(kind)
        blocked = set(self.disk.ask("SELECT m.id FROM message m JOIN block b ON b.address_key = m.address_key AND b.account_id = m.account_id "
                                    "WHERE b.cause = 'complaint'"))  # fmt: skip
        for message_id, kind in self.reporters.taken:
            wanted = {"bounce": {"hard_bounced", "note"}, "complaint": {"complained", "note"}, "reply": {"note"}}[kind]
            if not wanted & kinds[message_id]:
                self.violated(f"I1: a {kind} was answered with 250, and nothing is written", message_id)
            if kind == "complaint" and (message_id,) not in blocked:
                self.violated("I1: a complaint was answered with 250, and nobody is blocked", message_id)

    def _fold(self) -> dict[int, int]:
        """I7 for every message: its state and attempts are what its events say. Returns the uncertain attempts."""
        uncertain: dict[int, int] = defaultdict(int)
        events: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for message_id, kind, data in self.disk.ask("SELECT message_id, kind, data FROM event WHERE kind <> 'accepted' ORDER BY id"):
            events[message_id].append((kind, data))
        for message_id, state, attempts, marks in self.disk.ask("SELECT id, state, attempts, marks FROM message"):
            folded, tried = State.QUEUED, 0
            for kind, data in events[message_id]:
                if kind in (EventKind.RECLAIMED, EventKind.NOTE, EventKind.REQUEUED):
                    if kind == EventKind.NOTE and '"refused"' in data and message_id not in self.reporters.sent:
                        self.violated(f"I2: a transition was refused: {data}", message_id)
                    continue
                if '"stage":"report"' in data or kind not in OUTCOMES:  # it came back: about the state that there is
                    folded = next_state(folded, EventKind(kind), tried) or folded
                    continue
                is_given_up = '"stage":"deadline"' in data or '"stage":"evidence"' in data  # nothing was attempted
                after = next_state(folded if is_given_up else State.SENT, EventKind(kind), tried)
                tried += kind != EventKind.BLOCKED and not is_given_up
                if after is None:
                    self.violated(f"I2: {kind} after {folded}", message_id)
                    break
                folded = after
                uncertain[message_id] += kind == EventKind.UNCERTAIN or '"uncertain":1' in data
            kinds = {kind for kind, _ in events[message_id]}
            read = (EventKind.CLICKED in kinds and Mark.OPENED | Mark.CLICKED) or (EventKind.OPENED in kinds and Mark.OPENED) or 0
            if marks & (Mark.OPENED | Mark.CLICKED) != read:
                self.violated(f"I7: the marks are {marks}, the events say {read}", message_id)
            if (folded, tried) != (state, attempts) and state in FINAL_STATES:
                self.violated(f"I7: is {state} after {attempts} attempts, the events say {folded} after {tried}", message_id)
        return uncertain
