"""8-bit mail made 7-bit; oracle: the standard library reads the same parts and texts before and after."""

import email
import email.policy
from email.message import Message

import pytest

from estafette.mail.seven_bit import CannotConvert, to_7bit

HEAD = b"From: a@b.example\r\nSubject: x\r\n"
MULTI = b'MIME-Version: 1.0\r\nContent-Type: multipart/%s; boundary="b"\r\n'
TEXT = b"Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s"
RUSSIAN = "Привет, мир\r\n".encode() * 40


def mixed(*parts: bytes, kind: bytes = b"mixed", fields: bytes = b"") -> bytes:
    return HEAD + fields + MULTI % kind + b"\r\n" + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def leaves(raw: bytes) -> list[tuple[str, str, bytes]]:
    """Type, charset and content of every part as the standard library reads them."""

    def walk(message: Message) -> list[tuple[str, str, bytes]]:
        if message.is_multipart():
            return [leaf for part in message.get_payload() for leaf in walk(part)]  # type: ignore[union-attr,arg-type]
        content = message.get_payload(decode=True)
        assert isinstance(content, bytes)
        return [(message.get_content_type(), str(message.get_content_charset("")), content)]

    return walk(email.message_from_bytes(raw, policy=email.policy.compat32))


CONVERTED = {
    "a Latin-1 text": HEAD + b"MIME-Version: 1.0\r\n" + TEXT % (b"iso-8859-1", b"caf\xe9 = 1\r\nend \r\n"),
    "a UTF-8 text, mostly not ASCII": HEAD + b"MIME-Version: 1.0\r\n" + TEXT % (b"utf-8", RUSSIAN),
    "two parts, one of them 7-bit": mixed(TEXT % (b"utf-8", "é".encode()), b"Content-Type: text/html\r\n\r\n<p>plain</p>"),
    "binary": mixed(b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\x89PNG\xff\xfe", fields=b"Content-Transfer-Encoding: binary\r\n"),
    "quoted-printable with raw octets": mixed(b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9 \xc3\xa9"),
    "an enclosed mail": mixed(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: in\r\n" + TEXT % (b"utf-8", "ü\r\n".encode())),
    "a text that is signed by nobody below one that is": mixed(
        TEXT % (b"utf-8", "é".encode()), b'Content-Type: multipart/signed; boundary="s"\r\n\r\n--s\r\n\r\nsigned\r\n--s\r\n\r\nsig\r\n--s--'
    ),
}


@pytest.mark.parametrize("raw", CONVERTED.values(), ids=CONVERTED.keys())
def test_parts_and_texts_stay_the_same(raw: bytes) -> None:
    made = to_7bit(raw)
    assert made.isascii() and b"8bit" not in made and b"binary" not in made
    assert leaves(made) == leaves(raw)
    assert max(map(len, made.split(b"\r\n"))) <= 78
    assert to_7bit(made) == made


def test_a_text_that_declares_nothing_says_what_it_is() -> None:
    for body, charset in (("é\r\n".encode(), "utf-8"), (b"\xe9\r\n", "unknown-8bit")):
        made = to_7bit(HEAD + b"\r\n" + body)
        assert leaves(made) == [("text/plain", charset, body)]
        assert b"MIME-Version: 1.0\r\n" in made


def test_untouched_parts_keep_their_octets_and_the_mails_own_header_is_left_alone() -> None:
    odd = b"Content-Type:text/html;\r\n\tcharset=us-ascii\r\n\r\n<p>odd   spacing</p>  "
    raw = "Subject: é\r\n".encode() + mixed(TEXT % (b"utf-8", "é".encode()), odd)
    made = to_7bit(raw)
    assert b"--b\r\n" + odd + b"\r\n--b--\r\n" in made and made.startswith("Subject: é\r\n".encode())
    assert to_7bit("Subject: é\r\n\r\nplain\r\n".encode()) == "Subject: é\r\n\r\nplain\r\n".encode()


def test_what_nobody_is_shown_is_masked() -> None:
    made = to_7bit(mixed(b"\r\nplain").replace(b"\r\n\r\n--b", b"\r\n\r\npre\xe9amble\r\n--b") + b"epi\xe9logue")
    assert b"pre?amble" in made and made.endswith(b"epi?logue")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (mixed(TEXT % (b"utf-8", "é".encode()), b"Content-Type: application/pgp-signature\r\n\r\nsig", kind=b"signed"), "signature"),
        (mixed(b'Content-Type: text/plain; name="\xe9"\r\n\r\nplain'), "header inside"),
        (mixed(b"Content-Type: message/rfc822\r\n\r\nSubject: \xe9\r\n\r\nplain"), "header inside"),
        (HEAD + b"Content-Type: multipart/mixed\r\n\r\n\xe9", "no parts"),
        (HEAD + b"Content-Transfer-Encoding: x-uuencode\r\n\r\n\xe9", "x-uuencode"),
    ],
)
def test_what_cannot_be_converted_says_why(raw: bytes, why: str) -> None:
    with pytest.raises(CannotConvert, match=why):
        to_7bit(raw)
