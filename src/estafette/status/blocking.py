"""When an address is not attempted, with which reason, and for how long. Pure; the figures come from the configuration."""

from collections.abc import Sequence
from typing import Final

from estafette.clock import DAY_US, SECOND_US
from estafette.model import HELD, AfterUncertain, BlockCause, EventKind, Options, Reason, State
from estafette.status.transitions import next_state

REASONS: Final = {
    BlockCause.COMPLAINT: Reason("recipient", "spam reporter"),
    BlockCause.UNSUBSCRIBE: Reason("recipient", "blacklisted"),
    BlockCause.MANUAL: Reason("recipient", "blacklisted"),
    BlockCause.IMPORT: Reason("recipient", "blacklisted"),
    BlockCause.HARD_BOUNCE: Reason("mailjet", "preblocked"),
    BlockCause.SOFT_BOUNCE: Reason("mailjet", "preblocked"),
}
"""The exact pair of the contract's table 1.4 (rows 14, 20, 21), strongest cause first."""


class StatusPolicy:
    """What the store asks inside its transactions (`store.seam.Policy`)."""

    def __init__(self, hard_bounce_days: int = 90, soft_bounce_days: int = 90, evidence_wait_s: float = 3600.0) -> None:
        self._days = {BlockCause.HARD_BOUNCE: hard_bounce_days, BlockCause.SOFT_BOUNCE: soft_bounce_days}
        self._evidence_us = int(evidence_wait_s * SECOND_US)

    def next_state(self, state: State, kind: EventKind, attempts: int) -> State | None:
        return next_state(state, kind, attempts)

    def blocked_reason(self, causes: Sequence[BlockCause], options: Options) -> Reason | None:
        """An unsubscribe stops mail that belongs to a campaign; relay mail without one is the sender's own affair (status page)."""
        for cause, reason in REASONS.items():
            if cause in causes and (cause is not BlockCause.UNSUBSCRIBE or options.campaign):
                return reason
        return None

    def block_until(self, cause: BlockCause, since: int) -> int | None:
        """90 days for bounces; complaints, unsubscribes and what people enter run until a person lifts them."""
        days = self._days.get(cause)
        return since + days * DAY_US if days else None

    def resume(self, way: AfterUncertain, at: int, retry_at: int) -> tuple[int, int]:
        """(owner, due) of the queue row of a message whose attempt is uncertain."""
        if way is AfterUncertain.HOLD:
            return HELD, retry_at
        return 0, max(retry_at, at + self._evidence_us) if way is AfterUncertain.WAIT else retry_at
