"""Openings and clicks: two ASGI endpoints that read a token, keep the visit, and answer. Nothing is looked up before the answer but the token.

Visits are written in batches that share one commit, and the answer waits for its batch: what was answered is kept. When the store does not
answer in time the reader gets the image or the redirect all the same, and the visit waits in memory until the store is back.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from estafette import maillog
from estafette.clock import Clock, to_iso
from estafette.feedback import visit_records
from estafette.feedback.http import Receive, Scope, Send, answer, answer_page, header, peer_of, token_of
from estafette.feedback.pages import Page
from estafette.feedback.permissions import Permissions
from estafette.feedback.reader_kind import RECENT_US, Visit
from estafette.feedback.targets import location
from estafette.feedback.visit_records import Request, kept_address, shown_agent
from estafette.mail.token import Keyring
from estafette.model import Record, Recorded, Visited
from estafette.prepare.tokens import TRAP_LINK, Click, OpenMode, read_click, read_open
from estafette.store.batch import Batcher
from estafette.store.seam import StoreFault

PIXEL: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""A transparent GIF of one pixel, 43 octets."""
_NO_STORE: Final = (
    (b"cache-control", b"no-store, no-cache, must-revalidate, private, max-age=0"),
    (b"pragma", b"no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_IMAGE: Final = ((b"content-type", b"image/gif"), *_NO_STORE)
MAX_TOKEN: Final = 4096
EARLY_TRIES: Final = 10
EARLY_PAUSE_S: Final = 0.2
RETRIES_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0, 10.0, 10.0)


class VisitStore(Protocol):
    """What the store must offer (`store.seam.Store` does)."""

    async def visited(self, message_ids: Sequence[int], since: int) -> dict[int, Visited]: ...
    async def record_many(self, records: Sequence[Record]) -> list[Recorded]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and how long."""

    batch: int = 500  # visits that share a commit
    waiting: int = 50_000  # visits in memory; past that they are dropped and counted
    answer_within_s: float = 2.0  # the reader waits no longer for the store


class Visits:
    """One per worker process."""

    def __init__(self, store: VisitStore, permissions: Permissions, clock: Clock, keyring: Keyring, *, country_of: Callable[[str], str] = lambda address: "",
                 keeps_addresses: bool = False, limits: Limits = Limits()) -> None:  # fmt: skip
        self._store = store
        self._permissions = permissions
        self._clock = clock
        self._keyring = keyring
        self._country_of = country_of
        self._keeps_addresses = keeps_addresses
        self._limits = limits
        self._batches: Batcher[Request, Recorded] = Batcher(self._write, limit=limits.batch, lanes=1)
        self._running: set[asyncio.Task[None]] = set()
        self.lost = 0  # visits that were answered and could not be kept

    async def opened(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The image. A token that is not ours gets the same image with 404, so that no mail shows a broken one."""
        token = token_of(scope)
        found = read_open(token, self._keyring) if len(token) <= MAX_TOKEN else None
        if found is None:
            await answer(send, 404, PIXEL, _IMAGE)
            return
        visit = self._visit(scope)
        if found.mode is OpenMode.LAST_DATE:
            visit = replace(visit, agent="", address="", kept_address="")
        country = self._country(scope) if found.mode is OpenMode.FULL else ""
        await self._keep(Request(found.message_id, found.account_id, visit, country=country, keeps_date_only=found.mode is OpenMode.LAST_DATE))
        await answer(send, 200, PIXEL, _IMAGE)

    async def clicked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A link: 302 to the target that stands in the token, and to no other."""
        token = token_of(scope)
        found = read_click(token, self._keyring) if len(token) <= MAX_TOKEN else None
        target = location(found.url) if found is not None else None
        if found is None or target is None:
            await answer_page(scope, send, 404, Page.UNKNOWN)
            return
        if await self._is_revoked(found):
            await answer_page(scope, send, 410, Page.REVOKED)
            return
        visit = replace(self._visit(scope), is_click=True, link=found.number, is_trap=found.number == TRAP_LINK)
        await self._keep(Request(found.message_id, found.account_id, visit, found.url, self._country(scope)))
        await answer(send, 302, b"", ((b"location", target), *_NO_STORE))

    async def _is_revoked(self, click: Click) -> bool:
        """A store that does not answer takes no link back: the reader is not to wait for our troubles."""
        try:
            async with asyncio.timeout(self._limits.answer_within_s):
                return await self._permissions.is_revoked(click)
        except (StoreFault, TimeoutError) as fault:
            maillog.fault("revocations", str(click.account_id), fault)
            return False

    async def close(self, within_s: float) -> None:
        """Write what waits; what a store in trouble has not taken by then is lost, and counted."""
        if not self._running:
            return
        _, waiting = await asyncio.wait(self._running, timeout=within_s)
        for task in waiting:
            task.cancel()
        if waiting:
            self.lost += len(waiting)
            maillog.visits_lost(self.lost, "the store did not take them before the end")

    # -- keeping --------------------------------------------------------------------------------------------------------

    def _visit(self, scope: Scope) -> Visit:
        address = peer_of(scope)
        purpose = (header(scope, b"sec-purpose") + header(scope, b"purpose") + header(scope, b"x-moz") + header(scope, b"x-purpose")).lower()
        return Visit(
            self._clock.now_us(), is_head=scope["method"] == "HEAD", is_prefetch="prefetch" in purpose or "preview" in purpose,
            agent=shown_agent(header(scope, b"user-agent")), address=address, kept_address=kept_address(address, is_whole=self._keeps_addresses),
        )  # fmt: skip

    def _country(self, scope: Scope) -> str:
        return self._country_of(peer_of(scope))

    async def _keep(self, request: Request) -> None:
        """Return when the visit is kept, or when the reader has waited long enough."""
        if len(self._running) >= self._limits.waiting:
            self.lost += 1
            if self.lost % 1000 == 1:
                maillog.visits_lost(self.lost, "too many are waiting for the store")
            return
        task = asyncio.get_running_loop().create_task(self._until_kept(request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait((task,), timeout=self._limits.answer_within_s)

    async def _until_kept(self, request: Request) -> None:
        """A visit may overtake the outcome of its message's attempt: it is asked again until that is written, and noted at last."""
        try:
            for _ in range(EARLY_TRIES):
                if not (await self._batches.put(request)).is_early:
                    return
                await asyncio.sleep(EARLY_PAUSE_S)
            await self._batches.put(replace(request, is_patient=False))
        except Exception as fault:  # outermost frame of the visit
            self.lost += 1
            maillog.fault("visits", str(request.message_id), fault)

    async def _write(self, batch: Sequence[Request]) -> list[Recorded]:
        for pause_s in RETRIES_S:
            try:
                return await self._write_once(batch)
            except StoreFault as fault:
                maillog.fault("visits", f"{len(batch)} visits", fault)
                await asyncio.sleep(pause_s)
        return await self._write_once(batch)

    async def _write_once(self, batch: Sequence[Request]) -> list[Recorded]:
        consents = await self._permissions.shelf.consents_of_messages([r.message_id for r in batch])
        allowed = [r for r in batch if visit_records.is_agreed(r, consents.get(r.message_id))]
        dated = [r for r in allowed if r.keeps_date_only]
        if dated:
            await self._permissions.shelf.opened_on([r.message_id for r in dated], to_iso(max(r.visit.at for r in dated))[:10])
        kept = [r for r in allowed if not r.keeps_date_only]
        known = await self._store.visited([r.message_id for r in kept], min(r.visit.at for r in kept) - RECENT_US) if kept else {}
        written = iter(await self._store.record_many(visit_records.records(kept, known)))
        is_kept = {id(r) for r in kept}
        return [next(written) if id(r) in is_kept else Recorded() for r in batch]
