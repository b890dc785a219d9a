"""Both SMTP sessions as state tables. Everything that says *when* a command or a reply is in order lives here.

Server side, theory of operation
--------------------------------
A session is in exactly one `ServerState`. A command is looked up in `SERVER`: (verb, state) either names the state that the command leads
to when it succeeds, or is absent, and then the peer gets 503 and nothing changes. Success is decided by the shell (accepting a recipient,
making a mail durable), so the session *waits*: while an event is unanswered no further input is looked at. Pipelined commands are thus
answered in order, and a mail can never be acknowledged before the shell has said so.

What the table makes impossible: a recipient without MAIL, content without a recipient, AUTH or STARTTLS inside a transaction, a second
AUTH, DATA after BDAT in one transaction, anything but EHLO after the handshake (STARTTLS leads to START and drops all knowledge).

Client side, theory of operation
--------------------------------
A client session is in one `ClientState`; in IN_TRANSACTION it holds a queue of the replies it is owed, one per command sent, in order.
A reply that nobody is owed ends the session, except 421, which may come at any time (RFC 5321 3.8).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class ServerState(Enum):
    START = "start"  # connected or TLS just begun: EHLO or HELO first
    READY = "ready"  # greeted, no transaction
    AUTH = "auth"  # inside an AUTH exchange: the next line is base64, not a command
    MAIL = "mail"  # MAIL accepted
    RCPT = "rcpt"  # at least one recipient accepted
    BDAT = "bdat"  # at least one chunk received
    DATA = "data"  # 354 sent: input is content
    CHUNK = "chunk"  # input is chunk content
    TLS = "tls"  # 220 sent, handshake under way: no input is ours
    CLOSED = "closed"


S = ServerState
_IDLE: Final = (S.READY,)
_ANY: Final = (S.START, S.READY, S.MAIL, S.RCPT, S.BDAT)

SERVER: Final[Mapping[str, Mapping[ServerState, ServerState]]] = {
    "EHLO": dict.fromkeys(_ANY, S.READY),
    "HELO": dict.fromkeys(_ANY, S.READY),
    "STARTTLS": {S.READY: S.TLS},
    "AUTH": {S.READY: S.READY},
    "MAIL": {S.READY: S.MAIL},
    "RCPT": {S.MAIL: S.RCPT, S.RCPT: S.RCPT},
    "DATA": {S.RCPT: S.DATA},
    "BDAT": {S.RCPT: S.CHUNK, S.BDAT: S.CHUNK},
    "RSET": {S.START: S.START, S.READY: S.READY, S.MAIL: S.READY, S.RCPT: S.READY, S.BDAT: S.READY},
    "NOOP": {s: s for s in _ANY},
    "HELP": {s: s for s in _ANY},
    "VRFY": {s: s for s in _ANY},
    "EXPN": {s: s for s in _ANY},
    "QUIT": dict.fromkeys(_ANY, S.CLOSED),
}
"""verb → {state in which it is in order: state after success}."""

WHY_NOT: Final[Mapping[str, str]] = {
    "STARTTLS": "STARTTLS is not allowed inside a transaction",
    "AUTH": "AUTH is not allowed here",
    "MAIL": "Send EHLO first, and one MAIL per transaction",
    "RCPT": "Send MAIL first",
    "DATA": "Send RCPT first",
    "BDAT": "Send RCPT first",
}
"""Text of the 503."""

SERVER_DEADLINES_S: Final[Mapping[ServerState, float]] = {S.DATA: 180.0, S.CHUNK: 180.0, S.TLS: 30.0}
SERVER_DEADLINE_S: Final = 300.0
"""How long the shell waits for the next input (RFC 5321 4.5.3.2.7: at least 5 minutes for a command)."""


class ClientState(Enum):
    GREETING = "greeting"
    EHLO = "ehlo"
    HELO = "helo"
    STARTTLS = "starttls"
    TLS = "tls"  # the shell does the handshake
    READY = "ready"
    IN_TRANSACTION = "in_transaction"
    QUIT = "quit"
    CLOSED = "closed"


class Step(Enum):
    """What a reply answers; also the `stage` of an outcome."""

    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    RSET = "rset"
    QUIT = "quit"


CLIENT_DEADLINES_S: Final[Mapping[Step, float]] = {
    Step.GREETING: 300.0,
    Step.EHLO: 300.0,
    Step.STARTTLS: 120.0,
    Step.MAIL: 300.0,
    Step.RCPT: 300.0,
    Step.DATA: 120.0,
    Step.BODY: 600.0,
    Step.RSET: 20.0,
    Step.QUIT: 5.0,
}
"""RFC 5321 4.5.3.2 asks for at least these; the last three are ours."""
