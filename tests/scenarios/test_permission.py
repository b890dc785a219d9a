"""What people and customers take back, and mail for a customer's program, on the whole platform: real command, real sockets."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, mail
from tests.scenarios.test_feedback import FIELDS, HTML, browser, found, report, statuses

CAMPAIGN = mail(body=HTML, fields=FIELDS + "X-Mailjet-Campaign: may\r\n")


@asynccontextmanager
async def program(told: "asyncio.Queue[dict[str, Any]]") -> AsyncIterator[int]:
    """A customer's program: takes every POST."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(re.findall(rb"content-length: *(\d+)", head.lower())[0])
        told.put_nowait(json.loads(await reader.readexactly(size)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_consent_and_links_are_taken_back_after_sending(small_world: World) -> None:
    withdrew, reader, dated = (f"{name}@dest.example" for name in ("withdrew", "reader", "dated"))
    async with small_world.platform() as platform, browser(platform) as web:
        await asyncio.to_thread(platform.send, [withdrew, reader], CAMPAIGN)
        mails = {m.recipients[0]: m.content for m in await small_world.mx.wait_for(2)}
        await asyncio.to_thread(platform.command, "tracking", "set", "--opens", "last-date", "--json")
        await asyncio.to_thread(platform.command, "consent", "set", withdrew, "--opens", "no", "--clicks", "no", "--json")
        await asyncio.to_thread(platform.command, "link", "revoke", "--campaign", "may", "--json")
        await platform.settled(2)
        for who in (withdrew, reader):
            assert (await web.get(found(mails[who], "o")[0])).status_code == 200
        click = await web.get(found(mails[reader], "c")[0])
        assert click.status_code == 410 and "location" not in click.headers
        assert await statuses(platform) == {withdrew: "sent", reader: "opened"}
        assert "opened" not in {e["kind"] for m in platform.messages() if m["to"] == withdrew for e in platform.message(m["id"])["events"]}

        assert await platform.stop() == 0  # what an account measures is remembered for five seconds
        await platform.start()
        await asyncio.to_thread(platform.send, [dated, withdrew], mail(body=HTML, fields=FIELDS))
        later = {m.recipients[0]: m.content for m in (await small_world.mx.wait_for(4))[2:]}
        await platform.settled(4)
        assert found(later[withdrew], "o") == [], "who said no gets no pixel"
        async with browser(platform) as again:
            assert (await again.get(found(later[dated], "o")[0])).status_code == 200
        assert (await statuses(platform))[dated] == "sent", "only the date is kept, and not in the history"
        platform.assert_nothing_is_missing()


async def test_a_reply_comes_to_the_customers_program(small_world: World) -> None:
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sections = {"webhooks": 'allowed_networks = ["127.0.0.0/8"]'}
    async with program(told) as port, small_world.platform(sections=sections) as platform:
        await asyncio.to_thread(platform.command, "route", "add", f"http://127.0.0.1:{port}/mail", "--email", f"in@{DOMAIN}", "--json")
        plain = mail(fields=FIELDS + f"X-MJ-CustomID: order-7\r\nReply-To: in@{DOMAIN}\r\n", body=HTML)
        await asyncio.to_thread(platform.send, ["jo@dest.example"], re.sub(rb"(?im)^message-id:.*\r\n", b"", plain))
        (arrived,) = await small_world.mx.wait_for(1)
        message_id = re.findall(rb"(?im)^message-id: *(<[^>]+>)", arrived.content)[0].decode()
        reply = f"From: jo@dest.example\r\nTo: in@{DOMAIN}\r\nSubject: Re: order\r\nIn-Reply-To: {message_id}\r\n\r\nSeven.\r\n".encode()
        assert await asyncio.to_thread(report, platform, f"in@{DOMAIN}", reply, "jo@dest.example") == 250
        payload = await asyncio.wait_for(told.get(), 60)
        assert (payload["CustomID"], payload["Subject"], payload["Text-part"]) == ("order-7", "Re: order", "Seven.\r\n")
