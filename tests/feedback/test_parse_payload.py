"""What a customer's program is told of a mail."""

import base64
import json
from typing import Any

from estafette.feedback.parse_payload import Correlation, answered_submissions, payload_of

AT = 1_790_000_000_000_000
MAIL = (
    b"Received: from a\r\nReceived: from b\r\nFrom: =?utf-8?q?Zo=C3=A9?= <zoe@example.org>\r\nTo: orders@in.example\r\nSubject: =?utf-8?q?=C3=A9t=C3=A9?=\r\n"
    b"In-Reply-To: <6b@mail.relay.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"d=E9j=E0\r\n--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>d\xc3\xa9j\xc3\xa0</p>\r\n--c--\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-ID: <i>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n"
    b"--b\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\na;b\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--b--\r\n"
)


def told(raw: bytes, correlation: Correlation = Correlation()) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(payload_of(raw, "zoe@example.org", "orders@in.example", AT, correlation))
    return made


def test_a_mail_with_everything() -> None:
    made = told(MAIL, Correlation("order-7", "{}"))
    assert (made["Sender"], made["Recipient"], made["Date"]) == ("zoe@example.org", "orders@in.example", "20260921T141320")
    assert (made["From"], made["Subject"]) == ("Zoé <zoe@example.org>", "été")
    assert made["Headers"]["Received"] == ["from a", "from b"] and made["Headers"]["To"] == "orders@in.example"
    assert (made["Text-part"].strip(), made["Html-part"].strip()) == ("déjà", "<p>déjà</p>")
    assert base64.b64decode(made["InlineAttachment1"]) == base64.b64decode("iVBO")
    assert base64.b64decode(made["Attachment1"]).strip() == b"a;b"
    assert base64.b64decode(made["Attachment2"]).startswith(b"Subject: inner")
    assert [p["ContentRef"] for p in made["Parts"]] == ["Text-part", "Html-part", "InlineAttachment1", "Attachment1", "Attachment2"]
    assert made["Parts"][0]["Headers"]["Content-Transfer-Encoding"] == ["quoted-printable"]
    assert (made["CustomID"], made["Payload"], made["SpamAssassinScore"]) == ("order-7", "{}", "0")
    assert base64.b64decode(made["RawMessage"]) == MAIL


def test_broken_mails_are_told_too() -> None:
    for raw in (b"", b"\xff\xfe", b"no header at all", b"Subject: \xff\r\n\r\n\xff", b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" * 2000):
        assert base64.b64decode(told(raw)["RawMessage"]) == raw


def test_which_mail_of_ours_is_answered() -> None:
    assert answered_submissions(MAIL, "mail.relay.test") == [0x6B]
    assert answered_submissions(MAIL, "other.test") == []
    named = b"References: <1@a> <2@MAIL.relay.test> <3@mail.relay.test>\r\nIn-Reply-To: <3@mail.relay.test>\r\n\r\n"
    assert answered_submissions(named, "mail.relay.test") == [3, 2]
    assert answered_submissions(b"References: <ffffffffffffffff@a> <zz@a>\r\n\r\n", "a") == []
