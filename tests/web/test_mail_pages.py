"""Pages about mail: hostile content stays harmless, blocks are lifted with a reason, files hold no formulas, the DNS is told truly."""

import asyncio
import base64
import time
from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace

import httpx2
import pytest

from estafette.accept.examine import examine
from estafette.accept.submit import Recipient, Request
from estafette.deliver.answers import Answer, AnswerKind, Mx
from estafette.deliver.publishing import Seen
from estafette.facts import Cause, GuardOrder, Step, Stream
from estafette.mail.address import parse
from estafette.model import BlockCause, Door, Options
from estafette.web import onboarding
from estafette.web.exporting import Exporter
from estafette.web.reading import MAX_SHOWN, read
from estafette.web.rows import guarded
from tests.web.conftest import Site, text_of

EVIL = "<script>alert(1)</script>"
MAIL = (
    f"From: \"{EVIL}\" <news@acme.test>\r\nTo: jo@example.net\r\nSubject: {EVIL} <img src=x onerror=alert(2)>\r\nX-Odd: {EVIL}\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    f"<p>Hello</p>{EVIL}<img src=\"https://evil.test/x.gif\"><form action=\"https://evil.test\"><input name=q></form>\r\n"
).encode()  # fmt: skip


async def send(site: Site, recipient: str = "jo@example.net", raw: bytes = MAIL, **options: object) -> int:
    """A message by HTTP; its id."""
    given = Options(**options)  # type: ignore[arg-type]
    request = Request(site.account, Door.HTTP, "news@acme.test", (Recipient(parse(recipient)),), raw, examine(raw), given, "test", "192.0.2.1", "HTTP")
    return (await site.desk.door.submit([request]))[0].messages[0].id


async def test_hostile_mail_is_shown_and_harmless(inside: Site) -> None:
    number = await send(inside, campaign=EVIL, custom_id=EVIL)
    for path in ["", "activity", f"messages/{number}", f"messages/{number}?tab=html", f"messages/{number}?tab=headers", f"messages/{number}?tab=raw",
                 "campaigns", "campaigns/1", "queue", f"activity?text={EVIL}&domain={EVIL}"]:  # fmt: skip
        answer = await inside.client.get(inside.at(path))
        assert answer.status_code == 200, path
        assert EVIL not in answer.text and "<img src=x" not in answer.text, path
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy
    frame = (await inside.get(inside.at(f"messages/{number}"))).css_first("iframe")
    assert frame.attributes["sandbox"] == ""
    preview = await inside.client.get(inside.at(f"messages/{number}/preview"))
    assert EVIL in preview.text, "the frame has the mail as it is"
    policy = preview.headers["content-security-policy"]
    assert policy.endswith("sandbox") and "default-src 'none'" in policy and "https:" not in policy and "form-action 'none'" in policy
    assert "https:" in (await inside.client.get(inside.at(f"messages/{number}/preview?images=1"))).headers["content-security-policy"]
    assert (await inside.client.get(inside.at(f"messages/{number + 1}"))).status_code == 404


async def test_a_message_is_found_by_number_address_and_text(inside: Site) -> None:
    number = await send(inside, "someone@else.example")
    for text, expected in [("someone@else.example", 1), ("onerror", 1), ("nothing like it", 0), ("SOMEONE", 1)]:
        page = await inside.get(inside.at(f"activity?text={text}"))
        assert len(page.css("#log tbody tr")) == expected, text
    direct = await inside.client.get(inside.at(f"activity?text={number}"))
    assert (direct.status_code, direct.headers["location"]) == (303, inside.at(f"messages/{number}"))
    timeline = text_of(await inside.get(inside.at(f"messages/{number}")))
    assert "Accepted by HTTP" in timeline


async def test_a_block_is_lifted_with_a_reason_that_is_kept(inside: Site) -> None:
    now = inside.clock.now_us()
    await inside.store.add_block(inside.account.id, "jo@example.net", BlockCause.HARD_BOUNCE, now, now + 10**12, reply="550 5.1.1 no such user")
    page = await inside.get(inside.at("blocks"))
    assert "jo@example.net" in text_of(page) and "550 5.1.1" in text_of(page)
    assert (await inside.post(inside.at("blocks"), order="lift", address="jo@example.net", reason="")).status_code == 422
    done = await inside.post(inside.at("blocks"), order="lift", address="jo@example.net", reason="he phoned")
    assert done.headers["location"].endswith("done=lifted")
    assert await inside.store.screens.blocks(inside.account.id, inside.clock.now_us()) == []
    entry = (await inside.store.users.audit(inside.account.id, 2**62, 5))[0]
    assert (entry.user_name, entry.action, entry.object, entry.detail) == ("ada", "block.lift", "jo@example.net", "he phoned")
    assert "he phoned" in text_of(await inside.get(inside.at("settings/audit")))


