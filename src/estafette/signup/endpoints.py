"""The public paths of subscribing: `/f/<key>` a form, `/s/<token>` the link in the mail that asks to confirm. GET changes nothing.

A form is taken when a person has had the time to fill it in: it carries the signed time at which it was shown. One that stands on a customer's own page has no
such time, so it is shown once more, filled in, with one button to press: the programs that fill in every form they find end there, and no script is needed.
"""

from typing import Final

from starlette.routing import Route

from estafette import maillog
from estafette.audience import ContactProperty, OptIn, SignUpForm
from estafette.feedback.http import READS, Endpoint, Receive, Scope, Send, answer, answer_html, header, peer_of, read_body, token_of
from estafette.feedback.orders import MAX_BODY, read_fields
from estafette.feedback.pages import HEADERS, language_of
from estafette.feedback.targets import location
from estafette.model import Account
from estafette.signup.answers import Answers, read_answers
from estafette.signup.desk import CONFIRM_PATH, FORM_PATH, Outcome, SignUpDesk
from estafette.signup.forms import redirect_origin
from estafette.signup.pages import Filled, Said, form_page, said
from estafette.signup.tokens import Age, age_of, make_shown, read_confirm
from estafette.store.consents import Confirmation
from estafette.store.seam import StoreFault

MAX_KEY: Final = 64
RETRY: Final = ((b"retry-after", b"3600"),)
CONFIRM: Final = ("action", "confirm")


