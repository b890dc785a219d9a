"""What a process and everything that it started has used: seconds of CPU and memory, read from /proc.

The CPU of children that have ended is in their parent's account once it has looked at their end, so a tree that stays reachable from its roots misses
nothing. A Postfix instance is such a tree (its master starts all daemons, whatever user they run as), and so is Estafette with its workers.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a tree at one moment. `rss_bytes` counts a page once for every process that has it, `pss_bytes` once altogether."""

    rss_bytes: int = 0
    pss_bytes: int = 0


def tree_of(roots: Sequence[int]) -> list[int]:
    """The processes, and those that they started, and so on; those that have ended meanwhile are left out."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
        except OSError:
            continue
        found.append(pid)
        for task in tasks:
            try:
                waiting += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue  # a thread that has ended
    return found


def seconds_of(roots: Sequence[int]) -> float:
    """User and system seconds of a tree since its beginning, its ended children included."""
    ticks = 0
    for pid in tree_of(roots):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime (proc(5) counts from 1 and before the name)
    return ticks / TICKS_PER_S


def memory_of(roots: Sequence[int]) -> Memory:
    """Memory of a tree now."""
    rss = pss = 0
    for pid in tree_of(roots):
        try:
            rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    pss += int(line.split()[1]) * 1024
        except OSError:
            continue
    return Memory(rss, pss)


class Watch:
    """CPU used between `with` and now, and the peak of the memory, looked at every half second by a thread."""

    def __init__(self, roots: Sequence[int], *, every_s: float = 0.5) -> None:
        self._roots = list(roots)
        self._every_s = every_s
        self._before_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)
        self.peak = Memory()

    def __enter__(self) -> Self:
        self._before_s = seconds_of(self._roots)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def used_s(self) -> float:
        """Seconds of CPU since the beginning of the watch."""
        return seconds_of(self._roots) - self._before_s

    def _look(self) -> None:
        while True:
            now = memory_of(self._roots)
            self.peak = Memory(max(self.peak.rss_bytes, now.rss_bytes), max(self.peak.pss_bytes, now.pss_bytes))
            if self._ended.wait(self._every_s):
                return
