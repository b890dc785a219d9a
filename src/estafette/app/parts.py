"""What a worker is made of that touches the machine: the processes of `app/worker.py` have the real ones, a simulation has others."""

import ssl
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from estafette.clock import Clock
from estafette.deliver.dns import Resolver
from estafette.deliver.flight_files import Flights
from estafette.deliver.flights import FlightLog
from estafette.store.seam import Store
from estafette.vault import Vault


class Logs(Flights, Protocol):
    """Where the flight logs of the workers of this machine are."""

    def open(self, worker_id: int, slots: int) -> FlightLog:
        """The log of a new worker."""

    def sweep(self, registered: Collection[int]) -> None:
        """Remove the logs of workers that are registered no more."""


class Hints(Protocol):
    """Wake-up hints to and from the other workers."""

    def listen(self, hear: Callable[[], None]) -> None:
        """Call `hear` at every hint of another worker."""

    def ring(self) -> None:
        """Tell the others that something was queued."""

    def close(self) -> None:
        """Hear nothing more."""


@dataclass(frozen=True, slots=True)
class Parts:
    """See the module."""

    name: str  # of the worker, for people
    clock: Clock
    store: Store
    logs: Logs
    bell: Hints
    vault: Vault
    resolver: Callable[[], Resolver]  # each one knows nothing from before
    signers: Executor | None  # None: signed where it is asked for
    authorities: ssl.SSLContext  # who is believed to sign certificates
    follows: bool = True  # whether it runs what follows the mail (app/beside.py)