async def made(site: Site, kind: str, format_: str, query: str = "") -> httpx2.Response:
    """An exported file."""
    ordered = await site.post(site.at("exports"), kind=kind, format=format_, query=query)
    exporter = Exporter(site.store, site.clock, site.desk.config.tracking)
    running = asyncio.create_task(exporter.run())
    async with asyncio.timeout(30):
        while (await site.store.exports.newest(site.account.id))[0].state == "waiting":  # noqa: ASYNC110 - the job's page polls as well
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "/file" in (await site.client.get(ordered.headers["location"])).text
    return await site.client.get(ordered.headers["location"] + "/file")


async def test_files_are_made_in_the_background_and_hold_no_formulas(inside: Site) -> None:
    raw = MAIL.replace(b"Subject: ", b"Subject: =HYPERLINK(1) ")
    number = await send(inside, raw=raw)
    await send(inside, "other@example.org")
    csv = await made(inside, "messages", "csv")
    assert csv.content.startswith("\ufeffid,accepted_at,to".encode())
    assert csv.text.count("\r\n") == 3 and "\"'=HYPERLINK" in csv.text.replace(",'=H", ",\"'=H")
    assert int(csv.headers["content-length"]) == len(csv.content)
    lines = (await made(inside, "messages", "jsonl", "text=jo@example.net")).text.splitlines()
    assert len(lines) == 1 and f'"id":{number}' in lines[0]
    await inside.store.add_block(inside.account.id, "+b@example.net", BlockCause.MANUAL, inside.clock.now_us(), None)
    assert "'+b@example.net" in (await made(inside, "blocks", "csv")).text
    figures = (await made(inside, "statistics", "csv", "period=7d")).text.splitlines()
    assert figures[0].endswith("spam,definitions") and len(figures) == 8, "one row per day"


def test_cells_that_a_spreadsheet_would_run() -> None:
    assert [guarded(v) for v in ("=1", "+1", "-1", "@x", "\tx", "plain", 5, None)] == ["'=1", "'+1", "'-1", "'@x", "'\tx", "plain", 5, ""]


async def test_a_domain_is_added_checked_and_verified(inside: Site) -> None:
    assert (await inside.post(inside.at("domains"), domain="no domain")).status_code == 422
    added = await inside.post(inside.at("domains"), domain="Shop.Example")
    page = await inside.get(added.headers["location"])
    assert "missing" in text_of(page)
    row = next(r for r in await inside.store.screens.domains(inside.account.id) if r.name == "shop.example")
    assert not row.is_verified
    dkim = next(code.text() for code in page.css("code") if code.text().startswith("v=DKIM1"))
    name = next(code.text() for code in page.css("code") if "._domainkey." in code.text())
    inside.zone.answers |= {
        (f"_estafette.{row.name}", "TXT"): Answer(AnswerKind.FOUND, (row.ownership_token,), 1),
        (name, "TXT"): Answer(AnswerKind.FOUND, (dkim.replace("; ", ";"),), 1),
        (row.name, "TXT"): Answer(AnswerKind.FOUND, ("google-site=1", "v=spf1 include:other.test a:mx.acme.test -all"), 1),
        (f"_dmarc.{row.name}", "TXT"): Answer(AnswerKind.FAILED, why="SERVFAIL"),
        ("bounces.mx.acme.test", "MX"): Answer(AnswerKind.FOUND, (Mx(10, "elsewhere.test"),), 1),
    }  # fmt: skip
    text = text_of(await inside.get(inside.at("domains/shop.example")))
    assert text.count("found") >= 3 and "differs" in text and "10 elsewhere.test" in text and "no answer" in text
    checked = await inside.post(inside.at("domains/shop.example"))
    assert checked.headers["location"].endswith("done=domain_verified")
    assert "shop.example" in (await inside.store.authors(inside.account.id)).domains
    assert (await inside.client.get(inside.at("domains/unknown.example"))).status_code == 404


async def test_a_first_message_goes_from_the_first_steps(inside: Site) -> None:
    assert "of 7 done" in text_of(await inside.get(inside.at("start"))) or "done" in text_of(await inside.get(inside.at("start")))
    sent = await inside.post(inside.at("start"), **{"from": "test@acme.test", "to": "ada@example.org"})
    assert "/messages/" in sent.headers["location"]
    page = await inside.get(sent.headers["location"].partition("?")[0])
    assert "A first message" in text_of(page)
    assert (await inside.post(inside.at("start"), **{"from": "test@foreign.test", "to": "ada@example.org"})).status_code == 403


async def test_keys_and_webhooks(inside: Site) -> None:
    page = await inside.post(inside.at("settings/keys"), order="add")
    key = page.text.split('id="new-key">')[1].split("<")[0]
    assert [row.key for row in await inside.store.screens.keys(inside.account.id)] == [key]
    await inside.post(inside.at("settings/keys"), order="off", key=key)
    assert [row.is_active for row in await inside.store.screens.keys(inside.account.id)] == [False]
    assert (await inside.post(inside.at("settings/keys"), order="on", key="0" * 32)).status_code == 404
    assert (await inside.post(inside.at("settings/webhooks"), order="add", type="bounce", url="nonsense")).status_code == 422
    assert (await inside.post(inside.at("settings/webhooks"), order="add", type="bounce", url="https://user:geheim@shop.example/hook")).status_code == 303
    hook = (await inside.store.webhooks.all_of(inside.account.id))[0]
    shown = text_of(await inside.get(inside.at("settings/webhooks"))) + text_of(await inside.get(inside.at("settings/audit")))
    assert "shop.example/hook" in shown and "geheim" not in shown
    assert (await inside.post(inside.at("settings/webhooks"), order="remove", id=str(hook.id))).status_code == 303
    assert await inside.store.webhooks.all_of(inside.account.id) == []


async def test_live_says_that_something_happened(inside: Site) -> None:
    inside.desk.is_closing = lambda: True  # the stream ends at its first look
    answer = await inside.client.get(inside.at("live"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.text.startswith("retry:") and not inside.desk.live


async def test_the_first_load_is_small_and_static_files_never_change(inside: Site) -> None:
    import gzip

    page = await inside.client.get(inside.at(""))
    urls = {node.attributes.get("href") or node.attributes.get("src") or "" for node in (await inside.get(inside.at(""))).css("link[href],script[src]")}
    urls |= {u.split('"')[0].split("#")[0] for u in page.text.split('href="')[1:] if "icons" in u.split('"')[0]}
    total = len(gzip.compress(page.content))
    for url in urls:
        file = await inside.client.get(url, headers={"Accept-Encoding": "gzip"})
        assert file.status_code == 200 and "immutable" in file.headers["cache-control"]
        total += len(gzip.compress(file.content))
    assert len(urls) >= 5 and total <= 60_000, total
    assert (await inside.client.get("/app/static/app.0000000000.css")).status_code == 404


async def test_a_waiting_message_is_taken_back_once(inside: Site) -> None:
    number = await send(inside)
    assert (await inside.post(inside.at(f"messages/{number}/cancel"))).headers["location"].endswith("done=cancelled")
    assert "Taken back" in text_of(await inside.get(inside.at(f"messages/{number}")))
    assert (await inside.post(inside.at(f"messages/{number}/cancel"))).headers["location"].endswith("done=too_late")


async def test_what_the_guard_stopped_goes_on_with_a_reason(inside: Site) -> None:
    guard = inside.store.guard
    await guard.order(GuardOrder(inside.account.id, Stream.BULK, Step.STOP, Cause.SPAM, 9, 3000, since=inside.clock.now_us()), "too many complaints")
    assert "Campaign mail is stopped" in text_of(await inside.get(inside.at("")))
    order = (await guard.running(inside.account.id))[0]
    assert "0.30%" in text_of(await inside.get(inside.at("queue")))
    assert (await inside.post(inside.at("queue/resume"), id=str(order.id), reason="")).status_code == 400
    assert (await inside.post(inside.at("queue/resume"), id=str(order.id + 1), reason="x")).status_code == 400
    assert (await inside.post(inside.at("queue/resume"), id=str(order.id), reason="the list is deleted")).status_code == 303
    assert await guard.running(inside.account.id) == []


def test_what_a_mail_says_is_bounded_whatever_its_charset_claims() -> None:
    """Codecs of Python that are no character sets, and some that take for ever, are not used; of a long part the beginning is decoded."""
    for charset in ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "rot13", "zlib_codec", "hex", "undefined", "x" * 300):
        raw = f"Subject: x\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode() + b"a\\x41-" * 200_000
        began_s = time.monotonic()
        assert read(raw).text.startswith("a\\x41-a")
        assert time.monotonic() - began_s < 2
    long = b"Subject: x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"<p>x</p>" * 1_000_000)
    assert 1_000_000 < len(read(long).html) <= MAX_SHOWN


@pytest.mark.parametrize(("records", "seen"), [
    ({}, Seen.MISSING),
    ({("9.2.0.192.in-addr.arpa", "PTR"): ["mail.example.com"]}, Seen.UNKNOWN),
    ({("8.8.8.8", "PTR"): []}, Seen.MISSING),
    ({("8.8.8.8", "PTR"): ["mail.example.com"], ("mail.example.com", "A"): ["8.8.4.4"]}, Seen.WRONG),
    ({("8.8.8.8", "PTR"): ["mail.example.com"]}, Seen.WRONG),
    ({("8.8.8.8", "PTR"): ["other.example.com", "mail.example.com"], ("mail.example.com", "A"): ["8.8.8.8"]}, Seen.OK),
])  # fmt: skip
async def test_an_address_must_have_a_name_that_leads_back_to_it(inside: Site, records: dict[tuple[str, str], list[str]], seen: Seen) -> None:
    source = "192.0.2.9" if seen is Seen.UNKNOWN else "8.8.8.8"
    inside.desk.config = replace(inside.desk.config, delivery=replace(inside.desk.config.delivery, sources=(source,)))
    for (name, kind), values in records.items():
        asked = ip_address(name).reverse_pointer if name[0].isdigit() and "arpa" not in name else name
        inside.zone.answers[asked, kind] = Answer(AnswerKind.FOUND if values else AnswerKind.NODATA, tuple(values), 60)
    visit = SimpleNamespace(desk=inside.desk)
    assert (await onboarding._reverse(visit))[0] is seen  # type: ignore[arg-type]
