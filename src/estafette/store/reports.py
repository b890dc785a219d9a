"""Shelf: failure reports that are due. A row is written in the transaction of the outcome that it tells of, and removed in the one that accepts the report
as a mail: none is lost, none is made twice (docs/decisions/0012)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from estafette.model import Account, Options, Submission
from estafette.store.driver import Driver
from estafette.store.options import decode_options
from estafette.store.unit import Rows, Unit

FAILED: Final = "failed"
RELAYED: Final = "relayed"
NOT_ATTEMPTED: Final = "5.7.1"
GIVEN_UP: Final = "4.4.7"

ReportRow = tuple[int, str, int, str, str, str]


@dataclass(frozen=True, slots=True)
class DueReport:
    """An outcome that a submitter is to be told of."""

    message_id: int
    action: str  # failed, or relayed: taken by a server after which nobody will tell
    at: int
    status: str  # enhanced code, "" = none
    host: str  # the receiving server, "" = none
    reply: str
    recipient: str
    orcpt: str  # as given with DSN
    account: Account  # id and name
    submission_id: int
    reverse_path: str
    options: Options
    accepted_at: int


class Reports:
    """`store.reports`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def due(self, limit: int) -> list[DueReport]:
        """The oldest ones. They stay due until they are accepted (`Submission.report_on`) or dropped."""
        return await self._driver.read(lambda: _due(limit))

    async def drop(self, message_id: int, action: str) -> None:
        """It cannot be made."""
        await self._driver.write(lambda: _drop(message_id, action))


def report_row(message_id: int, at: int, status: str, host: str, reply: str, action: str = FAILED) -> ReportRow:
    """A row for `report_put`, which writes it only where the submitter is to be told."""
    return (message_id, action, at, status, host, reply)


def told(submissions: Sequence[Submission]) -> Unit[set[int]]:
    """Of the submissions that are reports: those that are due no longer, since another worker was faster. The others are due no longer from here on."""
    gone = set()
    for s in submissions:
        if s.report_on is not None and not (yield Rows("report_take", s.report_on)):
            gone.add(s.id)
    return gone


def _due(limit: int) -> Unit[list[DueReport]]:
    return [
        DueReport(message_id, action, at, status, host, reply, recipient, orcpt, Account(account_id, name), submission_id, reverse_path,
                  decode_options(options), accepted_at)
        for message_id, action, at, status, host, reply, recipient, orcpt, account_id, name, submission_id, reverse_path, options, accepted_at
        in (yield Rows("reports_due", (limit,)))
    ]  # fmt: skip


def _drop(message_id: int, action: str) -> Unit[None]:
    yield Rows("report_take", (message_id, action))
