"""Tells events to customers' endpoints: one process at a time makes parcels of events and brings them; every endpoint has a lane of its own.

A lane is an account's address: webhooks for several types of events that share one are served together, in the order of the events. A lane that
waits for an answer holds nothing but itself, and no more than its share of the calls of this process.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from estafette import maillog
from estafette.api.webhooks import plan, signing
from estafette.clock import SECOND_US, Clock
from estafette.nouns import Parcel, Webhook, WebhookCall
from estafette.store.seam import Store
from estafette.store.webhooks import FOLLOWER
from estafette.webcall import Answer, WebCaller

POLL_S: Final = 0.25
LEASE_S: Final = 60.0
BATCH: Final = 1000
MAX_LANES: Final = 100
MAX_LANES_PER_ACCOUNT: Final = 10
ROUNDS: Final = 50
"""Calls in a row before a lane takes its turn again."""
ARRAY_PAUSE_S: Final = 1.0
TRIM_EVERY_S: Final = 600.0
MAX_BODY: Final = 20_000
MAX_ANSWER: Final = 1_000

Lane = tuple[int, str, int]
"""(account, address, version)"""


@dataclass(frozen=True, slots=True)
class Calling:
    """What every call needs."""

    caller: WebCaller
    clock: Clock
    root: bytes  # the installation's secret for signatures

    async def call(self, webhook: Webhook, body: bytes, event_ids: Sequence[int]) -> tuple[Answer, WebhookCall]:
        """One signed call and what the log keeps of it."""
        began, now = self.clock.monotonic(), self.clock.now_us()
        fields = signing.headers(self.root, webhook.account_id, webhook.url, signing.call_id(event_ids), now // SECOND_US, body)
        answer = await self.caller.post(webhook.url, body, fields)
        trouble = "" if plan.is_taken(answer.status) else answer.error or f"answered {answer.status}, not 200"
        duration_ms = int((self.clock.monotonic() - began) * 1000)
        return answer, WebhookCall(
            webhook.id, webhook.account_id, shown_url(webhook.url), now, answer.status, trouble, duration_ms, tuple(event_ids),
            body[:MAX_BODY].decode("utf-8", "replace"), answer.body[:MAX_ANSWER].decode("utf-8", "replace").replace("\0", ""),
        )  # fmt: skip


def shown_url(url: str) -> str:
    """Without the user and the password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class Teller:
    """One per worker process; only the one that has the lease works."""

    def __init__(self, store: Store, calling: Calling, worker_id: int, poll_s: float | None = None) -> None:
        self._store = store
        self._calling = calling
        self._clock = calling.clock
        self._worker_id = worker_id
        self._poll_s = POLL_S if poll_s is None else poll_s
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._rests: dict[Lane, float] = {}  # arrays go at most once a second
        self._trim_at_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self._turn()
                except Exception as fault:  # outermost frame: what was not written is done again
                    maillog.fault("webhooks", "", fault)
                await asyncio.sleep(self._poll_s)
        finally:
            for task in self._lanes.values():
                task.cancel()
            await self._store.statistics.release(FOLLOWER, self._worker_id)

    async def _turn(self) -> None:
        now = self._clock.now_us()
        if not await self._store.statistics.lease(FOLLOWER, self._worker_id, now, now + int(LEASE_S * SECOND_US)):
            return
        await make_parcels(self._store, now)
        await self._start_lanes(now)
        if self._clock.monotonic() >= self._trim_at_s:
            self._trim_at_s = self._clock.monotonic() + TRIM_EVERY_S
            await self._store.webhooks.trim(now - plan.GIVE_UP_AFTER_US)

    async def _start_lanes(self, now: int) -> None:
        due = set(await self._store.webhooks.due_webhooks(now))
        lanes: dict[Lane, list[Webhook]] = {}
        for webhook in due and await self._store.webhooks.all_of():
            lanes.setdefault((webhook.account_id, webhook.url, webhook.version), []).append(webhook)
        now_s, busy = self._clock.monotonic(), Counter(account_id for account_id, _, _ in self._lanes)
        self._rests = {lane: until_s for lane, until_s in self._rests.items() if until_s > now_s}
        for lane, webhooks in lanes.items():
            if not due.intersection(webhooks) or any(webhook.paused_until > now for webhook in webhooks):
                continue
            if lane in self._lanes or lane in self._rests or busy[lane[0]] >= MAX_LANES_PER_ACCOUNT or len(self._lanes) >= MAX_LANES:
                continue
            busy[lane[0]] += 1
            task = self._lanes[lane] = asyncio.create_task(self._serve(lane, webhooks))
            task.add_done_callback(lambda done, lane=lane: self._lanes.pop(lane, None))  # type: ignore[misc]

    async def _serve(self, lane: Lane, webhooks: list[Webhook]) -> None:
        try:
            known = {webhook.id: webhook for webhook in webhooks}
            for _ in range(ROUNDS if lane[2] == 1 else 1):
                if not await self._round(lane, known):
                    return
        except Exception as fault:  # outermost frame of the lane
            maillog.fault("webhooks", shown_url(lane[1]), fault)

    async def _round(self, lane: Lane, known: dict[int, Webhook]) -> bool:
        """One call, or a few side by side; False when the lane has nothing more to do for now."""
        is_array = lane[2] == 2
        most = plan.ARRAY_LIMIT if is_array else plan.SIDE_BY_SIDE
        due = await self._store.webhooks.due(list(known), self._clock.now_us(), most, one_per_message=not is_array)
        if not due:
            return False
        groups = [plan.packed(due)] if is_array else [[parcel] for parcel in due]
        if any(webhook.failing_since for webhook in known.values()):
            groups = groups[:1]  # first ask how it is
        self._rests[lane] = self._clock.monotonic() + (ARRAY_PAUSE_S if is_array else 0)
        results = await asyncio.gather(*(self._calling.call(known[group[0].webhook_id], plan.body_of(lane[2], group), [p.event_id for p in group])
                                         for group in groups))  # fmt: skip
        return await self._write(known, groups, results)

    async def _write(self, known: dict[int, Webhook], groups: Sequence[Sequence[Parcel]], results: Sequence[tuple[Answer, WebhookCall]]) -> bool:
        now = self._clock.now_us()
        told: list[int] = []
        again: list[tuple[int, int, int]] = []
        before = dict(known)
        for group, (answer, call) in zip(groups, results, strict=True):
            is_taken = plan.is_taken(answer.status)
            if is_taken:
                told += [parcel.id for parcel in group]
            else:
                again += [(parcel.id, parcel.attempts + 1, plan.retry_at(parcel.attempts + 1, now)) for parcel in group]
            for webhook_id, webhook in known.items():  # they share the address: what is true of one is true of all
                known[webhook_id] = plan.succeeded(webhook) if is_taken else plan.failed(webhook, call.trouble, now)
        changed = [webhook for webhook in known.values() if webhook != before[webhook.id]]
        suspended = [webhook for webhook in changed if webhook.suspended_at and not before[webhook.id].suspended_at]
        await self._store.webhooks.called([call for _, call in results], told, again, changed, await self._moves(suspended, now))
        for webhook in suspended:
            maillog.webhook_suspended(webhook.id, webhook.account_id, shown_url(webhook.url), webhook.trouble)
        return not any(webhook.paused_until > now for webhook in known.values())

    async def _moves(self, suspended: Sequence[Webhook], now: int) -> list[tuple[int, int, int]]:
        """What waits for a suspended webhook goes to its backup."""
        moves = []
        for webhook in suspended:
            others = await self._store.webhooks.all_of(webhook.account_id)
            told = plan.recipients_of([replace(other, suspended_at=webhook.suspended_at) if other.id == webhook.id else other for other in others])
            backup = told.get((webhook.account_id, webhook.event_type))
            if backup is not None and backup.id != webhook.id:
                moves.append((webhook.id, backup.id, now))
        return moves


async def make_parcels(store: Store, now: int) -> None:
    """Make parcels of what happened since the last time. Without webhooks the position only moves: an endpoint is told what happens from its
    beginning on."""
    shelf = store.webhooks
    told = plan.recipients_of(await shelf.all_of())
    before = await shelf.position()
    if not told:
        newest = await shelf.newest()
        if newest is not None and newest > before:
            await shelf.queue(before, newest, [])
        return
    while True:
        views, after = await store.statistics.views(before, BATCH)
        if not views or not await shelf.queue(before, after, plan.parcels_of(views, told, now)):
            return
        before = after


async def send_again(store: Store, account_id: int, event_ids: Sequence[int], now: int) -> int:
    """Tell events once more, to whoever is told of them now; returns how many are on their way."""
    views = await store.webhooks.views(account_id, event_ids)
    parcels = plan.parcels_of(views, plan.recipients_of(await store.webhooks.all_of(account_id)), now)
    await store.webhooks.send_again(parcels)
    return len(parcels)
