"""What a mail that came back changes: every desk, every kind of report, tokens that are ours and tokens that are not."""

from dataclasses import replace

import pytest

from estafette.feedback.matching import Arrival, Inside, find_inside, match
from estafette.feedback.recipients import Desk, Destination, directory, find_destination
from estafette.mail.reports import read_report
from estafette.model import BlockCause, EventKind, Mark, Reason, Record
from tests.feedback.ground import DOMAIN, FOREIGN, KEYRING, arf, click, dsn, flipped, letter, pixel, return_path, unsubscribe, unsubscribe_address

OURS = directory(DOMAIN, "mail.relay.test", ["FBL@Loops.test", "jmrp@relay.test"])
NUMBER = 123_456_789_012


@pytest.mark.parametrize(
    ("recipient", "desk", "number"),
    [
        (return_path(NUMBER), Desk.RETURN_PATH, NUMBER),
        (return_path(NUMBER).upper(), Desk.RETURN_PATH, NUMBER),
        (return_path(NUMBER, FOREIGN), Desk.RETURN_PATH, 0),
        (f"b-x@{DOMAIN}", Desk.RETURN_PATH, 0),
        (unsubscribe_address(NUMBER), Desk.UNSUBSCRIBE, NUMBER),
        (unsubscribe_address(NUMBER, FOREIGN), Desk.UNSUBSCRIBE, 0),
        (return_path(NUMBER).replace("b-", "u-"), Desk.UNSUBSCRIBE, 0),  # the token of one kind does not open the other
        (f"postmaster@{DOMAIN}", Desk.POSTMASTER, 0),
        ("PostMaster@mail.relay.test", Desk.POSTMASTER, 0),
        ("Postmaster", Desk.POSTMASTER, 0),
        (f"abuse@{DOMAIN}", Desk.COMPLAINTS, 0),
        ("fbl@loops.test", Desk.COMPLAINTS, 0),
        ("jmrp@relay.test", Desk.COMPLAINTS, 0),
    ],
)
def test_addresses_of_ours(recipient: str, desk: Desk, number: int) -> None:
    found = find_destination(recipient, KEYRING, OURS)
    assert found is not None and replace(found, leaving=None) == Destination(desk, recipient, number)
    assert (found.leaving is not None) == (desk is Desk.UNSUBSCRIBE and number != 0)


@pytest.mark.parametrize(
    "recipient",
    ["", "someone@elsewhere.test", f"someone@{DOMAIN}", "postmaster@loops.test", "other@loops.test", "postmaster@elsewhere.test", "not an address", "@",
     return_path(NUMBER).replace(DOMAIN, "elsewhere.test"), return_path(NUMBER).replace(DOMAIN, "mail.relay.test")],
)  # fmt: skip
def test_nothing_else_is_taken(recipient: str) -> None:
    assert find_destination(recipient, KEYRING, OURS) is None


def test_no_changed_return_path_names_a_message() -> None:
    local = return_path(NUMBER).partition("@")[0]
    found = [find_destination(f"{changed}@{DOMAIN}", KEYRING, OURS) for changed in flipped(local)]
    assert not any(destination is not None and destination.message_id for destination in found)


def matched(raw: bytes, destination: Destination, reverse_path: str = "") -> Record:
    report = read_report(raw)
    return match(Arrival(5, "192.0.2.1", reverse_path, destination, "a subject"), report, find_inside(report, raw, KEYRING))


BACK = Destination(Desk.RETURN_PATH, return_path(NUMBER), NUMBER)
FORGED = Destination(Desk.RETURN_PATH, return_path(NUMBER, FOREIGN), 0)
LEAVE = Destination(Desk.UNSUBSCRIBE, unsubscribe_address(NUMBER), NUMBER)
FBL = Destination(Desk.COMPLAINTS, "fbl@loops.test")
POSTMASTER = Destination(Desk.POSTMASTER, f"postmaster@{DOMAIN}")


