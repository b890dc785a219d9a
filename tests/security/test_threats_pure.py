"""Threats of the model (SECURITY.md) that are met by what octets mean: one test each, named by its number."""

import csv
import inspect
import io
import json
import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from estafette.accept.authority import AuthorError, author_of
from estafette.accept.examine import Refused, examine
from estafette.api.webhooks.signing import headers, secret_of
from estafette.audience import Choices, ContactProperty, FormDefinition, Place, PropertyKind, Question
from estafette.clock import ManualClock, SystemClock
from estafette.feedback.orders import Order, read_fields, read_order
from estafette.feedback.pages import Page, page
from estafette.feedback.preference_pages import preference_page, read_form
from estafette.log import JsonLines, TextLines
from estafette.mail.address import AddressError, Mailbox, parse
from estafette.mail.compose import Attachment, Draft, compose
from estafette.mail.header import HeaderError, make_field, read_header
from estafette.mail.mime import MimeError, read_parts
from estafette.mail.smtp.client import ClientSession, Transaction
from estafette.mail.smtp.replies import LocalProtocolError
from estafette.mail.smtp.server import ServerOptions, ServerSession
from estafette.mail.token import Keyring, make_return_path, make_token, read_return_path, read_token
from estafette.prepare.links import target_of
from estafette.prepare.template.compiling import compile_template, render
from estafette.prepare.template.running import Facts, Halted
from estafette.prepare.tokens import Sealer, read_unsubscribe, tails
from estafette.signup.forms import WrongForm, is_redirect, read_definition, redirect_origin
from estafette.signup.letters import confirmation_mail
from estafette.signup.limits import ADDRESS, NETWORK, mailbox_of, network_of, who
from estafette.signup.pages import Filled, Said, form_page, said, snippet
from estafette.signup.tokens import Age, age_of, make_confirm, make_shown, read_confirm
from estafette.vault import Vault, VaultError
from estafette.web.rows import encoded
from tests.mail_smtp.shell import Shell

OURS, THEIRS = Keyring(1, {1: b"k" * 32}), Keyring(1, {1: b"x" * 32})
ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r.\n", b"\n.\r", b"\r\r\n.\r\r\n",
    b"\r\n\x00.\r\n", b"\n\n.\r\n", b"\r\n.\r\r\n",
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_threat_1_smuggling_inbound(end: bytes) -> None:
    """What is not CRLF.CRLF ends no mail, however it is cut into packets: one mail comes in, or none."""
    smuggled = b"a" + end + b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\nevil\r\n.\r\n"
    for cut in range(1, len(smuggled)):
        shell = Shell(ServerSession(ServerOptions("relay.test")))
        shell.feed(b"EHLO a.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n")
        for piece in (smuggled[:cut], smuggled[cut:]):
            if not shell.is_closed:
                shell.feed(piece)
        assert "evil@x.test" not in [mail.reverse_path for mail in shell.mails]


@given(st.lists(st.sampled_from([b"\n", b"\r", b".", b"\r\n", b"x"]), max_size=12).map(b"".join))
def test_threat_2_smuggling_outbound(body: bytes) -> None:
    """No bare CR or LF leaves."""
    session = ClientSession("relay.test")
    session.receive(b"220 hi\r\n")
    session.receive(b"250 PIPELINING\r\n")
    session.output()
    try:
        session.send(Transaction("a@b.test", ("c@d.test",), b"Subject: x\r\n\r\n" + body))
    except LocalProtocolError:
        assert b"\n" in body.replace(b"\r\n", b"") or b"\r" in body.replace(b"\r\n", b"")
        return
    session.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    sent = b"".join(session.output())
    assert b"\r" not in sent.replace(b"\r\n", b"") and b"\n" not in sent.replace(b"\r\n", b"") and sent.count(b"\r\n.\r\n") == 1


