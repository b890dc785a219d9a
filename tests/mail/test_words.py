"""Encoded words, parameters and charset names; oracle: the standard library's reader."""

import base64
import codecs
import re
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value

import pytest

from estafette.mail.parameters import read_value
from estafette.mail.words import decode_words, encode_parameter, encode_words, find_codec

TEXTS = [
    "é", "Ünïcödé", "日本語" * 40, "😀" * 30, "a" * 200, "mixed é ascii " * 20, "=?utf-8?q?trap?=", "\u00a0nbsp", "👩\u200d💻 team", "مرحبا\u200cدنیا", "ﬀ",
    "\ue000",
]  # fmt: skip

WORDS = [
    # RFC 2047 8
    ("=?ISO-8859-1?Q?a?=", "a"),
    ("=?ISO-8859-1?Q?a?= b", "a b"),
    ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
    ("=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=", "ab"),
    ("=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?Q?b?=", "ab"),
    ("=?ISO-8859-1?Q?a_b?=", "a b"),
    ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
    ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
    ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
    ("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
     "If you can read this you understand the example."),
    ("=?utf-8*fr?q?=c3=a9?=", "é"),  # RFC 2231 5
    ("=?utf-8?B?w6k?=", "é"),  # without its padding
    ("=?utf-8?q?a=C3?= =?UTF-8?b?qWI=?=", "aéb"),  # cut inside of a character
    ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
    ("=?ks_c_5601-1987?B?x9G5zg==?=", "한민"),
    ("x=?utf-8?q?y?=z", "xyz"),
    # left as they are
    ("no words =? here ?=", "no words =? here ?="),
    ("=?no-such-charset?q?a?=", "=?no-such-charset?q?a?="),
    ("=?hex?q?61?=", "=?hex?q?61?="),
    ("=?punycode?q?a?=", "=?punycode?q?a?="),
    ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
    ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
    ("=?utf-8?b?é?=", "=?utf-8?b?é?="),
    ("=?utf-8?q?a?=  =?nope?q?b?=  =?nope?q?c?=  =?utf-8?q?d?=", "a  =?nope?q?b?=  =?nope?q?c?=  d"),
    # what must not come out
    ("=?utf-8?q?a=0D=0ABcc:_x?=", "a  Bcc: x"),
    ("=?utf-8?q?a=00b=7Fc=E2=80=A8d=C2=85e?=", "a b c d e"),
    ("=?utf-8?q?=FF?=", "\ufffd"),
    ("=?utf-7?q?+2D0-?=", " "),  # half a character
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_decode_words(text: str, expected: str) -> None:
    assert decode_words(text) == expected


@pytest.mark.parametrize("text", TEXTS)
def test_encoded_words_come_back_here_and_in_the_standard_library(text: str) -> None:
    words = encode_words(text)
    assert all(len(word) <= 75 and word.isascii() and re.fullmatch(r"=\?utf-8\?b\?[A-Za-z0-9+/]+=*\?=", word) for word in words)
    assert decode_words(" ".join(words)) == text
    assert str(make_header(decode_header("\r\n ".join(words)))) == text


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_cut_between_characters(text: str) -> None:
    """Each word decodes by itself (RFC 2047 5)."""
    assert "".join(base64.b64decode(word.split("?")[3]).decode("utf-8") for word in encode_words(text)) == text


def test_half_characters_do_not_break_the_encoder() -> None:
    assert decode_words(" ".join(encode_words("a\ud800b"))) == "a?b"
    assert encode_words("") == []


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UTF-8", "utf-8"), (" utf8 ", "utf-8"), ("latin1", "iso8859-1"), ("Windows-1252", "cp1252"), ("ISO-8859-8-I", "iso8859-8"), ("us-ascii", "ascii"),
     ("ansi_x3.110-1983", None), ("", None), ("x" * 41, None), ("utf-8\0", None), ("é", None), ("../etc", None),
     ("punycode", None), ("idna", None), ("unicode_escape", None), ("Unicode-Escape", None), ("raw_unicode_escape", None), ("undefined", None),
     ("hex", None), ("base64", None), ("zip", None), ("bz2", None), ("rot13", None), ("quopri", None), ("uu", None), ("mbcs", None)],
)  # fmt: skip
def test_find_codec(charset: str, codec: str | None) -> None:
    assert find_codec(charset) == codec
    if codec:
        codecs.lookup(codec)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain.txt", 'name="plain.txt"'),
        ('a "b" \\c', 'name="a \\"b\\" \\\\c"'),
        ("été.pdf", "name*=utf-8''%C3%A9t%C3%A9.pdf"),
        ("a\r\nb", "name*=utf-8''a%0D%0Ab"),
        ("a\tb", "name*=utf-8''a%09b"),
        ("é'%*()", "name*=utf-8''%C3%A9%27%25%2A%28%29"),
        ("", 'name=""'),
    ],
)
def test_parameters_come_back_here_and_in_the_standard_library(value: str, expected: str) -> None:
    written = encode_parameter("name", value)
    assert written == expected
    assert read_value(f"a/b; {written}") == ("a/b", {"name": value})
    message = Message()
    message["Content-Type"] = f"a/b; {written}"
    found = message.get_param("name")
    assert found is not None and collapse_rfc2231_value(found) == value


