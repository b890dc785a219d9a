"""POST /v3.1/send over the real application: what is accepted, in which shape it is answered, and what is in the store then."""

import asyncio
import email
import email.policy
import re
from dataclasses import replace
from typing import Any

import pytest

from estafette.accept.limits import Bucket, Budget
from estafette.api.send_rules import Rules
from estafette.clock import DAY_US, SECOND_US
from estafette.mail.header import read_header
from estafette.model import BlockCause, MessageView, State
from estafette.store.seam import StoreFault
from tests.api.conftest import PNG, SECRET, Api, call, mail

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_call_error(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """The flat object of a call-level error."""
    assert answer.status_code == status and answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert UUID.fullmatch(body["ErrorIdentifier"]) and body["StatusCode"] == status and body["ErrorMessage"]
    assert body.get("ErrorCode") == code
    return body


async def test_success_has_the_contracts_shape_and_the_message_is_stored(api: Api) -> None:
    answer = await api.post(call(mail(Cc=[{"Email": "ann@example.net"}], CustomID="order-9")))
    (jo, ann) = await api.sent()
    uuids = [row["MessageUUID"] for field in ("To", "Cc") for row in answer.json()["Messages"][0][field]]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"Messages": [{
        "Status": "success", "CustomID": "order-9", "Bcc": [],
        "To": [{"Email": "jo@example.net", "MessageID": jo.id, "MessageUUID": uuids[0], "MessageHref": f"https://mail.acme.test/v3/REST/message/{jo.id}"}],
        "Cc": [{"Email": "ann@example.net", "MessageID": ann.id, "MessageUUID": uuids[1], "MessageHref": f"https://mail.acme.test/v3/REST/message/{ann.id}"}],
    }]}  # fmt: skip
    assert all(UUID.fullmatch(uuid) for uuid in uuids) and uuids[0] != uuids[1]
    assert [(v.recipient, v.state, v.subject, v.custom_id, v.author) for v in (jo, ann)] == [
        ("jo@example.net", State.QUEUED, "Hello", "order-9", "news@acme.test"), ("ann@example.net", State.QUEUED, "Hello", "order-9", "news@acme.test"),
    ]  # fmt: skip
    audit = await api.store.audit()
    assert (audit.accepted, audit.queued, audit.final) == (2, 2, 0)


async def test_the_mail_says_what_was_asked_for(api: Api) -> None:
    await api.post(call(mail(
        To=[{"Email": "jo@example.net", "Name": "Jö"}], Bcc=[{"Email": "secret@example.net"}], ReplyTo={"Email": "re@acme.test"}, HTMLPart="<b>été</b>",
        Headers={"X-One": "1", "List-Unsubscribe": "<https://acme.test/u>"},
        Attachments=[{"ContentType": "text/plain", "Filename": "a.txt", "Base64Content": "aGk=\r\n"}],
        InlinedAttachments=[{"ContentType": "image/png", "Filename": "l.png", "ContentId": "logo", "Base64Content": PNG}],
    )))  # fmt: skip
    content = await api.content((await api.sent())[0])
    assert b"secret@example.net" not in content.raw
    message = email.message_from_bytes(content.raw, policy=email.policy.default)
    assert [str(message[name]) for name in ("From", "To", "Reply-To", "Subject", "X-One", "List-Unsubscribe", "Bcc")] == [
        "Acme <news@acme.test>", "Jö <jo@example.net>", "re@acme.test", "Hello", "1", "<https://acme.test/u>", "None"]  # fmt: skip
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png", "text/plain"]  # fmt: skip
    names = [f.name for f in read_header(content.raw)]
    assert names[:3] == ["Received", "Date", "Message-ID"] and b"with HTTP id" in content.raw and b"[192.0.2.7]" in content.raw
    assert content.reverse_path == "news@acme.test"


