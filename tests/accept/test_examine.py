"""What a mail must be, what the headers of the relay say, and what is stored."""

import re
from pathlib import Path

import pytest

from estafette.accept.examine import Refused, accepted_content, examine, longest_line
from estafette.accept.relay_headers import MAX_VALUE
from estafette.model import Options

FROM = b"From: News <news@sender.example>\r\n"
NOW = 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("raw", "code", "enhanced"),
    [
        (b"", 554, "5.6.0"),
        (b"Subject: x\r\n\r\n", 554, "5.6.0"),  # no author
        (FROM + FROM + b"\r\n", 554, "5.6.0"),  # two From fields
        (b"From: a@a.test, b@b.test\r\n\r\n", 554, "5.6.0"),
        (b"From: nobody\r\n\r\n", 554, "5.6.0"),
        (b"Received: from x\r\n" * 101 + FROM + b"\r\n", 554, "5.4.6"),
        (FROM + b"\r\nbody with \0\r\n", 554, "5.6.0"),
        (FROM + b"X-Mailjet-Prio: 9\r\n\r\n", 554, "5.6.0"),
        (FROM + b"X-Mailjet-DeduplicateCampaign: true\r\n\r\n", 554, "5.6.0"),
        (FROM + b"X-Mailjet-Campaign: a/b\r\n\r\n", 554, "5.6.0"),
        (FROM + b"X-Mailjet-TrackOpen: yes\r\n\r\n", 554, "5.6.0"),
        (FROM + b"X-Estafette-Idempotency-Key: " + b"k" * 256 + b"\r\n\r\n", 554, "5.6.0"),
    ],
)
def test_refused(raw: bytes, code: int, enhanced: str) -> None:
    with pytest.raises(Refused) as refused:
        examine(raw)
    assert (refused.value.reply.code, refused.value.reply.enhanced) == (code, enhanced)


def test_what_is_found() -> None:
    found = examine(FROM + b"Subject: =?utf-8?q?=C3=89t=C3=A9?=\r\n\r\nBody\r\n")
    assert (str(found.author.address), found.subject, found.options, found.idempotency_key, found.smtputf8) == (
        "news@sender.example", "Été", Options(), "", False)  # fmt: skip
    assert examine(FROM + "Subject: é\r\n\r\n".encode()).smtputf8
    assert not examine(FROM + "\r\né\r\n".encode()).smtputf8  # the body needs 8BITMIME, not SMTPUTF8


def test_the_headers_of_the_relay() -> None:
    found = examine(
        FROM
        + b"x-mailjet-campaign: Spring 2026\r\nX-Mailjet-DeduplicateCampaign: Y\r\nX-MJ-CustomID: c1\r\nX-MJ-CustomID: second\r\n"
        + b"X-Mailjet-Prio: 0\r\nX-Mailjet-TrackOpen: 0\r\nX-Mailjet-TrackClick: 1\r\nX-MJ-EventPayload: {}\r\nX-Mailjet-Other: kept\r\n"
        + b"X-Estafette-Idempotency-Key: k\r\nX-MJ-Long: " + b"x" * 990 + b"\r\n" + b" y" * 10_000 + b"\r\n\r\n"
    )  # fmt: skip
    o = found.options
    assert (o.campaign, o.deduplicate, o.custom_id, o.priority, o.track_opens, o.track_clicks, o.event_payload) == (
        "Spring 2026", True, "c1", 0, False, True, "{}")  # fmt: skip
    assert o.other["x-mailjet-other"] == "kept" and len(o.other["x-mj-long"]) <= MAX_VALUE
    assert found.idempotency_key == "k" and "x-estafette-idempotency-key" not in o.other


def test_what_is_stored() -> None:
    raw = FROM + b"X-Mailjet-Prio: 3\r\nX-MJ-CustomID: c\r\nBcc: hidden@a.test\r\nX-Other:  kept \r\n\r\nBody\r\n.dots\r\n"
    stored = accepted_content(raw, examine(raw).header, b"Received: by us\r\n", "1f@relay.test", NOW)
    assert stored.startswith(b"Received: by us\r\nDate: ") and b"\r\nMessage-ID: <1f@relay.test>\r\n" in stored
    assert b"X-Mailjet" not in stored and b"X-MJ" not in stored and b"X-Other:  kept \r\n" in stored
    assert stored.endswith(b"\r\n\r\nBody\r\n.dots\r\n")
    dated = b"Date: Mon, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <a@b>\r\n" + FROM + b"\r\nBody\r\n"
    assert accepted_content(dated, examine(dated).header, b"Received: by us\r\n", "x", NOW) == b"Received: by us\r\n" + dated


@pytest.mark.parametrize(("raw", "longest"), [(b"", 0), (b"a\r\nbbb\r\ncc", 3), (b"x" * 2000, 2000)])
def test_longest_line(raw: bytes, longest: int) -> None:
    assert longest_line(raw) == longest


def test_every_header_that_is_obeyed_stands_in_the_page() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "reference" / "smtp-headers.md").read_text("utf-8")
    source = (root / "src" / "estafette" / "accept" / "relay_headers.py").read_text("utf-8")
    obeyed = {name for name in re.findall(r'"(x-(?:mj|mailjet|estafette)-[a-z-]*[a-z])"', source.lower())}
    assert len(obeyed) >= 16
    assert {name for name in obeyed if f"`{name}`" not in page.lower()} == set()
