"""Mail for a customer's program: taken from the world only when stored, posted until it is taken, and one that hangs or fails stops only itself."""

import asyncio
import json
from collections.abc import Mapping

from estafette.clock import SECOND_US, SystemClock
from estafette.feedback.handing import GIVE_UP_AFTER_US, Handing, again_at
from estafette.store.parsing import ParseMail
from estafette.webcall import Answer
from tests.feedback.ground import Ground
from tests.feedback.test_inbound import Listener, listener

__all__ = ["listener"]
LETTER = b"From: zoe@example.org\r\nSubject: order\r\nIn-Reply-To: <1@mail.relay.test>\r\n\r\nSeven, please.\r\n"


class Programs:
    """Customers' web addresses: the answers that they give, what they were told."""

    def __init__(self, **answers: int) -> None:
        self.answers = answers
        self.told: list[tuple[str, dict[str, object]]] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        name = url.rpartition("/")[2]
        if self.answers[name] == 0:
            await asyncio.Event().wait()  # hangs
        self.told.append((name, json.loads(body)))
        return Answer(self.answers[name])


async def test_mail_is_stored_and_posted_until_it_is_taken(ground: Ground, listener: Listener) -> None:
    await ground.deliver(1)
    store, now = ground.store, ground.clock.now_us()
    for name in ("good", "bad", "hangs"):
        assert await store.parsing.add(ground.account.id, f"{name}@in.example", f"{name}@in.example", f"https://shop.example/{name}", now)
    for name in ("hangs", "bad", "good", "GOOD"):
        assert await listener.sent(LETTER, f"{name}@in.example", reverse_path="zoe@example.org") == 250
    assert await listener.sent(LETTER, "nobody@in.example", reverse_path="zoe@example.org") == 550
    routes = {route.address.partition("@")[0]: route for route in await store.parsing.routes()}
    assert await store.parsing.waiting([route.id for route in routes.values()]) == {routes["good"].id: 2, routes["bad"].id: 1, routes["hangs"].id: 1}

    programs = Programs(good=200, bad=500, hangs=0)
    ground.clock.advance((SystemClock().now_us() - ground.clock.now_us()) // SECOND_US + 60)  # the listener's clock is the machine's
    worker = await store.join("parse", ground.clock.now_us(), ground.clock.now_us() + 60 * SECOND_US)
    handing = Handing(store, ground.clock, programs, worker.id, "mail.relay.test", poll_s=0.01)
    running = asyncio.create_task(handing.run())
    try:
        async with asyncio.timeout(60):
            while (await store.parsing.waiting([routes["good"].id])) or not any(r.trouble for r in await store.parsing.routes()):  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert sorted(name for name, _ in programs.told if name == "good") == ["good", "good"]
    told = next(payload for name, payload in programs.told if name == "good")
    assert (told["Sender"], told["Subject"], told["Text-part"]) == ("zoe@example.org", "order", "Seven, please.\r\n")
    bad = next(route for route in await store.parsing.routes() if route.address.startswith("bad"))
    assert bad.trouble == "answered 500" and bad.failing_since > 0
    assert await store.parsing.due(bad.id, ground.clock.now_us()) is None, "it rests"
    again = await store.parsing.due(bad.id, ground.clock.now_us() + 31 * SECOND_US)
    assert again is not None and again.attempts == 1 and again.raw == LETTER


async def test_a_program_that_takes_nothing_fills_no_disk(ground: Ground, listener: Listener) -> None:
    made = await ground.store.parsing.add(ground.account.id, "full@in.example", "full@in.example", "https://shop.example/", 1)
    assert made is not None
    await ground.store.parsing.take([ParseMail(0, made.id, "", "full@in.example", b"x", 1, 0)] * 1000)
    assert await listener.sent(LETTER, "full@in.example", reverse_path="zoe@example.org") == 452


def test_when_it_is_posted_again() -> None:
    mail = ParseMail(1, 1, "", "a@in.example", b"", 0, 0)
    assert again_at(mail, 5) == 5 + 30 * SECOND_US
    assert again_at(ParseMail(1, 1, "", "a@in.example", b"", 0, 99), 5) == 5 + 3 * 3600 * SECOND_US
    assert again_at(mail, GIVE_UP_AFTER_US) is None
