"""The unsubscribe address of a mail, by HTTP: GET shows a page and changes nothing, only a POST with an order acts.

A one-click POST (RFC 8058) acts with no cookie, no login and no redirect; a repeated one is answered alike and writes nothing. What was done can
be undone on the page that says so. An unsubscribe blocks the recipient for the account's campaign mail, whatever the state of the message, and also when
retention has taken the message away long ago.
"""

from collections.abc import Mapping
from typing import Final

from estafette import maillog
from estafette.audience import Choices, Trace
from estafette.clock import Clock
from estafette.feedback.holders import Holder, HolderStore, holder_of
from estafette.feedback.http import Receive, Scope, Send, answer_page, header, peer_of, read_body, token_of
from estafette.feedback.orders import MAX_BODY, Order, order_of, read_fields, reason_of
from estafette.feedback.pages import Page
from estafette.feedback.unsubscribe_records import resubscribed, unsubscribed
from estafette.feedback.visit_records import kept_address, shown_agent
from estafette.mail.token import Keyring
from estafette.model import Record
from estafette.prepare.tokens import PREFERENCES
from estafette.store.seam import StoreFault

RETRY_AFTER: Final = ((b"retry-after", b"30"),)


class Unsubscribing:
    """One per worker process."""

    def __init__(self, store: HolderStore, clock: Clock, keyring: Keyring, *, keeps_addresses: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._keeps_addresses = keeps_addresses

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET, HEAD and POST of `/u/<token>`."""
        token = token_of(scope)
        language = ""
        try:
            link, holder = await holder_of(token, self._keyring, self._store)
            language = link.language if link is not None else ""
            if holder is None:
                await answer_page(scope, send, 404, Page.UNKNOWN, language)
            elif scope["method"] == "POST":
                await self._post(scope, receive, send, holder)
            else:
                known = await self._store.consents.choices(holder.link.account_id, holder.address_key, self._clock.now_us())
                await self._answer(scope, send, 200, Page.ALREADY if known.left_at is not None else Page.ASK, holder, _list_beside(holder, known))
        except StoreFault as fault:  # never a success that is not stored
            maillog.fault("unsubscribe", token[:40], fault)
            await answer_page(scope, send, 503, Page.FAILED, language, extra=RETRY_AFTER)

    async def _answer(self, scope: Scope, send: Send, status: int, which: Page, holder: Holder, list_name: str = "") -> None:
        await answer_page(scope, send, status, which, holder.link.language, holder.author, holder.address, preferences=f"../{PREFERENCES}/{token_of(scope)}",
                          list_name=list_name)  # fmt: skip

    async def _post(self, scope: Scope, receive: Receive, send: Send, holder: Holder) -> None:
        body = await read_body(receive, MAX_BODY)
        fields = read_fields(header(scope, b"content-type"), body) if body is not None else []
        order = order_of(fields)
        if order is None:
            await self._answer(scope, send, 400, Page.UNCLEAR, holder)
            return
        link, now, reason = holder.link, self._clock.now_us(), reason_of(fields)
        who = {
            "ip": kept_address(peer_of(scope), is_whole=self._keeps_addresses),
            "agent": "List-Unsubscribe" if order is Order.ONE_CLICK else shown_agent(header(scope, b"user-agent")),
        }
        if order is Order.LEAVE_LIST:
            await self._leave_list(scope, send, holder, reason, who)
            return
        if order is Order.RESUBSCRIBE:
            await self._record(holder, resubscribed(link.message_id, link.account_id, now, order.value, link.list_id, who))
            trace = Trace("link", holder.evidence, who["ip"])
            await self._store.consents.come_back(link.account_id, holder.address_key, holder.lists, trace, now)
        else:
            await self._record(holder, unsubscribed(link.message_id, link.account_id, now, order.value, link.list_id, who, reason))
            trace = Trace("link", holder.evidence, who["ip"], reason=reason)
            await self._store.consents.leave(link.account_id, holder.address_key, holder.lists, trace, now, link.message_id)
        await self._answer(scope, send, 200, Page.UNDONE if order is Order.RESUBSCRIBE else Page.DONE, holder)

    async def _leave_list(self, scope: Scope, send: Send, holder: Holder, reason: str, who: Mapping[str, str]) -> None:
        """The list of the mail, and nothing else; once more, and it is answered alike."""
        link, now = holder.link, self._clock.now_us()
        known = await self._store.consents.choices(link.account_id, holder.address_key, now)
        place = next((one for one in known.places if one.list_id == link.list_id), None)
        if place is None:
            await self._answer(scope, send, 400, Page.UNCLEAR, holder)
            return
        if not place.is_unsubscribed:
            await self._record(holder, unsubscribed(link.message_id, link.account_id, now, Order.LEAVE_LIST.value, link.list_id, who, reason, is_all=False))
            trace = Trace("link", holder.evidence, who["ip"], reason=reason)
            await self._store.consents.choose(link.account_id, holder.address_key, holder.lists, (), "", None, trace, now)
        await self._answer(scope, send, 200, Page.LEFT_LIST, holder, place.name)

    async def _record(self, holder: Holder, record: Record) -> None:
        """The mark on the message, while there is one."""
        if holder.has_message:
            await self._store.record_many([record])


def _list_beside(holder: Holder, known: Choices) -> str:
    """The name of the mail's list when its recipient is on others as well: then leaving this one alone is worth a button."""
    there = {place.list_id: place.name for place in known.places if not place.is_unsubscribed}
    return there.get(holder.link.list_id, "") if len(there) > 1 else ""
