"""`POST /v3.1/send`: read, authorise, compose, commit, answer. What is allowed is decided in `send_call.py` and `send_rules.py`.

All submissions of a call are committed together. Its idempotency key is kept with the last of them, because only then all message ids are
known; the others carry keys made from it, so that of two equal calls at the same moment one stores everything and the other nothing.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from estafette import maillog
from estafette.accept import submit
from estafette.api import errors
from estafette.api.auth import peer_of
from estafette.api.body import Hold, read_body
from estafette.api.composing import Made, make
from estafette.api.desk import NO_DISK, RETRY_FULL_AFTER_S, Desk, answer
from estafette.api.errors import CallRefused, Problem
from estafette.api.send_answer import packed, render, unpacked
from estafette.api.send_call import read_call
from estafette.api.send_rules import Failed, Wanted
from estafette.mail.address import Mailbox
from estafette.model import Accepted, Account, Door

MAX_KEY: Final = 255
MAX_GROWTH: Final = 4  # how many times the largest body all mails of one call may take together
THREAD_FROM_BYTES: Final = 262_144
CONFLICT: Final = Problem("", 409, "This Idempotency-Key was used for another request within the last 24 hours. Nothing was accepted.")

P = ParamSpec("P")
R = TypeVar("R")


async def send(desk: Desk, request: Request, account: Account) -> Response:
    """Take the messages of one call."""
    key = idempotency_key(request.headers.getlist("idempotency-key"))
    peer = peer_of(request.client.host if request.client else "")
    if not desk.has_disk():
        raise CallRefused(NO_DISK, RETRY_FULL_AFTER_S)
    with Hold(desk.budget) as hold:
        body = await read_body(request, hold, desk.max_body_bytes, desk.body_within_s)
        fingerprint = hashlib.sha256(body).digest()
        if key:
            known = await desk.store.idempotent_answer(account.id, key, desk.clock.now_us())
            if known is not None:
                maillog.accepted_before(account.name, Door.HTTP.value, key)
                return _again(known[1], is_conflict=known[0] != fingerprint)
        call = await _aside(len(body), read_call, body, desk.max_body_bytes * MAX_GROWTH, desk.rules)
        allowed = await _authorised(desk, account, call.messages)
        size = sum(m.size_bytes for m in allowed if isinstance(m, Wanted))
        hold.take(size)
        made = await _aside(size, make, allowed, desk.clock.token_bytes(16))
        for failed in (m for m in made if isinstance(m, Failed)):
            problem = failed.problems[0]
            maillog.refused("", peer, account.name, "http", f"{problem.status} {problem.code} {problem.text}")
        if call.is_sandbox or not any(isinstance(m, Made) for m in made):
            return answer(*render(_shown(made), [{}] * len(made), desk.public_url, desk.identifier))
        desk.draw(account, sum(len(m.wanted.recipients) for m in made if isinstance(m, Made)))
        return await _submit(desk, account, made, peer, key, fingerprint)


def idempotency_key(given: Sequence[str]) -> str:
    """The one key of a request, "" when it has none. Raises CallRefused."""
    if len(given) > 1:
        raise CallRefused(errors.not_allowed("Idempotency-Key", "There is more than one Idempotency-Key header."))
    key = given[0].strip() if given else ""
    if len(key) > MAX_KEY:
        raise CallRefused(errors.too_long("Idempotency-Key", MAX_KEY))
    if not key.isascii() or not key.isprintable():
        raise CallRefused(errors.not_allowed("Idempotency-Key", "The Idempotency-Key must consist of visible ASCII characters."))
    return key


async def _aside(size: int, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Large work goes to a thread, so that the loop answers others meanwhile."""
    if size < THREAD_FROM_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


async def _authorised(desk: Desk, account: Account, messages: Sequence[Wanted | Failed]) -> list[Wanted | Failed]:
    known: dict[str, bool] = {}

    async def may_write_as(mailbox: Mailbox) -> bool:
        key = mailbox.address.key
        if key not in known:
            known[key] = await desk.keeper.may_write_as(account.id, mailbox)
        return known[key]

    found: list[Wanted | Failed] = []
    for message in messages:
        if isinstance(message, Wanted):
            author, sender = message.draft.author, message.draft.sender
            if not await may_write_as(author):
                text = f'"{author.address}" is not an authorized sender email address for your account.'
                message = Failed((Problem("send-0008", 403, text, ("From",)),))
            elif sender and not await may_write_as(sender):
                message = Failed((Problem("send-0007", 403, f'"{sender.address}" is not a validated sender of your account.', ("SenderID",)),))
        found.append(message)
    return found


async def _submit(desk: Desk, account: Account, made: Sequence[Made | Failed], peer: str, key: str, fingerprint: bytes) -> Response:
    ids: list[dict[str, int]] = [{} for _ in made]
    places = [place for place, message in enumerate(made) if isinstance(message, Made)]
    kept = b""

    def keep(place: int, message: Made, message_ids: Sequence[int]) -> bytes:
        """Called by the door for one submission after the other; with the last one the answer is complete."""
        nonlocal kept
        ids[place] = {person.key: number for person, number in zip(message.wanted.recipients, message_ids, strict=True)}
        if place != places[-1]:
            return b""
        kept = packed(*render(_shown(made), ids, desk.public_url, desk.identifier))
        return kept

    requests = [
        _request(account, message, peer, _key_of(key, place, is_last=place == places[-1]), fingerprint, partial(keep, place, message))
        for place, message in enumerate(made)
        if isinstance(message, Made)
    ]
    accepted: list[Accepted] = await desk.door.submit(requests)
    earlier = accepted[-1].replayed_answer
    if earlier is not None:  # another call with this key came in between
        return _again(earlier, is_conflict=accepted[-1].is_key_conflict)
    return answer(*unpacked(kept))


def _request(account: Account, made: Made, peer: str, key: str, fingerprint: bytes, keep: Callable[[Sequence[int]], bytes]) -> submit.Request:
    recipients = [person.mailbox.address for person in made.wanted.recipients]
    return submit.Request(
        account, Door.HTTP, str(made.examined.author.address), tuple(submit.Recipient(address) for address in recipients), made.raw, made.examined,
        made.wanted.options, f"[{peer}]", peer, "HTTP", smtputf8=any(address.needs_smtputf8 for address in recipients),
        idempotency_key=key, fingerprint=fingerprint if key else b"", answer=keep,
    )  # fmt: skip


def _key_of(key: str, place: int, *, is_last: bool) -> str:
    """A line end cannot occur in a header's value, so that no client can name a key made here."""
    return key if is_last or not key else f"{key}\n{place}"


def _shown(made: Sequence[Made | Failed]) -> list[Wanted | Failed]:
    return [m.wanted if isinstance(m, Made) else m for m in made]


def _again(kept: bytes, *, is_conflict: bool) -> Response:
    if is_conflict:
        raise CallRefused(CONFLICT)
    return answer(*unpacked(kept))
