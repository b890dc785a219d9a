"""`ClientSession` against scripted servers: what it says when, and what it makes of the answers."""

import pytest

from estafette.mail.smtp import client
from estafette.mail.smtp.client import Closed, Done, Ready, Refused, TlsReady, TlsRefused, Transaction
from estafette.mail.smtp.replies import LocalProtocolError, RemoteProtocolError
from estafette.mail.smtp.states import ClientState, Step

MAIL = Transaction("ann@c.example", ("bob@d.example",), b"Subject: x\r\n\r\n.dot\r\n")
THREE = Transaction("ann@c.example", ("bob@d.example", "cid@d.example", "dan@d.example"), b"hello\r\n")
ENVELOPE = b"MAIL FROM:<ann@c.example>\r\nRCPT TO:<bob@d.example>\r\n"
PIPELINING = b"250-mx.example\r\n250 PIPELINING\r\n"
CHUNKING = b"250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
PLAIN = b"250 mx.example\r\n"


class Talk:
    """A client session and what it has said since one last looked."""

    def __init__(self, ehlo: bytes = PLAIN, **options: bool) -> None:
        self.session = client.ClientSession("c.example", **options)
        self.hears(b"220 mx.example\r\n")
        assert self.said() == b"EHLO c.example\r\n"
        self.events = self.hears(ehlo)

    def hears(self, octets: bytes) -> list[client.Event]:
        self.session.receive(octets)
        return self.session.events()

    def said(self) -> bytes:
        return b"".join(self.session.output())


def outcome(events: list[client.Event]) -> list[tuple[str, Step, int]]:
    """The results of the one Done among the events."""
    (done,) = [event for event in events if isinstance(event, Done)]
    return [(result.recipient.split("@")[0], result.step, result.reply.code) for result in done.results]


# -- opening ----------------------------------------------------------------------------------------------------------------


def test_greeting_and_ehlo_tell_what_the_peer_offers() -> None:
    talk = Talk(b"250-mx.example at your service\r\n250-SIZE 1000\r\n250-8bitmime\r\n250-AUTH=PLAIN LOGIN\r\n250-X-ODD thing\r\n250 HELP\r\n")
    (ready,) = talk.events
    assert isinstance(ready, Ready)
    assert ready.capabilities.keywords == {"SIZE", "8BITMIME", "AUTH", "X-ODD", "HELP"}
    assert ready.capabilities.size_limit == 1000
    assert "SIZE" in ready.capabilities and "STARTTLS" not in ready.capabilities
    assert talk.session.state is ClientState.READY
    assert talk.said() == b""


@pytest.mark.parametrize("size", ["", " 0", " \u00b2", " -5", " 1e3", " " + "9" * 30, " 5.0"])
def test_a_size_that_is_no_number_is_unknown(size: str) -> None:
    talk = Talk(f"250-mx.example\r\n250 SIZE{size}\r\n".encode())
    assert talk.session.capabilities.size_limit == 0
    assert "SIZE" in talk.session.capabilities


def test_ehlo_refused_then_helo() -> None:
    talk = Talk(b"502 5.5.1 what?\r\n")
    assert talk.events == []
    assert talk.said() == b"HELO c.example\r\n"
    (ready,) = talk.hears(b"250-mx.example\r\n250 PIPELINING\r\n")
    assert ready == Ready(client.Capabilities()), "HELO offers nothing, whatever it says"
    talk.session.send(MAIL)
    assert talk.said() == b"MAIL FROM:<ann@c.example>\r\n"


@pytest.mark.parametrize("replies", [[b"554 5.7.1 no\r\n"], [b"421 busy\r\n"], [b"220 hi\r\n", b"421 bye\r\n"], [b"220 hi\r\n", b"450 later\r\n"],
                                     [b"220 hi\r\n", b"500 no\r\n", b"550 no\r\n"]])  # fmt: skip
def test_refused_before_a_transaction(replies: list[bytes]) -> None:
    session = client.ClientSession("c.example")
    for reply in replies:
        session.receive(reply)
    refused, closed = session.events()
    assert isinstance(refused, Refused)
    assert refused.step is (Step.GREETING if len(replies) == 1 else Step.EHLO)
    assert refused.reply.code == int(replies[-1][:3])
    assert isinstance(closed, Closed)
    assert session.state is ClientState.CLOSED


