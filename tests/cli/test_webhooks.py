"""`estafette webhook ...` against a real web server in this process."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from tests.cli.test_commands import Shell
from tests.webcall.endpoint import WebServer, status, web_server


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.file.write_text(made.file.read_text() + '[webhooks]\nallowed_networks = ["127.0.0.0/8"]\n')
    made("account", "add", "shop")
    return made


@pytest.fixture
def server() -> Iterator[WebServer]:
    """A server on a loop of its own: the commands run loops themselves."""
    made: list[WebServer] = []
    is_up, is_over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with web_server(lambda n, post: status(200 if n == 0 else 500, b"hm")) as one:
            made.append(one)
            is_up.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert is_up.wait(30)
    yield made[0]
    is_over.set()
    thread.join(30)


def test_a_webhook_is_added_tested_listed_and_removed(shell: Shell, server: WebServer) -> None:
    url = server.url().replace("//", "//me:pw@")
    (added,) = shell.json("webhook", "add", "bounce", url, "--version", "2")
    assert {name: added[name] for name in ("id", "type", "url", "version", "backup")} == {
        "id": 1, "type": "bounce", "url": server.url(), "version": 2, "backup": False}  # fmt: skip
    shell("webhook", "add", "bounce", url, code=1)
    shell("webhook", "add", "bounce", "ftp://shop.example/", code=2)
    assert shell.json("webhook", "test", "1")[0]["status"] == 200
    (post,) = server.posts
    (told,) = Verifier(added["secret"]).verify(post.body, post.headers)
    assert (told["event"], post.headers["authorization"]) == ("bounce", "Basic bWU6cHc=")
    (failed,) = shell.json("webhook", "test", "1", code=1)
    assert (failed["status"], failed["trouble"], failed["answer"]) == (500, "answered 500, not 200", "hm")
    assert [call["status"] for call in shell.json("webhook", "log")] == [500, 200]
    assert [call["status"] for call in shell.json("webhook", "log", "--failed", "--account", "shop")] == [500]
    (listed,) = shell.json("webhook", "list")
    assert (listed["status"], listed["waiting"], listed["account"], listed["url"]) == ("alive", 0, "shop", server.url())
    assert shell.json("webhook", "resend", "1") == [{"call": 1, "events": 0}]  # it was a sample: there is no such event
    shell("webhook", "resend", "99", code=3)
    shell("webhook", "remove", "1")
    shell("webhook", "remove", "1", code=3)
    shell("webhook", "test", "1", code=3)
    assert "no webhooks" in shell("webhook", "list").output