@given(st.text(st.one_of(st.sampled_from("\r\n\0>< @a.\"\\"), st.characters(exclude_categories=["Cs"])), max_size=40))
def test_threat_3_command_injection(text: str) -> None:
    """No address and no EHLO name carries a second command."""
    try:
        wire = str(parse(text))
    except AddressError:
        wire = ""
    assert not set(wire) & set("\r\n\0")
    if any(c < " " or c == "\x7f" for c in text):
        session = ClientSession("relay.test")
        for envelope in (Transaction(text, ("c@d.test",), b""), Transaction("", (text,), b"")):
            with pytest.raises(LocalProtocolError):
                session.send(envelope)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_threat_4_header_injection(subject: str, name: str) -> None:
    """The fields that come out are those that were asked for, or it is refused."""
    draft = Draft(Mailbox(name, parse("a@b.test")), (Mailbox(name, parse("c@d.test")),), subject=subject, text="x",
                  attachments=(Attachment("text/plain", name or "x", b"y"),))  # fmt: skip
    try:
        raw = compose(draft, b"r" * 16)
    except HeaderError:
        assert any(c < " " or c in "\x7f\x85\u2028\u2029" for c in subject + name)
        return
    keys = [field.key for field in read_header(raw)]
    assert sorted(keys) == sorted(["from", "to", "mime-version", "content-type", *(["subject"] if subject else [])]), keys


@pytest.mark.parametrize("fields", [
    "From: a@b.test\r\nFrom: c@d.test\r\n", "From: a@b.test, c@d.test\r\n", "From: =?utf-8?q?a=40b.test?= <c@d.test>, x@y.test\r\n", "",
])  # fmt: skip
def test_threat_5_more_than_one_author(fields: str) -> None:
    with pytest.raises(AuthorError):
        author_of(read_header(fields.encode() + b"\r\n"))


def test_threat_5_an_encoded_word_is_a_name_and_no_address() -> None:
    author = author_of(read_header(b"From: =?utf-8?q?boss=40bank=2Etest?= <mallory@evil.test>\r\n\r\n"))
    assert str(author.address) == "mallory@evil.test"


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "java\tscript:x", "\x01javascript:x",
])  # fmt: skip
def test_threat_6_what_is_not_http_is_no_link_of_ours(url: str) -> None:
    assert target_of(url, "") is None


def test_threat_7_forged_tokens() -> None:
    """Ten thousand tokens with one octet changed, tokens of another key, kind or length: none opens."""
    chance = random.Random(7)
    good = make_token("click", b"payload", OURS)
    assert read_token("click", good, OURS) == b"payload"
    for _ in range(10_000):
        at = chance.randrange(len(good))
        forged = good[:at] + chance.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") + good[at + 1 :]
        assert forged == good or read_token("click", forged, OURS) is None
    assert read_token("open", good, OURS) is None and read_token("click", good, THEIRS) is None
    assert all(read_token("click", good[:n], OURS) is None for n in range(len(good)))


@pytest.mark.parametrize(("kind", "body"), [
    ("", b""), ("application/x-www-form-urlencoded", b""), ("application/x-www-form-urlencoded", b"List-Unsubscribe=no"), ("text/html", b"<x>"),
    ("application/json", b'{"List-Unsubscribe": "One-Click"}'), ("application/x-www-form-urlencoded", b"action=unsubscribe&action=resubscribe"),
])  # fmt: skip
def test_threat_8_a_scanner_unsubscribes_nobody(kind: str, body: bytes) -> None:
    assert read_order(kind, body) is None
    assert read_order("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click") is Order.ONE_CLICK


