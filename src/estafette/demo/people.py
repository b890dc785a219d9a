"""The readers: what they do with a mail over HTTP and SMTP. Only loopback is ever contacted."""

import asyncio
import email
import email.message
import email.policy
import html
import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

import httpx2

from estafette.clock import Clock
from estafette.deliver.connection import Fault, Link, Policy, open_connection
from estafette.demo.ledger import Ledger
from estafette.demo.letters import Letter, Received, auto_reply, complaint, late_bounce
from estafette.demo.providers import Act, chance, provider_of
from estafette.mail.smtp.client import Transaction

AGENTS: Final = {
    "gmail": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "yahoo": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "apple": "Mozilla/5.0",
    "": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.4.0",
}
OURS: Final = ("/u/", "/p/", "/s/")
"""What leads to pages of ours and measures nobody."""
BROWSER: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
SCANNER: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0 Safari/537.36"
SCANS_FROM: Final = "127.0.78.1"
"""Scanners have a network of their own: what they do is not held against a reader."""
DELAYS_S: Final = {
    Act.SCAN: (0.2, 0.8), Act.PROXY_OPEN: (0.3, 1.5), Act.AUTO_REPLY: (0.5, 2.0), Act.LATE_BOUNCE: (1.0, 5.0), Act.OPEN: (4.0, 12.0),
    Act.CLICK: (13.0, 20.0), Act.UNSUBSCRIBE: (21.0, 25.0), Act.COMPLAINT: (13.0, 20.0),
}  # fmt: skip
"""Shortest and longest time after the mail was taken in, at pace 1."""
_IMAGE = re.compile(r"""<img[^>]*?\ssrc\s*=\s*["']?(https?://[^"'\s>]+)""", re.I)
_ANCHOR = re.compile(r"<a\s[^>]*>", re.I)
_LINK = re.compile(r"""\shref\s*=\s*["']?(https?://[^"'\s>]+)""", re.I)
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)


class People:
    """All readers of the simulated Internet. `pace` 1 = the delays above, 0 = at once."""

    def __init__(self, seed: int, clock: Clock, ledger: Ledger, inbound_port: int, fbl_address: str, pace: float) -> None:
        self._seed = seed
        self._clock = clock
        self._ledger = ledger
        self._inbound_port = inbound_port
        self._fbl_address = fbl_address
        self._pace = pace
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = httpx2.AsyncClient(timeout=10, follow_redirects=False)
        self._scanner = httpx2.AsyncClient(timeout=10, follow_redirects=False, transport=httpx2.AsyncHTTPTransport(local_address=SCANS_FROM))
        self.faults: list[str] = []

    def send_to(self, inbound_port: int) -> None:
        """Where bounces, complaints and replies go from now on."""
        self._inbound_port = inbound_port

    def receive(self, mail: Received, mail_id: str, acts: tuple[Act, ...]) -> None:
        """A mail lies in a mailbox: its reader begins."""
        for act in acts:
            task = asyncio.create_task(self._later(act, mail, mail_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @property
    def busy(self) -> int:
        """How much is still going to happen."""
        return len(self._tasks)

    async def close(self) -> None:
        """Nothing more happens."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()
        await self._scanner.aclose()

    async def _later(self, act: Act, mail: Received, mail_id: str) -> None:
        low, high = DELAYS_S[act]
        await asyncio.sleep(self._pace * (low + (high - low) * chance(self._seed, "delay", act, mail.recipient, mail_id)))
        try:
            if await self._do(act, mail):
                self._ledger.acted(mail.recipient, mail_id, act.value)
        except (httpx2.HTTPError, Fault, OSError) as error:
            self.faults.append(f"{act} of {mail.recipient}: {error}")

    async def _do(self, act: Act, mail: Received) -> bool:
        """True when it reached the platform."""
        proxy = provider_of(mail.recipient.rpartition("@")[2]).proxy
        if act is Act.LATE_BOUNCE:
            return await self._send(late_bounce(self._seed, mail))
        if act is Act.AUTO_REPLY:
            return await self._send(auto_reply(mail))
        if act is Act.COMPLAINT:
            return bool(self._fbl_address) and await self._send(complaint(mail, self._fbl_address))
        page = _html_of(mail.content)
        if act in (Act.OPEN, Act.PROXY_OPEN):
            return any([await self._get(url, AGENTS[proxy]) for url in _IMAGE.findall(page)])
        if act is Act.CLICK:
            wanted = [url for url in links_of(page, is_seen=True) if not urlsplit(url).path.startswith(OURS)]
            return bool(wanted) and await self._get(wanted[int(chance(self._seed, "which", mail.recipient) * len(wanted))], BROWSER)
        if act is Act.SCAN:
            return any([await self._get(url, SCANNER, self._scanner) for url in links_of(page)])
        return await self._unsubscribe(mail)

    async def _get(self, url: str, agent: str, client: httpx2.AsyncClient | None = None) -> bool:
        if not _is_here(url):
            return False
        return (await (client or self._http).get(html.unescape(url), headers={"User-Agent": agent})).status_code < 400

    async def _unsubscribe(self, mail: Received) -> bool:
        """One click, as a mail program does it (RFC 8058)."""
        url = next((u for u in re.findall(r"<(https?://[^>]+)>", mail.field("List-Unsubscribe"))), "")
        if not url or not _is_here(url) or not mail.field("List-Unsubscribe-Post"):
            return False
        answer = await self._http.post(url, data={"List-Unsubscribe": "One-Click"}, headers={"User-Agent": AGENTS[""]})
        return answer.status_code < 300

    async def _send(self, letter: Letter) -> bool:
        if not self._inbound_port:
            return False
        link = Link("inbound", "127.0.0.1", self._inbound_port)
        connection = await open_connection(link, Policy("mx.any.test", 5.0, 10.0, 10.0, "never"))
        try:
            result = await connection.send(Transaction(letter.sender, (letter.recipient,), letter.content, is_8bit=not letter.content.isascii()))
        finally:
            connection.quit()
        if result.reply.code >= 300:
            self.faults.append(f"{letter.recipient}: {result.reply}")
        return result.reply.code < 300


def links_of(page: str, *, is_seen: bool = False) -> list[str]:
    """Where the links of a page lead; with `is_seen` only those that a person sees."""
    anchors = [anchor for anchor in _ANCHOR.findall(page) if not (is_seen and _HIDDEN.search(anchor))]
    return [html.unescape(found[1]) for anchor in anchors if (found := _LINK.search(anchor))]


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _html_of(content: bytes) -> str:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    part = message.get_body(("html",))
    try:
        return str(part.get_content()) if part is not None else ""
    except (LookupError, ValueError):
        return ""