@pytest.mark.parametrize(
    ("raw", "kind", "reason", "block"),
    [
        (dsn(1), EventKind.HARD_BOUNCED, Reason("recipient", "user unknown"), BlockCause.HARD_BOUNCE),
        (dsn(1, "5.4.4", diagnostic="550 5.4.4 no such domain"), EventKind.HARD_BOUNCED, Reason("domain", "invalid domain"), BlockCause.HARD_BOUNCE),
        (dsn(1, "5.2.2", diagnostic="552 5.2.2 mailbox full"), EventKind.SOFT_BOUNCED, Reason("recipient", "quota exceeded"), BlockCause.SOFT_BOUNCE),
        (dsn(1, "4.4.7", diagnostic="451 4.4.7 delivery time expired, mailbox busy"), EventKind.SOFT_BOUNCED, None, None),
        (dsn(1, "5.7.1", diagnostic="554 5.7.1 message content rejected as spam"), EventKind.HARD_BOUNCED, Reason("spam", "content blocked"), None),
    ],
    ids=["unknown", "no domain", "full", "expired", "spam"],
)
def test_a_bounce_with_a_token_moves_its_message(raw: bytes, kind: EventKind, reason: Reason | None, block: BlockCause | None) -> None:
    record = matched(raw, BACK)
    assert (record.message_id, record.kind) == (NUMBER, kind)
    assert record.reason == (reason or record.reason) and (reason is None or record.block is block)
    assert record.reply and record.data["peer"] == "192.0.2.1" and record.data["rule"]


@pytest.mark.parametrize(
    ("raw", "reverse_path", "what"),
    [
        (dsn(1, "4.4.1", "delayed", "451 4.4.1 no answer from host"), "", "delayed"),
        (dsn(1, "2.0.0", "delivered", "250 2.0.0 ok"), "", "delivery report"),
        (letter("Automatic reply: Hello", "I am out of the office.", "Auto-Submitted: auto-replied"), "jo@dest.example", "auto-reply"),
        (letter("Out of office: Hello", "I am out of the office until Monday.", "X-Autoreply: yes"), "", "auto-reply"),
        (letter(), "jo@dest.example", "reply"),
        (arf(feedback_type="not-spam"), "fbl@fbl.example", "feedback: not-spam"),
    ],
    ids=["delayed", "delivered", "vacation", "vacation with null path", "reply", "not spam"],
)
def test_what_is_no_bounce_leaves_a_note(raw: bytes, reverse_path: str, what: str) -> None:
    record = matched(raw, BACK, reverse_path)
    assert (record.message_id, record.kind, record.data["what"]) == (NUMBER, EventKind.NOTE, what)
    assert (record.marks, record.block, record.lifts, record.unmarks) == (0, None, None, 0)


VALID_HEADERS = [
    f"Return-Path: <{return_path(NUMBER)}>",
    f"List-Unsubscribe: <mailto:{unsubscribe_address(NUMBER)}>, <https://links.relay.test/u/{unsubscribe(NUMBER)}>",
    f"List-Unsubscribe:\r\n <https://links.relay.test/u/{unsubscribe(NUMBER)}>",
    f"X-Anything: https://links.relay.test/o/{pixel(NUMBER)}",
    f"X-Anything: https://links.relay.test/c/{click(NUMBER)}",
]


@pytest.mark.parametrize("header", VALID_HEADERS, ids=["return path", "list-unsubscribe", "folded", "pixel", "link"])
@pytest.mark.parametrize("destination", [FBL, POSTMASTER], ids=["fbl", "postmaster"])
def test_a_redacted_complaint_is_matched_by_a_token_in_the_returned_header(header: str, destination: Destination) -> None:
    record = matched(arf([header]), destination, "feedback@fbl.example")
    assert (record.message_id, record.kind, record.marks, record.block, record.is_once) == (
        NUMBER, EventKind.COMPLAINED, Mark.SPAM, BlockCause.COMPLAINT, True)  # fmt: skip
    assert record.data["source"] == "fbl.example"


def test_a_complaint_names_its_message_by_original_mail_from() -> None:
    assert matched(arf(fields=[f"Original-Mail-From: <{return_path(NUMBER)}>"]), FBL).message_id == NUMBER


@pytest.mark.parametrize("header", [h.replace("relay.test", "evil.test").replace("Z", "Y") for h in [
    f"Return-Path: <{return_path(NUMBER, FOREIGN)}>", f"List-Unsubscribe: <https://links.relay.test/u/{unsubscribe(NUMBER, keyring=FOREIGN)}>",
    "Message-ID: <1@acme.test>", f"X-MJ-MID: {NUMBER}", f"List-Unsubscribe: <https://links.relay.test/c/{unsubscribe(NUMBER)}>"]])  # fmt: skip
