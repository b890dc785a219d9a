"""What `ServerSession` promises its shell; what it says to clients is in tests/dialogues."""

import pytest

from estafette.mail.smtp import server
from estafette.mail.smtp.command_input import MAX_COMMAND_OCTETS
from estafette.mail.smtp.grammar import MailParameters, Offered, RcptParameters, Refusal, parse_mail
from estafette.mail.smtp.replies import Reply, reply
from estafette.mail.smtp.server import Chunk, Closed, Credentials, EndOfMail, Hello, MailFrom, RcptTo, Reset, ServerOptions, ServerSession
from estafette.mail.smtp.states import SERVER, ServerState
from tests.mail_smtp.dialogues import split_replies

OK = reply(250, "2.0.0", "Ok")
CLOSING = reply(421, "4.3.2", "Closing")
ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@d.example>\r\n"


def session(octets: bytes = b"", **options: object) -> ServerSession:
    made = ServerSession(ServerOptions("mx.example", **{"requires_auth": False, **options}))  # type: ignore[arg-type]
    made.receive(octets)
    return made


def events(of: ServerSession) -> list[object]:
    """Everything up to the next wait for input; what needs an answer gets 250."""
    found: list[object] = []
    while (event := of.next_event()) is not None:
        found.append(event)
        if of.is_waiting and not isinstance(event, Chunk):
            of.answer(OK)
    return found


def codes(of: ServerSession) -> list[int]:
    return [int(lines[0][:3]) for lines in split_replies(of.output())]


def test_every_name_that_shells_use_is_here() -> None:
    assert set(server.__all__) >= {"ServerSession", "ServerOptions", "Event", "Credentials", "Chunk", "EndOfMail", "StartTls"}
    for name in server.__all__:
        assert hasattr(server, name)


def test_the_events_of_one_mail() -> None:
    one = session(ENVELOPE + b"DATA\r\nhello\r\n.\r\nQUIT\r\n")
    assert events(one) == [
        Hello("c.example", True), MailFrom("a@c.example", MailParameters()), RcptTo("b@d.example", RcptParameters()),
        Chunk(b"hello\r\n"), EndOfMail(7), Closed(),
    ]  # fmt: skip
    assert codes(one) == [220, 250, 250, 250, 354, 250, 221]


def test_nothing_is_looked_at_while_an_event_waits() -> None:
    """Pipelined commands are answered in order, and a mail is never acknowledged before the shell has said so."""
    one = session(ENVELOPE + b"DATA\r\nhello\r\n.\r\nNOOP\r\nQUIT\r\n")
    while not isinstance(event := one.next_event(), EndOfMail):
        if one.is_waiting and isinstance(event, MailFrom | RcptTo):
            one.answer(OK)
    one.output()
    for _ in range(3):
        assert one.next_event() is None
        one.receive(b"NOOP\r\n")
    assert one.output() == b"", "neither to the mail nor to what is behind it"
    assert one.unread_bytes == len(b"NOOP\r\nQUIT\r\n" + 3 * b"NOOP\r\n"), "the shell sees what piles up, and stops reading"
    one.answer(reply(451, "4.3.0", "Not stored"))
    assert events(one) == [Closed()]
    assert codes(one) == [451, 250, 221]


def test_an_answer_without_a_question_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        session().answer(OK)


def test_a_mail_that_was_not_stored_is_forgotten() -> None:
    one = session(ENVELOPE + b"BDAT 2 LAST\r\nhi")
    while not isinstance(event := one.next_event(), EndOfMail):
        if isinstance(event, MailFrom | RcptTo):
            one.answer(OK)
    one.answer(reply(452, "4.3.1", "No room"))
    assert one.state is ServerState.READY
    one.output()
    one.receive(b"DATA\r\nMAIL FROM:<a@c.example>\r\n")
    assert events(one) == [MailFrom("a@c.example", MailParameters())]
    assert codes(one) == [503, 250]


def test_credentials_never_show_their_password() -> None:
    one = Credentials("ann", "hunter2")
    assert "hunter2" not in repr(one) + str(one) + f"{one}" + repr([one]) + repr({"event": one})
    assert "ann" in repr(one)
    assert Credentials.__doc__


