"""`POST /v3/send`: the older words, said in the newer ones."""

import base64
import email
import email.policy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.api.errors import CallRefused
from estafette.api.send_rules import Wanted
from estafette.api.send_v3 import read_v3_call
from estafette.nouns import Template, TemplateContent
from tests.api.conftest import Api

BASE: dict[str, object] = {"FromEmail": "news@acme.test", "FromName": "Acme", "To": "Jo <jo@example.net>", "Subject": "Hello", "Text-part": "Hi"}


def body(**changes: object) -> bytes:
    return msgspec.json.encode({name: value for name, value in (BASE | changes).items() if value is not ...})


def read(**changes: object) -> Wanted:
    (wanted,) = read_v3_call(body(**changes), 10**8).messages
    assert isinstance(wanted, Wanted), wanted
    return wanted


async def post(api: Api, content: bytes, path: str = "/v3/send", **headers: str) -> object:
    client = api._clients[0] if api._clients else api.client()
    return await client.post(path, content=content, auth=(api.key, "s3cret"), headers={"Content-Type": "application/json"} | headers)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/v3/send", "/v3/send/message", "/V3/Send"])
async def test_a_mail_for_several_is_one_submission(api: Api, path: str) -> None:
    answer = await post(api, body(Cc="ann@example.net", Bcc="hidden@example.net, jo@example.net"), path)
    assert answer.status_code == 200  # type: ignore[attr-defined]
    sent = await api.sent()
    rows = answer.json()["Sent"]  # type: ignore[attr-defined]
    assert [(r["Email"], r["MessageID"]) for r in rows] == [(m.recipient, m.id) for m in sent]
    assert [r["Email"] for r in rows] == ["jo@example.net", "ann@example.net", "hidden@example.net"]
    assert len({m.submission_id for m in sent}) == 1
    message = email.message_from_bytes((await api.content(sent[0])).raw, policy=email.policy.default)
    assert (message["From"], message["To"], message["Cc"]) == ("Acme <news@acme.test>", "Jo <jo@example.net>", "ann@example.net")


async def test_recipients_get_mails_of_their_own(api: Api) -> None:
    people = [{"Email": "jo@example.net", "Name": "Jo", "Vars": {"n": 1, "gone": None}}, {"email": "ann@example.net"}]
    answer = await post(api, body(To=..., Recipients=people, **{"Text-part": '[[var:n:"-"]] [[var:shared]] [[var:gone:"x"]]'}, Vars={"shared": "s"}))
    assert answer.status_code == 200, answer.text  # type: ignore[attr-defined]
    sent = await api.sent()
    assert len({m.submission_id for m in sent}) == 2
    raws = [(await api.content(m)).raw for m in sent]
    assert [raw.rsplit(b"\r\n\r\n", 1)[1] for raw in raws] == [b"1 s x\r\n", b"- s x\r\n"]
    assert b"To: ann@example.net\r\n" in raws[1]


async def test_bulk_is_all_or_nothing(api: Api) -> None:
    good, bad = msgspec.json.decode(body()), msgspec.json.decode(body(Subject="x" * 300))
    answer = await post(api, msgspec.json.encode({"Messages": [good, bad]}))
    assert (answer.status_code, answer.json()["StatusCode"], answer.json()["ErrorInfo"]) == (400, 400, "")  # type: ignore[attr-defined]
    assert await api.sent() == []
    assert len((await post(api, msgspec.json.encode({"Messages": [good, good]}))).json()["Sent"]) == 2  # type: ignore[attr-defined]


async def test_a_template_by_its_name(api: Api) -> None:
    made = await api.store.templates.create(Template(0, api.account.id, "Welcome"), 1)
    assert made is not None
    await api.store.templates.set_content(api.account.id, made.id, TemplateContent(html="<b>{{var:x}}</b>"), 1)
    for name in ("Welcome", made.id, str(made.id)):
        answer = await post(api, body(**{"Text-part": ..., "Mj-TemplateID": name, "Mj-TemplateLanguage": "True", "Vars": {"x": "y"}}))
        assert answer.status_code == 200, answer.text  # type: ignore[attr-defined]
    assert all([b"<b>y</b>" in (await api.content(m)).raw for m in await api.sent()])
    answer = await post(api, body(**{"Mj-TemplateID": "Other"}))
    assert (answer.status_code, "Other" in answer.json()["ErrorMessage"]) == (400, True)  # type: ignore[attr-defined]


async def test_the_answers_of_a_call_that_is_refused(api: Api) -> None:
    client = api.client()
    unknown = await client.post("/v3/send", content=body(), auth=("no", "body"))
    assert (unknown.status_code, unknown.content, unknown.headers["www-authenticate"]) == (401, b"", 'Basic realm="Provide an apiKey and secretKey"')
    foreign = await post(api, body(FromEmail="x@elsewhere.test"))
    assert (foreign.status_code, "authorized sender" in foreign.json()["ErrorMessage"]) == (403, True)  # type: ignore[attr-defined]
    first = await post(api, body(), **{"Idempotency-Key": "k"})
    assert (await post(api, body(), **{"Idempotency-Key": "k"})).content == first.content  # type: ignore[attr-defined]
    assert len(await api.sent()) == 1


