"""Who is at the door: API key and secret against the store, with a short cache so that AUTH is no attack on the processor.

The same answer in the same time for an unknown key and a wrong secret. Failures slow down the network that makes them, per key: the delay
grows from the fourth failure on, and the rightful user, who comes from elsewhere or has the secret, is never locked out.
"""

import asyncio
import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import Final

from estafette.accept.authority import may_write_as
from estafette.clock import Clock
from estafette.mail.address import Mailbox
from estafette.model import Account, Authors, Credential
from estafette.store.seam import Store

CACHE_S: Final = 10.0
FREE_FAILURES: Final = 3
MAX_DELAY_S: Final = 20.0
FORGET_S: Final = 900.0
MAX_ENTRIES: Final = 10_000
SEND: Final = "send"
READ: Final = "read"
MANAGE: Final = "manage"
SCOPES: Final = (SEND, READ, MANAGE)
_NOBODY: Final = hashlib.sha256(b"nobody").digest()


@dataclass(frozen=True, slots=True)
class Failures:
    count: int
    last_s: float


def delay_s(failures: Failures | None, now_s: float) -> float:
    """How long the answer to a failed login is held back."""
    if failures is None or now_s - failures.last_s > FORGET_S or failures.count <= FREE_FAILURES:
        return 0.0
    return min(MAX_DELAY_S, float(2 ** min(failures.count - FREE_FAILURES - 1, 10)) * 0.5)


def network_of(address: str) -> str:
    """The /24 or /64 that an address belongs to."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 64}", strict=False))


def may(credential: Credential, scope: str) -> bool:
    """Whether a key is for this: send, read or manage."""
    return not credential.scopes or scope in credential.scopes


def is_from(credential: Credential, peer: str) -> bool:
    """Whether a key may be used from this address."""
    if not credential.networks:
        return True
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in credential.networks)


class Doorkeeper:
    """Checks logins and knows the authors of an account."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[Credential | None, float]] = {}
        self._authors: dict[int, tuple[Authors, float]] = {}
        self._failures: dict[tuple[str, str], Failures] = {}

    async def login(self, key: str, secret: str, peer: str) -> Account | None:
        """The account of a key with its secret, for sending; None when either is wrong or switched off, or the key may not send. Raises StoreFault."""
        credential = await self.admit(key, secret, peer)
        return credential.account if credential is not None and may(credential, SEND) else None

    async def admit(self, key: str, secret: str, peer: str) -> Credential | None:
        """The credential of a key with its secret, which says what the key may do; None when either is wrong or switched off, or the key is not to be used
        from this address. Raises StoreFault."""
        credential = await self._credential(key)
        expected = credential.secret_sha256 if credential else _NOBODY
        given = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        is_right = hmac.compare_digest(expected, given) and credential is not None
        if is_right and credential is not None:  # a right secret that is switched off is not held back: nobody is guessing
            return credential if await self.account_of(key) is not None and is_from(credential, peer) else None
        await self._hold_back(peer, key)
        return None

    async def account_of(self, key: str) -> Account | None:
        """The account of a key that was logged in with before; None when either is switched off now. Raises StoreFault."""
        credential = await self._credential(key)
        return credential.account if credential is not None and credential.is_active and credential.account.is_active else None

    async def is_suspended(self, key: str, secret: str) -> bool:
        """True when the secret is right but the key or its account is switched off (contract: 401 mj-0001)."""
        credential = await self._credential(key)
        given = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        return (
            credential is not None
            and hmac.compare_digest(credential.secret_sha256, given)
            and not (credential.is_active and credential.account.is_active)
        )

    async def authors(self, account_id: int) -> Authors:
        """Whom the account may write as; at most `CACHE_S` old."""
        now = self._clock.monotonic()
        cached = self._authors.get(account_id)
        if cached is not None and cached[1] > now:
            return cached[0]
        found = await self._store.authors(account_id)
        self._trim(self._authors)
        self._authors[account_id] = (found, now + CACHE_S)
        return found

    async def may_write_as(self, account_id: int, author: Mailbox) -> bool:
        """Before somebody is refused who has perhaps just been verified, the store is asked anew."""
        if may_write_as(await self.authors(account_id), author):
            return True
        self._authors.pop(account_id, None)
        return may_write_as(await self.authors(account_id), author)

    async def _credential(self, key: str) -> Credential | None:
        now = self._clock.monotonic()
        cached = self._known.get(key)
        if cached is not None and cached[1] > now:
            return cached[0]
        found = await self._store.credential(key)
        if found is not None:  # an unknown key may be created the next moment: not cached
            self._trim(self._known)
            self._known[key] = (found, now + CACHE_S)
        return found

    async def _hold_back(self, peer: str, key: str) -> None:
        now = self._clock.monotonic()
        who = (network_of(peer), key)
        before = self._failures.get(who)
        count = 1 if before is None or now - before.last_s > FORGET_S else before.count + 1
        self._trim(self._failures)
        failures = self._failures[who] = Failures(count, now)
        wait = delay_s(failures, now)
        if wait:
            await asyncio.sleep(wait)

    @staticmethod
    def _trim(table: dict) -> None:  # type: ignore[type-arg]
        if len(table) >= MAX_ENTRIES:
            table.pop(next(iter(table)))
