"""What one worker process may have open and hold. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one worker process."""

    lease_s: float = 30.0
    connections_per_path: int = 20
    max_connections: int = 500
    share_after: int = 100  # messages that must have gone to a site while more were waiting, until other workers are asked to help

    @property
    def flights(self) -> int:
        """Slots of the flight log: a connection has one transaction under way and two that wait to be written, and those that were cut wait too."""
        return 4 * self.max_connections + 64
