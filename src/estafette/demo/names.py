"""The DNS of the simulated Internet: every provider has an address of its own on loopback. Pure but for the UDP protocol around it."""

import asyncio
import contextlib
from typing import Final

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from estafette.demo.providers import ANY, PROVIDERS, Provider, provider_of

TTL_S: Final = 60


def address_of(provider: Provider) -> str:
    """127.0.77.1, 127.0.77.2, ... in the order of the table; the last is for all other domains."""
    number = PROVIDERS.index(provider) + 1 if provider in PROVIDERS else len(PROVIDERS) + 1
    return f"127.0.77.{number}"


def host_of(provider: Provider) -> str:
    """The MX host of a provider."""
    return f"mx.{provider.domains[0]}" if provider is not ANY else "mx.any.test"


def answer(query: dns.message.Message) -> dns.message.Message:
    """The answer to a question: MX for domains, A for MX hosts."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA | dns.flags.RA
    if not query.question:
        return response
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    kind = dns.rdatatype.to_text(question.rdtype)
    if name.startswith("nxdomain"):
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif kind == "MX" and not name.startswith("mx."):
        response.answer.append(dns.rrset.from_text(question.name, TTL_S, "IN", "MX", f"10 {host_of(provider_of(name))}."))
    elif kind == "A":
        provider = ANY if name == "mx.any.test" else provider_of(name.removeprefix("mx."))
        response.answer.append(dns.rrset.from_text(question.name, TTL_S, "IN", "A", address_of(provider)))
    return response


class NameServer(asyncio.DatagramProtocol):
    """DNS over UDP."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer what can be understood."""
        with contextlib.suppress(Exception):
            self._transport.sendto(answer(dns.message.from_wire(data)).to_wire(), addr)  # type: ignore[attr-defined]
