"""Whatever is generated: what was written reads back, what was not asked for stays, and nothing hostile raises."""

from dataclasses import replace
from email.header import decode_header, make_header

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from estafette.mail.address import Address, AddressError, Mailbox, parse, parse_mailboxes
from estafette.mail.header import Header, HeaderError, format_mailbox, make_field, read_header, without
from estafette.mail.mime import MimeError, Part, find_text_parts, read_parts
from estafette.mail.mime_edit import KNOWN_ENCODINGS, Edit, decode, encode_text, replace_text, splice, text_of, text_to_edit
from estafette.mail.parameters import read_value
from estafette.mail.token import Keyring, make_return_path, make_token, read_return_path, read_token
from estafette.mail.words import decode_words, encode_parameter, encode_words

RING = Keyring(3, {3: bytes(32)})
EXAMPLES = settings(max_examples=300, deadline=None)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SHOWN = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))  # what a header can carry and give back

LINE_END = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])
NAMES = [b"b", b"bb", b"b-", b"=_x", b"a b"]
TYPES = [b"text/plain", b"text/html; charset=utf-8", b"image/png", b"text/html; name=x", b"message/rfc822", b"nonsense", b"message/delivery-status"]
ENCODING_FIELDS = [b"", b"", *(b"Content-Transfer-Encoding: " + name + b"\r\n" for name in (b"base64", b"quoted-printable", b"8bit"))]


@st.composite
def wholes(draw: st.DrawFn, depth: int = 3) -> bytes:
    """A mail or a part, well or not so well formed: nested, with missing delimiters, preambles, boundaries that begin alike or are the same."""
    if depth and draw(st.booleans()):
        name, end = draw(st.sampled_from(NAMES)), draw(LINE_END)
        subtype = draw(st.sampled_from([b"mixed", b"alternative", b"related", b"digest", b"signed"]))
        pieces = [b"Content-Type: multipart/" + subtype + b'; boundary="' + name + b'"' + end + end]
        pieces.append(draw(st.sampled_from([b"", b"pre\r\n", b"\r\n"])))
        for _ in range(draw(st.integers(0, 3))):
            pieces += [b"--" + name + draw(st.sampled_from([b"", b" \t"])) + end, draw(wholes(depth - 1)), draw(st.sampled_from([end, end, end + end, b""]))]
        pieces.append(draw(st.sampled_from([b"--" + name + b"--" + end, b"--" + name + b"--", b"", b"--" + name, end + b"epilogue"])))
        return b"".join(pieces)
    fields = draw(st.sampled_from(["", "Content-Type: %s\r\n", "X:\r\n\ty\r\nContent-Type: %s\r\n"])).encode()
    fields = fields % draw(st.sampled_from(TYPES)) if b"%s" in fields else fields
    return fields + draw(st.sampled_from(ENCODING_FIELDS)) + draw(st.sampled_from([b"\r\n", b"\r\n", b"\n", b""])) + draw(lines())


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    pool = st.sampled_from([b"", b"text", b"--b", b"--bb", b"-- ", b"--", b"=3D=", b"\xe9\xff", b"aGk=", b"A: b", b"--b--", b"From x", b" ", b"x" * 100])
    return b"".join(draw(pool) + draw(LINE_END) for _ in range(draw(st.integers(0, 4)))) + draw(pool)


def moved(part: Part, by: int) -> Part:
    """The same part in a mail that begins `by` octets earlier."""
    fields = tuple(f._replace(start=f.start + by, end=f.end + by) for f in part.header.fields)
    header = Header(fields, part.header.end + by, part.header.body_start + by)
    return replace(part, start=part.start + by, end=part.end + by, header=header, children=tuple(moved(child, by) for child in part.children))


def without_context(part: Part) -> Part:
    """What a part cannot know alone: whether it is protected from above."""
    return replace(part, is_protected=False, children=tuple(without_context(child) for child in part.children))


@given(wholes())
@EXAMPLES
def test_parts_cover_the_mail_and_do_not_overlap(raw: bytes) -> None:
    root = read_parts(raw)
    assert (root.start, root.end) == (0, len(raw))
    for part in root.walk():
        assert part.start <= part.header.end <= part.body_start <= part.body_end == part.end
        pieces, position = [], part.body_start
        for child in part.children:
            assert position <= child.start <= child.end <= part.end
            pieces += [raw[position : child.start], raw[child.start : child.end]]
            if part.content_type.startswith("multipart/"):
                boundary = part.parameters["boundary"].encode()
                assert raw[position : child.start].rstrip(b" \t\r\n").endswith(b"--" + boundary), "a delimiter stands before every part"
            position = child.end
        assert b"".join([*pieces, raw[position : part.end]]) == raw[part.body_start : part.body_end]
        first = part.header.fields[0].start if part.header.fields else part.header.end
        assert b"".join(raw[f.start : f.end] for f in part.header) == raw[first : part.header.end]