async def test_options_are_kept_with_the_submission(api: Api) -> None:
    await api.post(call(mail(
        CustomID="c", EventPayload='{"a":\n1}', CustomCampaign="may", DeduplicateCampaign=True, Priority=3, TrackOpens="enabled", TrackClicks="disabled",
        URLTags="utm=1", MonitoringCategory="orders",
    )))  # fmt: skip
    options = (await api.content((await api.sent())[0])).options
    assert (options.custom_id, options.event_payload, options.campaign, options.deduplicate, options.priority) == ("c", '{"a":\n1}', "may", True, 3)
    assert (options.track_opens, options.track_clicks, options.url_tags, options.monitoring_category) == (True, False, "utm=1", "orders")


async def test_defaults_of_options(api: Api) -> None:
    await api.post(call(mail()))
    options = (await api.content((await api.sent())[0])).options
    assert (options.priority, options.track_opens, options.track_clicks, options.deduplicate, options.other) == (2, None, None, False, {})


async def test_valid_messages_are_sent_beside_failing_ones_in_order(api: Api) -> None:
    answer = await api.post(call(mail(CustomID="a"), mail(To=[]), mail(CustomID="c", From={"Email": "x@elsewhere.test"}), mail(CustomID="d")))
    assert answer.status_code == 400
    shown = answer.json()["Messages"]
    assert [m["Status"] for m in shown] == ["success", "error", "error", "success"]
    assert [m["Errors"][0]["ErrorCode"] for m in shown[1:3]] == ["mj-0007", "send-0008"]
    stored = await api.sent()
    assert [(v.custom_id, v.id) for v in stored] == [(m["CustomID"], m["To"][0]["MessageID"]) for m in (shown[0], shown[3])]


async def test_a_foreign_author_is_403_with_the_contracts_words(api: Api) -> None:
    answer = await api.post(call(mail(From={"Email": "x@elsewhere.test"}), mail()))
    (error,) = answer.json()["Messages"][0]["Errors"]
    assert answer.status_code == 403 and UUID.fullmatch(error.pop("ErrorIdentifier"))
    assert error == {"ErrorCode": "send-0008", "StatusCode": 403, "ErrorRelatedTo": ["From"],
                     "ErrorMessage": '"x@elsewhere.test" is not an authorized sender email address for your account.'}  # fmt: skip
    assert len(await api.sent()) == 1


async def test_an_author_verified_a_moment_ago_may_write(api: Api) -> None:
    body = call(mail(From={"Email": "x@elsewhere.test"}))
    assert (await api.post(body)).status_code == 403
    await api.store.add_sender(api.account.id, "x@elsewhere.test", True, api.clock.now_us())
    assert (await api.post(body)).status_code == 200


async def test_a_sender_needs_the_permission_and_to_be_validated(api: Api) -> None:
    def codes(answer: Any) -> list[str]:
        return [e["ErrorCode"] for e in answer.json()["Messages"][0].get("Errors", ())]

    granted = api.client(rules=Rules(may_use_sender=True))
    own, foreign = mail(Sender={"Email": "s@acme.test"}), mail(Sender={"Email": "s@elsewhere.test"})
    refused = await api.post(call(own), client=api.client())
    assert (refused.status_code, codes(refused)) == (403, ["send-0006"])
    assert codes(await api.post(call(foreign), client=granted)) == ["send-0007"]
    assert (await api.post(call(own), client=granted)).status_code == 200
    assert b"Sender: s@acme.test\r\n" in (await api.content((await api.sent())[0])).raw


async def test_one_message_per_address_however_often_and_wherever_it_is_mentioned(api: Api) -> None:
    people = [{"Email": "jo@example.net"}, {"Email": "ann@example.net"}]
    answer = await api.post(call(mail(To=[{"Email": "Jo@Example.NET"}, people[0]], Cc=people, Bcc=[{"Email": "JO@example.net"}])))
    shown = answer.json()["Messages"][0]
    stored = await api.sent()
    assert [v.recipient for v in stored] == ["Jo@example.net", "ann@example.net"]
    jo = {row["MessageID"] for field in ("To", "Cc", "Bcc") for row in shown[field] if row["Email"].lower() == "jo@example.net"}
    assert jo == {stored[0].id}
    assert [row["Email"] for row in shown["To"]] == ["Jo@Example.NET", "jo@example.net"]
    raw = (await api.content(stored[0])).raw
    assert b"To: Jo@example.net\r\n" in raw and b"Cc: jo@example.net, ann@example.net\r\n" in raw


