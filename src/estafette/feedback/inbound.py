"""The listener for mail from the world: reports, complaints, replies, unsubscribes. It relays nothing and answers nobody.

Only addresses of ours are taken (`recipients.py`). 250 to the final dot is said after what the mail means is committed; what it means is decided
in `matching.py`. A report that names no message of ours leaves a note, and so many notes a minute only.
"""

import asyncio
import contextlib
import ssl
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Final, Protocol

from estafette import maillog
from estafette.clock import Clock
from estafette.config import Config
from estafette.feedback.holders import HolderStore, leave_by_mail
from estafette.feedback.matching import Arrival, find_inside, match, what_it_is
from estafette.feedback.recipients import Desk, Destination, Directory, directory, find_destination
from estafette.feedback.wire import Wire
from estafette.mail.address import AddressError, parse, parse_mailboxes
from estafette.mail.header import HeaderError, read_header
from estafette.mail.reports import Report, read_report
from estafette.mail.smtp import server
from estafette.mail.smtp.replies import Reply, reply
from estafette.mail.token import Keyring
from estafette.model import EventKind, Record
from estafette.store.parsing import ParseMail, ParseRoute
from estafette.store.seam import Store, StoreFault

OK: Final = reply(250, "2.1.0", "Ok")
TAKEN: Final = reply(250, "2.0.0", "Ok")
NO_SUCH_ADDRESS: Final = reply(550, "5.1.1", "No such address here")
NO_ROOM: Final = reply(452, "4.3.1", "Insufficient system storage; try again later")
NOT_STORED: Final = reply(451, "4.3.0", "The mail could not be stored; try again later")
CLOSING: Final = reply(421, "4.3.2", "Service shutting down; try again later")
BUSY: Final = reply(421, "4.7.0", "Too many connections; try again later")
IDLE: Final = reply(421, "4.4.2", "Timeout; closing")
INLINE_BYTES: Final = 65_536  # larger mails are read in a thread
EARLY_TRIES: Final = 10
EARLY_PAUSE_S: Final = 0.2
MINUTE_S: Final = 60.0
MAX_WAITING: Final = 1000  # mails for one program that does not take them


class Budget(Protocol):
    """Octets of mail that this process may hold; shared with the other doors."""

    def take(self, size: int) -> bool: ...
    def has_room(self, size: int) -> bool: ...
    def give_back(self, size: int) -> None: ...


class RouteShelf(Protocol):
    """Where addresses lead that are customers' own (`store.parsing.Parsing`)."""

    async def route_of(self, address_key: str) -> ParseRoute | None: ...
    async def waiting(self, route_ids: Sequence[int]) -> dict[int, int]: ...
    async def take(self, mails: Sequence[ParseMail]) -> None: ...


@dataclass(slots=True)
class _Mail:
    """One transaction as it is collected."""

    reverse_path: str
    began_s: float
    file: IO[bytes]
    destinations: list[Destination] = field(default_factory=list)
    leaving: list[Destination] = field(default_factory=list)  # those of them by which somebody unsubscribes
    held: int = 0
    has_no_room: bool = False


@dataclass(slots=True)
class Inbound:
    """What all inbound connections of a process share; `protocol` makes the connections."""

    options: server.ServerOptions
    clock: Clock
    store: HolderStore
    keyring: Keyring
    directory: Directory
    budget: Budget
    routes: RouteShelf
    in_memory_bytes: int = 1_048_576
    max_connections: int = 500
    max_connections_per_address: int = 20
    max_notes_per_minute: int = 60  # about mail that names no message of ours
    timeout_s: float = 300.0
    mail_within_s: float = 900.0
    tls: ssl.SSLContext | None = None
    has_disk: Callable[[], bool] = lambda: True
    is_closing: bool = False
    connections: set[Wire] = field(default_factory=set)
    per_address: Counter[str] = field(default_factory=Counter)
    is_empty: asyncio.Event = field(default_factory=asyncio.Event)
    notes: int = 0  # in the minute that began at `minute_s`
    minute_s: float = 0.0

    def protocol(self) -> Wire:
        """For `loop.create_server`."""
        return Wire(self.serve)

    async def close(self, within_s: float) -> None:
        """Let running transactions finish, tell the others 421."""
        self.is_closing = True
        for wire in list(self.connections):
            wire.nudge()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.is_empty.wait(), within_s)
        for wire in list(self.connections):
            wire.abort()

    async def serve(self, wire: Wire) -> None:
        """One connection from its greeting to its end."""
        if self.is_closing or len(self.connections) >= self.max_connections or self.per_address[wire.peer] >= self.max_connections_per_address:
            maillog.session_refused(wire.peer, "too many connections")
            with contextlib.suppress(TimeoutError):
                await wire.write(BUSY.encode(), 5.0)
            wire.close()
            return
        self.connections.add(wire)
        self.per_address[wire.peer] += 1
        session = _Session(self, wire)
        try:
            await session.run()
        except TimeoutError:
            maillog.session_closed("", wire.peer, 0, "the peer does not read")
        except Exception as fault:  # outermost frame of the connection
            maillog.fault("inbound", wire.peer, fault)
        finally:
            session.drop_mail()
            wire.close()
            self.connections.discard(wire)
            self.per_address[wire.peer] -= 1
            if not self.per_address[wire.peer]:
                del self.per_address[wire.peer]
            if not self.connections and self.is_closing:
                self.is_empty.set()

    def may_note(self) -> bool:
        """Whether one more note about strangers' mail fits into this minute: nobody may fill the disk with them."""
        now_s = self.clock.monotonic()
        if now_s - self.minute_s >= MINUTE_S:
            self.minute_s, self.notes = now_s, 0
        self.notes += 1
        return self.notes <= self.max_notes_per_minute


