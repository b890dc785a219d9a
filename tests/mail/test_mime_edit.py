"""One part taken out, changed and put back; oracle: the standard library reads what was written."""

import base64
import email
import email.policy
import quopri
from email.message import EmailMessage
from pathlib import Path

import pytest

from estafette.mail.mime import find_text_parts, read_parts
from estafette.mail.mime_edit import Edit, decode, encode_text, replace_text, splice, text_of, text_to_edit

BOUNCES = Path(__file__).parents[2] / "../shared/data/bounces/mail"


def leaf(body: bytes, fields: bytes = b"") -> bytes:
    return fields + b"\r\n" + body


def two_parts(first: bytes, fields: bytes = b"") -> bytes:
    return (
        b'From: a@b.c\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n  boundary="b"\r\n\r\npre\xe9amble\r\n--b  \r\n'
        + leaf(first, fields) + b"\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\nepilogue"
    )  # fmt: skip


def stdlib_text(raw: bytes) -> str:
    """The text of the first text part as the standard library reads it."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    part = next(p for p in message.walk() if p.get_content_maintype() == "text")
    assert isinstance(part, EmailMessage) and not part.defects
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets.decode(part.get_content_charset("us-ascii"))


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], b"0123456789"),
        ([Edit(0, 0, b"")], b"0123456789"),
        ([Edit(0, 1, b"x"), Edit(9, 10, b"")], b"x12345678"),
        ([Edit(5, 6, b"b"), Edit(4, 5, b"a")], b"0123ab6789"),
        ([Edit(3, 3, b"one"), Edit(3, 3, b"two"), Edit(3, 4, b"_")], b"012onetwo_456789"),
        ([Edit(10, 10, b"end")], b"0123456789end"),
        ([Edit(0, 10, b"")], b""),
    ],
)
def test_splice(edits: list[Edit], expected: bytes) -> None:
    assert splice(b"0123456789", edits) == expected


def test_splice_without_edits_is_the_same_object() -> None:
    raw = b"0123"
    assert splice(raw, []) is raw


@pytest.mark.parametrize(
    "edits",
    [[Edit(0, 2, b""), Edit(1, 3, b"")], [Edit(2, 1, b"")], [Edit(-1, 1, b"")], [Edit(0, 11, b"")], [Edit(0, 5, b""), Edit(3, 3, b"")]],
)
def test_edits_that_overlap_or_lie_outside_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        splice(b"0123456789", edits)


DECODED = [
    ("7bit", b"a=3D\r\n", b"a=3D\r\n"),
    ("8bit", b"\xff\0", b"\xff\0"),
    ("x-uuencode", b"begin 644 x\r\n", b"begin 644 x\r\n"),
    ("base64", b"SGVsbG8=\r\n", b"Hello"),
    ("base64", b"SGVs\r\nbG8=", b"Hello"),
    ("base64", b"S G\tV*s-b_G!8=", b"Hello"),
    ("base64", b"SGVsbG8", b"Hello"),
    ("base64", b"SGVsbG", b"Hell"),
    ("base64", b"SGVsb", b"Hel"),
    ("base64", b"SGVsbG8=\r\nfooter text", b"Hello"),
    ("base64", b"S", b""),
    ("base64", b"=", b""),
    ("base64", b"", b""),
    ("base64", b"\xff\xfe", b""),
    ("quoted-printable", b"a=3Db=3db=C3=A9", b"a=b=b\xc3\xa9"),
    ("quoted-printable", b"soft=\r\nbreak", b"softbreak"),
    ("quoted-printable", b"soft=\nbreak", b"softbreak"),
    ("quoted-printable", b"soft= \t\r\nbreak=", b"softbreak"),
    ("quoted-printable", b"blanks \t\r\nare gone  ", b"blanks\r\nare gone"),
    ("quoted-printable", b"blanks=20\r\nstay  inside", b"blanks \r\nstay  inside"),
    ("quoted-printable", b"=ZZ =4 == =", b"=ZZ =4 == "),
    ("quoted-printable", b"raw \xe9 octets", b"raw \xe9 octets"),
    ("quoted-printable", b"==\r\n\r\n", b"=\r\n"),
]


@pytest.mark.parametrize(("encoding", "body", "expected"), DECODED)
def test_decode(encoding: str, body: bytes, expected: bytes) -> None:
    raw = two_parts(body, f"Content-Transfer-Encoding: {encoding}\r\n".encode())
    assert decode(raw, read_parts(raw).children[0]) == expected


@pytest.mark.parametrize(
    ("charset", "octets", "to_read", "to_edit"),
    [
        ("utf-8", b"\xc3\xa9", "é", "é"),
        ("utf-8", b"\xc3\xa9\xff", "é\ufffd", "é\udcff"),
        ("iso-8859-1", b"\xe9", "é", "é"),
        ("us-ascii", b"\xc3\xa9", "é", "\udcc3\udca9"),
        ("us-ascii", b"\xe9", "é", "\udce9"),
        ("", b"\xe9\x81", "é\ufffd", "\udce9\udc81"),
        ("no-such", b"\x80 \xc3", "€ Ã", "\udc80 \udcc3"),
        ("punycode", b"abc-", "abc-", "abc-"),
        ("hex", b"61", "61", "61"),
        ("iso-2022-jp", b"\x1b$BF|K\\\x1b(B", "日本", "日本"),
        ("gb2312", b"\xc4\xe3", "你", "你"),
        ("utf-16", b"\xff\xfea\0", "a", "a"),
        ("utf-16", b"a\0b", "a\ufffd", None),
        ("utf-7", b"+4pi", None, None),
        ("utf-8", b"", "", ""),
    ],
)
def test_text_to_read_and_text_to_edit(charset: str, octets: bytes, to_read: str | None, to_edit: str | None) -> None:
    fields = f"Content-Type: text/plain; charset={charset}\r\n".encode() if charset else b""
    raw = leaf(base64.b64encode(octets), fields + b"Content-Transfer-Encoding: base64\r\n")
    part = read_parts(raw)
    text = text_of(raw, part)
    assert to_read is None or text == to_read
    text.encode("utf-8")  # can be stored
    edited = text_to_edit(raw, part)
    assert to_edit is None or edited == to_edit
    if edited is not None:
        again = splice(raw, replace_text(raw, part, edited))
        assert decode(again, read_parts(again)).removeprefix(b"\xff\xfe") == octets.removeprefix(b"\xff\xfe")


@pytest.mark.parametrize("raw", [
    b"Content-Transfer-Encoding: x-uuencode\r\n\r\nx",
    b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--",
    b"Content-Type: message/rfc822\r\n\r\n\r\nx",
    b"Content-Type: application/pkcs7-mime\r\n\r\nx",
])  # fmt: skip
def test_what_must_be_left_alone_cannot_be_edited(raw: bytes) -> None:
    assert text_to_edit(raw, read_parts(raw)) is None


ENCODINGS = ["7bit", "8bit", "binary", "base64", "quoted-printable"]
TEXTS = [
    "", "plain\r\n", "no line end", "é\r\n", "日本語" * 50, "x" * 998, "x" * 999, "x" * 5000 + "\r\n", "a\r\n\r\n\r\nb", "trailing \r\nblanks\t\r\nhere ",
    "bare\nLF", "bare\rCR", "\n", "\r", "\r\r\n\n", "nul\0", "=", "=3D", "====\r\n=",
    "-- \r\nsignature", "--b\r\n", "--b--", "\r\n--b--\r\n",
    "From here\r\nFrom there",
    ".", ".\r\n..\r\n.", "\u2028", "😀" * 100, "€", "&amp; <b>é</b> " * 40 + "\r\n",
    " ", "\t", "é" + " " * 200 + "é", "a" * 71 + "é", "a" * 72 + "--b", "x" * 72 + "From y",
]  # fmt: skip


@pytest.mark.parametrize("charset", ["", "us-ascii", "utf-8", "iso-8859-1", "windows-1252", "iso-2022-jp", "no-such"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("is_part", [True, False])
def test_whatever_is_written_reads_back_and_nothing_else_moves(charset: str, encoding: str, is_part: bool) -> None:
    declared = f"Content-Type: text/html; format=flowed;\r\n\tCHARSET={charset} ; x=y\r\n" if charset else "X-Note: no type\r\n"
    fields = f"{declared}X-Kept:  as \t it is\r\nContent-Transfer-Encoding: {encoding}\r\n".encode()
    raw = two_parts(b"old", fields) if is_part else b"Subject: x\r\n" + leaf(b"old", fields)
    (part,) = find_text_parts(read_parts(raw))
    for text in TEXTS:
        new = splice(raw, replace_text(raw, part, text))
        root = read_parts(new)
        (again,) = find_text_parts(root)
        assert len(root.children) == (2 if is_part else 0), text
        assert text_to_edit(new, again) == text and text_of(new, again) == text, text
        if again.charset != "no-such":
            assert stdlib_text(new) == text
        before, after = raw[part.body_end :], new[again.body_end :]
        assert before == after, "everything behind the part"
        assert new[: again.start] == raw[: part.start], "everything before the part"
        assert b"X-Kept:  as \t it is\r\n" in new[again.start : again.body_start]
        assert again.content_type == part.content_type and again.parameters.get("x") == part.parameters.get("x")
        if again.encoding != "binary":
            assert max(len(line) for line in new[again.body_start : again.body_end].split(b"\r\n")) <= (998 if again.encoding in ("7bit", "8bit") else 76)
        body = new[again.body_start : again.body_end]
        assert b"\0" not in body
        assert again.encoding in ("8bit", "binary") or body.isascii()


def test_a_text_that_did_not_change_changes_nothing() -> None:
    for fields, body in ((b"", b"x\r\n--\r\n-- b"), (b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n", b"\xe9")):
        raw = two_parts(body, fields)
        part = read_parts(raw).children[0]
        text = text_to_edit(raw, part)
        assert text is not None and replace_text(raw, part, text) == []


def test_the_charset_is_kept_while_it_holds_the_text() -> None:
    raw = two_parts(b"old", b"Content-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n")
    part = read_parts(raw).children[0]
    assert replace_text(raw, part, "é") == [Edit(part.body_start, part.body_end, b"=E9")]
    new = splice(raw, replace_text(raw, part, "€"))
    assert new == raw.replace(b"ISO-8859-1", b"utf-8").replace(b"quoted-printable\r\n\r\nold", b"base64\r\n\r\n4oKs")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"),
        (b"X: y\r\n", b"X: y\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"),
        (b"Content-Type: text/html\r\n", b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"),
        (b'Content-Type: text/html; a="b c"; delsp=yes\r\nX: y\r\n',
         b'Content-Type: text/html; charset=utf-8;\r\n\ta="b c";\r\n\tdelsp="yes"\r\nX: y\r\nContent-Transfer-Encoding: base64\r\n'),
        (b'Content-Type: text/html; charset="us-ascii" (c); a=b\r\n',
         b'Content-Type: text/html; charset=utf-8 (c); a=b\r\nContent-Transfer-Encoding: base64\r\n'),
        (b'Content-Type: text/html; a="; charset=x"; charset=y\r\n',
         b'Content-Type: text/html; charset=utf-8;\r\n\ta="; charset=x"\r\nContent-Transfer-Encoding: base64\r\n'),
        (b'Content-Type: text/html; a="; charset=y"; charset=y\r\n',
         b'Content-Type: text/html; charset=utf-8;\r\n\ta="; charset=y"\r\nContent-Transfer-Encoding: base64\r\n'),
        (b"Content-Type: text/html; charset*=''us-ascii\r\n", b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"),
        (b"Content-Type: text/html; a=" + b"x" * 2000 + b"\r\n", b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"),
        (b"content-transfer-encoding:8bit\r\nX: y\r\n",
         b"Content-Transfer-Encoding: base64\r\nX: y\r\nContent-Type: text/plain; charset=utf-8\r\n"),
    ],
)  # fmt: skip
def test_how_the_header_says_what_changed(fields: bytes, expected: bytes) -> None:
    raw = two_parts(b"old", fields)
    part = read_parts(raw).children[0]
    new = splice(raw, replace_text(raw, part, "€"))
    assert new == raw.replace(fields + b"\r\nold", expected + b"\r\n4oKs")


def test_a_mail_without_mime_becomes_one() -> None:
    raw = b"Subject: x\r\n\r\nold\r\n"
    new = splice(raw, replace_text(raw, read_parts(raw), "€\r\n"))
    fields = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
    assert new == b"Subject: x\r\n" + fields + b"\r\n4oKsDQo=\r\n"
    assert stdlib_text(new) == "€\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"Subject: x", b"Subject: x\r\n", b"Subject: x\r\nbody at once", b"body alone", b"\r\n", b"\r\nbody", b"From someone\r\n\r\nx", b"From someone",
        b"Content-Transfer-Encoding: 7bit", b"Content-Type: text/html", b"Content-Type: text/html; charset=us-ascii",
        b"Content-Type: text/html; charset=us-ascii\r\n",
        b"Subject: x\n\nold", b"Subject: x\nContent-Type: text/html\n\nold", b"Subject: x\r\rold",
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", ["€\r\nX: y\r\n", "X: y", "é\n", "plain"])
def test_odd_tops_of_mail_can_be_edited(raw: bytes, text: str) -> None:
    part = read_parts(raw)
    new = splice(raw, replace_text(raw, part, text))
    again = read_parts(new)
    assert text_to_edit(new, again) == text
    assert [f.raw_value for f in again.header if f.key in ("subject", "x")] == [f.raw_value for f in part.header if f.key in ("subject", "x")]
    assert again.content_type == part.content_type


def test_a_line_like_a_delimiter_cannot_end_the_part() -> None:
    for encoding in ENCODINGS:
        raw = two_parts(b"old\r\n-- \r\n", f"Content-Transfer-Encoding: {encoding}\r\n".encode())
        part = read_parts(raw).children[0]
        for text in ("--b", "x\r\n--b\r\nContent-Type: text/html\r\n\r\n<script>", "--b--", "x\n--b\ny", "x\r--b\ry", "y" * 72 + "--b\r\n"):
            new = splice(raw, replace_text(raw, part, text))
            again = read_parts(new)
            assert len(again.children) == 2 and text_to_edit(new, again.children[0]) == text, (encoding, text)
            assert len(email.message_from_bytes(new).get_payload()) == 2


def test_an_empty_part_between_delimiters_that_share_a_line_end() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--"
    new = splice(raw, replace_text(raw, read_parts(raw).children[0], "hi"))
    assert new == raw.replace(b"--b\r\n--b\r\n", b"--b\r\n\r\nhi\r\n--b\r\n")


def test_several_parts_in_one_splice() -> None:
    alternative = b"--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<b>\xc3\xa9</b>\r\n--b--\r\n"
    raw = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n" + alternative
    edits = [edit for part in find_text_parts(read_parts(raw)) for edit in replace_text(raw, part, (text_to_edit(raw, part) or "") + "!")]
    assert splice(raw, edits) == raw.replace(b"plain\r\n", b"plain!\r\n").replace(b"</b>", b"</b>!")


@pytest.mark.parametrize(
    ("text", "charset", "encoding", "body", "new_charset", "new_encoding"),
    [
        ("é", "utf-8", "8bit", "é".encode(), "utf-8", "8bit"),
        ("¥", "shift_jis", "7bit", b"wqU=\r\n", "utf-8", "base64"),  # Python would write a backslash
        ("From é\r\nFrom --\r\n--From", "utf-8", "7bit", b"=46rom =C3=A9\r\n=46rom --\r\n=2D-From", "utf-8", "quoted-printable"),
        ("é", "utf-8", "7bit", b"=C3=A9", "utf-8", "quoted-printable"),
        ("é", "iso-8859-1", "quoted-printable", b"=E9", "iso-8859-1", "quoted-printable"),
        ("€", "iso-8859-1", "quoted-printable", b"4oKs\r\n", "utf-8", "base64"),
        ("€", "", "7bit", b"4oKs\r\n", "utf-8", "base64"),
        ("a", "", "7bit", b"a", "", "7bit"),
        ("a", "utf-8", "x-unknown", b"YQ==\r\n", "utf-8", "base64"),
        ("\ud800", "utf-8", "8bit", b"Pw==\r\n", "utf-8", "base64"),
        ("a\udce9", "us-ascii", "8bit", b"a\xe9", "us-ascii", "8bit"),
        ("", "utf-8", "base64", b"", "utf-8", "base64"),
        ("x" * 58, "utf-8", "base64", base64.b64encode(b"x" * 57) + b"\r\neA==\r\n", "utf-8", "base64"),
    ],
)
def test_encode_text(text: str, charset: str, encoding: str, body: bytes, new_charset: str, new_encoding: str) -> None:
    encoded = encode_text(text, charset, encoding)
    assert (encoded.body, encoded.charset, encoded.encoding) == (body, new_charset, new_encoding)


def test_quoted_printable_is_what_the_standard_library_reads() -> None:
    octets = bytes(range(256)) * 3 + b"\r\n" + b" \t" * 50 + b"\r\n" + b"=" * 80
    text = octets.decode("latin-1")
    body = encode_text(text, "iso-8859-1", "quoted-printable").body
    assert quopri.decodestring(body) == octets and body.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 76


def with_octets_read_as_utf8(text: str | None, added: str) -> str | None:
    """The part was ASCII by name and gets UTF-8 as its charset: its other octets, which are kept, may now be characters."""
    return None if text is None else (text + added).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def test_every_shown_text_of_real_mail_can_be_changed_and_put_back() -> None:
    mails = sorted(p for p in BOUNCES.rglob("*") if p.is_file()) if BOUNCES.is_dir() else []
    if not mails:
        pytest.skip(f"no sample mails in {BOUNCES.resolve()}")
    edited = 0
    for path in mails:
        raw = path.read_bytes()
        parts = find_text_parts(read_parts(raw))
        texts = [text_to_edit(raw, part) for part in parts]
        edits = [edit for part, text in zip(parts, texts, strict=True) if text is not None for edit in replace_text(raw, part, text + "é€")]
        new = splice(raw, edits)
        again = find_text_parts(read_parts(new))
        assert [text_to_edit(new, part) for part in again] == [with_octets_read_as_utf8(text, "é€") for text in texts], path.name
        assert [p.content_type for p in read_parts(new).walk()] == [p.content_type for p in read_parts(raw).walk()], path.name
        edited += len(edits) > 0
    assert edited > 600
