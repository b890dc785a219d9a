"""`POST /v1/estafette/preview`: what a message's texts would be, and what is wrong with its template, without sending anything."""

import asyncio
from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from estafette.accept.filling import Allowance, Stored, Texts, TooMuch, Trouble, facts_for, fill, finished, texts_of
from estafette.api import errors
from estafette.api.body import Hold, read_body
from estafette.api.desk import Desk, answer
from estafette.api.errors import CallRefused
from estafette.api.fields import folded
from estafette.api.send_call import read_root
from estafette.api.send_rules import Failed, completed, read_message
from estafette.mail.address import Mailbox
from estafette.model import Account

_SOMEBODY = {"from": {"Email": "author@example.com"}, "to": [{"Email": "recipient@example.com"}]}


async def preview(desk: Desk, request: Request, account: Account) -> Response:
    """The body is one entry of `Messages`; of its recipients the first is the one it is shown for. From and To may be left out."""
    with Hold(desk.budget) as hold:
        body = await read_body(request, hold, desk.max_body_bytes, desk.body_within_s)
        read = read_message(read_root(body), folded(_SOMEBODY), 0, replace(desk.rules, now=desk.clock.now_us()))
        stored: Stored | None = None
        if not isinstance(read, Failed) and read.wish.template is not None:
            stored = await desk.door.template(account.id, read.wish.template)
            read = completed(read, {read.wish.template: stored} if stored else {})
        if isinstance(read, Failed):
            raise CallRefused(read.problems[0])
        draft, recipient = read.draft, read.recipients[0].mailbox
        texts = texts_of(Texts(draft.subject, draft.text, draft.html), stored, desk.door.library)
        if isinstance(texts, Trouble):
            return answer(200, shown(Texts(draft.subject, draft.text, draft.html), texts))
        contacts = await desk.door.contacts(account.id, [recipient.address.key])
        known = contacts.get(recipient.address.key)
        name = recipient.name or (known.name if known else "")
        facts = facts_for(read.wish.variables, draft.author, Mailbox(name, recipient.address), stored.template if stored else None, contacts)
        try:
            filled = await asyncio.to_thread(fill, texts, replace(read.wish, is_delivered_anyway=True), facts, desk.door.library, Allowance())
        except TooMuch as error:
            raise CallRefused(errors.too_large(f"Too much for one message: {error}", status=413)) from None
        return answer(200, shown(finished(filled.texts, stored), filled.trouble))


def shown(texts: Texts, trouble: Trouble | None) -> bytes:
    """The answer. With an error the texts are without the tags that failed."""
    error = trouble.error if trouble else None
    return msgspec.json.encode({
        "Subject": texts.subject, "TextPart": texts.text, "HTMLPart": texts.html,
        "Error": None if trouble is None else {
            "ErrorMessage": trouble.explanation, "Reason": trouble.reason.error, "Line": error.place.line if error else 0,
            "Column": error.place.column if error else 0, "Variable": error.variable if error else "", "Part": trouble.part,
        },
    })  # fmt: skip
