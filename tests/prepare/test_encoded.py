"""Texts with slots in every transfer encoding. Oracles: the standard library decodes what was written; canonical pieces are the canonical body."""

import base64
import binascii
import quopri

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from estafette.mail.dkim import body_hash, canonical_body
from estafette.prepare.encoded import encode_items
from estafette.prepare.pieces import Item, Place, Template, canonical_pieces, items_of, settled, template_of, weave
from estafette.prepare.quoted import edit_quoted, read_quoted

SIZES = [0, 5, 32, 32, 29]
VALUES = [b"any=size@x.example", b"--abc", b"A" * 32, b"--" + b"_" * 30, b"z" * 29]

_WORDS = ["a", " ", "  ", "\t", "\r\n", "\r\n\r\n", "=", "é", "日本", "--b", "From x", ".", "x" * 70, '<a href="', "\udce9"]
_CONSTANT = st.lists(st.sampled_from(_WORDS), max_size=8).map("".join)
ITEMS = st.lists(st.one_of(_CONSTANT, st.integers(0, len(SIZES) - 1)), max_size=12)


def wire(items: list[Item], charset: str, encoding: str) -> tuple[Template, bytes, str]:
    encoded, used = encode_items(items, charset, charset, encoding, SIZES)
    template = template_of(encoded)
    return template, weave(template.pieces, template.filled(VALUES)), used


def said(items: list[Item], charset: str) -> bytes:
    return b"".join(item.encode(charset, "surrogateescape") if isinstance(item, str) else VALUES[item] for item in items)


def decoded(body: bytes, encoding: str) -> bytes:
    return {"base64": base64.b64decode, "quoted-printable": binascii.a2b_qp}.get(encoding, bytes)(body)


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@given(items=ITEMS)
@example(items=["x" * 57, 2, 2, "x"])
@example(items=[2, "x" * 25, 2])
@example(items=["x", 0, "y" * 100, 2])
@example(items=[2, 0, 0, 2])
@example(items=["\r\n", 3, "\r\n", 3, "--", 1])
def test_what_is_written_says_what_was_meant(encoding: str, items: list[Item]) -> None:
    _, body, used = wire(items, "utf-8", encoding)
    assert decoded(body, used) == said(items, "utf-8")
    if used in ("quoted-printable", "base64"):
        assert max(map(len, body.split(b"\r\n"))) <= 76
    assert used == encoding or (encoding == "8bit" and used == "quoted-printable")


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@given(items=ITEMS, before=st.sampled_from([b"", b"--b\r\n \t \r\n", b"x "]), after=st.sampled_from([b"", b" ", b"\r\n\r\n", b" \r\n x\t\r\n\r\n"]))
def test_pieces_are_canonical_one_by_one(encoding: str, items: list[Item], before: bytes, after: bytes) -> None:
    encoded, _ = encode_items(items, "utf-8", "utf-8", encoding, SIZES)
    template = template_of([before, *encoded, after])
    filled = template.filled(VALUES)
    assert weave(canonical_pieces(template.pieces), filled) == canonical_body(weave(template.pieces, filled))


def test_canonical_pieces_also_where_there_are_nul_octets() -> None:
    pieces = (b"a  \0 \r\n", b"  b\0", b" \r\n\r\n")
    assert weave(canonical_pieces(pieces), [b"S", b"T"]) == canonical_body(weave(pieces, [b"S", b"T"]))
    assert body_hash(b"a\0  b") == body_hash(b"".join(canonical_pieces((b"a\0  b",))))


def test_base64_lines_without_a_value_are_encoded_once() -> None:
    template, _, _ = wire(["x" * 5700, 2, "y" * 5700, 3, "z" * 5700], "utf-8", "base64")
    assert len(template.slots) == 2
    assert all(len(filled) <= 2 * 76 + 2 for filled in template.filled(VALUES))


@pytest.mark.parametrize(("length", "used"), [(900, "7bit"), (960, "7bit"), (967, "quoted-printable"), (2000, "quoted-printable")])
def test_lines_that_grow_too_long_change_the_encoding(length: int, used: str) -> None:
    _, body, encoding = wire(["\r\n" + "x" * length, 2, "\r\n" + "y" * 990], "ascii", "7bit")
    assert encoding == used and decoded(body, used) == said(["\r\n" + "x" * length, 2, "\r\n" + "y" * 990], "ascii")


