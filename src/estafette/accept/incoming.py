"""A mail while it is being received: in memory up to a small size, in a temporary file beyond, always within the process's budget."""

import contextlib
import hashlib
import tempfile
from dataclasses import dataclass, field
from typing import IO

from estafette import maillog
from estafette.accept.limits import Budget
from estafette.accept.submit import Recipient


@dataclass(slots=True)
class Mail:
    """One SMTP transaction as it is collected."""

    reverse_path: str
    smtputf8: bool
    recipients: list[Recipient] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    held: int = 0  # octets taken from the budget
    file: IO[bytes] | None = None
    ret: str = ""  # DSN
    envid: str = ""
    has_no_room: bool = False  # the budget is spent: the rest is thrown away and 452 said at the end

    def keep(self, data: bytes, budget: Budget, in_memory_bytes: int) -> None:
        """The next octets of the content."""
        if self.has_no_room:
            return
        if not budget.take(len(data)):
            self.release(budget)
            self.has_no_room = True
            return
        self.held += len(data)
        try:
            if self.file is None and self.held > in_memory_bytes:
                self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in release
                self.file.writelines(self.pieces)
                self.pieces = []
            if self.file is not None:
                self.file.write(data)
            else:
                self.pieces.append(data)
        except OSError as fault:  # the disk of temporary files is full or gone
            maillog.fault("accept", "temporary file", fault)
            self.release(budget)
            self.has_no_room = True

    def content(self) -> bytes:
        """All of it."""
        if self.file is None:
            return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.file.seek(0)
        return self.file.read()

    def release(self, budget: Budget) -> None:
        """Give the memory and the file back."""
        budget.give_back(self.held)
        self.held, self.pieces = 0, []
        if self.file is not None:
            with contextlib.suppress(OSError):  # what could not be written is flushed once more at closing
                self.file.close()
            self.file = None

    def fingerprint(self, raw: bytes) -> bytes:
        """What an idempotency key stands for: SHA-256 of content and envelope."""
        digest = hashlib.sha256(raw)
        for part in (self.reverse_path, *(str(r.address) for r in self.recipients)):
            digest.update(b"\0" + part.encode())
        return digest.digest()
