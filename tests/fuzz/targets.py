"""Everything that reads octets from strangers, as functions of octets that must end quietly: only the errors that their docstrings name may come out."""

import json
from collections.abc import Callable

from estafette.audience import ContactProperty, FormDefinition, PropertyKind, Question
from estafette.deliver.flights import read_flights
from estafette.feedback.orders import read_fields, read_order, reason_of
from estafette.feedback.preference_pages import read_form
from estafette.mail.address import AddressError, parse, parse_mailboxes
from estafette.mail.header import HeaderError, read_header
from estafette.mail.mime import MimeError, find_text_parts, read_parts
from estafette.mail.reply_rules import classify
from estafette.mail.reports import read_report
from estafette.mail.smtp.client import ClientSession, Transaction
from estafette.mail.smtp.replies import RemoteProtocolError
from estafette.mail.smtp.server import ServerOptions, ServerSession
from estafette.mail.token import Keyring, make_token, read_return_path, read_token
from estafette.mail.words import decode_words
from estafette.prepare.html_spans import read_html
from estafette.prepare.links import Rules, find_html_links, find_text_links
from estafette.prepare.template.compiling import compile_template, render
from estafette.prepare.template.running import Facts, Halted
from estafette.prepare.tokens import read_unsubscribe
from estafette.signup.answers import read_answers
from estafette.signup.pages import Filled, form_page
from estafette.signup.tokens import Age, age_of, read_confirm
from tests.mail_smtp.shell import Shell

RING = Keyring(1, {1: b"k" * 32})
RULES = Rules(clicks=True, url_tags="a=b")
PROPERTIES = [ContactProperty(number, 1, kind.value, kind) for number, kind in enumerate(PropertyKind, 1)]
FORM = FormDefinition("fr", "a@b.example", words="Oui", questions=tuple(Question(one.id, one.name, True) for one in PROPERTIES), asks_name=True)
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


def sign_up(data: bytes) -> None:
    """Forms that strangers fill in, and the tokens that come with them."""
    fields = read_fields("application/x-www-form-urlencoded", data)
    answers = read_answers(fields, FORM, PROPERTIES)
    assert all(len(value) <= 500 and value.isprintable() for value in answers.values.values())
    form_page(FORM, PROPERTIES, answers.shown, Filled(answers.values, answers.problems)).decode()
    asked = read_form(fields)
    assert asked is None or asked.wanted <= asked.shown
    reason = reason_of(fields)
    assert reason.isprintable() and len(reason) <= 300
    text = data.decode("latin-1")
    assert read_confirm(text, RING) is None and age_of(text, 1, 10**15, RING) is Age.NONE
    signed = make_token("unsub", data[:200], RING)
    found = read_unsubscribe(signed, RING)
    assert found is None or isinstance(found.address, str)
    read_confirm(make_token("confirm", data[:20], RING), RING)


def reply(data: bytes) -> None:
    classify(550, "5.1.1", data.decode("utf-8", "replace"), "rcpt")


def flights(data: bytes) -> None:
    read_flights(data, "boot")


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f for f in (smtp_server, smtp_client, header, mime, report, address, words, html, template, token, order, sign_up, reply, flights)
}


def escaped(data: bytes) -> str:
    """For a corpus file's name and a failing test's text."""
    return json.dumps(data.decode("latin-1"))