def test_threat_7_links_that_change_what_somebody_gets() -> None:
    """Confirming, unsubscribing, and the time at which a form was shown: five thousand changed tokens of each kind, and those of another key; none opens."""
    chance = random.Random(8)
    seal = Sealer(OURS, 7, "may").unsubscribe(3, "fr")
    foreign = Sealer(THEIRS, 7, "may").unsubscribe(3, "fr")
    leaving = seal.head + tails([seal], 5, "jo@dest.example")[0].decode()
    forged_leaving = foreign.head + tails([foreign], 5, "jo@dest.example")[0].decode()
    confirm, shown = make_confirm(9, 10**15, OURS), make_shown(4, 10**15, OURS)
    readers = {
        leaving: lambda token: read_unsubscribe(token, OURS), confirm: lambda token: read_confirm(token, OURS),
        shown: lambda token: None if age_of(token, 4, 10**15 + 5 * 10**6, OURS) is Age.NONE else token,
    }  # fmt: skip
    for good, read in readers.items():
        assert read(good) is not None
        for other in {*readers, forged_leaving, make_confirm(9, 10**15, THEIRS), make_shown(4, 10**15, THEIRS)} - {good}:
            assert read(other) is None
        for _ in range(5_000):
            at = chance.randrange(len(good))
            forged = good[:at] + chance.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") + good[at + 1 :]
            assert forged == good or read(forged) is None
        assert all(read(good[:n]) is None for n in range(len(good)))
    assert age_of(shown, 5, 10**15 + 5 * 10**6, OURS) is Age.NONE, "the time of another form"


@pytest.mark.parametrize("body", [b"", b"wish=save&wish=leave", b"shown=1&list=1", b"wish=SAVE", b"List-Unsubscribe=One-Click", b"action=confirm"])
def test_threat_8_a_scanner_changes_no_preferences(body: bytes) -> None:
    assert read_form(read_fields("application/x-www-form-urlencoded", body)) is None


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "//evil.example", "/x", "https:evil.example", "https://a@evil.example/", "https://evil.example\\@shop.example/", "https://a b/",
    "https://shop.example;script-src *", "https://shop.example,evil", "https://shop.example'self'", "data:text/html,x", "https://", "ftp://shop.example/",
    "https://shop.example\r\nX: y", "https://[::1]/",
])  # fmt: skip
def test_threat_6_a_form_sends_nobody_elsewhere(url: str) -> None:
    """What an account may set as the place to go to afterwards is a plain web address; nothing of it gets into another directive of the policy."""
    assert not is_redirect(url)
    given = {"language": "en", "author": "a@acme.test", "redirect": url}
    with pytest.raises(WrongForm) as wrong:
        read_definition(given, [])
    assert "redirect" in wrong.value.problems
    good = read_definition({**given, "redirect": "https://shop.example:8443/thanks?a=b"}, [])
    assert redirect_origin(good) == "https://shop.example:8443"


@pytest.mark.parametrize("spelling", ["jo@x.test", "JO@x.test", "jo@X.TEST", "jo+1@x.test", "jo+a+b@x.test", "Jo+news@X.test"])
def test_threat_33_one_mailbox_is_counted_once_however_it_is_written(spelling: str) -> None:
    """A form is a weapon against a mailbox: what is counted is the mailbox, and what is kept of it tells nobody whose it is."""
    assert mailbox_of(parse(spelling)) == mailbox_of(parse("jo@x.test")) != mailbox_of(parse("jon@x.test"))
    assert mailbox_of(parse("j.o.e+x@googlemail.com")) == mailbox_of(parse("JOE@gmail.com"))
    assert mailbox_of(parse("j.oe@x.test")) != mailbox_of(parse("joe@x.test"))
    counted = who(ADDRESS, mailbox_of(parse(spelling)), OURS)
    assert counted == who(ADDRESS, "jo@x.test", OURS) != who(ADDRESS, "jo@x.test", THEIRS) and "jo" not in counted and "x.test" not in counted
    assert counted != who(NETWORK, "jo@x.test", OURS)


def test_threat_33_a_network_is_what_one_customer_has() -> None:
    assert network_of("2001:db8:1:2::5") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::5")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2") and network_of("unix") == ""


def test_threat_34_a_mail_to_confirm_carries_no_word_of_a_stranger() -> None:
    """Whoever fills in the form cannot make us write his words to somebody: the mail is made from the account's definition, the address and our own link."""
    definition = FormDefinition("en", "news@acme.test", title="News")
    raw = confirmation_mail(definition, "News", parse("jo@dest.example"), "https://l.example/s/T", "2026-12-01", bytes(16))
    assert list(inspect.signature(confirmation_mail).parameters) == ["definition", "title", "to", "url", "day", "randomness"]
    assert raw == confirmation_mail(definition, "News", parse("jo@dest.example"), "https://l.example/s/T", "2026-12-01", bytes(16))
    assert examine(raw).author.address.key == "news@acme.test"


@pytest.mark.parametrize("payload", [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</style><svg onload=x>", "{recipient}", "&#60;script&#62;",
])  # fmt: skip
def test_threat_13_what_strangers_wrote_is_text_on_our_pages(payload: str) -> None:
    for which in Page:
        for language in ("en", "fr"):
            html = page(which, language, payload, f"{payload}@x.test").decode()
            assert "<script" not in html and "<img" not in html and "<svg" not in html
    known = ContactProperty(1, 1, payload, PropertyKind.STR)
    definition = FormDefinition("fr", "a@acme.test", payload, payload, payload, payload, (Question(1, payload),), asks_name=True)
    filled = Filled({"email": payload, "name": payload, "p1": payload}, {"email": "address"})
    pages = [form_page(definition, [known], payload, filled).decode(), snippet(definition, [known], payload)]
    pages += [said(which, language, f"{payload}@x.test", payload).decode() for which in Said for language in ("en", "fr")]
    pages.append(preference_page("fr", payload, f"{payload}@x.test", Choices(1, "", (Place(1, payload, False),), None, None)).decode())
    for html in pages:
        assert "<script" not in html and "<img" not in html and "<svg" not in html


def test_threat_17_a_sealed_key_says_nothing_and_opens_for_nobody_else() -> None:
    clock = ManualClock()
    vault = Vault(b"m" * 32, clock)
    sealed = vault.seal(b"CANARY private key", "dkim acme.test s1")
    assert b"CANARY" not in sealed and sealed != vault.seal(b"CANARY private key", "dkim acme.test s1")
    assert vault.unseal(sealed, "dkim acme.test s1") == b"CANARY private key"
    for other, label in ((Vault(b"x" * 32, clock), "dkim acme.test s1"), (vault, "dkim evil.test s1")):
        with pytest.raises(VaultError):
            other.unseal(sealed, label)
    for at in range(len(sealed)):
        with pytest.raises(VaultError):
            vault.unseal(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], "dkim acme.test s1")


@pytest.mark.parametrize("depth", [30, 10_000])
def test_threat_21_nesting(depth: int) -> None:
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)) + b"\r\nx"
    if depth > 50:
        with pytest.raises(MimeError):
            read_parts(raw)
    else:
        assert sum(1 for _ in read_parts(raw).walk()) == depth + 1


def test_threat_21_parts_and_fields() -> None:
    with pytest.raises(MimeError):
        read_parts(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000)
    with pytest.raises(HeaderError):
        read_header(b"A: b\r\n" * 100_000 + b"\r\n")
    with pytest.raises(Refused):
        examine(b"From: a@b.test\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n")


@pytest.mark.parametrize("text", ['x\n{"level":"info"}', "a\r\nb", "\x1b[2Jx", "x\u2028y", "\0"])
def test_threat_24_one_record_is_one_line(text: str) -> None:
    record = logging.LogRecord("estafette.mail", logging.INFO, "", 0, "accepted", (), None)
    record.fields = {"author": text}
    for formatter in (JsonLines(), TextLines()):
        line = formatter.format(record)
        assert not set(line) & set("\r\n\0\x1b\u2028"), repr(line)
    assert json.loads(JsonLines().format(record))["author"] == text


