"""The contract's table 2.3, row by row, over the pure functions: each error with its code, its status and the properties it names."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.accept.filling import Allowance
from estafette.api.attachments import MAX_BYTES
from estafette.api.auth import Given, credentials_of, peer_of
from estafette.api.composing import Workshop, make
from estafette.api.errors import CallRefused, Problem
from estafette.api.send_answer import packed, status_of, unpacked
from estafette.api.send_call import read_call
from estafette.api.send_rules import Failed, Rules, Wanted, completed, read_message
from estafette.prepare.template.library import Library
from tests.api.conftest import PNG, call, mail

EVERY = ("estafette", "orders")
FILE: dict[str, object] = {"ContentType": "a/b", "Filename": "f", "Base64Content": "AAAA"}
PEOPLE = [{"Email": f"r{i}@example.net"} for i in range(51)]


def file(**changes: object) -> dict[str, object]:
    return {name: value for name, value in (FILE | changes).items() if value is not ...}


def problems(message: object, rules: Rules = Rules()) -> list[tuple[str, int, tuple[str, ...]]]:
    read = read_message(message, {}, 0, rules)
    return [(p.code, p.status, p.related) for p in read.problems] if isinstance(read, Failed) else []


@pytest.mark.parametrize(
    ("changes", "code", "related"),
    [
        # send-0003, 0004: what the mail consists of
        ({"TextPart": ...}, "send-0003", ("TextPart", "HTMLPart", "TemplateID")),
        ({"TextPart": ""}, "send-0003", ("TextPart", "HTMLPart", "TemplateID")),
        ({"TextPart": None, "HTMLPart": None, "TemplateID": None}, "send-0003", ("TextPart", "HTMLPart", "TemplateID")),
        ({"HTMLPart": "<p>", "TemplateID": 1}, "send-0004", ("HTMLPart", "TemplateID")),
        # send-0011: headers that are not the caller's
        *[({"Headers": {name: "1"}}, "send-0011", (f'Headers["{name}"]',)) for name in (
            "From", "Sender", "Subject", "To", "Cc", "Bcc", "Return-Path", "Delivered-To", "DKIM-Signature", "DomainKey-Status", "Received-SPF",
            "Authentication-Results", "Received", "Date", "Message-Id", "List-Id", "User-Agent", "X-Mailer", "X-Feedback-Id", "X-CSA-Complaints",
            "X-Mailjet-Prio", "X-Mailjet-Debug", "X-Mailjet-Campaign", "X-Mailjet-TrackOpen", "X-Mailjet-TrackClick", "X-Mailjet-Segmentation",
            "X-MJ-CustomID", "X-MJ-EventPayload", "X-MJ-Vars", "X-MJ-TemplateID", "X-MJ-TemplateLanguage", "X-MJ-TemplateErrorReporting",
            "X-MJ-TemplateErrorDeliver", "X-MJ-WorkflowID", "X-MJ-MID", "X-MJ-ErrorMessage", "X-MJ-StatisticsContactsListID", "Reply-To",
            "fRoM", "BCC ", "Content-Type", "MIME-Version", "Content-Transfer-Encoding", "X-Estafette-Idempotency-Key", "Resent-Bcc")],
        # send-0012, 0016
        ({"DeduplicateCampaign": True}, "send-0012", ("CustomCampaign", "DeduplicateCampaign")),
        ({"DeduplicateCampaign": True, "CustomCampaign": ""}, "send-0012", ("CustomCampaign", "DeduplicateCampaign")),
        ({"TemplateErrorDeliver": True}, "send-0016", ("TemplateLanguage",)),
        ({"TemplateErrorReporting": {"Email": "a@b.test"}, "TemplateLanguage": False}, "send-0016", ("TemplateLanguage",)),
        # send-0015
        ({"To": PEOPLE}, "send-0015", ("To", "Cc", "Bcc")),
        # mj-0003: missing or null
        ({"From": ...}, "mj-0003", ("From",)),
        ({"From": None}, "mj-0003", ("From",)),
        ({"From": {}}, "mj-0003", ("From.Email",)),
        ({"From": {"Email": None}}, "mj-0003", ("From.Email",)),
        ({"To": ...}, "mj-0003", ("To",)),
        ({"To": [{"Email": "a@b.test"}, {"Name": "x"}]}, "mj-0003", ("To[1].Email",)),
        ({"Variables": {"a": None}}, "mj-0003", ('Variables["a"]',)),
        ({"Variables": {"a": {"b": [1, None]}}}, "mj-0003", ('Variables["a"]',)),
        *[({"Attachments": [file(**{name: gone})]}, "mj-0003", (f"Attachments[0].{name}",)) for name in FILE for gone in (None, ...)],
        ({"InlinedAttachments": [file()]}, "mj-0003", ("InlinedAttachments[0].ContentID",)),
        # mj-0004: types
        ({"From": "news@acme.test"}, "mj-0004", ("From",)),
        ({"From": [{"Email": "news@acme.test"}]}, "mj-0004", ("From",)),
        ({"From": {"Email": 1}}, "mj-0004", ("From.Email",)),
        ({"From": {"Email": "a@b.test", "Name": 1}}, "mj-0004", ("From.Name",)),
        ({"To": {"Email": "a@b.test"}}, "mj-0004", ("To",)),
        ({"To": "a@b.test"}, "mj-0004", ("To",)),
        ({"Cc": ["a@b.test"]}, "mj-0004", ("Cc[0]",)),
        ({"ReplyTo": "a@b.test"}, "mj-0004", ("ReplyTo",)),
        *[({name: 1}, "mj-0004", (name,)) for name in ("Subject", "TextPart", "HTMLPart", "CustomID", "EventPayload", "CustomCampaign", "URLTags",
                                                     "MonitoringCategory", "TrackOpens", "TrackClicks", "Headers", "Variables", "Attachments",
                                                     "InlinedAttachments", "TemplateLanguage", "DeduplicateCampaign", "TemplateErrorDeliver")],
        *[({name: "x"}, "mj-0004", (name,)) for name in ("TemplateID", "Priority")],
        ({"Priority": True}, "mj-0004", ("Priority",)),
        ({"Priority": 1.5}, "mj-0004", ("Priority",)),
        ({"Headers": {"X-A": {}}}, "mj-0004", ('Headers["X-A"]',)),
        ({"Headers": {"X-A": True}}, "mj-0004", ('Headers["X-A"]',)),
        ({"Headers": {"X-A": None}}, "mj-0004", ('Headers["X-A"]',)),
        ({"Attachments": ["x"]}, "mj-0004", ("Attachments[0]",)),
        ({"Attachments": [file(Base64Content=1)]}, "mj-0004", ("Attachments[0].Base64Content",)),
        # mj-0005: values
        ({"Priority": 4}, "mj-0005", ("Priority",)),
        ({"Priority": -1}, "mj-0005", ("Priority",)),
        ({"Priority": 10**30}, "mj-0005", ("Priority",)),
        ({"TrackOpens": "yes"}, "mj-0005", ("TrackOpens",)),
        ({"TrackClicks": "1"}, "mj-0005", ("TrackClicks",)),
        ({"Headers": {"X A": "1"}}, "mj-0005", ('Headers["X A"]',)),
        ({"Headers": {"": "1"}}, "mj-0005", ('Headers[""]',)),
        ({"CustomID": "a\0"}, "mj-0005", ("CustomID",)),
        ({"EventPayload": "\0"}, "mj-0005", ("EventPayload",)),
        *[({"Attachments": [file(Base64Content=bad)]}, "mj-0005", ("Attachments[0].Base64Content",)) for bad in (
            "AAA", "A", "AA==AA==", "****", "AA-_", "é===", "=AAA")],
        ({"Attachments": [file(ContentType="nonsense")]}, "mj-0005", ("Attachments[0].ContentType",)),
        ({"InlinedAttachments": [file(ContentID="a b")]}, "mj-0005", ("InlinedAttachments[0].ContentID",)),
        # mj-0006: too long
        ({"Subject": "x" * 256}, "mj-0006", ("Subject",)),
        ({"URLTags": "x" * 257}, "mj-0006", ("URLTags",)),
        ({"CustomCampaign": "x" * 256}, "mj-0006", ("CustomCampaign",)),
        ({"CustomID": "x" * 8193}, "mj-0006", ("CustomID",)),
        ({"From": {"Email": "a@b.test", "Name": "x" * 256}}, "mj-0006", ("From.Name",)),
        ({"Headers": {"X-A": "b " * 5000}}, "mj-0006", ('Headers["X-A"]',)),
        ({"Attachments": [file(Filename="x" * 256)]}, "mj-0006", ("Attachments[0].Filename",)),
        ({"Variables": {"a": "x" * 300_000}}, "mj-0006", ("Variables",)),
        # mj-0007, mj-0008: arrays
        ({"To": []}, "mj-0007", ("To",)),
        ({"Bcc": [{"Email": "a@b.test"}] * 501}, "mj-0008", ("Bcc",)),
        ({"Attachments": [file()] * 101}, "mj-0008", ("Attachments",)),
        ({"InlinedAttachments": [file(ContentID="x")] * 101}, "mj-0008", ("InlinedAttachments",)),
        ({"Headers": {f"X-{i}": "1" for i in range(101)}}, "mj-0008", ("Headers",)),
        ({"Variables": {str(i): 1 for i in range(1001)}}, "mj-0008", ("Variables",)),
        # mj-0012, mj-0013: addresses and empty texts
        ({"To": [{"Email": ""}]}, "mj-0012", ("To[0].Email",)),
        ({"To": [{"Email": "  "}]}, "mj-0012", ("To[0].Email",)),
        *[({"Attachments": [file(**{name: ""})]}, "mj-0012", (f"Attachments[0].{name}",)) for name in FILE],
        ({"Attachments": [file(Base64Content=" \r\n")]}, "mj-0012", ("Attachments[0].Base64Content",)),
        *[({"To": [{"Email": bad}]}, "mj-0013", ("To[0].Email",)) for bad in (
            "x", "@b.test", "a@", "a b@c.test", "Jo <a@b.test>", "a@b.test, c@d.test", "a@b@c.test", "a" * 65 + "@b.test", "a@" + "b" * 64 + ".test",
            "a@-b.test")],
        ({"ReplyTo": {"Email": "x"}}, "mj-0013", ("ReplyTo.Email",)),
        ({"From": {"Email": "x"}}, "mj-0013", ("From.Email",)),
    ],
)  # fmt: skip
def test_each_error_of_the_table(changes: dict[str, object], code: str, related: tuple[str, ...]) -> None:
    assert problems(mail(**changes)) == [(code, 400, related)]


@pytest.mark.parametrize(
    "changes",
    [
        {"Attachments": [], "InlinedAttachments": [], "Cc": [], "Bcc": None, "Headers": {}, "Variables": {}},
        {"To": [{"Email": " a@b.test ", "Name": ""}]},
        {"Subject": ...},
        {"Subject": "x" * 255, "URLTags": "x" * 256, "CustomCampaign": "x" * 255},
        {"Headers": {"X-A": 1, "X-B": 1.5, "X-C": "été", "List-Unsubscribe": "<https://a.test>", "References": "<a@b>"}},
        {"TrackOpens": "Enabled", "TrackClicks": "account_default", "Priority": 0},
        {"TemplateErrorDeliver": False, "TemplateLanguage": False},
        {"TrackClick": 1, "Unknown": {"a": None}},
        {"Attachments": [file(Base64Content="AA\r\nAA\n")]},
        {"InlinedAttachments": [file(contentid="<logo>")]},
        {"MonitoringCategory": "anything"},
    ],
)
def test_what_real_clients_send_is_accepted(changes: dict[str, object]) -> None:
    assert problems(mail(**changes)) == []


def test_every_problem_of_a_message_is_told() -> None:
    found = problems({"To": [{"Email": "x"}, {"Email": ""}], "Priority": 9, "Headers": {"From": "x"}})
    assert [code for code, _, _ in found] == ["mj-0003", "mj-0013", "mj-0012", "send-0003", "send-0011", "mj-0005"]


@pytest.mark.parametrize("entry", [None, 1, "x", [], True])
def test_an_entry_that_is_no_message(entry: object) -> None:
    assert problems(entry) == [("mj-0004", 400, ("Messages[0]",))]


def test_monitoring_categories_are_those_that_exist() -> None:
    rules = Rules(categories=frozenset(EVERY))
    assert problems(mail(MonitoringCategory="orders"), rules) == []
    assert problems(mail(MonitoringCategory="other"), rules) == [("send-0013", 400, ("MonitoringCategory",))]


def test_sender_needs_the_permission() -> None:
    message = mail(Sender={"Email": "s@acme.test"})
    assert problems(message) == [("send-0006", 403, ("SenderID",))]
    assert problems(message, Rules(may_use_sender=True)) == []


def test_the_size_of_attachments_is_counted_decoded_and_together() -> None:
    half = base64.b64encode(bytes(MAX_BYTES // 2)).decode()
    both: dict[str, object] = {"Attachments": [file(Base64Content=half)], "InlinedAttachments": [file(Base64Content=half, ContentID="x")]}
    assert problems(mail(**both)) == []
    more = mail(Attachments=[*both["Attachments"], file(Base64Content="AA==")], InlinedAttachments=both["InlinedAttachments"])  # type: ignore[misc]
    assert problems(more) == [("mj-0011", 400, ("Attachments", "InlinedAttachments"))]
    assert problems(mail(Attachments=[file(Base64Content=half)] * 50)) == [("mj-0011", 400, ("Attachments", "InlinedAttachments"))]


def test_variables_are_nested_within_reason() -> None:
    deep: object = 1
    for _ in range(31):
        deep = [deep]
    assert problems(mail(Variables={"a": deep})) == []
    assert problems(mail(Variables={"a": [deep]})) == [("mj-0005", 400, ('Variables["a"]',))]


# -- the call -----------------------------------------------------------------------------------------------------------------


def nested(levels: int) -> bytes:
    return b'{"Messages":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    ("body", "code", "related"),
    [
        (b"", "mj-0002", ()),
        (b"{", "mj-0002", ()),
        (b"{'a': 1}", "mj-0002", ()),
        (b'{"Messages": [{"Subject": "\xff"}]}', "mj-0002", ()),
        (b'{"Messages": [{"Subject": "\\ud800"}]}', "mj-0002", ()),
        (b'{"Messages": [{"Priority": 1e999}]}', "mj-0002", ()),
        (b'{"Messages": NaN}', "mj-0002", ()),
        (nested(100_000), "mj-0002", ()),
        (call(mail()) + b"x", "mj-0002", ()),
        (b"[]", "mj-0004", ()),
        (b"null", "mj-0004", ()),
        (b"{}", "mj-0003", ("Messages",)),
        (b'{"Messages": null}', "mj-0003", ("Messages",)),
        (b'{"Messages": {}}', "mj-0004", ("Messages",)),
        (b'{"Messages": []}', "mj-0007", ("Messages",)),
        (call(*[mail()] * 51), "send-0015", ("Messages",)),
        (call(mail(), SandboxMode="yes"), "mj-0004", ("SandboxMode",)),
        (call(mail(), AdvanceErrorHandling=1), "mj-0004", ("AdvanceErrorHandling",)),
        (call(mail(), Globals=[]), "mj-0004", ("Globals",)),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
def test_calls_that_cannot_be_read(body: bytes, code: str, related: tuple[str, ...]) -> None:
    with pytest.raises(CallRefused) as refused:
        read_call(body, 10**9)
    assert (refused.value.problem.code, refused.value.problem.status, refused.value.problem.related) == (code, 400, related)


def test_nested_as_deep_as_the_decoder_goes_is_still_an_answer() -> None:
    read = read_call(nested(900), 10**9)
    assert isinstance(read.messages[0], Failed)
    deep = b'{"Messages":[{"Variables":{"a":' + b"[" * 500 + b"]" * 500 + b"}}]}"
    assert isinstance(read_call(deep, 10**9).messages[0], Failed)


def test_fifty_messages_go() -> None:
    assert len(read_call(call(*[mail()] * 50), 10**9).messages) == 50


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(["Email", "Name", "ContentType"]), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["From", "To", "Cc", "Bcc", "ReplyTo", "Sender", "Subject", "TextPart", "HTMLPart", "Attachments", "InlinedAttachments", "Headers", "Variables",
         "Priority", "TemplateID", "CustomID", "TrackOpens", "URLTags", "TemplateLanguage", "TemplateErrorReporting"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4), st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3))
def test_no_json_breaks_the_rules(changes: dict[str, object], globals_: dict[str, object]) -> None:
    """Whatever comes, each message ends as a mail or as a list of problems."""
    (read,) = read_call(msgspec.json.encode({"Messages": [mail() | changes], "Globals": globals_}), 10**9).messages
    (made,) = make([completed(read, {}) if isinstance(read, Wanted) else read], Workshop({}, Library(), bytes(16), Allowance(), {}))
    assert not isinstance(made, Failed) or made.problems


# -- small things -------------------------------------------------------------------------------------------------------------


def failed(*statuses: int) -> Failed:
    return Failed(tuple(Problem("x", status, "text") for status in statuses))


def test_the_status_of_a_call() -> None:
    wanted = read_message(mail(), {}, 0)
    assert isinstance(wanted, Wanted)
    assert status_of([wanted]) == 200
    assert status_of([wanted, failed(400)]) == 400
    assert status_of([wanted, failed(403)]) == 403
    assert status_of([failed(403), failed(400)]) == status_of([failed(403, 400)]) == 400


def test_kept_answers_come_back() -> None:
    assert unpacked(packed(400, b"a\nb\n")) == (400, b"a\nb\n")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic " + base64.b64encode(b"k:s:t").decode(), Given("k", "s:t")),
        ("bASIC  " + base64.b64encode("k:é".encode()).decode(), Given("k", "é")),
        ("Basic " + base64.b64encode(b":s").decode(), None),
        ("Basic " + base64.b64encode(b"k\0:s").decode(), None),
        ("Basic " + base64.b64encode(b"k" * 256 + b":s").decode(), None),
        ("Basic " + base64.b64encode(b"k:\xff").decode(), None),
        ("", None),
    ],
)
def test_credentials(header: str, expected: Given | None) -> None:
    assert credentials_of(header) == expected


def test_a_secret_is_not_shown() -> None:
    assert repr(Given("k", "secret")) == "Given(hidden)"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1"), ("a\r\nb", "unknown"), ("", "unknown")],
)
def test_peers(host: str, expected: str) -> None:
    assert peer_of(host) == expected


def test_png_is_base64() -> None:
    assert problems(mail(InlinedAttachments=[file(ContentID="x", Base64Content=PNG)])) == []
