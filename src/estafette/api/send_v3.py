"""Reads the body of the older `POST /v3/send` (contract 2.4) by saying it in the words of v3.1; what the words mean is decided there. Pure.

Property names are matched whatever their case, dashes and underscores (`Text-part`, `TextPart`, `text_part`). A null is an absent property, in `Vars` too.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from estafette.api import errors
from estafette.api.errors import CallRefused, Problem
from estafette.api.header_rules import MAX_DEPTH
from estafette.api.send_call import Call, read_root
from estafette.api.send_rules import DEFAULT_RULES, Failed, Rules, Wanted, read_message
from estafette.mail.address import AddressError, Mailbox, parse_mailboxes
from estafette.status.shown import message_uuid

MAX_MESSAGES: Final = 100
MAX_RECIPIENTS: Final = 50
MAX_ADDRESSES: Final = 20_000
"""Characters of To, Cc or Bcc."""
_SWITCHES: Final = {"": "account_default", "0": "account_default", "1": "disabled", "2": "enabled"}
_TRUE: Final = frozenset({"true", "1", "yes", "y"})
_COPIED: Final = {
    "subject": "Subject", "textpart": "TextPart", "htmlpart": "HTMLPart", "mjcustomid": "CustomID", "mjeventpayload": "EventPayload",
    "mjcampaign": "CustomCampaign", "mjmonitoringcategory": "MonitoringCategory", "mjurltags": "URLTags", "sendat": "SendAt",
}  # fmt: skip


def read_v3_call(body: bytes, max_bytes: int, rules: Rules = DEFAULT_RULES) -> Call:
    """Raises CallRefused when the call as a whole cannot be read."""
    given = _plain(read_root(body))
    bulk = given.get("messages")
    if bulk is not None and not isinstance(bulk, list):
        raise CallRefused(errors.mismatch("Messages", "array of messages"))
    if bulk is not None and not bulk:
        raise CallRefused(errors.empty_array("Messages"))
    if bulk is not None and len(bulk) > MAX_MESSAGES:
        raise CallRefused(Problem("send-0015", 400, f"Total number of messages exceeded. Max allowed - {MAX_MESSAGES}", ("Messages",)))
    found: list[Wanted | Failed] = []
    room = max_bytes
    for number, message in enumerate(bulk if bulk is not None else [given]):
        if not isinstance(message, dict):
            raise CallRefused(errors.mismatch(f"Messages[{number}]", "message"))
        for wanted in _messages(_plain(message)):
            read = read_message(wanted, {}, number, rules)
            room -= read.size_bytes if isinstance(read, Wanted) else 0
            if room < 0:
                raise CallRefused(errors.too_large("The messages of this call are too large together; send them in several calls.", ("Messages",), 413))
            found.append(read)
    return Call(tuple(found), is_sandbox=False)


def render_v3(messages: Sequence[Wanted | Failed], ids: Sequence[Mapping[str, int]]) -> tuple[int, bytes]:
    """The answer: one row for each recipient."""
    sent = [
        {"Email": person.given, "MessageID": known.get(person.key, 0), "MessageUUID": message_uuid(known[person.key]) if person.key in known else ""}
        for message, known in zip(messages, ids, strict=True)
        if isinstance(message, Wanted)
        for person in message.recipients
    ]
    return 200, msgspec.json.encode({"Sent": sent})


def _plain(given: Mapping[str, object]) -> dict[str, object]:
    return {name.lower().replace("-", "").replace("_", ""): value for name, value in given.items() if value is not None}


def _messages(given: Mapping[str, object]) -> list[dict[str, object]]:
    """One message, or one for each entry of Recipients. Raises CallRefused."""
    shared = _shared(given)
    recipients = given.get("recipients")
    if recipients is None:
        lists = {name: _addresses(given.get(name.lower()), name) for name in ("To", "Cc", "Bcc")}
        return [shared | {name: people for name, people in lists.items() if people or name == "To"}]
    if any(given.get(name) for name in ("to", "cc", "bcc")):
        raise CallRefused(errors.not_allowed("Recipients", '"Recipients" cannot be combined with "To", "Cc" and "Bcc".'))
    if not isinstance(recipients, list):
        raise CallRefused(errors.mismatch("Recipients", "array of emails"))
    if not recipients:
        raise CallRefused(errors.empty_array("Recipients"))
    if len(recipients) > MAX_RECIPIENTS:
        raise CallRefused(Problem("send-0015", 400, f"Total number of recipients exceeded. Max allowed - {MAX_RECIPIENTS}", ("Recipients",)))
    return [_for_one(shared, recipient, f"Recipients[{i}]") for i, recipient in enumerate(recipients)]


def _for_one(shared: dict[str, object], recipient: object, path: str) -> dict[str, object]:
    if not isinstance(recipient, dict):
        raise CallRefused(errors.mismatch(path, "emailIn"))
    plain = _plain(recipient)
    own = plain.get("vars", {})
    if not isinstance(own, dict):
        raise CallRefused(errors.mismatch(f"{path}.Vars", "object"))
    theirs = shared["Variables"]
    variables = {**theirs, **_without_nulls(own)} if isinstance(theirs, dict) else theirs
    return shared | {"To": [{"Email": plain.get("email"), "Name": plain.get("name")}], "Variables": variables}


def _shared(given: Mapping[str, object]) -> dict[str, object]:
    headers, variables = given.get("headers"), given.get("vars", {})
    made: dict[str, object] = {ours: given[theirs] for theirs, ours in _COPIED.items() if theirs in given}
    made |= {
        "From": {"Email": given["fromemail"], "Name": given.get("fromname")} if "fromemail" in given else None,
        "TemplateID": _number(given.get("mjtemplateid")),
        "TemplateLanguage": _flag(given.get("mjtemplatelanguage")),
        "TemplateErrorReporting": {"Email": given["mjtemplateerrorreporting"]} if given.get("mjtemplateerrorreporting") else None,
        "TemplateErrorDeliver": _flag(given.get("mjtemplateerrordeliver"), "deliver"),
        "Attachments": _files(given.get("attachments")), "InlinedAttachments": _files(given.get("inlineattachments"), is_inlined=True),
        "Priority": _number(given.get("mjprio")), "DeduplicateCampaign": _flag(given.get("mjdeduplicatecampaign")),
        "TrackOpens": _switch(given.get("mjtrackopen")), "TrackClicks": _switch(given.get("mjtrackclick")),
        "Variables": _without_nulls(variables) if isinstance(variables, dict) else variables,
    }  # fmt: skip
    if isinstance(headers, dict):  # there is no property for it: Reply-To comes as a header
        made["ReplyTo"] = next((_addresses(value, "Headers.Reply-To") for name, value in headers.items() if name.lower() == "reply-to"), None)
        headers = {name: value for name, value in headers.items() if name.lower() != "reply-to"}
    return made | {"Headers": headers}


def _addresses(value: object, name: str) -> list[dict[str, str]]:
    if value is None or value == "":
        return []
    if not isinstance(value, str):
        raise CallRefused(errors.mismatch(name, "string"))
    if len(value) > MAX_ADDRESSES:
        raise CallRefused(errors.too_long(name, MAX_ADDRESSES))
    try:
        return [_person(mailbox) for mailbox in parse_mailboxes(value)]
    except AddressError:
        raise CallRefused(errors.bad_address(name, value)) from None


def _person(mailbox: Mailbox) -> dict[str, str]:
    return {"Email": str(mailbox.address), "Name": mailbox.name}


def _files(value: object, *, is_inlined: bool = False) -> object:
    if not isinstance(value, list):
        return value
    return [_file(_plain(one), is_inlined=is_inlined) if isinstance(one, dict) else one for one in value]


def _file(given: dict[str, object], *, is_inlined: bool) -> dict[str, object]:
    name, content = given.get("filename"), given.get("content", given.get("base64content"))
    made = {"ContentType": given.get("contenttype"), "Filename": name, "Base64Content": content}
    return made | {"ContentID": given.get("contentid", name)} if is_inlined else made


def _without_nulls(given: Mapping[str, object]) -> dict[str, object]:
    """As deep as variables may be; what is deeper is refused later."""
    return {name: _cleared(inner, MAX_DEPTH) for name, inner in given.items() if inner is not None}


def _cleared(value: object, depth: int) -> object:
    if isinstance(value, dict) and depth:
        return {name: _cleared(inner, depth - 1) for name, inner in value.items() if inner is not None}
    return [_cleared(inner, depth - 1) for inner in value if inner is not None] if isinstance(value, list) and depth else value


def _flag(value: object, *words: str) -> object:
    """true, 1, "True" and so on are true; what is none of them comes through when it is no text and no number."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value).strip().lower() in {*_TRUE, *words}
    return value


def _number(value: object) -> object:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) < 19:
        return int(value)
    return None if value == "" else value


def _switch(value: object) -> object:
    return _SWITCHES.get(str(value).strip(), value) if isinstance(value, int | str) and not isinstance(value, bool) else value
