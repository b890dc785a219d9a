"""Shelf: people who sign in to the dashboard, their roles and sessions, what they did (the audit log)."""

from estafette.store.driver import Driver
from estafette.store.unit import Many, Row, Rows, Unit
from estafette.views import AuditEntry, Lock, Membership, Role, SignIn, User


class Users:
    """`store.users`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    # -- people ---------------------------------------------------------------------------------------------------------

    async def add(self, name: str, password_hash: str, now: int, *, is_admin: bool = False) -> User | None:
        """A new user; None when the name is taken."""
        return await self._driver.write(lambda: _add("user_put", (name, password_hash, int(is_admin), now)))

    async def add_first(self, name: str, password_hash: str, now: int) -> User | None:
        """The first administrator; None when there is anybody already."""
        return await self._driver.write(lambda: _add("user_first", (name, password_hash, now)))

    async def has_any(self) -> bool:
        """Whether anybody can sign in."""
        return bool(await self._driver.read(lambda: _rows("user_any", ())))

    async def lock(self, name: str) -> Lock | None:
        """What a sign-in is compared with."""
        rows = await self._driver.read(lambda: _rows("user_lock", (name,)))
        return Lock(_user(rows[0]), rows[0][7], None if rows[0][8] is None else bytes(rows[0][8]), rows[0][9]) if rows else None

    async def everybody(self) -> list[User]:
        """Everybody, by name."""
        return [_user(row) for row in await self._driver.read(lambda: _rows("user_list", ()))]

    async def set_password(self, user_id: int, password_hash: str) -> bool:
        """A new password; it ends every session of the user."""
        return await self._driver.write(lambda: _set_password(user_id, password_hash))

    async def set_language(self, user_id: int, language: str) -> None:
        """"" = as the browser prefers. Unsynced."""
        await self._driver.write(lambda: _run("user_language", (user_id, language)), is_synced=False)

    async def set_totp(self, user_id: int, sealed: bytes | None) -> None:
        """Switch the second factor on (its secret, sealed) or off."""
        await self._driver.write(lambda: _run("user_totp", (user_id, sealed)))

    async def use_totp(self, user_id: int, step: int) -> bool:
        """False when this code, or a later one, was used before."""
        return bool(await self._driver.write(lambda: _rows("user_totp_used", (user_id, step))))

    async def switch(self, user_id: int, *, is_active: bool) -> bool:
        """Let in, or shut out at once: sessions end."""
        return await self._driver.write(lambda: _switch(user_id, is_active))

    # -- what a person keeps --------------------------------------------------------------------------------------------

    async def filters(self, user_id: int, account_id: int) -> list[tuple[str, str]]:
        """(name, query) of the choices that he keeps, by name."""
        return [(name, query) for name, query in await self._driver.read(lambda: _rows("filter_list", (user_id, account_id)))]

    async def save_filter(self, user_id: int, account_id: int, name: str, query: str, now: int, most: int) -> bool:
        """Keep one, in place of the one of that name; False when there are `most` others already."""
        return bool(await self._driver.write(lambda: _rows("filter_put", (user_id, account_id, name, query, now, most))))

    async def drop_filter(self, user_id: int, account_id: int, name: str) -> bool:
        """Forget one; False when there is none of that name."""
        return bool(await self._driver.write(lambda: _rows("filter_drop", (user_id, account_id, name))))

    # -- roles ----------------------------------------------------------------------------------------------------------

    async def set_role(self, user_id: int, account_id: int, role: Role) -> None:
        """Give a role in an account, in place of the one that there was."""
        await self._driver.write(lambda: _run("role_put", (user_id, account_id, role.value)))

    async def drop_role(self, user_id: int, account_id: int) -> bool:
        """Take it away; False when there was none."""
        return bool(await self._driver.write(lambda: _rows("role_drop", (user_id, account_id))))

    async def memberships(self, user: User) -> list[Membership]:
        """The accounts that a user may see, by name: all of them for an administrator of the installation."""
        query, params = ("role_everywhere", ()) if user.is_admin else ("role_list", (user.id,))
        return [Membership(a, name, Role(role)) for a, name, role in await self._driver.read(lambda: _rows(query, params))]

    async def members(self, account_id: int) -> list[tuple[User, Role]]:
        """Who has a role in an account."""
        return [(_user(row), Role(row[7])) for row in await self._driver.read(lambda: _rows("role_members", (account_id,)))]

    # -- sessions -------------------------------------------------------------------------------------------------------

    async def sign_in(self, token_sha256: bytes, user_id: int, now: int, until: int, peer: str, agent: str) -> None:
        """Begin a session, and forget those that ended."""
        await self._driver.write(lambda: _sign_in(token_sha256, user_id, now, until, peer, agent))

    async def session(self, token_sha256: bytes, now: int) -> SignIn | None:
        """The running session of a token."""
        rows = await self._driver.read(lambda: _rows("session_get", (token_sha256, now)))
        return _session(rows[0]) if rows else None

    async def sessions(self, user_id: int, now: int) -> list[SignIn]:
        """The running sessions of a user, the newest use first."""
        return [_session(row) for row in await self._driver.read(lambda: _rows("session_list", (user_id, now)))]

    async def seen(self, token_sha256: bytes, now: int, until: int) -> None:
        """Prolong a session. Unsynced."""
        await self._driver.write(lambda: _run("session_seen", (token_sha256, now, until)), is_synced=False)

    async def sign_out(self, token_sha256: bytes) -> None:
        """End one session."""
        await self._driver.write(lambda: _run("session_drop", (token_sha256,)))

    async def sign_out_everywhere(self, user_id: int) -> None:
        """End all sessions of a user."""
        await self._driver.write(lambda: _run("session_drop_of", (user_id,)))

    # -- the audit log --------------------------------------------------------------------------------------------------

    async def note(self, account_id: int, user_name: str, now: int, action: str, object_: str, detail: str = "") -> None:
        """Write down who did what."""
        await self._driver.write(lambda: _run("audit_put", (account_id, user_name, now, action, object_[:500], detail[:500])))

    async def audit_log(self, account_id: int | None = None, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Of one account or of all, by id upward."""
        return [AuditEntry(*row) for row in await self._driver.read(lambda: _rows("audit_log", (account_id, after, limit)))]

    async def audit(self, account_id: int, before: int, limit: int) -> list[AuditEntry]:
        """What was done, the newest first."""
        return [AuditEntry(*row) for row in await self._driver.read(lambda: _rows("audit_list", (account_id, before, limit)))]


