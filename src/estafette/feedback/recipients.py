"""Decides what an address is for which mail comes in from the world: return path, unsubscribe address, service address, or none of ours. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from estafette.mail.address import Address, AddressError, parse
from estafette.mail.token import VERP_PREFIX, Keyring, read_return_path
from estafette.prepare.tokens import UNSUBSCRIBE_PREFIX, Leaving, read_unsubscribe_address


class Desk(StrEnum):
    """Who takes mail to an address."""

    RETURN_PATH = "return path"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINTS = "complaints"  # abuse@ and the addresses of feedback loops
    POSTMASTER = "postmaster"
    PROGRAM = "program"  # an address that leads to a customer's program; by a row of the store, not by its form


@dataclass(frozen=True, slots=True)
class Destination:
    """An address of ours."""

    desk: Desk
    address: str
    message_id: int = 0  # by the token in it; 0: it has none, or one that is not valid
    route_id: int = 0  # of a PROGRAM
    leaving: Leaving | None = None  # of an UNSUBSCRIBE with a valid token


@dataclass(frozen=True, slots=True)
class Directory:
    """Which addresses are ours."""

    domain: str  # of the return paths
    hostname: str  # postmaster@ and abuse@ work here too
    complaint_keys: frozenset[str]  # lookup keys of the feedback loops' addresses


SERVICE: Final = {"postmaster": Desk.POSTMASTER, "abuse": Desk.COMPLAINTS, "mailer-daemon": Desk.POSTMASTER}


def directory(domain: str, hostname: str, fbl_addresses: Sequence[str]) -> Directory:
    """The directory of a configuration. Raises AddressError for an address that is none."""
    return Directory(domain.lower(), hostname.lower(), frozenset(parse(a).key for a in fbl_addresses))


def find_destination(recipient: str, keyring: Keyring, ours: Directory) -> Destination | None:
    """What mail to this address is for; None: not ours, refuse it. A return path whose token is not valid is ours, and names no message."""
    if recipient.lower() == "postmaster":  # without a domain: RFC 5321 4.5.1
        return Destination(Desk.POSTMASTER, recipient)
    try:
        address = parse(recipient)
    except AddressError:
        return None
    if address.key in ours.complaint_keys:
        return Destination(Desk.COMPLAINTS, recipient)
    if address.domain not in (ours.domain, ours.hostname):
        return None
    return _of_domain(address, recipient, keyring, ours)


def _of_domain(address: Address, recipient: str, keyring: Keyring, ours: Directory) -> Destination | None:
    local = address.local.lower()
    desk = SERVICE.get(local)
    if desk is not None:
        return Destination(desk, recipient)
    if address.domain != ours.domain:
        return None
    if local.startswith(VERP_PREFIX):
        return Destination(Desk.RETURN_PATH, recipient, read_return_path(local, keyring) or 0)
    if local.startswith(UNSUBSCRIBE_PREFIX):
        leaving = read_unsubscribe_address(local, keyring)
        return Destination(Desk.UNSUBSCRIBE, recipient, leaving.message_id if leaving is not None else 0, leaving=leaving)
    return None
