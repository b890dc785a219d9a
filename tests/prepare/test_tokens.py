"""Tokens: what was put in comes out, and nothing else opens."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.mail.token import Keyring, make_return_path, make_token, read_return_path
from estafette.prepare import tokens
from estafette.prepare.tokens import Click, Open, OpenMode, Sealer, Unsubscribe, campaign_mark, tails

RING = Keyring(3, {3: b"k" * 32, 2: b"o" * 20})
OTHER = Keyring(3, {3: b"x" * 32})
MESSAGE = 5_123_456_789_012_345
URL = "https://www.example.com/articles/2026/11/24/a-long-title-of-an-article?utm_source=letter&utm_medium=mail"

LEAVING = tokens.Leaving(MESSAGE, 42, 9, 3, tokens.leaving_mark("Jo@X.test", RING, 3))


def finish(seal: tokens.Seal, message_id: int = MESSAGE) -> str:
    [tail] = tails([seal], message_id)
    return seal.head + tail.decode()


def click(url: str = URL, number: int = 7, ring: Keyring = RING) -> str:
    return finish(Sealer(ring, 42, "may").click(number, url))


def test_what_was_put_in_comes_out() -> None:
    sealer = Sealer(RING, 42, "may")
    mark = campaign_mark("may")
    assert tokens.read_click(click(), RING) == Click(42, MESSAGE, mark, 7, URL)
    assert tokens.read_open(finish(sealer.open(OpenMode.LAST_DATE)), RING) == Open(42, MESSAGE, mark, OpenMode.LAST_DATE)
    assert tokens.read_unsubscribe(finish(sealer.unsubscribe(9, "fr")), RING) == Unsubscribe(42, MESSAGE, mark, 9, "fr")
    assert tokens.read_unsubscribe_address("u-" + tokens.unsubscribe_tail(MESSAGE, 42, 9, "jo@x.test", RING).decode(), RING) == LEAVING


_REST = st.text(alphabet=string.ascii_letters + "/?&=.%#", max_size=300)


@given(st.integers(0, 2**63), st.integers(0, 5000), st.integers(0, 2**53 - 1), _REST, st.text(max_size=9))
def test_round_trip(account: int, number: int, message: int, rest: str, campaign: str) -> None:
    for scheme in ("http", "https"):
        token = finish(Sealer(RING, account, campaign).click(number, f"{scheme}://x{rest}"), message)
        assert tokens.read_click(token, RING) == Click(account, message, campaign_mark(campaign), number, f"{scheme}://x{rest}")


@given(st.integers(0, 2**53 - 1), st.binary(min_size=16, max_size=90))
def test_a_token_is_one_of_mail_token(message: int, key: bytes) -> None:
    """The MAC that is finished from a prepared state is the one that `make_token` makes: there is one format, not two."""
    ring = Keyring(1, {1: key})
    for kind, seal in ((tokens.CLICK, Sealer(ring, 1, "").click(0, "http://x/")), (tokens.OPEN, Sealer(ring, 1, "").open(OpenMode.FULL))):
        payload = base64.urlsafe_b64decode(seal.head)[1:] + message.to_bytes(8, "big")
        assert finish(seal, message) == make_token(kind, payload, ring)


def test_tails_of_many_are_those_of_each() -> None:
    sealer = Sealer(RING, 42, "")
    seals = [sealer.click(i, URL) for i in range(5)] + [sealer.open(OpenMode.FULL)]
    assert tails(seals, MESSAGE) == [tails([seal], MESSAGE)[0] for seal in seals]
    assert all(len(tail) == tokens.TAIL for tail in tails(seals, MESSAGE))
    assert tails([], MESSAGE) == []


def test_length() -> None:
    """The contract of the brief: under 400 characters for an address of 100."""
    assert len(URL) > 100
    assert len(click()) < 200
    assert len(click("https://x/" + "a" * (tokens.MAX_TARGET - 10))) < 2000
    assert len("u-" + tokens.unsubscribe_tail(MESSAGE, 42, 9, "jo@x.test", RING).decode()) <= 64
    assert set(click()) <= set(string.ascii_letters + string.digits + "-_")


def test_every_changed_character_is_noticed() -> None:
    token = click()
    for i, character in enumerate(token):
        for other in {"A", "b", "_", "-", "9", "=", "é", "+", "/", " ", "\n"} - {character}:
            assert tokens.read_click(token[:i] + other + token[i + 1 :], RING) is None
    for i in range(len(token)):
        assert tokens.read_click(token[:i], RING) is None
        assert tokens.read_click(token[i:], RING) is None or i == 0
    assert tokens.read_click(token + "A", RING) is None
    assert tokens.read_click(token + "=", RING) is None
    assert tokens.read_click(token.swapcase(), RING) is None


def test_parts_of_two_tokens_make_no_third() -> None:
    """The target of one with the end of another, of the same message."""
    sealer = Sealer(RING, 42, "")
    first, second = (sealer.click(i, f"https://x{i}.example/") for i in range(2))
    one, two = tails([first, second], MESSAGE)
    assert tokens.read_click(first.head + one.decode(), RING) is not None
    assert tokens.read_click(first.head + two.decode(), RING) is None


def test_kinds_and_rings_do_not_open_each_other() -> None:
    sealer = Sealer(RING, 42, "may")
    made = {tokens.read_click: click(), tokens.read_open: finish(sealer.open(OpenMode.FULL)), tokens.read_unsubscribe: finish(sealer.unsubscribe(0, ""))}
    for read in made:
        for reader, token in made.items():
            assert (read(token, RING) is not None) == (read is reader)
            assert read(token, OTHER) is None
    address = tokens.unsubscribe_tail(MESSAGE, 42, 9, "jo@x.test", RING).decode()
    assert tokens.read_unsubscribe_address("u-" + address, OTHER) is None
    assert read_return_path("b-" + address, RING) is None
    verp = make_return_path(MESSAGE, RING, "x").partition("@")[0].removeprefix("b-")
    assert tokens.read_unsubscribe_address("u-" + verp, RING) is None


def test_older_keys_open_and_do_not_make() -> None:
    old = Keyring(2, {2: RING.keys[2]})
    assert tokens.read_click(click(ring=old), RING) is not None
    assert tokens.read_click(click(), old) is None


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", b"\0" * 13, b"\x03" + b"\0" * 20, b"\x80" + b"\0" * 20, b"\0" + b"\x80" * 14, b"\0\x01\0\0\0\0" + b"\0" * 8, b"\0" + b"\xff" * 30],
)
def test_a_payload_that_is_signed_but_not_ours_is_none(payload: bytes) -> None:
    for kind, read in ((tokens.OPEN, tokens.read_open), (tokens.UNSUBSCRIBE, tokens.read_unsubscribe)):
        assert read(make_token(kind, payload, RING), RING) is None


@given(st.text())
def test_anything_may_come(text: str) -> None:
    assert tokens.read_click(text, RING) is None
    assert tokens.read_unsubscribe_address(text, RING) is None
    assert tokens.read_unsubscribe_address("u-" + text, RING) is None


def test_an_unsubscribe_address_survives_case_folding_and_no_change() -> None:
    local = "u-" + tokens.unsubscribe_tail(MESSAGE, 42, 9, "jo@x.test", RING).decode()
    assert tokens.read_unsubscribe_address(local.upper(), RING) == LEAVING
    for i in range(2, len(local)):
        assert tokens.read_unsubscribe_address(local[:i] + ("a" if local[i] != "a" else "b") + local[i + 1 :], RING) is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil", "ftp://x/", "HTTPS://x/", "https:/x", "https://x/\r\n", "https://é/", ""])
def test_only_web_addresses_are_targets(url: str) -> None:
    with pytest.raises(ValueError, match="not a target"):
        Sealer(RING, 1, "").click(0, url)


def test_the_host_of_a_click() -> None:
    assert Click(1, 2, 0, 0, "https://user@WWW.Example.com:8443/x").host == "www.example.com"


def test_marks_of_campaigns() -> None:
    assert campaign_mark("") == 0
    assert campaign_mark("may") != campaign_mark("May")
    assert 0 < campaign_mark("may") < 2**32


def leaving(message: int = MESSAGE, address: str = "jo@example.net", ring: Keyring = RING) -> str:
    """A link to unsubscribe that holds its recipient's address."""
    seal = Sealer(ring, 42, "may").unsubscribe(9, "fr")
    return seal.head + tails([seal], message, address)[0].decode()


