"""How often something may be asked, and by which keys that is counted. Pure.

A form that writes to any address is a weapon against mailboxes: an address gets few mails whoever asks and by whichever form of the installation, a network
asks seldom, and no form runs away. Counted are keyed hashes: no address and no person can be read from what is kept.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from estafette.clock import SECOND_US
from estafette.mail.address import Address
from estafette.mail.token import Keyring

DOTLESS: Final = frozenset({"gmail.com", "googlemail.com"})
"""Providers to whom a dot in a local part is nothing."""
HOUR_US: Final = 3600 * SECOND_US
DAY_US: Final = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class Limit:
    """So many within a window."""

    name: str
    most: int
    window_us: int

    def window(self, now: int) -> tuple[int, int]:
        """Where the window of a moment begins and ends."""
        starts_at = now - now % self.window_us
        return starts_at, starts_at + self.window_us


ADDRESS: Final = Limit("address", 3, DAY_US)
"""Mails that ask one address to confirm, over all forms and accounts."""
NETWORK: Final = Limit("network", 20, HOUR_US)
FORM: Final = Limit("form", 2000, HOUR_US)


def who(limit: Limit, what: str, keyring: Keyring) -> str:
    """What is counted for somebody: a keyed hash, which tells nothing."""
    return f"{limit.name}:{keyring.mac(keyring.current, b'sign-up count', f'{limit.name} {what}'.encode('utf-8', 'surrogateescape'), 16).hex()}"


def mailbox_of(address: Address) -> str:
    """The mailbox behind an address: what stands behind a plus leads to the same one, and so do dots where they do not count."""
    local, _, domain = address.key.rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '')}@gmail.com" if domain in DOTLESS else f"{local}@{domain}"


def network_of(peer: str) -> str:
    """A whole IPv4 address, the first 64 bits of an IPv6 one: what one customer of an access provider has. "" for what is none."""
    try:
        ip = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