def test_ready_and_421_in_the_same_segment() -> None:
    """The shell that acts on Ready finds a closed session: nothing happens, and the events say why."""
    talk = Talk(PIPELINING + b"421 4.3.2 closing\r\n")
    ready, refused, closed = talk.events
    assert isinstance(ready, Ready) and isinstance(refused, Refused) and isinstance(closed, Closed)
    talk.session.send(MAIL)
    talk.session.start_tls()
    talk.session.quit()
    assert talk.said() == b""


# -- STARTTLS ---------------------------------------------------------------------------------------------------------------


def test_starttls_drops_what_was_known_and_says_ehlo_again() -> None:
    talk = Talk(b"250-mx.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n")
    talk.session.start_tls()
    assert talk.said() == b"STARTTLS\r\n"
    assert talk.session.step is Step.STARTTLS
    assert talk.hears(b"220 go\r\n") == [TlsReady()]
    talk.session.tls_started()
    assert talk.said() == b"EHLO c.example\r\n"
    (ready,) = talk.hears(PLAIN)
    assert ready == Ready(client.Capabilities())
    assert "-: TLS" in talk.session.transcript


@pytest.mark.parametrize("injected", [b"250 PIPELINING\r\n", b"250-evil.example\r\n250-AUTH PLA", b"garbage", b"421 4.3.2 go away\r\n", b"2"])
def test_octets_injected_behind_the_answer_to_starttls_are_dropped(injected: bytes) -> None:
    """RFC 3207 6: an attacker can put them into the clear; they must not be taken for what comes through TLS."""
    talk = Talk(b"250-mx.example\r\n250 STARTTLS\r\n")
    talk.session.start_tls()
    assert talk.hears(b"220 go\r\n" + injected) == [TlsReady()]
    assert talk.hears(injected) == []
    talk.session.tls_started()
    assert talk.said().endswith(b"EHLO c.example\r\n")
    assert talk.hears(PIPELINING) == [Ready(client.Capabilities(frozenset({"PIPELINING"})))]


def test_starttls_refused_goes_on_in_clear() -> None:
    talk = Talk(b"250-mx.example\r\n250 STARTTLS\r\n")
    talk.session.start_tls()
    (event,) = talk.hears(b"454 4.7.0 no certificate\r\n")
    assert isinstance(event, TlsRefused) and event.reply.code == 454
    assert talk.session.state is ClientState.READY


def test_421_to_starttls() -> None:
    talk = Talk(b"250-mx.example\r\n250 STARTTLS\r\n")
    talk.session.start_tls()
    refused, closed = talk.hears(b"421 bye\r\n")
    assert isinstance(refused, Refused) and refused.step is Step.STARTTLS
    assert isinstance(closed, Closed)


# -- one mail ---------------------------------------------------------------------------------------------------------------


def test_lock_step_where_pipelining_is_not_offered() -> None:
    talk = Talk()
    talk.session.send(MAIL)
    for said, heard in ((b"MAIL FROM:<ann@c.example>\r\n", b"250 ok\r\n"), (b"RCPT TO:<bob@d.example>\r\n", b"250 ok\r\n"), (b"DATA\r\n", b"354 go\r\n")):
        assert talk.said() == said
        assert not talk.session.is_final_dot_sent
        assert talk.hears(heard) == []
    assert talk.said() == b"Subject: x\r\n\r\n..dot\r\n.\r\n"
    assert talk.session.is_final_dot_sent
    assert talk.session.step is Step.BODY
    assert outcome(talk.hears(b"250 2.0.0 queued\r\n")) == [("bob", Step.BODY, 250)]
    assert not talk.session.is_final_dot_sent
    assert talk.session.state is ClientState.READY


def test_lock_step_where_we_do_not_want_to_pipeline() -> None:
    talk = Talk(CHUNKING, allow_pipelining=False)
    talk.session.send(MAIL)
    assert talk.said() == b"MAIL FROM:<ann@c.example>\r\n"


