"""One connection to a receiving server: an asyncio protocol around the sans-IO `ClientSession`.

    connection = await open_connection(link, policy)      # greeted, TLS done; raises Fault
    result = await connection.send(transaction)           # the reply that decided; raises Fault
    connection.quit()

Every wait has a deadline, kept by one timer per connection that looks at the last progress. A `Fault` says at which stage what went wrong and
whether the peer may have taken the mail all the same.
"""

import asyncio
import contextlib
import errno
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from estafette.deliver.demand import CLEAR, DANE, ENCRYPTED, MAY, MUST, NEVER, PKIX, PROVED
from estafette.mail.dane import Tlsa, fault_of
from estafette.mail.smtp import client
from estafette.mail.smtp.replies import RemoteProtocolError, Reply
from estafette.mail.smtp.states import ClientState, Step

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
GOODBYE_S: Final = 5.0
"""How long the peer may take to hear our QUIT; then the connection is cut."""
STALL_S: Final = 0.5
"""A timer that rings so late says that this process was stopped or starved; it looks once more after as long, or an answered mail would be sent again."""
LONGEST_S: Final = 3600.0
"""So long the sending of one mail may last however steadily the peer reads."""
STAGES: Final = {Step.GREETING: "connect", Step.STARTTLS: "tls", Step.RSET: "body", Step.QUIT: "body"}
"""Stage names of an outcome where they are not the step's own."""


@dataclass(frozen=True, slots=True)
class Link:
    """Who is talked to and from where."""

    host: str
    address: str
    port: int
    source: str = ""  # local address, "" = the machine's choice


@dataclass(frozen=True, slots=True)
class Policy:
    """How connections behave: from the configuration."""

    hostname: str
    connect_s: float = 30.0
    command_s: float = 300.0
    data_s: float = 600.0
    tls: str = "opportunistic"  # opportunistic, require, never
    context: ssl.SSLContext | None = None
    strict_context: ssl.SSLContext | None = None  # for connections whose certificate must be valid; None: the machine's authorities

    @property
    def tls_level(self) -> str:
        """What the operator asks for, as a level of demand.py."""
        return {"require": MUST, "never": NEVER}.get(self.tls, MAY)


@dataclass(frozen=True, slots=True)
class Security:
    """What TLS one connection needs, and how the server has to prove who it is."""

    level: str  # demand.NEVER, MAY, MUST, PROVED
    tlsa: tuple[Tlsa, ...] = ()  # DANE: what its certificate must match
    names: tuple[str, ...] = ()  # names that a certificate below a trust anchor may be for
    now: datetime = EPOCH  # for the dates of certificates below a trust anchor


class Fault(Exception):
    """The attempt failed without a reply to it, or the connection with one (`reply`)."""

    def __init__(self, fault: str, stage: str, text: str, reply: Reply | None = None, *, is_tls_broken: bool = False, was_heard: bool = False,
                 is_uncertain: bool = False) -> None:  # fmt: skip
        super().__init__(text)
        self.fault = fault  # key of the rules for faults: timeout, refused, unreachable, tls, protocol, closed
        self.stage = stage
        self.text = text
        self.reply = reply
        self.is_tls_broken = is_tls_broken
        self.was_heard = was_heard  # a reply came in this transaction before the fault
        self.is_uncertain = is_uncertain  # the peer may have taken the mail


