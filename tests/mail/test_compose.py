"""Mails are written so that Python's own reader finds in them exactly what was put in; and nothing that is put in becomes structure."""

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.mail.address import Mailbox, parse
from estafette.mail.compose import Attachment, Draft, compose, is_content_id, is_media_type
from estafette.mail.header import HeaderError, read_header

SEED = bytes(range(16))
JO = Mailbox("Jo", parse("jo@example.com"))
ANN = Mailbox("", parse("ann@example.net"))
PDF = Attachment("application/pdf", "a.pdf", b"%PDF\r\n\0\xff" * 100)
LOGO = Attachment("image/png", "logo.png", b"\x89PNG", "logo")


def read(raw: bytes) -> EmailMessage:
    read_header(raw)  # what we write we can read
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    assert raw.endswith(b"\r\n") and max(map(len, raw.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert not part.defects
    return message


def shape(message: EmailMessage) -> object:
    if not message.is_multipart():
        return message.get_content_type()
    return [message.get_content_type(), *(shape(part) for part in message.iter_parts())]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, "text/plain"),
        ({"text": "a"}, "text/plain"),
        ({"html": "<p>"}, "text/html"),
        ({"text": "a", "html": "<p>"}, ["multipart/alternative", "text/plain", "text/html"]),
        ({"text": "a", "attachments": (PDF,)}, ["multipart/mixed", "text/plain", "application/pdf"]),
        ({"html": "<p>", "inlined": (LOGO,)}, ["multipart/related", "text/html", "image/png"]),
        ({"text": "a", "inlined": (LOGO,)}, ["multipart/mixed", "text/plain", "image/png"]),
        (
            {"text": "a", "html": "<p>", "inlined": (LOGO,), "attachments": (PDF, PDF)},
            ["multipart/mixed", ["multipart/alternative", "text/plain", ["multipart/related", "text/html", "image/png"]], "application/pdf", "application/pdf"],
        ),
    ],
)
def test_levels_are_there_only_when_needed(parts: dict[str, object], expected: object) -> None:
    assert shape(read(compose(Draft(JO, (ANN,), **parts), SEED))) == expected  # type: ignore[arg-type]


def test_every_part_comes_back_as_it_was() -> None:
    draft = Draft(JO, (ANN, JO), (ANN,), (Mailbox("Réponse", parse("r@example.com")),), Mailbox("S, T", parse("s@example.com")), "Été: 50 € & more",
                  "Bonjour\nJo é\n", "<p>é</p>", (PDF,), (LOGO,), (("X-One", "1 é"), ("List-Unsubscribe", "<https://x.test/u>")))  # fmt: skip
    message = read(compose(draft, SEED))
    assert [(f, str(message[f])) for f in ("From", "Sender", "Reply-To", "To", "Cc", "Subject", "X-One")] == [
        ("From", "Jo <jo@example.com>"), ("Sender", '"S, T" <s@example.com>'), ("Reply-To", "Réponse <r@example.com>"),
        ("To", "ann@example.net, Jo <jo@example.com>"), ("Cc", "ann@example.net"), ("Subject", "Été: 50 € & more"), ("X-One", "1 é"),
    ]  # fmt: skip
    leaves = [part for part in message.walk() if not part.is_multipart()]
    texts = [leaf.get_content().replace("\r\n", "\n") for leaf in leaves[:2]]
    assert texts == ["Bonjour\nJo é\n", "<p>é</p>"]
    assert [leaf.get_content() for leaf in leaves[2:]] == [LOGO.content, PDF.content]
    assert [(leaf.get_content_disposition(), leaf.get_filename(), leaf["Content-ID"]) for leaf in leaves[2:]] == [
        ("inline", "logo.png", "<logo>"), ("attachment", "a.pdf", None),
    ]  # fmt: skip


def test_what_others_write_is_not_written_here() -> None:
    header = read_header(compose(Draft(JO, (ANN,), text="a"), SEED))
    assert [f.name for f in header] == ["From", "To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\nlines", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("with a NUL \0", "quoted-printable"),
        ("un été à la mer, avec bien assez de texte", "quoted-printable"),
        ("日本語の本文", "base64"),
    ],
)
def test_the_text_takes_the_plainest_encoding_that_carries_it(text: str, encoding: str) -> None:
    message = read(compose(Draft(JO, text=text), SEED))
    assert message["Content-Transfer-Encoding"] == encoding
    assert message.get_content().rstrip("\r\n") == text.replace("\n", "\r\n")
    raw = compose(Draft(JO, text=text), SEED)
    assert encoding == "7bit" or max(map(len, raw.split(b"\r\n\r\n", 1)[1].split(b"\r\n"))) <= 76


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(text: str) -> None:
    message = email.message_from_bytes(compose(Draft(JO, text=text, attachments=(PDF,)), SEED), policy=email.policy.default)
    plain = next(p for p in message.walk() if p.get_content_type() == "text/plain")
    octets = plain.get_payload(decode=True)
    assert isinstance(octets, bytes)
    found = octets.decode().removesuffix("\r\n") if plain["Content-Transfer-Encoding"] == "7bit" else octets.decode()
    expected = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    assert found in (expected, expected.removesuffix("\r\n"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=255))
