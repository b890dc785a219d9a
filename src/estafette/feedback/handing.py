"""Hands mail to customers' programs: one process at a time posts what is due, route by route; one that hangs or fails stops only itself.

Every mail is posted until it is taken (any 2xx), at least once, longer and longer apart, for five days.
"""

import asyncio
from collections import Counter
from typing import Final, Protocol

from estafette import maillog
from estafette.clock import DAY_US, SECOND_US, Clock
from estafette.feedback.parse_payload import Correlation, answered_submissions, payload_of
from estafette.model import Content
from estafette.store.parsing import ParseMail, ParseRoute
from estafette.store.seam import Store
from estafette.webcall import Answer

JOB: Final = "parse"
POLL_S: Final = 1.0
LEASE_S: Final = 120.0
MAX_LANES: Final = 20
MAX_LANES_PER_ACCOUNT: Final = 5
ROUNDS: Final = 50
PAUSES_S: Final = (30, 60, 300, 900, 3600, 3 * 3600)
"""After the first, second ... failure; the last one repeats."""
GIVE_UP_AFTER_US: Final = 5 * DAY_US
SMALL_BYTES: Final = 262_144
"""Larger mails are made ready in a thread, and posted one at a time: an object is several times as large as its mail."""


class Caller(Protocol):
    """`webcall.WebCaller`."""

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer: ...


def again_at(mail: ParseMail, now: int) -> int | None:
    """When a mail that was not taken is posted again; None: never."""
    if now - mail.received_at >= GIVE_UP_AFTER_US:
        return None
    return now + PAUSES_S[min(mail.attempts, len(PAUSES_S) - 1)] * SECOND_US


class Handing:
    """One per worker process; only the one that has the lease works."""

    def __init__(self, store: Store, clock: Clock, caller: Caller, worker_id: int, hostname: str, poll_s: float | None = None) -> None:
        self._store = store
        self._clock = clock
        self._caller = caller
        self._worker_id = worker_id
        self._hostname = hostname
        self._poll_s = POLL_S if poll_s is None else poll_s
        self._lanes: dict[int, tuple[int, asyncio.Task[None]]] = {}
        self._one_large = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self._turn()
                except Exception as fault:  # outermost frame: what was not written is posted again
                    maillog.fault("parse", "", fault)
                await asyncio.sleep(self._poll_s)
        finally:
            for _, task in self._lanes.values():
                task.cancel()
            await self._store.statistics.release(JOB, self._worker_id)

    async def _turn(self) -> None:
        now = self._clock.now_us()
        if not await self._store.statistics.lease(JOB, self._worker_id, now, now + int(LEASE_S * SECOND_US)):
            return
        busy = Counter(account_id for account_id, _ in self._lanes.values())
        for route in await self._store.parsing.due_routes(now):
            if route.id in self._lanes or len(self._lanes) >= MAX_LANES or busy[route.account_id] >= MAX_LANES_PER_ACCOUNT:
                continue
            busy[route.account_id] += 1
            task = asyncio.create_task(self._serve(route))
            self._lanes[route.id] = (route.account_id, task)
            task.add_done_callback(lambda _, route_id=route.id: self._lanes.pop(route_id, None))  # type: ignore[misc]

    async def _serve(self, route: ParseRoute) -> None:
        try:
            for _ in range(ROUNDS):
                mail = await self._store.parsing.due(route.id, self._clock.now_us())
                if mail is None or not await self.hand(route, mail):
                    return
        except Exception as fault:  # outermost frame of the lane
            maillog.fault("parse", route.address, fault)

    async def hand(self, route: ParseRoute, mail: ParseMail) -> bool:
        """Post one mail and write what became of it; whether it was taken."""
        correlation = await self._correlation(route, mail)
        if len(mail.raw) <= SMALL_BYTES:
            answer = await self._post(route, payload_of(mail.raw, mail.reverse_path, mail.recipient, mail.received_at, correlation))
        else:
            async with self._one_large:
                body = await asyncio.to_thread(payload_of, mail.raw, mail.reverse_path, mail.recipient, mail.received_at, correlation)
                answer = await self._post(route, body)
        if 200 <= answer.status <= 299:
            await self._store.parsing.told(mail)
            return True
        now, trouble = self._clock.now_us(), answer.error or f"answered {answer.status}"
        again = again_at(mail, now)
        await self._store.parsing.failed(mail, now, trouble[:300], again)
        maillog.parse_failed(route.address, trouble, is_given_up=again is None)
        return False

    async def _post(self, route: ParseRoute, body: bytes) -> Answer:
        return await self._caller.post(route.url, body, {"Content-Type": "application/json"})

    async def _correlation(self, route: ParseRoute, mail: ParseMail) -> Correlation:
        """What the account had given the mail that this one answers: of its own mail only."""
        named = answered_submissions(mail.raw, self._hostname)
        contents: dict[int, Content] = await self._store.contents(named) if named else {}
        for submission_id in named:
            content = contents.get(submission_id)
            if content is not None and content.account_id == route.account_id:
                return Correlation(content.options.custom_id, content.options.event_payload)
        return Correlation()
