"""Our client against our server, sans-IO: whatever the mails, the extensions and the cuts on the way, both sides believe the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from estafette.mail.smtp import client
from estafette.mail.smtp.client import ClientSession, Closed, Done, Ready, Transaction
from estafette.mail.smtp.data import normalise_newlines
from estafette.mail.smtp.server import ServerOptions, ServerSession
from estafette.mail.smtp.states import ClientState, Step
from tests.mail_smtp.shell import Accepted, Shell

contents = st.one_of(
    st.lists(st.sampled_from([b"\r\n", b"\r\n.", b".", b"\r\n.\r\n", b"text", b"\xc3\xa9\xff", b"\x00", b"QUIT\r\n", b"y" * 900]), max_size=20).map(b"".join),
    st.binary(max_size=200),
).map(normalise_newlines)
recipients = st.lists(st.sampled_from(["bob@d.example", "cid@d.example", "refused@d.example", "later@d.example", '"q>"@d.example']), min_size=1, max_size=4)
transactions = st.builds(
    Transaction,
    reverse_path=st.sampled_from(["ann@c.example", "", "refused@c.example", "later@c.example"]),
    recipients=recipients.map(tuple),
    content=contents,
    is_8bit=st.booleans(),
    smtputf8=st.booleans(),
)
cuts = st.lists(st.integers(1, 200), max_size=10)


@dataclass
class Wire:
    """Octets between the two, delivered in pieces of these lengths."""

    here: ClientSession
    there: Shell
    lengths: list[int]
    turn: int = 0

    def pieces(self, octets: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(octets):
            length = self.lengths[self.turn % len(self.lengths)] if self.lengths else len(octets)
            self.turn += 1
            yield octets[at : at + length]
            at += length

    def until_quiet(self) -> list[client.Event]:
        """Carry octets until neither has more to say; the client's events."""
        events: list[client.Event] = []
        from_server = self.there.run()
        for _ in range(10_000):
            for piece in self.pieces(from_server):
                self.here.receive(piece)
                events += self.here.events()
            from_client = b"".join(self.here.output())
            if not from_client:
                return events
            from_server = b"".join([self.there.feed(piece) for piece in self.pieces(from_client)])
        raise AssertionError("they never come to an end")


def is_taken(address: str) -> bool:
    return not address.startswith(("refused", "later"))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(transactions, min_size=1, max_size=4), cuts, st.booleans(), st.booleans(), st.sampled_from(["refuse", "fix"]))
def test_both_sides_believe_the_same(mails: list[Transaction], lengths: list[int], pipelines: bool, may_chunk: bool, mode: str) -> None:
    here = ClientSession("c.example", allow_pipelining=pipelines, allow_bdat=may_chunk)
    there = Shell(ServerSession(ServerOptions("mx.example", requires_auth=False, bare_newlines=mode, max_errors=1000)))  # type: ignore[arg-type]
    wire = Wire(here, there, lengths)
    (ready,) = wire.until_quiet()
    assert isinstance(ready, Ready)
    expected = []
    for mail in mails:
        here.forget_transcript()
        here.send(mail)
        (done,) = wire.until_quiet()
        assert isinstance(done, Done)
        assert [result.recipient for result in done.results] == list(mail.recipients)
        taken = tuple(r for r in mail.recipients if is_taken(r)) if is_taken(mail.reverse_path) else ()
        assert tuple(result.recipient for result in done.results if result.reply.code == 250) == taken
        for result in done.results:
            if not is_taken(mail.reverse_path):
                assert result.step is Step.MAIL
            elif not is_taken(result.recipient):
                assert result.step is Step.RCPT and result.reply.enhanced in ("5.1.1", "4.2.0")
            else:
                assert result.step is Step.BODY and result.reply.text == f"Mail {len(expected) + 1}"
        if taken:
            is_chunk = pipelines and may_chunk and len(mail.recipients) == 1
            ends_a_line = is_chunk or not mail.content or mail.content.endswith(b"\r\n")
            expected.append(Accepted(mail.reverse_path, taken, mail.content if ends_a_line else mail.content + b"\r\n"))
        assert len(here.transcript.splitlines()) <= client.TRANSCRIPT_LINES
        assert here.state is ClientState.READY
    assert len(there.mails) == len(expected)
    assert there.mails == expected
    here.quit()
    assert wire.until_quiet() == [Closed()]
    assert there.is_closed


def test_too_large_for_the_server() -> None:
    """Announced with SIZE, so that no content travels."""
    here, there = ClientSession("c.example"), Shell(ServerSession(ServerOptions("mx.example", max_size=10, requires_auth=False)))
    wire = Wire(here, there, [])
    wire.until_quiet()
    assert here.capabilities.size_limit == 10
    here.send(Transaction("ann@c.example", ("bob@d.example",), b"more than ten\r\n"))
    (done,) = wire.until_quiet()
    assert isinstance(done, Done)
    assert [(r.step, r.reply.code) for r in done.results] == [(Step.MAIL, 552)]
    assert there.mails == []