def test_the_properties() -> None:
    file = {"Content-type": "text/plain", "Filename": "a.txt", "content": base64.b64encode(b"x").decode() + "\n"}
    wanted = read(**{
        "Html-part": "<p>", "Mj-prio": "3", "Mj-campaign": "may", "Mj-deduplicatecampaign": 1, "Mj-trackopen": 2, "Mj-trackclick": "1", "Mj-CustomID": "c",
        "Mj-EventPayLoad": "p", "Mj-MonitoringCategory": "orders", "Headers": {"X-A": "1", "Reply-To": "R <r@acme.test>"}, "Attachments": [file],
        "Inline_attachments": [file | {"Content-type": "image/png"}], "MJ-TemplateLanguage": 1, "MJ-TemplateErrorReporting": "ops@acme.test",
        "MJ-TemplateErrorDeliver": "deliver", "Vars": {"a": {"b": None}},
    })  # fmt: skip
    o = wanted.options
    assert (o.priority, o.campaign, o.deduplicate, o.track_opens, o.track_clicks, o.custom_id, o.event_payload, o.monitoring_category) == (
        3, "may", True, True, False, "c", "p", "orders")  # fmt: skip
    d = wanted.draft
    assert (d.html, [str(m) for m in d.reply_to], d.headers, [a.content for a in d.attachments], d.inlined[0].content_id) == (
        "<p>", ["Mailbox(name='R', address=Address(local='r', domain='acme.test'))"], (("X-A", "1"),), [b"x"], "a.txt")  # fmt: skip
    w = wanted.wish
    assert (w.has_language, w.reports_to, w.is_delivered_anyway, w.variables) == (True, "ops@acme.test", True, {"a": {}})
    assert read(**{"Mj-trackopen": 0}).options.track_opens is None
    assert read(TextPart="other", **{"Text-part": ..., "Html_Part": "x", "FROMEMAIL": "news@acme.test"}).draft.text == "other"


@pytest.mark.parametrize(("changes", "code"), [
    ({"FromEmail": ...}, "mj-0003"), ({"To": ...}, "mj-0007"), ({"To": "nobody"}, "mj-0013"), ({"To": ["jo@example.net"]}, "mj-0004"),
    ({"Recipients": [{"Email": "a@b.test"}]}, "mj-0005"), ({"To": ..., "Recipients": []}, "mj-0007"), ({"To": ..., "Recipients": {}}, "mj-0004"),
    ({"To": ..., "Recipients": ["a@b.test"]}, "mj-0004"), ({"To": ..., "Recipients": [{"Email": "a@b.test"}] * 51}, "send-0015"),
    ({"To": ..., "Recipients": [{"Email": "a@b.test", "Vars": 1}]}, "mj-0004"), ({"To": ",".join(f"a{i}@b.test" for i in range(51))}, "send-0015"),
    ({"Messages": {}}, "mj-0004"), ({"Messages": []}, "mj-0007"), ({"Messages": [{}] * 101}, "send-0015"), ({"Messages": [1]}, "mj-0004"),
    ({"Text-part": ...}, "send-0003"), ({"Mj-prio": 7}, "mj-0005"), ({"Mj-trackopen": 3}, "mj-0004"), ({"Vars": []}, "mj-0004"), ({"Headers": 1}, "mj-0004"),
    ({"Headers": {"Reply-To": 1}}, "mj-0004"), ({"To": "a" * 20_001}, "mj-0006"),
])  # fmt: skip
def test_what_is_wrong(changes: dict[str, object], code: str) -> None:
    try:
        found = read_v3_call(body(**changes), 10**8).messages[0]
    except CallRefused as refused:
        found = refused.problem  # type: ignore[assignment]
    problem = found if not hasattr(found, "problems") else found.problems[0]
    assert problem.code == code  # type: ignore[union-attr]


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda v: st.lists(v, max_size=3) | st.dictionaries(
    st.sampled_from(["Email", "Vars", "Name", "Filename", "content", "x"]), v, max_size=3), max_leaves=6)  # fmt: skip
NAMES = st.sampled_from(["FromEmail", "FromName", "To", "Cc", "Recipients", "Subject", "Text-part", "Html-part", "Mj-TemplateID", "Mj-TemplateLanguage",
                         "Vars", "MJ-TemplateErrorReporting", "Attachments", "Inline_attachments", "Mj-prio", "Mj-campaign", "Mj-trackopen",
                         "Headers", "Messages"])  # fmt: skip


@given(st.dictionaries(NAMES, JSON, max_size=5))
def test_no_json_breaks_it(changes: dict[str, object]) -> None:
    statuses = [400]
    try:
        statuses = [p.status for m in read_v3_call(body(**changes), 10**8).messages for p in getattr(m, "problems", ())]
    except CallRefused as refused:
        statuses = [refused.problem.status]
    assert set(statuses) <= {400, 403, 413}
