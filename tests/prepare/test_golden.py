"""Golden mails, in and out: tests/golden/prepare/NAME.eml and NAME.out.eml. `python -m tests.prepare.test_golden` writes the second ones anew for review.

"letter-" mails are newsletters (a link to unsubscribe is always offered), "relay-" mails come through the relay. Opens and clicks are tracked in all.
Oracles: dkimpy verifies every one, the standard library reads what was written.
"""

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from estafette.mail.dkim import ED25519, RSA, SigningKey, public_key_record, sign
from estafette.mail.token import Keyring
from estafette.model import Claimed, Content, Options
from estafette.prepare import tokens
from estafette.prepare.plan import Plan, make_plan, pending_signatures
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import LeftOff, Offer, Tracking

GOLDEN = Path(__file__).parents[1] / "golden" / "prepare"
NAMES = sorted(path.name.removesuffix(".eml") for path in GOLDEN.glob("*.eml") if not path.name.endswith(".out.eml"))
RING = Keyring(1, {1: b"0123456789abcdef"})
KEYS = [
    SigningKey("example.com", "s2", ED25519, Ed25519PrivateKey.generate()),
    SigningKey("example.com", "s1", RSA, generate_private_key(65537, 2048)),
]
HIDDEN = re.compile(r'<a href="https://t\.example/c/([\w-]*)" style="display:none" tabindex="-1" aria-hidden="true"></a>')
RECIPIENT = "jo+x@example.net"
URL = re.compile(r"https://t\.example/([cou])/([A-Za-z0-9_-]+)")
LEFT_OFF = {
    "relay-smime": (LeftOff.PROTECTED,), "relay-pgp": (LeftOff.PROTECTED,), "relay-utf16": (LeftOff.CHARSET,), "relay-text": (LeftOff.NO_HTML,),
    "relay-text-tag": (LeftOff.NO_HTML,), "relay-cut-off": (LeftOff.CUT_OFF,), "letter-text-base64": (LeftOff.NO_HTML,),
}  # fmt: skip


def tracking_of(name: str) -> Tracking:
    offer = Offer.LINK if name.startswith("letter-") else Offer.TAGS
    return Tracking("https://t.example", RING, OpenMode.FULL, clicks=True, offer=offer, unsubscribe_domain="bounces.example.com", sender_id="estafette")


def plan_of(raw: bytes, tracking: Tracking, options: Options | None = None) -> Plan:
    return make_plan(Content(9_000, 42, "bounce@example.com", "lettre@example.com", options or Options(), 0, False, raw), KEYS, tracking)


def claim_of(message_id: int = 9_001, recipient: str = RECIPIENT) -> Claimed:
    return Claimed(message_id, 9_000, 42, recipient, "example.net", "", 1, 0, 0, 0, 2**60, 1)


def signed(plan: Plan, claim: Claimed) -> tuple[bytes, bytes]:
    """(the fields of the signatures, the mail below them)."""
    copy = plan.copy_for(claim) if plan.is_personal else None
    fields = b"".join(pending.complete(sign(key, pending.to_sign)) for key, pending in pending_signatures(plan, 1_790_000_000, copy))
    return fields, plan.mail if copy is None else copy.head + copy.body


def made(name: str) -> bytes:
    return signed(plan_of((GOLDEN / f"{name}.eml").read_bytes(), tracking_of(name)), claim_of())[1]


def verifies(mail: bytes) -> bool:
    records = {f"{key.selector}._domainkey.{key.domain}.".encode(): public_key_record(key).encode() for key in KEYS}
    return all(dkim.DKIM(mail).verify(idx=i, dnsfunc=lambda name, **_: records.get(name)) for i in range(len(KEYS)))


def leaves(raw: bytes) -> list[EmailMessage]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return [part for part in message.walk() if isinstance(part, EmailMessage) and not part.is_multipart()]


def body_of(part: EmailMessage) -> bytes:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