def test_pipelined_up_to_data() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    assert talk.said() == ENVELOPE + b"DATA\r\n"
    assert talk.hears(b"250 a\r\n250 b\r\n354 c\r\n") == []
    assert talk.said() == b"Subject: x\r\n\r\n..dot\r\n.\r\n"
    assert outcome(talk.hears(b"250 d\r\n")) == [("bob", Step.BODY, 250)]


def test_one_round_trip_with_chunking() -> None:
    talk = Talk(CHUNKING)
    talk.session.send(MAIL)
    buffers = talk.session.output()
    assert b"".join(buffers) == ENVELOPE + b"BDAT 20 LAST\r\n" + MAIL.content
    assert any(buffer is MAIL.content for buffer in buffers), "handed on by reference"
    assert talk.session.is_final_dot_sent
    assert outcome(talk.hears(b"250 a\r\n250 b\r\n250 c\r\n")) == [("bob", Step.BODY, 250)]


@pytest.mark.parametrize(("transaction", "options"), [
    (THREE, {}),
    (MAIL, {"allow_bdat": False}),
    (Transaction("ann@c.example", ("bob@d.example",), b"x" * (client.BDAT_UP_TO_BYTES + 1)), {}),
])  # fmt: skip
def test_no_chunk_before_the_recipients_are_known(transaction: Transaction, options: dict[str, bool]) -> None:
    """Large content, or content for several, is not sent on the chance that somebody is accepted."""
    talk = Talk(CHUNKING, **options)
    talk.session.send(transaction)
    assert talk.said().endswith(b">\r\nDATA\r\n")


def test_parameters_go_only_where_the_peer_knows_them() -> None:
    mail = Transaction("ann@c.example", ("bøb@d.example",), b"x\r\n", True, True, " NOTIFY=NEVER", " RET=HDRS")
    talk = Talk(b"250-mx.example\r\n250-PIPELINING\r\n250-SIZE 99\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n")
    talk.session.send(mail)
    assert talk.said().decode() == "MAIL FROM:<ann@c.example> SIZE=3 BODY=8BITMIME SMTPUTF8 RET=HDRS\r\nRCPT TO:<bøb@d.example> NOTIFY=NEVER\r\nDATA\r\n"
    talk = Talk(PIPELINING)
    talk.session.send(Transaction("", ("bob@d.example",), b"x\r\n", is_8bit=True))
    assert talk.said() == b"MAIL FROM:<>\r\nRCPT TO:<bob@d.example>\r\nDATA\r\n"


def test_many_mails_on_one_connection() -> None:
    talk = Talk(CHUNKING)
    for number in range(5):
        talk.session.send(MAIL)
        assert talk.said().startswith(b"MAIL")
        assert outcome(talk.hears(b"250 a\r\n250 b\r\n250 mail %d\r\n" % number)) == [("bob", Step.BODY, 250)]
    talk.session.quit()
    assert talk.said() == b"QUIT\r\n"
    assert talk.hears(b"221 bye\r\n") == [Closed()]


# -- refusals ---------------------------------------------------------------------------------------------------------------


def test_mail_refused_pipelined() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    talk.said()
    assert outcome(talk.hears(b"550 5.7.1 not you\r\n503 b\r\n503 c\r\n")) == [("bob", Step.MAIL, 550)]
    assert talk.said() == b"", "there is no transaction to be reset"
    assert talk.session.state is ClientState.READY


def test_mail_refused_lock_step_says_nothing_more() -> None:
    talk = Talk()
    talk.session.send(THREE)
    talk.said()
    assert outcome(talk.hears(b"451 4.3.0 later\r\n")) == [("bob", Step.MAIL, 451), ("cid", Step.MAIL, 451), ("dan", Step.MAIL, 451)]
    assert talk.said() == b""


def test_mail_refused_with_chunk_under_way() -> None:
    talk = Talk(CHUNKING)
    talk.session.send(MAIL)
    talk.said()
    assert outcome(talk.hears(b"550 a\r\n503 b\r\n503 c\r\n")) == [("bob", Step.MAIL, 550)]
    assert talk.said() == b""


