"""Sends a kept mail to its recipient once more, as a message of its own with its own history.

What the submitter asked for holds again, with two exceptions: a second copy is what is wanted here, so it is no duplicate of its campaign; and the
mail gets a Message-ID of its own, else providers that have seen the first copy throw this one away (RFC 5322 3.6.4) - unless the submitter signed it.
Blocks, the reputation guard and who may write as whom are asked as for any other mail.
"""

import asyncio
import hashlib
from dataclasses import replace
from enum import StrEnum
from typing import Final

from estafette.accept.examine import Refused, examine
from estafette.accept.submit import Recipient, Request
from estafette.mail.address import AddressError, parse
from estafette.mail.header import Field, HeaderError, read_header, without
from estafette.model import FINAL_STATES, Door
from estafette.views import MessagePage
from estafette.web.desk import Visit

PRINT: Final = hashlib.sha256(b"sent again from the dashboard").digest()


class Not(StrEnum):
    """Why a mail is not sent again."""

    WAITING = "waiting"  # it is not over yet
    GONE = "gone"  # its content is not kept
    AUTHOR = "author"  # the account may not write as its author (any more)
    REPORT = "report"  # a failure report is ours, not the account's
    MAIL = "mail"  # it could not be accepted today


def why_not(found: MessagePage) -> Not | None:
    """What can be said without looking at the mail; None when it may be tried."""
    if found.view.state not in FINAL_STATES:
        return Not.WAITING
    if found.door == Door.REPORT.value:
        return Not.REPORT
    return None if found.has_content else Not.GONE


async def resend(visit: Visit, found: MessagePage, key: str) -> int | Not:
    """The number of the new message. The same `key` again gives the same message: a form that is sent twice sends one mail."""
    if (reason := why_not(found)) is not None:
        return reason
    content = (await visit.store.contents([found.view.submission_id])).get(found.view.submission_id)
    if content is None:
        return Not.GONE
    try:
        raw = await asyncio.to_thread(fresh, content.raw)
        examined, address = examine(raw), parse(found.view.recipient)
    except (Refused, HeaderError, AddressError):
        return Not.MAIL
    authors, author = await visit.store.authors(visit.account_id), examined.author.address
    if not (author.domain in authors.domains or author.key in authors.addresses):
        return Not.AUTHOR
    account = next(a for a in await visit.store.accounts() if a.id == visit.account_id)
    request = Request(
        account, Door(found.door), content.reverse_path, (Recipient(address),), raw, examined, replace(content.options, deduplicate=False), "dashboard",
        visit.peer, "HTTP", smtputf8=content.smtputf8, idempotency_key=f"resend-{found.view.id}-{key}", fingerprint=PRINT,
        answer=lambda ids: str(ids[0]).encode("ascii"),
    )  # fmt: skip
    (accepted,) = await visit.desk.door.submit([request])
    if accepted.is_key_conflict:  # a customer's own call has this key
        return Not.MAIL
    return int(accepted.replayed_answer) if accepted.replayed_answer is not None else accepted.messages[0].id


def fresh(raw: bytes) -> bytes:
    """A kept mail as it came: without our own trace line, and without its Message-ID where no signature of the submitter covers it. Raises HeaderError."""
    header = read_header(raw)
    ours = header.first("Received")
    is_signed = any(header.first(name) for name in ("DKIM-Signature", "ARC-Message-Signature"))

    def goes(field: Field) -> bool:
        return (ours is not None and field.start == ours.start) or (not is_signed and field.key == "message-id")

    return without(raw, header, goes)
