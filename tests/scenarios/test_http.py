"""The Send API of the running platform, over a real socket: what is answered, what arrives, what is told afterwards."""

import asyncio
import base64
import email
import email.policy
from typing import Any

import httpx2

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, Platform


async def post(platform: Platform, body: dict[str, Any], **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(auth=(platform.key, platform.secret), timeout=20) as client:
        return await client.post(f"{platform.http_url}/v3.1/send", json=body, headers=headers)


def message(to: str = "a@dest.example", **more: Any) -> dict[str, Any]:
    return {"From": {"Email": f"news@{DOMAIN}", "Name": "Élan"}, "To": [{"Email": to, "Name": "Jo"}], "Subject": "Ça va ?", "TextPart": "Bonjour é", **more}


async def test_a_call_becomes_mails_with_parts_attachments_and_copies(world: World) -> None:
    attachment = {"ContentType": "text/csv", "Filename": "état.csv", "Base64Content": base64.b64encode(b"a;b\r\n" * 50).decode()}
    image = {"ContentType": "image/gif", "Filename": "x.gif", "ContentID": "logo", "Base64Content": base64.b64encode(b"GIF89a").decode()}
    body = {
        "Messages": [
            message(HTMLPart='<p>Bonjour <img src="cid:logo"></p>', Cc=[{"Email": "b@dest.example"}], Bcc=[{"Email": "c@dest.example"}],
                    Attachments=[attachment], InlinedAttachments=[image], Headers={"X-Order": "17"}, CustomID="order-17"),
            message("d@dest.example"),
        ]
    }  # fmt: skip
    async with world.platform(workers=2) as platform:
        answer = await post(platform, body)
        mails = await world.mx.wait_for(4)
        messages = await platform.settled(4)
        platform.assert_nothing_is_missing()
    assert answer.status_code == 200, answer.text
    told = answer.json()["Messages"]
    ids = {r["Email"]: r["MessageID"] for m in told for field in ("To", "Cc", "Bcc") for r in m[field]}
    assert ids == {m["to"]: m["id"] for m in messages} and len(ids) == 4
    assert {m["state"] for m in messages} == {"delivered"}
    assert sorted(m.recipients[0] for m in mails) == ["a@dest.example", "b@dest.example", "c@dest.example", "d@dest.example"]
    read = email.message_from_bytes(next(m.content for m in mails if m.recipients == ("c@dest.example",)), policy=email.policy.default)
    assert read["Bcc"] is None and str(read["Subject"]) == "Ça va ?" and read["X-Order"] == "17" and "Élan" in str(read["From"])
    assert {part.get_filename() for part in read.walk() if part.get_filename()} == {"état.csv", "x.gif"}
    assert read.get_body(("plain",)).get_content().strip() == "Bonjour é"  # type: ignore[union-attr]
    assert b"DKIM-Signature:" in mails[0].content


async def test_one_bad_message_does_not_stop_the_good_one(small_world: World) -> None:
    async with small_world.platform() as platform:
        answer = await post(platform, {"Messages": [message("not an address"), message("good@dest.example")]})
        await platform.settled(1)
    assert answer.status_code == 400
    assert [m["Status"] for m in answer.json()["Messages"]] == ["error", "success"]
    assert [m.recipients for m in small_world.mx.mails] == [("good@dest.example",)]


async def test_calls_with_one_key_that_race_send_once(world: World) -> None:
    async with world.platform(workers=2) as platform:
        answers = await asyncio.gather(*(post(platform, {"Messages": [message(), message("b@dest.example")]}, **{"Idempotency-Key": "k1"}) for _ in range(8)))
        await platform.settled(2)
        later = await post(platform, {"Messages": [message("other@dest.example")]}, **{"Idempotency-Key": "k1"})
        platform.assert_nothing_is_missing()
    assert {a.status_code for a in answers} == {200}
    assert len({a.text for a in answers}) == 1
    assert later.status_code >= 400
    assert sorted(m.recipients[0] for m in world.mx.mails) == ["a@dest.example", "b@dest.example"]


async def test_a_wrong_secret_and_a_foreign_author(small_world: World) -> None:
    async with small_world.platform() as platform:
        foreign = await post(platform, {"Messages": [message(From={"Email": "ceo@bank.example"})]})
        platform.secret = "wrong"
        wrong = await post(platform, {"Messages": [message()]})
    assert wrong.status_code == 401 and wrong.json()["ErrorMessage"].startswith("API key authentication/authorization failure")
    assert foreign.status_code == 403 and foreign.json()["Messages"][0]["Errors"][0]["ErrorCode"] == "send-0008"
    assert small_world.mx.mails == []
