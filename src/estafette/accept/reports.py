"""Makes mails of the failure reports that are due, and tells the SMTP listeners whether anybody wants reports (the DSN extension is offered then).

    reporter = Reporter(store, clock, door, hostname, offer)
    await reporter.run()                    # until it is cancelled

Any number of workers may do this at the same time: the transaction that accepts a report takes it off the list, and who comes second stores nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from estafette import maillog
from estafette.accept.examine import examine
from estafette.accept.submit import Recipient, Request, SubmitDoor
from estafette.clock import Clock
from estafette.mail.address import parse
from estafette.mail.failure_report import Notice, write_report
from estafette.model import Door, Options
from estafette.store.reports import DueReport
from estafette.store.seam import Store

LOOK_S: Final = 2.0
AT_ONCE: Final = 100


class Reporter:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, door: SubmitDoor, hostname: str, offer: Callable[[bool], None]) -> None:
        self._store = store
        self._clock = clock
        self._door = door
        self._hostname = hostname
        self._offer = offer

    async def run(self) -> None:
        """Look again and again; a database that does not answer costs time and nothing else."""
        while True:
            try:
                self._offer(any(account.failure_reports for account in await self._store.accounts()))
                while await self.tell() == AT_ONCE:
                    pass
            except Exception as fault:  # outermost frame
                maillog.fault("reports", "", fault)
            await asyncio.sleep(LOOK_S)

    async def tell(self) -> int:
        """Make the oldest reports; how many were due. Raises StoreFault."""
        due = await self._store.reports.due(AT_ONCE)
        for report in due:
            await self._make(report)
        return len(due)

    async def _make(self, due: DueReport) -> None:
        content = (await self._store.contents([due.submission_id])).get(due.submission_id)
        notice = Notice(
            due.action, due.reverse_path, due.recipient, due.orcpt, due.options.envid, due.status, due.host, due.reply, due.at, due.accepted_at,
            content.raw if content is not None else b"", due.options.ret == "FULL",
        )  # fmt: skip
        try:
            to = Recipient(parse(due.reverse_path))
            raw = write_report(notice, self._hostname, self._clock.token_bytes(16))
            examined = examine(raw)
        except Exception as fault:  # nobody can be told, or a bug of ours: it must not hold up the reports behind it
            maillog.fault("reports", str(due.message_id), fault)
            await self._store.reports.drop(due.message_id, due.action)
            return
        options = Options(track_opens=False, track_clicks=False)
        await self._door.submit([
            Request(due.account, Door.REPORT, "", (to,), raw, examined, options, self._hostname, "127.0.0.1", "ESMTP", smtputf8=not due.reverse_path.isascii(),
                    report_on=(due.message_id, due.action))
        ])  # fmt: skip
