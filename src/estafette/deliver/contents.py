"""The contents of the submissions that are being sent now: loaded in batches, shared by their messages, kept only while one of them needs it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from estafette.model import Content
from estafette.prepare.personal import Letter
from estafette.prepare.plan import Plan
from estafette.store.batch import Batcher
from estafette.store.seam import Store

BATCH: Final = 16
"""So many contents are loaded at once; how large they are is known only then, so the limit may be exceeded by one batch."""
COPIES: Final = 2
"""A mail is held as it was accepted and as it is signed."""
MIN_HELD: Final = 4
"""So many contents are held however large they are: one mail that is larger than the whole limit still goes out."""


class Missing(Exception):
    """The store has no content for a submission: retention has taken it."""


@dataclass(slots=True)
class Held:
    """A content in use; whoever needs its plan first makes it."""

    content: Content
    plan: Plan | None = None
    letter: Letter | None = None  # of a newsletter, which is made for each recipient
    plan_7bit: Plan | None = None  # for servers without 8BITMIME
    users: int = 0


class Contents:
    """See the module."""

    def __init__(self, store: Store, limit_bytes: int) -> None:
        self._loads: Batcher[int, bool] = Batcher(self._load, limit=BATCH, lanes=1)
        self._store = store
        self._limit = limit_bytes
        self._held: dict[int, Held] = {}
        self._bytes = 0
        self._has_room = asyncio.Event()

    def has_room(self, size_bytes: int) -> bool:
        """Whether a mail of this size may be kept in memory until it is sent: what comes straight from the door may fill one half of it, so that
        what waits for a slow site never keeps the others from loading theirs."""
        return self._bytes + COPIES * size_bytes <= self._limit // 2

    def keep(self, content: Content, users: int) -> Held:
        """A content that is in memory already, for so many users."""
        held = self._held.get(content.submission_id) or self._add(content)
        held.users += users
        return held

    async def take(self, submission_id: int) -> Held:
        """The content of a submission for one more user. Raises Missing and StoreFault."""
        while (held := self._held.get(submission_id)) is None:  # again: another user may have come and gone while we waited
            if not await self._loads.put(submission_id):
                raise Missing(f"the content of submission {submission_id} is gone")
        held.users += 1
        return held

    def give_back(self, held: Held) -> None:
        """One user is done."""
        held.users -= 1
        if held.users <= 0 and self._held.get(held.content.submission_id) is held:
            del self._held[held.content.submission_id]
            self._bytes -= COPIES * len(held.content.raw)
            self._has_room.set()

    def _add(self, content: Content) -> Held:
        held = self._held[content.submission_id] = Held(content)
        self._bytes += COPIES * len(content.raw)
        return held

    async def _load(self, ids: Sequence[int]) -> list[bool]:
        """One batch at a time, begun only while there is room; whether there are such contents."""
        while self._bytes >= self._limit and len(self._held) >= MIN_HELD:
            self._has_room.clear()
            await self._has_room.wait()
        wanted = [i for i in dict.fromkeys(ids) if i not in self._held]
        for content in (await self._store.contents(wanted)).values() if wanted else ():
            if content.submission_id not in self._held:  # the door may have brought it meanwhile
                self._add(content)
        return [i in self._held for i in ids]
