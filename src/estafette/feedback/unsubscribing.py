"""The unsubscribe address of a mail, by HTTP: GET shows a page and changes nothing, only a POST with an order acts.

A one-click POST (RFC 8058) acts with no cookie, no login and no redirect; a repeated one is answered alike and writes nothing. What was done can
be undone on the page that says so. An unsubscribe blocks the recipient for the account's campaign mail, whatever the state of the message.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from estafette import maillog
from estafette.audience import ContactChange, ListAction, Trace
from estafette.clock import Clock
from estafette.feedback.http import Receive, Scope, Send, answer_page, header, peer_of, token_of
from estafette.feedback.orders import MAX_BODY, Order, read_order
from estafette.feedback.pages import Page
from estafette.feedback.unsubscribe_records import resubscribed, unsubscribed
from estafette.feedback.visit_records import kept_address, shown_agent
from estafette.feedback.visits import MAX_TOKEN
from estafette.mail.address import AddressError, parse
from estafette.mail.token import Keyring
from estafette.model import Block, BlockCause, MessageView, Record, Recorded
from estafette.prepare.tokens import Unsubscribe, read_unsubscribe
from estafette.store.seam import StoreFault

BODY_WITHIN_S: Final = 15.0
RETRY_AFTER: Final = ((b"retry-after", b"30"),)


class ContactShelf(Protocol):
    """What the store must offer of contacts (`store.contacts.Contacts` does)."""

    async def apply(self, account_id: int, changes: Sequence[ContactChange], lists: Mapping[int, ListAction], trace: Trace, now: int, *,
                    keeps_known: bool = False) -> dict[str, int] | None: ...  # fmt: skip


class UnsubscribeStore(Protocol):
    """What the store must offer (`store.seam.Store` does)."""

    async def message(self, message_id: int) -> MessageView | None: ...
    async def blocks(self, account_id: int | None, now: int, address_key: str | None = None) -> list[Block]: ...
    async def record_many(self, records: list[Record]) -> list[Recorded]: ...

    @property
    def contacts(self) -> ContactShelf: ...


class Unsubscribing:
    """One per worker process."""

    def __init__(self, store: UnsubscribeStore, clock: Clock, keyring: Keyring, *, keeps_addresses: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._keeps_addresses = keeps_addresses

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET, HEAD and POST of `/u/<token>`."""
        token = token_of(scope)
        found = read_unsubscribe(token, self._keyring) if len(token) <= MAX_TOKEN else None
        if found is None:
            await answer_page(scope, send, 404, Page.UNKNOWN)
            return
        try:
            view = await self._store.message(found.message_id)
            if view is None or view.account_id != found.account_id:
                await answer_page(scope, send, 404, Page.UNKNOWN, found.language)
            elif scope["method"] == "POST":
                await self._post(scope, receive, send, found, view)
            else:
                which = Page.ALREADY if await self._is_unsubscribed(view) else Page.ASK
                await answer_page(scope, send, 200, which, found.language, view.author, view.recipient)
        except StoreFault as fault:  # never a success that is not stored
            maillog.fault("unsubscribe", str(found.message_id), fault)
            await answer_page(scope, send, 503, Page.FAILED, found.language, extra=RETRY_AFTER)

    async def _post(self, scope: Scope, receive: Receive, send: Send, found: Unsubscribe, view: MessageView) -> None:
        body = await _read_body(receive)
        order = read_order(header(scope, b"content-type"), body) if body is not None else None
        if order is None:
            await answer_page(scope, send, 400, Page.UNCLEAR, found.language, view.author, view.recipient)
            return
        who = {
            "ip": kept_address(peer_of(scope), is_whole=self._keeps_addresses),
            "agent": "List-Unsubscribe" if order is Order.ONE_CLICK else shown_agent(header(scope, b"user-agent")),
        }
        make = resubscribed if order is Order.RESUBSCRIBE else unsubscribed
        await self._store.record_many([make(found.message_id, found.account_id, self._clock.now_us(), order.value, found.list_id, who)])
        if found.list_id:
            await self._on_list(found, view, ListAction.ADD_FORCE if order is Order.RESUBSCRIBE else ListAction.UNSUBSCRIBE)
        which = Page.UNDONE if order is Order.RESUBSCRIBE else Page.DONE
        await answer_page(scope, send, 200, which, found.language, view.author, view.recipient)

    async def _on_list(self, found: Unsubscribe, view: MessageView, action: ListAction) -> None:
        """The place on the list that the mail was sent to; a list that is gone has none."""
        try:
            address = parse(view.recipient)
        except AddressError:
            return
        change = ContactChange(view.recipient, address.key)
        trace = Trace("link", str(found.message_id))
        await self._store.contacts.apply(found.account_id, [change], {found.list_id: action}, trace, self._clock.now_us(), keeps_known=True)

    async def _is_unsubscribed(self, view: MessageView) -> bool:
        try:
            key = parse(view.recipient).key
        except AddressError:
            return False
        return any(b.cause is BlockCause.UNSUBSCRIBE for b in await self._store.blocks(view.account_id, self._clock.now_us(), key))


async def _read_body(receive: Receive) -> bytes | None:
    """The body; None when it is too long, too slow or broken off."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    return None
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        return None
