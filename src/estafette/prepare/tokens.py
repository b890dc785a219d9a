"""The tokens behind tracked links, pixels and unsubscribe links. Everything that is to be known stands in them; nothing is stored for them. Pure.

    seal = Sealer(keyring, account_id, "may").click(7, "https://example.com/")   # once per submission and link
    [tail] = tails([seal], message_id)                                           # once per recipient: 32 characters
    seal.head + tail                                                             # the token
    read_click(token, keyring)                                                   # Click, or None: answer 404

A token is what `mail.token.make_token` makes (key id, payload, MAC over both, in base64url), and `read_token` opens it. Its payload begins with what all
recipients share and ends with the message's number, and the shared part is as long as whole groups of base64: so the text of it, and the state of the MAC after
it, are made once, and 32 characters per link are left to be made for a recipient.

A payload holds its format and flags, zeros up to a whole group, the account, a mark of the campaign (links are taken back per campaign without
a look at any row), what is special to the kind, the message. The target of a link is part of it: it is followed even when the mail itself is
long gone, and no other can be put in. A link to unsubscribe holds the recipient's address as well, for the same reason: it works when retention has taken the
message away. The address is enciphered, so that no log of a proxy shows it; its end is therefore longer than that of the others.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final
from urllib.parse import urlsplit

from estafette.mail.token import Keyring, read_token

CLICK: Final = "click"
OPEN: Final = "open"
UNSUBSCRIBE: Final = "unsub"
PATHS: Final = {CLICK: "c", OPEN: "o", UNSUBSCRIBE: "u"}
"""What stands between the tracking address and the token of each kind: `https://links.example.com/c/<token>`."""
PREFERENCES: Final = "p"
"""The path of the page of preferences; its tokens are those of the links to unsubscribe."""
UNSUBSCRIBE_PREFIX: Final = "u-"
TAIL: Final = 32  # characters: 8 octets of message, 16 of MAC
OLD_ADDRESS_TAIL: Final = 29  # characters of an unsubscribe address after its prefix, as it was until 2026-11
MAX_ADDRESS_TAIL: Final = 62
TRAP_LINK: Final = 0xFFFF
"""The number of the hidden link, which no person sees: what follows it is a machine. More than a mail can have links of its own."""
MAX_TARGET: Final = 1400  # octets: longer addresses become links that some mail readers cut off
_MAC: Final = 16
_ADDRESS_MAC: Final = 10
_ADDRESS_PURPOSE: Final = b"unsub address"
_OLD_PURPOSE: Final = b"unsubscribe"
_MAX_PAYLOAD: Final = 28
_MARK: Final = 6
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_FORMAT: Final = 0
_HTTPS: Final = 0x04  # of a click: the target begins with https://, else http://
_ADDRESSED: Final = 0x08  # behind the message stands the recipient's address, and its length in one octet
_STREAM: Final = 64  # octets of one MAC that an address is enciphered with


class OpenMode(IntEnum):
    """What the loading of a pixel may leave behind."""

    OFF = 0
    FULL = 1  # an event
    LAST_DATE = 2  # the date of the last opening, overwritten, and nothing else (standards.md section 0, fact 4)


@dataclass(frozen=True, slots=True)
class Click:
    """A tracked link: which one, of whom, where to."""

    account_id: int
    message_id: int
    campaign: int  # campaign_mark of its name; 0 = none
    number: int  # of the link in its mail, from 0
    url: str

    @property
    def host(self) -> str:
        """The target's host, in lower case."""
        return (urlsplit(self.url).hostname or "").lower()


@dataclass(frozen=True, slots=True)
class Open:
    account_id: int
    message_id: int
    campaign: int
    mode: OpenMode  # as it was when the mail was sent; a withdrawn consent weighs more


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    account_id: int
    message_id: int
    campaign: int
    list_id: int  # 0 = no list
    language: str  # of the page, two small letters; "" = not said
    address: str = ""  # of the recipient; "" in links of before 2026-12, and where it is longer than SMTP carries


@dataclass(frozen=True, slots=True)
class Leaving:
    """What an address to unsubscribe by mail names."""

    message_id: int
    account_id: int = 0  # 0 = an address of before 2026-12, which names its message only
    list_id: int = 0
    key_id: int = 0  # of the mark
    mark: bytes = b""  # leaving_mark of the recipient's address


@dataclass(frozen=True, slots=True)
class Seal:
    """A token that lacks its message: the text before the tail, and the MAC's state after the octets that this text stands for."""

    head: str
    state: "hashlib.blake2b"
    keyring: Keyring | None = None  # where the tail holds the recipient's address, too, and is therefore of no fixed length


