"""Where the parts stand, by RFC 2046's rules and in real mail; oracle: the standard library where the mail is well-formed."""

import email
from email.message import Message
from pathlib import Path

import pytest

from estafette.mail.header import MAX_FIELDS, MAX_HEADER_OCTETS, read_header
from estafette.mail.mime import MAX_DEPTH, MAX_LOOKALIKES, MAX_PARTS, MESSAGE_TYPES, MimeError, Part, find_text_parts, read_parts

BOUNCES = Path(__file__).parents[2] / "../shared/data/bounces/mail"


def multipart(body: bytes, boundary: bytes = b"b", subtype: bytes = b"mixed") -> bytes:
    return b'MIME-Version: 1.0\r\nContent-Type: multipart/' + subtype + b'; boundary="' + boundary + b'"\r\n\r\n' + body


def bodies(raw: bytes) -> list[bytes]:
    return [raw[child.start : child.end] for child in read_parts(raw).children]


def shape(part: Part) -> object:
    return (part.content_type, [shape(child) for child in part.children]) if part.children else part.content_type


def at(raw: bytes, content_type: str) -> Part:
    """The first part of this type."""
    return next(p for p in read_parts(raw).walk() if p.content_type == content_type)


RFC_2046_5_1_1 = (
    b"From: Nathaniel Borenstein <nsb@bellcore.com>\r\nTo: Ned Freed <ned@innosoft.com>\r\nSubject: Sample message\r\nMIME-Version: 1.0\r\n"
    b'Content-type: multipart/mixed; boundary="simple boundary"\r\n\r\n'
    b"This is the preamble.  It is to be ignored, though it\r\nis a handy place for composition agents to include an\r\nexplanatory note.\r\n\r\n"
    b"--simple boundary\r\n\r\nThis is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n"
    b"--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n"
    b"This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n"
    b"--simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n"
)  # fmt: skip


def test_the_example_of_rfc_2046() -> None:
    raw = RFC_2046_5_1_1
    root = read_parts(raw)
    one, two = root.children
    assert raw[one.body_start : one.body_end] == b"This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak."
    assert raw[two.body_start : two.body_end] == b"This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n"
    assert (one.content_type, one.charset, one.encoding, one.header.fields) == ("text/plain", "", "7bit", ())
    assert (two.content_type, two.charset) == ("text/plain", "us-ascii")
    (field,) = two.header.fields
    assert raw[field.start : field.end] == b"Content-type: text/plain; charset=us-ascii\r\n", "offsets are those of the mail"
    assert (root.start, root.end, root.body_end) == (0, len(raw), len(raw)) and raw[root.body_start :].startswith(b"This is the preamble")


BOUNDARIES = [
    ("plain", b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"\r\none", b"\r\ntwo"]),
    ("no line end at the end", b"--b\r\n\r\none\r\n--b--", [b"\r\none"]),
    ("preamble and epilogue", b"pre\r\n--b\r\n\r\none\r\n--b--\r\nepi\r\n--b\r\nnot\r\n", [b"\r\none"]),
    ("trailing blanks", b"--b \t \r\n\r\none\r\n--b--  \t\r\n", [b"\r\none"]),
    ("longer boundary is another", b"--b\r\n\r\none\r\n--bb\r\n\r\nstill\r\n--b-\r\n--b---\r\n--b--x\r\n--b x\r\n--b--\r\n",
     [b"\r\none\r\n--bb\r\n\r\nstill\r\n--b-\r\n--b---\r\n--b--x\r\n--b x"]),
    ("case counts", b"--b\r\n\r\none\r\n--B\r\n--b--", [b"\r\none\r\n--B"]),
    ("not at the start of a line", b"--b\r\n\r\none --b\r\n --b\r\n>--b\r\n--b--", [b"\r\none --b\r\n --b\r\n>--b"]),
    ("three dashes", b"--b\r\n\r\none\r\n---b\r\n--b--", [b"\r\none\r\n---b"]),
    ("missing end", b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n", [b"\r\none", b"\r\ntwo\r\n"]),
    ("missing end in a header", b"--b\r\nContent-Type: text/html", [b"Content-Type: text/html"]),
    ("cut inside of a delimiter", b"--b\r\n\r\none\r\n--", [b"\r\none\r\n--"]),
    ("cut behind a delimiter", b"--b\r\n\r\none\r\n--b", [b"\r\none"]),
    ("no delimiter", b"text\r\n", []),
    ("only the end", b"text\r\n--b--\r\n--b\r\n\r\nx\r\n", []),
    ("empty parts", b"--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--", [b"", b"", b"\r\n"]),
    ("the line end belongs to the delimiter", b"--b\r\n\r\none\r\n\r\n--b--", [b"\r\none\r\n"]),
    ("LF", b"--b\n\none\n--b\n\ntwo\n\n--b--\n", [b"\none", b"\ntwo\n"]),
    ("mixed line ends", b"--b\n\r\none\r\n--b\r\n\ntwo\n--b--\r\n", [b"\r\none", b"\ntwo"]),
    ("CR inside of a mail with LF", b"--b\r\n\r\none\r--b\r\n--b--", [b"\r\none\r--b"]),
    ("empty", b"", []),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in BOUNDARIES], ids=[case[0] for case in BOUNDARIES])
