"""Makes mails ready to go: signing keys from the store, the private-key operation in a few threads (it lets go of the interpreter lock)."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.deliver.contents import Held
from estafette.deliver.people import People
from estafette.deliver.tracking import Measures
from estafette.mail.dkim import RSA, Pending, SigningKey, load_private_key, sign
from estafette.mail.seven_bit import to_7bit
from estafette.mail.smtp.client import Transaction
from estafette.mail.token import Keyring
from estafette.model import Claimed, Content
from estafette.prepare.forms import copy_for
from estafette.prepare.letter import Copy
from estafette.prepare.personal import fill, is_letter, read_source
from estafette.prepare.plan import Plan, make_plan, pending_signatures, transaction
from estafette.prepare.tracking import CONSENT
from estafette.store.seam import Store
from estafette.vault import Vault, VaultError, dkim_label

CACHE_S: Final = 60.0
MAX_DOMAINS: Final = 10_000


class KeyCabinet:
    """The signing keys of an author's domain, at most `CACHE_S` old."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._known: dict[tuple[int, str], tuple[tuple[SigningKey, ...], float]] = {}

    async def keys_for(self, account_id: int, author: str) -> Sequence[SigningKey]:
        """The keys that sign for an author, newest first; none: the mail goes out unsigned."""
        who = (account_id, author.rpartition("@")[2].lower())
        known = self._known.get(who)
        if known is not None and known[1] > self._clock.monotonic():
            return known[0]
        keys = tuple(await self._look_up(*who))
        if len(self._known) >= MAX_DOMAINS:
            del self._known[next(iter(self._known))]
        self._known[who] = (keys, self._clock.monotonic() + CACHE_S)
        return keys

    async def _look_up(self, account_id: int, domain: str) -> list[SigningKey]:
        keys = []
        for stored in await self._store.dkim_keys(account_id, domain):
            label = dkim_label(stored.domain, stored.selector)
            try:
                keys.append(load_private_key(stored.domain, stored.selector, stored.algorithm, self._vault.unseal(stored.sealed_private_key, label)))
            except (VaultError, ValueError) as error:
                maillog.fault("signing", label, error)
        return keys


class Workshop:
    """Makes a mail ready for one recipient. Without an executor (simulated time) everything runs inline."""

    def __init__(self, cabinet: KeyCabinet, clock: Clock, executor: Executor | None, keyring: Keyring, return_domain: str,
                 measures: Measures | None = None, people: People | None = None) -> None:  # fmt: skip
        self._cabinet = cabinet
        self._clock = clock
        self._executor = executor
        self._keyring = keyring
        self._return_domain = return_domain
        self._measures = measures
        self._people = people

    async def transaction(self, held: Held, claim: Claimed, *, is_7bit: bool = False) -> Transaction:
        """What goes on the wire for one message; `is_7bit`: to a server that takes nothing else, so that the mail is converted when it must be.

        Raises StoreFault when keys or consents cannot be looked up, CannotConvert for a mail without a 7-bit form.
        """
        if held.letter is not None or is_letter(held.content.raw):
            return await self._personal(held, claim)
        if held.plan is None:
            keys = await self._cabinet.keys_for(held.content.account_id, held.content.author)
            tracking = await self._measures.tracking(held.content.account_id) if self._measures is not None else None
            held.plan = held.plan or make_plan(held.content, keys, tracking)
        plan = held.plan
        if is_7bit and plan.is_8bit and not plan.needs_utf8:
            plan = held.plan_7bit = held.plan_7bit or await self._converted(held.content, plan)
        copy = None
        if plan.is_personal:
            copy = plan.copy_for(claim, await self._measures.consent(claim.account_id, claim.recipient) if self._measures is not None else CONSENT)
        return transaction(plan, claim, await self._signed(plan, copy), self._keyring, self._return_domain)

    async def _personal(self, held: Held, claim: Claimed) -> Transaction:
        """A newsletter: filled for this recipient. Raises Unfillable and StoreFault."""
        assert self._people is not None and self._measures is not None  # who sends newsletters has them
        content = held.content
        letter = held.letter = held.letter or read_source(content.raw)
        person = await self._people.person(claim.account_id, claim.recipient)
        keys = await self._cabinet.keys_for(content.account_id, content.author)
        tracking = await self._measures.tracking(content.account_id)
        consent = await self._measures.consent(claim.account_id, claim.recipient)
        made = copy_for(fill(letter, person, claim.message_id, self._return_domain, content.accepted_at), claim, content, keys, tracking, consent)
        return transaction(made.plan, claim, await self._signed(made.plan, made.copy), self._keyring, self._return_domain)

    async def _converted(self, content: Content, plan: Plan) -> Plan:
        """The plan of the same mail in 7 bits: links and signatures are made after the conversion."""
        if self._executor is None:
            raw = to_7bit(content.raw)
        else:
            raw = await asyncio.get_running_loop().run_in_executor(self._executor, to_7bit, content.raw)
        tracking = await self._measures.tracking(content.account_id) if self._measures is not None else None
        return make_plan(replace(content, raw=raw), plan.keys, tracking)

    async def _signed(self, plan: Plan, copy: Copy | None) -> bytes:
        """The mail with its signatures: made once for all recipients of a submission when it is the same for all, and anew for a later retry."""
        at_s = self._clock.now_us() // SECOND_US
        if copy is not None:
            return b"".join([*[await self._field(key, pending) for key, pending in pending_signatures(plan, at_s, copy)], copy.head, copy.body])
        mail = plan.fresh(at_s)
        if mail is None:
            fields = [await self._field(key, pending) for key, pending in pending_signatures(plan, at_s)]
            mail = b"".join([*fields, plan.mail]) if fields else plan.mail
            plan.made = (at_s, mail)
        return mail

    async def _field(self, key: SigningKey, pending: Pending) -> bytes:
        if self._executor is None or key.algorithm != RSA:  # an Ed25519 signature costs less than the hop to a thread
            return pending.complete(sign(key, pending.to_sign))
        return pending.complete(await asyncio.get_running_loop().run_in_executor(self._executor, sign, key, pending.to_sign))