def test_any_file_name_survives(name: str) -> None:
    raw = compose(Draft(JO, text="a", attachments=(Attachment("text/csv", name, b"1"),)), SEED)
    assert max(map(len, raw.split(b"\r\n"))) <= 200
    part = [p for p in email.message_from_bytes(raw, policy=email.policy.compat32).walk() if not p.is_multipart()][1]
    value = part.get_param("filename", "", "content-disposition", unquote=True)
    found = email.utils.collapse_rfc2231_value(value) if value else ""
    assert found.replace('\\"', '"').replace("\\\\", "\\") in (name, name.replace('\\"', '"').replace("\\\\", "\\"))


def test_a_long_file_name_is_written_in_sections() -> None:
    raw = compose(Draft(JO, text="a", attachments=(Attachment("text/csv", "é" * 255, b"1"),)), SEED)
    assert b"filename*0*=utf-8''%C3%A9" in raw and b"filename*1*=%" in raw
    assert [p.get_filename() for p in read(raw).iter_attachments()] == ["é" * 255]


def test_boundaries_come_from_the_octets_and_never_occur_in_the_content() -> None:
    first = compose(Draft(JO, text="a", html="b"), SEED)
    assert first == compose(Draft(JO, text="a", html="b"), SEED)
    assert first != compose(Draft(JO, text="a", html="b"), bytes(16))
    boundary = read(first).get_boundary()
    assert boundary
    hostile = read(compose(Draft(JO, text=f"--{boundary}\nFrom: x", html="b"), SEED))
    assert hostile.get_boundary() != boundary
    assert shape(hostile) == ["multipart/alternative", "text/plain", "text/html"]


LINES = ["a\r\nBcc: x@example.com", "a\nb", "a\rb", "a\0b"]


@pytest.mark.parametrize("bad", LINES)
@pytest.mark.parametrize("place", ["author", "to", "subject", "header value", "header name", "filename", "content type", "content id"])
def test_no_value_begins_a_new_line(place: str, bad: str) -> None:
    box = Mailbox(bad, JO.address)
    drafts = {
        "author": Draft(box), "to": Draft(JO, (box,)), "subject": Draft(JO, subject=bad), "header value": Draft(JO, headers=(("X-A", bad),)),
        "header name": Draft(JO, headers=((bad, "1"),)), "filename": Draft(JO, attachments=(Attachment("a/b", bad, b""),)),
        "content type": Draft(JO, attachments=(Attachment(f"a/b; x={bad}", "n", b""),)),
        "content id": Draft(JO, inlined=(Attachment("a/b", "n", b"", bad),)),
    }  # fmt: skip
    with pytest.raises(HeaderError):
        compose(drafts[place], SEED)


@pytest.mark.parametrize("name", ["From", "BCC", "Content-Type", "mime-version", "Date", "Message-ID", "Received", "a b", "a:b", "é", ""])
def test_headers_that_are_not_the_callers(name: str) -> None:
    with pytest.raises(HeaderError):
        compose(Draft(JO, headers=((name, "1"),)), SEED)


@pytest.mark.parametrize("given_type", ["message/rfc822", "multipart/mixed; boundary=x", "Message/Partial"])
def test_an_attached_mail_is_opaque(given_type: str) -> None:
    """RFC 2045 6.4: message and multipart types must not be base64."""
    message = read(compose(Draft(JO, text="a", attachments=(Attachment(given_type, "a.eml", b"From: x\r\n\r\n"),)), SEED))
    assert [p.get_content_type() for p in message.iter_attachments()] == ["application/octet-stream"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("text/plain", True), ('text/plain; charset="utf-8"; x=y', True), ("application/vnd.ms-excel;", True), ("", False), ("text", False), ("text/", False),
     ("text/plain\r\nX: y", False), ("text/plain; name=a b", False), ("a/" + "b" * 255, False)],
)  # fmt: skip
def test_media_types(text: str, is_one: bool) -> None:
    assert is_media_type(text) is is_one


@pytest.mark.parametrize(("text", "is_one"), [("logo", True), ("a@b.c", True), ("", False), ("<a>", False), ("a b", False), ("é", False), ("a" * 256, False)])
def test_content_ids(text: str, is_one: bool) -> None:
    assert is_content_id(text) is is_one