def test_delimiters(body: bytes, expected: list[bytes]) -> None:
    assert bodies(multipart(body)) == expected


def test_a_mail_of_bare_cr_is_read() -> None:
    raw = multipart(b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html;\r\n charset=utf-8\r\n\r\ntwo\r\nx\r\n--b--\r\n").replace(b"\r\n", b"\r")
    assert bodies(raw) == [b"\rone", b"Content-Type: text/html;\r charset=utf-8\r\rtwo\rx"]
    assert at(raw, "text/html").charset == "utf-8"


BOUNDARY_PARAMETERS = [
    (b"boundary=b", b"b"),
    (b'Boundary = "b"', b"b"),
    (b"charset=x; boundary=b; type=y", b"b"),
    (b'boundary="b "', b"b"),  # must not end in a blank; stripped like the blanks behind a delimiter
    (b'boundary="a b"', b"a b"),
    (b"boundary=\"'()+_,-./:=?\"", b"'()+_,-./:=?"),
    (b'boundary="a;b"', b"a;b"),
    (b'boundary="a\\"b"', b'a"b'),
    (b'boundary="b', b"b"),
    (b"boundary*0=long; boundary*1=er", b"longer"),
    (b"boundary*=us-ascii''b%20c", b"b c"),
    (b'boundary="\xe9"', b"\xe9"),  # not ASCII, not UTF-8: compared by octets
    (b'boundary="\xc3\xa9"', "é".encode()),
    (b"boundary=" + b"x" * 500, b"x" * 500),
    (b"\r\n\tboundary=b", b"b"),
    (b"boundary=b--", b"b--"),
    (b"boundary=.*", b".*"),
]


@pytest.mark.parametrize(("parameter", "boundary"), BOUNDARY_PARAMETERS)
def test_the_boundary_is_what_the_header_says(parameter: bytes, boundary: bytes) -> None:
    raw = b"Content-Type: multipart/mixed; " + parameter + b"\r\n\r\n--" + boundary + b"\r\n\r\none\r\n--" + boundary + b"--\r\n"
    assert bodies(raw) == [b"\r\none"]


@pytest.mark.parametrize("parameter", [b"", b"boundary", b"boundary=", b'boundary=""', b'boundary=" "', b"boundary*=utf-8''a%0Ab", b"boundary*=utf-8''a%0Db"])
def test_without_a_boundary_there_are_no_parts(parameter: bytes) -> None:
    assert bodies(b"Content-Type: multipart/mixed; " + parameter + b"\r\n\r\n--\r\n\r\none\r\n--a\nb\r\n--a\r\n----\r\n") == []


def test_nested_parts() -> None:
    inner = multipart(b"--bb\r\n\r\n1\r\n--bb\r\nContent-Type: text/html\r\n\r\n2\r\n--bb--\r\ninner epilogue", b"bb", b"alternative")
    raw = multipart(b"--b\r\n" + inner + b"\r\n--b\r\nContent-Type: image/png\r\n\r\n3\r\n--b--\r\n")
    assert shape(read_parts(raw)) == ("multipart/mixed", [("multipart/alternative", ["text/plain", "text/html"]), "image/png"])


def test_an_outer_delimiter_ends_everything_inside() -> None:
    inner = multipart(b"--i\r\n\r\n1\r\n", b"i")
    raw = multipart(b"--b\r\n" + inner + b"--b\r\nContent-Type: image/png\r\n\r\n3\r\n--i--\r\n--b--\r\n")
    assert shape(read_parts(raw)) == ("multipart/mixed", [("multipart/mixed", ["text/plain"]), "image/png"])
    assert bodies(raw)[1].endswith(b"--i--")


def test_the_same_boundary_inside_belongs_to_the_outer_part() -> None:
    raw = multipart(b"--b\r\n" + multipart(b"--b\r\n\r\n1\r\n--b--\r\n") + b"\r\n--b\r\n\r\n2\r\n--b--\r\n")
    assert shape(read_parts(raw)) == ("multipart/mixed", ["multipart/mixed", "text/plain"])


@pytest.mark.parametrize(
    ("field", "content_type"),
    [
        (b"", "text/plain"), (b"Content-Type:\r\n", "text/plain"), (b"Content-Type: text\r\n", "text/plain"), (b"Content-Type: text/\r\n", "text/plain"),
        (b"Content-Type: a/b/c\r\n", "text/plain"), (b"Content-Type: te xt/html\r\n", "text/plain"), (b"Content-Type: t\xe9xt/html\r\n", "text/plain"),
        (b"CONTENT-TYPE: Text/HTML\r\n", "text/html"), (b"Content-Type:\r\n text/html\r\n", "text/html"), (b"Content-Type : text/html\r\n", "text/html"),
        (b"Content-Type: text/html (comment); a=b\r\n", "text/html"), (b"Content-Type: text/html;\r\n", "text/html"),
        (b"Content-Type: application/vnd.x+json\r\n", "application/vnd.x+json"), (b"Content-Type: a/b\r\nContent-Type: c/d\r\n", "a/b"),
    ],
)  # fmt: skip
def test_the_content_type(field: bytes, content_type: str) -> None:
    assert read_parts(field + b"\r\nbody").content_type == content_type


@pytest.mark.parametrize(
    ("fields", "encoding", "disposition", "file_name"),
    [
        (b"", "7bit", "", ""),
        (b"Content-Transfer-Encoding: BASE64 \r\nContent-Disposition: Attachment; filename=a.txt\r\n", "base64", "attachment", "a.txt"),
        (b"Content-Transfer-Encoding: quoted-printable (x)\r\nContent-Disposition: inline\r\n", "quoted-printable", "inline", ""),
        (b"Content-Transfer-Encoding: base64;\r\n", "base64", "", ""),
        (b"Content-Transfer-Encoding:\r\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A9.png?=\"\r\n", "7bit", "", "é.png"),
        (b"Content-Disposition: attachment; filename*=utf-8''%C3%A9.txt; filename=e.txt\r\n", "7bit", "attachment", "é.txt"),
        (b'Content-Disposition: attachment; filename="\xe9.txt"\r\n', "7bit", "attachment", "\ufffd.txt"),
        (b'Content-Type: a/b; name=old\r\nContent-Disposition: inline; filename=new\r\n', "7bit", "inline", "new"),
    ],
)  # fmt: skip
def test_encoding_disposition_and_file_name(fields: bytes, encoding: str, disposition: str, file_name: str) -> None:
    part = read_parts(fields + b"\r\nbody")
    assert (part.encoding, part.disposition, part.file_name) == (encoding, disposition, file_name)


HEADERS = [
    (b"", [], b""),
    (b"\r\nbody", [], b"body"),
    (b"body only", [], b"body only"),
    (b"A: b\r\nbody without an empty line\r\n\r\nx", ["A"], b"body without an empty line\r\n\r\nx"),
    (b"A: b", ["A"], b""),
    (b"A: b\r\n", ["A"], b""),
    (b"A: b\r\n\r\n", ["A"], b""),
    (b"A: b\n\nbody", ["A"], b"body"),
    (b"A: b\r\rbody", ["A"], b"body"),
    (b"A: b\r\n\nbody", ["A"], b"body"),
    (b"From someone Mon Jan  1 00:00:00 2001\nA: b\n\nbody", ["A"], b"body"),
    (b">From someone\r\nA: b\r\n\r\nbody", ["A"], b"body"),
    (b"From someone", [], b""),
    (b"From: a@b.c\r\n\r\nx", ["From"], b"x"),
    (b"   \r\nA: b\r\n\r\nbody", ["A"], b"body"),
    (b"A: \0\r\n\r\n\0", ["A"], b"\0"),
    (b"A: b\r\n\tc\r\n \r\n d\r\nB: e\r\n\r\nx", ["A", "B"], b"x"),
    (b"\0\0\0", [], b"\0\0\0"),
]


@pytest.mark.parametrize(("raw", "names", "body"), HEADERS)
def test_whatever_stands_at_the_top_is_read(raw: bytes, names: list[str], body: bytes) -> None:
    part = read_parts(raw)
    assert [f.name for f in part.header] == names and raw[part.body_start : part.body_end] == body


@pytest.mark.parametrize("raw", [b"", b"\r\nx", b"A: b", b"A: b\r\n\r\n", RFC_2046_5_1_1, b"A:b\r\n\tc\r\nD : e\r\n\r\nbody"])
def test_a_good_header_is_what_read_header_says(raw: bytes) -> None:
    assert read_parts(raw).header == read_header(raw)


PROTECTED = [b"multipart/signed", b"multipart/encrypted", b"message/rfc822", b"message/global", b"multipart/mixed"]


@pytest.mark.parametrize("content_type", PROTECTED)
def test_signed_encrypted_and_enclosed_mail_is_protected_to_the_ground(content_type: bytes) -> None:
    html = b"Content-Type: text/html\r\n\r\n<p>\r\n"
    if content_type.startswith(b"multipart/"):
        sealed = multipart(b"--s\r\n" + multipart(b"--t\r\n" + html + b"--t--\r\n", b"t") + b"\r\n--s--\r\n", b"s", content_type[10:])
    else:
        sealed = b"Content-Type: " + content_type + b"\r\n\r\n" + multipart(b"--t\r\n" + html + b"--t--\r\n", b"t")
    raw = multipart(b"--b\r\n" + html + b"--b\r\n" + sealed + b"\r\n--b--\r\n")
    root = read_parts(raw)
    expected = content_type != b"multipart/mixed"
    assert not root.is_protected and not root.children[0].is_protected
    below = list(root.children[1].walk())
    assert len(below) >= 3 and [p.is_protected for p in below] == [expected] * len(below)
    assert len(find_text_parts(root)) == (1 if expected else 2)


@pytest.mark.parametrize("content_type", ["application/pkcs7-mime", "application/x-pkcs7-mime"])
def test_smime_is_protected(content_type: str) -> None:
    assert read_parts(f"Content-Type: {content_type}; smime-type=enveloped-data\r\n\r\nx".encode()).is_protected


def test_a_digest_holds_mails() -> None:
    raw = multipart(b"--b\r\n\r\nSubject: one\r\n\r\n1\r\n--b\r\nContent-Type: text/plain\r\n\r\n2\r\n--b--", b"b", b"digest")
    assert shape(read_parts(raw)) == ("multipart/digest", [("message/rfc822", ["text/plain"]), "text/plain"])
    assert read_parts(raw).children[0].children[0].header.fields[0].value == "one"


def test_an_encoded_mail_in_the_mail_is_a_leaf() -> None:
    part = read_parts(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYg0KDQp4")
    assert part.children == () and part.is_protected


SHOWN = [
    ("a lone text", b"Subject: x\r\n\r\nhi", ["text/plain"]),
    ("a lone html", b"Content-Type: text/html\r\n\r\nhi", ["text/html"]),
    ("another text", b"Content-Type: text/calendar\r\n\r\nhi", []),
    ("attached", b"Content-Disposition: attachment\r\n\r\nhi", []),
    ("named", b"Content-Disposition: inline; filename=a.txt\r\n\r\nhi", []),
    ("named by its type", b"Content-Type: text/html; name=a.html\r\n\r\nhi", []),
    ("inline", b"Content-Type: text/html\r\nContent-Disposition: inline\r\n\r\nhi", ["text/html"]),
    ("alternatives", multipart(b"--b\r\n\r\n1\r\n--b\r\nContent-Type: text/html\r\n\r\n2\r\n--b--", b"b", b"alternative"), ["text/plain", "text/html"]),
    ("related to its first part", multipart(b"--b\r\nContent-Type: text/html\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--", b"b", b"related"), ["text/html"]),
    ("related to its start", multipart(b"--b\r\n\r\n1\r\n--b\r\nContent-ID: <h>\r\nContent-Type: text/html\r\n\r\n2\r\n--b--", b'b"; start="<h>', b"related"),
     ["text/html"]),
    ("related to a start that is not there", multipart(b"--b\r\n\r\n1\r\n--b\r\nContent-Type: text/html\r\n\r\n2\r\n--b--", b'b"; start="<h>', b"related"),
     ["text/plain"]),
    ("related to nothing", multipart(b"", b"b", b"related"), []),
    ("text and attachment and footer",
     multipart(b"--b\r\n\r\n1\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\n2\r\n--b\r\n\r\nfooter\r\n--b--"),
     ["text/plain", "text/plain"]),
    ("multipart without parts", multipart(b"nothing"), []),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), [case[1:] for case in SHOWN], ids=[case[0] for case in SHOWN])
def test_what_a_reader_is_shown(raw: bytes, expected: list[str]) -> None:
    assert [p.content_type for p in find_text_parts(read_parts(raw))] == expected


def nested(depth: int) -> bytes:
    raw = b"\r\nx"
    for level in reversed(range(depth)):
        name = b"b%d." % level
        raw = multipart(b"--" + name + b"\r\n" + raw + b"\r\n--" + name + b"--\r\n", name)
    return raw


def test_limits() -> None:
    assert len(list(read_parts(nested(MAX_DEPTH)).walk())) == MAX_DEPTH + 1
    assert len(read_parts(multipart(b"--b\r\n\r\n" * (MAX_PARTS - 1))).children) == MAX_PARTS - 1
    assert bodies(multipart(b"--b\r\n" + b"\r\n--bx" * MAX_LOOKALIKES)) == [b"\r\n--bx" * MAX_LOOKALIKES]
    assert len(read_parts(b"A: b\r\n" * MAX_FIELDS + b"\r\n").header.fields) == MAX_FIELDS


@pytest.mark.parametrize(
    "raw",
    [
        nested(MAX_DEPTH + 1),
        b"Content-Type: message/rfc822\r\n\r\n" * (MAX_DEPTH + 1),
        multipart(b"--b\r\n\r\n" * MAX_PARTS),
        multipart(b"--b\r\n\r\n" * 2_000_000),
        multipart(b"--b\r\n" + b"\r\n--bx" * (MAX_LOOKALIKES + 1)),
        b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n",
        b"A: " + b"x" * MAX_HEADER_OCTETS + b"\r\n\r\n",
        multipart(b"--b\r\n" + b"A: b\r\n" * (MAX_FIELDS + 1)),
    ],
    ids=["multiparts", "messages", "parts", "very many parts", "lookalikes", "fields", "header", "fields of a part"],
)
def test_past_the_limits_is_a_mime_error(raw: bytes) -> None:
    with pytest.raises(MimeError):
        read_parts(raw)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit", [b"--b", b"\r\n", b"\r\n--", b"\r\n--b", b"-", b"\n", b"\r", b" ", b"--b\r\n \r\n", b"\r\n--b--", b"A:\r\n ", b"\r\n--b" + b" " * 1000]
)
def test_hostile_mail_takes_linear_time(unit: bytes) -> None:
    """Quadratic time would be hours here, not seconds."""
    many = unit * (3_000_000 // len(unit))
    for raw in (many, multipart(many), multipart(b"--b\r\n" + many), multipart(many, b"-"), b"Content-Type: text/plain; boundary=" + many[:200_000]):
        try:
            read_parts(raw)
        except MimeError:
            pass


# Real mail


def real_mails() -> list[Path]:
    return sorted(p for p in BOUNCES.rglob("*") if p.is_file()) if BOUNCES.is_dir() else []


def leaves_of_stdlib(message: Message) -> list[str]:
    """Content types of the leaves; of the message types only those that we take apart, too."""
    if message.is_multipart() and (message.get_content_maintype() == "multipart" or message.get_content_type() in MESSAGE_TYPES):
        return [leaf for child in message.get_payload() for leaf in leaves_of_stdlib(child)]  # type: ignore[union-attr, arg-type]
    return [message.get_content_type()]


@pytest.fixture(scope="module")
def corpus() -> list[Path]:
    mails = real_mails()
    if not mails:
        pytest.skip(f"no sample mails in {BOUNCES.resolve()}")
    return mails


def test_real_mail_is_read_as_the_standard_library_reads_it(corpus: list[Path]) -> None:
    compared = 0
    for path in corpus:
        raw = path.read_bytes()
        ours = [p.content_type for p in read_parts(raw).walk() if not p.children]
        message = email.message_from_bytes(raw)
        if any(part.defects for part in message.walk()):
            continue
        compared += 1
        assert ours == leaves_of_stdlib(message), path.name
    assert compared > 600


def test_parts_of_real_mail_stand_where_they_say(corpus: list[Path]) -> None:
    for path in corpus:
        raw = path.read_bytes()
        for part in read_parts(raw).walk():
            assert part.start <= part.header.end <= part.body_start <= part.body_end == part.end, path.name
            assert all(raw[f.start : f.end].startswith(f.name.encode()) and f.raw_value in raw[f.start : f.end] for f in part.header), path.name
            position = part.body_start
            for child in part.children:
                assert position <= child.start <= child.end <= part.end, path.name
                position = child.end
