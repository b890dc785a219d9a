"""The plan of a submission: what is found out once and used for all its messages. Pure.

A mail whose octets are the same for every recipient is also signed once: `Plan.made` keeps the last signed copy for a while. A mail with links, pixel or
unsubscribe link is personal: its `Letter` has slots, and every message gets a body, a body hash and a signature of its own.

    plan = make_plan(content, keys, tracking)
    if plan.is_personal:
        copy = plan.copy_for(claim)                       # head, body and hash of one recipient
        pending_signatures(plan, at_s, copy)              # then copy.head + copy.body below the signatures
    else:
        pending_signatures(plan, at_s)                    # then plan.mail
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from estafette.mail.dkim import ED25519, RSA, Pending, SignedFields, SigningKey, body_hash, choose_fields, prepare
from estafette.mail.header import read_header
from estafette.mail.smtp.client import Transaction
from estafette.mail.token import Keyring, make_return_path
from estafette.model import Claimed, Content
from estafette.prepare.compiling import compile_letter
from estafette.prepare.letter import Copy, Letter
from estafette.prepare.tracking import CONSENT, Consent, LeftOff, Tracking, wanted

FRESH_S: Final = 600
"""How long a signed copy may be used again."""


@dataclass(slots=True)
class Plan:
    """See the module. `keys` are those that sign; empty: the mail goes out unsigned."""

    content: Content
    mail: bytes  # what goes out below the signatures when it is the same for all: the content, or that with constant changes
    is_8bit: bool
    needs_utf8: bool  # the header holds raw UTF-8 (RFC 6532)
    keys: tuple[SigningKey, ...]
    signed: SignedFields | None
    hash_of_body: bytes
    tracking: Tracking | None = None
    letters: dict[Consent, Letter] = field(default_factory=dict, repr=False)  # by what recipients agree to; made when first needed
    left_off: tuple[LeftOff, ...] = ()  # why tracking that was asked for is not there
    is_personal: bool = False
    made: tuple[int, bytes] | None = field(default=None, repr=False)  # (time of signing in seconds, the mail as it goes out)

    def fresh(self, at_s: int) -> bytes | None:
        """The signed copy while it may be used again."""
        return self.made[1] if self.made is not None and 0 <= at_s - self.made[0] < FRESH_S else None  # the clock may have gone back

    def copy_for(self, claim: Claimed, consent: Consent = CONSENT) -> Copy:
        """The mail of one message of a personal plan."""
        letter = self.letters.get(consent)
        if letter is None:
            assert self.tracking is not None  # is_personal
            letter = self.letters[consent] = compile_letter(self.content, self.tracking, consent, bool(self.keys))
        return letter.copy_for(claim.message_id, claim.recipient)


def make_plan(content: Content, keys: Sequence[SigningKey], tracking: Tracking | None = None) -> Plan:
    """Read the mail once. Of several keys the newest of each algorithm signs, RSA on top where most verifiers look first.

    `tracking`: the defaults of the account; the submission's own options come before them. None: nothing is put into the mail.
    """
    chosen = chosen_keys(keys)
    if tracking is None:
        return _plain_plan(content, chosen)
    holds = wanted(tracking, content.options)
    letter = compile_letter(content, holds, CONSENT, bool(chosen))
    needs_utf8 = letter.is_8bit and not all(piece.isascii() for piece in letter.head.pieces)
    if letter.is_personal:
        return Plan(content, b"", letter.is_8bit, needs_utf8, chosen, None, b"", holds, {CONSENT: letter}, letter.left_off, is_personal=True)
    mail = letter.octets() if letter.is_changed else content.raw
    return Plan(content, mail, letter.is_8bit, needs_utf8, chosen, *letter.signature_base(), left_off=letter.left_off)


def chosen_keys(keys: Sequence[SigningKey]) -> tuple[SigningKey, ...]:
    """Those that sign: of each algorithm the first, RSA on top."""
    return tuple(k for algorithm in (RSA, ED25519) for k in [k for k in keys if k.algorithm == algorithm][:1])


def _plain_plan(content: Content, chosen: tuple[SigningKey, ...]) -> Plan:
    """The plan of a mail that nothing is put into."""
    raw = content.raw
    header = read_header(raw)
    is_8bit = not raw.isascii()
    needs_utf8 = is_8bit and not raw[: header.end].isascii()
    if not chosen:
        return Plan(content, raw, is_8bit, needs_utf8, (), None, b"")
    return Plan(content, raw, is_8bit, needs_utf8, chosen, choose_fields(header), body_hash(raw[header.body_start :]))


def pending_signatures(plan: Plan, at_s: int, copy: Copy | None = None) -> list[tuple[SigningKey, Pending]]:
    """The signatures to be made, in the order in which they stand in the mail; `copy` for a personal plan."""
    signed, hash_of_body = (plan.signed, plan.hash_of_body) if copy is None else (copy.signed, copy.hash_of_body)
    if signed is None:
        return []
    return [(key, prepare(key, signed, hash_of_body, at_s)) for key in plan.keys]


def transaction(plan: Plan, claim: Claimed, mail: bytes, keyring: Keyring, return_domain: str) -> Transaction:
    """The envelope of one message: a return path of its own that names it, unless the submitter's was null (RFC 5321 4.5.5)."""
    reverse_path = make_return_path(claim.message_id, keyring, return_domain) if plan.content.reverse_path else ""
    needs_utf8 = plan.needs_utf8 or not claim.recipient.isascii()
    return Transaction(reverse_path, (claim.recipient,), mail, is_8bit=plan.is_8bit, smtputf8=needs_utf8)