def test_some_recipients_refused() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(THREE)
    talk.said()
    assert talk.hears(b"250 a\r\n550 5.1.1 b\r\n250 c\r\n450 d\r\n354 e\r\n") == []
    assert talk.said() == b"hello\r\n.\r\n"
    assert outcome(talk.hears(b"250 f\r\n")) == [("bob", Step.RCPT, 550), ("cid", Step.BODY, 250), ("dan", Step.RCPT, 450)]


def test_all_recipients_refused_and_data_too() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(THREE)
    talk.said()
    assert talk.hears(b"250 a\r\n550 b\r\n551 c\r\n450 d\r\n503 e\r\n") == [], "not over before the reset"
    assert talk.said() == b"RSET\r\n"
    assert outcome(talk.hears(b"250 reset\r\n")) == [("bob", Step.RCPT, 550), ("cid", Step.RCPT, 551), ("dan", Step.RCPT, 450)]
    assert talk.session.state is ClientState.READY


@pytest.mark.parametrize("last", [b"554 5.5.1 no valid recipients\r\n", b"250 an empty mail for nobody\r\n"])
def test_recipient_refused_but_data_granted(last: bytes) -> None:
    """RFC 2920 3.1: the server waits for content all the same. It gets none, and a 250 to it is nobody's delivery."""
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    talk.said()
    assert talk.hears(b"250 a\r\n550 b\r\n354 c\r\n") == []
    assert talk.said() == b".\r\n"
    assert not talk.session.is_final_dot_sent
    assert outcome(talk.hears(last)) == [("bob", Step.RCPT, 550)]
    assert talk.session.state is ClientState.READY
    talk.session.send(MAIL)
    assert talk.said() == ENVELOPE + b"DATA\r\n"


def test_recipient_refused_lock_step_resets() -> None:
    talk = Talk()
    talk.session.send(MAIL)
    talk.hears(b"250 a\r\n")
    talk.said()
    assert talk.hears(b"550 b\r\n") == []
    assert talk.said() == b"RSET\r\n"
    assert talk.session.step is Step.RSET
    assert outcome(talk.hears(b"502 b\r\n")) == [("bob", Step.RCPT, 550)], "whatever is said to RSET"


def test_recipient_refused_with_chunk_under_way() -> None:
    talk = Talk(CHUNKING)
    talk.session.send(MAIL)
    talk.said()
    assert talk.hears(b"250 a\r\n550 b\r\n503 c\r\n") == []
    assert talk.said() == b"RSET\r\n"
    assert outcome(talk.hears(b"250 d\r\n")) == [("bob", Step.RCPT, 550)]


def test_data_refused() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    talk.said()
    talk.hears(b"250 a\r\n250 b\r\n451 4.7.1 greylisted\r\n")
    assert talk.said() == b"RSET\r\n"
    assert outcome(talk.hears(b"250 d\r\n")) == [("bob", Step.DATA, 451)]


def test_content_refused() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    talk.hears(b"250 a\r\n250 b\r\n354 c\r\n")
    talk.said()
    assert outcome(talk.hears(b"554 5.7.1 spam\r\n")) == [("bob", Step.BODY, 554)]
    assert talk.said() == b""


def test_data_answered_with_success_is_no_delivery() -> None:
    """The content was never sent: 250 to DATA must not look like 250 to the mail."""
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    with pytest.raises(RemoteProtocolError, match="DATA"):
        talk.hears(b"250 a\r\n250 b\r\n250 c\r\n")
    assert talk.session.events() == []
    assert talk.session.state is ClientState.CLOSED


# -- 421 at any time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("heard", "step"), [
    (b"421 bye\r\n", Step.MAIL),
    (b"250 a\r\n421 bye\r\n", Step.RCPT),
    (b"250 a\r\n250 b\r\n421 bye\r\n", Step.DATA),
    (b"250 a\r\n250 b\r\n354 c\r\n421 4.3.2 bye\r\n", Step.BODY),
])  # fmt: skip
@pytest.mark.parametrize("piece", [1, 1000])
def test_421_ends_transaction_and_session(heard: bytes, step: Step, piece: int) -> None:
    """RFC 5321 3.8."""
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    events = []
    for at in range(0, len(heard), piece):
        events += talk.hears(heard[at : at + piece])
    assert outcome(events) == [("bob", step, 421)]
    assert events[-1] == Closed() and len(events) == 2
    assert talk.session.state is ClientState.CLOSED
    assert talk.hears(b"250 what?\r\n") == []


