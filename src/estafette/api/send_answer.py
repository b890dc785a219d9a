"""Writes the answer of `POST /v3.1/send` (contract 2.3), and keeps it so that it can be given again byte for byte. Pure."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from estafette.api import errors
from estafette.api.fields import Person
from estafette.api.send_rules import Failed, Wanted
from estafette.status.shown import message_uuid

Ids = Mapping[str, int]
"""Message id by the recipient's lookup key; empty in sandbox mode."""


def status_of(messages: Sequence[Wanted | Failed]) -> int:
    """200 when all is fine, 403 when every problem is one, 400 otherwise."""
    problems = [problem for message in messages if isinstance(message, Failed) for problem in message.problems]
    if not problems:
        return 200
    return 403 if all(problem.status == 403 for problem in problems) else 400


def render(messages: Sequence[Wanted | Failed], ids: Sequence[Ids], public_url: str, new_identifier: Callable[[], str]) -> tuple[int, bytes]:
    """(HTTP status, JSON). `ids` has one entry per message, in order; that of a failed one is not looked at."""
    shown = [
        _failed(message, new_identifier) if isinstance(message, Failed) else _sent(message, known, public_url)
        for message, known in zip(messages, ids, strict=True)
    ]
    return status_of(messages), msgspec.json.encode({"Messages": shown})


def _failed(message: Failed, new_identifier: Callable[[], str]) -> dict[str, object]:
    return {"Status": "error", "Errors": [errors.entry(problem, new_identifier()) for problem in message.problems]}


def _sent(message: Wanted, ids: Ids, public_url: str) -> dict[str, object]:
    return {
        "Status": "success",
        "CustomID": message.options.custom_id,
        "To": [_recipient(person, ids, public_url) for person in message.to],
        "Cc": [_recipient(person, ids, public_url) for person in message.cc],
        "Bcc": [_recipient(person, ids, public_url) for person in message.bcc],
    }


def _recipient(person: Person, ids: Ids, public_url: str) -> dict[str, object]:
    """An address that was mentioned twice is shown twice, with the one message that it gets."""
    message_id = ids.get(person.key, 0)
    return {
        "Email": person.given,
        "MessageUUID": message_uuid(message_id) if message_id else "",
        "MessageID": message_id,
        "MessageHref": f"{public_url}/v3/REST/message/{message_id}",
    }


def packed(status: int, body: bytes) -> bytes:
    """An answer as it is kept with an idempotency key."""
    return b"%d\n%b" % (status, body)


def unpacked(answer: bytes) -> tuple[int, bytes]:
    """The inverse of `packed`."""
    status, _, body = answer.partition(b"\n")
    return int(status), body
