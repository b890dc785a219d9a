"""The running platform tells: webhooks of two workers, counters that follow, the feed, on both databases."""

import asyncio
from typing import Any

import httpx2
from standardwebhooks import Webhook as Verifier

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, Platform
from tests.webcall.endpoint import web_server


async def get(platform: Platform, path: str, **params: str) -> dict[str, Any]:
    async with httpx2.AsyncClient(auth=(platform.key, platform.secret), timeout=20) as client:
        answer = await client.get(f"{platform.http_url}{path}", params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def test_what_happens_is_told_and_counted(world: World) -> None:
    body = {"Messages": [{"From": {"Email": f"news@{DOMAIN}"}, "To": [{"Email": f"{who}@dest.example"}], "Subject": "Hi", "TextPart": "Hi", "CustomID": who}
                         for who in ("ann", "bob", "cec")]}  # fmt: skip
    async with web_server() as shop, world.platform(workers=2, sections={"webhooks": 'allowed_networks = ["127.0.0.0/8"]'}) as platform:
        added = platform.command("webhook", "add", "sent", shop.url(), "--account", "shop", "--json")
        async with httpx2.AsyncClient(auth=(platform.key, platform.secret), timeout=20) as client:
            answer = await client.post(f"{platform.http_url}/v3.1/send", json=body)
            assert answer.status_code == 200, answer.text
        posts = await shop.until(3)
        told = [Verifier(added["secret"]).verify(post.body, post.headers) for post in posts]
        assert sorted(one["CustomID"] for one in told) == ["ann", "bob", "cec"]
        assert {one["event"] for one in told} == {"sent"}
        async with asyncio.timeout(30):
            while (figures := (await get(platform, "/v1/estafette/statistics"))["Data"][0])["delivered"] < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert (figures["processed"], figures["sent"], figures["queued"], figures["rates"]["delivered"]) == (3, 3, 0, 1.0)
        (counters,) = (await get(platform, "/v3/REST/statcounters", CounterSource="APIKey", CounterTiming="Message", CounterResolution="Lifetime"))["Data"]
        assert (counters["Total"], counters["MessageSentCount"]) == (3, 3)
        feed = (await get(platform, "/v1/estafette/events"))["Data"]
        assert {(e["message_id"], e["kind"]) for e in feed if e["kind"] == "delivered"} == {(one["MessageID"], "delivered") for one in told}
        platform.command("stats", "rebuild", "--json")
        assert (await get(platform, "/v1/estafette/statistics"))["Data"][0]["delivered"] == 3
