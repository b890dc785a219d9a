"""Everything that reads octets from strangers, as functions of octets that must end quietly: only the errors that their docstrings name may come out."""

import json
from collections.abc import Callable

from estafette.deliver.flights import read_flights
from estafette.feedback.orders import read_order
from estafette.mail.address import AddressError, parse, parse_mailboxes
from estafette.mail.header import HeaderError, read_header
from estafette.mail.mime import MimeError, find_text_parts, read_parts
from estafette.mail.reply_rules import classify
from estafette.mail.reports import read_report
from estafette.mail.smtp.client import ClientSession, Transaction
from estafette.mail.smtp.replies import RemoteProtocolError
from estafette.mail.smtp.server import ServerOptions, ServerSession
from estafette.mail.token import Keyring, read_return_path, read_token
from estafette.mail.words import decode_words
from estafette.prepare.html_spans import read_html
from estafette.prepare.links import Rules, find_html_links, find_text_links
from estafette.prepare.template.compiling import compile_template, render
from estafette.prepare.template.running import Facts, Halted
from tests.mail_smtp.shell import Shell

RING = Keyring(1, {1: b"k" * 32})
RULES = Rules(clicks=True, url_tags="a=b")
FACTS = Facts({"a": 1, "b": ["x", {"c": "y"}]}, {}, {}, {})


def smtp_server(data: bytes) -> None:
    """A client that says anything at all. The first octet says in how many pieces."""
    size = data[0] + 1 if data else 1
    shell = Shell(ServerSession(ServerOptions("relay.test", offers_starttls=True, plain_auth=True, requires_auth=bool(size % 2))))
    for at in range(1, len(data), max(size, len(data) // 64)):
        if shell.is_closed:
            return
        shell.feed(data[at : at + max(size, len(data) // 64)])


def smtp_client(data: bytes) -> None:
    """A server that says anything at all."""
    session = ClientSession("relay.test")
    session_is_over = False
    for line in data.split(b"\x00"):
        if session_is_over:
            return
        try:
            session.receive(line)
        except RemoteProtocolError:
            session_is_over = True
        for event in session.events():
            if type(event).__name__ == "Ready" and session.state.value == "ready":
                session.send(Transaction("a@b.example", ("c@d.example",), b"Subject: x\r\n\r\n.\r\n"))
        session.output()


def header(data: bytes) -> None:
    try:
        found = read_header(data)
    except HeaderError:
        return
    for field in found:
        assert isinstance(field.text, str)


def mime(data: bytes) -> None:
    try:
        root = read_parts(data)
    except MimeError:
        return
    assert (root.start, root.end) == (0, len(data))
    for part in root.walk():
        assert root.start <= part.start <= part.body_start <= part.body_end <= part.end <= root.end
    find_text_parts(root)


def report(data: bytes) -> None:
    read_report(data)


def address(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for read in (parse, parse_mailboxes):
        try:
            made = str(read(text))
        except AddressError:
            continue
        assert not set(made) & set("\r\n\0")


def words(data: bytes) -> None:
    decode_words(data.decode("utf-8", "replace"))


def html(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for link in [*find_html_links(text, read_html(text), RULES), *find_text_links(text, RULES)]:
        assert 0 <= link.start <= link.end <= len(text)


def template(data: bytes) -> None:
    try:
        render(compile_template(data.decode("utf-8", "replace"), is_html=True), FACTS)
    except Halted:
        pass


def token(data: bytes) -> None:
    text = data.decode("latin-1")
    assert read_token("open", text, RING) is None
    assert read_return_path(text, RING) is None


def order(data: bytes) -> None:
    kind, _, body = data.partition(b"\n")
    read_order(kind.decode("latin-1"), body)


def reply(data: bytes) -> None:
    classify(550, "5.1.1", data.decode("utf-8", "replace"), "rcpt")


def flights(data: bytes) -> None:
    read_flights(data, "boot")


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f for f in (smtp_server, smtp_client, header, mime, report, address, words, html, template, token, order, reply, flights)
}


def escaped(data: bytes) -> str:
    """For a corpus file's name and a failing test's text."""
    return json.dumps(data.decode("latin-1"))