@pytest.mark.parametrize("line", [b"AUTH PLAIN AGFubgBodW50ZXIy", b"AUTH LOGIN YW5u\r\naHVudGVyMg=="])
def test_credentials_come_decoded_and_nothing_echoes_them(line: bytes) -> None:
    one = session(b"EHLO c.example\r\n" + line + b"\r\n", plain_auth=True)
    assert one.next_event() == Hello("c.example", True)
    assert one.next_event() == Credentials("ann", "hunter2")
    assert not one.is_authenticated
    one.answer(reply(535, "5.7.8", "No"))
    assert not one.is_authenticated
    assert b"hunter2" not in one.output()
    one.receive(line + b"\r\n")
    assert one.next_event() == Credentials("ann", "hunter2")
    one.answer(reply(235, "2.7.0", "Yes"))
    assert one.is_authenticated


def test_our_own_trouble_is_no_error_of_the_client() -> None:
    """4xx answers and unknown recipients are not counted; 5xx answers are, and the reply comes before the goodbye."""
    one = session(b"EHLO c.example\r\n" + 5 * b"MAIL FROM:<a@c.example>\r\n", max_errors=2)
    one.next_event()
    for _ in range(5):
        assert isinstance(one.next_event(), MailFrom)
        one.answer(reply(452, "4.3.1", "No room"))
    one.receive(b"MAIL FROM:<a@c.example>\r\n" + 5 * b"RCPT TO:<b@d.example>\r\n")
    assert isinstance(one.next_event(), MailFrom)
    one.answer(OK)
    for _ in range(5):
        assert isinstance(one.next_event(), RcptTo)
        one.answer(reply(550, "5.1.1", "Unknown"))
    one.output()
    one.receive(b"RSET\r\nMAIL FROM:<a@c.example>\r\nMAIL FROM:<a@c.example>\r\nNOOP\r\n")
    assert one.next_event() == Reset()
    for _ in range(2):
        assert isinstance(one.next_event(), MailFrom)
        one.answer(reply(550, "5.7.1", "Not you"))
    assert one.next_event() == Closed()
    assert codes(one) == [250, 550, 550, 421]
    assert one.next_event() is None


def test_an_answer_421_closes() -> None:
    one = session(ENVELOPE)
    one.next_event()
    assert isinstance(one.next_event(), MailFrom)
    one.answer(CLOSING)
    assert one.next_event() == Closed()
    assert codes(one) == [220, 250, 421], "RCPT is not looked at"


