"""What a worker runs beside mail: those who follow the event table, jobs on contacts, and retention. Mail waits for none of them."""

import asyncio
from collections.abc import Callable

from estafette import maillog
from estafette.accept.guarding import GuardBook
from estafette.api.webhooks.signing import SECRET_NAME
from estafette.api.webhooks.telling import Calling, Teller
from estafette.app.retention import Sweeper
from estafette.clock import Clock
from estafette.config import Config
from estafette.feedback.handing import Handing
from estafette.newsletters.conductor import Conductor
from estafette.newsletters.jobs import Jobber
from estafette.stats.folder import Folder
from estafette.stats.guard import Watch
from estafette.store.seam import Store
from estafette.webcall import WebCaller
from estafette.webguard import read_network


def caller_of(config: Config) -> WebCaller:
    """What calls customers' web addresses."""
    return WebCaller([read_network(text) for text in config.webhooks.allowed_networks])


class Beside:
    """The followers of one worker process."""

    def __init__(self, caller: WebCaller, tasks: list[asyncio.Task[None]]) -> None:
        self._caller = caller
        self._tasks = tasks
        for task in tasks:
            task.add_done_callback(_ended)

    @classmethod
    async def start(cls, config: Config, clock: Clock, store: Store, worker_id: int, book: GuardBook, next_id: Callable[[int], int],
                    wake: Callable[[], None]) -> "Beside":  # fmt: skip
        """Begin. `next_id` makes message ids, `wake` tells the engine that mail is waiting. Raises StoreFault."""
        caller = caller_of(config)
        calling = Calling(caller, clock, await store.secret(SECRET_NAME, clock.token_bytes(32)))
        followers = (
            Folder(store, clock, worker_id), Teller(store, calling, worker_id), Watch(store, clock, worker_id), book,
            Sweeper(store, clock, worker_id, config.retention),
            Conductor(store, clock, worker_id, next_id, wake, config.delivery.give_up_after_s, book.is_bulk_free), Jobber(store, clock, worker_id),
            Handing(store, clock, caller, worker_id, config.server.hostname),
        )  # fmt: skip
        return cls(caller, [asyncio.create_task(one.run(), name=type(one).__name__) for one in followers])

    async def stop(self, within_s: float) -> None:
        """End; what was not written is done again by whoever follows next."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=within_s)
        self._caller.close()


def _ended(task: asyncio.Task[None]) -> None:
    """A fault at the end, such as a lease that could not be given back (it runs out), is told."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        maillog.fault("beside", task.get_name(), fault)
