"""Shelf: forms by which people subscribe, and how often something was asked within a window of time."""

import msgspec

from estafette.audience import ContactChange, FormDefinition, ListAction, SignUpForm, Trace
from estafette.store import contacts
from estafette.store.driver import Driver
from estafette.store.unit import Many, Row, Rows, Unit

MAX_FORMS = 1000
"""Forms of an account are few; all are read at once."""
PRUNE = 10_000


class SignUps:
    """`store.sign_ups`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def create(self, form: SignUpForm, now: int) -> SignUpForm | None:
        """With its id; None when the account has as many as it may have."""
        return await self._driver.write(lambda: _create(form, now))

    async def update(self, form: SignUpForm, now: int) -> bool:
        """Name, list, definition, whether it is active; False when there is none of this id."""
        params = (form.account_id, form.id, form.name, form.list_id, _written(form.definition), int(form.is_active), now)
        return await self._driver.write(lambda: _done("sign_up_form_set", params))

    async def delete(self, account_id: int, form_id: int, now: int) -> bool:
        """It is no longer shown, and takes nothing; what it brought stays, and what waits can still be confirmed."""
        return await self._driver.write(lambda: _done("sign_up_form_delete", (account_id, form_id, now)))

    async def all(self, account_id: int) -> list[SignUpForm]:
        """By id."""
        return await self._driver.read(lambda: _list("sign_up_forms", (account_id, MAX_FORMS)))

    async def find(self, account_id: int, form_id: int) -> SignUpForm | None:
        """By its id."""
        return await self._driver.read(lambda: _one("sign_up_form_get", (account_id, form_id)))

    async def find_key(self, key: str) -> SignUpForm | None:
        """By what stands in its address."""
        return await self._driver.read(lambda: _one("sign_up_form_by_key", (key,)))

    async def subscribe(self, form: SignUpForm, change: ContactChange, trace: Trace, language: str, now: int) -> bool:
        """At once, without confirmation: what is known of a contact stays, and who has unsubscribed stays so. False when the list is gone."""
        return await self._driver.write(lambda: _subscribe(form, change, trace, language, now))

    async def refuse(self, form_id: int) -> None:
        """Count a request that was not taken. Unsynced."""
        await self._driver.write(lambda: _refuse(form_id), is_synced=False)

    async def count(self, who: str, starts_at: int, ends_at: int) -> int:
        """Once more within this window; how often by now, this time included."""
        return await self._driver.write(lambda: _count(who, starts_at, ends_at))

    async def prune(self, now: int) -> int:
        """Forget windows that are over; how many, of at most 10,000."""
        return await self._driver.write(lambda: _prune(now), is_synced=False)


def _written(definition: FormDefinition) -> str:
    return msgspec.json.encode(definition).decode()


def _form(row: Row) -> SignUpForm:
    definition = msgspec.json.decode(row[5], type=FormDefinition)
    return SignUpForm(row[0], row[1], row[2], row[3], row[4], definition, bool(row[6]), row[7], row[8], row[9], row[10], row[11])


def _create(form: SignUpForm, now: int) -> Unit[SignUpForm | None]:
    if len((yield Rows("sign_up_forms", (form.account_id, MAX_FORMS)))) >= MAX_FORMS:
        return None
    rows = yield Rows("sign_up_form_put", (form.account_id, form.key, form.name, form.list_id, _written(form.definition), int(form.is_active), now))
    return _form(rows[0])


def _list(query: str, params: tuple[object, ...]) -> Unit[list[SignUpForm]]:
    return [_form(row) for row in (yield Rows(query, params))]


def _one(query: str, params: tuple[object, ...]) -> Unit[SignUpForm | None]:
    rows = yield Rows(query, params)
    return _form(rows[0]) if rows else None


def _done(query: str, params: tuple[object, ...]) -> Unit[bool]:
    return bool((yield Rows(query, params)))


def _subscribe(form: SignUpForm, change: ContactChange, trace: Trace, language: str, now: int) -> Unit[bool]:
    ids = yield from contacts.apply(form.account_id, [change], {form.list_id: ListAction.ADD_NO_FORCE}, trace, now, True)
    if ids is None:
        return False
    yield Many("contact_language_first", [(ids[change.address_key], language)])
    yield Many("sign_up_form_count", [(form.id, 1, 1, 0)])
    return True


def _refuse(form_id: int) -> Unit[None]:
    yield Many("sign_up_form_count", [(form_id, 0, 0, 1)])


def _count(who: str, starts_at: int, ends_at: int) -> Unit[int]:
    return int((yield Rows("sign_up_count", (who, starts_at, ends_at)))[0][0])


def _prune(now: int) -> Unit[int]:
    return len((yield Rows("sign_up_counts_prune", (now, PRUNE))))
