"""What a mail must be to be accepted, and what it becomes: pure.

The accepted content is: our Received field, Date and Message-ID when they are missing, the header without the fields that speak to the
platform, the body. Every octet that is not named here stays as it came.
"""

from dataclasses import dataclass

from estafette.accept.authority import AuthorError, author_of
from estafette.accept.filling import Wish
from estafette.accept.relay_headers import OptionError, read_options
from estafette.mail import trace
from estafette.mail.address import Mailbox
from estafette.mail.header import Header, HeaderError, make_raw_field, read_header, without
from estafette.mail.smtp.replies import Reply, reply
from estafette.model import Options


class Refused(Exception):
    """The mail is not accepted; carries the SMTP reply that says why."""

    def __init__(self, answer: Reply) -> None:
        super().__init__(str(answer))
        self.reply = answer


@dataclass(frozen=True, slots=True)
class Examined:
    """A mail that may be accepted once its author is found to be authorised."""

    header: Header
    author: Mailbox
    subject: str
    options: Options
    wish: Wish
    idempotency_key: str
    smtputf8: bool  # the header has raw non-ASCII octets (RFC 6532)


def examine(raw: bytes, max_line: int = 0) -> Examined:
    """Read what matters of a mail. Raises Refused. `max_line`: longest line of the body without CRLF, 0 = any."""
    try:
        header = read_header(raw)
    except HeaderError as error:
        raise Refused(reply(554, "5.6.0", f"The header cannot be accepted: {error}")) from None
    if trace.has_loop(header):
        raise Refused(reply(554, "5.4.6", "Too many hops: this mail is going round in a loop"))
    if raw.find(b"\0", header.body_start) >= 0:
        raise Refused(reply(554, "5.6.0", "The body contains a NUL octet; send binary content as base64"))
    if max_line and longest_line(raw) > max_line:
        raise Refused(reply(554, "5.6.0", f"A line is longer than {max_line} octets (RFC 5321 4.5.3.1.6); send it as quoted-printable or base64"))
    try:
        author = author_of(header)
        options, wish, key = read_options(header)
    except AuthorError as error:
        raise Refused(reply(554, "5.6.0", f"The author cannot be told: {error}")) from None
    except OptionError as error:
        raise Refused(reply(554, "5.6.0", str(error))) from None
    subject = header.first("Subject")
    return Examined(header, author, subject.text if subject else "", options, wish, key, not raw[: header.end].isascii())


def longest_line(raw: bytes) -> int:
    """Octets of the longest line, without its line end."""
    return max(map(len, raw.split(b"\r\n")), default=0)


def accepted_content(raw: bytes, header: Header, received: bytes, message_id: str, at_us: int) -> bytes:
    """The mail as it is stored. `message_id` is used when the mail has none."""
    top = [received]
    if header.first("Date") is None:
        top.append(make_raw_field("Date", trace.format_date(at_us)))
    if header.first("Message-ID") is None:
        top.append(make_raw_field("Message-ID", f"<{message_id}>"))
    return b"".join([*top, without(raw, header, trace.is_ours_to_strip)])
