"""Header blocks: read with their places, changed without touching the rest, written so that nothing can be injected; oracle: stdlib `email`."""

import email
import email.policy
import re
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest

from estafette.mail.address import Mailbox, parse, parse_mailboxes
from estafette.mail.header import (
    MAX_FIELDS,
    MAX_HEADER_OCTETS,
    MAX_LINE_OCTETS,
    HeaderError,
    format_mailbox,
    make_field,
    make_mailboxes,
    make_raw_field,
    read_header,
    without,
)  # fmt: skip

RAW = (
    b"Received: a\r\n\tb;\r\n c\r\nFrom: Jo <jo@x.fr>\r\n"
    b"Subject:  =?utf-8?q?=C3=A9?=\r\n =?utf-8?q?t=C3=A9?= \r\nX-Odd : v\r\nreceived:d\r\nX-Empty:\r\n\r\nBody: no field\r\n"
)


def stdlib(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def given_back(text: str) -> str:
    """What a reader makes of a text: controls and line separators that were encoded come out as blanks, a tab as it is."""
    return re.sub("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", " ", text)


def decoded_by_stdlib(field: bytes) -> str:
    """The text of one field as the standard library reads it."""
    _, _, value = field.decode("utf-8").removesuffix("\r\n").replace("\r\n", "").partition(":")
    return str(make_header(decode_header(value.strip())))


def test_fields_know_their_places() -> None:
    header = read_header(RAW)
    assert [f.name for f in header] == ["Received", "From", "Subject", "X-Odd", "received", "X-Empty"]
    assert b"".join(RAW[f.start : f.end] for f in header) == RAW[: header.end], "the fields are the whole block"
    assert RAW[header.body_start :] == b"Body: no field\r\n"
    assert [f.value for f in header.all("RECEIVED")] == ["a\tb; c", "d"]
    subject = header.first("subject")
    assert subject is not None and subject.value == "=?utf-8?q?=C3=A9?= =?utf-8?q?t=C3=A9?=" and subject.text == "été"
    assert subject.raw_value == b"  =?utf-8?q?=C3=A9?=\r\n =?utf-8?q?t=C3=A9?= "
    assert header.first("Bcc") is None and header.all("bcc") == []


@pytest.mark.parametrize(
    ("raw", "names", "body"),
    [
        (b"", [], b""),
        (b"\r\nbody", [], b"body"),
        (b"A: b", ["A"], b""),
        (b"A: b\r\n", ["A"], b""),
        (b"A: b\r\n\r\n", ["A"], b""),
        (b"A: b\r\n\r\n\r\nx", ["A"], b"\r\nx"),
        (b"A:b\r\n \r\n\r\nx", ["A"], b"x"),
        (b"A: a\rb\r\n\r\nx", ["A"], b"x"),
        (b"A: \xff\xfe\r\n\r\n\0", ["A"], b"\0"),
    ],
)
def test_edges_of_a_block(raw: bytes, names: list[str], body: bytes) -> None:
    header = read_header(raw)
    assert [f.name for f in header] == names and raw[header.body_start :] == body


@pytest.mark.parametrize(
    "raw",
    [
        b"no colon\r\n\r\n", b" starts folded\r\n\r\n", b": nameless\r\n\r\n", b"A B: c\r\n\r\n", b"A: b\r\nno colon\r\n\r\n", b"A: b\n\nC: d\r\n\r\n",
        b"\xc3\xa9: x\r\n\r\n", b"A: \0\r\n\r\n", b"\nA: b\r\n\r\n", b"x" * 300 + b": y\r\n\r\n",
        b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n", b"A: " + b"x" * MAX_HEADER_OCTETS + b"\r\n\r\n", b"A: " + b"x" * MAX_HEADER_OCTETS,
    ],
    ids=lambda raw: ascii(raw[:30]),
)  # fmt: skip
def test_what_is_no_header_is_refused(raw: bytes) -> None:
    with pytest.raises(HeaderError) as caught:
        read_header(raw)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_the_limits_themselves_are_allowed() -> None:
    assert len(read_header(b"A: b\r\n" * MAX_FIELDS + b"\r\n").fields) == MAX_FIELDS
    filled = b"A: " + b"x" * (MAX_HEADER_OCTETS - 5) + b"\r\n"
    assert len(filled) == MAX_HEADER_OCTETS and read_header(filled + b"\r\nbody").body_start == len(filled) + 2


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", [b"\r\n ", b"\r", b"\r ", b"\n ", b" ", b"\t", b"A", b":"])
def test_hostile_headers_take_linear_time(unit: bytes) -> None:
    for text in (b"A:" + unit * (250_000 // len(unit)), unit * (250_000 // len(unit)), b"A" + unit * (250_000 // len(unit)) + b"\r\n\r\n"):
        try:
            read_header(text)
        except HeaderError:
            pass


def test_without_leaves_every_other_octet() -> None:
    header = read_header(RAW)
    assert without(RAW, header, lambda f: False) is RAW
    assert without(RAW, header, lambda f: f.key == "received") == RAW.replace(b"Received: a\r\n\tb;\r\n c\r\n", b"").replace(b"received:d\r\n", b"")
    assert without(RAW, header, lambda f: True) == b"\r\nBody: no field\r\n"


TEXTS = [
    "plain", "", "a" * 900, "word " * 60 + "end", "été",
    "Réunion de l'équipe le 23 à 14h — à confirmer, merci de répondre rapidement à l'équipe", "日本語" * 100,
    "a é b ü c", "é  ü", "é   plain   ü  x", "two  blanks", "=?utf-8?q?trap?=", "a =?utf-8?q?trap?= é", "=?", "tab\there", "bell\x07", "del\x7f", "x" * 5000,
    "é " * 300 + "e", "👩‍💻 team 👍🏽", "a\u2028b", "nbsp\u00a0here", "price: 10€ (~$11); \"quoted\" \\ <b>", "?=", "=?x", "%s %d {}", "x" * 901 + " y",
]  # fmt: skip


@pytest.mark.parametrize("name", ["Subject", "X", "X-" + "Long" * 18])
@pytest.mark.parametrize("text", TEXTS, ids=lambda t: ascii(t)[:40])
def test_a_made_field_reads_back_as_the_same_text(name: str, text: str) -> None:
    made = make_field(name, text)
    header = read_header(made + b"\r\n")
    assert len(header.fields) == 1 and header.fields[0].name == name
    assert header.fields[0].text == given_back(text)
    assert made.isascii() and made.endswith(b"\r\n")
    lines = made[:-2].split(b"\r\n")
    assert all(len(line) <= MAX_LINE_OCTETS for line in lines)
    assert all(line[:1] == b" " and line.strip() for line in lines[1:]), "no continuation line of blanks only"
    assert not any(len(line) > 76 and b" " in line.partition(b": ")[2] for line in lines if len(name) < 10), "folded wherever a blank allows it"


@pytest.mark.parametrize("text", [t for t in TEXTS if t.strip() and t.isprintable() and "\u00a0" not in t], ids=lambda t: ascii(t)[:40])
def test_the_standard_library_reads_the_same_text(text: str) -> None:
    assert decoded_by_stdlib(make_field("Subject", text)) == text


def test_folding_keeps_every_blank() -> None:
    text = "  ".join(f"word{i}" for i in range(60))
    made = make_field("Subject", text)
    assert made.count(b"\r\n") > 3
    assert read_header(made).fields[0].value == text


def test_lines_with_encoded_words_are_at_most_76() -> None:
    for name in ("Subject", "From", "Reply-To"):
        assert max(map(len, make_field(name, "é" * 500).split(b"\r\n"))) <= 76


INJECTED = ["a\r\nBcc: x@y.z", "a\nBcc: x", "a\rBcc: x", "\r\n", "a\r\n b", "a\0b", "é\r\nBcc: x", "\r\n\r\nbody"]


@pytest.mark.parametrize("text", INJECTED, ids=ascii)
def test_no_value_can_inject_a_line(text: str) -> None:
    for make in (make_field, make_raw_field):
        with pytest.raises(HeaderError, match="contains"):
            make("Subject", text)
    with pytest.raises(HeaderError):
        format_mailbox(Mailbox(text, parse("a@b.c")))


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\nB", "é", "A\0", "A\n", "x" * 77, "A\t", " A"], ids=ascii)
def test_no_name_can_inject_a_line(name: str) -> None:
    for make in (make_field, make_raw_field):
        with pytest.raises(HeaderError, match="not a header name"):
            make(name, "x")


def test_other_line_separators_stay_inside_of_the_value() -> None:
    made = make_field("X", "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g")
    assert made.isascii() and len(read_header(made).fields) == 1
    assert len(stdlib(made + b"\r\n").keys()) == 1


def test_a_raw_word_that_cannot_be_folded_is_refused() -> None:
    assert make_raw_field("X", "x" * (MAX_LINE_OCTETS - 3)).count(b"\r\n") == 1
    with pytest.raises(HeaderError, match="998"):
        make_raw_field("X", "x" * (MAX_LINE_OCTETS - 2))
    with pytest.raises(HeaderError, match="998"):
        make_raw_field("X", "é" * 498)  # octets, not characters


NAMES = [
    ("", "a@b.c"), ("Jo", "a@b.c"), ("Jo Doe-Smith", "a@b.c"), ("Doe, Jo", "a@b.c"), ('Jo "x" Doe', "a@b.c"), ("back\\slash", "a@b.c"), ("J. Doe", "a@b.c"),
    ("é", "a@b.c"), ("日本語の名前" * 20, "a@b.c"), ("<evil@x.y>", "a@b.c"), ("a@b.c", "a@b.c"), ("=?utf-8?q?trap?=", "a@b.c"), ("x" * 2000, "a@b.c"),
    ('"' * 600, "a@b.c"), ("bell\x07", "a@b.c"), ("(comment)", "a@b.c"), ("Group:", "a@b.c"), (";", "a@b.c"), ("Jo", '"a b,c"@b.c'), ("Jo", "é@b.c"),
    ("Jo", "a@[IPv6:2001:db8::1]"), ("long name " * 40 + "x", "a@b.c"), ("a, é", "a@b.c"), ("quoted, long " * 30 + "x", "a@b.c"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "address"), NAMES, ids=lambda t: ascii(t)[:40])
def test_a_mailbox_reads_back(name: str, address: str) -> None:
    mailbox = Mailbox(name, parse(address))
    expected = Mailbox(given_back(name), mailbox.address)
    assert parse_mailboxes(format_mailbox(mailbox)) == [expected]
    made = make_mailboxes("To", [mailbox, Mailbox("", parse("z@z.z")), mailbox])
    assert all(len(line) <= MAX_LINE_OCTETS for line in made.split(b"\r\n"))
    (field,) = read_header(made).fields
    assert parse_mailboxes(field.value) == [expected, Mailbox("", parse("z@z.z")), expected]


@pytest.mark.parametrize(("name", "address"), [n for n in NAMES if n[1] == "a@b.c" and n[0].isprintable()], ids=lambda t: ascii(t)[:40])
def test_the_standard_library_reads_the_same_mailbox(name: str, address: str) -> None:
    (field,) = read_header(make_mailboxes("To", [Mailbox(name, parse(address))])).fields
    ((found, where),) = getaddresses([field.value])
    assert where == address
    assert (str(make_header(decode_header(found))) if "=?utf-8?b?" in found else found) == name


def test_many_recipients_are_folded() -> None:
    made = make_mailboxes("To", [Mailbox(f"Name {i}", parse(f"user{i}@example.com")) for i in range(500)])
    assert max(map(len, made.split(b"\r\n"))) <= 76
    assert len(stdlib(made + b"\r\n")["To"].addresses) == 500
