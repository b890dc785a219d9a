"""The page of preferences, `/p/<token>`: what a person gets from an account, changed by the person. The token is that of the link to unsubscribe.

GET changes nothing. Only lists that the person has a place on are shown and changed; an address that is no contact can leave all and come back.
"""

from typing import Final

from estafette import maillog
from estafette.audience import Trace
from estafette.clock import Clock
from estafette.feedback.holders import Holder, HolderStore, holder_of
from estafette.feedback.http import Receive, Scope, Send, answer_html, answer_page, header, peer_of, read_body, token_of
from estafette.feedback.orders import MAX_BODY, read_fields, reason_of
from estafette.feedback.pages import Page, language_of
from estafette.feedback.preference_pages import Asked, Wish, pause_end, preference_page, read_form
from estafette.feedback.unsubscribe_records import resubscribed, unsubscribed
from estafette.feedback.visit_records import kept_address, shown_agent
from estafette.mail.token import Keyring
from estafette.store.privacy import StoredConsent
from estafette.store.seam import StoreFault

BY: Final = "preferences"
RETRY_AFTER: Final = ((b"retry-after", b"30"),)


class Preferring:
    """One per worker process."""

    def __init__(self, store: HolderStore, clock: Clock, keyring: Keyring, *, keeps_addresses: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._keeps_addresses = keeps_addresses

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET, HEAD and POST of `/p/<token>`."""
        language = ""
        try:
            link, holder = await holder_of(token_of(scope), self._keyring, self._store)
            language = link.language if link is not None else ""
            if holder is None:
                await answer_page(scope, send, 404, Page.UNKNOWN, language)
                return
            status, notice = 200, ""
            if scope["method"] == "POST":
                body = await read_body(receive, MAX_BODY)
                fields = read_fields(header(scope, b"content-type"), body) if body is not None else []
                asked = read_form(fields)
                status, notice = (200, await self._act(scope, holder, asked, reason_of(fields))) if asked is not None else (400, "unclear")
            await self._show(scope, send, holder, status, notice)
        except StoreFault as fault:  # never a success that is not stored
            maillog.fault("preferences", token_of(scope)[:40], fault)
            await answer_page(scope, send, 503, Page.FAILED, language, extra=RETRY_AFTER)

    async def _show(self, scope: Scope, send: Send, holder: Holder, status: int, notice: str) -> None:
        known = await self._store.consents.choices(holder.link.account_id, holder.address_key, self._clock.now_us())
        measured = any((await self._store.privacy.consents(holder.link.account_id, [holder.address_key])).get(holder.address_key, (True, True)))
        language = language_of(known.language or holder.link.language, header(scope, b"accept-language"))
        await answer_html(send, status, preference_page(language, holder.author, holder.address, known, notice, f"../m/{token_of(scope)}", measured), language)

    async def _act(self, scope: Scope, holder: Holder, asked: Asked, reason: str) -> str:
        """Do it; the notice that says so."""
        shelf, link, now = self._store.consents, holder.link, self._clock.now_us()
        who = {"ip": kept_address(peer_of(scope), is_whole=self._keeps_addresses), "agent": shown_agent(header(scope, b"user-agent"))}
        trace = Trace(BY, holder.evidence, who["ip"])
        if asked.wish is Wish.SAVE:
            until = None if asked.pause_days is None else pause_end(asked.pause_days, now)
            await shelf.choose(link.account_id, holder.address_key, asked.shown, asked.wanted, asked.language, until, trace, now)
            return "saved"
        if asked.wish in (Wish.MEASURED, Wish.UNMEASURED):
            may = asked.wish is Wish.MEASURED
            await self._store.privacy.set_consent(link.account_id, StoredConsent(holder.address_key, may, may, f"{BY}, {holder.evidence}", now))
            return "saved"
        if asked.wish is Wish.RETURN:
            if holder.has_message:
                await self._store.record_many([resubscribed(link.message_id, link.account_id, now, BY, 0, who)])
            await shelf.come_back(link.account_id, holder.address_key, (), trace, now)
            return "back"
        if holder.has_message:
            await self._store.record_many([unsubscribed(link.message_id, link.account_id, now, BY, 0, who, reason)])
        await shelf.leave(link.account_id, holder.address_key, None, Trace(BY, holder.evidence, who["ip"], reason=reason), now, link.message_id)
        return "gone"
