"""What is written to the log: one line per record whatever a peer sent, and never what came with AUTH."""

import base64
import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette import log, maillog


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(level: str = "info", format: str = "text") -> io.StringIO:
    stream = io.StringIO()
    log.configure(level, format, stream)
    return stream


def test_a_mail_event_is_one_readable_line() -> None:
    out = written()
    maillog.delivered(7, "ann@example.com", "mx.example.com", "192.0.2.1", "TLSv1.3", "250 2.0.0 ok", 1, 120)
    (line,) = out.getvalue().splitlines()
    assert line.endswith('INFO delivered message=7 to=ann@example.com host=mx.example.com source=192.0.2.1 tls=TLSv1.3 attempt=1 ms=120 reply="250 2.0.0 ok"')
    assert line[10] == "T"
    assert line.split(" ")[0].endswith("Z")


def test_json_lines_carry_the_same_fields() -> None:
    out = written(format="json")
    maillog.accepted(7, "shop", "smtp", 2, 1234, "", "news@example.com")
    facts = json.loads(out.getvalue())
    assert facts.pop("at").endswith("Z")
    assert facts == {"level": "info", "event": "accepted", "submission": 7, "account": "shop", "door": "smtp", "messages": 2, "size": 1234,
                     "reverse_path": "<>", "author": "news@example.com"}  # fmt: skip


@given(st.text(st.characters(), max_size=200), st.sampled_from(["text", "json"]))
def test_no_text_makes_a_second_line_or_moves_the_cursor(text: str, format: str) -> None:
    out = written(format=format)
    maillog.refused("s1", "192.0.2.9", text, "rcpt", f"550 {text}\r\nfake: line\x1b[2J")
    logging.getLogger("x").warning("%s", text)
    lines = out.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[2] == ""
    assert all(line.isprintable() for line in lines)


def test_a_traceback_stays_on_its_line() -> None:
    out = written()
    try:
        raise OSError("disk\nfull")
    except OSError as error:
        maillog.fault("settle", "message 7", error)
    (line,) = out.getvalue().splitlines()
    assert 'ERROR fault where=settle item="message 7" error=disk\\nfull exception=' in line
    assert "Traceback" in line


def test_a_huge_value_is_cut() -> None:
    out = written()
    maillog.report_ignored("192.0.2.9", "x" * 100_000)
    assert len(out.getvalue()) < 9000
    assert "(92000 more characters)" in out.getvalue()


def test_fields_can_be_told_apart_again() -> None:
    out = written()
    maillog.refused("s", "p", 'evil" level=root', "mail", "")
    assert 'account="evil\\" level=root"' in out.getvalue()


@pytest.mark.parametrize("line", [
    b"AUTH PLAIN %s\r\n", b"auth plain %s", b"AUTH LOGIN %s\r\n", b"AUTH  PLAIN\t%s\r\n", b" AUTH PLAIN %s extra words\r\n", b"AUTH X %s",
])  # fmt: skip
def test_auth_data_is_hidden_in_protocol_lines(line: bytes) -> None:
    secret = base64.b64encode(b"\0key\0hunter2")
    out = written("debug")
    maillog.protocol_line("s1", "C", line % secret)
    maillog.protocol_line("s1", "C", secret, is_secret=True)
    assert secret.decode() not in out.getvalue()
    assert "(hidden)" in out.getvalue()


def test_other_protocol_lines_are_written_as_they_are() -> None:
    out = written("debug")
    maillog.protocol_line("s1", "C", b"MAIL FROM:<auth plain x@y.test>\r\n")
    assert 'line="MAIL FROM:<auth plain x@y.test>"' in out.getvalue()


def test_the_level_is_obeyed() -> None:
    out = written("warning")
    maillog.delivered(7, "a@b", "h", "s", "", "250", 1, 1)
    maillog.protocol_line("s1", "C", b"NOOP")
    assert out.getvalue() == ""