async def test_fifty_addresses_go_fifty_one_do_not(api: Api) -> None:
    people = [{"Email": f"r{i}@example.net"} for i in range(50)]
    assert (await api.post(call(mail(To=people[:20], Cc=people[20:], Bcc=people[:5])))).status_code == 200
    assert len(await api.sent()) == 50
    answer = await api.post(call(mail(To=people, Bcc=[{"Email": "one@more.test"}])))
    (error,) = answer.json()["Messages"][0]["Errors"]
    assert (answer.status_code, error["ErrorCode"], error["ErrorRelatedTo"]) == (400, "send-0015", ["To", "Cc", "Bcc"])
    assert error["ErrorMessage"] == "Total number of recipients exceeded. Max allowed - 50"
    assert len(await api.sent()) == 50


async def test_blocked_addresses_are_accepted_and_blocked(api: Api) -> None:
    await api.store.add_block(api.account.id, "jo@example.net", BlockCause.MANUAL, api.clock.now_us(), None)
    answer = await api.post(call(mail(To=[{"Email": "jo@example.net"}, {"Email": "x@localhost"}])))
    assert answer.status_code == 200
    assert [(v.state, v.reason.error) for v in await api.sent()] == [(State.BLOCKED, "blacklisted"), (State.BLOCKED, "typofix")]


async def test_the_second_copy_in_a_campaign_is_blocked(api: Api) -> None:
    body = call(mail(CustomCampaign="may", DeduplicateCampaign=True))
    await api.post(body)
    await api.post(body)
    assert [(v.state, v.reason.error) for v in await api.sent()] == [(State.QUEUED, ""), (State.BLOCKED, "duplicate in campaign")]


async def test_globals_are_under_every_message(api: Api) -> None:
    answer = await api.post(call(
        {"to": [{"email": "jo@example.net"}], "Headers": {"x-one": "mine"}, "Variables": {"a": 1}}, {"To": [{"Email": "ann@example.net"}], "Subject": "Own"},
        Globals={"From": {"Email": "news@acme.test"}, "subject": "Shared", "TEXTPART": "[[var:a]] [[var:b]]", "Headers": {"X-One": "g", "X-Two": "2"},
                 "Variables": {"a": 0, "b": 2}},
    ))  # fmt: skip
    assert answer.status_code == 200
    first, second = await api.sent()
    assert [first.subject, second.subject] == ["Shared", "Own"]
    content = await api.content(first)
    assert b"x-one: mine\r\n" in content.raw and b"X-Two: 2\r\n" in content.raw and b": g\r\n" not in content.raw
    assert content.raw.endswith(b"\r\n\r\n1 2\r\n"), "variables are merged entry by entry"
    assert b"X-One: g\r\n" in (await api.content(second)).raw


async def test_sandbox_checks_everything_and_sends_nothing(api: Api) -> None:
    answer = await api.post(call(mail(CustomID="x"), mail(From={"Email": "x@elsewhere.test"}), SandBoxMode=True), "key-1")
    good, bad = answer.json()["Messages"]
    assert answer.status_code == 403
    assert good == {"Status": "success", "CustomID": "x", "Cc": [], "Bcc": [], "To": [
        {"Email": "jo@example.net", "MessageUUID": "", "MessageID": 0, "MessageHref": "https://mail.acme.test/v3/REST/message/0"}]}  # fmt: skip
    assert bad["Errors"][0]["ErrorCode"] == "send-0008"
    assert await api.sent() == []


# -- idempotency --------------------------------------------------------------------------------------------------------------


async def test_the_same_key_and_body_get_the_first_answer_and_send_nothing(api: Api) -> None:
    body = call(mail(), mail(To=[]), mail(CustomID="c"))
    first = await api.post(body, "key-1")
    api.clock.advance(3600)
    again = await api.post(body, "key-1")
    assert (again.status_code, again.content) == (first.status_code, first.content) == (400, first.content)
    assert again.headers["content-type"] == "application/json"
    stored = await api.sent()
    assert len(stored) == 2
    assert [m["To"][0]["MessageID"] for m in again.json()["Messages"] if m["Status"] == "success"] == [v.id for v in stored]


