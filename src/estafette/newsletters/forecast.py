"""What would become of a newsletter's recipients if it went now: counted piece by piece, as its audience would be frozen. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from estafette.model import Reason
from estafette.nouns import Member


@dataclass(slots=True)
class Forecast:
    """Everybody on the list is in exactly one of `outside`, `blocked` and `going`."""

    outside: int = 0  # of the segment
    blocked: Counter[str] = field(default_factory=Counter)  # by the reason that their messages would show
    going: Counter[str] = field(default_factory=Counter)  # by domain
    blocked_at: Counter[str] = field(default_factory=Counter)  # by domain

    @property
    def recipients(self) -> int:
        """Those who would have a message."""
        return self.blocked.total() + self.going.total()

    def count(self, members: Sequence[Member], chosen: Sequence[Member], reasons: Mapping[str, Reason]) -> None:
        """A piece of the list, those of it who are in the segment, and why some of them are not written to (address key → reason)."""
        self.outside += len(members) - len(chosen)
        for member in chosen:
            domain, reason = member.address_key.rpartition("@")[2], reasons.get(member.address_key)
            if reason is None:
                self.going[domain] += 1
            else:
                self.blocked[reason.error] += 1
                self.blocked_at[domain] += 1

    def takes_s(self, rate_per_hour: int) -> float | None:
        """How long it takes at a rate; None: as long as the receiving servers want."""
        return self.recipients * 3600 / rate_per_hour if rate_per_hour else None
