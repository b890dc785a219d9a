"""Reads the envelope of `POST /v3.1/send` (contract 2.1): the JSON, its root properties, and every message over the Globals. Pure."""

from dataclasses import dataclass
from typing import Final

import msgspec

from estafette.api import errors
from estafette.api.errors import CallRefused, Problem
from estafette.api.fields import Fields, folded
from estafette.api.send_rules import DEFAULT_RULES, Failed, Rules, Wanted, read_message

MAX_MESSAGES: Final = 50


@dataclass(frozen=True, slots=True)
class Call:
    """A readable call: its messages in order, each fit or not."""

    messages: tuple[Wanted | Failed, ...]
    is_sandbox: bool


def read_call(body: bytes, max_bytes: int, rules: Rules = DEFAULT_RULES) -> Call:
    """Raises CallRefused when the call as a whole cannot be read. `max_bytes`: what all mails together may take, because Globals let a
    small call ask for fifty large ones."""
    given = folded(read_root(body))
    problems: list[Problem] = []
    root = Fields(given, problems)
    is_sandbox = root.flag("SandboxMode")
    root.flag("AdvanceErrorHandling")  # every problem is told anyway
    defaults = given.get("globals")
    if defaults is not None and not isinstance(defaults, dict):
        problems.append(errors.mismatch("Globals", "object"))
    messages = given.get("messages")
    if messages is None:
        problems.append(errors.missing("Messages"))
    elif not isinstance(messages, list):
        problems.append(errors.mismatch("Messages", "array of messages"))
    elif not messages:
        problems.append(errors.empty_array("Messages"))
    elif len(messages) > MAX_MESSAGES:
        problems.append(Problem("send-0015", 400, f"Total number of messages exceeded. Max allowed - {MAX_MESSAGES}", ("Messages",)))
    if problems or not isinstance(messages, list):
        raise CallRefused(problems[0])
    found: list[Wanted | Failed] = []
    folded_defaults = folded(defaults) if isinstance(defaults, dict) else {}
    room = max_bytes
    for number, message in enumerate(messages):
        read = read_message(message, folded_defaults, number, rules)
        room -= read.size_bytes if isinstance(read, Wanted) else 0
        if room < 0:
            raise CallRefused(errors.too_large("The messages of this call are too large together; send them in several calls.", ("Messages",), 413))
        found.append(read)
    return Call(tuple(found), is_sandbox)


def read_root(body: bytes) -> dict[str, object]:
    """The JSON object of a body. Raises CallRefused."""
    try:
        decoded = msgspec.json.decode(body)
    except RecursionError:
        raise CallRefused(Problem("mj-0002", 400, "Malformed JSON, please review the syntax and properties types: nested too deep.")) from None
    except UnicodeDecodeError:
        raise CallRefused(Problem("mj-0002", 400, "Malformed JSON, please review the syntax and properties types: not UTF-8 text.")) from None
    except ValueError as error:  # msgspec.DecodeError is one
        raise CallRefused(Problem("mj-0002", 400, f"Malformed JSON, please review the syntax and properties types: {error}.")) from None
    if not isinstance(decoded, dict):
        raise CallRefused(Problem("mj-0004", 400, 'Type mismatch. Expected type "object".'))
    return decoded
