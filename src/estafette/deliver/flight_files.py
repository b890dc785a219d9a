"""Where the flight logs of the workers of this machine are: one file per worker, mapped into memory, found by whoever retires the worker."""

import contextlib
import mmap
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Protocol

from estafette import maillog
from estafette.deliver.flights import HEADER_BYTES, SLOT_BYTES, FlightLog, read_flights
from estafette.model import Flight

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Flights(Protocol):
    """What others ask about the flights of workers."""

    def of(self, worker_id: int) -> Sequence[Flight] | None:
        """What a worker that is gone had under way; None when that is not known here: it ran on another machine, or the power failed since."""

    def forget(self, worker_id: int) -> None:
        """It was retired: its log tells nothing any more."""


class FlightFolder:
    """See the module; implements `Flights`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._boot = _BOOT_ID.read_text().strip()
        except OSError:  # a system without it: no log is ever believed
            self._boot = ""

    def open(self, worker_id: int, slots: int) -> FlightLog:
        """The log of a new worker. When no file can be made (a full disk) the log is in memory only, and nobody will know what it held."""
        size = HEADER_BYTES + SLOT_BYTES * slots
        path = self._path(worker_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(fd, 0, size)  # a page that the disk has no room for would be a SIGBUS later
                return FlightLog(memoryview(mmap.mmap(fd, size)), self._boot)
            finally:
                os.close(fd)
        except OSError as fault:
            maillog.fault("flights", str(path), fault)
            self.forget(worker_id)
            return FlightLog(memoryview(bytearray(size)), self._boot)

    def of(self, worker_id: int) -> Sequence[Flight] | None:
        try:
            return read_flights(self._path(worker_id).read_bytes(), self._boot) if self._boot else None
        except OSError:
            return None

    def forget(self, worker_id: int) -> None:
        with contextlib.suppress(OSError):
            self._path(worker_id).unlink(missing_ok=True)

    def sweep(self, registered: Collection[int]) -> None:
        """Remove the logs of workers that another machine has retired."""
        with contextlib.suppress(OSError):
            for path in self._folder.glob("*.flights"):
                if path.stem.isdecimal() and int(path.stem) not in registered:
                    path.unlink(missing_ok=True)

    def _path(self, worker_id: int) -> Path:
        return self._folder / f"{worker_id}.flights"
