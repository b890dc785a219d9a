"""Receiving mail servers that defer, refuse, break off and forget, and the DNS that leads to them.

Each provider is one domain with one or more MX hosts. What a mailbox does is told by the local part of its address (`nobody-`, `full-`, `grey-`,
`spam-`, anything else is a good mailbox); on top of that every provider fails at random, as `Manners` says.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from estafette.deliver.answers import Answer, AnswerKind, Mx
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import End, Network
from tests.simulation.workers import MX_PORT


@dataclass(frozen=True, slots=True)
class Manners:
    """How a provider behaves; shares of commands or mails unless said otherwise."""

    defer: float = 0.0  # 4xx to a command
    refuse: float = 0.0  # 5xx to RCPT or content
    busy: float = 0.0  # 421 at the greeting
    lost_reply: float = 0.0  # takes the mail and breaks off before saying so
    drop: float = 0.0  # breaks off at a command
    slow: float = 0.0  # answers after `slow_s`
    slow_s: float = 20.0
    garbage: float = 0.0  # answers with what is not SMTP
    down: float = 0.0  # share of the time in which nobody listens
    broken_tls: float = 0.0  # handshakes that fail
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING")


class Watch(Protocol):
    """Who looks on."""

    def attempt_begins(self, reverse_path: str, end: End) -> int: ...
    def took(self, message_id: int, recipient: str, reverse_path: str, content: bytes, end: End) -> None: ...


@dataclass(slots=True)
class Provider:
    """One receiving organisation."""

    domain: str
    hosts: dict[str, str]  # MX host → address
    manners: Manners
    chance: random.Random
    seen: dict[str, int] = field(default_factory=dict)  # grey addresses
    moved_in: set[str] = field(default_factory=set)  # mailboxes that exist now
    is_calm: bool = False  # no more random failures
    is_down: bool = False

    def happens(self, share: float) -> bool:
        return share > 0 and not self.is_calm and self.chance.random() < share


class MxProtocol(asyncio.Protocol):
    """One session of a receiving server, written from RFC 5321 and not from our own code."""

    def __init__(self, provider: Provider, watch: Watch, loop: SimulatedLoop) -> None:
        self.p = provider
        self.watch = watch
        self.loop = loop
        self.end: End
        self.buffer = b""
        self.is_busy = False  # thinking: what comes meanwhile waits
        self.is_over = False
        self.coming, self.coming_from = 0, ""
        self.forget()
        self.in_data = False
        self.wanted = -1  # octets of the current BDAT chunk that are to come
        self.refusal = ""

    def forget(self) -> None:
        self.message_id, self.recipient, self.reverse_path, self.content = 0, "", "", b""
        self.has_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.end = transport  # type: ignore[assignment]
        if "STARTTLS" in self.p.manners.extensions and self.p.happens(self.p.manners.broken_tls):
            self.end.tls = self.p.chance.choice(["broken", "silent"])
        if self.p.happens(self.p.manners.busy):
            self.say("421 4.3.2 too busy, try again later")
            self.leave()
        elif self.p.happens(self.p.manners.drop):
            self.cut()
        else:
            self.say(f"220 {self.p.domain} ESMTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = True

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.pump()

    def say(self, line: str) -> None:
        self.end.write(line.encode() + b"\r\n")

    def leave(self) -> None:
        self.is_over = True
        self.end.close()

    def cut(self) -> None:
        self.is_over = True
        self.end.abort()

    def pump(self) -> None:
        while not self.is_busy and not self.is_over:
            if self.wanted >= 0:
                if len(self.buffer) < self.wanted:
                    return
                self.content, self.buffer, self.wanted = self.buffer[: self.wanted], self.buffer[self.wanted :], -1
                self.end_of_content(self.content)
            elif self.in_data:
                at = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n") + 2
                if at == 1:
                    return
                content, self.buffer = self.buffer[:at], self.buffer[at + 3 :]
                self.in_data = False
                self.end_of_content(content.replace(b"\r\n..", b"\r\n."))
            else:
                line, found, rest = self.buffer.partition(b"\r\n")
                if not found:
                    return
                self.buffer = rest
                if line[:4].upper() == b"MAIL":  # it begins now, however long we think about it
                    self.coming_from = line.decode().partition("<")[2].partition(">")[0]
                    self.coming = self.watch.attempt_begins(self.coming_from, self.end)
                self.think(lambda line=line: self.command(line.decode()))  # type: ignore[misc]

    def think(self, then: Callable[[], None], *, is_settled: bool = False) -> None:
        """`is_settled`: the whole mail is here, and it is taken though the sender be gone."""
        if not self.p.happens(self.p.manners.slow):
            then()
            return
        self.is_busy = True
        self.loop.call_later(self.p.chance.uniform(0.1, 1.0) * self.p.manners.slow_s, self.thought, then, is_settled)

    def thought(self, then: Callable[[], None], is_settled: bool) -> None:
        self.is_busy = False
        if not self.is_over or is_settled:
            then()
            self.pump()

    def command(self, line: str) -> None:
        manners, happens = self.p.manners, self.p.happens
        verb = line[:4].upper()
        if happens(manners.drop):
            self.cut()
        elif verb == "RSET":
            self.forget()
            self.say("250 2.0.0 ok")
        elif verb not in ("DATA", "BDAT") and happens(manners.garbage):  # there, a chance word could be a promise
            self.forget()
            self.say(self.p.chance.choice(["hello there", "250-and then", "999 what", "2", "250\x00ok", "334 4.4.4 wrong class"]))
        elif verb in ("EHLO", "HELO"):
            self.forget()
            words = [self.p.domain, *(manners.extensions if verb == "EHLO" else ())]
            self.end.write("".join(f"250{' ' if i == len(words) - 1 else '-'}{word}\r\n" for i, word in enumerate(words)).encode())
        elif line.upper() == "STARTTLS":
            self.forget()
            self.say("220 go ahead")
        elif happens(manners.defer):
            words = self.p.chance.choice(["451 4.3.0 try again later", "450 4.7.0 slow down, too many mails", "452 4.3.1 no room", "421 4.7.0 try later"])
            self.say(words)
            if verb == "MAIL":
                self.forget()
            if words.startswith("421"):
                self.leave()
            elif verb == "BDAT":
                self.wanted, self.refusal = int(line.split()[1]), "skip"
        elif verb == "MAIL":
            self.message_id, self.has_mail, self.recipient, self.reverse_path = self.coming, True, "", self.coming_from
            self.say("250 2.1.0 ok")
        elif verb == "RCPT":
            self.rcpt(line.partition("<")[2].partition(">")[0])
        elif verb == "DATA":
            self.in_data = bool(self.recipient)
            self.say("354 go on" if self.recipient else "503 5.5.1 no recipient")
        elif verb == "BDAT":
            self.wanted, self.refusal = int(line.split()[1]), "" if self.recipient else "503 5.5.1 no recipient"
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            self.leave()
        else:
            self.forget()
            self.say("250 2.0.0 ok")

    def rcpt(self, recipient: str) -> None:
        if not self.has_mail:
            self.say("503 5.5.1 no mail")
            return
        kind = recipient.partition("-")[0]
        if kind == "nobody" and recipient not in self.p.moved_in:
            self.say("550 5.1.1 no such user")
        elif kind == "full":
            self.say("452 4.2.2 mailbox full")
        elif self.p.happens(self.p.manners.refuse):
            self.say(self.p.chance.choice(["550 5.1.1 user unknown", "550 5.7.1 denied by policy", "554 5.7.1 blocked"]))
        elif kind == "grey" and self.p.seen.setdefault(recipient, 0) < 2:
            self.p.seen[recipient] += 1
            self.say("451 4.7.1 greylisted, try again in 5 minutes")
        else:
            self.recipient = recipient
            self.say("250 2.1.5 ok")

    def end_of_content(self, content: bytes) -> None:
        if self.refusal:
            if self.refusal != "skip":
                self.say(self.refusal)
            self.refusal = ""
            self.forget()
            return
        self.think(lambda: self.decide(content), is_settled=True)

    def decide(self, content: bytes) -> None:
        manners, happens = self.p.manners, self.p.happens
        message_id, recipient, reverse_path = self.message_id, self.recipient, self.reverse_path
        self.forget()
        if happens(manners.drop):
            self.cut()
        elif happens(manners.defer):
            self.say("451 4.3.0 cannot take it now")
        elif recipient.startswith("spam-") or happens(manners.refuse):
            self.say("554 5.7.1 message content rejected as spam")
        else:
            self.watch.took(message_id, recipient, reverse_path, content, self.end)
            if happens(manners.lost_reply):
                if self.p.chance.random() < 0.5:
                    self.cut()
                return  # or says nothing, ever
            self.say("250 2.0.0 taken")


class SimulatedDns:
    """`deliver.dns.Resolver`: the domains of the providers and some that lead nowhere."""

    def __init__(self, loop: SimulatedLoop, providers: list[Provider], failures: float) -> None:
        self._domains = {p.domain: p for p in providers}
        self._hosts = {host: address for p in providers for host, address in p.hosts.items()}
        self._chance = random.Random(f"{loop.seed}/dns")
        self.failures = failures

    async def ask(self, name: str, kind: str) -> Answer:
        chance = self._chance
        await asyncio.sleep(chance.uniform(0.001, 0.05))
        if self.failures and chance.random() < self.failures:
            is_ours = chance.random() < 0.5
            if is_ours:
                await asyncio.sleep(10.0)
            return Answer(AnswerKind.FAILED, ttl_s=5.0, why="simulated", is_ours=is_ours)
        if kind == "MX" and name in self._domains:
            return Answer(AnswerKind.FOUND, tuple(Mx(10 * i, host) for i, host in enumerate(self._domains[name].hosts)), chance.choice([30.0, 300.0, 3600.0]))
        if kind == "MX" and name == "null.example":
            return Answer(AnswerKind.FOUND, (Mx(0, ""),), 300.0)
        if kind == "A" and name in self._hosts:
            return Answer(AnswerKind.FOUND, (self._hosts[name],), 300.0)
        known = name in self._domains or name in self._hosts
        return Answer(AnswerKind.NODATA if known else AnswerKind.NXDOMAIN, ttl_s=60.0, why="no such name")


def open_for_business(network: Network, provider: Provider, watch: Watch) -> None:
    """Listen on all hosts of a provider; its down times are asked of `is_down`."""
    for address in provider.hosts.values():
        network.listen(lambda: MxProtocol(provider, watch, network.loop), address, MX_PORT)


async def weather(provider: Provider, every_s: float) -> None:
    """Go down and come back for ever."""
    down = provider.manners.down
    while down:
        provider.is_down = not provider.is_calm and provider.chance.random() < down
        await asyncio.sleep(provider.chance.uniform(0.3, 1.0) * every_s)


def reach_of(providers: list[Provider], choose: random.Random) -> Callable[[str], str]:
    """What connecting to an address comes to."""
    owner: dict[str, Any] = {address: p for p in providers for address in p.hosts.values()}

    def reach(address: str) -> str:
        provider = owner.get(address)
        if provider is None or not provider.is_down:
            return ""
        return choose.choice(["refused", "unreachable", "silent"])

    return reach
