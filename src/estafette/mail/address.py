"""Mail addresses: strict as they stand in an envelope (RFC 5321 4.1.2, RFC 6531), lenient as they stand in headers and JSON.

    parse("Jo.Doe@Example.COM").domain            → "example.com"    (A-label; the local part keeps its case and quoting)
    parse_mailboxes('"Doe, Jo" <jo@x.fr>, b@y.z') → [Mailbox("Doe, Jo", Address(...)), Mailbox("", ...)]

All parsing is linear; limits are RFC 5321 4.5.3.1 (64 octets local part, 255 domain, 254 whole).
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

import idna

from estafette.mail.words import decode_words

_UTF8: Final = r"\u00a0-\u2027\u202a-\ud7ff\ue000-\U0010ffff"  # no C1 controls, no line separators, no halves of characters
_ATEXT: Final = rf"A-Za-z0-9!#$%&'*+/=?^_`{{|}}~\-{_UTF8}"
_DOT_STRING = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_QUOTED = re.compile(rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"')
_LITERAL = re.compile(r"(?:[Ii][Pp][Vv]6:)?[0-9A-Fa-f:.]{2,45}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
# Quoted string, address literal, structure, anything else. A quote without its end takes all the rest: nothing is looked at twice.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|\[[^\[\]<>,;"]{0,80}\]|[<>,:;]|[^<>,:;"\[]+|\[', re.S)
_OUTSIDE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|\(|[^"(]+', re.S)
_IN_COMMENT = re.compile(r"\\.|[()\\]|[^()\\]+", re.S)  # quotes mean nothing here
MAX_MAILBOXES: Final = 2000
MAX_DOMAIN_CHARACTERS: Final = 1000  # before IDNA, whose time grows faster than its text


class AddressError(ValueError):
    """Not an address; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A valid address. `local` as given (with quotes when quoted), `domain` a lower-case A-label or an address literal."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """What block lists, duplicates and senders are compared by: folded, quotes that are not needed taken off."""
        return f"{_unquoted(self.local).casefold()}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        return not self.local.isascii()

    @property
    def is_literal(self) -> bool:
        return self.domain.startswith("[")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with its display name, decoded; "" when there is none."""

    name: str
    address: Address


def parse(text: str) -> Address:
    """A bare `local@domain`. Raises AddressError."""
    if "@" not in text:
        raise AddressError("no @ in the address")
    local, _, domain = text.rpartition("@")
    if not local:
        raise AddressError("nothing before the @")
    if not (_DOT_STRING.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise AddressError(f"not a valid local part: {_shown(local)}")
    if len(local.encode()) > 64:
        raise AddressError("the local part is longer than 64 octets")
    address = Address(local, parse_domain(domain))
    if len(str(address).encode()) > 254:
        raise AddressError("the address is longer than 254 octets")
    return address


def parse_domain(text: str) -> str:
    """A domain as a lower-case A-label, or an address literal in canonical form. Raises AddressError."""
    if text.startswith("["):
        return _parse_literal(text)
    if len(text) > MAX_DOMAIN_CHARACTERS:
        raise AddressError("the domain is longer than 253 octets")
    name = text.lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except (idna.IDNAError, UnicodeError) as error:
            raise AddressError(f"not a valid domain: {_shown(text)} ({_shown(str(error))})") from None
    if not name:
        raise AddressError("nothing after the @")
    if len(name) > 253:
        raise AddressError("the domain is longer than 253 octets")
    labels = name.split(".")
    for label in labels:
        if not 0 < len(label) <= 63 or not _LABEL.fullmatch(label):
            raise AddressError(f"not a valid domain: {_shown(text)}")
    return name


def _parse_literal(text: str) -> str:
    inner = text[1:-1] if text.endswith("]") else ""
    if not _LITERAL.fullmatch(inner):  # ipaddress takes anything behind a %, even CR and LF
        raise AddressError(f"not a valid address literal: {_shown(text)}")
    try:
        if inner.lower().startswith("ipv6:"):
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError:
        raise AddressError(f"not a valid address literal: {_shown(text)}") from None


def _shown(text: str) -> str:
    """For an error's text, which may end up in a reply or a log line."""
    return "".join(c if c.isprintable() else "?" for c in text[:80])


def is_deliverable_domain(domain: str) -> bool:
    """False for names that cannot exist in the public DNS as mail domains: one label, or a numeric top level."""
    return domain.startswith("[") or ("." in domain and not domain.rpartition(".")[2].isdigit())


def parse_mailbox(text: str) -> Mailbox:
    """Exactly one mailbox, as in `From`. Raises AddressError."""
    found = parse_mailboxes(text)
    if len(found) != 1:
        raise AddressError("expected one address" if found else "no address")
    return found[0]


def parse_mailboxes(text: str) -> list[Mailbox]:
    """The mailboxes of a header value (unfolded, not yet decoded): names, comments and groups understood. Raises AddressError.

    Encoded words are decoded after the structure was read, so that nothing in them can become structure.
    """
    found: list[Mailbox] = []
    words: list[str] = []  # what stands before an angle bracket, or the bare address
    bracket: list[str] | None = None
    closed: str | None = None
    for token in [*_TOKEN.findall(_without_comments(text.replace("\r\n", "").replace("\0", ""))), ","]:
        if bracket is not None:
            if token == ">":
                closed, bracket = "".join(bracket), None
            else:
                bracket.append(token)
        elif token == "<":
            if closed is not None:
                raise AddressError("two addresses without a comma between them")
            bracket = []
        elif token in (",", ";"):
            mailbox = _mailbox(words, closed)
            if mailbox is not None:
                found.append(mailbox)
            if len(found) > MAX_MAILBOXES:
                raise AddressError("too many addresses")
            words, closed = [], None
        elif token == ":":
            words = []  # a group's name
        else:
            words.append(token)
    if bracket is not None:
        raise AddressError("an opening < without its >")
    return found


def _without_comments(text: str) -> str:
    """A blank in place of every comment (they nest: RFC 5322 3.2.2); text in quotes stays."""
    if "(" not in text:
        return text
    kept: list[str] = []
    depth = position = 0
    while position < len(text):
        match = (_IN_COMMENT if depth else _OUTSIDE).match(text, position)
        assert match is not None  # both patterns take any character
        position = match.end()
        if match[0] == "(":
            depth += 1
        elif depth == 0:
            kept.append(match[0])
        elif match[0] == ")":
            depth -= 1
            kept.append(" " if depth == 0 else "")
    if depth:
        raise AddressError("an opening ( without its )")
    return "".join(kept)


def _mailbox(words: list[str], closed: str | None) -> Mailbox | None:
    if closed is None:
        bare = "".join(words).strip()
        return Mailbox("", parse(bare)) if bare else None
    name = "".join(_unquoted(w) if w.startswith('"') else w for w in words).strip()
    route, colon, rest = closed.strip().partition(":")
    return Mailbox(decode_words(" ".join(name.split())), parse(rest if colon and route.startswith("@") else closed.strip()))


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.S)
    return text