def test_421_in_the_middle_keeps_what_was_decided() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(THREE)
    events = talk.hears(b"250 a\r\n550 5.1.1 b\r\n421 bye\r\n")
    assert outcome(events) == [("bob", Step.RCPT, 550), ("cid", Step.RCPT, 421), ("dan", Step.RCPT, 421)]
    assert events[-1] == Closed()


def test_421_with_a_chunk_under_way() -> None:
    talk = Talk(CHUNKING)
    talk.session.send(MAIL)
    events = talk.hears(b"250 a\r\n250 b\r\n421 c\r\n")
    assert outcome(events) == [("bob", Step.BODY, 421)]
    assert events[-1] == Closed()


def test_421_to_the_reset_after_a_refusal() -> None:
    talk = Talk()
    talk.session.send(MAIL)
    talk.hears(b"250 a\r\n")
    talk.hears(b"550 b\r\n")
    events = talk.hears(b"421 c\r\n")
    assert outcome(events) == [("bob", Step.RCPT, 550)]
    assert events[-1] == Closed()


def test_421_between_transactions() -> None:
    talk = Talk(PIPELINING)
    refused, closed = talk.hears(b"421 4.4.2 idle too long\r\n")
    assert isinstance(refused, Refused) and refused.reply.code == 421
    assert isinstance(closed, Closed)


def test_anything_is_a_goodbye_to_quit() -> None:
    for heard in (b"221 bye\r\n", b"421 bye\r\n", b"500 what?\r\n"):
        talk = Talk()
        talk.session.quit()
        assert talk.hears(heard) == [Closed()]


# -- what is not SMTP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heard", [b"250 hi again\r\n", b"HTTP/1.1 400\r\n", b"\r\n", b"250 " + b"x" * 5000, b"250 " + b"x" * 5000 + b"\r\n", b"999 x\r\n"])
def test_a_reply_nobody_asked_for_or_none_at_all(heard: bytes) -> None:
    talk = Talk(PIPELINING)
    with pytest.raises(RemoteProtocolError):
        talk.hears(heard)
    assert talk.session.state is ClientState.CLOSED
    assert talk.hears(b"250 x\r\n") == [], "deaf from here on"


def test_an_endless_reply_is_given_up() -> None:
    """In lines and in octets; what is held while it arrives is bounded."""
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    with pytest.raises(RemoteProtocolError, match="too many lines"):
        for _ in range(100_000):
            talk.hears(b"250-again\r\n")
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    received = 0
    with pytest.raises(RemoteProtocolError, match="without end"):
        for _ in range(100_000):
            talk.hears(b"2" if not received else b"50" if received == 1 else b" x" * 50)
            received += 1
    assert received < 60


def test_codes_that_differ_inside_one_reply() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    with pytest.raises(RemoteProtocolError, match="changes"):
        talk.hears(b"250-a\r\n251 b\r\n")


def test_multi_line_replies_are_one() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    talk.said()
    assert talk.hears(b"250-2.1.0 a\r\n250 2.1.0 b\r\n250 ok\r\n") == []
    talk.hears(b"554-5.7.1 Your mail\r\n554-5.7.1\twas refused,\r\n554-5.7.10 see\r\n554 5.7.1 https://d.example/\r\n")
    (done,) = talk.hears(b"250 reset\r\n")
    assert isinstance(done, Done)
    reply = done.results[0].reply
    assert (reply.code, reply.enhanced) == (554, "5.7.1")
    assert reply.text == "Your mail was refused, 5.7.10 see https://d.example/"


def test_the_outcome_stands_when_garbage_follows_it() -> None:
    """The mail was taken; that the same segment ends in nonsense must not make us send it again."""
    for garbage in (b"!!\r\n", b"250 nobody asked\r\n", b"421 now we close\r\n"):
        talk = Talk(CHUNKING)
        talk.session.send(MAIL)
        events = talk.hears(b"250 a\r\n250 b\r\n250 2.0.0 taken\r\n" + garbage)
        assert outcome(events) == [("bob", Step.BODY, 250)]
        assert events[-1] == Closed()
        assert talk.session.state is ClientState.CLOSED


