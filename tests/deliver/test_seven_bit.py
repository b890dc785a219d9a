"""8-bit and internationalised mail meets servers that take neither: converted and signed afterwards, or bounced with its reason."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from estafette.mail.dkim_verify import Result, read_signatures, verify
from estafette.mail.header import read_header
from estafette.mail.zone import dkim_value
from estafette.vault import Vault, dkim_label, new_dkim_key
from tests.deliver.road import road

FROM = b"From: news@sender.example\r\nTo: a@dest.example\r\nMIME-Version: 1.0\r\n"
EIGHT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nd\xc3\xa9j\xc3\xa0 vu, told about at some length\r\n"
SIGNED = (
    b'Content-Type: multipart/signed; boundary="s"; protocol="application/pgp-signature"\r\n\r\n--s\r\n' + EIGHT
    + b"\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nsig\r\n--s--\r\n"
)  # fmt: skip


async def test_it_is_converted_first_and_signed_then_and_only_where_it_must_be(tmp_path: Path) -> None:
    async with road(tmp_path) as r:
        vault = Vault(b"m" * 32, r.clock)
        stored = new_dkim_key("sender.example", vault, r.clock)
        await r.real.add_dkim_key(r.account.id, stored, r.clock.now_us())
        key = serialization.load_der_private_key(vault.unseal(stored.sealed_private_key, dkim_label(stored.domain, stored.selector)), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        for number, extensions in enumerate(({"PIPELINING"}, {"PIPELINING", "8BITMIME"})):
            r.mx.extensions = extensions
            await r.put(f"a{number}@dest.example", content=FROM + b"Subject: Hello\r\n" + EIGHT)
            assert set((await r.settled()).values()) == {"delivered"}
            await r.until(lambda _: not r.mx.open)  # the next session hears the other EHLO
        plain, eight = [mail.content for mail in r.mx.mails]
        assert plain.isascii() and plain.endswith(b"Content-Transfer-Encoding: quoted-printable\r\n\r\nd=C3=A9j=C3=A0 vu, told about at some length\r\n")
        assert eight.endswith(FROM + b"Subject: Hello\r\n" + EIGHT)
        for raw in (plain, eight):
            header = read_header(raw)
            (signature,) = read_signatures(header)
            found = verify(raw, header, signature, dkim_value(key), r.clock.now_us() // 1_000_000)
            assert found.result is Result.PASS, found


@pytest.mark.parametrize(
    ("content", "to", "enhanced", "words"),
    [
        (FROM + SIGNED, "a@dest.example", "5.6.3", "would break the signature"),
        (FROM + "Subject: déjà vu\r\n\r\nplain\r\n".encode(), "a@dest.example", "5.6.7", "SMTPUTF8"),
        (FROM + b"\r\nplain\r\n", "jürgen@dest.example", "5.6.7", "SMTPUTF8"),
    ],
)
async def test_what_has_no_other_form_bounces_with_its_reason(tmp_path: Path, content: bytes, to: str, enhanced: str, words: str) -> None:
    async with road(tmp_path) as r:
        r.mx.extensions = {"PIPELINING"}
        (message_id,) = await r.put(to, content=content)
        assert await r.settled() == {to: "hard_bounced"}
        bounced = (await r.real.timeline(message_id))[-1]
        assert bounced.data["enhanced"] == enhanced and words in bounced.reply
        assert r.mx.mails == [] and await r.real.blocks(r.account.id, r.clock.now_us()) == []  # the mail's fault, not the address's
