"""A scripted DNS server on loopback, UDP and TCP on one port: answers from a zone that is a dictionary, and misbehaves for the names it is told to.

The zone maps (name, type) to values in presentation format: `{("a.test", "MX"): ["10 mx.a.test"], ("mx.a.test", "A"): ["127.0.0.2"]}`. The null MX is
`["0 ."]`. A name without any record is NXDOMAIN, a name without this type is an empty answer. A CNAME is followed within the zone, as a recursive
server does. Zone and behaviours may be changed while it runs. `python -m tests.world.dns '{"a.test MX": ["10 mx.a.test"]}'` runs it on its own.
"""

import argparse
import asyncio
import json
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TRIES_FOR_A_PORT = 20
TCP_IDLE_S = 10.0
MAX_CNAMES = 16


class How(Enum):
    """What the server does with a question that it could answer."""

    ANSWER = "answer"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    NXDOMAIN = "nxdomain"
    TIMEOUT = "timeout"  # says nothing at all
    TRUNCATED = "truncated"  # TC and no records over UDP, everything over TCP
    WRONG_ID = "wrong id"  # the right answer under a query id that nobody asked with
    ALIAS_ONLY = "alias only"  # a CNAME without what it leads to, and no recursion offered
    GARBAGE = "garbage"  # octets that are not a DNS message


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a name is answered, and after which pause."""

    how: How = How.ANSWER
    delay_s: float = 0.0


Script = Behaviour | How | Sequence[Behaviour | How]
"""One behaviour for ever, or one for each question in turn, of which the last stays."""


class DnsServer:
    """The server; `async with DnsServer(zone) as server:` runs it on a port that the kernel chose."""

    def __init__(
        self,
        zone: Mapping[tuple[str, str], Sequence[str]] | None = None,
        behaviours: Mapping[str, Script] | None = None,
        *,
        ttl_s: int = 60,
        address: str = "127.0.0.1",
        default: How = How.NXDOMAIN,
        is_authentic: bool = False,
    ) -> None:
        """`default` is what names without any record get: NXDOMAIN, SERVFAIL or REFUSED. Names are written without the final dot. `is_authentic`: it says
        that it has checked the signatures (AD)"""
        self.zone = {(name.lower(), kind): list(values) for (name, kind), values in (zone or {}).items()}
        self.behaviours: dict[str, Script] = {name.lower(): behaviour for name, behaviour in (behaviours or {}).items()}
        self.address = address
        self.port = 0
        self.questions: Counter[tuple[str, str]] = Counter()  # (name, type) → how often it was asked, over UDP and TCP together
        self.over: Counter[str] = Counter()  # "udp" and "tcp" → questions
        self._ttl_s = ttl_s
        self._default = default
        self._is_authentic = is_authentic
        self._turns: Counter[str] = Counter()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException | None] = []  # of this server: a bug here must not look like silence

    @property
    def server(self) -> str:
        """`address:port`, as in the setting delivery.dns."""
        return f"{self.address}:{self.port}"

    def asked(self, name: str, kind: str) -> int:
        """How often a question came."""
        return self.questions[name.lower(), kind]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(TRIES_FOR_A_PORT):
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=(self.address, 0))
            self.port = self._udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._serve_tcp, self.address, self.port)
                return self
            except OSError:  # somebody has this TCP port: another pair, then
                self._udp.close()
        raise RuntimeError("found no port that is free for UDP and for TCP")

    async def __aexit__(self, *_: object) -> None:
        assert self._udp is not None and self._tcp is not None
        self._udp.close()
        self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tcp.wait_closed()
        if self._faults:
            raise RuntimeError("the scripted DNS server failed") from self._faults[0]

    def start(self, task: asyncio.Task[None]) -> None:
        """Keep a task alive and end it with the server."""
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._faults.append(task.exception())

    async def answer(self, wire: bytes, transport: str) -> bytes | None:
        """The octets to send for a question; None: none. Over UDP they fit the size that the question allows."""
        try:
            query = dns.message.from_wire(wire)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.questions[name, kind] += 1
        self.over[transport] += 1
        behaviour = self._behaviour_of(name)
        if behaviour.delay_s:
            await asyncio.sleep(behaviour.delay_s)
        if behaviour.how is How.TIMEOUT:
            return None
        if behaviour.how is How.GARBAGE:
            return wire[:2] + b"\xff" * 9
        response = dns.message.make_response(query, recursion_available=behaviour.how is not How.ALIAS_ONLY)
        if behaviour.how is How.WRONG_ID:
            response.id = query.id ^ 0xFFFF
        if behaviour.how in _RCODES:
            response.set_rcode(_RCODES[behaviour.how])
        elif behaviour.how is How.TRUNCATED and transport == "udp":
            response.flags |= dns.flags.TC
        else:
            self._fill(response, question.name, kind, alias_only=behaviour.how is How.ALIAS_ONLY)
        if self._is_authentic:
            response.flags |= dns.flags.AD
        if transport == "tcp":
            return response.to_wire(max_size=65_535)
        try:
            return response.to_wire(max_size=max(512, query.payload))
        except dns.exception.TooBig:
            for section in response.sections[1:]:
                section.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()

    def _behaviour_of(self, name: str) -> Behaviour:
        script = self.behaviours.get(name, Behaviour())
        if isinstance(script, Sequence):
            turn = min(self._turns[name], len(script) - 1)
            self._turns[name] += 1
            script = script[turn]
        return Behaviour(script) if isinstance(script, How) else script

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: str, *, alias_only: bool) -> None:
        for _ in range(MAX_CNAMES):
            text = name.to_text(omit_final_dot=True).lower()
            values = self.zone.get((text, kind))
            if values:
                response.answer.append(dns.rrset.from_text_list(name, self._ttl_s, "IN", kind, [_absolute(value, kind) for value in values]))
                return
            alias = self.zone.get((text, "CNAME"))
            if not alias:
                if not any(known == text for known, _ in self.zone):
                    response.set_rcode(_RCODES[self._default])
                return
            target = dns.name.from_text(alias[0])
            response.answer.append(dns.rrset.from_text_list(name, self._ttl_s, "IN", "CNAME", [target.to_text()]))
            if alias_only:
                return
            name = target
        response.set_rcode(dns.rcode.SERVFAIL)  # a circle of aliases

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.start(task)
        try:
            async with asyncio.timeout(TCP_IDLE_S):
                while True:
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    answer = await self.answer(await reader.readexactly(length), "tcp")
                    if answer is not None:
                        writer.write(struct.pack("!H", len(answer)) + answer)
                        await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            pass  # they left, we stop, or they stayed too long
        finally:
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.start(asyncio.ensure_future(self._reply(data, addr)))

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = await self._server.answer(data, "udp")
        if answer is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(answer, addr)


_RCODES = {How.SERVFAIL: dns.rcode.SERVFAIL, How.REFUSED: dns.rcode.REFUSED, How.NXDOMAIN: dns.rcode.NXDOMAIN}


def _absolute(value: str, kind: str) -> str:
    """A value with its host name made absolute, so that the zone can be written without final dots."""
    if kind in ("MX", "CNAME", "NS", "PTR", "SRV") and not value.endswith("."):
        return value + "."
    if kind == "TXT" and not value.startswith('"'):
        pieces = [value[start : start + 200].replace("\\", "\\\\").replace('"', '\\"') for start in range(0, len(value), 200)]
        return " ".join(f'"{piece}"' for piece in pieces) or '""'
    return value


async def _run(zone: dict[tuple[str, str], list[str]], lifetime_s: float) -> None:
    async with DnsServer(zone) as server:
        print(f"ready {server.server}", flush=True)
        await asyncio.sleep(lifetime_s)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zone", help='JSON: {"name TYPE": [values]}')
    parser.add_argument("--lifetime-s", type=float, default=3600.0)
    given = parser.parse_args()
    asyncio.run(_run({(key.split(" ")[0], key.split(" ")[1]): values for key, values in json.loads(given.zone).items()}, given.lifetime_s))
