"""Passwords: Argon2id in threads, few at a time, so that sign-ins neither stop the loop nor fill the memory.

19 MiB, two passes, one lane: the second of the OWASP recommendations; about 30 ms of one core.
"""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 256
AT_ONCE: Final = 2

_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_nobody: Final = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmUhIQ$2nXm8yTtbPXWaVYGY6e0pBHCJkDhkHgMRH7fn1bxv2I"
"""Verified when nobody has that name, so that the answer takes as long."""


class Passwords:
    """One per worker process."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """What is stored."""
        async with self._turn:
            return await asyncio.to_thread(_hasher.hash, password)

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Whether a password is the stored one; the same work when there is none stored."""
        async with self._turn:
            return await asyncio.to_thread(_verify, stored or _nobody, password[:MAX_LENGTH]) and stored is not None


def hash_now(password: str) -> str:
    """For commands, which have no loop to keep free."""
    return _hasher.hash(password)


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
