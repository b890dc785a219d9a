"""The SMTP submission listener: an asyncio protocol around the sans-IO `ServerSession`.

One `SubmissionProtocol` per connection. Input goes into the session, events come out; what can be answered at once is, and what needs the
store (a login, the end of a mail) is done by one task at a time while reading is paused. The session's own waiting keeps pipelined commands
in order. 250 to the final dot is sent after `SubmitDoor.submit` has returned, never before.
"""

import asyncio
import ssl
from dataclasses import replace
from typing import Any

from estafette import maillog
from estafette.accept.authority import remedy
from estafette.accept.examine import Refused, examine
from estafette.accept.incoming import Mail
from estafette.accept.limits import draw
from estafette.accept.reception import Reception
from estafette.accept.relaying import letters, requests_for, speaks_of_recipients
from estafette.accept.submit import Recipient, Request
from estafette.mail.address import AddressError, parse
from estafette.mail.smtp import server
from estafette.mail.smtp.replies import Reply, reply
from estafette.model import Account, Door
from estafette.store.seam import StoreFault

OK = reply(250, "2.1.0", "Ok")
LOGGED_IN = reply(235, "2.7.0", "Authentication successful")
BAD_LOGIN = reply(535, "5.7.8", "Authentication failed: unknown API key or wrong secret")
SWITCHED_OFF = reply(550, "5.7.1", "This account or its API key has been switched off")
NO_ROOM = reply(452, "4.3.1", "Insufficient system storage; try again later")
CLOSING = reply(421, "4.3.2", "Service shutting down; try again later")
BUSY = reply(421, "4.7.0", "Too many connections; try again later")
IDLE = reply(421, "4.4.2", "Timeout; closing")
PAUSE_AT_BYTES = 262_144
ANSWER_WITHIN_S = 50.0
"""A client that waits longer for the answer to its mail may give it up and bring it again; 451 is said before."""
CLOSE_S = 10.0
"""How long the client may take to hear our last words; then the connection is cut."""
MIN_RATE = 1000.0
"""Octets of content per second that a client must reach on the whole, after the first timeout's worth of patience."""


