"""`ClientSession`: one SMTP connection seen from the client, for many transactions, sans-IO.

    session = ClientSession("mta.example.com")
    session.receive(octets); for event in session.events(): ...; transport.writelines(session.output())

Commands are pipelined when the peer offers it (RFC 2920): MAIL, all RCPT and DATA go out together; with CHUNKING the content goes with them
(RFC 3030), one round trip per mail. Only the class of a reply is acted upon, never a list of known codes. The content is handed on by
reference: `output` is a list of buffers.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from estafette.mail.smtp.client_events import (
    Capabilities,
    Closed,
    Done,
    Event,
    Ready,
    RecipientResult,
    Refused,
    TlsReady,
    TlsRefused,
    Transaction,
    capabilities_of,
)
from estafette.mail.smtp.data import dot_stuff, has_bare_newline
from estafette.mail.smtp.replies import LocalProtocolError, RemoteProtocolError, Reply, ReplyReader
from estafette.mail.smtp.states import CLIENT_DEADLINES_S, ClientState, Step

__all__ = [
    "Capabilities",
    "ClientSession",
    "Closed",
    "Done",
    "Event",
    "Ready",
    "RecipientResult",
    "Refused",
    "TlsReady",
    "TlsRefused",
    "Transaction",
]

BDAT_UP_TO_BYTES: Final = 262_144  # larger content is sent only after the recipient was accepted
TRANSCRIPT_LINES: Final = 60
_SHUTTING_DOWN: Final = 421
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(slots=True)
class _Running:
    """A transaction under way."""

    transaction: Transaction
    refused: dict[int, RecipientResult] = field(default_factory=dict)
    mail_refusal: Reply | None = None
    is_bdat: bool = False
    ending: tuple[Step, Reply] | None = None  # decided, RSET under way


class ClientSession:
    """See the module. One instance per connection."""

    def __init__(self, hostname: str, *, allow_pipelining: bool = True, allow_bdat: bool = True) -> None:
        self._hostname = hostname
        self._allow_pipelining = allow_pipelining
        self._allow_bdat = allow_bdat
        self._reader = ReplyReader()
        self._output: list[bytes] = []
        self._events: deque[Event] = deque()
        self._owed: deque[tuple[Step, int]] = deque([(Step.GREETING, 0)])
        self._unsent: deque[tuple[Step, int, bytes]] = deque()  # commands held back without PIPELINING
        self._running: _Running | None = None
        self._transcript: list[str] = []
        self.state = ClientState.GREETING
        self.capabilities = Capabilities()
        self.is_final_dot_sent = False  # from here to the reply, whether the peer took the mail is not known

    # -- the shell's verbs ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Octets from the peer.

        Raises RemoteProtocolError, and the session is over then. What was decided before the offence stands: while there are events that the
        shell has not seen, nothing is raised and the last of them is Closed.
        """
        if self.state in (ClientState.TLS, ClientState.CLOSED):
            return
        self._reader.feed(data)
        try:
            for answer in self._reader.replies():
                self._note("S", str(answer))
                self._reply(answer)
                if self.state in (ClientState.TLS, ClientState.CLOSED):
                    break  # octets behind the answer to STARTTLS are an injection
        except RemoteProtocolError as error:
            self._note("-", str(error))
            if not self._events:
                self.state = ClientState.CLOSED
                raise
            self._close()

    def events(self) -> list[Event]:
        """What happened since the last call."""
        found = list(self._events)
        self._events.clear()
        return found

    def output(self) -> list[bytes]:
        """Buffers for the peer since the last call, for `writelines`."""
        made, self._output = self._output, []
        return made

    def start_tls(self) -> None:
        """Ask for TLS; answered by TlsReady or TlsRefused. On a session that is over nothing happens: its events say why."""
        if self.state is ClientState.CLOSED:
            return
        assert self.state is ClientState.READY, self.state
        self.state = ClientState.STARTTLS
        self._send(Step.STARTTLS, 0, b"STARTTLS\r\n")

    def tls_started(self) -> None:
        """The handshake succeeded: all knowledge is dropped and EHLO said again (RFC 3207 4.2)."""
        self._reader = ReplyReader()
        self._note("-", "TLS")
        self._ehlo()

    def send(self, transaction: Transaction) -> None:
        """Begin a transaction; answered by Done (or Closed). On a session that is over nothing happens: its events say why.

        Raises LocalProtocolError, before anything was sent, for what could be read as more than one mail or command.
        """
        _check(transaction)
        if self.state is ClientState.CLOSED:
            return
        assert self.state is ClientState.READY, self.state
        self.state = ClientState.IN_TRANSACTION
        self.is_final_dot_sent = False
        running = self._running = _Running(transaction)
        is_piped = self._allow_pipelining and "PIPELINING" in self.capabilities
        running.is_bdat = (
            is_piped and self._allow_bdat and "CHUNKING" in self.capabilities and len(transaction.content) <= BDAT_UP_TO_BYTES
            and len(transaction.recipients) == 1
        )  # fmt: skip
        commands = [(Step.MAIL, 0, self._mail_command(transaction))]
        for i, recipient in enumerate(transaction.recipients):
            commands.append((Step.RCPT, i, f"RCPT TO:<{recipient}>{transaction.rcpt_parameters}\r\n".encode()))
        if not running.is_bdat:
            commands.append((Step.DATA, 0, b"DATA\r\n"))
        self._unsent.extend(commands)
        if is_piped:
            while self._unsent:
                self._send(*self._unsent.popleft())
            if running.is_bdat:
                self._send_chunk(transaction.content)
        else:
            self._send(*self._unsent.popleft())

    def quit(self) -> None:
        """Say goodbye; the shell need not wait for the answer."""
        if self.state is ClientState.READY:
            self.state = ClientState.QUIT
            self._send(Step.QUIT, 0, b"QUIT\r\n")

    @property
    def may_have_arrived(self) -> bool:
        """Whether the peer may hold the running mail: its end was sent, nothing was refused, and no answer has come."""
        return self.is_final_dot_sent and self._running is not None and not self._running.refused

    @property
    def step(self) -> Step:
        """What is waited for now; names the stage of a timeout."""
        return self._owed[0][0] if self._owed else Step.QUIT

    @property
    def deadline_s(self) -> float:
        """How long RFC 5321 asks to wait for it."""
        return CLIENT_DEADLINES_S[self.step]

    @property
    def transcript(self) -> str:
        """The dialogue so far, one line per command or reply, content left out."""
        return "\n".join(self._transcript)

    def forget_transcript(self) -> None:
        """Begin a new one, for the next transaction on this connection."""
        self._transcript = []

    # -- replies --------------------------------------------------------------------------------------------------------

    def _reply(self, answer: Reply) -> None:
        if self.state is ClientState.QUIT:
            self._close()  # whatever it says
            return
        if answer.code == _SHUTTING_DOWN and not (self._owed and self._owed[0][0] is Step.BODY):
            self._end_all(answer)
            return
        if not self._owed:
            raise RemoteProtocolError(f"a reply that nobody asked for: {answer}")
        step, index = self._owed.popleft()
        if self.state is ClientState.IN_TRANSACTION:
            self._transaction_reply(step, index, answer)
        elif self.state is ClientState.GREETING:
            if self._expect_2xx(step, answer):
                self._ehlo()
        elif self.state is ClientState.EHLO and answer.code >= 500:
            self.state = ClientState.HELO
            self._send(Step.EHLO, 0, f"HELO {self._hostname}\r\n".encode())
        elif self.state in (ClientState.EHLO, ClientState.HELO):
            if self._expect_2xx(step, answer):
                self.capabilities = capabilities_of(answer) if self.state is ClientState.EHLO else Capabilities()
                self.state = ClientState.READY
                self._events.append(Ready(self.capabilities))
        elif self.state is ClientState.STARTTLS:
            self.state = ClientState.TLS if answer.code == 220 else ClientState.READY
            self._events.append(TlsReady() if answer.code == 220 else TlsRefused(answer))

    def _expect_2xx(self, step: Step, answer: Reply) -> bool:
        if 200 <= answer.code < 300:
            return True
        self._events.append(Refused(step, answer))
        self._close()
        return False

    def _ehlo(self) -> None:
        self.state = ClientState.EHLO
        self._send(Step.EHLO, 0, f"EHLO {self._hostname}\r\n".encode())

    def _transaction_reply(self, step: Step, index: int, answer: Reply) -> None:
        running = self._running
        assert running is not None
        recipients = running.transaction.recipients
        if step is Step.MAIL and answer.code >= 300:
            running.mail_refusal = answer
            running.refused = {i: RecipientResult(r, Step.MAIL, answer) for i, r in enumerate(recipients)}
        elif step is Step.RCPT and answer.code >= 300 and index not in running.refused:
            running.refused[index] = RecipientResult(recipients[index], Step.RCPT, answer)
        elif step is Step.DATA:
            self._data_reply(running, answer)
            return
        elif step is Step.BODY:
            is_consumed = answer.code < 300 or not running.is_bdat
            self._end(running, Step.BODY, answer, needs_reset=not is_consumed and running.mail_refusal is None)
            return
        elif step is Step.RSET and running.ending is not None:
            self._done(running, *running.ending)
            return
        self._next_unsent(running)

    def _next_unsent(self, running: _Running) -> None:
        """Lock-step: the next command, unless nothing is left to hope for."""
        if not self._unsent:
            return
        if running.mail_refusal is not None:
            self._done(running, Step.MAIL, running.mail_refusal)
        elif len(running.refused) == len(running.transaction.recipients) and self._unsent[0][0] is Step.DATA:
            last = running.refused[len(running.refused) - 1]
            self._end(running, last.step, last.reply, needs_reset=True)
        else:
            self._send(*self._unsent.popleft())

    def _data_reply(self, running: _Running, answer: Reply) -> None:
        is_all_refused = len(running.refused) == len(running.transaction.recipients)
        if 300 <= answer.code < 400:
            if is_all_refused:  # RFC 2920 3.1: the peer waits for content all the same; end it at once
                self._send(Step.BODY, 0, b".\r\n")
            else:
                self._note("C", f"({len(running.transaction.content)} octets)")
                self.is_final_dot_sent = True
                self._output.append(dot_stuff(running.transaction.content))
                self._owed.append((Step.BODY, 0))
        elif answer.code < 300:  # would look like a delivery, of content that was never sent
            raise RemoteProtocolError(f"DATA answered with success: {answer}")
        else:
            self._end(running, Step.DATA, answer, needs_reset=running.mail_refusal is None)

    def _end(self, running: _Running, step: Step, answer: Reply, *, needs_reset: bool) -> None:
        """The outcome is known. Where the peer may still hold an open transaction it is reset first, so that the next MAIL is in order."""
        self._unsent.clear()
        if needs_reset and answer.code != _SHUTTING_DOWN:
            running.ending = (step, answer)
            self.is_final_dot_sent = False
            self._send(Step.RSET, 0, b"RSET\r\n")
        else:
            self._done(running, step, answer)

    def _done(self, running: _Running, step: Step, answer: Reply) -> None:
        results = tuple(
            running.refused.get(i) or RecipientResult(recipient, step, answer) for i, recipient in enumerate(running.transaction.recipients)
        )
        self._running = None
        self._unsent.clear()
        self.is_final_dot_sent = False
        self.state = ClientState.READY
        self._events.append(Done(results))
        if answer.code == _SHUTTING_DOWN:
            self._close()

    def _end_all(self, answer: Reply) -> None:
        step = self._owed[0][0] if self._owed else Step.MAIL
        if self._running is not None:
            self._owed.clear()
            self._done(self._running, *(self._running.ending or (step, answer)))
            if self.state is not ClientState.CLOSED:
                self._close()
        else:
            self._events.append(Refused(step, answer))
            self._close()

    # -- commands -------------------------------------------------------------------------------------------------------

    def _mail_command(self, t: Transaction) -> bytes:
        words = [f"MAIL FROM:<{t.reverse_path}>"]
        if "SIZE" in self.capabilities:
            words.append(f"SIZE={len(t.content)}")
        if t.is_8bit and "8BITMIME" in self.capabilities:
            words.append("BODY=8BITMIME")
        if t.smtputf8:
            words.append("SMTPUTF8")
        return (" ".join(words) + t.mail_parameters + "\r\n").encode()

    def _send_chunk(self, content: bytes) -> None:
        self._send(Step.BODY, 0, b"BDAT %d LAST\r\n" % len(content))
        self.is_final_dot_sent = True
        self._output.append(content)

    def _send(self, step: Step, index: int, command: bytes) -> None:
        self._note("C", command[:-2].decode("utf-8", "replace"))
        self._output.append(command)
        self._owed.append((step, index))

    def _note(self, who: str, line: str) -> None:
        if len(self._transcript) < TRANSCRIPT_LINES:
            self._transcript.append(f"{who}: {line[:400]}")

    def _close(self) -> None:
        self.state = ClientState.CLOSED
        self._events.append(Closed())


def _check(transaction: Transaction) -> None:
    if not transaction.recipients:
        raise LocalProtocolError("a transaction without recipients")
    for text in (transaction.reverse_path, *transaction.recipients, transaction.rcpt_parameters, transaction.mail_parameters):
        if _CONTROL.search(text):  # CR and LF above all: a second command
            raise LocalProtocolError(f"control characters in an envelope: {text!r}")
    if has_bare_newline(transaction.content):  # some servers take LF.LF or LF.CRLF as the end of data: what follows would be their next mail
        raise LocalProtocolError("a line of the content ends with CR or LF alone")
