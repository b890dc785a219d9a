"""The headers of the SMTP relay that change the mail itself: template, language, variables."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from estafette.accept.examine import Refused, examine
from estafette.accept.filling import Stored
from estafette.accept.relaying import Letter, letters
from estafette.accept.submit import Recipient
from estafette.mail.address import parse
from estafette.model import EventKind, State
from estafette.nouns import Template, TemplateContent
from estafette.prepare.template.library import Library
from tests.accept.ground import ground

HEAD = b"From: News <news@sender.example>\r\nSubject: Hi {{var:name}}\r\n"
JO, ANN = (Recipient(parse(a)) for a in ("jo@dest.example", "ann@dest.example"))
STORED = Stored(Template(5, 1, "Welcome"), TemplateContent({"Subject": "Theirs"}, html="<b>{{var:name}}</b>", text="T {{var:name}}"))
MULTIPART = (
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E9 {{var:name}}</p>\r\n--b\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nJVBERg==\r\n--b--\r\n"
)


def made(raw: bytes, *recipients: Recipient, stored: Stored | None = None) -> list[Letter]:
    return letters(raw, examine(raw), recipients or (JO,), stored, Library())


def read(letter: Letter) -> EmailMessage:
    message = email.message_from_bytes(letter.raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).strip()


@pytest.mark.parametrize("extra", [b"", b"X-MJ-TemplateLanguage: 0\r\n", b"X-Mailjet-Prio: 3\r\n"])
def test_without_a_wish_not_an_octet_is_changed(extra: bytes) -> None:
    raw = HEAD + extra + b"\r\n{{var:name}} [[var:name]]\r\n"
    (letter,) = made(raw, JO, ANN)
    assert letter.raw is raw
    assert letter.recipients == (JO, ANN)


def test_the_language_in_the_mails_own_parts() -> None:
    (letter,) = made(HEAD + b'X-MJ-TemplateLanguage: True\r\nX-MJ-Vars: {"name": "Zo\xc3\xab \xe2\x82\xac"}\r\n' + MULTIPART, JO, ANN)
    message = read(letter)
    assert message["Subject"] == "Hi Zoë €"
    assert text(message, "html") == "<p>é Zoë €</p>"
    assert [a.get_content() for a in message.iter_attachments()] == [b"%PDF"], "what is not a text stays as it was"


def test_the_older_tags_need_no_language() -> None:
    (letter,) = made(HEAD + b'X-MJ-Vars: {"name": "Jo"}\r\n\r\n{{var:name}} [[var:name]] [[var:x:"-"]]\r\n')
    assert letter.raw.endswith(b"\r\n\r\n{{var:name}} Jo -\r\n")


def test_a_template_takes_the_place_of_the_texts() -> None:
    raw = HEAD + b'X-MJ-TemplateID: 5\r\nX-MJ-TemplateLanguage: 1\r\nX-MJ-Vars: {"name": "Jo"}\r\nX-Other: kept\r\n' + MULTIPART
    (letter,) = made(raw, stored=STORED)
    message = read(letter)
    assert (message["Subject"], message["X-Other"], message["From"]) == ("Hi Jo", "kept", "News <news@sender.example>")
    assert (text(message, "html"), text(message, "plain")) == ("<b>Jo</b>", "T Jo")
    assert [(a.get_filename(), a.get_content()) for a in message.iter_attachments()] == [("a.pdf", b"%PDF")]
    assert len(message.get_all("Content-Type", [])) == len(message.get_all("MIME-Version", [])) == 1


def test_one_mail_for_each_where_the_texts_speak_of_the_recipient() -> None:
    first, second = made(HEAD.replace(b"{{var:name}}", b"x") + b"X-MJ-TemplateLanguage: 1\r\n\r\n{{mj:contact.email}}\r\n", JO, ANN)
    assert (first.raw[-18:], second.recipients, second.raw[-19:]) == (b"\njo@dest.example\r\n", (ANN,), b"\nann@dest.example\r\n")


def test_an_error_is_told() -> None:
    (letter,) = made(HEAD + b"X-MJ-TemplateLanguage: 1\r\nX-MJ-TemplateErrorReporting: ops@sender.example\r\n\r\nx\r\n")
    assert letter.trouble is not None
    assert (letter.trouble.is_blocking, letter.trouble.reports_to, letter.trouble.reason.error) == (True, "ops@sender.example", "error in template language")
    (letter,) = made(HEAD + b"X-MJ-TemplateLanguage: 1\r\nX-MJ-TemplateErrorDeliver: deliver\r\n\r\nx\r\n")
    assert letter.trouble is not None
    assert not letter.trouble.is_blocking


@pytest.mark.parametrize("header", [
    "X-MJ-Vars: {", "X-MJ-Vars: [1]", "X-MJ-Vars: " + "[" * 900, "X-MJ-TemplateID: x", "X-MJ-TemplateID: -1", "X-MJ-TemplateErrorDeliver: deliver",
    "X-MJ-TemplateErrorReporting: a@b.test", "X-MJ-TemplateLanguage: 1\r\nX-MJ-TemplateErrorReporting: nobody", "X-MJ-URLTags: " + "a" * 257,
])  # fmt: skip
def test_headers_that_cannot_be_obeyed(header: str) -> None:
    with pytest.raises(Refused) as refused:
        examine(HEAD + header.encode() + b"\r\n\r\nx\r\n")
    assert header.split("\r\n")[-1].partition(":")[0] in refused.value.reply.text


async def test_over_the_wire(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        template = await g.real.templates.create(Template(0, g.account.id, "Welcome"), 1)
        assert template is not None
        await g.real.templates.set_content(g.account.id, template.id, STORED.content, 1)
        client = await g.logged_in()
        wish = b'X-MJ-TemplateID: %d\r\nX-MJ-TemplateLanguage: 1\r\nX-MJ-Vars: {"name": "Jo"}\r\n' % template.id
        answer = await client.mail(HEAD + wish + b"\r\nx\r\n", "jo@dest.example")
        assert answer.startswith("250 ")
        (view,) = await g.real.messages()
        content = (await g.real.contents([view.submission_id]))[view.submission_id]
        assert b"<b>Jo</b>" in content.raw
        assert b"X-MJ" not in content.raw
        assert (await client.mail(HEAD + b"X-MJ-TemplateID: 99\r\n\r\nx\r\n")).startswith("550 5.7.1 Template 99 does not exist")
        broken = HEAD + b"X-MJ-TemplateLanguage: 1\r\nX-MJ-TemplateErrorReporting: ops@dest.example\r\nX-Estafette-Idempotency-Key: k\r\n\r\nx\r\n"
        answer = await client.mail(broken, "jo@dest.example")
        assert answer == await client.mail(broken, "jo@dest.example"), "the key holds for the mail and its report together"
        _, report, blocked = await g.real.messages()
        assert answer.endswith(f" {blocked.submission_id:x}")
        assert (blocked.state, blocked.reason.error, report.recipient) == (State.BLOCKED, "error in template language", "ops@dest.example")
        assert any("var:name" in e.reply for e in await g.real.timeline(blocked.id) if e.kind is EventKind.BLOCKED)