@given(wholes())
@EXAMPLES
def test_the_slice_of_every_part_reads_as_the_same_part(raw: bytes) -> None:
    for part in read_parts(raw).walk():
        if part.content_type == "message/rfc822" and part.header.first("content-type") is None:
            continue  # it is one because it stands in a digest
        alone = raw[part.start : part.end]
        if b"\n" in alone or b"\r" not in alone:
            assert without_context(moved(read_parts(alone), part.start)) == without_context(part)


@given(wholes(), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 20), st.binary(max_size=5)), max_size=6))
@EXAMPLES
def test_splice_changes_what_is_asked_and_nothing_else(raw: bytes, wanted: list[tuple[int, int, bytes]]) -> None:
    assert splice(raw, []) is raw
    edits: list[Edit] = []
    position = 0
    for skip, length, replacement in wanted:
        start = min(position + skip % 40, len(raw))
        position = min(start + length, len(raw))
        edits.append(Edit(start, position, replacement))
    expected = bytearray(raw)
    for edit in reversed(edits):
        expected[edit.start : edit.end] = edit.replacement
    assert splice(raw, edits) == bytes(expected)
    assert splice(raw, [Edit(e.start, e.end, raw[e.start : e.end]) for e in edits]) == raw


@given(wholes(), TEXT)
@EXAMPLES
def test_a_part_with_another_text_has_it_and_all_other_parts_stay(raw: bytes, text: str) -> None:
    root = read_parts(raw)
    shown = find_text_parts(root)
    assume(shown)
    part = shown[-1]
    assume(text_to_edit(raw, part) is not None)
    new = splice(raw, replace_text(raw, part, text))
    assert new[: part.start] == raw[: part.start] and new.endswith(raw[part.end :])
    again = read_parts(new)
    assert [p.content_type for p in again.walk()] == [p.content_type for p in root.walk()]
    index = list(root.walk()).index(part)
    for i, (before, after) in enumerate(zip(root.walk(), again.walk(), strict=True)):
        if i == index:
            assert text_to_edit(new, after) == text
        elif not before.children:
            assert raw[before.start : before.end] == new[after.start : after.end]


@given(wholes())
@EXAMPLES
def test_a_text_put_back_unchanged_loses_no_octet(raw: bytes) -> None:
    for part in find_text_parts(read_parts(raw)):
        text = text_to_edit(raw, part)
        if text is not None:
            new = splice(raw, replace_text(raw, part, text))
            again = next(p for p in read_parts(new).walk() if p.start == part.start and not p.children)
            assert decode(new, again) == decode(raw, part)


@given(TEXT, st.sampled_from(["utf-8", "us-ascii", "iso-8859-1", "", "koi8-r", "shift_jis"]), st.sampled_from(sorted(KNOWN_ENCODINGS)))
@EXAMPLES
def test_an_encoded_text_is_the_text(text: str, charset: str, encoding: str) -> None:
    new = encode_text(text, charset, encoding)
    raw = f"Content-Type: text/plain; charset={new.charset}\r\nContent-Transfer-Encoding: {new.encoding}\r\n\r\n".encode() + new.body
    part = read_parts(raw)
    assert text_of(raw, part) == text
    assert new.encoding in ("8bit", "binary") or new.body.isascii()
    assert all(len(line) <= 998 for line in new.body.split(b"\r\n"))


TOPS = [
    b"", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", b"Content-Type: text/html\r\nContent-Transfer-Encoding: ", b"Content-Type: text/plain; x"
]  # fmt: skip


@given(st.binary(max_size=400), st.sampled_from(TOPS))
@EXAMPLES
def test_no_mail_raises_anything_but_mime_error(octets: bytes, before: bytes) -> None:
    raw = before + octets
    try:
        root = read_parts(raw)
    except MimeError:
        return
    for part in root.walk():
        decode(raw, part)
        text_of(raw, part).encode("utf-8")
        text = text_to_edit(raw, part)
        if text is not None:
            splice(raw, replace_text(raw, part, text + "€"))


# Headers, words, addresses, tokens


