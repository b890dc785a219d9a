"""What comes back: providers that bounce late, pass complaints on and answer by themselves. Letters go to the platform's own inbound listener, again and
again until it takes them, and it is kept what was promised about each."""

import asyncio
import random
from dataclasses import dataclass, field

from estafette.demo.letters import Letter, Received, auto_reply, complaint, late_bounce
from tests.simulation.loop import SimulatedLoop
from tests.simulation.senders import Line, Refusal
from tests.simulation.workers import FBL, INBOUND_PORT

TRIES = 12


@dataclass(frozen=True, slots=True)
class Habits:
    """What happens after a mail was taken; shares of mails."""

    late_bounce: float = 0.0
    complaint: float = 0.0
    auto_reply: float = 0.0
    within_s: float = 600.0


@dataclass(slots=True)
class Reporters:
    """See the module. `sent`: message → kinds of letter that were begun; `taken`: those that were answered with 250."""

    loop: SimulatedLoop
    habits: Habits
    sent: dict[int, set[str]] = field(default_factory=dict)
    taken: list[tuple[int, str]] = field(default_factory=list)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.loop.seed}/reporters")

    def think_about(self, message_id: int, recipient: str, reverse_path: str, content: bytes) -> None:
        """A mail was taken: what comes of it."""
        h, draw = self.habits, self.chance.random()
        mail = Received(recipient, reverse_path, content, "mx.p.example", "Thu, 24 Sep 2026 10:00:00 +0000")
        if draw < h.late_bounce:
            self._send(message_id, "bounce", late_bounce(self.loop.seed, mail))
        elif draw < h.late_bounce + h.complaint:
            self._send(message_id, "complaint", complaint(mail, FBL))
        elif draw < h.late_bounce + h.complaint + h.auto_reply:
            self._send(message_id, "reply", auto_reply(mail))

    def _send(self, message_id: int, kind: str, letter: Letter) -> None:
        self.sent.setdefault(message_id, set()).add(kind)
        task = asyncio.create_task(self._bring(message_id, kind, letter))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _bring(self, message_id: int, kind: str, letter: Letter) -> None:
        await asyncio.sleep(self.chance.uniform(0.0, 1.0) * self.habits.within_s)
        for number in range(TRIES):
            try:
                await self._try(letter)
            except Refusal as refusal:
                if refusal.code >= 500:
                    return
            except (OSError, EOFError, TimeoutError):
                pass
            else:
                self.taken.append((message_id, kind))
                return
            await asyncio.sleep(self.chance.uniform(5.0, 30.0) * (number + 1))

    async def _try(self, letter: Letter) -> None:
        line = await Line.open(INBOUND_PORT)
        try:
            greeting = await line.reply()
            if not greeting.startswith("220"):
                raise Refusal(greeting)
            await line.say(b"EHLO mx.p.example\r\n", 250)
            await line.say(f"MAIL FROM:<{letter.sender}>\r\n".encode(), 250)
            await line.say(f"RCPT TO:<{letter.recipient}>\r\n".encode(), 250)
            await line.say(b"DATA\r\n", 354)
            await line.say(letter.content.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n", 250)
        finally:
            line.close()
