"""A failure report is read by the standard library, and by our own reader of reports, as what it is."""

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage

import pytest

from estafette.clock import SECOND_US
from estafette.mail.failure_report import MAX_RETURNED, Notice, status_of, write_report
from estafette.mail.header import HeaderError

AT = 1_790_000_000 * SECOND_US
MAIL = b"Received: by relay.test\r\nFrom: news@sender.example\r\nSubject: Hello\r\nMessage-ID: <1@sender.example>\r\n\r\nBody\r\n"
NOTICE = Notice("failed", "back@sender.example", "jo@dest.example", "rfc822;Jo+2Bx@dest.example", "QQ+3D1", "5.1.1", "mx.dest.example",
                "550 5.1.1 <jo@dest.example>: no such user", AT + SECOND_US, AT, MAIL, False)  # fmt: skip


def read(notice: Notice) -> tuple[EmailMessage, list[EmailMessage]]:
    raw = write_report(notice, "relay.test", b"random")
    assert raw.isascii() and max(map(len, raw.split(b"\r\n"))) <= 998 and raw.endswith(b"--\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage) and message.defects == []
    return message, list(message.iter_parts())  # type: ignore[arg-type]


def test_the_three_parts() -> None:
    message, (words, fields, returned) = read(NOTICE)
    assert message["To"] == "back@sender.example" and message["Auto-Submitted"] == "auto-replied"
    assert (message.get_content_type(), message.get_param("report-type")) == ("multipart/report", "delivery-status")
    assert "jo@dest.example" in words.get_content() and "no such user" in words.get_content()
    assert fields.get_content_type() == "message/delivery-status"
    about, recipient = fields.get_payload()  # type: ignore[misc]
    assert dict(about.items()) == {"Original-Envelope-Id": "QQ=1", "Reporting-MTA": "dns; relay.test", "Arrival-Date": "Mon, 21 Sep 2026 14:13:20 +0000"}
    assert dict(recipient.items()) == {
        "Original-Recipient": "rfc822; Jo+x@dest.example", "Final-Recipient": "rfc822; jo@dest.example", "Action": "failed", "Status": "5.1.1",
        "Remote-MTA": "dns; mx.dest.example", "Diagnostic-Code": "smtp; 550 5.1.1 <jo@dest.example>: no such user",
        "Last-Attempt-Date": "Mon, 21 Sep 2026 14:13:21 +0000",
    }  # fmt: skip
    assert returned.get_content_type() == "text/rfc822-headers"
    assert "Message-ID: <1@sender.example>" in returned.get_content() and "Body" not in returned.get_content()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"is_full": True}, "message/rfc822"),
        ({"is_full": True, "action": "relayed"}, "text/rfc822-headers"),  # RFC 3461 4.3: RET is about failures
        ({"is_full": True, "returned": MAIL + b"x" * MAX_RETURNED}, "text/rfc822-headers"),
        ({"is_full": True, "returned": MAIL + b"\xe9"}, "text/rfc822-headers"),
        ({"returned": "Subject: é\r\n\r\nx".encode()}, "text/rfc822-headers"),
        ({"returned": b"X: " + b"x" * 900 + b"\r\n" + b"Y: y\r\n" * 30_000 + b"\r\nBody"}, "text/rfc822-headers"),
        ({"returned": b""}, ""),
    ],
)
def test_what_is_returned(changes: dict[str, object], expected: str) -> None:
    _, parts = read(replace(NOTICE, **changes))  # type: ignore[arg-type]
    assert (parts[2].get_content_type() if len(parts) == 3 else "") == expected
    assert all(len(part.as_bytes()) <= MAX_RETURNED + 1000 for part in parts)


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [("failed", "5.1.1", "5.1.1"), ("failed", "4.4.7", "4.4.7"), ("failed", "2.0.0", "5.0.0"), ("failed", "", "5.0.0"), ("relayed", "2.1.5", "2.1.5"),
     ("relayed", "5.1.1", "2.0.0"), ("relayed", "", "2.0.0")],
)  # fmt: skip
def test_the_status_belongs_to_the_action(action: str, status: str, expected: str) -> None:
    assert status_of(replace(NOTICE, action=action, status=status)) == expected


def test_strangers_words_begin_no_line_and_no_part() -> None:
    evil = "550 x\r\nTo: victim@dest.example\r\n\r\n--=_ \x00 é " + "y" * 5000
    orcpt = "x+0D+0AAction:delivered;a+0D+0ABcc:+20b"
    message, parts = read(replace(NOTICE, reply=evil, orcpt=orcpt, envid="a+0D+0Ab", host="", recipient="jürgen@dest.example"))
    assert message.get_all("To") == ["back@sender.example"] and len(parts) == 3
    _, recipient = parts[1].get_payload()  # type: ignore[misc]
    assert recipient["Action"] == "failed" and "Bcc" not in recipient and "Remote-MTA" not in recipient
    assert recipient["Final-Recipient"] == r"utf-8; j\x{FC}rgen@dest.example"


def test_a_reverse_path_that_is_no_header_value() -> None:
    with pytest.raises(HeaderError):
        write_report(replace(NOTICE, reverse_path="a\r\nBcc: b@c.d"), "relay.test", b"")
