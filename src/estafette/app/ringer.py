"""The sending side of a worker that does not deliver: what it accepts is queued, and those who deliver are woken."""

from collections.abc import Sequence

from estafette.accept.submit import NOWHERE
from estafette.app.parts import Hints
from estafette.model import Claimed, Content
from estafette.queue.paths import Place


class Ringer:
    """See the module; implements `accept.submit.Sender`."""

    def __init__(self, bell: Hints) -> None:
        self._bell = bell

    def place(self, domain: str, size_bytes: int) -> Place:
        """Nothing is ours."""
        return NOWHERE

    def offer(self, claims: Sequence[Claimed], content: Content) -> None:
        """Never called: nothing is ours."""
        raise AssertionError("a worker that does not deliver was offered messages")

    def wake(self) -> None:
        """Ring."""
        self._bell.ring()