def campaign_mark(name: str) -> int:
    """32 bits that stand for a campaign's name in tokens; 0 for none."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") or 1 if name else 0


class Sealer:
    """Makes the seals of one submission; what they share is made once."""

    def __init__(self, keyring: Keyring, account_id: int, campaign: str) -> None:
        self._key_id = keyring.current
        self._keyring = keyring
        self._shared = _varint(account_id) + campaign_mark(campaign).to_bytes(4, "big")
        self._states = {kind: _mac_state(keyring, kind) for kind in PATHS}

    def click(self, number: int, url: str) -> Seal:
        """A tracked link. `url` is ASCII and begins with http:// or https:// (ValueError otherwise: a bug of the caller)."""
        scheme, found, rest = url.partition("://")
        if not found or scheme not in ("http", "https") or not url.isascii() or not url.isprintable():
            raise ValueError(f"not a target for a link: {url[:80]!r}")
        return self._seal(CLICK, _HTTPS if scheme == "https" else 0, _varint(number) + rest.encode("ascii"))

    def open(self, mode: OpenMode) -> Seal:
        """The pixel."""
        return self._seal(OPEN, 0, bytes([mode]))

    def unsubscribe(self, list_id: int, language: str) -> Seal:
        """A link to unsubscribe. `language`: of the page, "fr"; "" = not said."""
        return replace(self._seal(UNSUBSCRIBE, _ADDRESSED, _varint(list_id) + language.encode("ascii")), keyring=self._keyring)

    def _seal(self, kind: str, flags: int, special: bytes) -> Seal:
        pad = -(2 + len(self._shared) + len(special)) % 3
        head = bytes([self._key_id, _FORMAT | flags | pad]) + bytes(pad) + self._shared + special
        state = self._states[kind].copy()
        state.update(head)
        return Seal(base64.urlsafe_b64encode(head).decode("ascii"), state)


def _mac_state(keyring: Keyring, kind: str) -> "hashlib.blake2b":
    """The state of `Keyring.mac` before its payload: its result after an update is that of `mac` over the same octets (a test compares them)."""
    key = keyring.keys[keyring.current]
    if len(key) > 64:
        key = hashlib.blake2b(key).digest()
    return hashlib.blake2b(key=key, digest_size=_MAC, person=b"link:" + kind.encode("ascii"))


def tails(seals: Sequence[Seal], message_id: int, address: str = "") -> list[bytes]:
    """What one message adds to each of its tokens; `address`: of its recipient."""
    if not seals:
        return []
    message = message_id.to_bytes(8, "big")
    octets: list[bytes] = []
    longer: dict[int, bytes] = {}
    end = b""  # of all links to unsubscribe of the message
    for i, seal in enumerate(seals):
        state = seal.state.copy()
        if seal.keyring is not None:
            end = end or message + _hidden(seal.keyring, seal.keyring.current, message, address)
            state.update(end)
            longer[i] = binascii.b2a_base64(end + state.digest(), newline=False).translate(_URL_SAFE).rstrip(b"=")
            continue
        state.update(message)
        octets += (message, state.digest())
    text = binascii.b2a_base64(b"".join(octets), newline=False).translate(_URL_SAFE)
    plain = iter([text[i : i + TAIL] for i in range(0, len(text), TAIL)])
    return [longer[i] if i in longer else next(plain) for i in range(len(seals))] if longer else list(plain)


def _hidden(keyring: Keyring, key_id: int, message: bytes, address: str) -> bytes:
    """An address enciphered, and its length. The MAC over both makes it ours; the message's number is used for one recipient only."""
    octets = address.encode("utf-8", "surrogateescape")
    if len(octets) > 255:
        octets = b""
    return _ciphered(keyring, key_id, message, octets) + bytes([len(octets)])