# -- quoted-printable in place --------------------------------------------------------------------------------------------------


def quoted_by_the_library(text: str) -> bytes:
    """As mailers write it: CRLF at line ends, blanks there encoded."""
    lines = []
    for line in text.split("\r\n"):
        octets = quopri.encodestring(line.encode("utf-8", "surrogateescape")).replace(b"\n", b"\r\n")
        lines.append(octets[:-1] + b"=%02X" % octets[-1] if octets.endswith((b" ", b"\t")) else octets)
    return b"\r\n".join(lines)


PLACES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40), st.lists(st.one_of(st.sampled_from(["", "https://x/", "--", "a = b", "\r\n\r\nfooter"]),
                                                                                 st.integers(0, len(SIZES) - 1)), max_size=3)), max_size=6)  # fmt: skip


@given(_CONSTANT, st.text(alphabet="aé=\r\n -.\U0001f600", max_size=300), PLACES)
def test_in_place_is_as_anew(start: str, rest: str, wanted: list[tuple[int, int, list[Item]]]) -> None:
    text = (start + rest).replace("\r", "").replace("\n", "\r\n")
    quoted = read_quoted(quoted_by_the_library(text))
    if quoted is None:
        return  # the library leaves a blank before a soft line break it should not: not well-formed
    assert quoted.octets.decode("utf-8", "surrogateescape") == text
    places: list[Place] = settled([(min(at, len(text)), min(at + size, len(text)), inside) for at, size, inside in wanted])
    if any(text[at - 1 : at + 1] == "\r\n" for place in places for at in place[:2]):
        return  # no text is cut inside of a line end
    template = template_of(edit_quoted(quoted, text, places, "utf-8", SIZES))
    body = weave(template.pieces, template.filled(VALUES))
    assert binascii.a2b_qp(body) == said(items_of(text, places), "utf-8")
    assert max(map(len, body.split(b"\r\n"))) <= 76


@given(_CONSTANT)
def test_in_place_without_a_place_changes_nothing(text: str) -> None:
    body = quoted_by_the_library(text)
    quoted = read_quoted(body)
    if quoted is not None:
        assert b"".join(item for item in edit_quoted(quoted, text, [], "utf-8", SIZES) if isinstance(item, bytes)) == body


@pytest.mark.parametrize("body", [b"=", b"x=", b"=4", b"=ZZ", b"==41", b"=\r\n=", b"a \r\n", b"a\t", b"a= \r\nb", b"a==\r\n", b"50=%", b"=e", b"=E9=", b"=\n"])
def test_what_is_not_well_formed_is_not_edited_in_place(body: bytes) -> None:
    assert read_quoted(body) is None


@given(st.lists(st.sampled_from([b"=", b"=E9", b"=e9", b"A", b"4", b"\r\n", b"=\r\n", b"x y", b"=3D", b"=20\r\n"]), max_size=30).map(b"".join))
def test_every_octet_is_found_where_it_stands(body: bytes) -> None:
    quoted = read_quoted(body)
    if quoted is None:
        return
    for offset in range(len(quoted.octets) + 1):
        place = quoted.place(offset)
        assert binascii.a2b_qp(body[:place]) == quoted.octets[:offset] and binascii.a2b_qp(body[place:]) == quoted.octets[offset:]


def test_a_full_line_has_room_for_its_soft_break() -> None:
    text = "x" * 76 + "\r\nnext"
    quoted = read_quoted(text.encode())
    assert quoted is not None
    template = template_of(edit_quoted(quoted, text, [(76, 76, [2])], "utf-8", SIZES))
    assert weave(template.pieces, template.filled(VALUES)) == b"x" * 75 + b"=\r\nx=\r\n" + b"A" * 32 + b"\r\nnext"
    escaped = "x" * 73 + "é"[:1]
    again = read_quoted(b"x" * 70 + b"=C3=A9\r\n")
    assert again is not None and escaped
    template = template_of(edit_quoted(again, "x" * 70 + "é\r\n", [(71, 71, [2])], "utf-8", SIZES))
    assert weave(template.pieces, template.filled(VALUES)) == b"x" * 70 + b"=C3=\r\n=A9=\r\n" + b"A" * 32 + b"\r\n"
