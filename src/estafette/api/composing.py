"""From wanted messages to mails that the submit door takes: composed, then examined like any other mail. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from estafette.accept.examine import Examined, Refused, examine
from estafette.api.errors import Problem
from estafette.api.send_rules import Failed, Wanted
from estafette.mail.compose import compose
from estafette.mail.header import HeaderError


@dataclass(frozen=True, slots=True)
class Made:
    """A message with its mail."""

    wanted: Wanted
    raw: bytes
    examined: Examined


def make(messages: Sequence[Wanted | Failed], randomness: bytes) -> list[Made | Failed]:
    """The mail of every message that has not failed yet; `randomness`: 16 octets, for boundaries."""
    return [m if isinstance(m, Failed) else _make(m, randomness + b"%d" % i) for i, m in enumerate(messages)]


def _make(wanted: Wanted, randomness: bytes) -> Made | Failed:
    try:
        raw = compose(wanted.draft, randomness)
        return Made(wanted, raw, examine(raw))
    except HeaderError as error:
        return Failed((Problem("mj-0005", 400, f"The mail cannot be written: {error}."),))
    except Refused as refusal:
        return Failed((Problem("mj-0005", 400, f"The mail cannot be accepted: {refusal.reply.text}"),))
