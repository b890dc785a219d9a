"""What is done with a form that was filled in, and with a link that confirms. The same for API, pages and tests; who asks is told nothing about an address.

Known and unknown addresses, subscribed, unsubscribed and blocked ones go the same way: a request is kept, a mail is sent, and the answer is the same. An
address that was asked often already gets no further mail, and the answer is still the same.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from estafette import maillog
from estafette.accept.authority import may_write_as
from estafette.accept.examine import examine
from estafette.accept.submit import Recipient, Request, SubmitDoor
from estafette.audience import ContactChange, OptIn, SignUpForm, Trace
from estafette.clock import DAY_US, Clock, to_iso
from estafette.feedback.visit_records import kept_address
from estafette.mail.address import Address, Mailbox, parse
from estafette.mail.token import Keyring
from estafette.model import Account, Door, Options
from estafette.signup import limits
from estafette.signup.answers import Answers
from estafette.signup.letters import confirmation_mail
from estafette.signup.limits import Limit
from estafette.signup.tokens import make_confirm
from estafette.store.consents import Confirmation
from estafette.store.seam import Store

GOOD_FOR_US: Final = 7 * DAY_US
CONFIRM_PATH: Final = "s"
FORM_PATH: Final = "f"
CACHE_S: Final = 5.0
OPTIONS: Final = Options(priority=3, track_opens=False, track_clicks=False, monitoring_category="system")
"""A mail of ours, before all others: no campaign, nothing counted, no link of it replaced."""


class Outcome(StrEnum):
    """What became of a request."""

    TAKEN = "taken"  # whatever that means for this address
    MUCH = "much"  # this network, or everybody by this form, asks too often
    UNABLE = "unable"  # the form cannot write to anybody: its author is no verified sender any more


@dataclass(slots=True)
class Known:
    """Accounts as they were a moment ago."""

    accounts: dict[int, Account] = field(default_factory=dict)
    until: float = -1.0


@dataclass(frozen=True, slots=True)
class SignUpDesk:
    """One per worker process."""

    store: Store
    clock: Clock
    door: SubmitDoor
    keyring: Keyring
    url: str  # what links begin with, no slash at its end
    keeps_addresses: bool = False
    known: Known = field(default_factory=Known)

    async def account(self, account_id: int) -> Account | None:
        """One that is active; a few seconds old at most. Raises StoreFault."""
        if self.known.until <= self.clock.monotonic():
            self.known.accounts = {one.id: one for one in await self.store.accounts()}
            self.known.until = self.clock.monotonic() + CACHE_S
        found = self.known.accounts.get(account_id)
        return found if found is not None and found.is_active else None

    async def may_ask(self, peer: str) -> bool:
        """Count a request of a network, and say whether it is still within the limit."""
        return await self._may(limits.NETWORK, limits.network_of(peer))

    async def may_write_to(self, address: Address) -> bool:
        """Count a mail to a mailbox, and say whether it is still within the limit."""
        return await self._may(limits.ADDRESS, limits.mailbox_of(address))

    async def send(self, account: Account, author: str, address: Address, raw: bytes) -> None:
        """A mail of ours, by our own road. Raises StoreFault."""
        await self.door.submit([Request(account, Door.HTTP, author, (Recipient(address),), raw, examine(raw), OPTIONS, self.door.hostname, "127.0.0.1", "HTTP",
                                        smtputf8=address.needs_smtputf8)])  # fmt: skip

    async def ask(self, account: Account, form: SignUpForm, title: str, answers: Answers, peer: str) -> Outcome:
        """Take a form that was filled in without a mistake. Raises StoreFault."""
        assert answers.address is not None and not answers.problems
        now, definition = self.clock.now_us(), form.definition
        if not await self.may_ask(peer) or not await self._may(limits.FORM, str(form.id)):
            await self.store.sign_ups.refuse(form.id)
            return Outcome.MUCH
        ip = kept_address(peer, is_whole=self.keeps_addresses)
        address = answers.address
        if not definition.is_double:
            change = ContactChange(str(address), address.key, answers.name or None, properties=dict(answers.properties))
            await self.store.sign_ups.subscribe(form, change, Trace("form", evidence_of(form), ip, definition.words), definition.language, now)
            return Outcome.TAKEN
        author = Mailbox(definition.author_name, parse(definition.author))
        if not may_write_as(await self.store.authors(account.id), author):
            maillog.fault("sign-up", str(form.id), ValueError(f"{definition.author} is not a verified sender"))
            return Outcome.UNABLE
        if not await self.may_write_to(address):
            await self.store.sign_ups.refuse(form.id)
            return Outcome.TAKEN
        wanted = OptIn(0, account.id, form.list_id, form.id, str(address), address.key, answers.name, answers.properties, definition.language, ip,
                       definition.words, now, now + GOOD_FOR_US)  # fmt: skip
        await self._write(account, form, title, address, await self.store.consents.ask(wanted), wanted.expires_at)
        return Outcome.TAKEN

    async def _write(self, account: Account, form: SignUpForm, title: str, address: Address, opt_in_id: int, expires_at: int) -> None:
        """The mail that asks to confirm, by our own road."""
        url = f"{self.url}/{CONFIRM_PATH}/{make_confirm(opt_in_id, expires_at, self.keyring)}"
        day = to_iso(expires_at)[:10]
        raw = confirmation_mail(form.definition, title, address, url, day, self.clock.token_bytes(16))
        await self.send(account, form.definition.author, address, raw)

    async def confirm(self, waiting: OptIn, peer: str) -> Confirmation:
        """The owner of the address says yes. Raises StoreFault."""
        form = await self.store.sign_ups.find(waiting.account_id, waiting.form_id)
        evidence = evidence_of(form) if form is not None else f"form {waiting.form_id}"
        trace = Trace("form", evidence, kept_address(peer, is_whole=self.keeps_addresses), waiting.words)
        return await self.store.consents.confirm(waiting.id, trace, self.clock.now_us())

    async def _may(self, limit: Limit, what: str) -> bool:
        """Count it, and say whether it is still within the limit."""
        starts_at, ends_at = limit.window(self.clock.now_us())
        return await self.store.sign_ups.count(limits.who(limit, what, self.keyring), starts_at, ends_at) <= limit.most


def evidence_of(form: SignUpForm) -> str:
    """What a proof says about the form."""
    return f"form {form.id}: {form.name}"
