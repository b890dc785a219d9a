"""Forms made and changed, for API and dashboard alike: everything that is wrong is named at once, field by field."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from estafette.accept.authority import may_write_as
from estafette.audience import FormDefinition, SignUpForm
from estafette.clock import Clock
from estafette.mail.address import Mailbox, parse
from estafette.signup.desk import FORM_PATH
from estafette.signup.forms import MAX_NAME, WrongForm, read_definition
from estafette.store.seam import Store

KEY_OCTETS: Final = 12


@dataclass(frozen=True, slots=True)
class FormBook:
    """One per process that takes orders."""

    store: Store
    clock: Clock

    async def create(self, account_id: int, name: str, list_id: int, given: Mapping[str, Any], *, is_active: bool = True) -> SignUpForm:
        """A new form. Raises WrongForm and StoreFault."""
        definition = await self._read(account_id, name, list_id, given)
        key = base64.urlsafe_b64encode(self.clock.token_bytes(KEY_OCTETS)).decode()
        made = await self.store.sign_ups.create(SignUpForm(0, account_id, key, name, list_id, definition, is_active), self.clock.now_us())
        if made is None:
            raise WrongForm({"name": "the account has as many forms as it may have; delete one"})
        return made

    async def change(self, form: SignUpForm, name: str, list_id: int, given: Mapping[str, Any], *, is_active: bool) -> SignUpForm | None:
        """Another name, list or definition; None when the form is gone. Raises WrongForm and StoreFault."""
        definition = await self._read(form.account_id, name, list_id, given)
        changed = replace(form, name=name, list_id=list_id, definition=definition, is_active=is_active, updated_at=self.clock.now_us())
        return changed if await self.store.sign_ups.update(changed, changed.updated_at) else None

    async def _read(self, account_id: int, name: str, list_id: int, given: Mapping[str, Any]) -> FormDefinition:
        problems: dict[str, str] = {}
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            problems["name"] = f"a name of at most {MAX_NAME} characters is expected"
        found = await self.store.contacts.find_list(account_id, list_id) if 0 < list_id < 2**63 else None
        if found is None or found.deleted_at is not None:
            problems["list_id"] = "there is no such list"
        definition: FormDefinition | None = None
        try:
            definition = read_definition(given, await self.store.contacts.properties(account_id))
        except WrongForm as wrong:
            problems |= wrong.problems
        if "author" not in problems and not may_write_as(await self.store.authors(account_id), Mailbox("", parse(str(given["author"]).strip()))):
            problems["author"] = f"{given['author']} is not a verified sender of this account"
        if definition is None or problems:
            raise WrongForm(problems)
        return definition


def address_of(form: SignUpForm, url: str) -> str:
    """Where the form is; `url`: what links begin with."""
    return f"{url.rstrip('/')}/{FORM_PATH}/{form.key}"
