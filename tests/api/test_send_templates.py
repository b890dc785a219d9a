"""Templates, variables and their errors through `POST /v3.1/send`."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest

from estafette.audience import ContactChange, PropertyKind, Trace
from estafette.clock import SECOND_US
from estafette.model import EventKind, MessageView, State
from estafette.nouns import Template, TemplateContent
from tests.api.conftest import Api, call, mail

HTML = '<p>Hello {{var:name:"you"}}, {% for x in var:items %}{{x}} {% endfor %}</p>'


async def stored(api: Api, name: str = "Welcome", **parts: Any) -> int:
    made = await api.store.templates.create(Template(0, api.account.id, name, copyright="Acme"), 1)
    assert made is not None
    if parts:
        await api.store.templates.set_content(api.account.id, made.id, TemplateContent(**parts), 1)
    return made.id


async def read(api: Api, view: MessageView) -> EmailMessage:
    message = email.message_from_bytes((await api.content(view)).raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str = "html") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).strip()


async def test_a_template_with_language_and_variables(api: Api) -> None:
    number = await stored(api, html=HTML, text="{{mj:template.name}} {{mj:sender.email}}",
                          headers={"Subject": "For {{var:name}}", "Reply-to": "Re <re@acme.test>"})  # fmt: skip
    answer = await api.post(call(mail(Subject=..., TextPart=..., TemplateID=number, TemplateLanguage=True, Variables={"name": "Zoë", "items": [1, 2]})))
    assert answer.status_code == 200, answer.text
    message = await read(api, (await api.sent())[0])
    assert (message["Subject"], message["Reply-To"]) == ("For Zoë", "Re <re@acme.test>")
    assert body(message) == "<p>Hello Zoë, 1 2 </p>"
    assert body(message, "plain") == "Welcome news@acme.test"


async def test_the_author_may_come_from_the_template(api: Api) -> None:
    number = await stored(api, html="x", headers={"From": "Shop <shop@acme.test>", "Subject": "Theirs"})
    assert (await api.post(call(mail(From=..., TextPart=..., TemplateID=number)))).status_code == 200
    message = await read(api, (await api.sent())[0])
    assert (message["From"], message["Subject"]) == ("Shop <shop@acme.test>", "Hello"), "the caller's subject comes first"
    other = await stored(api, "Other", html="x")
    (entry,) = (await api.post(call(mail(From=..., TextPart=..., TemplateID=other)))).json()["Messages"]
    assert entry["Errors"][0]["ErrorCode"] == "mj-0003"
    foreign = await stored(api, "Foreign", html="x", headers={"From": "x@elsewhere.test"})
    (entry,) = (await api.post(call(mail(From=..., TextPart=..., TemplateID=foreign)))).json()["Messages"]
    assert entry["Errors"][0]["ErrorCode"] == "send-0008"


@pytest.mark.parametrize("number", [999, -1, 0, 2**70])
async def test_a_template_that_the_account_has_not(api: Api, number: int) -> None:
    answer = await api.post(call(mail(TemplateID=number), mail()))
    assert answer.status_code == 400
    first, second = answer.json()["Messages"]
    assert (first["Errors"][0]["ErrorCode"], first["Errors"][0]["ErrorRelatedTo"]) == ("send-0010", ["TemplateID"])
    assert second["Status"] == "success"


async def test_another_accounts_template_is_unknown(api: Api) -> None:
    other = await api.another("other", "key2")
    number = await stored(other, html="secret")
    answer = await api.post(call(mail(TemplateID=number)))
    assert answer.json()["Messages"][0]["Errors"][0]["ErrorCode"] == "send-0010"


async def test_without_the_language_only_the_older_tags_are_filled(api: Api) -> None:
    await api.post(call(mail(Subject="[[var:name]]", TextPart='{{var:name}} [[var:name]] [[var:x:"-"]]', Variables={"name": "Jo"})))
    message = await read(api, (await api.sent())[0])
    assert message["Subject"] == "Jo"
    assert body(message, "plain") == "{{var:name}} Jo -"


async def test_a_variable_cannot_begin_a_header_line(api: Api) -> None:
    await api.post(call(mail(Subject="{{var:x}}", TemplateLanguage=True, Variables={"x": "a\r\nBcc: evil@x.test\u2028\0b"})))
    content = await api.content((await api.sent())[0])
    assert b"\nBcc" not in content.raw
    assert email.message_from_bytes(content.raw, policy=email.policy.default)["Subject"] == "a Bcc: evil@x.test b"


async def test_texts_that_speak_of_the_recipient_are_made_for_each(api: Api) -> None:
    people = [{"Email": "jo@example.net", "Name": "Jo"}, {"Email": "ann@example.net", "Name": "Ann"}]
    answer = await api.post(call(mail(To=people, TextPart="Dear {{mj:contact.name}} <{{mj:contact.email}}>", TemplateLanguage=True, CustomID="c")), "key")
    sent = await api.sent()
    assert [p["MessageID"] for p in answer.json()["Messages"][0]["To"]] == [m.id for m in sent]
    assert [body(await read(api, m), "plain") for m in sent] == ["Dear Jo <jo@example.net>", "Dear Ann <ann@example.net>"]
    assert {str((await read(api, m))["To"]) for m in sent} == {"Jo <jo@example.net>, Ann <ann@example.net>"}
    again = await api.post(call(mail(To=people, TextPart="Dear {{mj:contact.name}} <{{mj:contact.email}}>", TemplateLanguage=True, CustomID="c")), "key")
    assert again.content == answer.content
    assert len(await api.sent()) == 2
    await api.post(call(mail(To=people, TextPart="Dear {{var:x:1}}", TemplateLanguage=True)))
    assert len({m.submission_id for m in await api.sent()}) == 3, "shared texts are one submission"


async def test_an_error_blocks_the_message_and_says_where(api: Api) -> None:
    answer = await api.post(call(mail(TextPart="Hello\n{{var:day}}", TemplateLanguage=True)))
    assert answer.json()["Messages"][0]["Status"] == "success", "the contract evaluates after the acceptance"
    (view,) = await api.sent()
    assert (view.state, view.reason.related_to, view.reason.error) == (State.BLOCKED, "content", "error in template language")
    (said,) = [e.reply for e in await api.store.timeline(view.id) if e.kind is EventKind.BLOCKED]
    assert said == "expression parsing error ## Unknown identifier: var:day ## near ## {{var:day}} ## line 2, column 1"
    history = (await api.get(f"/v3/REST/messagehistory/{view.id}")).json()["Data"]
    assert (history[0]["EventType"], history[0]["Comment"]) == ("blocked", said)


async def test_an_error_may_be_passed_over_and_is_reported(api: Api) -> None:
    wanted = mail(TextPart="a{{var:x}}b{{var:n}}", TemplateLanguage=True, TemplateErrorDeliver=True, TemplateErrorReporting={"Email": "ops@acme.test"},
                  Variables={"n": 2_147_483_648}, CustomID="c")  # fmt: skip
    answer = await api.post(call(wanted))
    report, view = await api.sent()
    assert [p["MessageID"] for p in answer.json()["Messages"][0]["To"]] == [view.id]
    assert view.state is State.QUEUED
    assert body(await read(api, view), "plain") == "ab2147483648"
    told = await read(api, report)
    assert (report.recipient, told["From"]) == ("ops@acme.test", "templating-language-error@mx.acme.test")
    assert told["Subject"] == 'Error in template language: "Hello"'
    assert "Unknown identifier: var:x" in body(told, "plain")
    (source,) = told.iter_attachments()
    assert b"ab2147483648" in source.get_payload(decode=True)  # type: ignore[operator]
    assert (await api.content(report)).reverse_path == ""


@pytest.mark.parametrize(("parts", "said"), [({}, "is empty"), ({"html": "", "text": ""}, "is empty"), ({"mjml": "<mjml>"}, "cannot be compiled")])
async def test_a_bad_or_empty_template(api: Api, parts: dict[str, str], said: str) -> None:
    number = await stored(api, **parts)
    assert (await api.post(call(mail(TemplateID=number)))).status_code == 200
    (view,) = await api.sent()
    assert (view.state, view.reason.error) == (State.BLOCKED, "bad or empty template")
    (explained,) = [e.reply for e in await api.store.timeline(view.id) if e.kind is EventKind.BLOCKED]
    assert said in explained


async def test_mjml_is_compiled_when_there_is_no_html(api: Api) -> None:
    source = "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{var:name}}</mj-text></mj-column></mj-section></mj-body></mjml>"
    number = await stored(api, mjml=source)
    await api.post(call(mail(TextPart=..., TemplateID=number, TemplateLanguage=True, Variables={"name": "Jo"})))
    assert ">Hi Jo</div>" in body(await read(api, (await api.sent())[0]))


async def test_the_text_is_made_of_the_html_where_the_template_asks_for_it(api: Api) -> None:
    text = "<h1>Hi {{var:n}} &amp; all</h1><p>One<br/>two</p>"
    source = f"<mjml><mj-body><mj-section><mj-column><mj-text>{text}</mj-text></mj-column></mj-section></mj-body></mjml>"
    made = await api.store.templates.create(Template(0, api.account.id, "T", makes_text=True), 1)
    assert made is not None
    await api.store.templates.set_content(api.account.id, made.id, TemplateContent(mjml=source), 1)
    await api.post(call(mail(TextPart=..., TemplateID=made.id, TemplateLanguage=True, Variables={"n": "Jo"})))
    assert body(await read(api, (await api.sent())[0]), "plain").split() == ["Hi", "Jo", "&", "all", "One", "two"]


async def test_sent_later(api: Api) -> None:
    at = api.clock.now_us() // SECOND_US + 3600
    answer = await api.post(call(mail(SendAt=at), mail(SendAt="2001-01-01T00:00:00Z"), mail(SendAt="tomorrow"), mail(SendAt=at + 91 * 86400), mail(SendAt=True),
                                 mail(SendAt="2026-12-24T18:00:00")))  # fmt: skip
    assert [m["Status"] if m["Status"] == "success" else m["Errors"][0]["ErrorCode"] for m in answer.json()["Messages"]] == [
        "success", "success", "mj-0005", "mj-0005", "mj-0004", "mj-0005"]  # fmt: skip
    first, second = await api.sent()
    assert first.due_at == at * SECOND_US
    assert second.due_at == second.created_at


async def test_several_addresses_for_replies(api: Api) -> None:
    await api.post(call(mail(ReplyTo=[{"Email": "a@acme.test", "Name": "A"}, {"Email": "b@acme.test"}])))
    assert (await read(api, (await api.sent())[0]))["Reply-To"] == "A <a@acme.test>, b@acme.test"


async def test_what_the_account_knows_of_its_contacts(api: Api) -> None:
    now = api.clock.now_us()
    city = await api.store.contacts.add_property(api.account.id, "city", PropertyKind.STR, now)
    since = await api.store.contacts.add_property(api.account.id, "since", PropertyKind.DATETIME, now)
    assert city is not None
    assert since is not None
    change = ContactChange("jo@example.net", "jo@example.net", name="Joséphine", properties={city.id: "Lyon", since.id: 1_600_250_135 * SECOND_US})
    await api.store.contacts.apply(api.account.id, [change], {}, Trace("api"), now)
    text = '{{data:city:"?"}} {{data:since:"never"}} {{mj:contact.name:"you"}}'
    answer = await api.post(call(mail(To=[{"Email": "jo@example.net"}, {"Email": "ann@example.net"}], TextPart=text, TemplateLanguage=True)))
    assert answer.status_code == 200
    first, second = [body(await read(api, m), "plain") for m in await api.sent()]
    assert first.startswith("Lyon 2020-09-16T")
    assert (first.endswith(" Joséphine"), second) == (True, "? never")
    await api.post(call(mail(TextPart='[[data:city:"?"]]')))
    assert body(await read(api, (await api.sent())[-1]), "plain") == "Lyon"


async def test_a_preview_sends_nothing_and_says_what_is_wrong(api: Api) -> None:
    number = await stored(api, html="<p>\n{{var:name}} {{var:gone}}</p>", headers={"Subject": "For {{mj:contact.email}}"})
    client = api.client()

    async def ask(**properties: Any) -> Any:
        return await client.post("/v1/estafette/preview", json=properties, auth=(api.key, "s3cret"))

    answer = await ask(TemplateID=number, TemplateLanguage=True, Variables={"name": "Jo", "gone": 1}, To=[{"Email": "jo@example.net"}])
    assert answer.json() == {"Subject": "For jo@example.net", "TextPart": "", "HTMLPart": "<p>\nJo 1</p>", "Error": None}
    answer = await ask(TemplateID=number, TemplateLanguage=True, Variables={"name": "Jo"})
    assert answer.json()["HTMLPart"] == "<p>\nJo </p>"
    error = answer.json()["Error"]
    assert (error["Line"], error["Column"], error["Variable"], error["Part"], error["Reason"]) == (2, 14, "var:gone", "HTMLPart", "error in template language")
    empty = (await ask(TemplateID=await stored(api, "Empty"))).json()["Error"]
    assert (empty["Reason"], empty["Line"]) == ("bad or empty template", 0)
    assert (await ask(TemplateID=99)).json()["ErrorCode"] == "send-0010"
    assert (await ask(TextPart=1)).json()["ErrorCode"] == "mj-0004"
    assert await api.sent() == []


async def test_many_within_their_budgets_are_still_too_much(api: Api) -> None:
    long = "{% for a in var:l %}{% for b in var:l %}{% for c in var:l %}{% endfor %}{% endfor %}{% endfor %}"
    wanted = mail(TextPart=long, TemplateLanguage=True, Variables={"l": list(range(40))})
    answer = await api.post(call(*[wanted] * 30))
    assert (answer.status_code, answer.json()["ErrorCode"], "too many steps together" in answer.json()["ErrorMessage"]) == (413, "mj-0011", True)
    number = await stored(api, html="x" * 900_000 + "{{mj:contact.email}}")
    people = [{"Email": f"r{i}@example.net"} for i in range(50)]
    answer = await api.post(call(*[mail(TextPart=..., TemplateID=number, TemplateLanguage=True, To=people)] * 4))
    assert (answer.status_code, "too large together" in answer.json()["ErrorMessage"]) == (413, True)
    assert await api.sent() == []