class SignUpPages:
    """One per worker process."""

    def __init__(self, desk: SignUpDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """What the HTTP listener mounts."""
        return [
            Route(f"/{FORM_PATH}/{{token}}", Endpoint(self.form, *READS, "POST")),
            Route(f"/{CONFIRM_PATH}/{{token}}", Endpoint(self.link, *READS, "POST")),
        ]

    # -- the form

    async def form(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET, HEAD and POST of `/f/<key>`."""
        key = token_of(scope)
        language = language_of("", header(scope, b"accept-language"))
        try:
            form = await self._desk.store.sign_ups.find_key(key) if len(key) <= MAX_KEY else None
            account = await self._desk.account(form.account_id) if form is not None and form.is_active else None
            title = await self._title(form) if form is not None else ""
            if form is None or account is None or not title:
                await self._say(send, 404, Said.UNKNOWN, language)
                return
            language = form.definition.language
            properties = await self._desk.store.contacts.properties(form.account_id)
            if scope["method"] == "POST":
                await self._post(scope, receive, send, account, form, title, properties)
            else:
                await self._show(send, 200, form, properties, Filled())
        except StoreFault as fault:  # never a success that is not stored
            maillog.fault("sign-up", key[:40], fault)
            await self._say(send, 503, Said.FAILED, language, extra=RETRY)

    async def _title(self, form: SignUpForm) -> str:
        """What is subscribed to, as strangers may read it; "" when the list is gone."""
        found = await self._desk.store.contacts.find_list(form.account_id, form.list_id)
        return "" if found is None or found.deleted_at is not None else form.definition.title or found.name

    async def _post(self, scope: Scope, receive: Receive, send: Send, account: Account, form: SignUpForm, title: str,
                    properties: list[ContactProperty]) -> None:  # fmt: skip
        body = await read_body(receive, MAX_BODY)
        fields = read_fields(header(scope, b"content-type"), body) if body is not None else []
        answers = read_answers(fields, form.definition, properties)
        now = self._desk.clock.now_us()
        if answers.is_trapped:
            await self._desk.store.sign_ups.refuse(form.id)
            await self._done(send, form, answers)
            return
        if answers.problems:
            await self._show(send, 422, form, properties, Filled(answers.values, answers.problems), answers.shown)
            return
        if age_of(answers.shown, form.id, now, self._desk.keyring) is not Age.FIT:
            await self._show(send, 200, form, properties, Filled(answers.values, asks_once_more=True), answers.shown)
            return
        outcome = await self._desk.ask(account, form, title, answers, peer_of(scope))
        match outcome:
            case Outcome.TAKEN:
                await self._done(send, form, answers)
            case Outcome.MUCH:
                await self._say(send, 429, Said.MUCH, form.definition.language, extra=RETRY)
            case Outcome.UNABLE:
                await self._say(send, 503, Said.FAILED, form.definition.language, extra=RETRY)

    async def _done(self, send: Send, form: SignUpForm, answers: Answers) -> None:
        """The answer to a form that was taken; a program in the trap gets it as well, and learns nothing."""
        target = location(form.definition.redirect) if form.definition.redirect else None
        if target is not None:
            await answer(send, 303, b"", ((b"location", target), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")))
            return
        which = Said.ASKED if form.definition.is_double else Said.SUBSCRIBED
        await self._say(send, 200, which, form.definition.language, answers.values["email"])

    async def _show(self, send: Send, status: int, form: SignUpForm, properties: list[ContactProperty], filled: Filled, shown: str = "") -> None:
        """The form; one that came back too soon keeps the time at which it was shown first."""
        now, keyring = self._desk.clock.now_us(), self._desk.keyring
        token = shown if age_of(shown, form.id, now, keyring) is not Age.NONE else make_shown(form.id, now, keyring)
        body = form_page(form.definition, properties, token, filled)
        origin = redirect_origin(form.definition)
        # browsers follow a redirect after a form only where the policy lets forms go
        allowed = f"form-action 'self' {origin}" if origin else "form-action 'self'"
        encoded = [(name.encode(), value.replace("form-action 'self'", allowed).encode()) for name, value in HEADERS]
        await answer(send, status, body, (*encoded, (b"content-language", form.definition.language.encode())))

    async def _say(self, send: Send, status: int, which: Said, language: str, address: str = "", title: str = "",
                   extra: tuple[tuple[bytes, bytes], ...] = ()) -> None:  # fmt: skip
        await answer_html(send, status, said(which, language, address, title), language, extra)

    # -- the link

    async def link(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET, HEAD and POST of `/s/<token>`: a button, and what it does. Whoever only looks has changed nothing."""
        language = language_of("", header(scope, b"accept-language"))
        token = read_confirm(token_of(scope), self._desk.keyring)
        try:
            waiting = await self._desk.store.consents.opt_in(token.opt_in_id) if token is not None else None
            if token is None or waiting is None:
                status, which = (404, Said.UNKNOWN) if token is None else (410, Said.LATE)
                await self._say(send, status, which, language)
                return
            language = language_of(waiting.language, "")
            status, which = await self._answer(scope, receive, waiting)
            await self._say(send, status, which, language, waiting.address, await self._subscribed_to(waiting))
        except StoreFault as fault:
            maillog.fault("sign-up", "confirm", fault)
            await self._say(send, 503, Said.FAILED, language, extra=RETRY)

    async def _answer(self, scope: Scope, receive: Receive, waiting: OptIn) -> tuple[int, Said]:
        if scope["method"] != "POST":
            is_late = waiting.confirmed_at is None and waiting.expires_at <= self._desk.clock.now_us()
            return (410, Said.LATE) if is_late else (200, Said.CONFIRM if waiting.confirmed_at is None else Said.CONFIRMED)
        body = await read_body(receive, MAX_BODY)
        fields = read_fields(header(scope, b"content-type"), body) if body is not None else []
        if [one for one in fields if one[0] == CONFIRM[0]] != [CONFIRM]:
            return 400, Said.CONFIRM
        match await self._desk.confirm(waiting, peer_of(scope)):
            case Confirmation.GONE:
                return 410, Said.LATE
            case _:
                return 200, Said.CONFIRMED

    async def _subscribed_to(self, waiting: OptIn) -> str:
        form = await self._desk.store.sign_ups.find(waiting.account_id, waiting.form_id)
        found = await self._desk.store.contacts.find_list(waiting.account_id, waiting.list_id)
        return (form.definition.title if form is not None else "") or (found.name if found is not None else "")
