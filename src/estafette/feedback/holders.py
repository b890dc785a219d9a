"""Whom a link to unsubscribe was sent to, by what stands in it and by what is still known of its message.

The address stands in the link, so that it works when retention has taken the message away; older links have only the message to ask.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from estafette.audience import Choices, Trace
from estafette.mail.address import AddressError, parse
from estafette.mail.token import Keyring
from estafette.model import MessageView, Record, Recorded
from estafette.prepare.tokens import Leaving, Unsubscribe, leaving_mark, read_unsubscribe
from estafette.store.privacy import StoredConsent

MAX_TOKEN = 4096


class ConsentShelf(Protocol):
    """What the store must offer of consents (`store.consents.Consents` does)."""

    async def choices(self, account_id: int, address_key: str, now: int) -> Choices: ...
    async def leave(self, account_id: int, address_key: str, lists: Sequence[int] | None, trace: Trace, now: int, message_id: int | None = None) -> None: ...
    async def come_back(self, account_id: int, address_key: str, lists: Sequence[int], trace: Trace, now: int) -> None: ...
    async def choose(self, account_id: int, address_key: str, shown: Collection[int], wanted: Collection[int], language: str, pause_until: int | None,
                     trace: Trace, now: int) -> bool: ...  # fmt: skip


class MeasuringShelf(Protocol):
    """What the store must offer of consent to being measured (`store.privacy.Privacy` does)."""

    async def consents(self, account_id: int, address_keys: Sequence[str]) -> dict[str, tuple[bool, bool]]: ...
    async def set_consent(self, account_id: int, consent: StoredConsent) -> None: ...


class HolderStore(Protocol):
    """What the store must offer (`store.seam.Store` does)."""

    async def message(self, message_id: int) -> MessageView | None: ...
    async def record_many(self, records: Sequence[Record]) -> list[Recorded]: ...

    @property
    def consents(self) -> ConsentShelf: ...
    @property
    def privacy(self) -> MeasuringShelf: ...


@dataclass(frozen=True, slots=True)
class Holder:
    """A person who has a link of ours."""

    link: Unsubscribe
    address: str
    address_key: str
    author: str  # "" when nobody knows any more
    has_message: bool  # the message is still there, and takes marks

    @property
    def lists(self) -> tuple[int, ...]:
        """The list that the mail went to."""
        return (self.link.list_id,) if self.link.list_id else ()

    @property
    def evidence(self) -> str:
        """What proves what is done by the link."""
        return f"message {self.link.message_id}"


async def leave_by_mail(store: HolderStore, leaving: Leaving, senders: Sequence[str], keyring: Keyring, now: int) -> None:
    """What a mail to an address to unsubscribe does beside the mark on its message: the place on the list ends, and the block holds when the message is gone.
    Then only the person whom the mail had gone to can do it, by writing from that address. Raises StoreFault."""
    view = await store.message(leaving.message_id)
    if view is not None:
        account_id = view.account_id
        known = [view.recipient] if leaving.account_id in (0, account_id) else []
    else:
        account_id = leaving.account_id
        known = [one for one in senders if account_id and leaving_mark(one, keyring, leaving.key_id) == leaving.mark]
    try:
        keys = [parse(one).key for one in known]
    except AddressError:
        return
    for key in keys[:1]:
        trace = Trace("mail", f"message {leaving.message_id}")
        await store.consents.leave(account_id, key, [leaving.list_id] if leaving.list_id else [], trace, now, leaving.message_id)


async def holder_of(token: str, keyring: Keyring, store: HolderStore) -> tuple[Unsubscribe | None, Holder | None]:
    """(what stands in the token, who has it); (None, None) for what is not ours. Raises StoreFault."""
    link = read_unsubscribe(token, keyring) if len(token) <= MAX_TOKEN else None
    if link is None:
        return None, None
    view = await store.message(link.message_id)
    if view is not None and view.account_id != link.account_id:
        return link, None
    address = link.address or (view.recipient if view is not None else "")
    try:
        key = parse(address).key
    except AddressError:
        return link, None
    return link, Holder(link, address, key, view.author if view is not None else "", view is not None)