def test_a_complaint_without_a_valid_token_is_a_note_about_nobody(header: str) -> None:
    record = matched(arf([header]), FBL, "feedback@fbl.example")
    assert (record.message_id, record.kind, record.marks, record.block) == (0, EventKind.NOTE, 0, None)
    assert record.data["what"] == "complaint" and str(record.data["why"]).startswith("no valid token")


def test_several_messages_in_the_text_are_ambiguous_but_the_header_is_not() -> None:
    quoted = [f"X-Quoted: {return_path(1)}", f"X-Quoted: {return_path(2)}"]
    assert matched(arf(quoted), FBL).message_id == 0
    assert matched(arf([*quoted, f"Return-Path: <{return_path(3)}>"]), FBL).message_id == 3


@pytest.mark.parametrize(
    "raw",
    [dsn(1), arf([f"Return-Path: <{return_path(NUMBER)}>"]), letter(), letter("x", f"{return_path(NUMBER)}"), dsn(1, original=[VALID_HEADERS[0]])],
    ids=["bounce", "complaint with a token inside", "reply", "token in the text", "bounce with a token inside"],
)
def test_a_forged_return_path_changes_nothing_whatever_the_report_says(raw: bytes) -> None:
    record = matched(raw, FORGED)
    assert (record.message_id, record.kind, record.marks, record.block) == (0, EventKind.NOTE, 0, None)


def test_a_bounce_to_postmaster_needs_the_return_path_itself() -> None:
    assert matched(dsn(1, original=[VALID_HEADERS[0]]), POSTMASTER).kind is EventKind.HARD_BOUNCED
    assert matched(dsn(1, original=[VALID_HEADERS[1]]), POSTMASTER).message_id == 0
    assert match(Arrival(5, "", "", POSTMASTER), read_report(dsn(1)), Inside(0, NUMBER)).message_id == 0


def test_mail_to_the_unsubscribe_address_acts() -> None:
    record = matched(letter("unsubscribe", ""), LEAVE, "jo@dest.example")
    assert (record.message_id, record.kind, record.block, record.is_once) == (NUMBER, EventKind.UNSUBSCRIBED, BlockCause.UNSUBSCRIBE, True)
    assert (record.data["by"], record.data["agent"]) == ("mail", "List-Unsubscribe")


@pytest.mark.parametrize(
    ("raw", "reverse_path"),
    [(letter("Automatic reply", "away", "Auto-Submitted: auto-replied"), "jo@dest.example"), (dsn(1), ""), (letter("unsubscribe"), "")],
    ids=["vacation", "bounce", "null path"],
)
def test_machines_do_not_unsubscribe(raw: bytes, reverse_path: str) -> None:
    assert matched(raw, LEAVE, reverse_path).kind is EventKind.NOTE


def test_a_mail_to_abuse_that_is_no_report_is_kept_for_a_person() -> None:
    record = matched(letter("Your customer spams me", "stop it"), FBL, "angry@dest.example")
    assert (record.message_id, record.kind, record.data["from"], record.data["subject"]) == (0, EventKind.NOTE, "angry@dest.example", "a subject")


def test_tokens_are_looked_for_in_bounded_time() -> None:
    raw = arf([f"X-{n}: {return_path(n + 1, FOREIGN)} https://x/u/{unsubscribe(n + 1, keyring=FOREIGN)}" for n in range(3000)])
    assert find_inside(read_report(raw), raw, KEYRING) == Inside()


def test_what_strangers_wrote_is_kept_on_one_line() -> None:
    evil = "550 5.1.1 no\x00such\x1b[31m user\u2028here"
    record = matched(dsn(1, diagnostic=evil), BACK, 'x"\r\n{"level":"info"}@y.example')
    assert all(c.isprintable() for text in (record.reply, *map(str, record.data.values())) for c in text)
    assert "such" in record.reply
    note = match(Arrival(5, "", "", FORGED, "a\x00b\r\nc"), read_report(arf(feedback_type="a" * 500)), Inside())
    assert note.data["subject"] == "a b  c" and len(str(note.data["what"])) <= 100