@given(st.integers(0, 2**63), st.integers(0, 2**53 - 1), st.integers(0, 2**40), st.text(st.characters(codec="utf-8"), max_size=80))
def test_a_link_to_unsubscribe_brings_its_address(account: int, message: int, list_id: int, address: str) -> None:
    seal = Sealer(RING, account, "may").unsubscribe(list_id, "fr")
    other = Sealer(RING, account, "may").click(1, URL)
    first, second = tails([seal, other], message, address)
    token = seal.head + first.decode()
    kept = address if len(address.encode()) < 256 else ""
    assert tokens.read_unsubscribe(token, RING) == Unsubscribe(account, message, campaign_mark("may"), list_id, "fr", kept)
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert tokens.read_click(other.head + second.decode(), RING) is not None


def test_the_address_in_a_link_is_not_to_be_read_or_exchanged() -> None:
    """What a proxy's log shows says nothing; no part of it can be cut off, changed, or put together with a part of another link."""
    token = leaving()
    assert b"example" not in base64.urlsafe_b64decode(token + "==") and b"jo@" not in base64.urlsafe_b64decode(token + "==")
    for i, character in enumerate(token):
        for other in {"A", "b", "_", "9"} - {character}:
            assert tokens.read_unsubscribe(token[:i] + other + token[i + 1 :], RING) is None
        assert tokens.read_unsubscribe(token[:i], RING) is None
    longer = leaving(address="jo@example.net.evil.example")
    for cut in range(len(token)):
        assert tokens.read_unsubscribe(token[:cut] + longer[cut:], RING) in (None, tokens.read_unsubscribe(longer, RING))
    assert tokens.read_unsubscribe(token, OTHER) is None and tokens.read_click(token, RING) is None and tokens.read_open(token, RING) is None
    old = Keyring(2, {2: RING.keys[2]})
    assert tokens.read_unsubscribe(leaving(ring=old), RING) == tokens.read_unsubscribe(token, RING), "a key that was replaced still opens"