VALUES = [
    ("", "", {}),
    ("text/plain", "text/plain", {}),
    ("TEXT/HTML; CharSet=UTF-8", "text/html", {"charset": "UTF-8"}),
    (' text/html ;charset = "utf-8" ; x=y', "text/html", {"charset": "utf-8", "x": "y"}),
    ("text/plain; charset=us-ascii (Plain text)", "text/plain", {"charset": "us-ascii"}),
    ("text/plain (comment); a=b", "text/plain", {"a": "b"}),
    ('a/b; boundary="x;y=z"; c=d', "a/b", {"boundary": "x;y=z", "c": "d"}),
    ('a/b; x="q\\"q\\\\"', "a/b", {"x": 'q"q\\'}),
    ("a/b; filename=my file.txt; x=1", "a/b", {"filename": "my file.txt", "x": "1"}),
    ('a/b; x="open; y=z', "a/b", {"x": "open; y=z"}),
    ('a/b; x="', "a/b", {"x": ""}),
    ("a/b;; ;c=d;", "a/b", {"c": "d"}),
    ("a/b; novalue; c=d", "a/b", {"c": "d"}),
    ("a/b; c=d; C=e", "a/b", {"c": "d"}),
    # RFC 2231 3 and 4
    ('m/e; access-type=URL; URL*0="ftp://"; URL*1="cs.utk.edu/pub/moore"', "m/e", {"access-type": "URL", "url": "ftp://cs.utk.edu/pub/moore"}),
    ("a/x; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "a/x", {"title": "This is ***fun***"}),
    ("a/x; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"", "a/x",
     {"title": "This is even more ***fun*** isn't it!"}),
    ("a/x; t*1=b; t*0=a; t*3=d", "a/x", {"t": "ab"}),
    ("a/x; t*0*=utf-8''%C3; t*1*=%A9", "a/x", {"t": "é"}),
    ("a/x; t*0*=utf-8''a; t*1*=b'c'd", "a/x", {"t": "ab'c'd"}),  # only the first section names a charset
    ("a/x; t*=iso-8859-1''%E9", "a/x", {"t": "é"}),
    ("a/x; t=plain; t*=utf-8''%C3%A9", "a/x", {"t": "é"}),
    ("a/x; t*=nope''%C3%A9", "a/x", {"t": "é"}),
    ("a/x; t*1=b", "a/x", {}),
    ("a/x; t*=%41", "a/x", {"t": "A"}),
    ("a/x; t**=b", "a/x", {"t**": "b"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "main", "parameters"), VALUES)
def test_read_value(text: str, main: str, parameters: dict[str, str]) -> None:
    assert read_value(text) == (main, parameters)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    ["=?", "=?a?b?", "=?a?q?a?= ", "=?a?q?a?=\t", "=?utf-8?q?=C3?= ", ";", '"', ';"\\', "; a", ";a=", ' "', ";a*0*=x", " (", ";x= ", "; "],
)  # fmt: skip
def test_hostile_text_takes_linear_time(unit: str) -> None:
    text = unit * (400_000 // len(unit))
    decode_words(text)
    read_value(text)
    read_value("a/b; c=" + text)
