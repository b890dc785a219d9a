"""A deterministic shell around a `ServerSession`, for tests: what it answers depends on the event alone.

The login user/secret is right and every other wrong; recipients and reverse-paths that begin with "refused" get 550, with "later" 450; every mail is
accepted. STARTTLS is answered 220; who plays the handshake calls `session.tls_started()`.
"""

from dataclasses import dataclass, field

from estafette.mail.smtp import server
from estafette.mail.smtp.replies import Reply, reply


@dataclass(frozen=True)
class Accepted:
    """A mail that was answered 250."""

    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass
class Shell:
    """Drives one session; `run` after every `session.receive`."""

    session: server.ServerSession
    mails: list[Accepted] = field(default_factory=list)
    trace: list[object] = field(default_factory=list)  # events in order; the content of a mail in one piece, and only of accepted ones
    is_closed: bool = False
    wants_tls: bool = False  # 220 was said to STARTTLS
    takes_tls: bool = True
    _reverse_path: str = ""
    _recipients: list[str] = field(default_factory=list)
    _pieces: list[bytes] = field(default_factory=list)

    def run(self) -> bytes:
        """Act on everything there is; what goes to the peer."""
        while (event := self.session.next_event()) is not None:
            assert not self.is_closed, f"{event} after Closed"
            if isinstance(event, server.Chunk):
                assert event.data, "an empty chunk"
                assert self._recipients, "content without a recipient"
                if not self.session.is_discarding:
                    self._pieces.append(event.data)
                continue
            answer = self._answer(event)
            self.trace.append(event)
            assert self.session.is_waiting == (answer is not None), event
            if answer is not None:
                self.session.answer(answer)
        return self.session.output()

    def feed(self, data: bytes) -> bytes:
        """`receive` and `run`."""
        self.session.receive(data)
        return self.run()

    def _answer(self, event: server.Event) -> Reply | None:
        match event:
            case server.Hello() | server.Reset():
                self._forget()
            case server.Closed():
                self.is_closed = True
            case server.StartTls():
                self.wants_tls = self.takes_tls
                return reply(220, "2.0.0", "Go ahead") if self.takes_tls else reply(454, "4.7.0", "TLS is not available")
            case server.Credentials(username, password):
                return reply(235, "2.7.0", "Welcome") if (username, password) == ("user", "secret") else reply(535, "5.7.8", "Wrong")
            case server.MailFrom(path):
                answer = _judged(path, "2.1.0")
                if answer.code == 250:
                    self._forget()
                    self._reverse_path = path
                return answer
            case server.RcptTo(recipient):
                answer = _judged(recipient, "2.1.5")
                if answer.code == 250:
                    self._recipients.append(recipient)
                return answer
            case server.EndOfMail(size_bytes):
                content = b"".join(self._pieces)
                assert len(content) == size_bytes
                self.mails.append(Accepted(self._reverse_path, tuple(self._recipients), content))
                self.trace.append(self.mails[-1])
                self._forget()
                return reply(250, "2.0.0", f"Mail {len(self.mails)}")
        return None

    def _forget(self) -> None:
        self._reverse_path, self._recipients, self._pieces = "", [], []


def _judged(address: str, status: str) -> Reply:
    if address.startswith("refused"):
        return reply(550, "5.1.1", "Refused")
    return reply(450, "4.2.0", "Later") if address.startswith("later") else reply(250, status, "Ok")
