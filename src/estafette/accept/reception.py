"""What all SMTP connections of a process share: settings, limits, who is connected, and the end of the day."""

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from estafette.accept.credentials import Doorkeeper
from estafette.accept.limits import Bucket, Budget
from estafette.accept.submit import SubmitDoor
from estafette.clock import Clock
from estafette.mail.smtp import server
from estafette.model import Account


class Connection(Protocol):
    """What the reception may ask of one connection."""

    def shut_down_when_idle(self) -> None:
        """Say 421 unless a mail is under way; then it is said after it."""

    def abort(self) -> None:
        """Cut the connection now."""


@dataclass(slots=True)
class Reception:
    """What all SMTP connections of a process share."""

    options: server.ServerOptions
    clock: Clock
    door: SubmitDoor
    keeper: Doorkeeper
    budget: Budget
    in_memory_bytes: int = 1_048_576
    max_connections: int = 2000
    max_connections_per_address: int = 100
    max_login_failures: int = 3
    timeout_s: float = 300.0
    tls: ssl.SSLContext | None = None
    open_account: Account | None = None  # pays for sessions without login
    has_disk: Callable[[], bool] = lambda: True
    is_closing: bool = False
    connections: set[Connection] = field(default_factory=set)
    is_empty: asyncio.Event = field(default_factory=asyncio.Event)  # set when the last connection ends while closing
    per_address: Counter[str] = field(default_factory=Counter)
    buckets: dict[int, Bucket] = field(default_factory=dict)

    def offer_dsn(self, is_offered: bool) -> None:
        """To sessions that begin now."""
        if is_offered is not self.options.offers_dsn:
            self.options = replace(self.options, offers_dsn=is_offered)

    async def close(self, within_s: float) -> None:
        """Let running transactions finish, tell the others 421."""
        self.is_closing = True
        for connection in list(self.connections):
            connection.shut_down_when_idle()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.is_empty.wait(), within_s)
        for connection in list(self.connections):
            connection.abort()
