"""S3: a mail is sent again as a message of its own, shown with its pictures and in a phone's width, and told as a call that the API takes."""

import base64
import hashlib
import json
import shlex
import time
from itertools import pairwise

import pytest

from estafette.mail.header import read_header
from estafette.model import BlockCause, State
from estafette.store.screens import NEWEST
from estafette.views import Role
from estafette.web.reading import MAX_INLINE, html_with_images
from estafette.web.resending import fresh
from tests.web.conftest import Site, text_of
from tests.web.test_mail_pages import MAIL, send

PLAIN = (
    b"From: =?utf-8?q?=C3=89va?= <news@acme.test>\r\nTo: jo@example.net\r\nSubject: It's $HOME; `id`\r\nMessage-ID: <first@acme.test>\r\n\r\n"
    b"Hello 'you' $(id)\r\n"
)
PNG = b"\x89PNG\r\n\x1a\nnot much of a picture"


def related(html: str, kind: str = "image/png") -> bytes:
    """A mail with one picture in it."""
    return (
        "From: news@acme.test\r\nSubject: x\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n"
        f"--b\r\nContent-Type: {kind}\r\nContent-ID: <logo@acme>\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64.b64encode(PNG).decode()}\r\n--b--\r\n"
    ).encode()


async def finished(site: Site, raw: bytes = PLAIN, **options: object) -> int:
    """A message that is over: it was taken back."""
    number = await send(site, raw=raw, **options)
    assert await site.store.cancel(number, site.account.id, site.clock.now_us(), "enough")
    return number


async def test_a_mail_is_sent_again_once_as_a_message_of_its_own(inside: Site) -> None:
    number = await finished(inside, campaign="spring", deduplicate=True, custom_id="order-7")
    page = await inside.get(inside.at(f"messages/{number}"))
    assert "Send again" in text_of(page)
    answers = [await inside.post(inside.at(f"messages/{number}/resend"), key="k1") for _ in range(2)]
    made = {answer.headers["location"] for answer in answers}
    assert len(made) == 1, "the same form twice: one mail"
    second = int(made.pop().rpartition("/")[2].partition("?")[0])
    view = await inside.store.message(second)
    assert view is not None and view.id != number and (view.state, view.custom_id, view.campaign) == (State.QUEUED, "order-7", "spring")
    raw = (await inside.store.contents([view.submission_id]))[view.submission_id].raw
    header = read_header(raw)
    assert len(header.all("Received")) == 1 and b"first@acme.test" not in raw and len(header.all("Message-ID")) == 1
    assert raw.endswith(b"Hello 'you' $(id)\r\n")
    entry = (await inside.store.users.audit(inside.account.id, NEWEST, 1))[0]
    assert (entry.action, entry.object, entry.detail) == ("message.resend", str(number), str(second))


async def test_what_is_not_sent_again(inside: Site) -> None:
    waiting = await send(inside)
    assert "Send again" not in text_of(await inside.get(inside.at(f"messages/{waiting}")))
    assert (await inside.post(inside.at(f"messages/{waiting}/resend"), key="k")).headers["location"].endswith("problem=waiting")
    raw = PLAIN.replace(b"news@acme.test", b"news@gone.test")
    number = await finished(inside, raw)
    assert (await inside.post(inside.at(f"messages/{number}/resend"), key="k")).headers["location"].endswith("problem=author")
    assert "may not write as its author" in text_of(await inside.get(inside.at(f"messages/{number}?problem=author")))
    other = await finished(inside)
    await inside.store.add_block(inside.account.id, "jo@example.net", BlockCause.MANUAL, inside.clock.now_us(), None)
    again = await inside.post(inside.at(f"messages/{other}/resend"), key="k")
    view = await inside.store.message(int(again.headers["location"].rpartition("/")[2].partition("?")[0]))
    assert view is not None and view.state is State.BLOCKED, "the block list is asked again"
    assert (await inside.post(inside.at(f"messages/{number + 999}/resend"), key="k")).status_code == 404
    user = await inside.store.users.lock("ada")
    assert user is not None
    await inside.store.users.set_role(user.user.id, inside.account.id, Role.SUPPORT)
    assert (await inside.post(inside.at(f"messages/{number}/resend"), key="k")).status_code == 403
    assert (await inside.client.get(inside.at(f"messages/{number}/source"))).status_code == 403


def test_a_signature_of_the_submitter_keeps_its_message_id() -> None:
    signed = b"Received: ours\r\nReceived: theirs\r\nDKIM-Signature: v=1\r\n" + PLAIN
    assert fresh(signed) == signed.removeprefix(b"Received: ours\r\n")
    assert fresh(PLAIN) == PLAIN.replace(b"Message-ID: <first@acme.test>\r\n", b"")


@pytest.mark.parametrize("raw", [PLAIN, MAIL, related("<p>x</p>")])
async def test_the_call_that_is_shown_sends_the_same_mail(inside: Site, raw: bytes) -> None:
    await inside.store.add_key(inside.account.id, "k", hashlib.sha256(b"s").digest(), 1)
    number = await send(inside, raw=raw, custom_id="it's 7")
    page = await inside.get(inside.at(f"messages/{number}"))
    command = page.css_first("#curl").text()
    words = shlex.split(command)
    assert words[:3] == ["curl", "-u", "$KEY:$SECRET"] and "$(" not in command.split("-d ")[0]
    headers = dict(word.split(": ", 1) for flag, word in pairwise(words) if flag == "-H")
    body = words[-1].encode()
    if words[-2] == "--data-binary":
        assert words[-1] == f"@message-{number}.eml" and raw.startswith(b"From: news@acme.test\r\nSubject: x\r\n")
        source = await inside.client.get(inside.at(f"messages/{number}/source"))
        assert words[-1][1:] in source.headers["content-disposition"] and source.headers["content-type"] == "message/rfc822"
        body = source.content
    url = next(word for word in words if word.startswith("http"))
    answer = await inside.client.post(url, content=body, headers=headers, auth=("k", "s"))
    assert answer.status_code == 200, answer.text
    newest = max(await inside.store.messages(inside.account.id), key=lambda view: view.id)
    first = await inside.store.message(number)
    assert first is not None and newest.id != number and (newest.recipient, newest.author, newest.subject) == (first.recipient, first.author, first.subject)
    if words[-2] == "-d":
        assert newest.custom_id == "it's 7"
        assert json.loads(words[-1])["Messages"][0]["From"].get("Name", "") == {PLAIN: "\u00c9va"}.get(raw, "<script>alert(1)</script>")


async def test_pictures_that_came_with_the_mail_are_shown_and_the_frame_is_as_wide_as_a_phone(inside: Site) -> None:
    number = await send(inside, raw=related('<img src="cid:logo%40acme"><img src="cid:other">'))
    page = await inside.get(inside.at(f"messages/{number}?width=phone"))
    assert "phone" in (page.css_first("iframe").attributes["class"] or "")
    preview = await inside.client.get(inside.at(f"messages/{number}/preview"))
    assert f'<img src="data:image/png;base64,{base64.b64encode(PNG).decode()}"><img src="cid:other">' in preview.text
    assert "img-src data:;" in preview.headers["content-security-policy"]


def test_pictures_are_raster_and_bounded() -> None:
    assert "data:" not in html_with_images(related('<img src="cid:logo@acme">', "image/svg+xml"))
    big = related("<img src=cid:logo@acme>" * 60_000)
    begin = time.perf_counter()
    assert len(html_with_images(big)) <= MAX_INLINE + 60_000 * 30
    assert time.perf_counter() - begin < 5
    assert html_with_images(b"From: a\r\n" + b"x" * 10) == ""