def opportunistic_context() -> ssl.SSLContext:
    """TLS against passive listeners: any certificate will do, and old ciphers are better than none (RFC 7435)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context


def _chain_of(ssl_object: ssl.SSLObject) -> list[bytes]:
    """The certificates that the server showed, its own first, as DER. Before Python 3.13 the way to them has an underscore."""
    inner = getattr(ssl_object, "_sslobj", None)
    found = inner.get_unverified_chain() if inner is not None else None
    if found is None:
        own = ssl_object.getpeercert(binary_form=True)
        return [own] if own else []
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in found]


class Connection(asyncio.Protocol):
    """See the module; built by `open_connection`."""

    def __init__(self, link: Link, policy: Policy) -> None:
        self.link = link
        self.tls = ""  # protocol and cipher once negotiated
        self.trust = CLEAR
        self.source = ""  # the local address in use
        self.sent = 0  # transactions so far
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        self._session = client.ClientSession(policy.hostname)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[client.Event] | None = None
        self._early: deque[client.Event] = deque()  # came before anybody waited
        self._timer: asyncio.TimerHandle | None = None
        self._look_at_s = 0.0  # when the timer should ring
        self._progress_at = 0.0  # the last complete reply, or the last octets that the peer took
        self._began_at = 0.0
        self._unsent = 0  # octets of ours that the peer had not taken at the last look
        self._was_heard = False
        self._may_end: Callable[[], bool] | None = None  # to be asked before the final dot
        self._fault: Fault | None = None

    # -- asyncio's side -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; the server speaks first."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Replies."""
        self._was_heard = True
        step = self._session.step
        try:
            self._session.receive(data)
        except RemoteProtocolError as error:
            self._fail(Fault("protocol", self._stage, f"not SMTP: {error}", was_heard=True, is_uncertain=self._session.may_have_arrived))
            return
        events = self._session.events()
        if events or self._session.step is not step:  # a reply, not a part of one: a peer that lets them drip would hold us for ever
            self._progress_at = self._loop.time()
        for event in events:
            if isinstance(event, client.Closed):
                self._close()
            elif self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(event)
            else:
                self._early.append(event)  # at most two: the session says nothing on its own
        self._flush()

    def eof_received(self) -> None:
        """The peer has said its last word: the transport closes."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        text = f"connection lost: {exc}" if exc else "the server closed the connection"
        # in an orderly end everything that was said was heard: who said nothing has not taken the mail either
        may_have_arrived = self._session.may_have_arrived and (self._was_heard or exc is not None)
        self._fail(Fault("closed", self._stage, text, was_heard=self._was_heard, is_uncertain=may_have_arrived))

    def resume_writing(self) -> None:
        """The peer reads: that is progress."""
        self._progress_at = self._loop.time()

    # -- the engine's side ----------------------------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """True while another transaction may be sent."""
        return not self._early and self._transport is not None and not self._transport.is_closing() and self._session.state is ClientState.READY

    @property
    def capabilities(self) -> client.Capabilities:
        """What the server offered."""
        return self._session.capabilities

    @property
    def transcript(self) -> str:
        """The dialogue since the last mail, content left out."""
        return self._session.transcript

    async def send(self, transaction: client.Transaction, may_end: Callable[[], bool] = lambda: True) -> client.RecipientResult:
        """Send one mail to its one recipient; the reply that decided. Raises Fault.

        `may_end` is asked before the final dot leaves: it notes that the mail may arrive from now on, or says no, and the connection is cut.
        """
        if self.sent:
            self._session.forget_transcript()
        self.sent += 1
        self._was_heard = False
        self._may_end = may_end
        self._session.send(transaction)
        event = await self._wait()
        if isinstance(event, client.Done):
            return event.results[0]
        if isinstance(event, client.Refused):
            raise self._refusal(event)
        raise Fault("protocol", self._stage, f"unexpected {type(event).__name__}", was_heard=True)

    def quit(self) -> None:
        """Say goodbye and close; waits for nothing. In the middle of a mail the connection is cut: what is still to be sent must not arrive."""
        if not self.is_usable:
            self.abort()
            return
        self._session.quit()
        self._flush()
        self._close()

    def abort(self) -> None:
        """Cut the connection now."""
        if self._transport is not None:
            self._transport.abort()

    # -- opening --------------------------------------------------------------------------------------------------------

    async def greet(self, security: Security) -> None:
        """Greeting, EHLO, and TLS as it is needed. Raises Fault."""
        assert self._transport is not None
        name = self._transport.get_extra_info("sockname")
        self.source = name[0] if name else ""
        await self._ready()
        if security.level == NEVER:
            return
        is_required = security.level in (MUST, PROVED)
        if "STARTTLS" not in self.capabilities:
            if is_required:
                raise Fault("tls", "tls", "the server does not offer STARTTLS and TLS is required")
            return
        self._session.start_tls()
        event = await self._wait()
        if isinstance(event, client.TlsReady):
            await self._handshake(security)
            await self._ready()
        elif isinstance(event, client.Refused):
            raise self._refusal(event)
        elif isinstance(event, client.TlsRefused) and is_required:
            raise Fault("tls", "tls", f"the server refused STARTTLS: {event.reply}", event.reply)

    async def _ready(self) -> None:
        event = await self._wait()
        if isinstance(event, client.Refused):
            raise self._refusal(event)
        if not isinstance(event, client.Ready):
            raise Fault("protocol", self._stage, f"unexpected {type(event).__name__}")

    async def _handshake(self, security: Security) -> None:
        assert self._transport is not None
        is_pkix = security.level == PROVED and not security.tlsa
        if is_pkix:
            context = self._policy.strict_context or ssl.create_default_context()
        else:
            context = self._policy.context or opportunistic_context()
        name = self.link.host if any(c.isalpha() for c in self.link.host) and ":" not in self.link.host else None
        try:
            upgraded = await self._loop.start_tls(
                self._transport, self, context, server_hostname=name or "", ssl_handshake_timeout=min(30.0, self._policy.command_s)
            )
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; TimeoutError too
            raise Fault("tls", "tls", f"TLS handshake failed: {error or type(error).__name__}", is_tls_broken=True) from None
        if upgraded is None:  # the peer was gone during the handshake
            raise Fault("tls", "tls", "TLS handshake failed: the server closed the connection", is_tls_broken=True)
        self._transport = upgraded
        ssl_object = upgraded.get_extra_info("ssl_object")
        cipher = ssl_object.cipher()
        self.trust = PKIX if is_pkix else ENCRYPTED
        if security.tlsa:
            fault = fault_of(security.tlsa, _chain_of(ssl_object), security.names, security.now)
            if fault:
                raise Fault("tls", "tls", f"DANE: {fault}", is_tls_broken=True)
            self.trust = DANE
        proof = {PKIX: ", valid certificate", DANE: ", DANE"}.get(self.trust, "")
        self.tls = f"{ssl_object.version()} {cipher[0] if cipher else ''}".strip() + proof
        self._session.tls_started()

    # -- waiting --------------------------------------------------------------------------------------------------------

    async def _wait(self) -> client.Event:
        """The next event; every wait passes here and has a deadline."""
        if self._early:
            return self._early.popleft()
        if self._fault is not None:
            raise self._fault
        self._waiter = self._loop.create_future()
        self._progress_at = self._began_at = self._loop.time()
        self._flush()
        if self._timer is None:
            self._look_in(min(self._patience_s, self._policy.command_s))
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def _look_in(self, left_s: float) -> None:
        self._look_at_s = self._loop.time() + left_s
        self._timer = self._loop.call_later(left_s, self._look_at_watch)

    def _look_at_watch(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return  # idle: the next wait sets it again
        now = self._loop.time()
        unsent = self._transport.get_write_buffer_size() if self._transport is not None else 0
        if unsent < self._unsent and now - self._began_at < LONGEST_S:
            self._progress_at = now
        self._unsent = unsent
        left = self._progress_at + self._patience_s - now
        if left <= 0.001 and now - self._look_at_s > STALL_S:  # this process stood still: the reply may be here, unread
            left = STALL_S
        if left > 0.001:
            self._look_in(left)
            return
        self._fail(Fault("timeout", self._stage, f"no answer within {self._patience_s:g} s", was_heard=self._was_heard,
                         is_uncertain=self._session.may_have_arrived))  # fmt: skip
        self.abort()

    @property
    def _patience_s(self) -> float:
        configured = self._policy.data_s if self._session.step is Step.BODY else self._policy.command_s
        return min(configured, self._session.deadline_s)

    @property
    def _stage(self) -> str:
        step = self._session.step
        return STAGES.get(step, step.value)

    def _refusal(self, event: client.Refused) -> Fault:
        return Fault("refused", STAGES.get(event.step, event.step.value), str(event.reply), event.reply, was_heard=True)

    def _fail(self, fault: Fault) -> None:
        self._fault = self._fault or fault
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._fault)

    def _flush(self) -> None:
        if self._transport is not None and (pieces := self._session.output()):
            if self._may_end is not None and self._session.is_final_dot_sent:
                may_end, self._may_end = self._may_end, None
                if not may_end():
                    self._fail(Fault("given_up", self._stage, "the mail is not ours to send any more"))
                    self.abort()
                    return
            self._transport.writelines(pieces)
            self._unsent = self._transport.get_write_buffer_size()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._loop.call_later(GOODBYE_S, self.abort)  # a peer that does not read would keep it open


async def open_connection(link: Link, policy: Policy, security: Security | None = None) -> Connection:
    """Connect, be greeted, and begin TLS. Raises Fault; nothing is left open then."""
    loop = asyncio.get_running_loop()
    local = (link.source, 0) if link.source else None
    try:
        async with asyncio.timeout(policy.connect_s):
            _, connection = await loop.create_connection(lambda: Connection(link, policy), link.address, link.port, local_addr=local)
    except TimeoutError:
        raise Fault("timeout", "connect", f"no connection within {policy.connect_s:g} s") from None
    except ConnectionRefusedError:
        raise Fault("refused", "connect", "connection refused") from None
    except OSError as error:
        if link.source and error.errno == errno.EADDRNOTAVAIL:
            raise Fault("no_source", "connect", f"{link.source} is not an address of this machine") from None
        raise Fault("unreachable", "connect", f"cannot connect: {error.strerror or error}") from None
    try:
        await connection.greet(security or Security(policy.tls_level))
    except BaseException:
        with contextlib.suppress(Exception):
            connection.abort()
        raise
    return connection
