"""What comes back, on mails in our words: each shape of report once, the promises for every input, hostile input in bounded time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.mail.reply_rules import RELATED_TO
from estafette.mail.reports import HARD, read_report

CATEGORIES = {error.replace(" ", "_").replace("/", "_") for error in RELATED_TO} | {"", "complaint", "auto_reply"}


def mail(text: str, line_end: str = "\r\n") -> bytes:
    return text.strip("\n").replace("\n", line_end).encode()


DSN = """
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: b-token@bounces.example.com
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

<jo@example.org>: host mx.example.org[192.0.2.1] said: 550 5.1.1 no such user
    (in reply to RCPT TO command)

--=_b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Original-Envelope-Id: env-17

Original-Recipient: rfc822;Jo@Example.org
Final-Recipient: rfc822; jo.doe@intern.example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <jo@example.org>:
    no such user

--=_b
Content-Type: message/rfc822

Return-Path: <b-token@bounces.example.com>
Message-ID: <one@example.com>
From: shop@example.com
To: jo@example.org
Subject: order

hello

--=_b--
"""


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_a_delivery_status_notification(line_end: str) -> None:
    report = read_report(mail(DSN, line_end))
    assert (report.is_bounce, report.is_complaint, report.is_autoreply) == (True, False, False)
    assert report.recipients == ("jo@example.org",)  # as the sender wrote it, not where it was forwarded to
    assert (report.permanent, report.gave_up, report.hard) == (True, False, True)
    assert (report.category, report.related_to, report.error) == ("user_unknown", "recipient", "user unknown")
    assert report.original_message_id == "one@example.com"
    assert report.original["return-path"] == ("<b-token@bounces.example.com>",)
    assert report.envelope_id == "env-17"
    assert report.rule == "delivery_status, user_unknown"
    assert report.failures[0].status == "5.1.1" and "no such user" in report.failures[0].reply


def changed(*pairs: tuple[str, str]) -> bytes:
    text = DSN
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return mail(text)


def test_delayed_is_no_failure() -> None:
    report = read_report(changed(("Action: failed", "Action: delayed"), ("Status: 5.1.1", "Status: 4.4.1"), ("550 5.1.1 no such user", "timed out")))
    assert (report.is_bounce, report.permanent, report.hard, report.gave_up) == (True, False, False, False)
    assert report.failures[0].is_delayed


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_success_is_no_bounce(action: str) -> None:
    report = read_report(changed(("Action: failed", f"Action: {action}"), ("Status: 5.1.1", "Status: 2.0.0")))
    assert not report.is_bounce and report.recipients == () and report.permanent is None
    assert report.rule == "delivered" and report.original_message_id == "one@example.com"


def test_given_up_for_a_cause_that_may_pass_is_final_and_soft() -> None:
    report = read_report(changed(
        ("Status: 5.1.1", "Status: 4.4.7"), ("550 5.1.1 <jo@example.org>:\n    no such user", "delivery time expired"), ("550 5.1.1 no such user", "timeout"),
    ))  # fmt: skip
    assert (report.permanent, report.gave_up, report.hard, report.category) == (True, True, False, "connection_issue")


def test_a_mixed_report_is_split_by_recipient() -> None:
    more = (
        "\nFinal-Recipient: rfc822;late@example.org\nAction: delayed\nStatus: 4.2.2\n\n"
        "Final-Recipient: rfc822;full@example.org\nAction: failed\nStatus: 5.2.2\n"
    )
    report = read_report(changed(("    no such user\n\n--=_b\nContent-Type: message/rfc822", f"    no such user\n{more}\n--=_b\nContent-Type: message/rfc822")))
    assert report.recipients == ("jo@example.org", "full@example.org")
    assert [failure.error for failure in report.failures] == ["user unknown", "quota exceeded"]


def test_words_are_worth_more_than_codes() -> None:
    report = read_report(changed(("550 5.1.1 <jo@example.org>:\n    no such user", "550 5.1.1 message rejected as spam"), ("550 5.1.1 no such user", "550")))
    assert (report.category, report.hard) == ("content_blocked", False)


NOTICES = [
    ("qmail", "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n"
     "<jo@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n", "user_unknown", True),
    ("exim", "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered. The following address "
     "failed:\n\n  jo@example.org\n    mailbox is full: retry timeout exceeded\n\n------ This is a copy of the message, including all the headers. ------\n",
     "quota_exceeded", False),
    ("exchange", "Delivery has failed to these recipients or groups:\n\njo@example.org<mailto:jo@example.org>\n"
     "The email address you entered couldn't be found.\n\n"
     "Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found'\n\nOriginal message headers:\n\n", "user_unknown", True),
    ("sendmail", "   ----- The following addresses had permanent fatal errors -----\n<jo@example.org>\n\n   ----- Transcript of session follows -----\n"
     ">>> DATA\n<<< 554 5.7.1 blocked, listed at zen.spamhaus.org\n554 5.0.0 Service unavailable\n\n   ----- Original message follows -----\n",
     "sender_blocked", False),
    ("french", "Votre message n'a pas pu être remis au destinataire suivant :\n\njo@example.org\nLa boîte aux lettres est pleine.\n\n--- Message d'origine\n",
     "quota_exceeded", False),
    ("german", "Ihre Nachricht konnte nicht zugestellt werden.\n\njo@example.org\nDer Empfänger ist unbekannt.\n\n--- Ursprüngliche Nachricht ---\n",
     "user_unknown", True),
    ("japanese", "次のあて先へのメッセージは送信できませんでした。\n\njo@example.org\n\n"
     "宛先のメールアドレスが見つかりません。\n\n-------original mail info\n", "user_unknown", True),
    ("chinese", "您的邮件无法投递到以下收件人：\n\njo@example.org\n\n原因：邮箱空间不足。\n\n原始邮件\n", "quota_exceeded", False),
    ("in_a_sentence", "We could not deliver your message to <jo@example.org> because the account has been disabled.\n\n--- Original message follows.\n",
     "mailbox_inactive", True),
]  # fmt: skip
RETURNED = "Return-Path: <b-token@bounces.example.com>\nMessage-ID: <one@example.com>\nFrom: shop@example.com\nTo: jo@example.org\nSubject: order\n\nhello\n"


@pytest.mark.parametrize(("name", "body", "category", "hard"), NOTICES, ids=[row[0] for row in NOTICES])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_notices_for_people(name: str, body: str, category: str, hard: bool, line_end: str) -> None:
    head = (
        "From: Mail Delivery System <mailer-daemon@mx.example.net>\nTo: b-token@bounces.example.com\n"
        "Subject: failure notice\nContent-Type: text/plain; charset=utf-8\n\n"
    )
    report = read_report(mail(head + body + RETURNED, line_end))
    assert report.is_bounce and report.recipients == ("jo@example.org",), report.rule
    assert (report.category, report.hard, report.permanent) == (category, hard, True), report.rule
    assert report.original_message_id == "one@example.com"
    assert report.original["return-path"] == ("<b-token@bounces.example.com>",)


def test_a_warning_is_not_final() -> None:
    report = read_report(mail(
        "From: Mailer-Daemon <mailer-daemon@mx.example.net>\nSubject: Warning: message delayed 24 hours\n\nThis is a warning message only.\n"
        "Your message has not yet been delivered to:\n\n  jo@example.org\n    Connection timed out\n\nDelivery attempts will continue."
    ))  # fmt: skip
    assert (report.is_bounce, report.recipients, report.permanent, report.hard) == (True, ("jo@example.org",), False, False)


ARF = """
From: feedback@fbl.example.net
Subject: Fw: order
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

An abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: KIND
User-Agent: Loop/1
Version: 1
Original-Rcpt-To: <Jo@example.org>

--b
Content-Type: message/rfc822

Message-ID: <one@example.com>
To: somebody@example.org

hello
--b--
"""


@pytest.mark.parametrize(
    ("kind", "is_complaint"), [("abuse", True), ("fraud", True), ("opt-out", True), ("Abuse", True), ("auth-failure", False), ("not-spam", False)]
)
def test_feedback_reports(kind: str, is_complaint: bool) -> None:
    report = read_report(mail(ARF.replace("KIND", kind)))
    assert (report.is_complaint, report.is_bounce, report.feedback_type) == (is_complaint, False, kind.lower())
    assert report.recipients == ("jo@example.org",) and report.original_message_id == "one@example.com"
    assert report.category == ("complaint" if is_complaint else "")


def test_a_redacted_complaint_is_still_one() -> None:
    report = read_report(mail(ARF.replace("KIND", "abuse").replace("Original-Rcpt-To: <Jo@example.org>\n", "").replace("To: somebody@example.org\n", "")))
    assert report.is_complaint and report.recipients == () and report.original_message_id == "one@example.com"


@pytest.mark.parametrize("head", [
    "Auto-Submitted: auto-replied\nSubject: Re: order", "X-Autoreply: yes\nSubject: Re: order", "Subject: Automatic reply: order",
    "Subject: Réponse automatique : order",
    "Subject: Abwesenheitsnotiz", "Subject: 自動返信", "Precedence: auto_reply\nSubject: hello", "Subject: Out of office",
])  # fmt: skip
def test_automatic_answers_are_no_bounces(head: str) -> None:
    report = read_report(mail(f"From: jo@example.org\nIn-Reply-To: <one@example.com>\n{head}\n\nI could not be reached. Write to help@example.org."))
    assert (report.is_autoreply, report.is_bounce, report.recipients) == (True, False, ()), report.rule
    assert report.category == "auto_reply" and report.original_message_id == "one@example.com"


@pytest.mark.parametrize("text", [
    "From: ann@example.org\nSubject: Re: order\n\nYour parcel could not be delivered to jo@example.org, user unknown at this address.",
    "From: shop@example.com\nSubject: Undeliverable feelings\n\nA poem for jo@example.org",
    "From: list@example.com\nSubject: minutes\n\nWe talked about <jo@example.org>: he is fine.\n550 people came.",
    "From: postmaster@example.com\nSubject: Statistics of the week\n\n1000 mails for jo@example.org",
    "Subject: empty\n\n", "", "\r\n", "no mail at all",
])  # fmt: skip
def test_ordinary_mail_is_nothing(text: str) -> None:
    report = read_report(mail(text))
    assert not report.is_bounce and not report.is_complaint and not report.is_autoreply, report.rule
    assert report.recipients == () and report.permanent is None


def test_a_header_that_a_broken_line_interrupts() -> None:
    text = DSN.replace("MIME-Version: 1.0\n", "this line is no field\nMIME-Version: 1.0\n", 1)
    report = read_report(mail(text))
    assert report.recipients == ("jo@example.org",) and report.original_message_id == "one@example.com"


def test_an_opt_out_by_mail_is_a_mild_complaint() -> None:
    report = read_report(mail("From: Jo@example.org\nSubject: unsubscribe\nAuto-Submitted: auto-replied\n\nApple Mail sent this email to unsubscribe you."))
    assert (report.is_complaint, report.feedback_type, report.recipients, report.is_bounce) == (True, "opt-out", ("jo@example.org",), False)


def test_a_challenge_is_no_bounce_even_in_the_shape_of_one() -> None:
    report = read_report(changed(("550 5.1.1 <jo@example.org>:\n    no such user", "550 sender not pre-approved, follow the instructions")))
    assert (report.is_autoreply, report.is_bounce) == (True, False)


# --- promises and hostile input ---------------------------------------------------------------------------------------------------------------

PIECES = [
    "From: mailer-daemon@x.example\n", "Subject: failure notice\n", "Content-Type: multipart/report; boundary=b\n", "\n", "--b\n", "--b--\n",
    "<jo@example.org>:\n",
    "Content-Type: message/delivery-status\n", "Final-Recipient: rfc822; jo@example.org\n", "Action: failed\n", "Status: 5.1.1\n", "550 5.1.1 user unknown\n",
    "Content-Type: message/rfc822\n", "Message-ID: <a@b>\n", "--- Below this line is a copy of the message.\n", "Feedback-Type: abuse\n", "\0", "@", "é",
    "=?utf-8?q?=",
]  # fmt: skip


@given(st.one_of(st.binary(max_size=600), st.lists(st.sampled_from(PIECES), max_size=30).map(lambda pieces: "".join(pieces).encode())))
def test_promises_for_every_input(raw: bytes) -> None:
    report = read_report(raw)
    assert report.is_bounce + report.is_complaint + report.is_autoreply <= 1
    assert report.category in CATEGORIES
    assert (report.permanent is not None) == report.is_bounce
    assert not report.is_bounce or report.related_to == RELATED_TO.get(report.error, "")
    if report.hard:
        assert report.permanent and report.category in HARD
    assert all(address == address.lower() and "@" in address and " " not in address for address in report.recipients)


def hostile() -> dict[str, bytes]:
    head = b"From: mailer-daemon@x.example\r\nSubject: failure notice\r\n"
    report = head + b"Content-Type: multipart/report; boundary=b\r\n\r\n"
    status = report + b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
    size = 10_000_000
    return {
        "ten_megabytes_of_recipients": status
        + b"Final-Recipient: rfc822; jo@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n" * (size // 90)
        + b"--b--\r\n",
        "ten_megabytes_of_text": head + b"\r\n" + b"could not be delivered to <jo@example.org>: 550 user unknown\r\n" * (size // 62),
        "one_long_line": head + b"\r\n<jo@example.org>: " + b"user unknown " * (size // 13),
        "at_signs": head + b"\r\n" + b"@" * size,
        "addresses_without_end": head + b"\r\n" + b"a@a." * (size // 4),
        "dots_and_blanks": head + b"\r\n" + b"<" + b" ." * (size // 2),
        "angle_brackets": head + b"Content-Type: text/html\r\n\r\n" + b"<a " * (size // 3),
        "comments": head + b"Content-Type: text/html\r\n\r\n" + b"<!--<style>" * (size // 11),
        "nuls": head + b"\r\n" + b"\0" * size,
        "nuls_in_the_header": b"\0" * 1000 + head + b"\r\n" + b"\0a@b.example\0" * 100_000,
        "many_parts": report + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 200_000,
        "many_multiparts": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth) for depth in range(2000)),
        "many_messages": head + b"Content-Type: message/rfc822\r\n\r\n" * 100_000,
        "many_fields": b"X-A: b\r\n" * 500_000 + b"\r\n",
        "a_field_folded_for_ever": b"Subject: a\r\n" + b" b\r\n" * 1_000_000 + b"\r\n",
        "base64": head + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * (size // 4),
        "quoted_printable": head + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=41" * (size // 3),
        "japanese": head + b"\r\n" + "配信できませんでした。".encode() * 100_000,
        "field_names": head + b"\r\n" + b"Message-ID: \r\nFrom: \r\n" * 100_000,
        "colons": status + b":" * size,
    }


@pytest.mark.parametrize("name", hostile())
def test_hostile_input_takes_bounded_time(name: str) -> None:
    raw = hostile()[name]
    read_report(mail(DSN))  # the rules are compiled
    started = time.process_time()
    report = read_report(raw)
    assert time.process_time() - started < 1.5
    assert len(report.recipients) <= 1000 and len(report.failures) <= 1000 and len(report.reply) <= 5000


def test_a_thousand_mails_a_second() -> None:
    """With room for a slow machine; the aim is a millisecond per mail and core."""
    mails = [mail(DSN), mail(ARF), *(mail("From: mailer-daemon@x.example\nSubject: failure notice\n\n" + row[1] + RETURNED) for row in NOTICES)]
    for raw in mails:
        read_report(raw)
    started = time.process_time()
    for _ in range(10):
        for raw in mails:
            read_report(raw)
    assert (time.process_time() - started) / (10 * len(mails)) < 0.003
