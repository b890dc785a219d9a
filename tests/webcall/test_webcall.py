"""Calls to customers' web addresses: where they may lead, and what a hostile server can do."""

import ssl

import pytest
import trustme

from estafette.webcall import MAX_ANSWER_BYTES, Deadlines, WebCaller
from estafette.webguard import Target, is_reachable, read_network, read_target
from tests.webcall.endpoint import status, web_server

LOOPBACK = [read_network("127.0.0.0/8")]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::",
        "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "", "localhost",
    ],
)  # fmt: skip
def test_what_is_not_reached(address: str) -> None:
    assert not is_reachable(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_what_is_reached(address: str) -> None:
    assert is_reachable(address)


def test_an_operator_may_name_networks() -> None:
    assert is_reachable("127.0.0.1", LOOPBACK)
    assert is_reachable("::ffff:127.0.0.1", LOOPBACK)
    assert not is_reachable("10.0.0.1", LOOPBACK)
    assert not is_reachable("::1", LOOPBACK)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://Shop.Example/hook?a=b", Target(True, "shop.example", 443, "/hook?a=b")),
        ("http://us%40er:p%3Aw@shop.example:8080", Target(False, "shop.example", 8080, "/", "us@er", "p:w")),
        ("http://[::1]:81/", Target(False, "::1", 81, "/")),
    ],
)
def test_an_address_is_taken_apart(url: str, read: Target) -> None:
    assert read_target(url) == read


@pytest.mark.parametrize(
    "url",
    ["", "shop.example/hook", "ftp://shop.example/", "file:///etc/passwd", "http://", "http:///x", "http://a b/", "http://shop.example/\r\nX: y", "http://a/#x",
     "http://shop.example:99999/", "http://shop.example:0/", "http://-a-/", "http://é.example/", "http://a\\@b/", "http://[::1/", "http://" + "a" * 300 + "/",
     "http://a.example/" + "x" * 3000],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|does) "):
        read_target(url)


async def test_a_post_arrives_with_its_name_and_login() -> None:
    async with web_server(lambda n, post: status(201, b"thanks")) as server:

        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"] if host == "shop.example" else []

        caller = WebCaller(LOOPBACK, resolve=resolve)
        answer = await caller.post(f"http://me:secret@shop.example:{server.port}/in?x=1", b"{}", {"Content-Type": "application/json"})
        assert (answer.status, answer.body, answer.error) == (201, b"thanks", "")
        (post,) = server.posts
        assert (post.path, post.body, post.headers["host"]) == ("/in?x=1", b"{}", f"shop.example:{server.port}")
        assert post.headers["authorization"] == "Basic bWU6c2VjcmV0"
        assert (await caller.post("http://gone.example/", b"", {})).error == "gone.example has no address"
        caller.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "rebind.example"])
async def test_nothing_is_sent_into_a_network_that_is_not_allowed(host: str) -> None:
    async with web_server() as server:

        async def rebinding(host: str, port: int) -> list[str]:
            return ["1.1.1.1", "127.0.0.1"]

        caller = WebCaller(resolve=rebinding if "rebind" in host else None)
        answer = await caller.post(f"http://{host}:{server.port}/", b"", {})
        assert (answer.status, answer.is_forbidden) == (0, True)
        assert "not allowed" in answer.error
        assert server.connections == 0
        caller.close()


async def test_redirects_are_not_followed_and_answers_are_cut() -> None:
    async with web_server() as inner:
        replies = [status(302, b"", f"Location: {inner.url()}"), status(200, b"x" * 1_000_000)]
        async with web_server(lambda n, post: replies[n]) as server:
            caller = WebCaller(LOOPBACK)
            assert (await caller.post(server.url(), b"", {})).status == 302
            assert inner.connections == 0
            assert len((await caller.post(server.url(), b"", {})).body) == MAX_ANSWER_BYTES
            caller.close()


async def test_trouble_is_a_value() -> None:
    replies = [None, b"SSH-2.0-OpenSSH\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"]
    async with web_server(lambda n, post: replies[n]) as server:
        caller = WebCaller(LOOPBACK, Deadlines(total_s=0.5))
        assert (await caller.post(server.url(), b"", {})).error == "no answer within 0.5 s"
        caller = WebCaller(LOOPBACK)
        for _ in replies[1:]:
            answer = await caller.post(server.url(), b"", {})
            assert answer.status == 0
            assert answer.error
        port = server.port
    assert (await caller.post(f"http://127.0.0.1:{port}/", b"", {})).error.startswith("ConnectError")
    caller.close()


async def test_a_certificate_is_for_the_name_although_the_address_is_connected_to() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("shop.example").configure_cert(context)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with web_server(tls=context) as server:
        caller = WebCaller(LOOPBACK, resolve=resolve)
        assert "CERTIFICATE_VERIFY_FAILED" in (await caller.post(f"https://shop.example:{server.port}/", b"", {})).error
        caller.trust(authority.cert_pem.bytes().decode())
        assert (await caller.post(f"https://shop.example:{server.port}/", b"", {})).status == 200
        assert "CERTIFICATE_VERIFY_FAILED" in (await caller.post(f"https://other.example:{server.port}/", b"", {})).error
        caller.close()