FIELDS = st.tuples(st.from_regex(r"\A[A-Za-z][A-Za-z0-9-]{0,20}\Z"), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")))


@given(st.lists(FIELDS, max_size=8), st.binary(max_size=50))
@EXAMPLES
def test_made_fields_read_back_in_order_and_can_be_taken_off(fields: list[tuple[str, str]], body: bytes) -> None:
    made = []
    for name, text in fields:
        try:
            made.append((name, make_field(name, text)))
        except HeaderError:
            assume(False)
    raw = b"".join(octets for _, octets in made) + b"\r\n" + body
    header = read_header(raw)
    assert [f.name for f in header] == [name for name, _ in made] and raw[header.body_start :] == body
    assert [raw[f.start : f.end] for f in header] == [octets for _, octets in made]
    kept = b"".join(octets for name, octets in made if name.lower() > "m")
    assert without(raw, header, lambda f: f.key <= "m") == kept + b"\r\n" + body


@given(SHOWN)
@EXAMPLES
def test_a_header_text_reads_back_here_and_in_the_standard_library(text: str) -> None:
    text = text.strip()
    made = make_field("Subject", text)
    (field,) = read_header(made).fields
    assert field.text == text
    assert all(len(line) <= 998 for line in made.split(b"\r\n")) and made.isascii()
    assert str(make_header(decode_header(field.value))) == text


@given(st.text(), st.text())
@EXAMPLES
def test_no_text_injects_a_line(name: str, value: str) -> None:
    try:
        made = make_field(name, value)
    except HeaderError:
        return
    header = read_header(made + b"\r\nbody")
    assert len(header.fields) == 1 and header.body_start == len(made) + 2
    assert made.count(b"\n") == made.count(b"\r") == made.count(b"\r\n")


@given(st.text(max_size=200))
@EXAMPLES
def test_words_read_back(text: str) -> None:
    words = encode_words(text)
    assert all(len(word) <= 75 for word in words)
    decode_words(text).encode("utf-8", "surrogatepass")
    decoded = decode_words(" ".join(words))
    assert len(decoded) == len(text) and not set(decoded) & set("\r\n\0")


@given(SHOWN)
@EXAMPLES
def test_parameters_read_back(value: str) -> None:
    assert read_value("a/b; " + encode_parameter("name", value)) == ("a/b", {"name": value})


@given(st.text(max_size=100))
@EXAMPLES
def test_read_value_never_raises(text: str) -> None:
    main, parameters = read_value(text)
    assert main == main.strip() and all(name == name.lower() for name in parameters)


ADDRESSES = st.builds(
    lambda local, domain: Address(local, domain),
    st.one_of(st.from_regex(r"\A[a-zA-Z0-9+_=-]{1,10}(\.[a-z]{1,5}){0,2}\Z"), st.from_regex(r'\A"([ !#-\[\]-~]|\\[ -~]){0,20}"\Z')),
    st.sampled_from(["example.com", "xn--bcher-kva.example", "[192.0.2.1]", "[IPv6:2001:db8::1]"]),
)


@given(st.lists(st.builds(Mailbox, SHOWN.map(lambda t: " ".join(t.split())), ADDRESSES), max_size=4))
@EXAMPLES
def test_mailboxes_read_back(mailboxes: list[Mailbox]) -> None:
    assert parse_mailboxes(", ".join(map(format_mailbox, mailboxes))) == mailboxes


@given(st.one_of(st.text(), st.text('"\\@.<>(),:;[] a%', max_size=30)))
@EXAMPLES
def test_an_address_is_valid_or_an_address_error(text: str) -> None:
    found: list[Mailbox] = []
    said = ""
    try:
        found.append(Mailbox("", parse(text)))
        found += parse_mailboxes(text)
    except AddressError as error:
        said = str(error)
    assert said.isprintable()
    assert all(parse(str(m.address)) == m.address and not set(f"{m.name}{m.address}") & set("\r\n\0") for m in found)


@given(st.text('"\\@.<>(),:;[] \r\n=?a', max_size=40))
@EXAMPLES
def test_a_list_of_mailboxes_is_valid_or_an_address_error(text: str) -> None:
    try:
        found = parse_mailboxes(f"{text} <a@b.c>")
    except AddressError:
        return
    assert found and all(parse(str(m.address)) == m.address and not set(f"{m.name}{m.address}") & set("\r\n\0") for m in found)


@given(st.integers(0, 2**53), st.binary(max_size=60), st.data())
@EXAMPLES
def test_tokens_open_and_touched_ones_do_not(message_id: int, payload: bytes, data: st.DataObject) -> None:
    local = make_return_path(message_id, RING, "x.y").partition("@")[0]
    token = make_token("k", payload, RING)
    folded = "".join(c.upper() if data.draw(st.booleans()) else c for c in local)
    assert read_return_path(folded, RING) == message_id and read_token("k", token, RING) == payload
    at, char = data.draw(st.integers(0, len(local) - 1)), data.draw(st.characters())
    touched = local[:at] + char + local[at + 1 :]
    assert touched.lower() == local or read_return_path(touched, RING) is None
    at = data.draw(st.integers(0, len(token) - 1))
    assert token[at] == char or read_token("k", token[:at] + char + token[at + 1 :], RING) is None