def test_after_the_final_dot_it_is_not_known_whether_the_mail_was_taken() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    talk.hears(b"250 a\r\n250 b\r\n354 c\r\n")
    with pytest.raises(RemoteProtocolError):
        talk.hears(b"???\r\n")
    assert talk.session.is_final_dot_sent


# -- our own mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [
    Transaction("ann@c.example", (), b"x\r\n"),
    Transaction("ann@c.example>\r\nRSET", ("bob@d.example",), b"x\r\n"),
    Transaction("ann@c.example", ("bob@d.example", "cid@d.example>\nRSET"), b"x\r\n"),
    Transaction("ann@c.example", ("bob\x00@d.example",), b"x\r\n"),
    Transaction("ann@c.example", ("bob@d.example",), b"x\r\n", rcpt_parameters=" NOTIFY=NEVER\r\nRSET"),
    Transaction("ann@c.example", ("bob@d.example",), b"x\r\n", mail_parameters="\r"),
    Transaction("ann@c.example", ("bob@d.example",), b"x\n.\nMAIL FROM:<eve@c.example>\r\n"),
    Transaction("ann@c.example", ("bob@d.example",), b"x\r\n.\r"),
])  # fmt: skip
def test_nothing_goes_out_that_could_be_read_as_two(wrong: Transaction) -> None:
    """No command and no mail is smuggled through us, whatever the callers overlooked; and the session is still good."""
    for ehlo in (CHUNKING, PIPELINING, PLAIN):
        talk = Talk(ehlo)
        with pytest.raises(LocalProtocolError):
            talk.session.send(wrong)
        assert talk.said() == b""
        talk.session.send(MAIL)
        assert talk.said().startswith(b"MAIL FROM:<ann@c.example>\r\n")


# -- transcript, deadlines --------------------------------------------------------------------------------------------------


def test_the_transcript_is_the_dialogue_without_the_content() -> None:
    talk = Talk(b"250-mx.example\r\n250 PIPELINING\r\n")
    talk.session.send(Transaction("ann@c.example", ("bob@d.example",), b"secret\r\n"))
    talk.hears(b"250 2.1.0 sender ok\r\n250-2.1.5 rcpt\r\n250 2.1.5 ok\r\n354 go\r\n")
    talk.hears(b"250 2.0.0 taken\r\n")
    assert talk.session.transcript.splitlines() == [
        "S: 220 mx.example",
        "C: EHLO c.example",
        "S: 250 mx.example PIPELINING",
        "C: MAIL FROM:<ann@c.example>",
        "C: RCPT TO:<bob@d.example>",
        "C: DATA",
        "S: 250 2.1.0 sender ok",
        "S: 250 2.1.5 rcpt ok",
        "S: 354 go",
        "C: (8 octets)",
        "S: 250 2.0.0 taken",
    ]
    talk.session.forget_transcript()
    assert talk.session.transcript == ""


def test_the_transcript_is_bounded() -> None:
    talk = Talk(PIPELINING)
    talk.session.send(Transaction("ann@c.example", tuple(f"{'r' * 60}{i}@{'d' * 60}.example" for i in range(500)), b"x\r\n"))
    talk.hears(b"250 " + b"y" * 3000 + b"\r\n")
    assert len(talk.session.transcript) <= client.TRANSCRIPT_LINES * 410
    assert len(talk.session.transcript.splitlines()) == client.TRANSCRIPT_LINES


def test_deadlines_follow_what_is_waited_for() -> None:
    """RFC 5321 4.5.3.2."""
    session = client.ClientSession("c.example")
    assert (session.step, session.deadline_s) == (Step.GREETING, 300)
    talk = Talk(PIPELINING)
    talk.session.send(MAIL)
    for heard, step, at_least_s in ((b"", Step.MAIL, 300), (b"250 a\r\n", Step.RCPT, 300), (b"250 b\r\n", Step.DATA, 120), (b"354 c\r\n", Step.BODY, 600)):
        talk.hears(heard)
        assert talk.session.step is step
        assert talk.session.deadline_s >= at_least_s