def _user(row: Row) -> User:
    return User(row[0], row[1], row[2], bool(row[3]), bool(row[4]), bool(row[5]), row[6])


def _session(row: Row) -> SignIn:
    return SignIn(_user(row), row[7], row[8], row[9], row[10], row[11], bytes(row[12]))


def _rows(query: str, params: Row) -> Unit[list[Row]]:
    rows: list[Row] = yield Rows(query, params)
    return rows


def _run(query: str, params: Row) -> Unit[None]:
    yield Many(query, [params])


def _add(query: str, params: Row) -> Unit[User | None]:
    rows = yield Rows(query, params)
    return _user(rows[0]) if rows else None


def _set_password(user_id: int, password_hash: str) -> Unit[bool]:
    yield Many("session_drop_of", [(user_id,)])
    return bool((yield Rows("user_password", (user_id, password_hash))))


def _switch(user_id: int, is_active: bool) -> Unit[bool]:
    yield Many("session_drop_of", [(user_id,)])
    return bool((yield Rows("user_switch", (user_id, int(is_active)))))


def _sign_in(token_sha256: bytes, user_id: int, now: int, until: int, peer: str, agent: str) -> Unit[None]:
    yield Many("session_forget", [(now,)])
    yield Many("session_put", [(token_sha256, user_id, now, until, peer, agent)])
