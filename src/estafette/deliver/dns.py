"""The resolver: asks DNS servers through dnspython and remembers, bound by TTL, what they said; one question under way per name and type.

Names that only alias others (CNAME) are followed. Everything that a server says is bounded in number and time.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver

from estafette import maillog
from estafette.clock import Clock
from estafette.deliver.answers import FAILED_TTL_S, NEGATIVE_TTL_S, Answer, AnswerKind, read_response

CACHE_ENTRIES: Final = 50_000
MAX_CNAMES: Final = 8
ROUNDS: Final = 2  # how often each server is asked before we say that nobody answered


class Resolver(Protocol):
    """What the rest of deliver/ asks of the DNS."""

    async def ask(self, name: str, kind: str) -> Answer:
        """The answer to a question; `kind` is MX, A, AAAA, TXT, PTR or TLSA. Never raises."""


class DnsResolver:
    """A resolver over real servers. `servers` are (address, port); empty: those of the machine."""

    def __init__(self, servers: Sequence[tuple[str, int]], timeout_s: float, clock: Clock) -> None:
        self._servers = list(servers) or _of_the_machine()
        self._timeout_s = timeout_s
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[Answer, float]] = {}
        self._under_way: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def ask(self, name: str, kind: str) -> Answer:
        """From memory while it is valid, else from the servers."""
        question = (name.lower().rstrip("."), kind)
        known = self._known.get(question)
        if known is not None and known[1] > self._clock.monotonic():
            return known[0]
        task = self._under_way.get(question)
        if task is None:
            task = asyncio.create_task(self._look_up(question))
            self._under_way[question] = task
            task.add_done_callback(lambda _: self._under_way.pop(question, None))
        return await asyncio.shield(task)

    async def _look_up(self, question: tuple[str, str]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._follow(*question)
        except TimeoutError:
            answer = Answer(AnswerKind.FAILED, ttl_s=FAILED_TTL_S, why=f"no DNS server answered within {self._timeout_s:g} s", is_ours=True)
        except Exception as fault:  # outermost frame: whoever waits for the answer holds messages
            maillog.fault("dns", " ".join(question), fault)
            answer = Answer(AnswerKind.FAILED, ttl_s=FAILED_TTL_S, why=f"the question could not be asked: {fault!r}", is_ours=True)
        while len(self._known) >= CACHE_ENTRIES:
            del self._known[next(iter(self._known))]
        self._known.pop(question, None)
        self._known[question] = (answer, self._clock.monotonic() + answer.ttl_s)
        return answer

    async def _follow(self, name: str, kind: str) -> Answer:
        """Ask, and ask again for the name that an alias leads to when the server did not follow it itself."""
        for _ in range(MAX_CNAMES):
            try:
                query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
                query.flags |= dns.flags.AD  # RFC 6840 5.7: tell us whether it was verified
            except (dns.exception.DNSException, ValueError, UnicodeError) as error:
                return Answer(AnswerKind.NXDOMAIN, ttl_s=NEGATIVE_TTL_S, why=f"not a name that can be looked up: {error}")
            response = await self._exchange(query)
            if isinstance(response, Answer):
                return response
            answer, alias = read_response(response, kind)
            if alias is None:
                return answer
            name = alias
        return Answer(AnswerKind.FAILED, ttl_s=FAILED_TTL_S, why=f"more than {MAX_CNAMES} aliases (CNAME)")

    async def _exchange(self, query: dns.message.QueryMessage) -> dns.message.QueryMessage | Answer:
        """Each server in turn, twice; the first that answers in earnest is believed."""
        patience_s = self._timeout_s / (len(self._servers) * ROUNDS)
        why, is_ours = "no DNS server is configured", True
        for _ in range(ROUNDS):
            for address, port in self._servers:
                try:
                    response, _ = await dns.asyncquery.udp_with_fallback(
                        query, address, timeout=patience_s, port=port, ignore_unexpected=True, ignore_errors=True
                    )  # what strangers send us is no answer: the right one is waited for
                except dns.exception.Timeout:
                    why = f"DNS server {address} does not answer"
                    continue
                except (dns.exception.DNSException, OSError, EOFError) as error:
                    why = f"DNS server {address}: {error or type(error).__name__}"
                    continue
                if isinstance(response, dns.message.QueryMessage) and response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    return response
                why, is_ours = f"DNS server {address} answered {dns.rcode.to_text(response.rcode())}", False
        return Answer(AnswerKind.FAILED, ttl_s=FAILED_TTL_S, why=why, is_ours=is_ours)


def _of_the_machine() -> list[tuple[str, int]]:
    try:
        return [(str(server), 53) for server in dns.resolver.Resolver().nameservers]
    except dns.resolver.NoResolverConfiguration:
        return [("127.0.0.1", 53)]
