"""This worker among the others: its heartbeat, who else lives, and which sites are whose.

A worker is dead for us when several looks in a row found its lease unchanged and run out: looks are counted, so that neither a clock that jumps nor
a pause of our own (SIGSTOP, a stuck disk) makes the others look dead. And `is_sure` says whether we can still be alive for the others: it ends with the
last lease that we know to be written, by the monotonic clock. Who is not sure begins no attempt.
"""

from collections.abc import Callable
from typing import Final

from estafette import maillog
from estafette.clock import SECOND_US, Clock
from estafette.deliver.flight_files import Flights
from estafette.queue.paths import preferred_worker
from estafette.store.seam import Store

BEATS: Final = 3
"""Heartbeats per lease, and looks that find a dead worker unchanged."""
PATIENT_LOOKS: Final = 30
"""So many when its lease seems to run on: the clock went back."""


class LeaseLost(Exception):
    """This worker was declared dead: whatever it holds belongs to others now. It must stop and begin anew."""


class Membership:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, worker_id: int, lease_s: float, logs: Flights, home: Callable[[str], str] = lambda site: site) -> None:
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._lease_s = lease_s
        self._logs = logs
        self._home = home  # sites that share a limit have one home, and so one worker
        self._sure_until_s = clock.monotonic() + lease_s
        self._looks: dict[int, tuple[int, int]] = {}  # worker → (lease_until, looks that found it so)
        self._delivering = [worker_id]

    @property
    def is_sure(self) -> bool:
        """True while nobody can have declared us dead."""
        return self._clock.monotonic() < self._sure_until_s

    def is_elsewhere(self, site: str) -> bool:
        """True when another worker should hold the paths of a site."""
        return preferred_worker(self._home(site), self._delivering) != self._worker_id

    @property
    def members(self) -> list[int]:
        """The workers that share the sites."""
        return self._delivering

    @property
    def delivering(self) -> int:
        """How many workers share the sites."""
        return len(self._delivering)

    async def beat(self) -> int:
        """Prolong our lease, look at the others, retire the dead; how many those were. Raises LeaseLost and StoreFault."""
        started_s, now = self._clock.monotonic(), self._clock.now_us()
        if not await self._store.heartbeat(self._worker_id, now + int(self._lease_s * SECOND_US)):
            self._sure_until_s = started_s
            raise LeaseLost(f"worker {self._worker_id} was declared dead")
        self._sure_until_s = started_s + self._lease_s
        looks, delivering, dead = {}, [], 0
        for worker in await self._store.workers():
            lease_until, unchanged = self._looks.get(worker.id, (0, 0))
            unchanged = unchanged + 1 if lease_until == worker.lease_until else 0
            is_dead = unchanged >= (BEATS if worker.lease_until < now else PATIENT_LOOKS)
            if is_dead and worker.id != self._worker_id:
                maillog.worker_retired(worker.id, worker.name, await self._store.retire(worker.id, now, self._logs.of(worker.id)))
                self._logs.forget(worker.id)
                dead += 1
                continue
            looks[worker.id] = (worker.lease_until, unchanged)
            if worker.delivers:
                delivering.append(worker.id)
        self._looks, self._delivering = looks, delivering
        return dead
