"""What comes back, on the whole platform: real command, real sockets. The mail's own links, pixel, unsubscribe header and return path are used."""

import asyncio
import re
import smtplib
from typing import Any

import httpx2

from tests.feedback.ground import BROWSER
from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, Platform, mail

HTML = b'<html><body><a href="https://shop.example/1">one</a> <a href="https://shop.example/2">two</a> <a href="https://shop.example/3">3</a></body></html>'
FIELDS = "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"


def unfolded(content: bytes) -> str:
    return re.sub(r"\r\n(?=[ \t])|=\r\n", "", content.decode("utf-8")).replace("=3D", "=")


def found(content: bytes, kind: str) -> list[str]:
    """The paths of one kind of link in a mail that arrived."""
    return list(dict.fromkeys(re.findall(rf"/{kind}/[A-Za-z0-9_-]{{40,}}", unfolded(content))))


def browser(platform: Platform) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=platform.http_url, headers={"user-agent": BROWSER}, follow_redirects=False)


def report(platform: Platform, recipient: str, raw: bytes, reverse_path: str = "") -> int:
    """Mail from the world to us."""
    with smtplib.SMTP("127.0.0.1", platform.ports["inbound"], timeout=20) as smtp:
        smtp.ehlo("mx.dest.example")
        smtp.mail(reverse_path)
        code, _ = smtp.rcpt(recipient)
        return smtp.data(raw)[0] if code == 250 else code


def bounce(to: str) -> bytes:
    return (
        "From: MAILER-DAEMON@dest.example\r\nSubject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b0"\r\n\r\n--b0\r\nContent-Type: text/plain\r\n\r\nIt did not work.\r\n'
        "--b0\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.dest.example\r\n\r\n"
        f"Final-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b0--\r\n"
    ).encode()


def complaint(header: str) -> bytes:
    return (
        "From: fbl@fbl.example\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b1"\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\nabuse\r\n'
        "--b1\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: F/1\r\nVersion: 1\r\n\r\n"
        f"--b1\r\nContent-Type: message/rfc822\r\n\r\n{header}\r\nFrom: news@{DOMAIN}\r\nTo: redacted@dest.example\r\n\r\nbody\r\n--b1--\r\n"
    ).encode()


async def statuses(platform: Platform) -> dict[str, str]:
    return {m["to"]: m["status"] for m in await asyncio.to_thread(platform.messages)}


async def test_marks_bounces_complaints_and_unsubscribes(world: World) -> None:
    who = [f"{name}@dest.example" for name in ("reader", "clicker", "gone", "angry", "leaver", "scanned", "forged")]
    campaign = mail(body=HTML, fields=FIELDS + "X-Mailjet-Campaign: may\r\n")
    async with world.platform(sections={"inbound": 'fbl_addresses = ["fbl@relay.test"]'}, workers=2) as platform, browser(platform) as web:
        await asyncio.to_thread(platform.send, who, campaign)
        mails = {m.recipients[0]: m for m in await world.mx.wait_for(len(who))}
        await platform.settled(len(who))

        (pixel,) = found(mails[who[0]].content, "o")
        image = await web.get(pixel)
        assert (image.status_code, image.headers["content-type"]) == (200, "image/gif")
        click = await web.get(found(mails[who[1]].content, "c")[0])
        assert (click.status_code, click.headers["location"]) == (302, "https://shop.example/1")
        assert (await web.get(pixel[:-1] + ("A" if pixel[-1] != "A" else "B"))).status_code == 404

        assert await asyncio.to_thread(report, platform, mails[who[2]].reverse_path, bounce(who[2])) == 250
        header = next(line for line in unfolded(mails[who[3]].content).splitlines() if line.lower().startswith("list-unsubscribe:"))
        assert await asyncio.to_thread(report, platform, "fbl@relay.test", complaint(header), "fbl@fbl.example") == 250
        local = mails[who[6]].reverse_path
        forged = ("c" if local[5] != "c" else "d").join((local[:5], local[6:]))
        assert await asyncio.to_thread(report, platform, forged, bounce(who[6])) == 250
        assert await asyncio.to_thread(report, platform, "someone@elsewhere.example", bounce(who[6])) == 550

        (leave,) = found(mails[who[4]].content, "u")
        assert (await web.post(leave, data={"List-Unsubscribe": "One-Click"})).status_code == 200
        scanned = mails[who[5]].content
        for path in [*found(scanned, "c"), *found(scanned, "u"), *found(scanned, "o")]:
            await web.get(path)

        assert await statuses(platform) == {
            who[0]: "opened", who[1]: "clicked", who[2]: "hardbounced", who[3]: "spam", who[4]: "unsub", who[5]: "clicked", who[6]: "sent"}  # fmt: skip
        platform.assert_nothing_is_missing()

        await asyncio.to_thread(platform.send, who, campaign)
        second = [m for m in await platform.settled(2 * len(who)) if m["state"] == "blocked"]
        assert {m["to"]: m["error"] for m in second} == {who[2]: "preblocked", who[3]: "spam reporter", who[4]: "blacklisted"}
        await asyncio.to_thread(platform.send, [who[4]], mail())  # relay mail without a campaign is the sender's own affair
        assert [m["state"] for m in await platform.settled(2 * len(who) + 1)][-1] == "delivered"

        shown: dict[str, Any] = platform.message(next(m["id"] for m in platform.messages() if m["to"] == who[5]))
        assert "machine" in {e["reader"] for e in shown["events"] if e["kind"] == "clicked"}


async def test_mail_to_the_unsubscribe_address_and_undo(small_world: World) -> None:
    async with small_world.platform(sections={"tracking": 'feedback_id = "estafette"'}) as platform, browser(platform) as web:
        await asyncio.to_thread(platform.send, ["leaver@dest.example"], mail(body=HTML, fields=FIELDS + "X-Mailjet-Campaign: may\r\n"))
        (arrived,) = await small_world.mx.wait_for(1)
        await platform.settled(1)
        assert re.search(r"^Feedback-ID: [0-9a-f]{8}:\d+:bulk:estafette$", unfolded(arrived.content).replace("\r", ""), re.M)
        address = re.findall(r"mailto:([^>?]+)", unfolded(arrived.content))[0]
        letter = b"From: leaver@dest.example\r\nSubject: unsubscribe\r\n\r\n\r\n"
        assert await asyncio.to_thread(report, platform, address, letter, "leaver@dest.example") == 250
        assert await statuses(platform) == {"leaver@dest.example": "unsub"}
        (leave,) = found(arrived.content, "u")
        assert "Undo" in (await web.get(leave)).text
        assert (await web.post(leave, data={"action": "resubscribe"})).status_code == 200
        assert await statuses(platform) == {"leaver@dest.example": "sent"}


async def test_a_signed_mail_is_not_touched_and_the_timeline_says_why(small_world: World) -> None:
    signed = (
        f"From: <news@{DOMAIN}>\r\nTo: <a@dest.example>\r\nSubject: signed\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/signed; micalg=sha-256; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n'
        '--b\r\nContent-Type: text/html\r\n\r\n<html><body><a href="https://shop.example/">x</a></body></html>\r\n'
        "--b\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--b--\r\n"
    ).encode()
    async with small_world.platform() as platform:
        await asyncio.to_thread(platform.send, "a@dest.example", signed)
        (message,) = await platform.settled(1)
        assert platform.message(message["id"])["events"][-1]["untracked"] == "protected"
        assert "signed or encrypted" in platform.run("message", "show", str(message["id"])).stdout
    assert small_world.mx.mails[0].content.endswith(signed.partition(b"\r\n\r\n")[2])