def _ciphered(keyring: Keyring, key_id: int, message: bytes, octets: bytes) -> bytes:
    """Octets and the MACs of the message's number with a counter, combined; twice is as before (a pseudorandom function in counter mode)."""
    stream = b"".join([keyring.mac(key_id, b"link address", message + bytes([i]), _STREAM) for i in range(-(-len(octets) // _STREAM))])
    return (int.from_bytes(octets, "big") ^ int.from_bytes(stream[: len(octets)], "big")).to_bytes(len(octets), "big")


def read_click(token: str, keyring: Keyring) -> Click | None:
    """None for what we did not make: forged, cut, of another kind or another installation."""
    found = _open(CLICK, token, keyring)
    if found is None:
        return None
    flags, account_id, message_id, campaign, special = found
    numbered = _read_varint(special)
    if numbered is None:
        return None
    scheme = "https" if flags & _HTTPS else "http"
    return Click(account_id, message_id, campaign, numbered[0], f"{scheme}://{numbered[1].decode('ascii', 'replace')}")


def read_open(token: str, keyring: Keyring) -> Open | None:
    """As read_click, of a pixel."""
    found = _open(OPEN, token, keyring)
    if found is None:
        return None
    _, account_id, message_id, campaign, special = found
    if len(special) != 1 or special[0] not in (OpenMode.FULL, OpenMode.LAST_DATE):
        return None
    return Open(account_id, message_id, campaign, OpenMode(special[0]))


def read_unsubscribe(token: str, keyring: Keyring) -> Unsubscribe | None:
    """As read_click, of a link to unsubscribe."""
    found = _open(UNSUBSCRIBE, token, keyring)
    listed = _read_varint(found[4]) if found else None
    if found is None or listed is None:
        return None
    _, account_id, message_id, campaign, _ = found
    return Unsubscribe(account_id, message_id, campaign, listed[0], listed[1].decode("ascii", "replace"), _address_in(token, keyring))


def _address_in(token: str, keyring: Keyring) -> str:
    """The address in a token that was found to be ours; "" when it holds none."""
    octets = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:-_MAC]
    if not octets[1] & _ADDRESSED:
        return ""
    size = octets[-1]
    start = len(octets) - 1 - size
    return _ciphered(keyring, octets[0], octets[start - 8 : start], octets[start:-1]).decode("utf-8", "surrogateescape")


def _open(kind: str, token: str, keyring: Keyring) -> tuple[int, int, int, int, bytes] | None:
    """(flags, account, message, campaign, what is special to the kind)."""
    payload = read_token(kind, token, keyring) if token.isascii() else None
    if payload is None or len(payload) < 14 or payload[0] & ~(_HTTPS | _ADDRESSED | 0x03) or payload[0] & 0x03 == 3:
        return None
    if payload[0] & _ADDRESSED:
        payload = payload[: -1 - payload[-1]]
        if len(payload) < 14:
            return None
    account = _read_varint(payload[1 + (payload[0] & 0x03) : -8])
    if account is None or len(account[1]) < 4:
        return None
    return payload[0], account[0], int.from_bytes(payload[-8:], "big"), int.from_bytes(account[1][:4], "big"), account[1][4:]


def unsubscribe_tail(message_id: int, account_id: int, list_id: int, address: str, keyring: Keyring) -> bytes:
    """The part after `u-` of the address to which a mail unsubscribes its recipient; survives case folding, fits into a local part of 64 octets.

    It names message, account and list, and has no room for the recipient's address: a mark of it stands there, to which the author of the mail that comes is
    compared when the message itself is gone.
    """
    key_id = keyring.current
    short = bytes([key_id]) + message_id.to_bytes(7, "big")
    payload, purpose = short + _varint(account_id) + _varint(list_id) + leaving_mark(address, keyring, key_id), _ADDRESS_PURPOSE
    if len(payload) > _MAX_PAYLOAD:  # a million million accounts and lists: nobody has them
        payload, purpose = short, _OLD_PURPOSE
    return base64.b32encode(payload + keyring.mac(key_id, purpose, payload, _ADDRESS_MAC)).rstrip(b"=").lower()


def leaving_mark(address: str, keyring: Keyring, key_id: int) -> bytes:
    """What stands for an address, whatever its case, in an address to unsubscribe."""
    return keyring.mac(key_id, b"leaving mark", address.lower().encode("utf-8", "surrogateescape"), _MARK)


def read_unsubscribe_address(local: str, keyring: Keyring) -> Leaving | None:
    """What the local part of an unsubscribe address names; None when it is not ours or was touched."""
    text = local[len(UNSUBSCRIBE_PREFIX) :].upper()
    if not local.isascii() or not local.lower().startswith(UNSUBSCRIBE_PREFIX) or not OLD_ADDRESS_TAIL <= len(text) <= MAX_ADDRESS_TAIL:
        return None
    try:
        octets = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        return None
    if base64.b32encode(octets).decode("ascii").rstrip("=") != text or octets[0] not in keyring.keys:
        return None
    payload, mac = octets[:-_ADDRESS_MAC], octets[-_ADDRESS_MAC:]
    purpose = _OLD_PURPOSE if len(text) == OLD_ADDRESS_TAIL else _ADDRESS_PURPOSE
    if not hmac.compare_digest(mac, keyring.mac(octets[0], purpose, payload, _ADDRESS_MAC)):
        return None
    message_id = int.from_bytes(payload[1:8], "big")
    account = _read_varint(payload[8:])
    listed = _read_varint(account[1]) if account is not None else None
    if account is None or listed is None or len(listed[1]) != _MARK:
        return Leaving(message_id) if len(payload) == 8 else None
    return Leaving(message_id, account[0], listed[0], octets[0], listed[1])


def _varint(number: int) -> bytes:
    """Seven bits an octet, the lowest first."""
    octets = bytearray()
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def _read_varint(octets: bytes) -> tuple[int, bytes] | None:
    """A number and what stands after it."""
    number = 0
    for i, octet in enumerate(octets[:10]):
        number |= (octet & 0x7F) << 7 * i
        if octet < 0x80:
            return number, octets[i + 1 :]
    return None