async def test_another_body_under_the_same_key_is_a_conflict(api: Api) -> None:
    await api.post(call(mail()), "key-1")
    answer = await api.post(call(mail(Subject="Other")), "key-1")
    is_call_error(answer, 409)
    assert len(await api.sent()) == 1


async def test_without_a_key_or_with_another_one_the_same_body_is_sent_again(api: Api) -> None:
    body = call(mail())
    for key in ("", "", "a", "b"):
        assert (await api.post(body, key)).status_code == 200
    assert len(await api.sent()) == 4


async def test_a_key_is_the_accounts_own_and_lasts_a_day(api: Api) -> None:
    other = await api.another("other", "key2")
    await api.store.add_domain(other.account.id, "acme.test", True, "t", api.clock.now_us())
    body = call(mail())
    await api.post(body, "k")
    assert (await other.post(body, "k")).status_code == 200
    api.clock.advance(DAY_US / SECOND_US + 1)
    assert (await api.post(call(mail(Subject="Later")), "k")).status_code == 200
    assert len(await api.sent()) == 3


async def test_equal_calls_at_the_same_moment_send_once(api: Api) -> None:
    api.client()
    body = call(*(mail(CustomID=str(i)) for i in range(5)))
    answers = await asyncio.gather(*(api.post(body, "k") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200} and len({answer.content for answer in answers}) == 1
    assert len(await api.sent()) == 5


async def test_a_key_that_came_in_between_is_found_by_the_commit(api: Api) -> None:
    """The look-up before the work sees nothing: both calls reach the store."""

    class Blind:
        def __getattr__(self, name: str) -> Any:
            return getattr(api.store, name)

        async def idempotent_answer(self, *_: object) -> None:
            return None

    blind = replace(api, store=Blind(), _clients=[])  # type: ignore[arg-type]
    body = call(mail(), mail())
    first, again = await blind.post(body, "k"), await blind.post(body, "k")
    conflict = await blind.post(call(mail(Subject="Other")), "k")
    await blind.close()
    assert again.content == first.content and again.status_code == 200
    is_call_error(conflict, 409)
    assert len(await api.sent()) == 2


@pytest.mark.parametrize(("key", "code"), [("x" * 256, "mj-0006"), ("a\tb", "mj-0005"), (b"\xe9".decode("latin-1"), "mj-0005")])
async def test_keys_that_are_none(api: Api, key: str, code: str) -> None:
    client = api.client()
    answer = await client.post("/v3.1/send", content=call(mail()), auth=(api.key, SECRET), headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    is_call_error(answer, 400, code)
    assert await api.sent() == []


async def test_two_keys_are_none(api: Api) -> None:
    answer = await api.client().post("/v3.1/send", content=call(mail()), auth=(api.key, SECRET), headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    is_call_error(answer, 400, "mj-0005")


async def test_a_key_of_255_characters_is_one(api: Api) -> None:
    body = call(mail(), mail())
    assert [(await api.post(body, "x" * 255)).status_code for _ in range(2)] == [200, 200]
    assert len(await api.sent()) == 2


# -- who asks -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", [None, ("key1", "wrong"), ("nobody", SECRET), ("", ""), ("key1", ""), ("kéy", SECRET)])
async def test_without_valid_credentials(api: Api, auth: Any) -> None:
    answer = await api.post(call(mail()), auth=auth)
    body = is_call_error(answer, 401, "mj-0015")
    assert body["ErrorMessage"].startswith("API key authentication/authorization failure")
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert await api.sent() == []


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic a2V5MQ==", "Bearer a2V5MTpzM2NyZXQ=", "Basic /w=="])
async def test_headers_that_are_no_credentials(api: Api, header: str) -> None:
    answer = await api.client().post("/v3.1/send", content=call(mail()), headers={"Authorization": header})
    is_call_error(answer, 401, "mj-0015")


async def test_a_suspended_key(api: Api) -> None:
    class Suspended(type(api.keeper)):  # type: ignore[misc]
        async def _credential(self, key: str) -> Any:
            found = await api.store.credential(key)
            return replace(found, is_active=False) if found else None

    api.keeper = Suspended(api.store, api.clock)
    assert "temporarily blocked" in is_call_error(await api.post(call(mail())), 401, "mj-0001")["ErrorMessage"]
    is_call_error(await api.post(call(mail()), auth=("key1", "wrong")), 401, "mj-0015")


# -- limits and faults --------------------------------------------------------------------------------------------------------


async def limited(api: Api, rate_per_s: int) -> None:
    await api.store.configure_account(api.account.id, rate_per_s=rate_per_s)


async def test_past_its_rate_an_account_is_told_when_to_come_back(api: Api) -> None:
    await limited(api, 2)
    buckets: dict[int, Bucket] = {}
    api.client(buckets=buckets)
    assert (await api.post(call(mail(), mail()))).status_code == 200
    assert api.account.id in buckets
    answer = await api.post(call(mail()))
    is_call_error(answer, 429)
    assert answer.headers["retry-after"] == "1"
    assert (await api.post(call(mail(), SandboxMode=True))).status_code == 200  # sends nothing
    api.clock.advance(1)
    assert (await api.post(call(mail()))).status_code == 200
    assert len(await api.sent()) == 3


async def test_a_known_key_costs_no_rate(api: Api) -> None:
    await limited(api, 1)
    body = call(mail())
    assert [(await api.post(body, "k")).status_code for _ in range(3)] == [200, 200, 200]


class Pieces:
    """A body without Content-Length that counts how much of it was wanted."""

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0

    async def __aiter__(self) -> Any:
        for _ in range(self.size // 10_000):
            self.taken += 10_000
            yield b" " * 10_000


async def test_a_huge_body_is_not_read_to_its_end(api: Api) -> None:
    api.client(max_body_bytes=100_000)
    pieces = Pieces(10_000_000)
    is_call_error(await api.post(pieces), 413, "mj-0011")
    assert pieces.taken <= 120_000
    is_call_error(await api.post(b" " * 100_001), 413, "mj-0011")
    assert (await api.post(call(mail()) + b" " * (100_000 - len(call(mail()))))).status_code == 200


async def test_globals_cannot_make_a_small_call_large(api: Api) -> None:
    api.client(max_body_bytes=1_000_000)
    globals_ = {"Attachments": [{"ContentType": "a/b", "Filename": "f", "Base64Content": "AAAA" * 150_000}]}
    is_call_error(await api.post(call(*[mail()] * 20, Globals=globals_)), 413, "mj-0011")
    assert (await api.post(call(*[mail()] * 5, Globals=globals_))).status_code == 200
    assert len(await api.sent()) == 5


async def test_the_memory_of_the_process_is_kept_and_given_back(api: Api) -> None:
    budget = Budget(100_000)
    api.client(budget=budget)
    answer = await api.post(b" " * 150_000)
    is_call_error(answer, 503)
    assert answer.headers["retry-after"]
    large = mail(TextPart="x" * 60_000)
    is_call_error(await api.post(call(large)), 503)  # the body has room, the mail beside it has not
    assert (await api.post(call(mail()))).status_code == 200
    assert budget.has_room(100_000) and len(await api.sent()) == 1


async def test_a_body_that_never_ends_is_given_up(api: Api) -> None:
    class Endless:
        async def __aiter__(self) -> Any:
            yield b"{"
            await asyncio.sleep(3600)

    api.client(body_within_s=0.05)
    is_call_error(await api.post(Endless()), 408)


async def test_closing_is_503(api: Api) -> None:
    api.client()
    api.is_closing = True
    answer = await api.post(call(mail()))
    is_call_error(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert await api.sent() == []


async def test_too_little_room_on_the_disk_is_503(api: Api) -> None:
    has_disk = False
    api.client(has_disk=lambda: has_disk)
    answer = await api.post(call(mail()))
    assert "disk" in is_call_error(answer, 503)["ErrorMessage"]
    assert answer.headers["retry-after"] == "60"
    has_disk = True
    assert (await api.post(call(mail()))).status_code == 200
    assert len(await api.sent()) == 1


@pytest.mark.parametrize(("verb", "fault", "status"), [
    ("accept_many", StoreFault("disk I/O error"), 503), ("accept_many", StoreFault("full", is_full=True), 503), ("credential", StoreFault("gone"), 503),
    ("idempotent_answer", StoreFault("gone"), 503), ("accept_many", KeyError("a bug"), 500),
])  # fmt: skip
async def test_faults_of_the_store(api: Api, monkeypatch: pytest.MonkeyPatch, verb: str, fault: Exception, status: int) -> None:
    async def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(api.store, verb, fail)
    answer = await api.post(call(mail()), "k")
    body = is_call_error(answer, status)
    assert str(fault) not in body["ErrorMessage"]
    assert ("retry-after" in answer.headers) is (status == 503)
    monkeypatch.undo()
    assert await api.sent() == []
    assert (await api.post(call(mail()), "k")).status_code == 200


# -- hostile values -----------------------------------------------------------------------------------------------------------

HOSTILE = ["a\r\nBcc: evil@example.org", "a\nb", "a\0b", "a\x1bb"]


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("build", [
    lambda v: mail(Subject=v), lambda v: mail(From={"Email": "news@acme.test", "Name": v}), lambda v: mail(From={"Email": v}),
    lambda v: mail(To=[{"Email": "jo@example.net", "Name": v}]), lambda v: mail(To=[{"Email": v + "@example.net"}]), lambda v: mail(ReplyTo={"Email": v}),
    lambda v: mail(Headers={"X-A": v}), lambda v: mail(Headers={v: "1"}), lambda v: mail(CustomCampaign=v), lambda v: mail(URLTags=v),
    lambda v: mail(MonitoringCategory=v), lambda v: mail(Attachments=[{"ContentType": "a/b", "Filename": v, "Base64Content": "AAAA"}]),
    lambda v: mail(Attachments=[{"ContentType": v, "Filename": "f", "Base64Content": "AAAA"}]),
    lambda v: mail(InlinedAttachments=[{"ContentType": "a/b", "Filename": "f", "ContentID": v, "Base64Content": "AAAA"}]),
])  # fmt: skip
async def test_control_characters_never_reach_a_header(api: Api, build: Any, bad: str) -> None:
    answer = await api.post(call(build(bad)))
    assert answer.status_code == 400
    assert answer.json()["Messages"][0]["Errors"][0]["ErrorCode"] in ("mj-0005", "mj-0013")
    assert await api.sent() == []


async def test_any_octet_may_stand_in_a_text(api: Api) -> None:
    text = "NUL \0 ESC \x1b\r\n.\r\nFrom \u2028 é"
    assert (await api.post(call(mail(TextPart=text, HTMLPart=text, EventPayload="a\r\nb")))).status_code == 200
    view: MessageView = (await api.sent())[0]
    message = email.message_from_bytes((await api.content(view)).raw, policy=email.policy.default)
    octets = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert [o.decode() for o in octets if isinstance(o, bytes)] == [text, text]


async def test_internationalised_addresses(api: Api) -> None:
    answer = await api.post(call(mail(To=[{"Email": "jö@exämple.net"}])))
    assert answer.json()["Messages"][0]["To"][0]["Email"] == "jö@exämple.net"
    (view,) = await api.sent()
    assert view.recipient == "jö@xn--exmple-cua.net"
    assert (await api.content(view)).smtputf8


async def test_a_header_block_past_its_limit_is_one_messages_problem(api: Api) -> None:
    headers = {f"X-{i}": "word " * 1500 for i in range(60)}
    answer = await api.post(call(mail(Headers=headers), mail()))
    assert [m["Status"] for m in answer.json()["Messages"]] == ["error", "success"]
    assert "octets" in answer.json()["Messages"][0]["Errors"][0]["ErrorMessage"]
