"""What a program can say wrong to the Send API: status, code, words and place of the mistake; the good call beside it is sent."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, Platform

SMALL = {"http": 'max_body = "200kB"'}


@dataclass(frozen=True, slots=True)
class Expected:
    status: int
    code: str
    words: str
    related: Sequence[str] = ()


def message(to: str = "good@dest.example", **more: Any) -> dict[str, Any]:
    return {"From": {"Email": f"news@{DOMAIN}"}, "To": [{"Email": to}], "Subject": "Hello", "TextPart": "Hello", **more}


def call(*messages: object, **more: Any) -> bytes:
    return json.dumps({"Messages": messages, **more}).encode()


def client(platform: Platform) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(auth=(platform.key, platform.secret), timeout=20, base_url=platform.http_url)


async def sends_one(world: World, platform: Platform, http: httpx2.AsyncClient) -> None:
    """After all the trouble: a good call is accepted, is the only one, and arrives."""
    assert (await http.post("/v3.1/send", content=call(message()))).status_code == 200
    assert [(m["to"], m["state"]) for m in await platform.settled(1)] == [("good@dest.example", "delivered")]
    assert [m.recipients for m in world.mx.mails] == [("good@dest.example",)]
    platform.assert_nothing_is_missing()


def problem_of(answer: httpx2.Response) -> dict[str, Any]:
    """The one problem that is told, of the call or of its message; every problem leads the operator to its cause."""
    told = answer.json()
    found: dict[str, Any] = told["Messages"][0]["Errors"][0] if "Messages" in told else told
    assert len(found["ErrorIdentifier"]) == 36 and found["StatusCode"] == answer.status_code
    return found


def wrong(told: dict[str, Any], expected: Expected) -> bool:
    return (
        told["StatusCode"] != expected.status
        or told.get("ErrorCode", "") != expected.code
        or expected.words not in told["ErrorMessage"]
        or tuple(told.get("ErrorRelatedTo", ())) != tuple(expected.related)
    )


async def test_bodies_that_are_no_call(small_world: World) -> None:
    malformed = Expected(400, "mj-0002", "Malformed JSON")
    attachment = {"ContentType": "text/plain", "Filename": "a.txt"}
    bodies: dict[str, tuple[bytes, Expected]] = {
        "empty": (b"", malformed),
        "not JSON": (b"From=a&To=b", malformed),
        "cut off": (call(message())[:-5], malformed),
        "two": (call(message()) * 2, malformed),
        "NaN": (b'{"Messages": NaN}', malformed),
        "not UTF-8": (b'{"Messages": "\xff\xfe"}', Expected(400, "mj-0002", "not UTF-8")),
        "NUL": (b"\0" * 1000, malformed),
        "nested arrays": (b"[" * 100_000 + b"]" * 100_000, malformed),
        "nested, as a part": (b'{"Messages":' + b'[{"x":' * 9_000 + b"1" + b"}]" * 9_000 + b"}", malformed),
        "an array": (b"[]", Expected(400, "mj-0004", '"object"')),
        "null": (b"null", Expected(400, "mj-0004", '"object"')),
        "nothing in it": (b"{}", Expected(400, "mj-0003", '"Messages" is missing', ("Messages",))),
        "no list": (b'{"Messages": {}}', Expected(400, "mj-0004", "array of messages", ("Messages",))),
        "empty list": (call(), Expected(400, "mj-0007", "must not be an empty array", ("Messages",))),
        "too many": (call(*[message()] * 51), Expected(400, "send-0015", "Max allowed - 50", ("Messages",))),
        "no message": (call(3), Expected(400, "mj-0004", "message", ("Messages[0]",))),
        "too large": (call(message(TextPart="x" * 200_000)), Expected(413, "mj-0011", "too large. Max allowed - 200000 bytes")),
        "bad base64": (
            call(message(Attachments=[{**attachment, "Base64Content": "this is not base64!"}])),
            Expected(400, "mj-0005", "not valid base64", ("Attachments[0].Base64Content",)),
        ),
        "cut base64": (
            call(message(Attachments=[{**attachment, "Base64Content": base64.b64encode(b"four").decode()[:-1]}])),
            Expected(400, "mj-0005", "not valid base64", ("Attachments[0].Base64Content",)),
        ),
        "no base64": (
            call(message(Attachments=[{**attachment, "Base64Content": 17}])),
            Expected(400, "mj-0004", '"string"', ("Attachments[0].Base64Content",)),
        ),
        "bad recipient": (call(message("a@@b")), Expected(400, "mj-0013", '"a@@b" is an invalid email address', ("To[0].Email",))),
        "51 recipients": (
            call(message(To=[{"Email": f"u{i}@dest.example"} for i in range(51)])),
            Expected(400, "send-0015", "Max allowed - 50", ("To", "Cc", "Bcc")),
        ),
        "foreign author": (call(message(From={"Email": "ceo@bank.example"})), Expected(403, "send-0008", "ceo@bank.example", ("From",))),
        "line break in a header": (
            call(message(Headers={"X-A": "a\r\nBcc: x@dest.example"})),
            Expected(400, "mj-0005", "", ('Headers["X-A"]',)),
        ),
    }  # fmt: skip
    async with small_world.platform(sections=SMALL) as platform, client(platform) as http:
        told = {name: problem_of(await http.post("/v3.1/send", content=body)) for name, (body, _) in bodies.items()}
        assert {name: problem for name, problem in told.items() if wrong(problem, bodies[name][1])} == {}
        await sends_one(small_world, platform, http)
        assert "Traceback" not in platform.log()


async def test_bodies_whose_length_is_a_lie(small_world: World) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    async with small_world.platform(sections=SMALL) as platform, client(platform) as http:
        expected = Expected(413, "mj-0011", "too large. Max allowed - 200000 bytes")
        unannounced = await http.post("/v3.1/send", content=pieces())
        assert not wrong(problem_of(unannounced), expected)
        head = f"POST /v3.1/send HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(platform)}\r\nContent-Length: 99999999999\r\n\r\nx"
        announced = await exchange(platform, head.encode())  # answered, and ended, without waiting for what was announced
        assert announced.startswith(b"HTTP/1.1 413 ") and b"mj-0011" in announced
        await sends_one(small_world, platform, http)


async def test_wrong_credentials_paths_and_methods(small_world: World) -> None:
    async with small_world.platform() as platform, client(platform) as http:
        for auth in (("nobody", "x"), (platform.key, "wrong"), ("", "")):
            problem = problem_of(await http.post("/v3.1/send", content=call(message()), auth=auth))
            assert not wrong(problem, Expected(401, "mj-0015", "Check your API key and its secret"))
        found = {path: (await http.request(method, path)).status_code for method, path in
                 (("GET", "/v3.1/send"), ("POST", "/nothing"), ("POST", "/v3.1/send/"), ("GET", "/../../etc/passwd"))}  # fmt: skip
        assert found == {"/v3.1/send": 405, "/nothing": 404, "/v3.1/send/": 404, "/../../etc/passwd": 404}
        await sends_one(small_world, platform, http)


async def test_what_is_no_http(small_world: World) -> None:
    """SMTP, noise and a body that never comes, at the HTTP port."""
    async with small_world.platform() as platform, client(platform) as http:
        for octets in (
            b"EHLO client.test\r\n\r\n",
            b"\x16\x03\x01\0\0" * 100,
            b"GET /healthz HTTP/9.9\r\n\r\n",
            b"POST /v3.1/send HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        ):
            answer = await exchange(platform, octets)
            assert answer.startswith(b"HTTP/1.1 400 "), (octets[:30], answer[:100])
        head = f"POST /v3.1/send HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(platform)}\r\nContent-Length: 500\r\n\r\n".encode()
        _, writer = await asyncio.open_connection("127.0.0.1", platform.ports["http"])
        writer.write(head + call(message("lost@dest.example"))[:100])  # and then the client is gone
        await writer.drain()
        writer.transport.abort()
        await sends_one(small_world, platform, http)
        assert "Traceback" not in platform.log()


async def test_slow_clients_stop_nobody(small_world: World) -> None:
    """Two hundred that never end their header or their body: another one is served meanwhile."""
    async with small_world.platform() as platform, client(platform) as http:
        head = f"POST /v3.1/send HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(platform)}\r\n".encode()
        slow = [await asyncio.open_connection("127.0.0.1", platform.ports["http"]) for _ in range(200)]
        for number, (_, writer) in enumerate(slow):
            writer.write(head if number % 2 else head + b"Content-Length: 500\r\n\r\n{")
            await writer.drain()
        await sends_one(small_world, platform, http)
        for _, writer in slow:
            writer.close()


def basic(platform: Platform) -> str:
    return "Basic " + base64.b64encode(f"{platform.key}:{platform.secret}".encode()).decode()


async def exchange(platform: Platform, octets: bytes) -> bytes:
    """What is answered to these octets, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.ports["http"])
    writer.write(octets)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer
