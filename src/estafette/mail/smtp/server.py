"""`ServerSession`: one SMTP connection seen from the server, sans-IO.

    session = ServerSession(options)                 # session.output() holds the greeting
    session.receive(octets)
    while (event := session.next_event()) is not None:
        ...                                          # most events wait for session.answer(reply)
    transport.write(session.output())

Events that need an answer pause the session until it is given: `Hello` and `Reset` do not, `Chunk` does not (content comes in pieces as it
arrives, so that a large mail can be spooled), all others do. A refusing answer (4xx, 5xx) leaves the state as it was.
"""

from collections import deque
from dataclasses import replace

from estafette.mail.smtp import auth
from estafette.mail.smtp.command_input import CommandInput
from estafette.mail.smtp.grammar import Offered, Refusal, parse_bdat, parse_command, parse_mail, parse_rcpt
from estafette.mail.smtp.intake import Bdat, Intake
from estafette.mail.smtp.replies import Reply, reply
from estafette.mail.smtp.server_events import (
    Chunk,
    Closed,
    Credentials,
    EndOfMail,
    Event,
    Hello,
    MailFrom,
    RcptTo,
    Reset,
    ServerOptions,
    StartTls,
    extensions,
    may_authenticate,
)
from estafette.mail.smtp.states import SERVER, SERVER_DEADLINE_S, SERVER_DEADLINES_S, WHY_NOT, ServerState

__all__ = [
    "Chunk",
    "Closed",
    "Credentials",
    "EndOfMail",
    "Event",
    "Hello",
    "MailFrom",
    "RcptTo",
    "Reset",
    "ServerOptions",
    "ServerSession",
    "StartTls",
]


