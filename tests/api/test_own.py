"""`/v1/estafette`: raw mails, and messages that are taken back."""

from typing import Any

import pytest

from estafette.clock import SECOND_US
from estafette.model import LANES, EventKind, State
from estafette.store.seam import Audit, Want
from tests.api.conftest import SECRET, Api, call, mail

HEAD = b"From: Acme <news@acme.test>\r\nTo: Jo <jo@example.net>, ann@example.net\r\nBcc: hidden@example.net\r\nSubject: Hello\r\n"
RAW = HEAD + b"X-MJ-CustomID: c\r\n\r\nBody\r\n"


async def post(api: Api, content: bytes, key: str = "", **query: Any) -> Any:
    client = api._clients[0] if api._clients else api.client()
    headers = {"Content-Type": "message/rfc822"} | ({"Idempotency-Key": key} if key else {})
    return await client.post("/v1/estafette/raw", content=content, params=query, auth=(api.key, SECRET), headers=headers)


async def test_a_raw_mail_goes_to_those_it_names(api: Api) -> None:
    answer = await post(api, RAW.replace(b"\r\n", b"\n"))
    assert answer.status_code == 200, answer.text
    sent = await api.sent()
    rows = answer.json()["Messages"]
    assert [(r["Email"], r["MessageID"]) for r in rows] == [(m.recipient, m.id) for m in sent]
    assert [m.recipient for m in sent] == ["jo@example.net", "ann@example.net", "hidden@example.net"]
    content = await api.content(sent[0])
    assert content.raw.endswith(b"\r\nSubject: Hello\r\n\r\nBody\r\n") and b"Bcc" not in content.raw and b"X-MJ" not in content.raw
    assert (content.options.custom_id, content.reverse_path) == ("c", "news@acme.test")


async def test_or_to_those_that_the_call_names(api: Api) -> None:
    at = api.clock.now_us() // SECOND_US + 60
    answer = await post(api, RAW, to=["x@example.net", "X@Example.net", "y@example.net"], **{"from": "back@acme.test", "sendAt": str(at)})
    assert [r["Email"] for r in answer.json()["Messages"]] == ["x@example.net", "y@example.net"]
    view = (await api.sent())[0]
    assert ((await api.content(view)).reverse_path, view.due_at) == ("back@acme.test", at * SECOND_US)


async def test_its_headers_make_it_a_template(api: Api) -> None:
    raw = HEAD + b"X-MJ-TemplateLanguage: 1\r\n\r\nHi {{mj:contact.email}}\r\n"
    answer = await post(api, raw, "k")
    assert answer.content == (await post(api, raw, "k")).content
    sent = await api.sent()
    assert [m.id for m in sent] == [r["MessageID"] for r in answer.json()["Messages"]]
    assert [(await api.content(m)).raw[-30:].split(b"Hi ")[1] for m in sent] == [b"jo@example.net\r\n", b"ann@example.net\r\n", b"hidden@example.net\r\n"]
    broken = HEAD + b"X-MJ-TemplateLanguage: 1\r\nX-MJ-TemplateErrorReporting: ops@acme.test\r\n\r\nHi {{var:x}}\r\n"
    rows = (await post(api, broken)).json()["Messages"]
    assert [r["Email"] for r in rows] == ["jo@example.net", "ann@example.net", "hidden@example.net"], "the report is no recipient of the call"
    assert len(await api.sent()) == 7


@pytest.mark.parametrize(("content", "query", "status", "code"), [
    (b"", {}, 400, "mj-0005"), (b"no header", {}, 400, "mj-0005"), (RAW.replace(b"news@acme.test", b"x@elsewhere.test"), {}, 403, "send-0008"),
    (RAW, {"to": "nobody"}, 400, "mj-0013"), (b"From: news@acme.test\r\n\r\nx", {}, 400, "mj-0003"), (RAW, {"from": "nobody"}, 400, "mj-0013"),
    (RAW, {"to": [f"r{i}@example.net" for i in range(51)]}, 400, "send-0015"), (RAW, {"sendAt": "tomorrow"}, 400, "mj-0005"),
    (HEAD + b"X-MJ-TemplateID: 9\r\n\r\nx", {}, 400, "send-0010"), (HEAD + b"X-Mailjet-Prio: 9\r\n\r\nx", {}, 400, "mj-0005"),
    (HEAD.replace(b"jo@example.net", b"@"), {}, 400, "mj-0013"), (RAW + b"\0", {}, 400, "mj-0005"),
])  # fmt: skip
async def test_raw_mails_that_are_not_taken(api: Api, content: bytes, query: dict[str, Any], status: int, code: str) -> None:
    answer = await post(api, content, **query)
    assert (answer.status_code, answer.json()["ErrorCode"]) == (status, code), answer.text
    assert await api.sent() == []


async def test_a_key_stands_for_mail_and_recipients(api: Api) -> None:
    first = await post(api, RAW, "k")
    assert (await post(api, RAW, "k")).content == first.content
    assert (await post(api, RAW, "k", to="z@example.net")).status_code == 409
    assert len(await api.sent()) == 3


async def test_what_waits_may_be_taken_back(api: Api) -> None:
    await api.post(call(mail(SendAt=api.clock.now_us() // SECOND_US + 3600), mail()))
    later, now = await api.sent()
    other = await api.another("other", "key2")
    client = api.client()

    async def cancel(number: object, who: Api = api) -> int:
        return (await client.delete(f"/v1/estafette/messages/{number}", auth=(who.key, SECRET))).status_code

    assert [await cancel(later.id, other), await cancel("x"), await cancel(later.id), await cancel(later.id)] == [404, 404, 204, 409]
    view = await api.store.message(later.id)
    assert view is not None
    assert (view.state, view.reason.related_to, view.reason.error, view.due_at) == (State.BLOCKED, "mailjet", "cancelled", None)
    assert [(e.kind, e.reply) for e in await api.store.timeline(later.id)][1:] == [(EventKind.BLOCKED, "cancelled by the account")]
    worker = await api.store.join("w", api.clock.now_us(), api.clock.now_us() + SECOND_US)
    (claim,) = await api.store.claim(worker.id, [Want("", (10,) * LANES)], api.clock.now_us())
    assert (claim.message_id, await cancel(now.id)) == (now.id, 409), "what is held for its attempt is not taken away"
    assert await api.store.audit() == Audit(2, 1, 1)
