"""How often somebody may try to sign in: a pause that grows with failures, per network and name, and per network over all names. Pure.

Nobody waits on an open connection: whoever comes too early is told when to come again. A right password from elsewhere is never locked out.
"""

from typing import Final

from estafette.accept.credentials import MAX_ENTRIES, Failures, delay_s, network_of

NAMES_FREE: Final = 20
"""Failures of one network over all names before it waits, too: many people may sit behind one address."""


class Throttle:
    """One per worker process; bounded in memory."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], Failures] = {}

    def wait_s(self, peer: str, name: str, now_s: float) -> float:
        """How long until the next try is looked at; 0 = now."""
        network = network_of(peer)
        own, all_names = self._failures.get((network, name)), self._failures.get((network, ""))
        if all_names is not None:
            all_names = Failures(max(0, all_names.count - NAMES_FREE), all_names.last_s)
        return max((failures.last_s + delay_s(failures, now_s) - now_s for failures in (own, all_names) if failures is not None), default=0.0)

    def failed(self, peer: str, name: str, now_s: float) -> None:
        """Count a failure."""
        network = network_of(peer)
        for key in ((network, name), (network, "")):
            before = self._failures.pop(key, None)
            while len(self._failures) >= MAX_ENTRIES:
                del self._failures[next(iter(self._failures))]
            self._failures[key] = Failures((before.count if before else 0) + 1, now_s)

    def succeeded(self, peer: str, name: str) -> None:
        """Forget the failures of a name from this network."""
        self._failures.pop((network_of(peer), name), None)