def test_shut_down_says_it_once() -> None:
    one = session(b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\n")
    one.next_event()
    assert isinstance(one.next_event(), MailFrom)
    one.shut_down(CLOSING)
    one.shut_down(CLOSING)
    assert not one.is_waiting
    assert [one.next_event(), one.next_event()] == [Closed(), None]
    assert codes(one) == [220, 250, 421]
    one.receive(b"NOOP\r\n")
    assert one.next_event() is None
    assert one.output() == b""
    assert one.unread_bytes == 0


def test_content_that_will_be_refused_is_not_handed_on() -> None:
    for body in (b"x" * 50, b"a\nb"):
        one = session(ENVELOPE + b"DATA\r\n" + body + b"\r\n", max_size=20)
        assert not any(isinstance(event, Chunk) for event in events(one))
        assert one.is_discarding
        one.receive(b"y" * 100_000)
        assert events(one) == []
        assert one.unread_bytes == 0, "nor kept"
        one.receive(b"\r\n.\r\n")
        assert events(one) == [Reset()]
        assert not one.is_discarding
        assert one.state is ServerState.READY


def test_content_comes_as_it_arrives() -> None:
    """A large mail is never held in the session."""
    one = session(ENVELOPE + b"DATA\r\n")
    events(one)
    for _ in range(100):
        one.receive(b"x" * 998 + b"\r\n")
        (chunk,) = events(one)
        assert isinstance(chunk, Chunk)
        assert len(chunk.data) >= 998
        assert one.unread_bytes == 0


def test_a_line_without_end_is_not_held() -> None:
    one = session()
    for _ in range(1000):
        one.receive(b"x" * 1000)
        assert events(one) == []
        assert one.unread_bytes < MAX_COMMAND_OCTETS + 1000
    one.receive(b"\r\n")
    assert events(one) == []
    assert codes(one) == [220, 500]


def test_tls_drops_login_and_transaction() -> None:
    one = session(b"EHLO c.example\r\nAUTH PLAIN AGFubgBodW50ZXIy\r\nSTARTTLS\r\nMAIL FROM:<eve@c.example>\r\n", plain_auth=True, offers_starttls=True)
    assert one.next_event() == Hello("c.example", True)
    assert one.next_event() == Credentials("ann", "hunter2")
    one.answer(reply(235, "2.7.0", "Yes"))
    assert one.next_event() == server.StartTls()
    one.receive(b"NOOP\r\n")  # also in clear, before the answer
    one.answer(reply(220, "2.0.0", "Go"))
    one.receive(b"NOOP\r\n")  # behind the answer, before the handshake is over
    assert one.next_event() is None
    one.tls_started()
    assert (one.is_authenticated, one.tls_active, one.state) == (False, True, ServerState.START)
    one.output()
    one.receive(b"NOOP\r\n")
    assert events(one) == []
    assert codes(one) == [250]


def test_a_session_shut_down_during_the_handshake_stays_closed() -> None:
    one = session(b"EHLO c.example\r\nSTARTTLS\r\n", offers_starttls=True)
    one.next_event()
    assert one.next_event() == server.StartTls()
    one.answer(reply(220, "2.0.0", "Go"))
    one.shut_down(CLOSING)
    one.tls_started()
    assert one.state is ServerState.CLOSED


def test_tls_refused_goes_on_with_what_was_pipelined() -> None:
    one = session(b"EHLO c.example\r\nSTARTTLS\r\nNOOP\r\n", offers_starttls=True)
    one.next_event()
    assert one.next_event() == server.StartTls()
    one.answer(reply(454, "4.7.0", "Not now"))
    assert events(one) == []
    assert codes(one) == [220, 250, 454, 250]


def test_content_has_its_own_deadline() -> None:
    """RFC 5321 4.5.3.2.5 and .7."""
    one = session(ENVELOPE)
    events(one)
    assert one.deadline_s >= 300
    one.receive(b"DATA\r\n")
    events(one)
    assert one.deadline_s >= 180


def test_the_table_knows_every_state() -> None:
    """The states in which input is no command have no row; every verb with a row has a method."""
    for verb, row in SERVER.items():
        assert not {ServerState.AUTH, ServerState.DATA, ServerState.CHUNK, ServerState.TLS, ServerState.CLOSED} & set(row), verb
        assert verb == "BDAT" or verb in server._COMMANDS
    assert set(server._COMMANDS) | {"BDAT"} == set(SERVER)


@pytest.mark.parametrize("path", [
    "<" + "a" * 2000 + ">", "<" + "a." * 1000 + "@x>", "<@" + "a-" * 900 + ":b@c>", "<" + "@a," * 600 + ">", '<"' + "\\a" * 900, "<a@" + "b." * 900 + "!>",
    "<@" + ",@".join(["a" * 20] * 80) + "!a@b>", "<a@" + "-" * 1900 + ">",
])  # fmt: skip
def test_no_address_is_slow_to_refuse(path: str) -> None:
    """The grammar's expressions do not run away; the suite's time limit is the judge of what 200 readings may take."""
    for _ in range(200):
        with pytest.raises(Refusal):
            parse_mail(b"FROM:" + path.encode(), Offered())


def test_replies_are_ascii_lines_of_at_most_512_octets() -> None:
    octets = Reply(550, "5.7.1", ("é" * 600, "a\r\n250 Ok\x00\x1b[2J\u2028b", "")).encode()
    lines = octets.split(b"\r\n")
    assert len(lines) == 4 and lines[-1] == b""
    assert all(len(line) <= 510 for line in lines)
    assert octets.isascii()
    assert lines[1] == b"550-5.7.1 a??250 Ok??[2J?b"
    assert lines[2] == b"550 5.7.1 "