class ServerSession:
    """See the module. One instance per connection."""

    def __init__(self, options: ServerOptions, *, tls_active: bool = False) -> None:
        self.options = options
        self._offered = Offered(options.max_size, smtputf8=True, dsn=options.offers_dsn, postmaster=options.has_postmaster)
        self.state = ServerState.START
        self.tls_active = tls_active
        self.is_authenticated = False
        self._input = CommandInput()
        self._output: list[bytes] = []
        self._events: deque[Event] = deque()
        self._waiting: tuple[Event, ServerState] | None = None  # the unanswered event and the state it leads to
        self._errors = 0  # since the last mail
        self._asked: auth.Asked | None = None  # in state AUTH: the challenge that the next line answers
        self._bdat: Bdat | None = None  # in state CHUNK
        self._forget_transaction()
        self._say(reply(220, "", f"{options.hostname} ESMTP Estafette"))

    # -- the three verbs ------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Octets from the peer. During the handshake of STARTTLS none of them is ours: what was buffered is thrown away (RFC 3207 4.2)."""
        if self.state not in (ServerState.TLS, ServerState.CLOSED):
            self._input.feed(data)

    def next_event(self) -> Event | None:
        """The next thing to act on; None when input or an answer is needed first."""
        while not self._events and self._waiting is None and self._advance():
            pass
        return self._events.popleft() if self._events else None

    def answer(self, answer: Reply) -> None:
        """Answer the event that waits. A positive one (2xx, 3xx) makes the state change that the command stands for."""
        assert self._waiting is not None, "nothing waits for an answer"
        event, after = self._waiting
        self._waiting = None
        self._say(answer)
        if answer.code < 400:
            self._succeeded(event, after)
        elif isinstance(event, EndOfMail):
            self._forget_transaction()
            self.state = ServerState.READY
        elif answer.code >= 500 and not isinstance(event, RcptTo):  # a recipient unknown to us, or our own trouble, is no mistake of the client
            self._count_error()
        if answer.code == 421:
            self._close()

    def output(self) -> bytes:
        """Octets for the peer since the last call."""
        made, self._output = b"".join(self._output), []
        return made

    # -- what the shell may ask -----------------------------------------------------------------------------------------

    @property
    def deadline_s(self) -> float:
        """How long to wait for the peer's next input in this state."""
        return SERVER_DEADLINES_S.get(self.state, SERVER_DEADLINE_S)

    @property
    def is_waiting(self) -> bool:
        """True while an event is unanswered."""
        return self._waiting is not None

    @property
    def unread_bytes(self) -> int:
        """Input that was not looked at yet. It grows without limit while an event waits: the shell stops reading from the peer in time."""
        return len(self._input)

    @property
    def is_discarding(self) -> bool:
        """True when the mail being received will be refused whatever follows: its content need not be kept."""
        return self._intake.refusal is not None

    def offer_dsn(self, is_offered: bool) -> None:
        """From the next EHLO on. What this session was offered once it may go on using: clients seldom say EHLO again after AUTH."""
        self.options = replace(self.options, offers_dsn=is_offered)
        self._offered = replace(self._offered, dsn=is_offered or self._offered.dsn)

    def tls_started(self) -> None:
        """The handshake succeeded: all knowledge is dropped, EHLO comes first again (RFC 3207 4.2). Nothing happens on a session that was shut down.

        Call it before `receive` of what came through TLS. asyncio may hand on the client's EHLO, sent along with its Finished, before
        `start_tls` returns: the shell keeps such octets until it has called this, or they are lost like those sent in clear.
        """
        if self.state is ServerState.TLS:
            self.tls_active, self.is_authenticated, self.state = True, False, ServerState.START
            self._forget_transaction()

    def shut_down(self, answer: Reply) -> None:
        """End the session from our side (421), between transactions or after a deadline. Nothing is said when it is over already."""
        self._waiting = None
        if self.state is not ServerState.CLOSED:
            self._say(answer)
            self._close()

    # -- input ----------------------------------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Look at one command, or at what there is of content; False when it needs more input."""
        if self.state is ServerState.CHUNK and self._bdat is not None:
            return self._chunk(self._bdat)
        if not self._input or self.state in (ServerState.TLS, ServerState.CLOSED):
            return False
        if self.state is ServerState.DATA:
            self._data()
            return True
        try:
            line = self._input.line(is_auth=self._asked is not None)
            if line is None:
                return False
            if self._asked is not None:
                self._auth_step(auth.respond(self._asked, line))
            else:
                self._command(*parse_command(line))
        except Refusal as refusal:
            if self._asked is not None:
                self._asked, self.state = None, ServerState.READY
            self._refuse(refusal.reply)
        return True

    def _data(self) -> None:
        content, rest = self._intake.data(self._input.take(len(self._input)))
        self._content(content)
        if rest is not None:
            self._input.feed(rest)
            self._end_of_mail()

    def _chunk(self, bdat: Bdat) -> bool:
        if bdat.left and not self._input:
            return False
        piece = self._input.take(bdat.left)
        bdat.left -= len(piece)
        if bdat.refusal is None:
            self._content(self._intake.chunk(piece, is_last=bdat.is_last and not bdat.left))
        if bdat.left:
            return True
        self._bdat = None
        if bdat.refusal is not None:
            self.state = bdat.state_before
            self._refuse(bdat.refusal)
        elif bdat.is_last:
            self._end_of_mail()
        else:
            self.state = ServerState.BDAT
            self._say(reply(250, "2.0.0", f"{bdat.size_bytes} octets received"))
        return True

    def _content(self, content: bytes) -> None:
        if content and not self.is_discarding:
            self._events.append(Chunk(content))

    def _end_of_mail(self) -> None:
        refusal = self._intake.refusal
        if refusal is None:
            self._wait(EndOfMail(self._intake.size_bytes), ServerState.READY)
            return
        self._forget_transaction()
        self.state = ServerState.READY
        self._events.append(Reset())
        self._refuse(refusal)

    # -- commands -------------------------------------------------------------------------------------------------------

    def _command(self, verb: str, argument: bytes) -> None:
        allowed = SERVER.get(verb)
        if allowed is None:
            raise Refusal(reply(500, "5.5.1", f"Unknown command {verb}"))
        if verb == "BDAT":
            self._bdat_command(argument)
            return
        after = allowed.get(self.state)
        if after is None:
            raise Refusal(reply(503, "5.5.1", WHY_NOT.get(verb, "Bad sequence of commands")))
        _COMMANDS[verb](self, argument, after)

    def _hello(self, argument: bytes, after: ServerState, *, is_extended: bool) -> None:
        name = argument.decode("utf-8", "replace").strip()
        if not name or len(name) > 255 or " " in name or not name.isprintable():
            raise Refusal(reply(501, "5.5.4", "Say your host name"))
        self._forget_transaction()
        self.state = after
        self._events.append(Hello(name, is_extended))
        lines = [self.options.hostname, *(extensions(self.options, tls_active=self.tls_active) if is_extended else ())]
        self._say(Reply(250, "", tuple(lines)))

    def _ehlo(self, argument: bytes, after: ServerState) -> None:
        self._hello(argument, after, is_extended=True)

    def _helo(self, argument: bytes, after: ServerState) -> None:
        self._hello(argument, after, is_extended=False)

    def _starttls(self, argument: bytes, after: ServerState) -> None:
        _expect_nothing("STARTTLS", argument)
        if not self.options.offers_starttls or self.tls_active:
            raise Refusal(reply(503 if self.tls_active else 502, "5.5.1", "STARTTLS is not available"))
        self._wait(StartTls(), after)

    def _auth(self, argument: bytes, after: ServerState) -> None:
        if self.is_authenticated:
            raise Refusal(reply(503, "5.5.1", "Already authenticated"))
        if not self.options.offers_auth:
            raise Refusal(reply(502, "5.5.1", "AUTH is not available"))
        if not may_authenticate(self.options, tls_active=self.tls_active):
            raise Refusal(reply(538, "5.7.11", "Encryption is required for authentication: use STARTTLS first"))
        self._auth_step(auth.begin(argument))

    def _auth_step(self, step: auth.Asked | Credentials) -> None:
        if isinstance(step, Credentials):
            self._asked, self.state = None, ServerState.READY
            self._wait(step, ServerState.READY)
        else:
            self._asked, self.state = step, ServerState.AUTH
            self._say(Reply(334, "", (step.challenge,)))

    def _mail(self, argument: bytes, after: ServerState) -> None:
        if self.options.requires_auth and not self.is_authenticated:
            raise Refusal(reply(530, "5.7.0", "Authentication required"))
        path, parameters = parse_mail(argument, self._offered)
        self._smtputf8 = parameters.smtputf8
        self._wait(MailFrom(path, parameters), after)

    def _rcpt(self, argument: bytes, after: ServerState) -> None:
        recipient, parameters = parse_rcpt(argument, self._offered, smtputf8=self._smtputf8)
        if self._recipients >= self.options.max_recipients:  # no error of the client's: it sends the rest later (RFC 5321 4.5.3.1.10)
            self._say(reply(452, "4.5.3", f"Too many recipients; {self.options.max_recipients} per transaction"))
            return
        self._wait(RcptTo(recipient, parameters), after)

    def _data_command(self, argument: bytes, after: ServerState) -> None:
        _expect_nothing("DATA", argument)
        self.state = after
        self._say(Reply(354, "", ("End data with <CR><LF>.<CR><LF>",)))

    def _bdat_command(self, argument: bytes) -> None:
        """Even a refused BDAT is followed by its octets: they are dropped (RFC 3030 2), never read as commands."""
        try:
            size, is_last = parse_bdat(argument)
        except Refusal as unreadable:  # where the octets end cannot be known
            self._say(unreadable.reply)
            self.shut_down(reply(421, "4.7.0", "Closing: the size of the chunk is not known"))
            return
        refusal = None
        if is_last is None:
            refusal = reply(501, "5.5.4", "Syntax: BDAT size [LAST]")
        elif self.state not in SERVER["BDAT"]:
            refusal = reply(503, "5.5.1", WHY_NOT["BDAT"])
        self._bdat = Bdat(size, size, bool(is_last), refusal, self.state)
        self.state = ServerState.CHUNK

    def _rset(self, argument: bytes, after: ServerState) -> None:
        _expect_nothing("RSET", argument)
        self._forget_transaction()
        self.state = after
        self._events.append(Reset())
        self._say(reply(250, "2.0.0", "Ok"))

    def _noop(self, argument: bytes, after: ServerState) -> None:
        self._say(reply(250, "2.0.0", "Ok"))

    def _help(self, argument: bytes, after: ServerState) -> None:
        self._say(reply(214, "2.0.0", "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY"))

    def _vrfy(self, argument: bytes, after: ServerState) -> None:
        self._say(reply(252, "2.5.2", "Cannot verify; send some mail and see"))

    def _expn(self, argument: bytes, after: ServerState) -> None:
        self._refuse(reply(502, "5.5.1", "EXPN is not available"))

    def _quit(self, argument: bytes, after: ServerState) -> None:
        _expect_nothing("QUIT", argument)
        self._say(reply(221, "2.0.0", "Bye"))
        self._close()

    # -- bookkeeping ----------------------------------------------------------------------------------------------------

    def _succeeded(self, event: Event, after: ServerState) -> None:
        self.state = after
        if isinstance(event, RcptTo):
            self._recipients += 1
        elif isinstance(event, Credentials):
            self.is_authenticated = True
        elif isinstance(event, EndOfMail):
            self._forget_transaction()
            self._errors = 0
        elif isinstance(event, StartTls):
            self._input.clear()  # whatever was sent in clear behind STARTTLS is an injection; `receive` is deaf until `tls_started`

    def _forget_transaction(self) -> None:
        self._recipients = 0
        self._smtputf8 = False
        self._intake = Intake(self.options.max_size, self.options.bare_newlines)
        self._bdat = None

    def _wait(self, event: Event, after: ServerState) -> None:
        self._waiting = (event, after)
        self._events.append(event)

    def _say(self, answer: Reply) -> None:
        self._output.append(answer.encode())

    def _refuse(self, answer: Reply) -> None:
        self._say(answer)
        self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self.options.max_errors:
            self._say(reply(421, "4.7.0", "Too many errors"))
            self._close()

    def _close(self) -> None:
        if self.state is not ServerState.CLOSED:
            self.state = ServerState.CLOSED
            self._input.clear()
            self._events.append(Closed())


def _expect_nothing(verb: str, argument: bytes) -> None:
    """RFC 5321 4.1.1: a parameter where none is allowed is bad syntax."""
    if argument:
        raise Refusal(reply(501, "5.5.4", f"{verb} takes no parameter"))


_COMMANDS = {
    "EHLO": ServerSession._ehlo,
    "HELO": ServerSession._helo,
    "STARTTLS": ServerSession._starttls,
    "AUTH": ServerSession._auth,
    "MAIL": ServerSession._mail,
    "RCPT": ServerSession._rcpt,
    "DATA": ServerSession._data_command,
    "RSET": ServerSession._rset,
    "NOOP": ServerSession._noop,
    "HELP": ServerSession._help,
    "VRFY": ServerSession._vrfy,
    "EXPN": ServerSession._expn,
    "QUIT": ServerSession._quit,
}
