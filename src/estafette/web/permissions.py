"""What each role may do in an account. Pure; the one table that every page asks."""

from enum import StrEnum
from typing import Final

from estafette.views import Role


class May(StrEnum):
    """Things that not everybody may."""

    READ = "read"  # see what became of mail
    CONTENT = "content"  # see what a mail says
    EXPORT = "export"
    BLOCK = "block"  # block and unblock addresses
    RETRY = "retry"  # ask for an attempt at once, or take a waiting message back
    RESUME = "resume"  # let mail go on that the reputation guard stopped
    PAUSE = "pause"  # stop the account's mail to a destination, and let it go on
    PURGE = "purge"  # end what waits for a destination
    SEND = "send"  # send a test
    CONTACTS = "contacts"  # change contacts, lists and segments
    NEWSLETTERS = "newsletters"  # write and send them
    DOMAINS = "domains"
    KEYS = "keys"  # API keys and webhooks
    PRIVACY = "privacy"  # what is measured, and how long anything is kept
    USERS = "users"  # who may do what, and the audit log


_EVERYTHING: Final = frozenset(May)
PERMISSIONS: Final[dict[Role, frozenset[May]]] = {
    Role.OWNER: _EVERYTHING,
    Role.ADMIN: _EVERYTHING,
    Role.MARKETER: frozenset({May.READ, May.CONTENT, May.EXPORT, May.BLOCK, May.SEND, May.CONTACTS, May.NEWSLETTERS}),
    Role.ANALYST: frozenset({May.READ, May.EXPORT}),
    Role.DEVELOPER: frozenset({May.READ, May.CONTENT, May.RETRY, May.PAUSE, May.SEND, May.DOMAINS, May.KEYS}),
    Role.SUPPORT: frozenset({May.READ, May.BLOCK, May.RETRY}),
}


def is_allowed(role: Role, what: May) -> bool:
    """Whether a role may do something."""
    return what in PERMISSIONS[role]


def may_give(giver: Role, role: Role) -> bool:
    """Only an owner makes owners."""
    return is_allowed(giver, May.USERS) and (role is not Role.OWNER or giver is Role.OWNER)
