"""The first administrator of the installation: made when nobody can sign in yet, the password told once and stored as a hash."""

from typing import Final

from estafette.clock import Clock
from estafette.store.seam import Store
from estafette.web.passwords import hash_now

NAME: Final = "admin"
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 letters and digits that are not taken for one another


def fresh_password(clock: Clock) -> str:
    """Twenty letters and digits in groups of five: 100 random bits."""
    letters = [_LETTERS[octet & 31] for octet in clock.token_bytes(20)]
    return "-".join("".join(letters[i : i + 5]) for i in range(0, 20, 5))


async def make_first_admin(store: Store, clock: Clock) -> str:
    """The password of the administrator just made; "" when somebody can sign in already."""
    if await store.users.has_any():
        return ""
    password = fresh_password(clock)
    made = await store.users.add_first(NAME, hash_now(password), clock.now_us())
    return password if made is not None else ""
