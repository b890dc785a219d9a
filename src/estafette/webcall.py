"""Calls a customer's web address: one request to an address that was judged, no redirect, with deadlines and a cap on what is read. Never raises.

    caller = WebCaller(allowed=[read_network("127.0.0.0/8")])
    answer = await caller.post("https://shop.example/hook", body, {"Content-Type": "application/json"})

Every call has a connection of its own: one that was opened for one name is never used for another that happens to have the same address.
"""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from socket import SOCK_STREAM, getaddrinfo
from typing import Final

import httpx2

from estafette import __version__
from estafette.webguard import Network, Target, is_reachable, read_target

MAX_ANSWER_BYTES: Final = 16_384
RESOLVERS: Final = 4
AGENT: Final = f"Estafette/{__version__}"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """In seconds."""

    connect_s: float = 10.0
    total_s: float = 30.0  # resolving, connecting, sending and reading together


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call."""

    status: int = 0  # 0 = there was no answer
    body: bytes = b""  # its beginning
    error: str = ""  # why there was no answer
    is_forbidden: bool = False  # the address leads where it must not: nothing was sent


Resolve = Callable[[str, int], Awaitable[list[str]]]


class WebCaller:
    """One per process."""

    def __init__(self, allowed: Sequence[Network] = (), deadlines: Deadlines = Deadlines(), resolve: Resolve | None = None) -> None:
        self._allowed = tuple(allowed)
        self._deadlines = deadlines
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="webcall-dns")  # a name server that hangs holds up calls only
        self._resolve = resolve or self._lookup
        self._tls = ssl.create_default_context()

    def trust(self, authority_pem: str) -> None:
        """Believe a further certificate authority. Raises ssl.SSLError."""
        self._tls.load_verify_locations(cadata=authority_pem)

    def close(self) -> None:
        """Look up no more names."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One POST; of the answer its beginning."""
        return await self._call("POST", url, body, headers, MAX_ANSWER_BYTES)

    async def get(self, url: str, limit: int) -> Answer:
        """One GET; of the answer `limit` octets."""
        return await self._call("GET", url, b"", {}, limit)

    async def _call(self, method: str, url: str, body: bytes, headers: Mapping[str, str], limit: int) -> Answer:
        try:
            target = read_target(url)
        except ValueError as error:
            return Answer(error=f"the address {error}", is_forbidden=True)
        try:
            async with asyncio.timeout(self._deadlines.total_s):
                addresses = await self._resolve(target.host, target.port)
                if not addresses or not all(is_reachable(address, self._allowed) for address in addresses):
                    why = "leads into a network that is not allowed" if addresses else "has no address"
                    return Answer(error=f"{target.host} {why}", is_forbidden=bool(addresses))
                return await self._send(method, target, addresses[0], body, headers, limit)
        except TimeoutError:
            return Answer(error=f"no answer within {self._deadlines.total_s:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:  # ssl.SSLError is an OSError, UnicodeError a ValueError
            return Answer(error=f"{type(error).__name__}: {error}"[:300])

    async def _send(self, method: str, target: Target, address: str, body: bytes, headers: Mapping[str, str], limit: int) -> Answer:
        host = f"[{address}]" if ":" in address else address
        url = f"{'https' if target.is_tls else 'http'}://{host}:{target.port}{target.path}"
        given = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers, "Host": target.host_header}
        if target.user or target.password:
            given["Authorization"] = "Basic " + base64.b64encode(f"{target.user}:{target.password}".encode()).decode()
        timeout = httpx2.Timeout(self._deadlines.total_s, connect=self._deadlines.connect_s)
        async with (
            httpx2.AsyncClient(verify=self._tls, trust_env=False, follow_redirects=False, timeout=timeout) as client,
            client.stream(method, url, content=body, headers=given, extensions={"sni_hostname": target.host.rstrip(".")}) as response,
        ):
            read = bytearray()
            async for chunk in response.aiter_raw():  # never unpacked
                read += chunk[: limit - len(read)]
                if len(read) >= limit:
                    break
            return Answer(response.status_code, bytes(read))

    async def _lookup(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, lambda: getaddrinfo(host, port, type=SOCK_STREAM))
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
