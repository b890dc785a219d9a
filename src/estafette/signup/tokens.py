"""Two signed tokens: the link that confirms a subscription, and the time at which a form was shown. Pure; see `mail.token`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from estafette.clock import SECOND_US
from estafette.mail.token import Keyring, make_token, read_token

CONFIRM: Final = "confirm"
SHOWN: Final = "form shown"
MAX_TOKEN: Final = 200
QUICKEST_US: Final = 2 * SECOND_US
"""Nobody reads and fills in a form in less."""
OLDEST_US: Final = 6 * 3600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Confirm:
    """What stands in the link."""

    opt_in_id: int
    expires_at: int  # whole seconds, in microseconds


class Age(StrEnum):
    """What the time of showing says about a form that comes back."""

    FIT = "fit"
    QUICK = "quick"  # sooner than a person is
    NONE = "none"  # no time of ours, or too long ago


def make_confirm(opt_in_id: int, expires_at: int, keyring: Keyring) -> str:
    """For the mail that asks to confirm."""
    return make_token(CONFIRM, opt_in_id.to_bytes(8, "big") + (expires_at // SECOND_US).to_bytes(5, "big"), keyring)


def read_confirm(token: str, keyring: Keyring) -> Confirm | None:
    """None for what we did not make. Whether it is still in time, the reader says."""
    payload = read_token(CONFIRM, token, keyring) if len(token) <= MAX_TOKEN and token.isascii() else None
    if payload is None or len(payload) != 13:
        return None
    return Confirm(int.from_bytes(payload[:8], "big"), int.from_bytes(payload[8:], "big") * SECOND_US)


def make_shown(form_id: int, at: int, keyring: Keyring) -> str:
    """For a hidden field of the form."""
    return make_token(SHOWN, form_id.to_bytes(8, "big") + (at // SECOND_US).to_bytes(5, "big"), keyring)


def age_of(token: str, form_id: int, now: int, keyring: Keyring) -> Age:
    """How old a form is that comes back."""
    payload = read_token(SHOWN, token, keyring) if len(token) <= MAX_TOKEN and token.isascii() else None
    if payload is None or len(payload) != 13 or int.from_bytes(payload[:8], "big") != form_id:
        return Age.NONE
    passed = now - int.from_bytes(payload[8:], "big") * SECOND_US
    if passed > OLDEST_US or passed < 0:
        return Age.NONE
    return Age.QUICK if passed < QUICKEST_US else Age.FIT
