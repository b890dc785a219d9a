"""Everything that reads octets from strangers, as functions of octets that must end quietly: only the errors that their docstrings name may come out."""

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime

from openpyxl import Workbook

from estafette.audience import ContactProperty, FormDefinition, PropertyKind, Question
from estafette.deliver.flights import read_flights
from estafette.feedback.orders import read_fields, read_order, reason_of
from estafette.feedback.parse_payload import answered_submissions, payload_of
from estafette.feedback.preference_pages import read_form
from estafette.mail.address import AddressError, parse, parse_mailboxes
from estafette.mail.dkim_verify import read_signatures, verify
from estafette.mail.header import HeaderError, read_header
from estafette.mail.mime import MimeError, find_text_parts, read_parts
from estafette.mail.mta_sts import matches as sts_allows
from estafette.mail.mta_sts import read_policy, read_record
from estafette.mail.reply_rules import classify
from estafette.mail.reports import read_report
from estafette.mail.smtp.client import ClientSession, Transaction
from estafette.mail.smtp.replies import RemoteProtocolError
from estafette.mail.smtp.server import ServerOptions, ServerSession
from estafette.mail.token import Keyring, make_token, read_return_path, read_token
from estafette.mail.words import decode_words
from estafette.newsletters.segment_language import SegmentError, check
from estafette.newsletters.segment_language import parse as parse_segment
from estafette.newsletters.segment_meaning import Person, text_of
from estafette.newsletters.segment_meaning import matches as is_member
from estafette.newsletters.sheets import SheetError, pieces_of
from estafette.newsletters.table_files import TableReader, guess
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


KINDS = {one.name: one.kind.value for one in PROPERTIES}
NOW = datetime(2026, 11, 27, tzinfo=UTC)
SOMEBODY = Person({"str": "x", "int": 3, "float": 0.5, "bool": True, "datetime": NOW}, NOW, None)


def _archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("people.csv", "email;name\n" + "".join(f"a{n}@b.example;Anna {n}\n" for n in range(40)))
    return file.getvalue()


def _workbook() -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in (("email", "since"), ("a@b.example", datetime(2026, 1, 1)), (None, 1.5), ("=1+1", True)):
        book.worksheets[0].append(row)
    book.save(file)
    return file.getvalue()


ARCHIVE, WORKBOOK = _archive(), _workbook()


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


def segment(data: bytes) -> None:
    """What says who belongs to a segment; its plainest spelling means the same."""
    try:
        tree = parse_segment(data.decode("utf-8", "replace"))
        check(tree, KINDS)
    except SegmentError:
        return
    assert is_member(parse_segment(text_of(tree)), SOMEBODY, KINDS, NOW) == is_member(tree, SOMEBODY, KINDS, NOW)


def table(data: bytes) -> None:
    """A file of contacts, in two pieces."""
    reader = TableReader(guess(data))
    rows = [*reader.feed(data[: len(data) // 2]), *reader.feed(data[len(data) // 2 :]), *reader.finish()]
    assert all(row.problem or row.cells for row in rows)


def sheet(data: bytes) -> None:
    """An archive with a table in it, and a workbook, of which pairs of octets (where, what) have changed some."""
    for whole in (ARCHIVE, WORKBOOK, None):
        file = bytearray(whole if whole is not None else data)
        if whole is not None:
            for where, what in zip(data[:32:2], data[1:32:2], strict=False):
                file[where * len(file) // 256] ^= what
        with contextlib.suppress(SheetError):
            for _ in pieces_of(io.BytesIO(file)):
                pass


def policy(data: bytes) -> None:
    """MTA-STS: the record and the file."""
    read_record([data.decode("utf-8", "replace")])
    with contextlib.suppress(ValueError):
        sts_allows("mx.example", read_policy(data).mx)


def returned(data: bytes) -> None:
    """Mail that is given to a customer's program."""
    answered_submissions(data, "relay.test")
    json.loads(payload_of(data, "a@b.example", "c@d.example", 0))


def signature(data: bytes) -> None:
    """Signatures of strangers, and what the DNS says about them."""
    fields, _, record = data.partition(b"\0")
    raw = b"DKIM-Signature: " + fields + b"\r\nFrom: a@b.example\r\n\r\nBody\r\n"
    try:
        found = read_header(raw)
    except HeaderError:
        return
    for one in read_signatures(found):
        verify(raw, found, one, record.decode("utf-8", "replace"), 10**9)


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f for f in (smtp_server, smtp_client, header, mime, report, address, words, html, template, token, order, sign_up, reply, flights,
                             segment, table, sheet, policy, returned, signature)
}


def escaped(data: bytes) -> str:
    """For a corpus file's name and a failing test's text."""
    return json.dumps(data.decode("latin-1"))
