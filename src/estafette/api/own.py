"""`/v1/estafette`: what Mailjet's API has no word for. Raw mails in, messages that wait taken back."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from estafette.accept import submit
from estafette.accept.examine import Examined, Refused, examine
from estafette.accept.relaying import letters, requests_for, speaks_of_recipients
from estafette.api import errors
from estafette.api.auth import peer_of
from estafette.api.body import Hold, read_body
from estafette.api.desk import NO_DISK, RETRY_FULL_AFTER_S, Desk, answer
from estafette.api.errors import CallRefused, Problem
from estafette.api.query import message_id_of
from estafette.api.send import again, idempotency_key
from estafette.api.send_answer import packed, unpacked
from estafette.api.send_rules import MAX_RECIPIENTS, read_time
from estafette.mail.address import Address, AddressError, parse, parse_mailboxes
from estafette.model import Account, Door
from estafette.status.shown import message_uuid

MAX_LISTED: Final = 1000
NOT_FOUND: Final = Problem("", 404, "There is no such message.")
NOT_WAITING: Final = Problem("", 409, "The message does not wait for its first attempt: it is being sent, or was tried.")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


async def raw(desk: Desk, request: Request, account: Account) -> Response:
    """`POST /v1/estafette/raw`: a whole mail (RFC 5322), to those of `to`, or of its own To, Cc and Bcc. Its X-MJ-* headers are obeyed as over SMTP."""
    key = idempotency_key(request.headers.getlist("idempotency-key"))
    peer = peer_of(request.client.host if request.client else "")
    if not desk.has_disk():
        raise CallRefused(NO_DISK, RETRY_FULL_AFTER_S)
    with Hold(desk.budget) as hold:
        body = await read_body(request, hold, desk.max_body_bytes, desk.body_within_s)
        fingerprint = hashlib.sha256(body + b"\0" + str(request.query_params).encode()).digest()
        if key:
            known = await desk.store.idempotent_answer(account.id, key, desk.clock.now_us())
            if known is not None:
                return again(known[1], is_conflict=known[0] != fingerprint)
        mail = _LINE_END.sub(b"\r\n", body)
        try:
            examined = examine(mail)
            if not await desk.keeper.may_write_as(account.id, examined.author):
                text = f'"{examined.author.address}" is not an authorized sender email address for your account.'
                raise CallRefused(Problem("send-0008", 403, text, ("From",)))
            recipients = _recipients(request.query_params.getlist("to"), examined)
            now = desk.clock.now_us()
            template = examined.wish.template
            stored = await desk.door.template(account.id, template) if template is not None else None
            if template is not None and stored is None:
                raise CallRefused(Problem("send-0010", 400, f"Template {template} does not exist or does not belong to your API key.", ("X-MJ-TemplateID",)))
            wanted = submit.Request(
                account, Door.HTTP, _reverse_path(request, examined), tuple(map(submit.Recipient, recipients)), mail, examined, examined.options,
                f"[{peer}]", peer, "HTTP", smtputf8=any(address.needs_smtputf8 for address in recipients), due_at=_due_at(request, now),
            )  # fmt: skip
            keys = [address.key for address in recipients] if speaks_of_recipients(mail, examined, stored) else []
            contacts = await desk.door.contacts(account.id, keys) if keys else {}
            if examined.wish.is_set:  # a second of work in the worst case: not in the loop
                made = await asyncio.to_thread(letters, mail, examined, wanted.recipients, stored, desk.door.library, contacts)
            else:
                made = letters(mail, examined, wanted.recipients, stored, desk.door.library)
        except Refused as refusal:
            raise CallRefused(Problem("mj-0005", 400, f"The mail cannot be accepted: {refusal.reply.text}")) from None
        desk.draw(account, len(recipients))
        requests = requests_for(wanted, made, desk.door.hostname, desk.clock.token_bytes(16)) if examined.wish.is_set else [wanted]
        return await _submit(desk, requests, len(requests) - len(made), key or examined.idempotency_key, fingerprint)


async def _submit(desk: Desk, requests: Sequence[submit.Request], reports: int, key: str, fingerprint: bytes) -> Response:
    """All in one commit, the answer kept with the last."""
    rows: list[dict[str, object]] = []
    kept = b""

    def keep(one: submit.Request, is_last: bool, ids: Sequence[int]) -> bytes:
        nonlocal kept
        rows.extend(_row(desk, recipient.address, number) for recipient, number in zip(one.recipients, ids, strict=True))
        kept = packed(200, msgspec.json.encode({"Messages": rows})) if is_last else b""
        return kept

    keyed = [
        replace(one, idempotency_key=(key if i == len(requests) - 1 else f"{key}\n{i}") if key else "", fingerprint=fingerprint if key else b"",
                answer=partial(keep, one, i == len(requests) - 1) if i >= reports else None)
        for i, one in enumerate(requests)
    ]  # fmt: skip
    accepted = (await desk.door.submit(keyed))[-1]
    if accepted.replayed_answer is not None:
        return again(accepted.replayed_answer, is_conflict=accepted.is_key_conflict)
    return answer(*unpacked(kept))


def _row(desk: Desk, address: Address, number: int) -> dict[str, object]:
    href = f"{desk.public_url}/v3/REST/message/{number}"
    return {"Email": str(address), "MessageID": number, "MessageUUID": message_uuid(number), "MessageHref": href}


def _recipients(given: Sequence[str], examined: Examined) -> list[Address]:
    """Each once. Raises CallRefused."""
    try:
        if given:
            found = [parse(text.strip()) for text in given[:MAX_LISTED]]
        else:
            fields = [field for name in ("To", "Cc", "Bcc") for field in examined.header.all(name)]
            found = [mailbox.address for field in fields for mailbox in parse_mailboxes(field.value)]
    except AddressError as error:
        raise CallRefused(Problem("mj-0013", 400, f"A recipient is an invalid email address: {error}", ("to",))) from None
    first: dict[str, Address] = {}
    for address in found:
        first.setdefault(address.key, address)
    unique = list(first.values())
    if not unique:
        raise CallRefused(errors.missing("to"))
    if len(unique) > MAX_RECIPIENTS or len(given) > MAX_LISTED:
        raise CallRefused(Problem("send-0015", 400, f"Total number of recipients exceeded. Max allowed - {MAX_RECIPIENTS}", ("to",)))
    return unique


def _reverse_path(request: Request, examined: Examined) -> str:
    given = request.query_params.get("from")
    try:
        return str(parse(given)) if given else str(examined.author.address)
    except AddressError:
        raise CallRefused(errors.bad_address("from", given or "")) from None


def _due_at(request: Request, now: int) -> int:
    given = request.query_params.get("sendAt")
    if not given:
        return 0
    value: int | str = int(given) if given.isascii() and given.isdecimal() and len(given) < 12 else given
    found = read_time(value, "sendAt", now)
    if isinstance(found, Problem):
        raise CallRefused(found)
    return found


async def cancel(desk: Desk, request: Request, account: Account) -> Response:
    """`DELETE /v1/estafette/messages/{id}`: a message that waits for its first attempt is never attempted."""
    number = message_id_of(str(request.path_params["id"]))
    if number is not None and await desk.store.cancel(number, account.id, desk.clock.now_us(), "cancelled by the account"):
        return Response(status_code=204)
    view = await desk.store.message(number) if number is not None else None
    raise CallRefused(NOT_WAITING if view is not None and view.account_id == account.id else NOT_FOUND)