@pytest.mark.parametrize("source", [
    "{{''.__class__}}", "{{var:a.__class__}}", "{{var:a.__class__.__mro__}}", "{{import('os')}}", "{{var:b.__len__}}", "{{open('/etc/passwd')}}",
])  # fmt: skip
def test_threat_25_a_template_reaches_nothing_but_its_values(source: str) -> None:
    try:
        made = render(compile_template(source), Facts({"a": "x", "b": [1]}, {}, {}, {}))
    except Halted:
        return
    assert made.error or ("class" not in made.text and "root" not in made.text)


def test_threat_25_a_loop_that_never_ends_is_stopped() -> None:
    source = "{% for x in var:l %}" * 6 + "x" + "{% endfor %}" * 6
    try:
        made = render(compile_template(source), Facts({"l": list(range(1000))}, {}, {}, {}))
    except Halted:
        return
    assert made.error and len(made.text) < 10_000_000


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..\\x", "CON", "x" * 4096, "a\u202egnp.exe", ".htaccess"])
def test_threat_26_a_name_is_a_parameter_and_never_a_path(name: str) -> None:
    """File names travel in the mail and touch no file system: they come out as they were, in one field."""
    raw = compose(Draft(Mailbox("", parse("a@b.test")), subject="x", text="x", attachments=(Attachment("text/plain", name, b"y"),)), b"r" * 16)
    part = read_parts(raw).children[-1]
    assert [field.key for field in part.header].count("content-disposition") == 1


def test_threat_30_a_forged_report_names_no_message() -> None:
    """A return path of another key, another message's, or with one character changed, is nobody's."""
    local = make_return_path(7301922398208, OURS, "x.test").partition("@")[0]
    assert read_return_path(local, OURS) == 7301922398208
    assert read_return_path(local, THEIRS) is None
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    for at in range(2, len(local)):
        for c in alphabet:
            forged = local[:at] + c + local[at + 1 :]
            assert forged == local or read_return_path(forged, OURS) is None


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y.test", "a\nb", "a\0b"])
def test_threat_4_a_field_is_one_field(value: str) -> None:
    with pytest.raises(HeaderError):
        make_field("Subject", value)


def test_threat_11_a_call_can_be_told_from_a_forged_or_an_old_one() -> None:
    """By the customer's own library (Standard Webhooks), for octet changes, other accounts' and addresses' calls, and calls of yesterday."""
    url, body, now_s = "https://shop.test/hook", b'{"event":"open","MessageID":1}', int(SystemClock().now_us() / 1e6)
    ours, verify = headers(b"root", 7, url, "evt_1", now_s, body), Webhook(secret_of(b"root", 7, url)).verify
    assert verify(body, ours)["event"] == "open"
    forged = [
        (body.replace(b"1}", b"2}"), ours), (body + b" ", ours), (body, {**ours, "webhook-id": "evt_2"}), (body, {**ours, "webhook-timestamp": str(now_s + 1)}),
        (body, {**ours, "webhook-signature": "v1,"}), (body, headers(b"root", 8, url, "evt_1", now_s, body)),
        (body, headers(b"else", 7, url, "evt_1", now_s, body)),
        (body, headers(b"root", 7, url + "?b", "evt_1", now_s, body)), (body, headers(b"root", 7, url, "evt_1", now_s - 86_400, body)),
    ]  # fmt: skip
    for octets, fields in forged:
        with pytest.raises(WebhookVerificationError):
            verify(octets, fields)


@given(st.sampled_from(["=", "+", "-", "@", "\t", "\r", "", "'"]), st.text(st.characters(blacklist_categories=("Cs",)), max_size=40))
def test_threat_12_no_cell_of_an_export_is_a_formula(lead: str, text: str) -> None:
    """And nothing is lost: without the guard's apostrophe every cell is what it was."""
    values = tuple(lead + text for _ in range(7))
    (cells,) = csv.reader(io.StringIO(encoded("blocks", "csv", [values], is_first=False).decode(), newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert all(cell == value or cell == f"'{value}" for cell, value in zip(cells, values, strict=True))