@pytest.mark.parametrize("name", NAMES)
def test_out(name: str) -> None:
    assert made(name) == (GOLDEN / f"{name}.out.eml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_both_signatures_verify_for_every_recipient(name: str) -> None:
    plan = plan_of((GOLDEN / f"{name}.eml").read_bytes(), tracking_of(name))
    for claim in (claim_of(), claim_of(2**53 - 1, '"a  b"@example.net'), claim_of(1, "é=é@exämple.net")):
        fields, mail = signed(plan, claim)
        assert verifies(fields + mail)
        assert b"list-unsubscribe:" not in (mail.lower()) or b"list-unsubscribe:" in fields.lower().replace(b"\r\n\t ", b"")


@pytest.mark.parametrize("name", NAMES)
def test_lines_and_line_ends(name: str) -> None:
    mail = made(name)
    assert b"\r" not in mail.replace(b"\r\n", b"") and b"\n" not in mail.replace(b"\r\n", b"")
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    for part in leaves(mail):
        if part["Content-Transfer-Encoding"] in ("quoted-printable", "base64"):
            payload = part.get_payload()
            assert isinstance(payload, str) and max(map(len, payload.splitlines())) <= 76


@pytest.mark.parametrize("name", NAMES)
def test_the_header_is_kept(name: str) -> None:
    """Every field that was there, as it was and in its order; only a transfer encoding may be another."""
    raw = (GOLDEN / f"{name}.eml").read_bytes()
    before, after = raw.partition(b"\r\n\r\n")[0], made(name).partition(b"\r\n\r\n")[0]
    if name in ("relay-long-line", "relay-bare-html"):
        assert b"Content-Transfer-Encoding: quoted-printable" in after
        before, after = before.replace(b"\r\nContent-Transfer-Encoding: 7bit", b""), after.replace(b"\r\nContent-Transfer-Encoding: quoted-printable", b"")
    assert after.startswith(before)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_reader_sees_is_the_same(name: str) -> None:
    """With every address of ours put back, and pixel and footer taken off, all parts say what they said."""
    raw = (GOLDEN / f"{name}.eml").read_bytes()
    if name == "relay-wrong-qp":  # blanks before line ends, which the standard library keeps and RFC 2045 6.7 (3) takes off
        raw = raw.replace(b"100=% \r\n", b"100=%\r\n").replace(b" = \r\n", b" =\r\n")
    before, after = leaves(raw), leaves(made(name))
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        charset = str(old.get_content_charset("us-ascii"))
        if old.get_content_maintype() != "text" or charset.startswith("utf-16"):
            assert body_of(old) == body_of(new)
            continue
        text = body_of(new).decode(charset, "surrogateescape")
        assert old.get_content_type() == new.get_content_type() and charset == new.get_content_charset("us-ascii")
        was = body_of(old).decode(charset, "surrogateescape")
        assert as_it_was(text) == as_it_was(was)


def as_it_was(text: str) -> str:
    text = HIDDEN.sub("", text)
    text = re.sub(r'<img src="https://t\.example/o/[^"]*"[^>]*>', "", text)
    text = re.sub(r'\r?\n<div style="font-family:sans-serif[^>]*>[^<]*<a href="https://t\.example/u/[^>]*>[^<]*</a></div>\r?\n', "", text)
    text = re.sub(r"\s*(To unsubscribe|Pour ne plus recevoir ces messages) ?: https://t\.example/u/[\w-]*\s*$", "", text)
    text = re.sub(r"(http://)?(\[\[|%5B%5B)UNSUB_LINK_..(\]\]|%5D%5D)|\{\{mj:unsub_link\}\}|https://t\.example/u/[\w-]*", "UNSUBSCRIBE", text)
    text = text.replace("[[EMAIL_TO]]", "ADDRESS").replace(RECIPIENT, "ADDRESS").replace("jo%2Bx@example.net", "ADDRESS")
    return URL.sub(lambda match: target(match[2]), text).replace("&amp;", "&").rstrip("\r\n")


def target(token: str) -> str:
    click = tokens.read_click(token, RING)
    assert click is not None
    return click.url


@pytest.mark.parametrize("name", NAMES)
def test_every_token_opens_and_numbers_are_in_order(name: str) -> None:
    plan = plan_of((GOLDEN / f"{name}.eml").read_bytes(), tracking_of(name))
    text = "".join(body_of(part).decode(str(part.get_content_charset("utf-8")), "replace") for part in reversed(leaves(signed(plan, claim_of(77))[1])))
    numbers, opens = [], 0
    for kind, token in URL.findall(text):
        found = {"c": tokens.read_click, "o": tokens.read_open, "u": tokens.read_unsubscribe}[kind](token, RING)
        assert found is not None and (found.account_id, found.message_id) == (42, 77)
        numbers += [found.number] if isinstance(found, tokens.Click) and found.number != tokens.TRAP_LINK else []
        opens += kind == "o"
    assert numbers == list(range(len(numbers)))
    tracked = name not in LEFT_OFF
    assert opens == tracked
    assert bool(numbers) == (tracked or name == "relay-cut-off")
    assert plan.left_off == LEFT_OFF.get(name, ())
    hidden = [tokens.read_click(token, RING) for token in HIDDEN.findall(text)]
    assert [click.number for click in hidden if click is not None] == [tokens.TRAP_LINK] * (tracked and bool(numbers))


def test_two_recipients_differ_only_in_tokens() -> None:
    plan = plan_of((GOLDEN / "letter-qp.eml").read_bytes(), tracking_of("letter-qp"))
    first, second = (signed(plan, claim_of(message))[1] for message in (1, 2))
    assert first != second and len(first) == len(second)
    text = "".join(body_of(part).decode() for part in leaves(first))
    changed = sum(a != b for a, b in zip(first, second, strict=True))
    assert 0 < changed <= (len(URL.findall(text)) + 1) * tokens.TAIL * 2 + tokens.MAX_ADDRESS_TAIL  # one more in List-Unsubscribe, and the address there


def main() -> None:
    for name in NAMES:
        (GOLDEN / f"{name}.out.eml").write_bytes(made(name))


if __name__ == "__main__":
    main()