def inbound_of(config: Config, clock: Clock, store: Store, keyring: Keyring, budget: Budget, tls: ssl.SSLContext | None,
               has_disk: Callable[[], bool]) -> Inbound:  # fmt: skip
    """The inbound listeners of a worker as configured. Raises AddressError for a feedback-loop address that is none."""
    options = server.ServerOptions(
        config.server.hostname, config.submission.max_size_bytes, max_recipients=100, offers_auth=False, requires_auth=False, has_postmaster=True,
        bare_newlines="fix",  # nothing is relayed, and reports come from the oldest machines there are
    )  # fmt: skip
    ours = directory(config.inbound.domain, config.server.hostname, config.inbound.fbl_addresses)
    return Inbound(options, clock, store, keyring, ours, budget, store.parsing, config.limits.body_in_memory_bytes, tls=tls, has_disk=has_disk)


class _Session:
    """One connection."""

    def __init__(self, inbound: Inbound, wire: Wire) -> None:
        self._in = inbound
        self._wire = wire
        self._session = server.ServerSession(replace(inbound.options, offers_starttls=inbound.tls is not None))
        self._mail: _Mail | None = None

    async def run(self) -> None:
        """Until one side ends it."""
        while True:
            event = self._session.next_event()
            if event is None:
                if not await self._more():
                    return
            elif isinstance(event, server.Closed):
                await self._flush()
                return
            elif isinstance(event, server.Chunk):
                self._keep(event.data)
            elif isinstance(event, server.MailFrom):
                self._session.answer(self._mail_from(event))
            elif isinstance(event, server.RcptTo):
                self._session.answer(await self._rcpt_to(event))
            elif isinstance(event, server.EndOfMail):
                self._session.answer(await self._end_of_mail())
            elif isinstance(event, server.StartTls):
                if not await self._start_tls():
                    return
            elif isinstance(event, server.Credentials):  # not offered
                self._session.answer(reply(502, "5.5.1", "AUTH is not available"))
            else:  # Hello, Reset
                self.drop_mail()

    async def _more(self) -> bool:
        """Say what there is to say and wait for input; False at the end of the connection."""
        await self._flush()
        if self._in.is_closing and self._mail is None:
            self._session.shut_down(CLOSING)
            return True
        left_s = self._in.timeout_s
        if self._mail is not None:
            left_s = max(min(left_s, self._mail.began_s + self._in.mail_within_s - self._in.clock.monotonic()), 0.001)
        try:
            data = await self._wire.read(min(self._session.deadline_s, left_s))
        except TimeoutError:
            self._session.shut_down(IDLE)
            return True
        if data:
            self._session.receive(data)
        return data != b""

    async def _flush(self) -> None:
        await self._wire.write(self._session.output(), self._in.timeout_s)

    async def _start_tls(self) -> bool:
        assert self._in.tls is not None
        self._session.answer(reply(220, "2.0.0", "Go ahead"))
        await self._flush()
        if not await self._wire.start_tls(self._in.tls):
            maillog.session_closed("", self._wire.peer, 0, "TLS handshake failed")
            return False
        self._session.tls_started()
        return True

    # -- a mail -----------------------------------------------------------------------------------------------------------

    def _mail_from(self, event: server.MailFrom) -> Reply:
        self.drop_mail()
        if not self._in.budget.has_room(event.parameters.size_bytes or 0) or not self._in.has_disk():
            return NO_ROOM
        if self._in.is_closing:
            return CLOSING
        file = tempfile.SpooledTemporaryFile(self._in.in_memory_bytes)  # noqa: SIM115 - closed in drop_mail
        self._mail = _Mail(event.reverse_path, self._in.clock.monotonic(), file)
        return OK

    async def _rcpt_to(self, event: server.RcptTo) -> Reply:
        assert self._mail is not None
        destination = find_destination(event.recipient, self._in.keyring, self._in.directory)
        try:
            destination = destination or await self._program(event.recipient)
        except StoreFault as fault:
            maillog.fault("inbound", self._wire.peer, fault)
            return NOT_STORED
        if destination is not None and destination.desk is Desk.PROGRAM and destination.route_id == 0:
            return NO_ROOM
        if destination is None:
            maillog.refused("", self._wire.peer, "", "rcpt", str(NO_SUCH_ADDRESS))
            return NO_SUCH_ADDRESS
        if destination not in self._mail.destinations:
            self._mail.destinations.append(destination)
        return reply(250, "2.1.5", "Ok")

    async def _program(self, recipient: str) -> Destination | None:
        """The program that an address leads to; without a route id when too much waits for it. Raises StoreFault."""
        try:
            route = await self._in.routes.route_of(parse(recipient).key)
        except AddressError:
            return None
        if route is None:
            return None
        is_full = (await self._in.routes.waiting([route.id])).get(route.id, 0) >= MAX_WAITING
        return Destination(Desk.PROGRAM, recipient, route_id=0 if is_full else route.id)

    def _keep(self, data: bytes) -> None:
        mail = self._mail
        if mail is None or mail.has_no_room or self._session.is_discarding:
            return
        if not self._in.budget.take(len(data)):
            mail.has_no_room = True
            return
        mail.held += len(data)
        mail.file.write(data)

    async def _end_of_mail(self) -> Reply:
        mail = self._mail
        assert mail is not None
        try:
            if mail.has_no_room:
                return NO_ROOM
            mail.file.seek(0)
            raw = mail.file.read()
            if any(one.desk is not Desk.PROGRAM for one in mail.destinations):
                await self._record(await self._records(mail, raw))
                await self._let_go(mail, raw)
            now = self._in.clock.now_us()
            programs = [one for one in mail.destinations if one.desk is Desk.PROGRAM]
            if programs:
                await self._in.routes.take([ParseMail(0, one.route_id, mail.reverse_path, one.address, raw, now, 0) for one in programs])
        except StoreFault as fault:
            maillog.fault("inbound", self._wire.peer, fault)
            return NO_ROOM if fault.is_full else NOT_STORED
        except Exception as fault:  # unknown means temporary: the peer tries again
            maillog.fault("inbound", self._wire.peer, fault)
            return NOT_STORED
        finally:
            self.drop_mail()
        return TAKEN

    async def _records(self, mail: _Mail, raw: bytes) -> list[Record]:
        report, subject = _read(raw) if len(raw) <= INLINE_BYTES else await asyncio.to_thread(_read, raw)
        inside = find_inside(report, raw, self._in.keyring)
        now = self._in.clock.now_us()
        made = []
        for destination in mail.destinations:
            if destination.desk is Desk.PROGRAM:
                continue
            record = match(Arrival(now, self._wire.peer, mail.reverse_path, destination, subject), report, inside)
            if record.message_id == 0:
                maillog.report_ignored(self._wire.peer, f"{what_it_is(report)} to {destination.address}: no valid token")
                if not self._in.may_note():
                    continue
            if record.kind is EventKind.UNSUBSCRIBED:
                mail.leaving.append(destination)
            made.append(replace(record, is_patient=True))
        return made

    async def _let_go(self, mail: _Mail, raw: bytes) -> None:
        """What is to be done for those who unsubscribed, beside the marks; `match` has judged who did."""
        for destination in mail.destinations:
            if destination.leaving is not None and destination in mail.leaving:
                senders = [mail.reverse_path, *_authors(raw)]
                await leave_by_mail(self._in.store, destination.leaving, senders, self._in.keyring, self._in.clock.now_us())

    async def _record(self, records: list[Record]) -> None:
        """Write; what overtook the outcome of its message's attempt is asked again until that is written."""
        for tries in range(EARLY_TRIES + 1):
            if tries == EARLY_TRIES:
                records = [replace(r, is_patient=False) for r in records]
            done = await self._in.store.record_many(records)
            for record, recorded in zip(records, done, strict=True):
                if not recorded.is_early and record.message_id:
                    maillog.reported(record.message_id, record.kind.value if recorded.is_applied else "refused", self._wire.peer, record.reply)
            records = [record for record, recorded in zip(records, done, strict=True) if recorded.is_early]
            if not records:
                return
            await asyncio.sleep(EARLY_PAUSE_S)

    def drop_mail(self) -> None:
        """Give memory and file back."""
        if self._mail is not None:
            self._in.budget.give_back(self._mail.held)
            self._mail.file.close()
            self._mail = None


def _read(raw: bytes) -> tuple[Report, str]:
    """What the mail says, and its subject."""
    try:
        subject = read_header(raw).first("subject")
    except HeaderError:
        subject = None
    return read_report(raw), subject.text if subject is not None else ""


def _authors(raw: bytes) -> list[str]:
    """Who wrote the mail, as its header says; nobody where that cannot be read."""
    try:
        fields = read_header(raw).all("From")
        return [str(mailbox.address) for field in fields[:1] for mailbox in parse_mailboxes(field.value)[:5]]
    except (HeaderError, AddressError):
        return []
