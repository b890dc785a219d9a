"""Replies as peers write them, well and badly."""

import pytest

from estafette.mail.smtp.replies import MAX_LINE_OCTETS, MAX_LINES, RemoteProtocolError, Reply, ReplyReader, reply


def read(octets: bytes) -> list[Reply]:
    reader = ReplyReader()
    reader.feed(octets)
    return list(reader.replies())


@pytest.mark.parametrize(("octets", "expected"), [
    (b"250 Ok\r\n", Reply(250, "", ("Ok",))),
    (b"250\r\n", Reply(250, "", ("",))),
    (b"250 \r\n", Reply(250, "", ("",))),
    (b"250ok\r\n", Reply(250, "", ("ok",))),
    (b"250 Ok\n", Reply(250, "", ("Ok",))),
    (b"550 5.1.1 No such user\r\n", Reply(550, "5.1.1", ("No such user",))),
    (b"550 5.1.1\r\n", Reply(550, "5.1.1", ("",))),
    (b"550 4.1.1 class differs\r\n", Reply(550, "", ("4.1.1 class differs",))),
    (b"550 5.1.1: no\r\n", Reply(550, "", ("5.1.1: no",))),
    (b"550-5.1.1 one\r\n550 5.1.1 two\r\n", Reply(550, "5.1.1", ("one", "two"))),
    (b"550-5.1.1 one\r\n550 5.1.10 two\r\n", Reply(550, "5.1.1", ("one", "5.1.10 two"))),
    (b"250-a\r\n250-\r\n250 b\r\n", Reply(250, "", ("a", "", "b"))),
    (b"550 tab\there\r\n", Reply(550, "", ("tab here",))),
    (b"550 \x1b[2J\x00\r\n", Reply(550, "", ("?[2J?",))),
    ("550 boîte pleine\r\n".encode(), Reply(550, "", ("boîte pleine",))),
    ("550 boîte pleine\r\n".encode("latin-1"), Reply(550, "", ("bo\ufffdte pleine",))),
    (b"250 " + b"x" * (MAX_LINE_OCTETS - 4) + b"\r\n", Reply(250, "", ("x" * (MAX_LINE_OCTETS - 4),))),
    (b"250-a\r\n" * (MAX_LINES - 1) + b"250 a\r\n", Reply(250, "", ("a",) * MAX_LINES)),
])  # fmt: skip
def test_one_reply(octets: bytes, expected: Reply) -> None:
    assert read(octets) == [expected]


@pytest.mark.parametrize("octets", [
    b"\r\n", b"Ok\r\n", b"25 Ok\r\n", b"2500 Ok\r\n", b"150 Ok\r\n", b"650 Ok\r\n", b" 250 Ok\r\n", b"250-a\r\n550 b\r\n", b"250-a\r\nb\r\n",
    b"250 " + b"x" * (MAX_LINE_OCTETS - 3) + b"\r\n", b"250 " + b"x" * MAX_LINE_OCTETS, b"250-a\r\n" * MAX_LINES,
])  # fmt: skip
def test_what_is_no_reply(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read(octets)


def test_what_is_not_complete_is_waited_for() -> None:
    reader = ReplyReader()
    for piece in (b"25", b"0-a\r", b"\n250", b"-b\r\n25"):
        reader.feed(piece)
        assert list(reader.replies()) == []
    reader.feed(b"0 c\r\n221 bye\r\n")
    assert [str(one) for one in reader.replies()] == ["250 a b c", "221 bye"]


def test_what_is_written_can_be_read() -> None:
    for one in (reply(250, "2.0.0", "Ok"), reply(550, "5.7.1", "one", "two"), Reply(220, "", ("mx.example ESMTP",)), Reply(334, "", ("",))):
        assert read(one.encode()) == [one]
