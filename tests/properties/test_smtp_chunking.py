"""SMTP: how octets are cut on their way never matters, content keeps its bytes, no second mail gets in or out, and no input breaks the session."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from estafette.mail.smtp.command_input import MAX_AUTH_OCTETS
from estafette.mail.smtp.data import ChunkDecoder, DataDecoder, dot_stuff, has_bare_newline, normalise_newlines
from estafette.mail.smtp.replies import RemoteProtocolError, ReplyReader
from estafette.mail.smtp.server import ServerOptions, ServerSession
from estafette.mail.smtp.states import ServerState
from tests.mail_smtp.dialogues import FILES, read, split_replies
from tests.mail_smtp.shell import Shell

ALL = [bytes(octets) for length in range(7) for octets in product(b"\r\n.a", repeat=length)]
"""Every string up to six octets of those that matter: 5461."""

LENIENT_END = re.compile(rb"(?:\r\n|\n|\r)\.(?:\r\n|\n|\r)")  # what careless receivers take for the end of data

# -- strategies -------------------------------------------------------------------------------------------------------------

nasty = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\r\n.", b"\r\n.\r\n", b"\n.\n", b"a", b"\x00", b"\xe9", b"x" * 70]), max_size=40).map(b"".join)
cuts = st.lists(st.integers(1, 60), max_size=30)


def pieces(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    """`data` cut into these lengths, over and over; in one piece for an empty list."""
    at, turn = 0, 0
    while at < len(data):
        length = lengths[turn % len(lengths)] if lengths else len(data)
        yield data[at : at + length]
        at, turn = at + length, turn + 1


# -- the end of a mail ------------------------------------------------------------------------------------------------------


def reference(data: bytes) -> tuple[bytes, bytes | None]:
    """The rule itself, octet by octet: (content, what follows the end of data; None when it did not come). RFC 5321 4.1.1.4, 4.5.2."""
    content, line_begins, i = bytearray(), True, 0
    while i < len(data):
        if line_begins and data[i : i + 3] == b".\r\n":
            return bytes(content), data[i + 3 :]
        if line_begins and data[i : i + 1] == b".":
            i += 1
            line_begins = False
            continue
        line_begins = data[i - 1 : i + 1] == b"\r\n" if i else False
        content.append(data[i])
        i += 1
    return bytes(content), None


def decode(cut: Iterator[bytes] | list[bytes], mode: str = "refuse") -> tuple[bytes, bytes | None, bool]:
    decoder, content, rest = DataDecoder(mode), b"", None  # type: ignore[arg-type]
    for piece in cut:
        if rest is not None:
            rest += piece
            continue
        content += decoder.feed(piece)
        rest = decoder.rest
    return content, rest, decoder.has_bare_newlines


def test_the_end_of_data_is_crlf_dot_crlf_and_nothing_else() -> None:
    """All short strings, followed by a true end: whole, octet by octet, and cut in two at every place."""
    for string in ALL:
        data = string + b"\r\n.\r\nQUIT\r\n"
        expected = reference(data)
        assert expected[1] is not None
        content, rest, is_bare = decode([data])
        assert (content, rest) == expected, data
        assert is_bare == has_bare_newline(content), data
        assert decode(list(pieces(data, [1]))) == (content, rest, is_bare), data
        for at in range(1, len(data)):
            assert decode([data[:at], data[at:]]) == (content, rest, is_bare), (data, at)


def test_nothing_ends_a_mail_before_its_end() -> None:
    """What has no CRLF.CRLF (the CRLF of the line before 354 counted) does not end, however a careless reader would see it."""
    seen = 0
    for string in ALL:
        if b"\r\n.\r\n" in b"\r\n" + string:
            continue
        _, rest, _ = decode([string])
        assert rest is None, string
        seen += bool(LENIENT_END.search(b"\n" + string))
    assert seen > 200, "the strings that matter were there"


@pytest.mark.parametrize("string", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r\n\x00.\r\n", b"\r.\r\n", b"\n\r.\r\n", b"\r\r\n.\r\r\n"])
def test_smuggling_sequences_are_content_and_refuse_the_mail(string: bytes) -> None:
    content, rest, is_bare = decode([b"hello" + string + b"MAIL FROM:<eve@attacker.example>\r\n.\r\nNOOP\r\n"])
    assert rest == b"NOOP\r\n"
    assert b"MAIL FROM" in content
    assert is_bare or b"\x00" in string


def test_no_second_mail_can_be_smuggled_out() -> None:
    """Whatever was received, in either mode: as we send it on, even a careless receiver finds one end of data, the last."""
    taken = 0
    for string in ALL:
        for mode in ("refuse", "fix"):
            content, _, is_bare = decode([string + b"\r\n.\r\n"], mode)
            if mode == "refuse" and is_bare:
                continue
            taken += 1
            assert not has_bare_newline(content)
            on_the_wire = dot_stuff(content)
            assert [found.end() for found in LENIENT_END.finditer(b"\r\n" + on_the_wire)] == [len(on_the_wire) + 2], string
    assert taken > len(ALL)


@given(nasty.map(normalise_newlines), cuts)
@example(b"", [])
@example(b".", [1])
@example(b".\r\n", [1])
@example(b"\r\n.\r\n..\r\n", [3])
def test_content_arrives_byte_identical(content: bytes, lengths: list[int]) -> None:
    """dot_stuff, any cut, DataDecoder. Only a missing last CRLF is added, since DATA cannot say a line without one."""
    received, rest, is_bare = decode(pieces(dot_stuff(content) + b"NOOP\r\n", lengths))
    assert received == (content if content.endswith(b"\r\n") or not content else content + b"\r\n")
    assert rest == b"NOOP\r\n"
    assert not is_bare


@given(st.binary(max_size=300) | nasty, cuts)
def test_any_octets_are_normalised_the_same_way_in_any_pieces(data: bytes, lengths: list[int]) -> None:
    """Mode "fix" of both decoders is `normalise_newlines` of the whole; mode "refuse" changes nothing and knows what is bare."""
    for mode in ("refuse", "fix"):
        decoder = ChunkDecoder(mode)  # type: ignore[arg-type]
        content = b"".join([*(decoder.feed(piece) for piece in pieces(data, lengths)), decoder.finish()])
        assert content == (normalise_newlines(data) if mode == "fix" else data)
        assert decoder.has_bare_newlines == has_bare_newline(data)
        as_data = decode(pieces(data + b"\r\n.\r\n", lengths), mode)
        unstuffed, _ = reference(data + b"\r\n.\r\n")
        assert as_data[0] == (normalise_newlines(unstuffed) if mode == "fix" else unstuffed)
        assert as_data[2] == has_bare_newline(unstuffed)


# -- replies ----------------------------------------------------------------------------------------------------------------

reply_line = st.one_of(
    st.sampled_from([b"250 ok\r\n", b"250-one\r\n", b"250 2.1.0 two\n", b"354\r\n", b"421 4.3.2 bye\r\n", b"250-2.0.0 a\r\n"]),
    st.sampled_from([b"2500 x\r\n", b"hello\r\n", b"\r\n"]),
    st.tuples(st.sampled_from([b"250", b"550", b"999", b"25"]), st.sampled_from([b" ", b"-", b"", b"\t"]), st.binary(max_size=30)).map(
        lambda parts: b"".join(parts) + b"\r\n"
    ),
    st.just(b"250 " + b"x" * 4092 + b"\n"),
    st.just(b"250 " + b"x" * 4093 + b"\n"),
)


@given(st.lists(reply_line, max_size=12).map(b"".join), cuts)
@example(b"250 ok\r\nnot a reply\r\n", [])
@example(b"250 " + b"x" * 4093 + b"\n", [100])
def test_replies_are_the_same_in_any_pieces(data: bytes, lengths: list[int]) -> None:
    """The same replies, and then the same end: all was well, or it was not SMTP."""

    def collected(cut: Iterator[bytes]) -> list[object]:
        reader, found = ReplyReader(), list[object]()
        try:
            for piece in cut:
                reader.feed(piece)
                for reply in reader.replies():
                    found.append(reply)  # what came before an error counts
        except RemoteProtocolError:
            found.append("error")
        return found

    whole = collected(iter([data]))
    assert collected(pieces(data, lengths)) == whole
    assert collected(pieces(data, [1])) == whole

# -- a whole session --------------------------------------------------------------------------------------------------------

command = st.sampled_from(
    [
        b"EHLO c.example\r\n", b"HELO c.example\r\n", b"MAIL FROM:<a@c.example>\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<b@d.example>\r\n",
        b"RCPT TO:<refused@d.example>\r\n", b"DATA\r\n", b".\r\n", b"RSET\r\n", b"NOOP\r\n", b"STARTTLS\r\n", b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n",
        b"AUTH LOGIN\r\n", b"dXNlcg==\r\n", b"*\r\n", b"BDAT 3\r\n", b"BDAT 7 LAST\r\n", b"BDAT 0 LAST\r\n", b"BDAT 0\r\n", b"BDAT x\r\n", b"QUIT\r\n",
        b"NOOP\n", b"\r\n", b"\r", b"\n", b"text\r\n", b"..text\r\n", b"NOOP " + b"x" * 2100 + b"\r\n", b"AUTH PLAIN " + b"A" * 12_300 + b"\r\n",
    ]
)  # fmt: skip
transaction = st.tuples(
    st.just(b"EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@d.example>\r\n"),
    st.one_of(
        nasty.map(lambda content: b"DATA\r\n" + content + b"\r\n.\r\n"),
        nasty.map(lambda content: b"BDAT %d LAST\r\n" % len(content) + content),
        st.tuples(nasty, nasty).map(lambda two: b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (len(two[0]), two[0], len(two[1]), two[1])),
    ),
).map(b"".join)
client_input = st.lists(st.one_of(command, command, transaction, nasty), max_size=25).map(b"".join)
session_options = st.builds(
    ServerOptions,
    hostname=st.just("mx.example"),
    max_size=st.sampled_from([30, 1000]),
    max_recipients=st.sampled_from([1, 100]),
    offers_starttls=st.booleans(),
    plain_auth=st.booleans(),
    requires_auth=st.just(False),
    bare_newlines=st.sampled_from(["refuse", "fix"]),
    max_errors=st.sampled_from([2, 20]),
)


def serve(options: ServerOptions, cut: Iterator[bytes]) -> tuple[list[object], bytes, ServerState]:
    shell = Shell(ServerSession(options), takes_tls=False)  # when exactly the handshake begins is the shell's affair, so there is none here
    output = shell.run()
    for piece in cut:
        output += shell.feed(piece)
    return shell.trace, output, shell.session.state


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(session_options, client_input, cuts)
def test_any_cut_of_the_input_gives_the_same_events_and_output(options: ServerOptions, data: bytes, lengths: list[int]) -> None:
    whole = serve(options, iter([data]))
    assert serve(options, pieces(data, lengths)) == whole
    assert serve(options, pieces(data, [1])) == whole


# -- input that nobody would send -------------------------------------------------------------------------------------------


@cache
def corpus() -> list[tuple[ServerOptions, tuple[bytes, ...]]]:
    """What the clients of all dialogues say, in lines."""
    found = []
    for path in FILES:
        dialogue = read(path)
        octets = b"".join(turn.octets for turn in dialogue.turns)
        found.append((dialogue.options, tuple(octets.splitlines(keepends=True))))
    return found


splice = st.sampled_from(
    [b"", b"\r", b"\n", b"\r\n", b".", b"\x00", b" ", b"<", b"\xff", b"BDAT 5 LAST\r\n", b"\r\n.\r\n", b"STARTTLS\r\n", b"*\r\n", b"9" * 30]
)


@st.composite
def mutants(draw: st.DrawFn) -> tuple[ServerOptions, bytes]:
    """Lines of two dialogues, shuffled, doubled, left out, and damaged inside."""
    options, lines = draw(st.sampled_from(corpus()))
    _, others = draw(st.sampled_from(corpus()))
    mixed = list(lines)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(mixed)))
        kind = draw(st.sampled_from("ddiisr"))
        if kind == "d":
            del mixed[at : at + 1]
        elif kind == "i":
            mixed.insert(at, draw(st.sampled_from(others)))
        elif kind == "s":
            mixed[at:at] = mixed[:at][-3:]
        else:
            mixed = mixed[at:] + mixed[:at]
    octets = b"".join(mixed)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(octets)))
        octets = octets[:at] + draw(splice) + octets[at + draw(st.integers(0, 3)) :]
    return options, octets


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutants(), cuts)
def test_no_input_breaks_the_session(mutant: tuple[ServerOptions, bytes], lengths: list[int]) -> None:
    """Nothing raises, replies are well formed and no more than lines came in, memory is bounded, and what is accepted obeys every rule."""
    options, octets = mutant
    shell = Shell(ServerSession(options))
    output = shell.run()
    for piece in pieces(octets, lengths):
        output += shell.feed(piece)
        if shell.wants_tls:
            shell.wants_tls = False
            shell.session.tls_started()
        assert shell.session.unread_bytes <= MAX_AUTH_OCTETS
    replies = split_replies(output)
    assert len(replies) <= octets.count(b"\n") + 2, "the greeting, one to every line, and perhaps 421"
    assert len(output) <= 520 * (octets.count(b"\n") + 2)
    promised = [lines for lines in replies if lines[0].startswith("250 2.0.0 Mail ")]
    assert len(promised) == len(shell.mails)
    for mail in shell.mails:
        assert 1 <= len(mail.recipients) <= options.max_recipients
        assert len(mail.content) <= options.max_size
        assert not has_bare_newline(mail.content)
    if shell.is_closed:
        assert shell.feed(b"NOOP\r\n") == b"", "nothing is said after the end"
