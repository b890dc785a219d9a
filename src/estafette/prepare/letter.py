"""A mail compiled for all its recipients: pieces of octets with slots between them. Pure.

`compiling.compile_letter` makes a `Letter` once per submission; `copy_for` makes the mail of one recipient: tokens are finished, put between
the pieces, and the body is hashed for DKIM over pieces that are canonical already, beginning after the part that all recipients share.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import quote

from estafette.mail.dkim import SignedFields, body_hash
from estafette.mail.token import Keyring
from estafette.prepare import tokens
from estafette.prepare.pieces import Template, weave
from estafette.prepare.tokens import Seal
from estafette.prepare.tracking import LeftOff

ADDRESS_TEXT, ADDRESS_HTML, ADDRESS_URL, MAILTO, FIRST_SEAL = range(5)
"""The numbers of the values that are no tokens (the recipient's address in three spellings, the address to unsubscribe by mail); the tokens follow."""
_ADDRESS_VALUES: Final = (ADDRESS_TEXT, ADDRESS_HTML, ADDRESS_URL)
FIRST_SIZES: Final = (0, 0, 0, 0)
"""Octets of those values; 0 = not fixed. Values that a recipient brings (`own.py`) have numbers below zero: they stand at the end, the first of them last."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The mail of one recipient, still unsigned."""

    head: bytes  # up to and including the empty line
    body: bytes
    signed: SignedFields | None  # None: nobody signs
    hash_of_body: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """See the module. The same for every recipient who agrees to the same."""

    head: Template
    body: Template
    seals: tuple[Seal, ...]
    left_off: tuple[LeftOff, ...]
    is_changed: bool  # False: the mail goes out as it came
    is_8bit: bool
    names: bytes  # the value of h=; empty when nobody signs
    signed_head: Template  # the signed fields in canonical form
    canonical: tuple[bytes, ...]  # the pieces of the body in canonical form; the very same tuple when they are canonical as they stand
    numbers: frozenset[int]  # of the values that are no tokens and are needed
    keyring: Keyring | None
    account_id: int
    list_id: int  # that the unsubscribing is from; 0 = none
    hashed: "hashlib._Hash"  # SHA-256 of the canonical body up to the first slot

    @property
    def is_personal(self) -> bool:
        """Whether two recipients get different octets."""
        return bool(self.head.slots or self.body.slots)

    def octets(self) -> bytes:
        """The mail when it is the same for all."""
        return self.head.pieces[0] + self.body.pieces[0]

    def signature_base(self) -> tuple[SignedFields | None, bytes]:
        """What is signed and the value of bh= when the mail is the same for all."""
        return (SignedFields(self.names, self.signed_head.pieces[0]), b64encode(self.hashed.digest())) if self.names else (None, b"")

    def copy_for(self, message_id: int, recipient: str, own: Sequence[bytes] = ()) -> Copy:
        """The mail of one recipient. `own`: the values that it brings."""
        values = [*self._values(message_id, recipient), *tokens.tails(self.seals, message_id, recipient), *reversed(own)]
        filled = self.body.filled(values)
        head, body = weave(self.head.pieces, self.head.filled(values)), weave(self.body.pieces, filled)
        if not self.names:
            return Copy(head, body, None, b"")
        signed = SignedFields(self.names, weave(self.signed_head.pieces, self.signed_head.filled(values)))
        return Copy(head, body, signed, self._hash(body, filled, values))

    def _values(self, message_id: int, recipient: str) -> list[bytes]:
        values = [b""] * FIRST_SEAL
        if MAILTO in self.numbers and self.keyring is not None:
            values[MAILTO] = tokens.unsubscribe_tail(message_id, self.account_id, self.list_id, recipient, self.keyring)
        if self.numbers.intersection(_ADDRESS_VALUES):
            values[ADDRESS_TEXT] = recipient.encode("ascii", "replace")
            values[ADDRESS_HTML] = escape(recipient).encode("ascii", "xmlcharrefreplace").replace(b" ", b"&#32;")
            values[ADDRESS_URL] = quote(recipient, "@").encode("ascii")
        return values

    def _hash(self, body: bytes, filled: Sequence[bytes], values: Sequence[bytes]) -> bytes:
        """The value of bh=. A blank in an address breaks the rule that slots are canonical: then the whole body is gone through."""
        if ADDRESS_TEXT in self.numbers and b" " in values[ADDRESS_TEXT]:
            return body_hash(body)
        digest = self.hashed.copy()
        if filled and self.canonical is self.body.pieces:
            digest.update(memoryview(body)[len(self.canonical[0]) :])
        elif filled:
            digest.update(weave(filled, self.canonical[1:-1]))
            digest.update(self.canonical[-1])
        return b64encode(digest.digest())
