"""`/m/<token>`: a person asks for a copy of what is kept, or to be forgotten; `/d/<token>`: the link in the mail that asks to confirm. GET changes nothing."""

from typing import Final

import msgspec
from starlette.routing import Route

from estafette import maillog
from estafette.accept.authority import may_write_as
from estafette.audience import ContactChange, Trace
from estafette.feedback.holders import Holder, holder_of
from estafette.feedback.http import READS, Endpoint, Receive, Scope, Send, answer, answer_html, answer_page, header, peer_of, read_body, token_of
from estafette.feedback.orders import MAX_BODY, read_fields
from estafette.feedback.pages import Page, language_of
from estafette.mail.address import AddressError, Mailbox, parse
from estafette.model import FINAL_STATES
from estafette.newsletters.person import everything
from estafette.signup.desk import SignUpDesk
from estafette.signup.own_data import GOOD_FOR_US, WORDS, Wish, make_asked, own_data_mail, own_data_page, read_asked
from estafette.signup.pages import Said, said
from estafette.store.seam import StoreFault

ASK_PATH: Final = "m"
CONFIRM_PATH: Final = "d"
RETRY: Final = ((b"retry-after", b"3600"),)
WHO: Final = "recipient"
"""In the account's audit log."""


class OwnDataPages:
    """One per worker process."""

    def __init__(self, desk: SignUpDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """What the HTTP listener mounts."""
        return [
            Route(f"/{ASK_PATH}/{{token}}", Endpoint(self.ask, *READS, "POST")),
            Route(f"/{CONFIRM_PATH}/{{token}}", Endpoint(self.link, *READS, "POST")),
        ]

    async def ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET, HEAD and POST of `/m/<token>`; the token is that of the link to unsubscribe."""
        token, language = token_of(scope), language_of("", header(scope, b"accept-language"))
        try:
            holder = (await holder_of(token, self._desk.keyring, self._desk.store))[1]
            if holder is None:
                await answer_page(scope, send, 404, Page.UNKNOWN)
                return
            language = await self._language(scope, holder)
            if not await self._may_answer(holder):
                await self._say(send, 200, "unable", language, holder)
            elif scope["method"] != "POST":
                await self._say(send, 200, "ask", language, holder)
            else:
                wish = await _wish(scope, receive)
                if wish is None:
                    await self._say(send, 400, "ask", language, holder)
                elif not await self._desk.may_ask(peer_of(scope)):
                    await answer_html(send, 429, said(Said.MUCH, language), language, RETRY)
                else:
                    await self._write(holder, wish, token, language)
                    await self._say(send, 200, "sent", language, holder)
        except StoreFault as fault:
            maillog.fault("own data", token[:40], fault)
            await answer_page(scope, send, 503, Page.FAILED, language, extra=RETRY)

    async def _may_answer(self, holder: Holder) -> bool:
        """Whether somebody of the account is known who may write to the person."""
        try:
            author = Mailbox("", parse(holder.author))
        except AddressError:
            return False
        return may_write_as(await self._desk.store.authors(holder.link.account_id), author)

    async def _write(self, holder: Holder, wish: Wish, token: str, language: str) -> None:
        account = await self._desk.account(holder.link.account_id)
        address = parse(holder.address)
        if account is None or not await self._desk.may_write_to(address):
            return  # the answer is the same
        asked = make_asked(wish, self._desk.clock.now_us() + GOOD_FOR_US, token, self._desk.keyring)
        raw = own_data_mail(wish, language, holder.author, address, f"{self._desk.url}/{CONFIRM_PATH}/{asked}", self._desk.clock.token_bytes(16))
        await self._desk.send(account, holder.author, address, raw)

    async def link(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET, HEAD and POST of `/d/<token>`: a button, and what it does."""
        language = language_of("", header(scope, b"accept-language"))
        try:
            asked = read_asked(token_of(scope), self._desk.keyring)
            holder = (await holder_of(asked.link, self._desk.keyring, self._desk.store))[1] if asked is not None else None
            if asked is None or holder is None:
                await answer_page(scope, send, 404, Page.UNKNOWN)
                return
            language = await self._language(scope, holder)
            if asked.expires_at <= self._desk.clock.now_us():
                await self._say(send, 410, "late", language, holder)
            elif scope["method"] != "POST":
                await self._say(send, 200, WORDS[asked.wish], language, holder)
            elif await _wish(scope, receive) is not asked.wish:
                await self._say(send, 400, WORDS[asked.wish], language, holder)
            elif asked.wish is Wish.COPY:
                await self._copy(send, holder)
            else:
                await self._forget(holder)
                await self._say(send, 200, "forgotten", language, holder)
        except StoreFault as fault:  # never a success that is not stored
            maillog.fault("own data", "confirm", fault)
            await answer_page(scope, send, 503, Page.FAILED, language, extra=RETRY)

    async def _copy(self, send: Send, holder: Holder) -> None:
        now = self._desk.clock.now_us()
        body = msgspec.json.format(msgspec.json.encode(await everything(self._desk.store, holder.link.account_id, holder.address_key, now)), indent=2)
        await self._desk.store.users.note(holder.link.account_id, WHO, now, "contact.export", holder.evidence)
        await answer(send, 200, body, ((b"content-type", b"application/json"), (b"content-disposition", b'attachment; filename="my-data.json"'),
                                       (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")))  # fmt: skip

    async def _forget(self, holder: Holder) -> None:
        """As `estafette contact erase`; somebody who was written to without being a contact becomes one for that moment. Once more: nothing is left to do."""
        shelf, account_id, now = self._desk.store.contacts, holder.link.account_id, self._desk.clock.now_us()
        found = await shelf.find_address(account_id, holder.address_key)
        if found is None and not any(m.state in FINAL_STATES for m in await self._desk.store.messages(account_id, recipient_key=holder.address_key)):
            return
        if found is None:
            ids = await shelf.apply(account_id, [ContactChange(holder.address, holder.address_key)], {}, Trace("link", holder.evidence), now)
            number = ids[holder.address_key] if ids else 0
        else:
            number = found.id
        await shelf.erase(account_id, number, f"{self._desk.clock.token_bytes(16).hex()}@erased.invalid", now)
        await self._desk.store.users.note(account_id, WHO, now, "contact.erase", str(number))

    async def _language(self, scope: Scope, holder: Holder) -> str:
        known = await self._desk.store.consents.choices(holder.link.account_id, holder.address_key, self._desk.clock.now_us())
        return language_of(known.language or holder.link.language, header(scope, b"accept-language"))

    async def _say(self, send: Send, status: int, which: str, language: str, holder: Holder) -> None:
        await answer_html(send, status, own_data_page(which, language, holder.author, holder.address), language)


async def _wish(scope: Scope, receive: Receive) -> Wish | None:
    """What the form asks for; None for nothing, or for two things."""
    body = await read_body(receive, MAX_BODY)
    fields = read_fields(header(scope, b"content-type"), body) if body is not None else []
    wishes = [value for name, value in fields if name == "wish"]
    return next((wish for wish, word in WORDS.items() if wishes == [word]), None)
