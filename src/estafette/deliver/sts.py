"""MTA-STS policies of domains (RFC 8461): asked for by DNS, fetched by HTTPS, remembered in memory and in the store until they end.

    demand = await keeper.demand(domain)        # never raises; at most `FETCH_S` the first time, then from memory
"""

import asyncio
import ssl
from typing import Final

import httptools

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.deliver.answers import AnswerKind
from estafette.deliver.demand import FREE, PROVED, Demand
from estafette.deliver.dns import Resolver
from estafette.mail.mta_sts import ENFORCE, MAX_POLICY_BYTES, NONE, StsPolicy, read_policy, read_record
from estafette.store.seam import Store, StoreFault

FETCH_S: Final = 15.0
LOOK_AGAIN_S: Final = 3600.0
"""How long what a domain says is believed before its record is looked at again; a policy that is no longer announced holds until its end all the same."""
FAILED_S: Final = 300.0
MAX_DOMAINS: Final = 50_000


class PolicyKeeper:
    """See the module. `floor` is what the operator asks for whatever a domain says."""

    def __init__(self, store: Store, resolver: Resolver, clock: Clock, floor: Demand = FREE, *, is_on: bool = True, port: int = 443,
                 context: ssl.SSLContext | None = None) -> None:  # fmt: skip
        self._store = store
        self._resolver = resolver
        self._clock = clock
        self._floor = floor
        self._is_on = is_on
        self._port = port
        self._context = context
        self._known: dict[str, tuple[Demand, float]] = {}
        self._asking: dict[str, asyncio.Task[Demand]] = {}

    def known(self, domain: str) -> Demand | None:
        """What is known without asking anybody."""
        if not self._is_on or domain.startswith("["):
            return self._floor
        found = self._known.get(domain)
        return found[0] if found is not None and found[1] > self._clock.monotonic() else None

    async def demand(self, domain: str) -> Demand:
        """What TLS mail to a domain needs."""
        if (known := self.known(domain)) is not None:
            return known
        task = self._asking.get(domain)
        if task is None:
            task = self._asking[domain] = asyncio.create_task(self._look_up(domain))
            task.add_done_callback(lambda _: self._asking.pop(domain, None))
        return await asyncio.shield(task)

    async def _look_up(self, domain: str) -> Demand:
        patience_s = LOOK_AGAIN_S
        try:
            policy = await self._policy(domain)
        except Exception as fault:  # outermost frame: who waits holds messages; a policy that cannot be fetched is no policy (RFC 8461 3.3)
            maillog.sts_unavailable(domain, str(fault) or type(fault).__name__)
            policy, patience_s = None, FAILED_S
        demand = self._floor
        if policy is not None and policy.mode != NONE:
            is_testing = policy.mode != ENFORCE
            demand = Demand(self._floor.level if is_testing else PROVED, policy.mx, f"MTA-STS of {domain} ({policy.mode})", "sts",
                            "\n".join(policy.lines), is_testing)  # fmt: skip
        while len(self._known) >= MAX_DOMAINS:
            del self._known[next(iter(self._known))]
        self._known[domain] = demand, self._clock.monotonic() + patience_s
        return demand

    async def _policy(self, domain: str) -> StsPolicy | None:
        now = self._clock.now_us()
        answer = await self._resolver.ask(f"_mta-sts.{domain}", "TXT")
        record_id = read_record([text for text in answer.records if isinstance(text, str)])
        kept = await self._kept(domain, now)
        if kept is not None and record_id in ("", kept[0]):
            return read_policy(kept[1].encode())
        if not record_id:
            if answer.kind is AnswerKind.FAILED:
                raise ValueError(f"_mta-sts.{domain}: {answer.why}")
            return None
        try:
            async with asyncio.timeout(FETCH_S):
                data = await self._fetch(domain)
            policy = read_policy(data)
        except (OSError, ValueError, TimeoutError, httptools.HttpParserError) as error:  # ssl.SSLError is an OSError
            if kept is None:
                raise
            maillog.sts_unavailable(domain, str(error) or type(error).__name__)
            return read_policy(kept[1].encode())
        await self._store.tls.keep_policy(domain, record_id, data.decode(), now + policy.max_age_s * SECOND_US)
        return policy

    async def _kept(self, domain: str, now: int) -> tuple[str, str, int] | None:
        try:
            return await self._store.tls.policy(domain, now)
        except StoreFault:
            return None

    async def _fetch(self, domain: str) -> bytes:
        """The file, over TLS that is verified; redirects are not followed (RFC 8461 3.3). Raises OSError, ValueError, HttpParserError."""
        host = f"mta-sts.{domain}"
        answers = await asyncio.gather(*(self._resolver.ask(host, kind) for kind in ("A", "AAAA")))
        addresses = [record for answer in answers for record in answer.records if isinstance(record, str)]
        if not addresses:
            raise ValueError(f"{host} has no address")
        context = self._context or ssl.create_default_context()
        reader, writer = await asyncio.open_connection(addresses[0], self._port, ssl=context, server_hostname=host)
        try:
            writer.write(f"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Estafette\r\nConnection: close\r\n\r\n".encode())
            page = _Page()
            parser = httptools.HttpResponseParser(page)
            while not page.is_complete and (data := await reader.read(16_384)):
                parser.feed_data(data)
        finally:
            writer.close()
        if parser.get_status_code() != 200 or not page.is_complete:
            raise ValueError(f"https://{host} answered {parser.get_status_code()}")
        return bytes(page.body)


class _Page:
    """What httptools tells of an answer."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.is_complete = False

    def on_body(self, data: bytes) -> None:
        """A piece."""
        self.body += data
        if len(self.body) > MAX_POLICY_BYTES:
            raise ValueError(f"more than {MAX_POLICY_BYTES} octets")

    def on_message_complete(self) -> None:
        """The end."""
        self.is_complete = True
