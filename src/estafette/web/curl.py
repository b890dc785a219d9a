"""A mail as a call of the API, to be pasted into a shell: the Send API's where it can say all of it, else the whole mail as a file. Pure.

Everything stands in single quotes of the shell: nothing of a hostile mail is run. Key and secret are variables of the caller's shell.
"""

import json
import shlex
from typing import Final
from urllib.parse import quote

from estafette.mail.address import AddressError, parse_mailbox
from estafette.views import MessagePage
from estafette.web.reading import Reading

MAX_JSON: Final = 20_000
"""Octets of text that are written out; a longer mail is sent as a file."""


def curl_call(found: MessagePage, reading: Reading, public_url: str) -> str:
    """The command."""
    view = found.view
    text, html = reading.text, reading.html
    is_whole = not reading.problem and not reading.attachments and (text or html) and len((text + html).encode()) <= MAX_JSON
    if not is_whole:
        url = f"{public_url}/v1/estafette/raw?to={quote(view.recipient, safe='')}"
        return f"curl -u \"$KEY:$SECRET\" {shlex.quote(url)} -H 'Content-Type: message/rfc822' --data-binary @{file_name(view.id)}"
    name = _name(reading, view.author)
    message: dict[str, object] = {"From": {"Email": view.author} | ({"Name": name} if name else {}), "To": [{"Email": view.recipient}], "Subject": view.subject}
    message |= {name: value for name, value in (("TextPart", text), ("HTMLPart", html), ("CustomID", view.custom_id), ("CustomCampaign", view.campaign),
                                                ("EventPayload", found.options.event_payload)) if value}  # fmt: skip
    body = json.dumps({"Messages": [message]}, ensure_ascii=False, indent=1)
    return f"curl -u \"$KEY:$SECRET\" {shlex.quote(public_url + '/v3.1/send')} -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def _name(reading: Reading, author: str) -> str:
    """The author's display name, when the From of the mail is his."""
    try:
        mailbox = parse_mailbox(next((value for name, value in reading.header if name.lower() == "from"), ""))
    except AddressError:
        return ""
    return mailbox.name if str(mailbox.address) == author else ""


def file_name(message_id: int) -> str:
    """Of the source of a message when it is downloaded."""
    return f"message-{message_id}.eml"
