"""Commands about who may sign in to the dashboard: user."""

import click

from estafette.cli.ground import NOT_FOUND, PROBLEM, Ground, account_named, fail, options
from estafette.cli.printing import print_facts, print_json, print_table
from estafette.store.seam import Store
from estafette.views import Role
from estafette.web.first_admin import fresh_password
from estafette.web.passwords import hash_now


@click.group()
def user() -> None:
    """People who sign in to the dashboard, and their roles in accounts."""


@user.command("add")
@click.argument("name")
@click.option("--account", "account_name", metavar="NAME", help="Account in which the user gets the role.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.OWNER.value, show_default=True, help="Role in that account.")
@click.option("--admin", "is_admin", is_flag=True, help="Administrator of the installation: owner of every account.")
@options
def user_add(ground: Ground, name: str, account_name: str | None, role: str, is_admin: bool) -> None:
    """Add a user; the password is made and shown this once. A known user gets the role in the account.

    Example: estafette user add ada@example.com --account shop --role marketer
    """
    key = name.strip().lower()
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise click.UsageError("a name has 1 to 255 printable characters")
    password = fresh_password(ground.clock)

    async def work(store: Store) -> bool:
        account = await account_named(store, account_name) if account_name else None
        made = await store.users.add(key, hash_now(password), ground.clock.now_us(), is_admin=is_admin)
        lock = await store.users.lock(key)
        assert lock is not None
        if made is None and (account is None or is_admin):
            fail(PROBLEM, f"there is already a user {key!r} (estafette user reset {key} makes a new password)")
        if account is not None:
            await store.users.set_role(lock.user.id, account.id, Role(role))
        return made is not None

    is_new = ground.run(work)
    facts = {"user": key, "account": account_name or "", "role": role if account_name else "", "admin": is_admin}
    if ground.is_json:
        print_json(facts | ({"password": password} if is_new else {}))
    else:
        print_facts({**facts, "admin": "yes" if is_admin else "", "password": password if is_new else "as before"})


@user.command("list")
@options
def user_list(ground: Ground) -> None:
    """List the users with their roles.

    Example: estafette user list --json
    """

    async def work(store: Store) -> list[tuple[str, bool, bool, bool, dict[str, str]]]:
        found = []
        for one in await store.users.everybody():
            roles = {} if one.is_admin else {m.account: m.role.value for m in await store.users.memberships(one)}
            found.append((one.name, one.is_admin, one.is_active, one.has_totp, roles))
        return found

    users = ground.run(work)
    if ground.is_json:
        for name, is_admin, is_active, has_totp, roles in users:
            print_json({"user": name, "admin": is_admin, "active": is_active, "two_factor": has_totp, "roles": roles})
    else:
        rows = [(name, "yes" if is_admin else "no", "yes" if is_active else "no", "on" if has_totp else "off",
                 ", ".join(f"{account}: {role}" for account, role in roles.items())) for name, is_admin, is_active, has_totp, roles in users]  # fmt: skip
        print_table(("user", "admin", "active", "two-factor", "roles"), rows, "no user yet: the first start makes one")


@user.command("reset")
@click.argument("name")
@click.option("--active/--suspended", "is_active", default=True, help="Whether the user may sign in.")
@options
def user_reset(ground: Ground, name: str, is_active: bool) -> None:
    """Give a user a new password, shown this once; two-factor sign-in is switched off and all sessions end.

    Example: estafette user reset admin
    """
    key, password = name.strip().lower(), fresh_password(ground.clock)

    async def work(store: Store) -> None:
        lock = await store.users.lock(key)
        if lock is None:
            fail(NOT_FOUND, f"there is no user {key!r} (estafette user list shows them)")
        await store.users.set_password(lock.user.id, hash_now(password))
        await store.users.set_totp(lock.user.id, None)
        await store.users.switch(lock.user.id, is_active=is_active)
        await store.users.note(0, "estafette user reset", ground.clock.now_us(), "user.reset", key)

    ground.run(work)
    if ground.is_json:
        print_json({"user": key, "password": password, "active": is_active})
    else:
        print_facts({"user": key, "password": password, "active": "yes" if is_active else "no: suspended"})
