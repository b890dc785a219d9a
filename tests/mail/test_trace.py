"""Trace fields: what we add and what we take off; oracle for dates: the standard library."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from estafette.mail.header import read_header, without
from estafette.mail.trace import MAX_RECEIVED, format_date, has_loop, is_ours_to_strip, received

AT_US = 1_795_456_946_999_999


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
        (AT_US, "Mon, 23 Nov 2026 18:02:26 +0000"),
        (1_709_164_800_000_000, "Thu, 29 Feb 2024 00:00:00 +0000"),
        (951_782_399_999_999, "Mon, 28 Feb 2000 23:59:59 +0000"),
    ],
)
def test_a_date_is_written_as_rfc_5322_wants_it(at_us: int, text: str) -> None:
    assert format_date(at_us) == text
    assert parsedate_to_datetime(text) == datetime.fromtimestamp(at_us // 1_000_000, UTC)


def test_every_month_and_weekday_reads_back() -> None:
    for day in range(800):
        at_s = 1_700_000_000 + day * 86_400
        assert parsedate_to_datetime(format_date(at_s * 1_000_000)).timestamp() == at_s


def test_our_received_field() -> None:
    made = received("client.example", "192.0.2.7", "mx.example.com", "ESMTPSA", 255, AT_US)
    assert made == (
        b"Received: from client.example ([192.0.2.7])\r\n\tby mx.example.com with ESMTPSA id ff;\r\n\tMon, 23 Nov 2026 18:02:26 +0000\r\n"
    )
    assert b"([IPv6:2001:db8::1])" in received("x", "2001:db8::1", "mx", "HTTP", 1, 0), "RFC 5321 4.4: an address literal"


@pytest.mark.parametrize(
    ("hello", "shown"),
    [
        ("", b"unknown"), ("   ", b"unknown"), ("é", b"unknown"), ("[192.0.2.1]", b"[192.0.2.1]"), ("[IPv6:::1]", b"[IPv6:::1]"), ("a_b-c.d", b"a_b-c.d"),
        ("x\r\nBcc: a@b.c", b"xBcc:ab.c"), ("a (b) <c> \"d\"; e", b"abcde"), ("x" * 5000, b"x" * 100), ("a\0b", b"ab"), ("a\ud800b", b"ab"),
    ],
)  # fmt: skip
def test_what_a_client_says_cannot_shape_our_header(hello: str, shown: bytes) -> None:
    made = received(hello, "192.0.2.7", "mx.example.com", "ESMTP", 1, AT_US)
    assert made.startswith(b"Received: from " + shown + b" ([192.0.2.7])\r\n\tby ")
    assert made.isascii() and len(read_header(made).fields) == 1 and made.count(b"\n") == 3
    assert max(map(len, made.split(b"\r\n"))) < 998


@pytest.mark.parametrize(("count", "expected"), [(0, False), (MAX_RECEIVED - 1, False), (MAX_RECEIVED, True)])
def test_a_loop_is_a_hundred_hops(count: int, expected: bool) -> None:
    header = read_header(b"From: a@b.c\r\n" + b"RECEIVED: x\r\n" * count + b"X-Received: y\r\n" * 200 + b"\r\n")
    assert has_loop(header) is expected


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("X-Mailjet-Campaign", True), ("x-mj-CustomID", True), ("X-ESTAFETTE-Idempotency-Key", True), ("Bcc", True), ("BCC", True), ("Resent-Bcc", True),
        ("Return-Path", True), ("X-Mailjet", False), ("X-Mailer", False), ("Cc", False), ("To", False), ("From", False), ("Received", False),
        ("X-Bcc-Note", False), ("List-Unsubscribe", False), ("DKIM-Signature", False), ("Resent-To", False),
    ],
)  # fmt: skip
def test_what_is_taken_off(name: str, ours: bool) -> None:
    raw = f"A: 1\r\n{name}: x\r\n folded\r\nB: 2\r\n\r\nbody".encode()
    assert without(raw, read_header(raw), is_ours_to_strip) == (b"A: 1\r\nB: 2\r\n\r\nbody" if ours else raw)


def test_the_client_can_be_left_out() -> None:
    field = received("", "", "relay.test", "ESMTPSA", 0x1234, 1_700_000_000_000_000).decode()
    assert field == "Received: by relay.test with ESMTPSA id 1234;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