class SubmissionProtocol(asyncio.Protocol):
    """One connection of a submitter."""

    def __init__(self, reception: Reception, *, implicit_tls: bool = False) -> None:
        self._r = reception
        self._session = server.ServerSession(reception.options, tls_active=implicit_tls)
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._hello = ""
        self._is_extended = False
        self._account: Account | None = reception.open_account
        self._key = ""  # the API key of the login
        self._mail: Mail | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._is_over = False  # the client has closed its side
        self._since_s = reception.clock.monotonic()  # from here its time for the next command or content counts
        self._is_counted = False
        self._is_choked = False  # the client does not read what we say
        self._early: list[bytes] | None = None  # what came encrypted before the end of the handshake was known here

    # -- asyncio's side -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or turn away who has too many connections."""
        self._transport = transport  # type: ignore[assignment]
        if self._is_counted:
            return  # the same connection, after STARTTLS
        name = transport.get_extra_info("peername")
        self._peer = name[0] if name else "unix"
        r = self._r
        if r.is_closing or len(r.connections) >= r.max_connections or r.per_address[self._peer] >= r.max_connections_per_address:
            maillog.session_refused(self._peer, "too many connections")
            self._session.output()
            self._write(BUSY.encode())
            self._close()
            return
        self._is_counted = True
        r.connections.add(self)
        r.per_address[self._peer] += 1
        self._pump()

    def data_received(self, data: bytes) -> None:
        """Feed the session and act on what it finds."""
        if self._early is not None:
            self._early.append(data)
            return
        self._session.receive(data)
        if self._task is None:
            self._pump()
        elif self._session.unread_bytes >= PAUSE_AT_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that has said all it wants to say gets its answers first."""
        self._is_over = True
        return self._task is not None

    def pause_writing(self) -> None:
        """The client does not read: nor do we, or its commands would fill our memory with answers."""
        self._is_choked = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_choked = False
        if self._transport is not None and self._task is None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything; a mail that is being committed is committed all the same."""
        self._drop_mail()
        self._stop_timer()
        if self._is_counted:
            self._is_counted = False
            self._r.connections.discard(self)
            if self._r.is_closing and not self._r.connections:
                self._r.is_empty.set()
            self._r.per_address[self._peer] -= 1
            if not self._r.per_address[self._peer]:
                del self._r.per_address[self._peer]
        self._transport = None

    # -- the loop -------------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Act on events until the session wants input or a task is needed."""
        while self._task is None and (event := self._session.next_event()) is not None:
            if isinstance(event, server.Chunk):
                self._keep(event.data)
            elif isinstance(event, server.Credentials):
                self._begin(self._login(event))
            elif isinstance(event, server.EndOfMail):
                self._begin(self._end_of_mail())
            elif isinstance(event, server.StartTls):
                self._begin(self._start_tls())
            elif isinstance(event, server.Closed):
                self._flush()
                self._close()
                return
            else:
                self._answer_at_once(event)
            self._progressed(len(event.data) if isinstance(event, server.Chunk) else 0)
        self._flush()
        if self._is_over and self._task is None:
            self._close()
        self._arm_timer()

    def _progressed(self, content_bytes: int) -> None:
        """A whole command or reply gives the client its full time again; content earns time at `MIN_RATE`, so that dripping holds no place."""
        now_s = self._r.clock.monotonic()
        self._since_s = min(now_s, self._since_s + content_bytes / MIN_RATE) if content_bytes else now_s

    def _answer_at_once(self, event: server.Event) -> None:
        if isinstance(event, server.Hello):
            self._hello, self._is_extended = event.name, event.is_extended
            self._drop_mail()
        elif isinstance(event, server.MailFrom):
            self._session.answer(self._mail_from(event))
        elif isinstance(event, server.RcptTo):
            self._session.answer(self._rcpt_to(event))
        elif isinstance(event, server.Reset):
            self._drop_mail()

    def _begin(self, work: Any) -> None:
        self._stop_timer()
        self._flush()
        self._task = asyncio.get_running_loop().create_task(self._run(work))

    async def _run(self, work: Any) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await work
        except StoreFault as fault:
            maillog.fault("accept", self._peer, fault)
            if not self._session.is_authenticated and self._mail is None:  # RFC 4954 6
                self._session.answer(reply(454, "4.7.0", "Temporary authentication failure; try again later"))
            else:
                self._session.answer(NO_ROOM if fault.is_full else reply(451, "4.3.0", "The mail could not be stored; try again later"))
        except Exception as fault:  # outermost frame of the connection: unknown means temporary
            maillog.fault("accept", self._peer, fault)
            if self._session.is_waiting:
                self._session.answer(reply(451, "4.3.0", "Local error; try again later"))
        finally:
            self._task = None
            self._since_s = self._r.clock.monotonic()  # what we took is not the client's time
        if self._transport is not None:
            if not self._is_choked:
                self._transport.resume_reading()
            if self._r.is_closing and self._mail is None:
                self._session.shut_down(CLOSING)
            self._pump()

    # -- decisions that need nothing ------------------------------------------------------------------------------------

    def _mail_from(self, event: server.MailFrom) -> Reply:
        if self._account is None:
            return reply(530, "5.7.0", "Authentication required")
        size = event.parameters.size_bytes or 0
        if not self._r.budget.has_room(size) or not self._r.has_disk():
            return NO_ROOM
        if self._r.is_closing:
            return CLOSING
        if event.reverse_path:
            try:
                parse(event.reverse_path)
            except AddressError as error:
                return reply(501, "5.1.7", f"Not a valid address: {error}")
        p = event.parameters
        self._mail = Mail(event.reverse_path, p.smtputf8, ret=p.ret, envid=p.envid)
        return OK

    def _rcpt_to(self, event: server.RcptTo) -> Reply:
        assert self._mail is not None
        try:
            address = parse(event.recipient)
        except AddressError as error:
            return reply(501, "5.1.3", f"Not a valid address: {error}")
        self._mail.recipients.append(Recipient(address, event.parameters.notify, event.parameters.orcpt))
        return reply(250, "2.1.5", "Ok")

    def _keep(self, data: bytes) -> None:
        if self._mail is not None and not self._session.is_discarding:
            self._mail.keep(data, self._r.budget, self._r.in_memory_bytes)

    # -- work that waits ------------------------------------------------------------------------------------------------

    async def _login(self, credentials: server.Credentials) -> None:
        account = await self._r.keeper.login(credentials.username, credentials.password, self._peer)
        if account is None:
            maillog.login_failed("", self._peer, str(self._session.tls_active))
            self._failures += 1
            self._session.answer(BAD_LOGIN)
            if self._failures >= self._r.max_login_failures:
                self._session.shut_down(reply(421, "4.7.0", "Too many failed logins"))
            return
        self._account, self._key = account, credentials.username
        self._session.offer_dsn(account.failure_reports)
        self._session.answer(LOGGED_IN)

    async def _start_tls(self) -> None:
        assert self._transport is not None
        if self._r.tls is None:
            self._session.answer(reply(454, "4.7.0", "TLS is not available"))
            return
        self._session.answer(reply(220, "2.0.0", "Go ahead"))
        self._flush()
        loop = asyncio.get_running_loop()
        self._early = []  # from here on: what comes before start_tls returns has passed through TLS
        try:
            self._transport = await loop.start_tls(self._transport, self, self._r.tls, server_side=True, ssl_handshake_timeout=30)
        except (ssl.SSLError, OSError, TimeoutError) as error:
            maillog.session_closed("", self._peer, 0, f"TLS handshake failed: {error}")
            self._close()
            return
        self._account, self._key = self._r.open_account, ""
        self._session.tls_started()
        early, self._early = self._early, None
        for data in early:
            self._session.receive(data)

    async def _end_of_mail(self) -> None:
        mail, account = self._mail, self._account
        assert mail is not None
        assert account is not None
        try:
            if mail.has_no_room:
                self._session.answer(NO_ROOM)
                return
            if self._key:  # what has changed since the login holds at once
                now = await self._r.keeper.account_of(self._key)
                if now is None:
                    raise Refused(SWITCHED_OFF)
                account = now
            bucket, wait_s = draw(self._r.buckets.get(account.id), len(mail.recipients), account.rate_per_s, self._r.clock.monotonic())
            self._r.buckets[account.id] = bucket
            if wait_s:
                self._session.answer(reply(450, "4.7.1", f"Rate limit of this account: {account.rate_per_s} messages per second; try again in {wait_s:.1f} s"))
                return
            self._session.answer(await self._submit(mail, account))
        except Refused as refusal:
            maillog.refused("", self._peer, account.name, "body", str(refusal))
            self._session.answer(refusal.reply)
        finally:
            self._drop_mail()

    async def _submit(self, mail: Mail, account: Account) -> Reply:
        raw = mail.content()
        examined = examine(raw)
        if not await self._r.keeper.may_write_as(account.id, examined.author):
            raise Refused(reply(550, "5.7.1", remedy(examined.author)))
        options = examined.options
        if mail.ret or mail.envid:
            options = replace(options, ret=mail.ret, envid=mail.envid)
        key = examined.idempotency_key
        request = Request(
            account, Door.SMTP, mail.reverse_path, tuple(mail.recipients), raw, examined, options, self._hello, self._peer, self._protocol_name(),
            smtputf8=mail.smtputf8, idempotency_key=key,
            fingerprint=mail.fingerprint(raw) if key else b"", answer=(lambda ids: b"%x" % ids[0]) if key else None,
        )  # fmt: skip
        door = self._r.door
        stored = None
        if examined.wish.template is not None:
            stored = await door.template(account.id, examined.wish.template)
            if stored is None:
                raise Refused(reply(550, "5.7.1", f"Template {examined.wish.template} does not exist or does not belong to this account"))
        keys = [r.address.key for r in mail.recipients] if speaks_of_recipients(raw, examined, stored) else []
        contacts = await door.contacts(account.id, keys) if keys else {}
        if examined.wish.is_set:  # a second of work in the worst case: not in the loop
            made = await asyncio.to_thread(letters, raw, examined, mail.recipients, stored, door.library, contacts)
        else:
            made = letters(raw, examined, mail.recipients, stored, door.library)
        requests = requests_for(request, made, door.hostname, self._r.clock.token_bytes(16)) if examined.wish.is_set else [request]
        accepted = (await door.submit(requests))[-1]
        if accepted.is_key_conflict:
            return reply(554, "5.6.0", "X-Estafette-Idempotency-Key was used for another mail within the last 24 hours")
        queued_as = accepted.replayed_answer.decode() if accepted.replayed_answer is not None else f"{accepted.submission_id:x}"
        return reply(250, "2.0.0", f"Ok: queued as {queued_as}")

    def _protocol_name(self) -> str:
        """RFC 3848."""
        if not self._is_extended:
            return "SMTP"
        return "ESMTP" + ("S" if self._session.tls_active else "") + ("A" if self._session.is_authenticated else "")

    # -- endings --------------------------------------------------------------------------------------------------------

    def shut_down_when_idle(self) -> None:
        """Say 421 unless a mail is under way; then it is said after it."""
        if self._task is None and self._mail is None and self._transport is not None:
            self._session.shut_down(CLOSING)
            self._pump()

    def abort(self) -> None:
        """Cut the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def _drop_mail(self) -> None:
        if self._mail is not None:
            self._mail.release(self._r.budget)
            self._mail = None

    def _flush(self) -> None:
        data = self._session.output()
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(CLOSE_S, self.abort)

    def _arm_timer(self) -> None:
        if self._task is not None or self._transport is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        patience_s = min(self._session.deadline_s, self._r.timeout_s)
        left_s = self._since_s + patience_s - self._r.clock.monotonic()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, left_s), self._timed_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self) -> None:
        self._timer = None
        if self._task is None:
            self._session.shut_down(IDLE)
            self._pump()
