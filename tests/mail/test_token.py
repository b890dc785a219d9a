"""Return paths and link tokens: they survive what mail does to them, and nothing that was touched is believed."""

import base64
import itertools

import pytest

from estafette.mail.address import parse
from estafette.mail.token import Keyring, make_return_path, make_token, read_return_path, read_token

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
RING = Keyring(1, {1: KEY})
IDS = [0, 1, 255, 256, 2**31, 2**53 - 1, 2**56 - 1]
PAYLOADS = [b"", b"x", b"\0" * 7, b"\xff" * 31, bytes(range(256))]


def local_of(message_id: int, ring: Keyring = RING) -> str:
    return make_return_path(message_id, ring, "bounces.example.com").partition("@")[0]


@pytest.mark.parametrize("message_id", IDS)
def test_a_return_path_names_its_message_in_any_case(message_id: int) -> None:
    path = make_return_path(message_id, RING, "bounces.example.com")
    address = parse(path)
    assert str(address) == path, "a valid address as it is"
    assert len(address.local) == 31 <= 64
    assert set(address.local) <= set("abcdefghijklmnopqrstuvwxyz234567-")
    folded = [address.local, address.local.upper(), address.local.title(), address.local.swapcase()]
    mixed = "".join(c.upper() if i % 3 else c for i, c in enumerate(address.local))
    assert [read_return_path(local, RING) for local in [*folded, mixed]] == [message_id] * 5


def test_return_paths_differ_and_say_nothing_to_others() -> None:
    assert len({local_of(i) for i in range(1000)}) == 1000
    assert local_of(1) != local_of(1, Keyring(1, {1: OTHER}))


@pytest.mark.parametrize("message_id", [2**56, -1])
def test_an_id_that_does_not_fit_is_our_bug(message_id: int) -> None:
    with pytest.raises(OverflowError):
        make_return_path(message_id, RING, "x.y")


def test_no_touched_return_path_is_believed() -> None:
    local = local_of(123456789)
    for i, c in itertools.product(range(len(local)), "abcdefghijklmnopqrstuvwxyz234567890-=.+_ é"):
        touched = local[:i] + c + local[i + 1 :]
        assert touched == local or read_return_path(touched, RING) is None, touched
    for i in range(len(local)):
        assert read_return_path(local[:i], RING) is None
        assert read_return_path(local[:i] + local[i + 1 :], RING) is None
        assert read_return_path(local[:i] + "a" + local[i:], RING) is None


@pytest.mark.parametrize("local", ["", "b-", "b", "postmaster", "b-" + "a" * 29, "b-é", "b-" + "ı" * 29, "b-====", "b-" + "a" * 100_000, "\0", "c-" + "a" * 29])
def test_what_is_no_return_path_of_ours(local: str) -> None:
    assert read_return_path(local, RING) is None


def test_a_letter_that_only_folds_into_ascii_is_not_taken() -> None:
    with_i = next(local for local in map(local_of, range(1000)) if "i" in local[2:])
    assert read_return_path("b-" + with_i[2:].replace("i", "ı"), RING) is None  # "ı".upper() is "I"


def test_old_keys_still_open_and_foreign_ones_do_not() -> None:
    before = Keyring(1, {1: KEY})
    after = Keyring(2, {1: KEY, 2: OTHER})
    later = Keyring(2, {2: OTHER})
    local, token = local_of(7, before), make_token("open", b"p", before)
    assert (read_return_path(local, after), read_token("open", token, after)) == (7, b"p")
    assert (read_return_path(local, later), read_token("open", token, later)) == (None, None)
    assert read_return_path(local_of(7, after), before) is None
    swapped = Keyring(1, {1: OTHER})
    assert (read_return_path(local, swapped), read_token("open", token, swapped)) == (None, None)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_token_carries_its_payload(payload: bytes) -> None:
    token = make_token("click", payload, RING)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert read_token("click", token, RING) == payload


def test_no_touched_token_is_believed() -> None:
    token = make_token("click", b"payload!", RING)
    for i, c in itertools.product(range(len(token)), "ABCXYZabcxyz059-_+/=. \né%"):
        touched = token[:i] + c + token[i + 1 :]
        assert touched == token or read_token("click", touched, RING) is None, touched
        assert read_token("click", token[:i] + c + token[i:], RING) is None, "an octet too many, even one that Python passes over"
    for i in range(len(token)):
        assert read_token("click", token[:i], RING) is None
    assert read_token("click", token + "=", RING) is None
    assert read_token("click", token.swapcase(), RING) is None


def test_the_spare_bits_of_the_last_character_are_not_spare() -> None:
    """Base64 leaves bits unused; a decoder that passes over them makes several tokens of one."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for payload in (b"", b"a", b"ab", b"abc"):
        token = make_token("click", payload, RING)
        assert [c for c in alphabet if read_token("click", token[:-1] + c, RING) is not None] == [token[-1]]


@pytest.mark.parametrize(
    ("kind", "other"),
    [("open", "click"), ("open", "OPEN"), ("open", "open "), ("", "open"), ("unsubscribe", "unsubscribe2"), ("subscription-confirm", "subscription-cancel")],
)
def test_a_token_of_another_kind_is_foreign(kind: str, other: str) -> None:
    token = make_token(kind, b"x", RING)
    assert read_token(kind, token, RING) == b"x" and read_token(other, token, RING) is None


def test_a_token_is_no_return_path() -> None:
    payload = bytes(7)
    assert base64.urlsafe_b64decode(make_token("x", payload, RING) + "==")[:8] == bytes([1]) + payload
    assert RING.mac(1, b"verp", payload, 10) != RING.mac(1, b"link:x", payload, 10)


@pytest.mark.parametrize(
    ("current", "keys"), [(1, {}), (1, {2: KEY}), (256, {256: KEY}), (-1, {-1: KEY}), (1, {1: b""}), (1, {1: b"short"}), (1, {1: KEY, 2: b""})]
)
def test_a_keyring_that_protects_nothing_is_refused(current: int, keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="keyring"):
        Keyring(current, keys)


def test_long_keys_count_as_a_whole() -> None:
    one, two = Keyring(1, {1: KEY * 2 + b"a"}), Keyring(1, {1: KEY * 2 + b"b"})
    assert read_token("x", make_token("x", b"", one), one) == b"" and read_token("x", make_token("x", b"", one), two) is None
