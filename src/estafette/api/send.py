"""`POST /v3.1/send` and `/v3/send`: read, authorise, compose, commit, answer. What is allowed is decided in `send_call.py`, `send_v3.py`, `send_rules.py`.

All submissions of a call are committed together. Its idempotency key is kept with the last of them, because only then all message ids are
known; the others carry keys made from it, so that of two equal calls at the same moment one stores everything and the other nothing.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from estafette import maillog
from estafette.accept import submit
from estafette.accept.filling import Allowance, Stored
from estafette.accept.relaying import Letter, report_request
from estafette.api import errors
from estafette.api.auth import peer_of
from estafette.api.body import Hold, read_body
from estafette.api.composing import Made, Workshop, make, spoken_of
from estafette.api.desk import NO_DISK, RETRY_FULL_AFTER_S, Desk, answer
from estafette.api.errors import CallRefused, Problem
from estafette.api.send_answer import Ids, packed, render, unpacked
from estafette.api.send_call import Call, read_call
from estafette.api.send_rules import Failed, Rules, Wanted, completed
from estafette.api.send_v3 import read_v3_call, render_v3
from estafette.mail.address import Mailbox
from estafette.model import Accepted, Account, Door

MAX_KEY: Final = 255
MAX_GROWTH: Final = 4  # how many times the largest body all mails of one call may take together
MAX_ID: Final = 2**63 - 1
THREAD_FROM_BYTES: Final = 262_144
CONFLICT: Final = Problem("", 409, "This Idempotency-Key was used for another request within the last 24 hours. Nothing was accepted.")

Render = Callable[[Sequence[Wanted | Failed], Sequence[Ids]], tuple[int, bytes]]
Read = Callable[[bytes, int, Rules], Call]
P = ParamSpec("P")
R = TypeVar("R")


async def send(desk: Desk, request: Request, account: Account) -> Response:
    """`POST /v3.1/send`: every message is judged for itself."""
    return await _take(desk, request, account, read_call, partial(render, public_url=desk.public_url, new_identifier=desk.identifier), desk.rules)


async def send_v3(desk: Desk, request: Request, account: Account) -> Response:
    """`POST /v3/send`: one message that is not acceptable refuses the call."""
    return await _take(desk, request, account, read_v3_call, render_v3, replace(desk.rules, has_template_names=True), is_all_or_nothing=True)


async def _take(
    desk: Desk, request: Request, account: Account, read: Read, render: Render, rules: Rules, *, is_all_or_nothing: bool = False
) -> Response:
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
                return again(known[1], is_conflict=known[0] != fingerprint)
        call = await _aside(len(body), read, body, desk.max_body_bytes * MAX_GROWTH, replace(rules, now=desk.clock.now_us()))
        stored = await _templates(desk, account, call.messages)
        messages = [m if isinstance(m, Failed) else completed(m, stored) for m in call.messages] if stored is not None else call.messages
        allowed = await _authorised(desk, account, messages)
        size = sum(m.size_bytes for m in allowed if isinstance(m, Wanted))
        hold.take(size)
        keys = spoken_of(allowed, stored or {}, desk.door.library)
        contacts = await desk.door.contacts(account.id, keys) if keys else {}
        allowance = Allowance(octets=desk.max_body_bytes * MAX_GROWTH)
        workshop = Workshop(stored or {}, desk.door.library, desk.clock.token_bytes(16), allowance, contacts)
        is_long = any(isinstance(m, Wanted) and m.wish.has_language for m in allowed)  # a second of work in the worst case
        made = await _aside(THREAD_FROM_BYTES if is_long else size, make, allowed, workshop)
        for failed in (m for m in made if isinstance(m, Failed)):
            problem = failed.problems[0]
            maillog.refused("", peer, account.name, "http", f"{problem.status} {problem.code} {problem.text}")
            if is_all_or_nothing:
                raise CallRefused(problem)
        if call.is_sandbox or not any(isinstance(m, Made) for m in made):
            return answer(*render(shown(made), [{}] * len(made)))
        desk.draw(account, sum(len(m.wanted.recipients) for m in made if isinstance(m, Made)))
        return await submit_made(desk, account, made, peer, key, fingerprint, render)


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


async def _templates(desk: Desk, account: Account, messages: Sequence[Wanted | Failed]) -> dict[int | str, Stored] | None:
    """The account's templates that are asked for; None when none is."""
    wanted = {m.wish.template for m in messages if isinstance(m, Wanted) and m.wish.template is not None}
    found = {name: await desk.door.template(account.id, name) for name in wanted if isinstance(name, str) or 0 < name <= MAX_ID}
    return {name: stored for name, stored in found.items() if stored is not None} if wanted else None


async def submit_made(desk: Desk, account: Account, made: Sequence[Made | Failed], peer: str, key: str, fingerprint: bytes, render: Render) -> Response:
    """Commit all mails of a call together, and give the answer that `render` makes of their ids."""
    ids: list[dict[str, int]] = [{} for _ in made]
    kept = b""
    requests: list[submit.Request] = []

    def keep(place: int, letter: Letter, is_last: bool, message_ids: Sequence[int]) -> bytes:
        """Called by the door for one mail after the other; with the last one the answer is complete."""
        nonlocal kept
        ids[place].update({r.address.key: number for r, number in zip(letter.recipients, message_ids, strict=True)})
        if is_last:
            kept = packed(*render(shown(made), ids))
        return kept

    flat = [(place, message.wanted, letter) for place, message in enumerate(made) if isinstance(message, Made) for letter in message.letters]
    reports = []
    for number, (place, wanted, letter) in enumerate(flat):
        is_last = number == len(flat) - 1
        request = _request(account, wanted, letter, peer, fingerprint if key else b"")
        requests.append(replace(request, idempotency_key=_key_of(key, number, is_last=is_last), answer=partial(keep, place, letter, is_last)))
        if letter.trouble is not None and letter.trouble.reports_to:
            randomness = desk.clock.token_bytes(16)
            reports.append(report_request(request, letter.trouble, letter.examined.subject, letter.raw, desk.door.hostname, randomness))
    accepted: list[Accepted] = await desk.door.submit([*reports, *requests])
    earlier = accepted[-1].replayed_answer
    if earlier is not None:  # another call with this key came in between
        return again(earlier, is_conflict=accepted[-1].is_key_conflict)
    return answer(*unpacked(kept))


def _request(account: Account, wanted: Wanted, letter: Letter, peer: str, fingerprint: bytes) -> submit.Request:
    trouble = letter.trouble
    return submit.Request(
        account, Door.HTTP, str(letter.examined.author.address), letter.recipients, letter.raw, letter.examined, wanted.options, f"[{peer}]", peer, "HTTP",
        smtputf8=any(r.address.needs_smtputf8 for r in letter.recipients), due_at=wanted.due_at, fingerprint=fingerprint,
        blocked=trouble.reason if trouble and trouble.is_blocking else None, explanation=trouble.explanation if trouble else "",
    )  # fmt: skip


def _key_of(key: str, place: int, *, is_last: bool) -> str:
    """A line end cannot occur in a header's value, so that no client can name a key made here."""
    return key if is_last or not key else f"{key}\n{place}"


def shown(made: Sequence[Made | Failed]) -> list[Wanted | Failed]:
    """Without the mails."""
    return [m.wanted if isinstance(m, Made) else m for m in made]


def again(kept: bytes, *, is_conflict: bool) -> Response:
    """An answer that was given before."""
    if is_conflict:
        raise CallRefused(CONFLICT)
    return answer(*unpacked(kept))