def test_links_of_before_addresses_still_open() -> None:
    """As they were made until 2026-11: the message's number and nothing behind it."""
    payload = base64.urlsafe_b64decode(Sealer(RING, 42, "may").open(OpenMode.FULL).head)[3:8]
    old = make_token(tokens.UNSUBSCRIBE, b"\x01\x00" + payload + b"\x09fr" + MESSAGE.to_bytes(8, "big"), RING)
    assert tokens.read_unsubscribe(old, RING) == Unsubscribe(42, MESSAGE, campaign_mark("may"), 9, "fr", "")


@given(st.binary(max_size=60), st.integers(0, 255))
def test_signed_nonsense_is_none_or_harmless(payload: bytes, flags: int) -> None:
    """Whatever our own key signs of this kind is read without an exception."""
    found = tokens.read_unsubscribe(make_token(tokens.UNSUBSCRIBE, bytes([flags]) + payload, RING), RING)
    assert found is None or isinstance(found.address, str)


@given(st.integers(0, 2**63), st.integers(0, 2**53 - 1), st.integers(0, 2**40), st.text(max_size=80))
def test_an_address_to_unsubscribe_brings_account_and_list(account: int, message: int, list_id: int, address: str) -> None:
    local = "u-" + tokens.unsubscribe_tail(message, account, list_id, address, RING).decode()
    found = tokens.read_unsubscribe_address(local, RING)
    assert found is not None and len(local) <= 64 and found.message_id == message
    if found.account_id or account == 0:
        assert (found.account_id, found.list_id) == (account, list_id) or found == tokens.Leaving(message)
    else:
        assert account >= 2**28  # no room: it names its message only


def test_addresses_of_before_still_open() -> None:
    """As they were made until 2026-11."""
    payload = bytes([3]) + MESSAGE.to_bytes(7, "big")
    local = "u-" + base64.b32encode(payload + RING.mac(3, b"unsubscribe", payload, 10)).rstrip(b"=").lower().decode()
    assert tokens.read_unsubscribe_address(local, RING) == tokens.Leaving(MESSAGE)
