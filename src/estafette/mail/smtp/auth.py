"""The AUTH exchange (RFC 4954) seen from the server, for PLAIN (RFC 4616) and LOGIN: lines in, a challenge or credentials out.

    step = begin(b"LOGIN")            # Asked: send 334 with its challenge
    step = respond(step, b"dXNlcg==") # Asked again: the password
    step = respond(step, b"c2VjcmV0") # Credentials("user", …)

What is malformed or cancelled raises `Refusal`; the exchange is over then. Whether credentials are right is not decided here.
"""

import base64
from dataclasses import dataclass
from typing import Final

from estafette.mail.smtp.grammar import Refusal
from estafette.mail.smtp.replies import reply
from estafette.mail.smtp.server_events import Credentials

MECHANISMS: Final = ("PLAIN", "LOGIN")
_USERNAME: Final = base64.b64encode(b"Username:").decode()
_PASSWORD: Final = base64.b64encode(b"Password:").decode()


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge was made: 334 goes out, and the peer's next line comes to `respond`."""

    mechanism: str
    challenge: str  # base64, "" = empty
    username: str | None = None  # LOGIN: given already, the password is asked for


def begin(argument: bytes) -> Asked | Credentials:
    """The argument of AUTH: a mechanism, perhaps an initial response (`=` stands for an empty one, RFC 4954 4)."""
    word, _, initial = argument.partition(b" ")
    mechanism = word.decode("ascii", "replace").upper()
    if not mechanism:
        raise Refusal(reply(501, "5.5.4", "Syntax: AUTH mechanism"))
    if mechanism not in MECHANISMS:
        raise Refusal(reply(504, "5.5.4", f"Unknown mechanism; {' and '.join(MECHANISMS)} are offered"))
    asked = Asked(mechanism, "" if mechanism == "PLAIN" else _USERNAME)
    if not initial:
        return asked
    return respond(asked, b"" if initial == b"=" else initial)


def respond(asked: Asked, line: bytes) -> Asked | Credentials:
    """The peer's line, without CRLF, after a challenge."""
    if line == b"*":  # RFC 4954 4: the client gives up
        raise Refusal(reply(501, "5.7.0", "Authentication cancelled"))
    try:
        text = base64.b64decode(line, validate=True).decode("utf-8")
    except ValueError:  # binascii.Error and UnicodeDecodeError are ValueErrors
        raise Refusal(reply(501, "5.5.2", "Not base64")) from None
    if asked.mechanism == "PLAIN":
        return _plain(text)
    if asked.username is None:
        return Asked("LOGIN", _PASSWORD, text)
    return Credentials(asked.username, text)


def _plain(text: str) -> Credentials:
    """[authzid] NUL authcid NUL password (RFC 4616 2)."""
    parts = text.split("\0")
    if len(parts) != 3:
        raise Refusal(reply(501, "5.5.2", "Malformed PLAIN credentials"))
    acts_as, username, password = parts
    if acts_as not in ("", username):
        raise Refusal(reply(535, "5.7.8", "Nobody can act for somebody else here; leave the authorization identity empty"))
    return Credentials(username, password)
