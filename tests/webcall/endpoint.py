"""A customer's web server on a real socket: answers as it is told, keeps what it was sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass
class Post:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class WebServer:
    """`answers(n, post)` is the raw answer to the n-th request; None: none ever comes."""

    answers: Callable[[int, Post], bytes | None]
    posts: list[Post] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def until(self, count: int) -> list[Post]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(30):
            while len(self.posts) < count:
                self._news.clear()
                await self._news.wait()
        return self.posts

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.posts.append(Post(request.split(" ")[1], headers, body))
            self._news.set()
            answer = self.answers(len(self.posts) - 1, self.posts[-1])
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def status(code: int, body: bytes = b"", *fields: str) -> bytes:
    """An answer."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {code} X", f"Content-Length: {len(body)}", "Connection: close", *fields))
    return head.encode() + b"\r\n" + body


@asynccontextmanager
async def web_server(answers: Callable[[int, Post], bytes | None] = lambda n, post: status(200), tls: ssl.SSLContext | None = None) -> AsyncIterator[WebServer]:
    """A listening one."""
    made = WebServer(answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
