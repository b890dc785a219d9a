"""The DSN extension at the door and the failure reports behind it, over a real listener."""

import email
from pathlib import Path
from typing import Any

import pytest

from estafette.accept import reports
from estafette.accept.reports import Reporter
from estafette.clock import SECOND_US, SystemClock
from estafette.mail.failure_report import Notice
from estafette.model import LANES, Outcome, OutcomeKind, Reason, Settlement
from estafette.store.seam import Want
from tests.accept.ground import MAIL, Ground, ground


async def bounce_all(g: Ground, worker_id: int) -> None:
    now = SystemClock().now_us()
    for claim in await g.real.claim(worker_id, [Want("", (100,) * LANES)], now):
        outcome = Outcome(OutcomeKind.BOUNCED, now, "550 5.1.1 nobody", 550, "5.1.1", host="mx.dest.example", reason=Reason("recipient", "user unknown"),
                          is_permanent=True)  # fmt: skip
        assert await g.real.settle(Settlement(claim, outcome))


def reporter(g: Ground) -> Reporter:
    return Reporter(g.real, SystemClock(), g.reception.door, "relay.test", g.reception.offer_dsn)


async def test_dsn_is_offered_where_reports_are_wanted(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        client = await g.client()
        await client.reply()
        assert "DSN" not in await client.say("EHLO client.test")
        await client.log_in()
        assert (await client.say("MAIL FROM:<back@sender.example> RET=HDRS")).startswith("555 ")
        g.reception.offer_dsn(True)
        client = await g.client()
        await client.reply()
        assert "DSN" in (await client.say("EHLO client.test")).replace("\n", "-").split("-")
        await client.log_in()  # an account that does not want them; what was offered in this session is taken all the same
        assert (await client.say("MAIL FROM:<back@sender.example> RET=HDRS ENVID=a+2Bb")).startswith("250 ")
        assert (await client.say("RCPT TO:<a@dest.example> NOTIFY=SUCCESS,NEVER")).startswith("501 ")
        assert (await client.say("RCPT TO:<a@dest.example> NOTIFY=FAILURE ORCPT=rfc822;a@dest.example")).startswith("250 ")
        assert "DSN" not in await client.say("EHLO client.test")


async def test_a_bounce_is_told_to_the_reverse_path_once(tmp_path: Path) -> None:
    async with ground(tmp_path) as g:
        await g.real.configure_account(g.account.id, failure_reports=True)
        g.reception.offer_dsn(True)
        client = await g.logged_in()
        for line in ("MAIL FROM:<back@sender.example> RET=FULL ENVID=e1", "RCPT TO:<a@dest.example> ORCPT=rfc822;A@dest.example", "DATA"):
            assert (await client.say(line))[0] in "23"
        client.writer.write(MAIL + b".\r\n")
        assert (await client.reply()).startswith("250 ")
        now = SystemClock().now_us()
        me = await g.real.join("sender", now, now + 60 * SECOND_US)
        await bounce_all(g, me.id)
        first, second = reporter(g), reporter(g)
        assert await first.tell() == 1
        assert await first.tell() == await second.tell() == 0
        original, report = await g.real.messages()
        assert (report.recipient, report.author, report.state.value) == ("back@sender.example", "mailer-daemon@relay.test", "queued")
        content = (await g.real.contents([report.submission_id]))[report.submission_id]
        assert content.reverse_path == ""  # RFC 3464 2
        parsed = email.message_from_bytes(content.raw)
        assert parsed["Message-ID"] and parsed["Date"] and parsed.get_content_type() == "multipart/report"
        assert b"Original-Envelope-Id: e1\r\n" in content.raw and b"Original-Recipient: rfc822; A@dest.example\r\n" in content.raw
        assert MAIL.partition(b"\r\n")[0] in content.raw and b"Body" in content.raw  # RET=FULL
        await bounce_all(g, me.id)  # the report itself: nobody is told
        assert await first.tell() == 0 and len(await g.real.messages()) == 2
        assert original.state.value == "hard_bounced"


async def test_a_report_that_cannot_be_made_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ground(tmp_path) as g:
        await g.real.configure_account(g.account.id, failure_reports=True)
        client = await g.logged_in()
        assert (await client.mail(MAIL, "a@dest.example", "b@dest.example")).startswith("250 ")
        now = SystemClock().now_us()
        await bounce_all(g, (await g.real.join("sender", now, now + 60 * SECOND_US)).id)
        write = reports.write_report

        def failing(notice: Notice, *args: Any) -> bytes:
            if notice.recipient == "a@dest.example":
                raise RuntimeError("a bug")
            return write(notice, *args)

        monkeypatch.setattr(reports, "write_report", failing)
        assert await reporter(g).tell() == 2
        assert [m.recipient for m in await g.real.messages()][2:] == ["back@sender.example"] and await g.real.reports.due(10) == []
