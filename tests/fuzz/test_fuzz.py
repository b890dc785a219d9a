"""The short form of `make fuzz`: every target against the kept corpus, against what hypothesis finds, and against hostile repetition (time and memory)."""

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
CPU_S = 10.0
"""Of processor time, for a quarter of a megabyte: what is linear takes a twentieth of it, what is quadratic takes minutes."""
SIZE = 262_144
SMALL = 32_768  # tracemalloc is slow
MEMORY = 400
"""Octets at most for each octet of input."""

SNIPPETS = st.sampled_from([
    b"\r\n", b"\n", b"\r", b"\r\n.\r\n", b".", b"\0", b" ", b"\t", b"EHLO a\r\n", b"MAIL FROM:<a@b.c>\r\n", b"RCPT TO:<d@e.f>\r\n", b"DATA\r\n",
    b"BDAT 3 LAST\r\n", b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", b"STARTTLS\r\n", b"RSET\r\n", b"220 hi\r\n", b"250-x\r\n", b"250 PIPELINING\r\n",
    b"354 go\r\n", b"421 4.3.2 x\r\n", b"Content-Type: multipart/report; boundary=b\r\n", b"Content-Type: message/delivery-status\r\n", b"--b\r\n",
    b"--b--\r\n", b"Final-Recipient: rfc822; a@b.c\r\n", b"Status: 5.1.1\r\n", b"Action: failed\r\n", b"Feedback-Type: abuse\r\n", b"From: ",
    b"<a@b.c>", b'"', b"\\", b"(", b")", b"@", b"[", b"]", b",", b";", b":", b"=?utf-8?b?", b"?=", b"=?iso-8859-1?q?", b"<a href='", b"http://x.y/",
    b"'>", b"<!--", b"-->", b"<![endif]", b"{{", b"}}", b"{% for x in b %}", b"{% endfor %}", b"{% if ", b" %}", b"\xff\xfe", "é€😀".encode(),
    b"a" * 70, b"email=", b"&p1=", b"&shown=", b"&list=", b"&wish=", b"&agree=yes", b"%0d", b"+",
    b" and ", b" or not ", b"int > 2", b"str = \"x\"", b"IsInPreviousDays(datetime, 3)", b"version: STSv1\r\n", b"mode: enforce\r\n", b"mx: *.b.c\r\n",
    b"max_age: 86400\r\n", b"v=STSv1; id=1;", b"v=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=AA==; b=AA==", b"v=DKIM1; k=rsa; p=AA==", b"email;name\n",
])  # fmt: skip
HOSTILE = [
    b"a", b"<", b"a<", b"(", b"((a", b'"', b'"\\', b"\\", b",", b"a@", b"<a@b>,", b"\r\n", b"\n ", b"A: b\r\n", b"A:\r\n ", b"--b\r\n", b"\r\n--b",
    b"=?", b"=?a?b?c?=", b"=?utf-8?q?=", b"<!--", b"<![", b"<a href=", b"<a href='x", b"&#", b"&amp", b"{{", b"{{a", b"{%", b"{{(", b"[[",
    b"http://", b"Status: 5\r\n", b"5.1.1 ", b"Received: x\r\n", b"250-", b"250 \r\n", b"RCPT TO:<a@b.c>\r\n", b"MAIL FROM:<", b".\r\n", b"\0",
    b"\xff", b";a=", b'; a*0="b', b"%00",
]  # fmt: skip
HEADS = {"mime": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "report": b"Content-Type: multipart/report; boundary=b\r\n\r\n", "header": b"X: ",
         "smtp_server": b"\xffEHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n"}  # fmt: skip


def corpus() -> list[tuple[str, Path]]:
    return [(folder.name, file) for folder in sorted(CORPUS.iterdir()) for file in sorted(folder.iterdir())]


@pytest.mark.parametrize(("name", "file"), corpus(), ids=lambda x: x if isinstance(x, str) else x.name)
def test_what_crashed_once(name: str, file: Path) -> None:
    TARGETS[name](file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=80)
@given(st.one_of(st.lists(SNIPPETS, max_size=30).map(b"".join), st.binary(max_size=300)))
def test_nothing_crashes(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("head", [b"", b"head"], ids=["bare", "inside"])
def test_time_and_memory_are_linear(name: str, head: bytes) -> None:
    head = HEADS.get(name, b"") if head else b""
    for unit in HOSTILE:
        data = head + unit * (SIZE // len(unit))
        started_s = time.process_time()
        TARGETS[name](data)
        took_s = time.process_time() - started_s
        assert took_s < CPU_S, f"{name}: {took_s:.1f} s for {SIZE} octets of {unit!r}"


@pytest.mark.parametrize("name", TARGETS)
def test_memory_is_bounded(name: str) -> None:
    for unit in (b"a", b"A: b\r\n", b"--b\r\n\r\n", b"<a href='x'>", b"a@b,", b"{{a}}", b"250-x\r\n"):
        data = HEADS.get(name, b"") + unit * (SMALL // len(unit))
        tracemalloc.start()
        try:
            TARGETS[name](data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < MEMORY * SMALL, f"{name}: {peak} octets for {SMALL} of {unit!r}"
